"""Slack outbound: every call as Slack takes it, every failure as what it means, no token and no answer to strangers."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from adaptive_cards.card import Button, Buttons, Card, Form, Text, TextInput
from adaptive_cards.cards.diagnosis import working
from bot.transports.slack import SlackApi, SlackDirectory, SlackMessenger, response_url_allowed
from bot.workflows.outbox import MessengerError
from simulator.chat_people import ANA, EXTERNAL, GUEST, MAX, ROBOT, UNCONFIRMED
from simulator.slack import FakeSlack

CARD = Card(
    summary="*_<!channel>_* [x](http://evil) & `more`", elements=(Text("body"), Buttons((Button("Go", "x.y"),)))
)
CHANNEL = "C0BACKUP"


@pytest.fixture
async def chat() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def api(chat: FakeSlack, http: aiohttp.ClientSession) -> SlackApi:
    return SlackApi(token=chat.bot_token, url=chat.api_url, http=http)


@pytest.fixture
def messenger(api: SlackApi) -> SlackMessenger:
    return SlackMessenger(api=api)


async def test_a_message_is_posted_updated_and_found_again(chat: FakeSlack, messenger: SlackMessenger) -> None:
    """A post whose answer was lost is found by its key, and an update keeps the key."""
    ref = await messenger.post(CHANNEL, None, CARD, key="incident:1", reply=None)
    await messenger.update(ref, Card(summary="changed"), revision=2, key="incident:1")
    inside = await messenger.post(CHANNEL, ref, CARD, key="incident:1:diagnosis", reply=None)

    assert ref == await messenger.find(CHANNEL, None, "incident:1")
    assert inside == await messenger.find(CHANNEL, ref, "incident:1:diagnosis")
    assert None is await messenger.find(CHANNEL, None, "incident:2")
    assert "changed" == chat.messages[CHANNEL, ref["ts"]].text
    assert ref["ts"] == chat.messages[CHANNEL, inside["ts"]].thread_ts


async def test_names_are_text_in_the_notification_too(chat: FakeSlack, messenger: SlackMessenger) -> None:
    """Slack is told to parse no emphasis, and the three characters that it always parses are escaped."""
    ref = await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
    await messenger.update(ref, CARD, revision=2, key="k")
    await messenger.whisper(CHANNEL, CARD, reply={"user": MAX.slack_id})
    said = [call.args for call in chat.calls if call.method.startswith("chat.")]

    assert [False] * 3 == [args["mrkdwn"] for args in said]
    assert {"*_&lt;!channel&gt;_* [x](http://evil) &amp; `more`"} == {args["text"] for args in said}


async def test_reads_travel_as_forms(chat: FakeSlack, api: SlackApi, messenger: SlackMessenger) -> None:
    """Slack's reading methods ignore a JSON body: each of ours is form-encoded."""
    directory = SlackDirectory(api=api)
    ref = await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
    await messenger.find(CHANNEL, None, "k")
    await messenger.find(CHANNEL, ref, "k")
    await directory.actor(ANA.slack_id)
    await directory.members("slack-group:S0BACKUP")
    reads = [call for call in chat.calls if not call.method.startswith(("chat.", "auth."))]

    assert {"conversations.history", "conversations.replies", "users.info", "usergroups.users.list"} == {
        call.method for call in reads
    }
    assert {"application/x-www-form-urlencoded"} == {call.headers["Content-Type"] for call in reads}
    assert all(f"Bearer {chat.bot_token}" == call.headers["Authorization"] for call in reads)


async def test_what_slack_says_decides_whether_to_try_again(chat: FakeSlack, messenger: SlackMessenger) -> None:
    """A missing channel is final, a limit says how long to wait, a server error or a cut line may pass."""
    with pytest.raises(MessengerError) as final:
        await messenger.post("C0NOWHERE", None, CARD, key="k", reply=None)
    chat.fail_next("chat.postMessage", status=429, error="ratelimited", retry_after=7)
    with pytest.raises(MessengerError) as limited:
        await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
    chat.fail_next("chat.postMessage", status=503)
    with pytest.raises(MessengerError) as down:
        await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
    chat.fail_next("chat.postMessage", cut=True)
    with pytest.raises(MessengerError) as cut:
        await messenger.post(CHANNEL, None, CARD, key="k", reply=None)

    assert final.value.permanent
    assert limited.value.retry_after is not None
    assert (7, False) == (limited.value.retry_after.total_seconds(), limited.value.permanent)
    assert (False, None) == (down.value.permanent, down.value.retry_after)
    assert "503" in str(down.value)
    assert not cut.value.permanent


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5", "", "99999999999999999999"])
async def test_an_odd_wait_is_no_bug(chat: FakeSlack, http: aiohttp.ClientSession, wait: str) -> None:
    """Whatever Retry-After says, the message stays due within the hour."""

    async def limited(_: web.Request) -> web.Response:
        return web.Response(status=429, text="<html>slow down</html>", headers={"Retry-After": wait})

    async with served(limited) as origin:
        messenger = SlackMessenger(api=SlackApi(token="t", url=f"{origin}/api/", http=http))
        with pytest.raises(MessengerError) as caught:
            await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after.total_seconds() <= 3600


