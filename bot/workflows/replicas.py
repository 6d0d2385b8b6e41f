"""Several processes on one PostgreSQL: a heartbeat on the database's clock, and the work of the silent taken over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from bot.store import tables as t
from bot.store.store import Store

BEAT_S = 5.0
DEAD_AFTER_S = 30.0
FORGET_AFTER_S = 24 * 3600.0
_REAPER_LOCK = 7_421_002


@dataclass(kw_only=True)
class Replicas:
    """Beats for this process and looks after the others."""

    store: Store
    me: str
    on_lost: Callable[[frozenset[str]], Awaitable[None]]
    """Called with the living when somebody fell silent, by one replica at a time."""
    beat_s: float = BEAT_S
    dead_after_s: float = DEAD_AFTER_S
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    _beaten_at: float = float("-inf")

    @property
    def fresh(self) -> bool:
        """Whether the last heartbeat is young enough to change anything in Azure.

        A process that was frozen may have been replaced: it must not act on what it believed before.
        """
        return time.monotonic() - self._beaten_at < self.dead_after_s / 2

    def _now(self) -> sa.ColumnElement[float]:
        if self.store.engine.dialect.name == "postgresql":
            return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float)
        return sa.cast(sa.func.julianday("now") * 86400.0, sa.Float)

    async def beat(self) -> None:
        """Write the heartbeat; before anything else at start."""
        began = time.monotonic()
        async with self.store.begin() as tx:
            table = t.replicas
            result = await tx.execute(table.update().where(table.c.executor_id == self.me).values(seen=self._now()))
            if result.rowcount == 0:
                await tx.execute(table.insert().values(executor_id=self.me, seen=self._now()))
        self._beaten_at = began

    async def alive(self) -> frozenset[str]:
        """Who has been heard of lately."""
        found = await self.store.all(
            sa.select(t.replicas.c.executor_id).where(t.replicas.c.seen > self._now() - self.dead_after_s)
        )
        return frozenset(str(row["executor_id"]) for row in found)

    async def run(self) -> None:
        """Beat and look for ever."""
        while True:
            try:
                await self.beat()
                await self._look_after()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                self.log.warning("heartbeat_failed", error=str(error))
            await asyncio.sleep(self.beat_s)

    async def _look_after(self) -> None:
        if self.store.engine.dialect.name != "postgresql":
            return
        async with self.store.begin() as tx:
            mine = await tx.one(sa.select(sa.func.pg_try_advisory_xact_lock(_REAPER_LOCK).label("mine")))
            if not mine or not mine["mine"]:
                return
            await tx.execute(t.replicas.delete().where(t.replicas.c.seen < self._now() - FORGET_AFTER_S))
            await self.on_lost(await self.alive())
