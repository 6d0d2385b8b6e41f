"""Cards out to Teams: every sort of place, private answers, updates, refusals and losses, against a strict connector."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from adaptive_cards.card import Button, Buttons, Card, Form, Mention, Text, TextInput
from bot.transports.teams import build_teams
from bot.transports.teams_addresses import is_channel, is_person
from bot.transports.teams_connector import Connector, IdentityTokens, SecretTokens, tokens_for, wait_of
from bot.workflows.outbox import MessengerError
from simulator.chat_people import ANA, BEN, EVE, EXTERNAL, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT
from simulator.teams_state import TeamsMessage
from tests.cards.oracles import check_teams, objects, teams_text
from tests.transports.teams_world import COMMANDS, FORMS, Desk, MemoryReferences, World, settings_for
from tests.transports.test_teams_inbound import APPROVAL

Json = dict[str, Any]
CARD = Card("backup of vm-erp-01 failed", (Text("because of its key vault"),), severity="critical")
LATER = Card("backup of vm-erp-01 works again", severity="good")


def sent(teams: World, ref: Any) -> TeamsMessage:
    """The message behind a reference."""
    return teams.fake.messages[ref["conversation"], ref["id"]]


def hurry(teams: World, seconds: float = 2.0) -> None:
    """Let the time between edits pass."""
    now = teams.bot.messenger.monotonic()
    teams.bot.messenger.monotonic = lambda: now + seconds


async def test_a_post_to_a_channel_opens_a_thread(teams: World) -> None:
    """One call with the message inside; summary and card, never text beside a card; later posts go into the thread."""
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="incident", reply=None)

    first = sent(teams, ref)
    assert f"{TEAMS_CHANNEL};messageid={ref['id']}" == ref["conversation"]
    assert "✖ CRITICAL backup of vm-erp-01 failed" == first.activity["summary"]
    assert "text" not in first.activity
    check_teams(first.card)
    assert [] == teams.fake.warnings

    inside = await teams.bot.messenger.post(TEAMS_CHANNEL, ref, LATER, key="proof", reply=None)
    assert ref["conversation"] == inside["conversation"]
    assert ref["id"] != inside["id"]
    assert ["token", "create", "send"] == [call.method for call in teams.fake.calls]


async def test_a_post_to_a_chat_a_thread_and_a_person(teams: World) -> None:
    """Chats and threads are posted to as they are; a person's id means their own chat with the bot."""
    for channel in (TEAMS_GROUP_CHAT, f"{TEAMS_CHANNEL};messageid=1000"):
        ref = await teams.bot.messenger.post(channel, None, CARD, key="k", reply=None)
        assert channel == ref["conversation"] == sent(teams, ref).conversation
    for person in (MAX.aad_id, MAX.teams_id):
        ref = await teams.bot.messenger.post(person, None, CARD, key="k", reply=None)
        assert teams.fake.personal_chat(MAX).id == ref["conversation"]
    again = len([call for call in teams.fake.calls if call.method == "create"])
    await teams.bot.messenger.post(MAX.aad_id, None, CARD, key="k", reply=None)
    assert again == len([call for call in teams.fake.calls if call.method == "create"])


@pytest.mark.parametrize("place", [TEAMS_CHANNEL, TEAMS_GROUP_CHAT, MAX.aad_id])
async def test_an_update_replaces_the_message_in_place(teams: World, place: str) -> None:
    """Same conversation and id, new card and notification; no second message."""
    ref = await teams.bot.messenger.post(place, None, CARD, key="k", reply=None)
    before = len(teams.fake.messages)
    hurry(teams)
    await teams.bot.messenger.update(ref, LATER, revision=2, key="k")

    assert before == len(teams.fake.messages)
    assert "✔ GOOD backup of vm-erp-01 works again" == sent(teams, ref).activity["summary"]
    assert 2 == len(sent(teams, ref).history)


async def test_edits_of_one_message_are_two_seconds_apart(teams: World) -> None:
    """Sooner, the outbox is told when to come again and sends the latest state then; other messages do not wait."""
    now = [100.0]
    teams.bot.messenger.monotonic = lambda: now[0]
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    other = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="l", reply=None)
    now[0] = 101.5
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.update(ref, LATER, revision=2, key="k")
    assert (timedelta(seconds=0.5), False) == (caught.value.retry_after, caught.value.permanent)
    now[0] = 102.0
    await teams.bot.messenger.update(ref, LATER, revision=2, key="k")
    await teams.bot.messenger.update(other, LATER, revision=2, key="l")
    now[0] = 103.9
    with pytest.raises(MessengerError):
        await teams.bot.messenger.update(ref, CARD, revision=3, key="k")
    assert 2 == len(sent(teams, ref).history)