class served:  # noqa: N801  (reads as a word in `async with`)
    """A little server whose every path is one handler."""

    def __init__(self, handler: object) -> None:
        self._app = web.Application()
        self._app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
        self._runner = web.AppRunner(self._app, access_log=None)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_the_token_is_never_redirected(http: aiohttp.ClientSession) -> None:
    """A redirect is a refusal: nobody else sees the token or the card."""
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"ok": True})

    async with served(elsewhere) as target:

        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{target}/stolen"})

        async with served(redirect) as origin:
            api = SlackApi(token="t", url=f"{origin}/api/", http=http)
            messenger = SlackMessenger(api=api)
            with pytest.raises(MessengerError):
                await messenger.post(CHANNEL, None, CARD, key="k", reply=None)
            with pytest.raises(MessengerError):
                await api.ask("users.info", {"user": "U1"})
            ref = {"response_url": f"{origin}/response/1", "channel": CHANNEL}
            with pytest.raises(MessengerError):
                await messenger.update(ref, CARD, revision=2, key="k")
    assert [] == seen


async def test_where_the_bot_is_not_the_asker_is_answered_alone(chat: FakeSlack, messenger: SlackMessenger) -> None:
    """Outside of the channel the answer goes through the command's own address; progress spends none of its five uses."""
    chat.space.channels[CHANNEL].members.discard("U0BOT")
    url = chat.response_url(chat.space.new_response_url(MAX.slack_id, CHANNEL))
    ref = await messenger.post(
        CHANNEL, None, working("vm", 0, 9, simulated=False), key="k", reply={"response_url": url}
    )
    for done in range(1, 9):
        await messenger.update(ref, working("vm", done, 9, simulated=False), revision=done + 1, key="k")
    await messenger.update(ref, Card(summary="all is well"), revision=20, key="k")
    await messenger.whisper(CHANNEL, Card(summary="for you"), reply={"response_url": url, "user": MAX.slack_id})

    assert [None] * 3 == [one.error for one in chat.responses]
    assert ["Diagnosing vm …", "all is well", "for you"] == [one.body["text"] for one in chat.responses]
    assert {"ephemeral"} == {one.body["response_type"] for one in chat.responses}


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.slack.com/commands/T/1/x", True),
        ("http://127.0.0.1:5/response/1", True),
        ("http://hooks.slack.com/commands/T/1/x", False),
        ("https://hooks.slack.com.evil.example/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("https://evil.example/hooks.slack.com", False),
        ("https://hooks.slack.com:444/x", False),
        ("http://127.0.0.1:6/response/1", False),
        ("https://127.0.0.1:5/response/1", False),
        ("https://[bad", False),
        ("//hooks.slack.com/x", False),
        ("", False),
    ],
)
def test_answers_go_to_slack_only(url: str, allowed: bool) -> None:
    """https on Slack's host, or exactly the origin of SLACK_API_URL."""
    assert allowed is response_url_allowed(url, "http://127.0.0.1:5/api/")


async def test_a_foreign_response_address_is_never_called(messenger: SlackMessenger) -> None:
    """It comes from a request's body: nothing is sent there."""
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"ok": True})

    async with served(elsewhere) as origin:
        with pytest.raises(MessengerError) as caught:
            await messenger.update({"response_url": f"{origin}/r", "channel": CHANNEL}, CARD, revision=2, key="k")
    assert caught.value.permanent
    assert [] == seen


async def test_who_people_are(chat: FakeSlack, api: SlackApi) -> None:
    """Confirmed addresses, guests, bots and people of other workspaces are told apart; the team is learnt on the way."""
    directory = SlackDirectory(api=api)
    ana, guest, robot, foreign, unsure = [
        await directory.actor(one.slack_id) for one in (ANA, GUEST, ROBOT, EXTERNAL, UNCONFIRMED)
    ]

    assert "T0CONTOSO" == directory.team_id
    assert ("Ana Lima", "ana@contoso.com", True, True) == (ana.name, ana.email, ana.email_confirmed, ana.may_act)
    assert [True, True, True] == [guest.is_guest, robot.is_bot, foreign.is_foreign]
    assert (False, True) == (unsure.email_confirmed, unsure.may_act)
    asked = len(chat.calls)
    await directory.actor(ANA.slack_id)
    assert asked == len(chat.calls)


async def test_a_person_who_cannot_be_looked_up_is_not_remembered(chat: FakeSlack, api: SlackApi) -> None:
    """Unknown now is asked again later; an answer without a user is unknown too."""
    directory = SlackDirectory(api=api, team_id="T0CONTOSO")
    chat.fail_next("users.info", error="ratelimited")
    assert not (await directory.actor(ANA.slack_id)).known
    assert (await directory.actor(ANA.slack_id)).known

    async def silent(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async with served(silent) as origin:
        other = SlackDirectory(api=SlackApi(token="t", url=f"{origin}/api/", http=api.http))
        person = await other.actor("U0BEN")
        assert (False, "U0BEN") == (person.known, person.id)
        assert None is await other.members("slack-group:S1")


async def test_a_form_needs_a_fresh_trigger(chat: FakeSlack, messenger: SlackMessenger) -> None:
    """The view carries the channel, so that what is said later comes back there."""
    form = Form("Why?", (TextInput("reason", "Reason"),), "x.send", "1")
    await messenger.open_form(form, reply={"trigger_id": chat.space.new_trigger(MAX.slack_id), "channel": CHANNEL})
    with pytest.raises(MessengerError) as caught:
        await messenger.open_form(form, reply={"trigger_id": "gone", "channel": CHANNEL})

    assert CHANNEL in chat.views[0].view["private_metadata"]
    assert caught.value.permanent
