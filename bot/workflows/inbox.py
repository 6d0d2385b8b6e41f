"""Everything that people send is a row before it is acknowledged, and is worked on from there."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from adaptive_cards.card import Card
from adaptive_cards.cards import message
from bot.store import tables as t
from bot.store.store import Place, Row, Store
from bot.workflows.outbox import Messenger, MessengerError
from handlers.requests import Answer, Request
from handlers.router import Router
from handlers.services import Services

Parse = Callable[[Mapping[str, Any]], Awaitable[Request]]


class Platform(Protocol):
    """How one platform's stored payloads become requests, and where private answers to them go."""

    async def request(self, kind: str, payload: Mapping[str, Any]) -> Request:
        """The neutral request; the sender is looked up in the directory."""
        ...

    def reply(self, kind: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
        """The way back to the sender alone: user id, response address, trigger."""
        ...


@dataclass(kw_only=True)
class Inbox:
    """Stores what comes in, and turns stored rows into answers."""

    store: Store
    router: Router
    services: Services
    platforms: Mapping[str, Platform]
    messengers: Mapping[str, Messenger]
    wake: Callable[[], None] = lambda: None
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    async def put(self, kind: str, payload: Mapping[str, Any], dedupe: str | None = None) -> bool:
        """Store one thing that came in; ``kind`` is ``platform.what``. False: it is a repetition."""
        async with self.store.begin() as tx:
            stored = await tx.insert_new(
                t.inbox,
                id=uuid.uuid4().hex,
                dedupe=f"{kind}:{dedupe}" if dedupe else None,
                kind=kind,
                payload=dict(payload),
                received_at=tx.now,
            )
        if stored:
            self.wake()
        return stored

    async def work(self, row: Row) -> None:
        """Answer one row. Running twice is harmless: answers go to the same message, decisions are compare-and-set."""
        name, _, kind = row["kind"].partition(".")
        platform = self.platforms[name]
        request = await platform.request(kind, row["payload"])
        reply = dict(platform.reply(kind, row["payload"]))
        async for answer in self.router.answers(request, self.services):
            await self._say(row, request, answer, reply)

    async def gave_up(self, row: Row) -> None:
        """A person always gets an answer."""
        name, _, kind = row["kind"].partition(".")
        try:
            request = await self.platforms[name].request(kind, row["payload"])
        except Exception:
            # The payload itself is what cannot be read: there is nobody to answer.
            self.log.exception("nobody_to_answer", row=row["id"])
            return
        card = message.broken(row["id"][:8], simulated=self.services.simulated)
        reply = dict(self.platforms[name].reply(kind, row["payload"]))
        await self._say(row, request, Answer(card=card, private=True), reply)

    async def _say(self, row: Row, request: Request, answer: Answer, reply: Mapping[str, str]) -> None:
        place = Place(
            platform=request.where.platform, channel=request.where.channel, thread_key=request.where.thread_key
        )
        if answer.form is not None:
            await self._ask(row, place, answer, reply)
        if answer.card is None:
            return
        # A private notice cannot replace a public message, so it has a message of its own.
        whisper = answer.private
        await self._post(f"{'whisper' if whisper else 'reply'}:{row['id']}", place, answer.card, reply, whisper=whisper)

    async def _post(self, key: str, place: Place, card: Card, reply: Mapping[str, str], *, whisper: bool) -> None:
        async with self.store.begin() as tx:
            await tx.say(key, place, card, mode="whisper" if whisper else "post", reply=reply)

    async def _ask(self, row: Row, place: Place, answer: Answer, reply: Mapping[str, str]) -> None:
        """Forms need the platform at once (a trigger lives three seconds), so they do not go through the outbox."""
        if answer.form is None:
            return
        try:
            await self.messengers[place.platform].open_form(answer.form, reply=reply)
        except MessengerError as error:
            self.log.info("form_not_opened", error=str(error))
            card = message.form_failed(simulated=self.services.simulated)
            await self._post(f"whisper:{row['id']}", place, card, reply, whisper=True)
