"""Every seeded fault is named, and what is well is left alone: in the demonstration, and where two faults meet."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from domain.finding import Diagnosis
from tests.acceptance.support import HERE, Scene, scene

COMBINED = sorted(HERE.glob("*.yaml"))


def offered(diagnosis: Diagnosis, cause: str, fixes: list[str]) -> bool:
    """Whether the cause offers the seeded fixes in their order, before any other that it knows."""
    found = next((one.fixes for one in diagnosis.causes if one.id == cause), ())
    return list(found[: len(fixes)]) == fixes


def said(diagnosis: Diagnosis) -> str:
    """The causes and what failed, for the message of a failed test."""
    causes = [(one.id, one.confidence, one.fixes) for one in diagnosis.causes]
    return f"{causes}; {[(one.check, one.outcome.value, one.summary) for one in (*diagnosis.failed, *diagnosis.blind)]}"


async def wrong_about(found: Scene) -> list[str]:
    """What the diagnoses of an estate have wrong, a line each."""
    wrong: list[str] = []
    seeded: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for fault in found.estate["faults"]:
        seeded[fault["vault"], fault["item"]].append(fault)
    for (vault, item), faults in seeded.items():
        diagnosis = await found.diagnose(vault, item)
        expected = {one["cause"] for one in faults}
        first = {one.id for one in diagnosis.causes[: len(expected)]}
        if first != expected:
            wrong.append(f"{vault} {item}: {sorted(expected)} were seeded, said was {said(diagnosis)}")
        wrong += [
            f"{vault} {item}: {one['cause']} should offer {one['fixes']} first, said was {said(diagnosis)}"
            for one in faults
            if not offered(diagnosis, one["cause"], one["fixes"])
        ]
    for one in found.estate["healthy"]:
        diagnosis = await found.diagnose(one["vault"], one["item"])
        if diagnosis.failed or diagnosis.blind or not diagnosis.complete:
            wrong.append(f"{one['vault']} {one['item']} is well, said was {said(diagnosis)}")
    return [*wrong, *found.bugs]


async def test_the_demonstration_estate_is_explained(tmp_path: Path) -> None:
    """Every seeded fault of contoso comes first with its fixes, and its healthy neighbours have no failure."""
    async with scene("contoso", tmp_path) as found:
        assert len(found.estate["faults"]) >= 20
        assert len(found.estate["healthy"]) >= 10
        assert "" == "\n".join(await wrong_about(found))


@pytest.mark.parametrize("estate", COMBINED, ids=lambda path: path.stem)
async def test_two_faults_at_once_are_both_named_first(estate: Path, tmp_path: Path) -> None:
    """Both causes come before any other, and the healthy items of the same vaults have no failure."""
    async with scene(estate, tmp_path) as found:
        assert "" == "\n".join(await wrong_about(found))
