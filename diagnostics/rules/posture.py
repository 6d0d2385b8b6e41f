"""What is wrong with a vault's own settings: nothing that hurts today, everything that hurts the day it is needed."""

from dataclasses import replace
from typing import Final

from diagnostics.clues import Rule, shown
from diagnostics.rules.common import ALERTS, FAIL, SOFT_DELETE, TESTED

_RULES: Final = (
    Rule(
        id="soft_delete_disabled",
        title="Soft delete is off or keeps deleted backups too briefly",
        because=(shown(SOFT_DELETE, FAIL, 0.9, "{summary}"),),
        fixes=("enable_soft_delete",),
    ),
    Rule(
        id="failure_alerts_disabled",
        title="The vault raises no alert when a job fails",
        because=(shown(ALERTS, FAIL, 0.9, "{summary}", alerts="disabled"),),
        fixes=("enable_failure_alerts",),
    ),
    Rule(
        id="failure_alerts_suppressed",
        title="A processing rule keeps the vault's alerts from reaching anybody",
        because=(shown(ALERTS, FAIL, 0.9, "{summary}", suppressed="*"),),
        fixes=("enable_failure_alerts",),
    ),
    Rule(
        id="alerts_do_not_reach_on_call",
        title="The vault's alerts reach nobody, or not this bot",
        because=(shown(ALERTS, FAIL, 0.85, "{summary}", reach="none"),),
        fixes=("enable_failure_alerts",),
        yields_to=frozenset({"failure_alerts_suppressed", "failure_alerts_disabled"}),
    ),
    Rule(
        id="restore_untested",
        title="No restore of the vault's items was tested this quarter",
        because=(shown(TESTED, FAIL, 0.85, "{summary}"),),
        fixes=("restore_disks", "guide_restore_elsewhere"),
    ),
)

RULES: Final[tuple[Rule, ...]] = tuple(replace(rule, explains="posture") for rule in _RULES)
"""The rules of this file, in the order that breaks ties."""
