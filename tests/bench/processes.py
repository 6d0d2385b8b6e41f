"""Programs that are measured from outside: a simulated cloud, a yardstick, and what the kernel says of a process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.support import BARE, PROGRAM

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
START_WITHIN_S = 90.0


@dataclass(frozen=True)
class Program:
    """A running program and the first line that it printed."""

    process: asyncio.subprocess.Process
    said: str
    started_s: float

    @property
    def described(self) -> Any:
        """The line as JSON."""
        return json.loads(self.said)


@asynccontextmanager
async def running(*command: str, cwd: Path, env: dict[str, str] | None = None) -> AsyncIterator[Program]:
    """A program from its first line of output on; ended at the end of the block."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**BARE, "HOME": str(cwd), **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        limit=MIB,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_WITHIN_S):
            line = (await process.stdout.readline()).decode().strip()
        yield Program(process, line, loop.time() - began)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def simulating(*options: str, cwd: Path) -> AsyncIterator[Program]:
    """``backupbot simulate``."""
    async with running(PROGRAM, "simulate", *options, cwd=cwd) as program:
        yield program


@asynccontextmanager
async def yardstick(kind: str, database: Path) -> AsyncIterator[str]:
    """The address of a yardstick, see :mod:`tests.bench.yardsticks`."""
    async with running(
        sys.executable,
        "-m",
        "tests.bench.yardsticks",
        kind,
        str(database),
        cwd=database.parent,
        env={"PYTHONPATH": str(ROOT)},
    ) as program:
        yield program.said


def resident(pid: int) -> int:
    """Bytes of memory that the process holds now."""
    return _status(pid, "VmRSS")


def most_resident(pid: int) -> int:
    """Bytes of memory that it held at most."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(f"the kernel does not tell {name} of {pid}")


def processor_s(pid: int) -> float:
    """Seconds of processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mib(size: float) -> str:
    """Mebibytes."""
    return f"{size / MIB:.0f} MiB"


def joined(*parts: Sequence[str]) -> tuple[str, ...]:
    """All options in a row."""
    return tuple(one for part in parts for one in part)
