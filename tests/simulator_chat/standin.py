"""A small bot for the chat page's tests: real signature checks, a card, an approval, a modal and a proof."""

import asyncio
import html
import json
import urllib.parse
from typing import Any

from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from simulator.chat_people import ANA, MAX

Json = dict[str, Any]
DIAGNOSIS = (
    "CRITICAL vm-erp-01 in vault-prod-01: backup failed 3× (UserErrorKeyVaultPermissionsNotConfigured) "
    "· last good point 31 h ago, RPO 26 h breached by 5 h"
)


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def buttons(*labels: tuple[str, str, str]) -> Json:
    elements = [
        {"type": "button", "action_id": action, "value": value, "text": plain(label)} for action, value, label in labels
    ]
    return {"type": "actions", "elements": elements}


REASON = {
    "type": "modal",
    "callback_id": "reason",
    "title": plain("Request this fix"),
    "submit": plain("Request"),
    "close": plain("Not now"),
    "blocks": [
        section("Grant the backup service access to kv-erp-01, then back up vm-erp-01."),
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Reason"),
            "hint": plain("Approvers read this sentence first."),
            "element": {"type": "plain_text_input", "action_id": "text", "max_length": 200},
        },
        {
            "type": "input",
            "block_id": "until",
            "label": plain("Keep the access"),
            "element": {
                "type": "static_select",
                "action_id": "hours",
                "options": [
                    {"text": plain("for 8 hours"), "value": "8"},
                    {"text": plain("for good"), "value": "0"},
                ],
            },
        },
    ],
}


def render(message: Json) -> str | None:
    """Draw blocks as a bot's own HTML would; None for plain text, and for modals."""
    if not message.get("blocks") or message.get("type") == "modal":
        return None
    parts = []
    for block in message["blocks"]:
        if block["type"] == "header":
            parts.append(f"<h3>{html.escape(block['text']['text'])}</h3>")
        elif block["type"] == "section" and "fields" in block:
            pairs = [field["text"].split("\n", 1) for field in block["fields"]]
            rows = "".join(f"<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>" for a, b in pairs)
            parts.append(f"<dl>{rows}</dl>")
        elif block["type"] == "section":
            parts.append(f"<p>{html.escape(block['text']['text'])}</p>")
        elif block["type"] == "actions":
            parts += [_button(element) for element in block["elements"]]
    return "".join(parts)


def _button(element: Json) -> str:
    question = (element.get("confirm") or {}).get("text", {}).get("text", "")
    confirm = f' data-confirm="{html.escape(question)}"' if question else ""
    style = f' data-style="{element["style"]}"' if "style" in element else ""
    return (
        f'<button data-action="{html.escape(element["action_id"])}" '
        f'data-value="{html.escape(element.get("value", ""))}"{confirm}{style}>'
        f"{html.escape(element['text']['text'])}</button>"
    )


class StandIn:
    """The bot: commands answer at once and post, the fix asks for a reason, only Ana may approve."""

    def __init__(self, api: AsyncWebClient, secret: str) -> None:
        self._api = api
        self._verifier = SignatureVerifier(secret)
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0
        self.payloads: list[Json] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/slack/events", self._events)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await asyncio.gather(*self._tasks)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _events(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self._verifier.is_valid_request(body, dict(request.headers)):
            self.refused += 1
            return web.Response(status=401)
        if request.content_type == "application/json":
            self.payloads.append(json.loads(body))
            return web.Response()
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        payload: Json = json.loads(form["payload"]) if "payload" in form else form
        self.payloads.append(payload)
        if payload.get("type") == "view_submission":
            return self._submitted(payload)
        task = asyncio.create_task(self._work(payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.Response()

    async def _work(self, payload: Json) -> None:
        if "command" in payload:
            await self._command(payload)
        else:
            await self._click(payload)

    async def _command(self, form: Json) -> None:
        word = form["text"].partition(" ")[0]
        if word == "private":
            await self._api.chat_postEphemeral(
                channel=form["channel_id"], user=form["user_id"], text="Only for &lt;you&gt; &amp; nobody else"
            )
            return
        if word == "status":
            facts = {"type": "section", "fields": [plain("Fine\n2 of 3"), plain("Needs you\nvm-erp-01")]}
            status: list[Json] = [{"type": "header", "text": plain("vault-prod-01")}, facts]
            await self._api.chat_postMessage(
                channel=form["channel_id"], text="vault-prod-01: 1 of 3 needs you", blocks=status
            )
            return
        blocks: list[Json] = [
            {"type": "header", "text": plain(DIAGNOSIS[:150])},
            section("Likely cause: the backup service may not read kv-erp-01 (confidence: high)."),
            section("Next step: grant access, then run the backup again. Nobody has this yet."),
            buttons(("take", "6", "I have it"), ("fix", "7", "Grant access and back up")),
        ]
        await self._api.chat_postMessage(channel=form["channel_id"], text=DIAGNOSIS, blocks=blocks)

    async def _click(self, payload: Json) -> None:
        action, user = payload["actions"][0]["action_id"], payload["user"]["id"]
        if "channel" not in payload:
            return
        channel, message = payload["channel"]["id"], payload.get("message", {})
        if action == "fix":
            await self._api.views_open(
                trigger_id=payload["trigger_id"], view={**REASON, "private_metadata": message["ts"]}
            )
        elif action == "take":
            await self._api.chat_update(
                channel=channel,
                ts=message["ts"],
                text=f"{message['text']} (taken)",
                blocks=[*message["blocks"][:2], section("Max has it."), *message["blocks"][3:]],
            )
        elif user != ANA.slack_id:
            await self._api.chat_postEphemeral(
                channel=channel, user=user, thread_ts=message["thread_ts"], text="You may not approve this."
            )
        else:
            await self._api.chat_update(
                channel=channel,
                ts=message["ts"],
                text="Approved by Ana Lima: the access was granted and the backup runs.",
            )
            await self._api.chat_postMessage(
                channel=channel,
                thread_ts=message["thread_ts"],
                text="PROVED: vm-erp-01 has a new recovery point.",
            )

    def _submitted(self, payload: Json) -> web.Response:
        reason = payload["view"]["state"]["values"]["why"]["text"]["value"]
        if len(reason) < 5:
            errors = {"why": "Write a few words more."}
            return web.json_response({"response_action": "errors", "errors": errors})
        task = asyncio.create_task(self._request(payload["view"]["private_metadata"], reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response({})

    async def _request(self, ts: str, reason: str) -> None:
        text = f"{MAX.name} asks to let the backup service read kv-erp-01 for 8 hours: {reason}"
        row = buttons(("approve", "7", "Approve"), ("reject", "7", "Reject"))
        row["elements"][0] |= {
            "style": "primary",
            "confirm": {
                "title": plain("Approve"),
                "text": plain("This grants a role at kv-erp-01. Approve?"),
                "confirm": plain("Yes"),
                "deny": plain("No"),
            },
        }
        await self._api.chat_postMessage(channel="C0BACKUP", thread_ts=ts, text=text, blocks=[section(text), row])
