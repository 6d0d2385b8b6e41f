"""Loops that look after the store and the engine while the bot works."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa
import structlog

from bot.metrics import Metrics
from bot.store.store import Store
from bot.workflows.engine import Engine

KEEP_WORK = timedelta(days=7)
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


async def prune(engine: Engine, log: structlog.stdlib.BoundLogger) -> None:
    """Let the engine forget work that ended long ago, for ever."""
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        try:
            log.info("pruned", pieces=await engine.prune(KEEP_WORK))
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