async def test_a_whisper_is_a_private_message_where_the_person_is(teams: World) -> None:
    """In groups and threads only they see it; in their own chat it is an ordinary message."""
    for kind in ("group", "channel"):
        activity = teams.sender.message_activity(MAX, "status", kind=kind, thread="1000")
        await teams.bot.messenger.whisper("", CARD, reply=teams.bot.platform.reply("message", activity))
        (message,) = [one for one in teams.fake.messages.values() if one.targeted_to]
        assert (MAX.teams_id, activity["conversation"]["id"]) == (message.targeted_to, message.conversation)
        assert "entities" not in message.activity
        teams.fake.messages.clear()

    activity = teams.sender.message_activity(MAX, "status")
    await teams.bot.messenger.whisper("", CARD, reply=teams.bot.platform.reply("message", activity))
    (message,) = teams.fake.messages.values()
    assert (None, teams.fake.personal_chat(MAX).id) == (message.targeted_to, message.conversation)


async def test_a_private_question_is_answered_privately_and_updated_so(teams: World) -> None:
    """The answer quotes the question; its updates carry the mark and no recipient, which Teams refuses."""
    activity = teams.sender.message_activity(MAX, "status", kind="group", targeted=True)
    reply = teams.bot.platform.reply("message", activity)
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="reply", reply=reply)

    message = sent(teams, ref)
    assert MAX.teams_id == message.targeted_to
    assert [{"type": "targetedMessageInfo", "messageId": activity["id"]}] == message.activity["entities"]
    hurry(teams)
    await teams.bot.messenger.update(ref, LATER, revision=2, key="reply")
    assert "recipient" not in message.activity
    assert "works again" in message.activity["summary"]


@pytest.mark.parametrize("status", [400, 403])
async def test_where_private_messages_are_refused_the_own_chat_is_used(teams: World, status: int) -> None:
    """Older tenants refuse them; the notice reaches its person all the same, and nobody else."""
    teams.fake.fail_next("send", error="THREADACCESSDENIED-209", status=status)
    activity = teams.sender.message_activity(MAX, "status", kind="group", targeted=True)
    reply = teams.bot.platform.reply("message", activity)
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="reply", reply=reply)
    assert teams.fake.personal_chat(MAX).id == ref["conversation"]
    assert "targeted" not in ref


async def test_a_notice_for_somebody_known_by_id_alone(teams: World) -> None:
    """Without a conversation the own chat is used; without a person there is nobody to tell."""
    await teams.bot.messenger.whisper(TEAMS_CHANNEL, CARD, reply={"user": MAX.teams_id})
    await teams.bot.messenger.whisper(ANA.aad_id, CARD, reply={})
    assert ["a:max", "a:ana"] == [message.conversation for message in teams.fake.messages.values()]
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.whisper(TEAMS_GROUP_CHAT, CARD, reply={})
    assert caught.value.permanent
    assert 2 == len(teams.fake.messages)


async def test_a_throttled_private_message_waits_instead_of_going_elsewhere(teams: World) -> None:
    """Only a refusal changes the place."""
    teams.fake.throttle["send"] = 1
    reply = {"user": MAX.teams_id, "conversation": TEAMS_GROUP_CHAT, "kind": "groupChat"}
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.whisper("", CARD, reply=reply)
    assert not caught.value.permanent
    assert {} == teams.fake.messages


async def test_a_form_is_a_private_card_with_inputs(teams: World) -> None:
    """What is filled in comes back under the ids of the inputs (see the inbound tests)."""
    form = Form("Reject", (Text("vm-erp-01"), TextInput("reason", "Why?")), "approval.reject_send", "APR-1")
    activity = teams.sender.message_activity(ANA, "x", kind="channel", thread="1000")
    await teams.bot.messenger.open_form(form, reply=teams.bot.platform.reply("message", activity))
    (message,) = teams.fake.messages.values()
    assert ANA.teams_id == message.targeted_to
    check_teams(message.card)
    assert ["reason"] == [one["id"] for one in objects(message.card) if one.get("type") == "Input.Text"]


