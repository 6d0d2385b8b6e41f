"""One kind of transaction: compare-and-set updates, their audit, the messages and the work that follow. All or nothing."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adaptive_cards import codec
from adaptive_cards.card import Card
from bot.store import tables as t
from bot.store.chain import GENESIS, Signer, link
from domain.actor import Actor
from domain.canonical import Json
from domain.ports import Clock

Row: TypeAlias = Mapping[str, Any]


class Enqueue(Protocol):
    """How work that must follow is written into the same transaction; see ``bot.workflows.engine``."""

    def __call__(self, connection: sa.Connection, kind: str, row_id: str, tag: str) -> None:
        """Run ``drive(kind, row_id)`` once for this ``tag`` after the commit."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a message goes: a channel, or a thread in it by the key of its first message."""

    platform: str
    channel: str
    thread_key: str = ""

    def record(self) -> dict[str, str]:
        """As it is stored."""
        return {"platform": self.platform, "channel": self.channel, "thread_key": self.thread_key}


def new_id(prefix: str) -> str:
    """A short id that people can read out: ``INC-7Q4K2P``."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    number = uuid.uuid4().int
    letters = ""
    for _ in range(8):
        number, digit = divmod(number, len(alphabet))
        letters += alphabet[digit]
    return f"{prefix}-{letters}"


def _sound(value: Json) -> Json:
    """``value`` with a question mark for each half of a character, which has no bytes that could be hashed or stored."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case Mapping():
            return {str(_sound(name)): _sound(one) for name, one in value.items()}
        case list() | tuple():
            return [_sound(one) for one in value]
    return value


@dataclass
class Wake:
    """Which loops have something to do after a commit."""

    outbox: bool = False
    work: bool = False
    inbox: bool = False
    alerts: bool = False


@dataclass
class _AuditLine:
    event: str
    subject: str
    actor: Mapping[str, str]
    data: Json


