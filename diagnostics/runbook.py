"""The runbook, line by line: what answers each, what mends it, and how a person would do the same by hand.

``docs/runbook.md`` is rendered from here and from the checks' own metadata, so that it cannot drift from what runs.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from diagnostics.registry import Check
from diagnostics.runbook_lines import LINES, RunbookLine

__all__ = ["BY_ID", "LINES", "RunbookLine", "checks_of", "render"]

BY_ID: Final[Mapping[str, RunbookLine]] = MappingProxyType({line.id: line for line in LINES})


def checks_of(line_id: str, checks: Mapping[str, Check]) -> tuple[str, ...]:
    """The ids of the checks that answer the line, in alphabetical order."""
    return tuple(name for name, check in sorted(checks.items()) if line_id in check.runbook)


def render(checks: Mapping[str, Check]) -> str:
    """The text of ``docs/runbook.md``: each line with what answers it, then each check with what it needs."""
    parts = [
        "# The runbook, and what answers each line",
        "",
        "This page is generated from the bot's own metadata; change that, not this page.",
        "",
    ]
    section = ""
    for line in LINES:
        if line.section != section:
            section = line.section
            parts += [f"## {section}", ""]
        parts += [*_line(line, checks_of(line.id, checks)), ""]
    parts += ["## The checks", ""]
    for check in sorted(checks.values(), key=lambda one: one.id):
        parts += [*_check(check), ""]
    return "\n".join(parts).rstrip() + "\n"


def _line(line: RunbookLine, checks: tuple[str, ...]) -> list[str]:
    rows = [f"### {line.text}", ""]
    for label, values in (
        ("Checks", [f"[`{name}`](#{name})" for name in checks]),
        ("Fixes", [f"`{fix}`" for fix in line.fixes]),
        ("In chat", [f"`/backup {command}`" for command in line.commands]),
    ):
        if values:
            rows.append(f"- {label}: {' · '.join(values)}")
    rows.append(f"- By hand: `{line.az}`")
    rows.append(f"- In the [portal](https://portal.azure.com): {line.portal}")
    if line.note:
        rows += ["", line.note]
    return rows


def _check(check: Check) -> list[str]:
    asked = {"item": "of an item", "restore": "of a restore", "vault": "of a vault"}[check.about]
    workloads = ", ".join(sorted(workload.words for workload in check.workloads))
    rows = [
        f"### {check.id}",
        "",
        f"{check.title}. Asked {asked} ({workloads}); see [the documentation]({check.docs}).",
        "",
        f"- Reads with: {' · '.join(f'`{permission}`' for permission in check.permissions)}",
        f"- By hand: `{check.az}`",
        f"- In the portal: {check.portal}",
    ]
    if check.suggests:
        rows.append(f"- May suggest: {' · '.join(f'`{fix}`' for fix in check.suggests)}")
    return rows
