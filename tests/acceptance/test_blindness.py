"""A read that failed is unknown, never fine: every read of a diagnosis fails in turn, in every way a read can fail."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from domain.errors import BotError
from domain.finding import Diagnosis, Outcome
from simulator.server import Simulator
from tests.acceptance.proxy import MODES, Door, door
from tests.acceptance.support import Scene, looking

LIMIT_S = 2.5
EACH_S = 2.0
LATE_S = 3.5
GRACE_S = 8.0
"""How much longer than its limit a diagnosis may seem to take when twelve of them share one busy processor."""

ABSENT = "404"
SUBJECTS = [
    ("vault-prod-01", "vm-erp-01", MODES),
    # The reads of a restore in the ways that are quickly over; what is late or repeated ends alike for every read.
    pytest.param(
        "vault-restore-01", "vm-wall-01", ("403", ABSENT, "429 in 600 s", "an empty object"), marks=pytest.mark.long
    ),
]


def outcomes(diagnosis: Diagnosis) -> dict[str, Outcome]:
    """The outcome of every check."""
    return {one.check: one.outcome for one in diagnosis.findings}


def believed(mode: str, before: Mapping[str, Outcome], after: Diagnosis) -> list[str]:
    """Checks that now say something definite that they did not say when everything could be read.

    That something does not exist is an answer, and may be a failure or leave nothing to ask; it is never fine.
    """
    allowed = {Outcome.UNKNOWN, *((Outcome.FAIL, Outcome.NOT_APPLICABLE) if mode == ABSENT else ())}
    return [
        f"{one.check}: {before[one.check].value} became {one.outcome.value}: {one.summary}"
        for one in after.findings
        if one.check in before and one.outcome is not before[one.check] and one.outcome not in allowed
    ]


async def spoilt(mode: str, way: Door, found: Scene, vault: str, item: str) -> list[str]:
    """Let every read of one diagnosis fail as ``mode`` says, one after the other; what was wrong about the answers."""
    before = outcomes(await found.diagnose(vault, item))
    reads = list(dict.fromkeys(way.seen))
    assert len(reads) >= 10
    wrong: list[str] = []
    loop = asyncio.get_running_loop()
    for read in reads:
        way.mode, way.spoiled = mode, read
        began = loop.time()
        try:
            after = await found.diagnose(vault, item, limit_s=LIMIT_S, each_s=EACH_S)
        except BotError:
            continue  # the item could not even be found, and that is what is said
        took = loop.time() - began
        if took > LIMIT_S + GRACE_S:
            wrong.append(f"{mode} of {read}: answered after {took:.1f} s")
        wrong += [f"{mode} of {read}: {one}" for one in believed(mode, before, after)]
        # A missing check would be silence about what could not be read.
        gone = set(before) - set(outcomes(after))
        if gone and not any(one.blind.could_not_look for one in after.findings):
            wrong.append(f"{mode} of {read}: {sorted(gone)} went away without a word")
    return wrong + found.bugs


@pytest.mark.parametrize(("vault", "item", "modes"), SUBJECTS)
async def test_what_could_not_be_read_is_not_called_fine(
    vault: str, item: str, modes: Sequence[str], tmp_path: Path
) -> None:
    """Whatever read fails and however: the diagnosis answers in time, and what changed is unknown."""

    async def one(mode: str, number: int) -> list[str]:
        async with (
            door(cloud, tmp_path / str(number), late_s=LATE_S) as way,
            looking(cloud, tmp_path, way.env) as found,
        ):
            return await spoilt(mode, way, found, vault, item)

    async with Simulator("contoso", speed=240.0) as cloud:
        answers = await asyncio.gather(*(one(mode, number) for number, mode in enumerate(modes)))
    assert "" == "\n".join(line for answer in answers for line in answer)
