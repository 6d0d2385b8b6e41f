"""Empties a table of waiting rows: claimed with compare-and-set, worked on side by side, tried again after a crash."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from bot.store.store import Row, Store

AT_ONCE = 64
TRIES_AT_MOST = 3
AGAIN_S = 0.5
PASSING = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""The database is away or busy: that is nobody's fault, and never the reason to give a row up."""


@dataclass(kw_only=True)
class Drain:
    """A loop over one table with the columns ``state`` (new, working, done, failed), ``owner`` and ``tries``.

    ``work`` gets the claimed row. What it raises is logged with its traceback and tried again; after three times the row is
    ``failed`` and ``gave_up`` is told, so that a person always gets an answer.
    """

    store: Store
    table: sa.Table
    owner: str
    work: Callable[[Row], Awaitable[None]]
    gave_up: Callable[[Row], Awaitable[None]] | None = None
    workers: int = 16
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set[str] = field(default_factory=set)
    _dropped: set[str] = field(default_factory=set)
    """Rows whose work ended without that being written down, because the database was away."""

    def wake(self) -> None:
        """There is a new row."""
        self._woken.set()

    async def adopt(self, alive: frozenset[str]) -> int:
        """Put back what processes that are gone were working on."""
        async with self.store.begin() as tx:
            result = await tx.execute(
                self.table.update()
                .where(self.table.c.state == "working", self.table.c.owner.not_in(alive or {""}))
                .values(state="new", owner="")
            )
        return int(result.rowcount)

    async def run(self) -> None:
        """Work for ever; ends its workers when cancelled."""
        limit = asyncio.Semaphore(self.workers)
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                started = 0
                try:
                    await self._take_up_again()
                    rows = await self._waiting()
                except (sa.exc.SQLAlchemyError, OSError) as error:
                    self.log.warning("drain_failed", table=self.table.name, error=str(error))
                    rows = []
                for row in rows:
                    if row["id"] in self._running:
                        continue
                    await limit.acquire()
                    self._running.add(row["id"])
                    started += 1
                    group.create_task(self._one(row, limit))
                if started < AT_ONCE:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1.0):
                            await self._woken.wait()

    async def _take_up_again(self) -> None:
        if not self._dropped:
            return
        taken = set(self._dropped)
        table = self.table
        async with self.store.begin() as tx:
            await tx.execute(
                table.update()
                .where(table.c.id.in_(taken), table.c.state == "working", table.c.owner == self.owner)
                .values(state="new", owner="")
            )
        self._dropped -= taken

    async def _waiting(self) -> list[Row]:
        table = self.table
        return list(
            await self.store.all(
                sa.select(table).where(table.c.state == "new").order_by(table.c.received_at).limit(AT_ONCE)
            )
        )

    async def _one(self, row: Row, limit: asyncio.Semaphore) -> None:
        try:
            async with self.store.begin() as tx:
                claimed = await tx.move(
                    self.table, row["id"], "new", state="working", owner=self.owner, tries=row["tries"] + 1
                )
            if claimed:
                await self._work(row)
        except Exception:
            # One row must not end the loop that all the others need.
            self._dropped.add(row["id"])
            self.log.exception("drain_row_failed", table=self.table.name, row=row["id"])
        finally:
            self._running.discard(row["id"])
            limit.release()

    async def _work(self, row: Row) -> None:
        try:
            await self.work(row)
        except Exception as error:
            # The edge of the process: whatever a handler did wrong, the row is kept, tried again, and at last answered.
            self.log.exception("work_failed", table=self.table.name, row=row["id"])
            passing = isinstance(error, PASSING)
            over = not passing and row["tries"] + 1 >= TRIES_AT_MOST
            async with self.store.begin() as tx:
                await tx.move(
                    self.table,
                    row["id"],
                    "working",
                    state="failed" if over else "new",
                    tries=row["tries"] + (not passing),
                    error=f"{type(error).__name__}: {error}"[:500],
                )
            if over and self.gave_up is not None:
                await self.gave_up(row)
            elif not over:
                await asyncio.sleep(AGAIN_S)
                self.wake()
            return
        async with self.store.begin() as tx:
            await tx.move(self.table, row["id"], "working", state="done", error="")