@pytest.mark.parametrize("status", [408, 412, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(teams: World, status: int) -> None:
    """The outbox waits as long as Teams asks, a little longer each time anew, or its own time when Teams says nothing."""
    teams.fake.fail_next("send", status=status, retry_after=7)
    teams.fake.fail_next("send", status=status)
    waits = []
    for _ in range(2):
        with pytest.raises(MessengerError) as caught:
            await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
        assert not caught.value.permanent
        waits.append(caught.value.retry_after)
    assert waits[0] is not None
    assert 7 <= waits[0].total_seconds() <= 8.75
    assert waits[1] is None
    await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)


async def test_what_does_not_pass_is_final(teams: World) -> None:
    """A blocked bot, an unknown conversation, a message that is gone: said with the connector's own word."""
    teams.fake.conversations[TEAMS_GROUP_CHAT].blocked = True
    gone = {"conversation": f"{TEAMS_CHANNEL};messageid=1", "id": "1", "service_url": teams.fake.service_url}
    messenger = teams.bot.messenger
    for attempt, word in (
        (messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None), "MessageWritesBlocked"),
        (messenger.post("19:nobody@thread.v2", None, CARD, key="k", reply=None), "ConversationNotFound"),
        (messenger.update(gone, CARD, revision=2, key="k"), "ActivityNotFoundInConversation"),
        (messenger.update({"conversation": "a:1", "id": ""}, CARD, revision=2, key="k"), "no id"),
        (messenger.update({"conversation": "..", "id": "1"}, CARD, revision=2, key="k"), "no id"),
    ):
        with pytest.raises(MessengerError, match=word) as caught:
            await attempt
        assert caught.value.permanent
        assert caught.value.retry_after is None


async def test_a_lost_answer_means_posting_again(teams: World) -> None:
    """Teams cannot be searched: two messages are better than none, and the second is the one kept up to date."""
    teams.fake.fail_next("create", cut=True, after_effect=True)
    messenger = teams.bot.messenger
    with pytest.raises(MessengerError) as caught:
        await messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
    assert await messenger.find(TEAMS_CHANNEL, None, "k") is None
    ref = await messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    assert 2 == len(teams.fake.messages)
    hurry(teams)
    await messenger.update(ref, LATER, revision=2, key="k")


async def test_a_card_too_large_is_shortened_and_says_so(teams: World) -> None:
    """413 means less of it, twice; the buttons stay, and what is missing is said."""
    rows = tuple(Text(f"line {number} " + "x" * 300) for number in range(60))
    card = Card("failed", (*rows, Buttons((Button("I have it", "incident.take", "INC-1"),))))
    sizes = []
    for refusals in range(3):
        teams.fake.fail_next("send", refusals, error="MessageSizeTooBig", status=413) if refusals else None
        ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
        content = sent(teams, ref).card
        check_teams(content)
        assert "not shown" in teams_text(content)
        assert any(one.get("title") == "I have it" for one in objects(content))
        sizes.append(len(json.dumps(content).encode("utf-16-le")))
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[1] <= 14 * 1024 + 2
    assert sizes[2] <= 7 * 1024 + 2

    teams.fake.fail_next("send", 3, error="MessageSizeTooBig", status=413)
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert caught.value.permanent


async def test_a_card_of_buttons_alone_that_is_too_large_is_final(teams: World) -> None:
    """What may not be lost and does not fit is an error, not a card without its buttons."""
    card = Card("a", (Buttons(tuple(Button("b", "act", "v" * 900) for _ in range(12))),))
    with pytest.raises(MessengerError, match="cannot be drawn") as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert caught.value.permanent


async def test_only_known_approvers_see_the_buttons(teams: World) -> None:
    """Each has a view of their own; the shared card has none of the deciding buttons and says where they are."""
    teams.desk.approvers = (ANA.aad_id, BEN.aad_id)
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    card = sent(teams, ref).card
    check_teams(card)
    assert [ANA.teams_id, BEN.teams_id] == card["refresh"]["userIds"]
    assert ("approval.view", {"backupbot": "approval.view:APR-1"}) == (
        card["refresh"]["action"]["verb"],
        card["refresh"]["action"]["data"],
    )
    titles = {one.get("title") for one in objects(card["body"])}
    assert {"Withdraw"} == titles & {"Approve", "Reject", "Withdraw"}
    assert "shown to those who may decide" in teams_text(card)


@pytest.mark.parametrize(
    "approvers", [(), (ANA.aad_id, "ffffffff-0000-4000-a000-000000000001"), tuple(f"{n}" for n in range(61))]
)
async def test_otherwise_everybody_sees_them(teams: World, approvers: tuple[str, ...]) -> None:
    """No list, somebody whom no roster has, or more than 60: nobody who may decide is left without buttons."""
    teams.desk.approvers = approvers
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    card = sent(teams, ref).card
    assert "refresh" not in card
    assert {"Approve", "Reject"} <= {one.get("title") for one in objects(card)}


