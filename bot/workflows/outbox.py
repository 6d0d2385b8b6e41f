"""Sends each message in its latest state. A row is the message as it should be, so what came in between is never sent."""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog

from adaptive_cards import codec
from adaptive_cards.card import Card, Form
from bot.store import tables as t
from bot.store.store import Row, Store

AT_ONCE = 100
CLAIM = timedelta(seconds=30)
TRIES_AT_MOST = 12
BETWEEN_UPDATES_S = {"slack": 1.0, "teams": 2.0}
"""One message is updated at most this often; Teams counts an update as a send."""

Ref = Mapping[str, str]


class MessengerError(Exception):
    """The platform did not take a message. ``permanent``: it never will; else try after ``retry_after``."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class Messenger(Protocol):
    """One chat platform, outbound. Every method raises :class:`MessengerError`."""

    async def post(self, channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        """A new message; ``reply`` holds a private way back where there is one. Returns what updates it later."""
        ...

    async def update(self, ref: Ref, card: Card, *, revision: int, key: str) -> None:
        """Replace a message."""
        ...

    async def whisper(self, channel: str, card: Card, *, reply: Ref) -> None:
        """A notice that only one person sees."""
        ...

    async def find(self, channel: str, thread: Ref | None, key: str) -> Ref | None:
        """A message that was posted under ``key`` but whose answer was lost."""
        ...

    async def open_form(self, form: Form, *, reply: Ref) -> None:
        """Ask a person something."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  (rate limits and leases are on wall time, whatever the watched world's clock says)