class Tx:
    """An open transaction. The audit lines are written last, so that the one head row is locked as briefly as possible."""

    def __init__(self, connection: AsyncConnection, clock: Clock, enqueue: Enqueue | None) -> None:
        self.connection = connection
        self.now = clock.now()
        self.wake = Wake()
        self._enqueue = enqueue
        self._audit: list[_AuditLine] = []

    async def execute(self, statement: Any) -> Any:  # noqa: ANN401  (SQLAlchemy's own result types)
        """Run a statement."""
        return await self.connection.execute(statement)

    async def one(self, statement: sa.Select[Any]) -> Row | None:
        """The first row, or None."""
        row: Row | None = (await self.connection.execute(statement)).mappings().first()
        return row

    async def all(self, statement: sa.Select[Any]) -> Sequence[Row]:
        """All rows."""
        rows: Sequence[Row] = (await self.connection.execute(statement)).mappings().all()
        return rows

    async def insert(self, table: sa.Table, **values: Any) -> None:  # noqa: ANN401
        """Insert a row."""
        await self.connection.execute(table.insert().values(**values))

    async def insert_new(self, table: sa.Table, **values: Any) -> bool:  # noqa: ANN401
        """Insert a row unless a unique index says that it is there already; False when it was."""
        statement = self._insert(table).values(**values).on_conflict_do_nothing()
        if (
            self.connection.dialect.name == "sqlite"
        ):  # a row that comes back would cost one more trip to the driver's thread
            return bool((await self.connection.execute(statement)).rowcount == 1)
        # What comes back is counted, since psycopg gives no row count for an insert.
        found = await self.connection.execute(statement.returning(*table.primary_key.columns))
        return found.first() is not None

    def _insert(self, table: sa.Table) -> Any:  # noqa: ANN401  (each database's own insert, alike in what is used here)
        return (pg_insert if self.connection.dialect.name == "postgresql" else sqlite_insert)(table)

    async def move(self, table: sa.Table, row_id: str, before: str | Sequence[str], /, **values: Any) -> bool:  # noqa: ANN401
        """Compare and set: change the row only while its state is (one of) ``before``; False when it is not."""
        states = (before,) if isinstance(before, str) else tuple(before)
        result = await self.connection.execute(
            table.update().where(table.c.id == row_id, table.c.state.in_(states)).values(**values)
        )
        return bool(result.rowcount == 1)

    def audit(self, event: str, subject: str, actor: Actor, data: Json = None) -> None:
        """Add a line to the record, in this transaction."""
        who = {name: str(_sound(value)) for name, value in actor.record().items()}
        self._audit.append(_AuditLine(event, str(_sound(subject)), who, _sound(data)))

    async def enqueue(self, kind: str, row_id: str, tag: str) -> None:
        """Let ``drive(kind, row_id)`` run after the commit, once for each ``tag``."""
        if self._enqueue is None:
            raise RuntimeError("this store was opened without an engine: nothing can be enqueued")
        enqueue = self._enqueue
        await self.connection.run_sync(lambda sync: enqueue(sync, kind, row_id, tag))
        self.wake.work = True

    async def say(
        self,
        key: str,
        place: Place,
        card: Card,
        *,
        mode: str = "post",
        reply: Mapping[str, str] | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Make ``card`` the latest state of the message ``key`` at ``place``.

        It is sent after the commit, a new one not before the wall-clock time ``not_before``.
        """
        outbox = t.outbox
        latest = {"card": codec.dump(card), "state": "due", "updated_at": self.now, "tries": 0}
        new = self._insert(outbox).values(
            key=key,
            platform=place.platform,
            channel=place.channel,
            thread_key=place.thread_key,
            mode=mode,
            reply=dict(reply) if reply else None,
            revision=1,
            sent_revision=0,
            due_at=not_before,
            **latest,
        )
        # A pause that the platform asked for (due_at) stays; what was given up before is tried again.
        again = latest | {
            "revision": outbox.c.revision + 1,
            "due_at": sa.case((outbox.c.state == "failed", None), else_=outbox.c.due_at),
            "error": sa.case((outbox.c.state == "failed", ""), else_=outbox.c.error),
        }
        await self.connection.execute(new.on_conflict_do_update(index_elements=list(outbox.primary_key), set_=again))
        self.wake.outbox = True

    async def write_audit(self, signer: Signer) -> None:
        """Append the lines to the chain; called once, at the end of the transaction."""
        if not self._audit:
            return
        head = t.audit_head
        row = await self.one(sa.select(head.c.n, head.c.hash).where(head.c.id == 1).with_for_update())
        if row is None:
            await self.insert_new(head, id=1, n=0, hash=GENESIS)
            row = await self.one(sa.select(head.c.n, head.c.hash).where(head.c.id == 1).with_for_update())
            assert row is not None  # noqa: S101  (inserted just above, by us or by another replica)
        number, previous = int(row["n"]), str(row["hash"])
        for line in self._audit:
            number += 1
            record: dict[str, Json] = {
                "n": number,
                "at": self.now.isoformat(timespec="microseconds"),
                "event": line.event,
                "subject": line.subject,
                "actor": dict(line.actor),
                "data": line.data,
            }
            digest = link(previous, record)
            await self.connection.execute(
                t.audit.insert().values(**record, previous=previous, hash=digest, signature=signer.sign(digest))
            )
            previous = digest
        await self.connection.execute(head.update().where(head.c.id == 1).values(n=number, hash=previous))


@dataclass
class Store:
    """Transactions and reads. ``on_commit`` is told what each commit left to do."""

    engine: AsyncEngine
    read_engine: AsyncEngine
    clock: Clock
    signer: Signer = field(default_factory=Signer)
    enqueue: Enqueue | None = None
    on_commit: Callable[[Wake], None] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction: everything in it happens, or nothing."""
        async with self.engine.begin() as connection:
            tx = Tx(connection, self.clock, self.enqueue)
            yield tx
            await tx.write_audit(self.signer)
        if self.on_commit is not None:
            self.on_commit(tx.wake)

    async def one(self, statement: sa.Select[Any]) -> Row | None:
        """Read the first row, or None."""
        async with self.read_engine.connect() as connection:
            row: Row | None = (await connection.execute(statement)).mappings().first()
            return row

    async def all(self, statement: sa.Select[Any]) -> Sequence[Row]:
        """Read all rows."""
        async with self.read_engine.connect() as connection:
            rows: Sequence[Row] = (await connection.execute(statement)).mappings().all()
            return rows

    async def get(self, table: sa.Table, row_id: str) -> Row | None:
        """Read one row by its id."""
        return await self.one(sa.select(table).where(table.c.id == row_id))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        if self.read_engine is not self.engine:
            await self.read_engine.dispose()


__all__ = ["IntegrityError", "Place", "Row", "Store", "Tx", "Wake", "new_id"]