async def test_sixty_approvers_are_the_most(teams: World) -> None:
    """The limit's last good value."""
    people = [(MAX, ANA, BEN, EVE)[number % 4].aad_id for number in range(60)]
    teams.desk.approvers = tuple(people)
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    assert 60 == len(sent(teams, ref).card["refresh"]["userIds"])


async def test_a_mention_calls_somebody(teams: World) -> None:
    """The entity stands in the card, where Teams looks for it."""
    card = Card("wake up", (Text(Mention("teams-user", ANA.aad_id, "Ana Lima")),))
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert ANA.aad_id == sent(teams, ref).card["msteams"]["entities"][0]["mentioned"]["id"]


async def test_where_a_conversation_is_reached(teams: World) -> None:
    """Its own last address, else its tenant's, else the setting; and a reference made before a move follows it."""
    addresses, records = teams.bot.messenger.addresses, teams.references.records
    assert teams.fake.service_url.rstrip("/") == await addresses.service_url(TEAMS_CHANNEL)
    records[f"tenant:{teams.fake.tenant_id}"] = {"service_url": "https://smba.trafficmanager.net/emea/"}
    assert "https://smba.trafficmanager.net/emea" == await addresses.service_url(TEAMS_CHANNEL)
    records[f"conversation:{TEAMS_CHANNEL}"] = {"service_url": "https://smba.trafficmanager.net/amer/"}
    assert "https://smba.trafficmanager.net/amer" == await addresses.service_url(f"{TEAMS_CHANNEL};messageid=1")
    addresses.service_urls.own = ""
    records.clear()
    assert "https://smba.trafficmanager.net/teams" == await addresses.service_url(TEAMS_CHANNEL)

    addresses.service_urls.own = teams.fake.service_url
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    hurry(teams)
    records[f"conversation:{TEAMS_CHANNEL}"] = {"service_url": teams.fake.service_url}
    stale = {**ref, "service_url": "https://smba.trafficmanager.net/old"}
    await teams.bot.messenger.update(stale, LATER, revision=2, key="k")
    assert 2 == len(sent(teams, ref).history)


async def test_the_token_goes_nowhere_else(teams: World) -> None:
    """An address that is not Microsoft's, and one that Teams' address forwards to, never see it."""
    seen: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"id": "1"})

    async def forward(_request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{theirs}/stolen")

    app = web.Application()
    app.router.add_post("/forward/{rest:.*}", forward)
    app.router.add_post("/{rest:.*}", thief)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    theirs = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = teams.bot.messenger.connector
    reply = {"conversation": "a:1", "kind": "personal", "user": "29:1", "service_url": theirs}
    with pytest.raises(MessengerError, match="not Microsoft's") as caught:
        await teams.bot.messenger.whisper("", CARD, reply=reply)
    assert caught.value.permanent
    with pytest.raises(MessengerError, match="not Microsoft's"):
        await connector.call("POST", theirs, ("a:1", "activities"), body={})

    connector.service_urls.own = f"{theirs}/forward"
    with pytest.raises(MessengerError, match="307") as caught:
        await connector.call("POST", f"{theirs}/forward", ("a:1", "activities"), body={})
    assert caught.value.permanent
    assert [] == seen
    await runner.cleanup()


async def test_one_token_serves_until_shortly_before_its_end(teams: World) -> None:
    """Fetched once by many, again five minutes before it ends, and at once when Teams refuses it."""
    tokens = teams.bot.tokens
    assert isinstance(tokens, SecretTokens)
    now = [0.0]
    tokens.monotonic = lambda: now[0]

    def fetched() -> int:
        return sum(call.method == "token" for call in teams.fake.calls)

    for at, count in ((0.0, 1), (3298.0, 1), (3300.0, 2)):
        now[0] = at
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
        assert count == fetched(), at
    teams.fake.fail_next("send", status=401)
    await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert 3 == fetched()
    teams.fake.fail_next("send", 2, status=401)
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
    secrets = {value for call in teams.fake.calls if call.method == "token" for value in call.args.values()}
    assert teams.fake.app_password not in secrets


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"TEAMS_APP_PASSWORD": "wrong"}, "invalid_client AADSTS7000215"),
        ({"TEAMS_OUTBOUND_TOKEN_URL": "http://127.0.0.1:1/token"}, "ClientConnectorError"),
    ],
)
async def test_without_a_token_messages_wait(teams: World, tmp_path: Path, more: dict[str, str], words: str) -> None:
    """A renewed secret lets them go, so the failure is not final; its words hold no secret."""
    settings = settings_for(teams.fake, tmp_path, **more)
    tokens = tokens_for(settings, teams.http)
    with pytest.raises(MessengerError, match=words) as caught:
        await tokens.token()
    assert (False, timedelta(seconds=30)) == (caught.value.permanent, caught.value.retry_after)
    assert "wrong" not in str(caught.value)


