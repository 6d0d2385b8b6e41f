"""Loops that look after the store and the engine while the bot works."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa
import structlog

from bot.metrics import Metrics
from bot.store.store import Store
from bot.workflows.engine import Engine
from bot.workflows.ledger import StoreLedger
from domain.ports import Clock

KEEP_WORK = timedelta(days=7)
KEEP_LOOKS = timedelta(days=30)
"""As long as Azure lists a job: one that nobody has seen running since has ended."""
PRUNE_EVERY_S = 3600.0
METRICS_EVERY_S = 15.0


async def store_answers(store: Store) -> str:
    """Why the database does not answer; "" when it does."""
    try:
        async with asyncio.timeout(5):
            await store.one(sa.select(sa.literal(1).label("one")))
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
        return f"the database does not answer ({type(error).__name__})"
    return ""


async def prune(engine: Engine, ledger: StoreLedger, clock: Clock, log: structlog.stdlib.BoundLogger) -> None:
    """Let the engine forget work that ended long ago, and the ledger jobs that nobody sees any more, for ever."""
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        try:
            pieces, looks = await engine.prune(KEEP_WORK), await ledger.prune(clock.now() - KEEP_LOOKS)
            log.info("pruned", pieces=pieces, looks=looks)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("prune_failed", error=str(error))


async def count(metrics: Metrics, store: Store, log: structlog.stdlib.BoundLogger) -> None:
    """Keep the metrics up to date, for ever."""
    while True:
        try:
            await metrics.refresh(store)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("metrics_failed", error=str(error))
        await asyncio.sleep(METRICS_EVERY_S)
