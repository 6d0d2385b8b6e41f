"""Causes on machines outside Azure, which only people can reach."""

from typing import Final

from diagnostics.clues import Rule, shown
from diagnostics.rules.common import FAIL, FILES, MABS, MARS, code, fine
from domain.backup import Workload

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        id="mars_agent_outdated",
        title="The MARS agent is older than the service accepts",
        workloads=frozenset({Workload.MARS}),
        because=(
            shown(MARS, FAIL, 0.85, "{summary}", version="outdated"),
            code("agent_version"),
        ),
        against=(fine(MARS, 0.7, "the agent's version is supported"),),
        fixes=("guide_mars_update", "update_mars_agent"),
    ),
    Rule(
        id="mars_agent_offline",
        title="The machine with the MARS agent does not report to the vault",
        workloads=frozenset({Workload.MARS}),
        because=(shown(MARS, FAIL, 0.85, "{summary}", seen="offline"),),
        fixes=("guide_mars_update",),
    ),
    Rule(
        id="file_in_use",
        title="Another process holds files that the MARS agent must read",
        workloads=frozenset({Workload.MARS}),
        because=(
            shown(FILES, FAIL, 0.88, "{summary}", hint="!earlier"),
            shown(FILES, FAIL, 0.5, "{summary}", hint="earlier"),
            code("file_in_use"),
        ),
        fixes=("guide_file_in_use",),
    ),
    Rule(
        id="mabs_outdated",
        title="The backup server or its agent is older than the service accepts",
        workloads=frozenset({Workload.MABS}),
        because=(
            shown(MABS, FAIL, 0.85, "{summary}"),
            code("agent_version"),
        ),
        against=(fine(MABS, 0.7, "the server's version is supported"),),
        fixes=("guide_mabs_update",),
    ),
)
"""The rules of this file, in the order that breaks ties."""