async def test_an_answer_that_is_no_token(teams: World) -> None:
    """An array, a page of HTML: said by its status."""
    for path, words in (("keys", "HTTP 405"), ("nothing", "HTTP 404")):
        tokens_url = f"{teams.fake.origin}/{path}"
        tokens = SecretTokens(http=teams.http, url=tokens_url, app_id="a", password=SecretStr("x"))
        with pytest.raises(MessengerError, match=words):
            await tokens.token()


async def test_a_managed_identity_gets_its_token_from_the_platform(
    tmp_path: Path, teams: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity asks App Service's endpoint for the connector's resource, with the identity's client id."""
    asked: list[tuple[dict[str, str], str]] = []

    async def msi(request: web.Request) -> web.Response:
        asked.append((dict(request.query), request.headers.get("X-IDENTITY-HEADER", "")))
        if len(asked) > 1:
            return web.json_response({"message": "no such identity"}, status=400)
        until = str(int(time.time()) + 3600)
        answer = {"access_token": "msi-token", "expires_on": until, "token_type": "Bearer"}
        return web.json_response(answer | {"resource": request.query["resource"]})

    app = web.Application()
    app.router.add_get("/msi/token", msi)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "secret-of-the-host")
    more = {"TEAMS_APP_TYPE": "UserAssignedMSI", "TEAMS_OUTBOUND_TOKEN_URL": "", "TEAMS_APP_PASSWORD": ""}
    settings = settings_for(teams.fake, tmp_path, **more)

    for _ in range(2):
        tokens = tokens_for(settings, teams.http)
        assert isinstance(tokens, IdentityTokens)
        if not asked:
            assert "msi-token" == await tokens.token()
        else:
            with pytest.raises(MessengerError, match="no token for Teams"):
                await tokens.token()
        tokens.forget()
        await tokens.close()
    query, header = asked[0]
    assert ("https://api.botframework.com", teams.fake.app_id) == (query["resource"], query["client_id"])
    assert "secret-of-the-host" == header
    await runner.cleanup()


async def test_first_contact_without_any_conversation(tmp_path: Path, teams: World) -> None:
    """A bot that nobody wrote to yet posts to its route's channel through the address that was set."""
    async with aiohttp.ClientSession() as http:
        bot = build_teams(
            settings_for(teams.fake, tmp_path), http, MemoryReferences(), Desk().put, commands=COMMANDS, forms=FORMS
        )
        assert bot is not None
        ref = await bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
        await bot.close()
    assert sent(teams, ref).card


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("0", 0, 0), ("7", 7, 8.75), ("1.5", 1.5, 1.875), ("999999", 3600, 4500)],
)
def test_how_long_to_wait(text: str, low: float, high: float) -> None:
    """Seconds, at most an hour, and up to a quarter more."""
    found = wait_of(text)
    assert found is not None
    assert low <= found.total_seconds() <= high


def test_odd_waits() -> None:
    """A date counts, a past one, a word and nothing do not."""
    soon = wait_of(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 50 < soon.total_seconds() < 76
    for text in ("", "soon", "-1", "nan", "inf", "Mon, 01 Jan 2024 00:00:00 GMT"):
        assert wait_of(text) is None


def test_what_an_id_names() -> None:
    """Channels, threads, chats and people are told apart by their ids."""
    assert is_channel(TEAMS_CHANNEL)
    assert is_channel("19:abc@thread.skype")
    for other in (f"{TEAMS_CHANNEL};messageid=1", TEAMS_GROUP_CHAT, "a:max", MAX.teams_id, MAX.aad_id):
        assert not is_channel(other)
    assert is_person(MAX.aad_id)
    assert is_person(EXTERNAL.teams_id)
    assert not is_person("a:max")
    assert not is_person(TEAMS_GROUP_CHAT)


async def test_the_connector_is_given_up_after_its_time(teams: World) -> None:
    """An answer that does not come is a loss, to be tried again."""
    teams.fake.fail_next("send", delay_s=5)
    messenger = teams.bot.messenger
    messenger.connector = Connector(
        http=teams.http, tokens=teams.bot.tokens, service_urls=messenger.connector.service_urls, within_s=0.1
    )
    with pytest.raises(MessengerError, match="did not answer") as caught:
        await messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