@dataclass(kw_only=True)
class Outbox:
    """The loop that delivers."""

    store: Store
    messengers: Mapping[str, Messenger]
    owner: str
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _sent_at: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver for ever; what a process of this name had claimed when it was killed is looked for first."""
        begun = False
        while True:
            self._woken.clear()
            try:
                if not begun:
                    await self._unclaim()
                    begun = True
                left = await self.deliver_due()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                self.log.warning("outbox_failed", error=str(error))
                left = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2 if left else 1.0):
                    await self._woken.wait()

    async def deliver_due(self) -> bool:
        """One round; whether something is left that is due soon."""
        rows = await self._sendable()
        channels: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            channels[row["platform"], row["channel"]].append(row)
        if not channels:
            return False
        async with asyncio.TaskGroup() as group:
            outcomes = [group.create_task(self._channel(of_channel)) for of_channel in channels.values()]
        return any(outcome.result() for outcome in outcomes) or len(rows) == AT_ONCE

    async def _unclaim(self) -> None:
        """On SQLite the next process has the same name: it need not wait until its predecessor's claims are old."""
        box = t.outbox
        async with self.store.begin() as tx:
            await tx.execute(
                box.update()
                .where(box.c.owner == self.owner, box.c.sending_at.is_not(None))
                .values(sending_at=_now() - 2 * CLAIM)
            )

    async def _sendable(self) -> Sequence[Row]:
        """What is due and can be sent now: what must wait for its thread must not keep that thread's first message out."""
        box, parent, now = t.outbox, t.outbox.alias("parent"), _now()
        waits_for_its_thread = sa.exists().where(
            parent.c.key == box.c.thread_key,
            parent.c.platform == box.c.platform,
            parent.c.channel == box.c.channel,
            parent.c.state == "due",
            parent.c.sent_revision == 0,
        )
        return await self.store.all(
            sa.select(box)
            .where(
                box.c.state == "due",
                box.c.platform.in_(list(self.messengers)),
                sa.or_(box.c.due_at.is_(None), box.c.due_at <= now),
                sa.or_(box.c.sending_at.is_(None), box.c.sending_at < now - CLAIM),
                ~waits_for_its_thread,
            )
            .order_by(box.c.updated_at)
            .limit(AT_ONCE)
        )

    async def _channel(self, rows: list[Row]) -> bool:
        """Messages of one channel go one after the other, in the order in which they were written."""
        left = False
        for row in rows:
            try:
                left |= not await self._one(row)
            except (sa.exc.SQLAlchemyError, OSError) as error:
                # Within a task group it would end the whole loop; the row is still due and comes up again.
                self.log.warning("outbox_row_failed", key=row["key"], error=str(error))
                left = True
        return left

    async def _one(self, row: Row) -> bool:
        identity = (row["key"], row["platform"], row["channel"])
        pause = BETWEEN_UPDATES_S.get(row["platform"], 1.0)
        if time.monotonic() - self._sent_at.get(identity, float("-inf")) < pause:
            return False  # the latest state is sent when the pause is over
        thread = await self._thread(row)
        if thread is not None and not thread:
            return False
        if not await self._claim(row):
            return True
        messenger = self.messengers[row["platform"]]
        try:
            ref = await self._send(messenger, row, thread)
        except MessengerError as error:
            await self._failed(row, error)
            return True
        except (sa.exc.SQLAlchemyError, OSError):
            raise
        except Exception as error:
            # A card that cannot be drawn must not keep the others from being sent.
            self.log.exception("message_failed", key=row["key"])
            await self._failed(row, MessengerError(f"a fault of the bot: {type(error).__name__}"))
            return True
        self._sent_at[identity] = time.monotonic()
        await self._sent(row, ref)
        return True

    async def _thread(self, row: Row) -> Ref | None:
        """None: no thread; an empty mapping: its first message is not posted yet."""
        if not row["thread_key"]:
            return None
        first = await self._message(row["thread_key"], row)
        parent = await self.store.one(
            sa.select(t.outbox.c.state, t.outbox.c.thread_key).where(
                t.outbox.c.key == row["thread_key"],
                t.outbox.c.platform == row["platform"],
                t.outbox.c.channel == row["channel"],
            )
        )
        if first is not None:
            # A thread has one level: an answer to an answer belongs to the first message,
            # https://docs.slack.dev/reference/methods/chat.postMessage#threads
            root = await self._message(parent["thread_key"], row) if parent and parent["thread_key"] else None
            return root or first
        if parent is None or parent["state"] == "failed":
            return None  # the thread will never exist: better in the channel than nowhere
        return {}

    async def _message(self, key: str, row: Row) -> Ref | None:
        found = await self.store.one(
            sa.select(t.messages.c.ref).where(
                t.messages.c.key == key,
                t.messages.c.platform == row["platform"],
                t.messages.c.channel == row["channel"],
            )
        )
        return found["ref"] if found else None

    async def _claim(self, row: Row) -> bool:
        now = _now()
        box = t.outbox
        async with self.store.begin() as tx:
            result = await tx.execute(
                box.update()
                .where(
                    *_is(row),
                    box.c.state == "due",
                    box.c.revision == row["revision"],
                    sa.or_(box.c.sending_at.is_(None), box.c.sending_at < now - CLAIM),
                )
                .values(sending_at=now, owner=self.owner)
            )
        return bool(result.rowcount == 1)

    async def _send(self, messenger: Messenger, row: Row, thread: Ref | None) -> Ref | None:
        card = codec.load(row["card"])
        if row["mode"] == "whisper":
            await messenger.whisper(row["channel"], card, reply=row["reply"] or {})
            return None
        known = await self._message(row["key"], row)
        if known is None and row["sending_at"] is not None:
            known = await messenger.find(row["channel"], thread, row["key"])
        if known is not None:
            try:
                await messenger.update(known, card, revision=row["revision"], key=row["key"])
            except MessengerError as error:
                if not error.permanent:
                    raise
                self.log.info("message_gone_posting_anew", key=row["key"], error=str(error))
            else:
                return known
        return await messenger.post(row["channel"], thread, card, key=row["key"], reply=row["reply"])

    async def _sent(self, row: Row, ref: Ref | None) -> None:
        box = t.outbox
        async with self.store.begin() as tx:
            newer = box.c.revision > row["revision"]
            await tx.execute(
                box.update()
                .where(*_is(row))
                .values(
                    sent_revision=row["revision"],
                    sending_at=None,
                    tries=0,
                    error="",
                    state=sa.case((newer, "due"), else_="sent"),
                )
            )
            if ref is None:
                return
            values: dict[str, Any] = {"ref": dict(ref), "posted_at": _now()}
            same = (
                t.messages.c.key == row["key"],
                t.messages.c.platform == row["platform"],
                t.messages.c.channel == row["channel"],
            )
            result = await tx.execute(t.messages.update().where(*same).values(ref=dict(ref)))
            if result.rowcount == 0:
                await tx.insert(t.messages, key=row["key"], platform=row["platform"], channel=row["channel"], **values)

    async def _failed(self, row: Row, error: MessengerError) -> None:
        tries = row["tries"] + 1
        over = error.permanent or tries >= TRIES_AT_MOST
        wait = error.retry_after or timedelta(seconds=min(60.0, 0.5 * 2**tries) * random.uniform(0.8, 1.2))  # noqa: S311
        self.log.warning("message_not_sent", key=row["key"], error=str(error), final=over)
        refused = error.permanent or error.retry_after is not None
        newer = t.outbox.c.revision > row["revision"]
        async with self.store.begin() as tx:
            await tx.execute(
                t.outbox.update()
                .where(*_is(row))
                .values(
                    # Without a clear no it may have been posted: the old claim makes the next attempt look for it first.
                    sending_at=None if refused else _now() - 2 * CLAIM,
                    tries=tries,
                    error=str(error)[:500],
                    state=sa.case((newer, "due"), else_="failed" if over else "due"),
                    due_at=None if over else _now() + wait,
                )
            )


def _is(row: Row) -> tuple[Any, ...]:
    box = t.outbox
    return (box.c.key == row["key"], box.c.platform == row["platform"], box.c.channel == row["channel"])
