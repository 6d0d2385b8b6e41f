"""How long the programs need before they do something, beside what importing their libraries costs."""

import asyncio
import sys
import time
from pathlib import Path

from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.bench.processes import running
from tests.bench.table import Row, ms, percentile
from tests.e2e.support import environment, run, serving

ROUNDS = 3
LIBRARIES_OF_SERVE = (
    "import aiohttp, aiosqlite, alembic.command, dbos, sqlalchemy.ext.asyncio, slack_bolt.async_app, "
    "azure.mgmt.recoveryservicesbackup.aio, azure.mgmt.recoveryservices.aio, azure.mgmt.authorization.aio"
)
LIBRARIES_OF_STATUS = LIBRARIES_OF_SERVE.replace(
    "aiosqlite, alembic.command, dbos, sqlalchemy.ext.asyncio, ", ""
).replace("slack_bolt.async_app, ", "")


async def _imports(libraries: str, directory: Path) -> float:
    program = f"{libraries}; print('here', flush=True)"
    async with running(sys.executable, "-c", program, cwd=directory) as found:
        return found.started_s


async def rows(directory: Path) -> list[Row]:
    """Starts with an empty database each, and runs to the end; the best of three each, for what disturbs only adds."""
    served: list[float] = []
    looked: list[float] = []
    least_serve: list[float] = []
    least_look: list[float] = []
    async with Simulator("contoso") as cloud, FakeSlack(rate_limits=False) as chat:
        for number in range(ROUNDS):
            fresh = directory / str(number)
            fresh.mkdir()
            least_serve.append(await _imports(LIBRARIES_OF_SERVE, fresh))
            async with serving(environment(cloud, chat, fresh), fresh) as bot:
                served.append(bot.started_s)
            least_look.append(await _imports(LIBRARIES_OF_STATUS, fresh))
            began = time.perf_counter()
            ran = await run("status", "--json", env=cloud.env, cwd=fresh)
            if ran.code not in {0, 1}:
                raise RuntimeError(ran.err)
            looked.append(time.perf_counter() - began)
            await asyncio.sleep(0)
    return [
        Row(
            what="cold start of serve until ready, best of 3",
            figure=ms(min(served)),
            yardstick=f"{ms(min(least_serve))} importing its libraries",
            ratio=min(served) / min(least_serve),
        ),
        Row(
            what="backupbot status of contoso, whole process",
            figure=ms(min(looked)),
            yardstick=f"{ms(min(least_look))} importing its libraries",
            ratio=percentile(looked, 0) / min(least_look),
        ),
    ]
