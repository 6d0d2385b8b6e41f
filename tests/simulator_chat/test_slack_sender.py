"""The signed Slack senders against slack_sdk's own verifier and a bot on slack-bolt."""

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from simulator.chat_people import ANA, BACKUP_CHANNEL, EVE, MAX
from simulator.senders import Forgery, SlackSender, sign
from simulator.slack import FakeSlack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "why",
    "title": {"type": "plain_text", "text": "Why"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}
BUTTONS = [
    {
        "type": "actions",
        "block_id": "row",
        "elements": [
            {
                "type": "button",
                "action_id": "ask",
                "value": "41",
                "text": {"type": "plain_text", "text": "Ask"},
            },
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("one", "two")],
            },
        ],
    }
]


@dataclass
class Mailbox:
    """A server that stores what it gets and answers what it is told."""

    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    answer: dict[str, Any] | None = None

    @property
    def payload(self) -> dict[str, Any]:
        form = dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))
        found: dict[str, Any] = json.loads(form["payload"])
        return found

    async def take(self, request: web.Request) -> web.Response:
        self.headers, self.body = dict(request.headers), await request.read()
        return web.json_response(self.answer) if self.answer is not None else web.Response()


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    app = web.Application()
    app.router.add_post("/slack/events", box.take)
    runner, box.url = await serve(app)
    yield box
    await runner.cleanup()


def valid(box: Mailbox) -> bool:
    return SignatureVerifier(SECRET).is_valid_request(box.body, box.headers)


def test_signature_of_slacks_own_example() -> None:
    """The signature of the example request in Slack's documentation comes out as printed there."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    headers = sign("8f742231b10e8888abcd99yyyzzz85a5", body, 1531420618)

    assert "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" == headers["X-Slack-Signature"]


@pytest.mark.parametrize(
    ("forgery", "good"),
    [
        (Forgery(), True),
        (Forgery(age_s=290), True),
        (Forgery(age_s=310), False),
        (Forgery(age_s=-310), False),
        (Forgery(secret="other"), False),
        (Forgery(headers=(("X-Slack-Signature", ""),)), False),
        (Forgery(headers=(("X-Slack-Signature", "v0=00"),)), False),
        (Forgery(headers=(("X-Slack-Request-Timestamp", ""),)), False),
    ],
)
async def test_signatures(slack: FakeSlack, mailbox: Mailbox, forgery: Forgery, good: bool) -> None:
    """slack_sdk's verifier takes an honest request and refuses each kind of forgery."""
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        await sender.command(MAX, "status", forgery=forgery)

    assert good == valid(mailbox)


async def test_every_kind_is_signed(slack: FakeSlack, mailbox: Mailbox) -> None:
    """Commands, clicks, submissions, events and checks all carry a valid signature and their person."""
    message = slack.space.add(BACKUP_CHANNEL, {"text": "m", "blocks": BUTTONS})
    ts = message.ts
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        await sender.click(ANA, message, "ask", forgery=Forgery(retry=2))
        click = mailbox.payload
        assert valid(mailbox)
        assert "2" == mailbox.headers["X-Slack-Retry-Num"]
        await sender.click(ANA, message, "more", "two")
        chosen = mailbox.payload["actions"][0]
        await sender.shortcut(EVE, message, "look")
        assert ("message_action", ts) == (mailbox.payload["type"], mailbox.payload["message"]["ts"])
        await sender.options(EVE, "vault", "prod")
        assert ("block_suggestion", "prod") == (mailbox.payload["type"], mailbox.payload["value"])
        await sender.mention(MAX, "help")
        event = json.loads(mailbox.body)
        assert valid(mailbox)
        await sender.home_opened(MAX)
        assert "app_home_opened" == json.loads(mailbox.body)["event"]["type"]
        await sender.ssl_check()
        assert b"ssl_check=1" in mailbox.body
        mailbox.answer = {"challenge": "abc"}
        assert {"challenge": "abc"} == (await sender.url_verification("abc")).body

    assert ("block_actions", "U0ANA", "T0CONTOSO") == (
        click["type"],
        click["user"]["id"],
        click["user"]["team_id"],
    )
    assert ("ask", "41", "row") == tuple(click["actions"][0][key] for key in ("action_id", "value", "block_id"))
    assert (ts, BACKUP_CHANNEL) == (click["container"]["message_ts"], click["channel"]["id"])
    assert "two" == chosen["selected_option"]["value"]
    assert ("app_mention", "<@U0BOT> help") == (event["event"]["type"], event["event"]["text"])


async def test_click_on_a_private_notice(slack: FakeSlack, mailbox: Mailbox) -> None:
    """Slack sends no message with a click on an ephemeral one."""
    notice = slack.space.add(BACKUP_CHANNEL, {"text": "m", "blocks": BUTTONS}, only_for="U0MAX")
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        await sender.click(MAX, notice, "ask")

    assert mailbox.payload["container"]["is_ephemeral"]
    assert "message" not in mailbox.payload


async def test_direct_answer_of_a_command_is_shown(slack: FakeSlack, mailbox: Mailbox) -> None:
    """What the bot answers to a command at once becomes a private notice."""
    mailbox.answer = {"text": "at once"}
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        await sender.command(MAX, "status")

    assert [("at once", "U0MAX")] == [(m.text, m.only_for) for m in slack.ephemerals]


async def test_nobody_listens(slack: FakeSlack) -> None:
    """A bot that is not there is a reply with status 0."""
    async with SlackSender(slack, "http://127.0.0.1:9", SECRET, within_s=2) as sender:
        assert 0 == (await sender.command(MAX, "status")).status


