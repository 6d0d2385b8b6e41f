"""``python -m tests.bench [ROW …]``: the table, or single rows of it."""

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import approvals, chat, cold, diagnosis, fleet, storm
from tests.bench.table import Row, note, print_table

ROWS: dict[str, tuple[Callable[[Path], Awaitable[list[Row]]], float]] = {
    "acknowledgement": (chat.acknowledgement, 90),
    "alerts": (chat.intake, 90),
    "diagnosis": (diagnosis.rows, 90),
    "storm": (storm.rows, 200),
    "fleet": (fleet.rows, 200),
    "approvals": (approvals.rows, 120),
    "cold": (cold.rows, 60),
}


async def one(name: str) -> list[Row]:
    """The rows of one measurement; what goes wrong is a row too."""
    work, within_s = ROWS[name]
    with tempfile.TemporaryDirectory(prefix="backupbot-bench-") as directory:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(within_s):
                found = await work(Path(directory))
        except Exception as error:  # noqa: BLE001  (one broken measurement must not hide the others)
            traceback.print_exc()
            found = [
                Row(
                    what=name,
                    figure=f"not measured: {type(error).__name__}",
                    goal=f"within {within_s:.0f} s",
                    met=False,
                )
            ]
        note(f"{name}: {time.perf_counter() - began:.0f} s")
    return found


def main() -> int:
    """Measure, print, and say with the exit code whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which rows: {', '.join(ROWS)}; all without")
    names = parser.parse_args().rows or list(ROWS)
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    rows = [row for name in names for row in asyncio.run(one(name))]
    print_table(rows)
    return 0 if all(row.met is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
