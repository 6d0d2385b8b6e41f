"""Outbound: cards to channels, threads, group and personal chats, private answers, updates in place."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import structlog

from adaptive_cards import teams as renderer
from adaptive_cards.card import Card, Form
from bot.transports.teams_addresses import Addresses, is_channel, is_person, thread_root
from bot.transports.teams_connector import Connector, TeamsRefused
from bot.transports.teams_payload import BOT_PREFIX, PERSONAL, REFRESH
from bot.transports.teams_people import TeamsDirectory
from bot.transports.teams_views import asks_for_decision, shared_view
from bot.workflows.outbox import MessengerError, Ref

Json = dict[str, Any]
Approvers = Callable[[Card], Awaitable[tuple[str, ...]]]
"""Entra object ids of everybody who may decide what a card asks; empty when they cannot all be named."""
Draw = Callable[[int], renderer.TeamsMessage]

BETWEEN_EDITS_S = 2.0
"""An update counts as a send: https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit"""
SHORTER = (renderer.CARD_BYTES_MAX, renderer.CARD_BYTES_MAX // 2, renderer.CARD_BYTES_MAX // 4)
TARGETED = "isTargetedActivity=true"
_REMEMBERED = 1000


async def everybody(_card: Card) -> tuple[str, ...]:
    """No list of approvers: everybody sees the buttons, and the check at the click decides."""
    return ()


@dataclass(kw_only=True)
class TeamsMessenger:
    """:class:`bot.workflows.outbox.Messenger` for Teams.

    A message is known by ``{"conversation", "id", "service_url"}`` and ``"targeted"`` where only one person sees it.
    ``channel`` is a channel, a thread (``19:…;messageid=…``), a chat, or a person's id, which means their own chat.
    """

    connector: Connector
    addresses: Addresses
    directory: TeamsDirectory
    app_id: str
    tenant_id: str
    approvers: Approvers = everybody
    monotonic: Callable[[], float] = time.monotonic
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    _sent_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _chats: dict[str, str] = field(default_factory=dict)

    async def post(self, channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        """A new message; the answer to a private question is private too."""
        del key
        draw = await self._drawn(card)
        if reply and reply.get("targeted"):
            return await self._privately(draw, reply)
        target = (thread or {}).get("conversation") or channel
        if is_person(target):
            return await self._to_person(draw, target)
        service_url = await self.addresses.service_url(target)
        if is_channel(target):
            return await self._new_thread(draw, target, service_url)
        return await self._send(draw, target, service_url)

    async def update(self, ref: Ref, card: Card, *, revision: int, key: str) -> None:
        """Replace a message; sooner than two seconds after the last time it asks to come again."""
        del revision, key
        conversation, message = ref.get("conversation", ""), ref.get("id", "")
        wait = self._sent_at.get((conversation, message), float("-inf")) + BETWEEN_EDITS_S - self.monotonic()
        if wait > 0:
            raise MessengerError("edited a moment ago", retry_after=timedelta(seconds=wait))
        draw = await self._drawn(card)
        service_url = await self._service_url(ref)
        path = (conversation, "activities", message)
        query = TARGETED if ref.get("targeted") else ""
        await self._shorter(
            draw, lambda drawn: self.connector.call("PUT", service_url, path, body=drawn | {"id": message}, query=query)
        )
        self._note(conversation, message)

    async def whisper(self, channel: str, card: Card, *, reply: Ref) -> None:
        """A notice that only one person sees: a private message where they are, or else in their own chat."""
        await self._privately(lambda limit: renderer.render(card, bytes_max=limit), {"conversation": channel, **reply})

    async def find(self, channel: str, thread: Ref | None, key: str) -> Ref | None:
        """Nothing: without consent to read whole channels, a bot on Teams cannot search for its own messages.

        A message whose answer was lost is therefore posted again. Two are better than none: both carry what their
        buttons need, every decision is taken once, and the later one is kept up to date.
        """
        del channel, thread, key
        return None

    async def open_form(self, form: Form, *, reply: Ref) -> None:
        """Ask a person something, in a card with inputs that only they see."""
        await self._privately(lambda limit: renderer.render_form(form, bytes_max=limit), reply)

    async def _drawn(self, card: Card) -> Draw:
        """How to draw a card for its readers: with a view of their own for the approvers, when all are known."""
        shown, refresh = card, None
        if card.key and asks_for_decision(card):
            wanted = await self.approvers(card)
            if 0 < len(wanted) <= renderer.REFRESH_USERS_MAX:
                ids = [await self.directory.teams_id(one) for one in wanted]
                # Whoever has no id would never see the buttons; then everybody does.
                if all(ids):
                    shown, refresh = shared_view(card), renderer.Refresh(REFRESH, tuple(ids), card.key)
        return lambda limit: renderer.render(shown, refresh, bytes_max=limit)

    async def _privately(self, draw: Draw, reply: Ref) -> Ref:
        conversation, user = reply.get("conversation", ""), reply.get("user", "")
        if conversation and reply.get("kind") == PERSONAL:
            return await self._send(draw, conversation, await self._service_url(reply))
        if conversation and user and not is_channel(conversation) and not is_person(conversation):
            extra: Json = {"recipient": {"id": user}}
            if reply.get("message"):
                extra["entities"] = [{"type": "targetedMessageInfo", "messageId": reply["message"]}]
            try:
                return await self._send(draw, conversation, await self._service_url(reply), targeted=extra)
            except TeamsRefused as error:
                if not error.permanent or error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    raise
                self.log.info("private_message_refused_using_own_chat", error=str(error))
        person = user or reply.get("entra_id", "") or (conversation if is_person(conversation) else "")
        if not person:
            raise MessengerError("nobody to tell privately", permanent=True)
        return await self._to_person(draw, person)

    async def _to_person(self, draw: Draw, person: str) -> Ref:
        service_url = await self.addresses.service_url()
        if person not in self._chats:
            answer = await self.connector.call(
                "POST",
                service_url,
                (),
                body={
                    "isGroup": False,
                    "bot": self._bot(),
                    "members": [{"id": person}],
                    "tenantId": self.tenant_id,
                    "channelData": {"tenant": {"id": self.tenant_id}},
                },
            )
            if not answer.get("id"):
                raise MessengerError("Teams named no chat with that person", permanent=True)
            self._chats[person] = str(answer["id"])
        return await self._send(draw, self._chats[person], service_url)

    async def _new_thread(self, draw: Draw, channel: str, service_url: str) -> Ref:
        """Open a thread; its first message must be within the call (MicrosoftDocs/msteams-docs issue 612)."""

        async def create(drawn: Json) -> Mapping[str, Any]:
            body = {
                "isGroup": True,
                "bot": self._bot(),
                "tenantId": self.tenant_id,
                "channelData": {"channel": {"id": channel}, "tenant": {"id": self.tenant_id}},
                "activity": drawn,
            }
            return await self.connector.call("POST", service_url, (), body=body)

        answer = await self._shorter(draw, create)
        conversation = str(answer.get("id") or channel)
        # Some answers have no activityId; the thread is named after its first message.
        message = str(answer.get("activityId") or thread_root(conversation))
        return self._note(conversation, message) | {"service_url": service_url}

    async def _send(self, draw: Draw, conversation: str, service_url: str, *, targeted: Json | None = None) -> Ref:
        path, query = (conversation, "activities"), TARGETED if targeted else ""
        extra = {"conversation": {"id": conversation}} | (targeted or {})
        answer = await self._shorter(
            draw, lambda drawn: self.connector.call("POST", service_url, path, body=drawn | extra, query=query)
        )
        ref = self._note(conversation, str(answer.get("id") or "")) | {"service_url": service_url}
        return ref | {"targeted": "true"} if targeted else ref

    async def _shorter(self, draw: Draw, send: Callable[[Json], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        """Send, and where it is too large send less of it; the card says itself what is left out."""
        for last, limit in ((limit == SHORTER[-1], limit) for limit in SHORTER):
            try:
                drawn = draw(limit)
            except ValueError as error:
                raise MessengerError(f"the card cannot be drawn: {error}", permanent=True) from error
            try:
                return await send(self._activity(drawn))
            except TeamsRefused as error:
                if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or last:
                    raise
                self.log.info("card_too_large_for_teams", limit=limit)
        raise AssertionError("the last attempt returns or raises")

    def _activity(self, message: renderer.TeamsMessage) -> Json:
        """A card alone: Teams makes two messages of text beside a card, and then neither can be updated.

        https://github.com/MicrosoftDocs/msteams-docs/issues/1998
        """
        return {
            "type": "message",
            "from": self._bot(),
            "summary": message.summary,
            "attachments": [message.attachment],
        }

    def _bot(self) -> Json:
        return {"id": f"{BOT_PREFIX}{self.app_id}"}

    async def _service_url(self, ref: Ref) -> str:
        """The conversation's address as it is now, or as it was when the reference was made."""
        known = await self.addresses.references.get(f"conversation:{ref.get('conversation', '').partition(';')[0]}")
        return (known or {}).get("service_url") or ref.get("service_url") or await self.addresses.service_url()

    def _note(self, conversation: str, message: str) -> dict[str, str]:
        now = self.monotonic()
        if len(self._sent_at) > _REMEMBERED:
            self._sent_at = {one: at for one, at in self._sent_at.items() if now - at < BETWEEN_EDITS_S}
        self._sent_at[conversation, message] = now
        return {"conversation": conversation, "id": message}