async def test_submission_answers(slack: FakeSlack, mailbox: Mailbox) -> None:
    """Errors leave a modal open, an update changes it, a plain 200 closes it."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    await client.views_open(trigger_id=slack.space.new_trigger("U0MAX"), view=MODAL)
    shown = slack.views[0]
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        mailbox.answer = {"response_action": "errors", "errors": {"reason": "too short"}}
        await sender.submit(MAX, shown, {"reason": {"text": {"type": "plain_text_input", "value": "x"}}})
        assert shown.open
        assert "x" == mailbox.payload["view"]["state"]["values"]["reason"]["text"]["value"]
        mailbox.answer = {"response_action": "update", "view": {**MODAL, "callback_id": "next"}}
        await sender.submit(MAX, shown, {})
        assert (True, "next") == (shown.open, shown.view["callback_id"])
        mailbox.answer = {}
        await sender.submit(MAX, shown, {})
        assert not shown.open


async def test_clicks_in_a_modal_and_its_closing(slack: FakeSlack, mailbox: Mailbox) -> None:
    """A click in a modal names the view; closing is told only to a bot that asked for it."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    for wanted in (False, True):
        view = {**MODAL, "blocks": [*MODAL["blocks"], *BUTTONS], "notify_on_close": wanted}
        await client.views_open(trigger_id=slack.space.new_trigger("U0MAX"), view=view)
    silent, told = slack.views
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        await sender.click_in_view(MAX, told, "ask")
        assert ({"type": "view", "view_id": told.id}, "41") == (
            mailbox.payload["container"],
            mailbox.payload["actions"][0]["value"],
        )
        assert await sender.close_view(MAX, silent) is None
        await sender.close_view(MAX, told)

    assert ("view_closed", told.id) == (mailbox.payload["type"], mailbox.payload["view"]["id"])
    assert not told.open


async def test_clicks_found_by_value(slack: FakeSlack, mailbox: Mailbox) -> None:
    """A click is matched by its value where its name is not that of a block, and is a plain button otherwise."""
    message = slack.space.add(BACKUP_CHANNEL, {"text": "m", "blocks": BUTTONS})
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        found = [
            sender.click_payload(MAX, message, name, value)["actions"][0]
            for name, value in (("question", "41"), ("menu", "two"), ("ask", "42"), ("other", None))
        ]
        assert (await sender.mention(MAX, "in a thread", thread_ts=message.ts)).status == 200

    assert [("button", "ask"), ("overflow", "more"), ("button", "ask"), ("button", "other")] == [
        (action["type"], action["action_id"]) for action in found
    ]
    assert ["row", "row", "unknown", "unknown"] == [action["block_id"] for action in found]
    assert "42" == found[2]["value"]
    assert message.ts == json.loads(mailbox.body)["event"]["thread_ts"]


@pytest.fixture
async def bolt(slack: FakeSlack) -> AsyncIterator[str]:
    """Yield the address of a bot on slack-bolt that asks for a reason before it goes on."""
    api = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    bot = AsyncApp(client=api, signing_secret=SECRET)

    @bot.command("/backup")
    async def command(ack: Any, respond: Any, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await respond(text=f"working on {body['text']}")
        await client.chat_postMessage(channel=body["channel_id"], text="card", blocks=BUTTONS)

    @bot.action("ask")
    async def ask(ack: Any, client: AsyncWebClient, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @bot.view("why")
    async def why(ack: Any, client: AsyncWebClient, view: dict[str, Any], body: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["text"]["value"]
        if len(reason) < 3:
            await ack(response_action="errors", errors={"reason": "too short"})
            return
        await ack()
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text=f"{body['user']['id']}: {reason}")

    @bot.event("app_mention")
    async def mention(say: Any, event: dict[str, Any]) -> None:
        await say(text="heard", thread_ts=event["ts"])

    async def events(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bot.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", events)
    runner, url = await serve(app)
    yield url
    await runner.cleanup()


async def test_bolt_conversation(slack: FakeSlack, bolt: str) -> None:
    """A slack-bolt bot answers the fake's command, click, submission and mention."""
    async with SlackSender(slack, bolt, SECRET) as sender:
        assert 200 == (await sender.command(MAX, "status")).status
        card = await slack.wait_for(lambda: [m for m in slack.messages.values() if m.text == "card"])
        assert ["working on status"] == [response.body["text"] for response in slack.responses]

        assert 200 == (await sender.click(ANA, card[0], "ask")).status
        shown = (await slack.wait_for(lambda: slack.views))[0]
        assert "U0ANA" == shown.user
        short = await sender.submit(ANA, shown, {"reason": {"text": {"value": "x"}}})
        assert {"reason": "too short"} == short.body["errors"]
        await sender.submit(ANA, shown, {"reason": {"text": {"value": "because"}}})
        await slack.wait_for(lambda: [m for m in slack.messages.values() if m.text == "U0ANA: because"])

        await sender.mention(EVE, "hello")
        heard = await slack.wait_for(lambda: [m for m in slack.messages.values() if m.text == "heard"])
        assert heard[0].thread_ts

        assert 401 == (await sender.command(MAX, "status", forgery=Forgery(secret="other"))).status
        assert 401 == (await sender.command(MAX, "status", forgery=Forgery(age_s=400))).status


async def test_a_hundred_commands_at_once(slack: FakeSlack, mailbox: Mailbox) -> None:
    """A hundred signed commands at once all arrive, so that storms can be sent."""
    async with SlackSender(slack, mailbox.url, SECRET) as sender:
        replies = await asyncio.gather(*(sender.command(MAX, f"status {n}") for n in range(100)))

    assert [200] * 100 == [reply.status for reply in replies]
