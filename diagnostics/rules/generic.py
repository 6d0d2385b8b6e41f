"""Causes for what no specific rule explains: passing faults, missed schedules, errors taken at their word."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from diagnostics.clues import LAST_BACKUP, LAST_RESTORE, Clue, Rule, View, every, shown
from diagnostics.rules.common import (
    ASKED_NOT,
    FAIL,
    HEALTH,
    PASS,
    POINT,
    PROTECTION,
    RERUN,
    VM,
    code,
    fine,
)
from domain.backup import Workload

_NAMES_IT: Final = 0.35
"""From this weight on a clue about error codes explains them."""


Explained = Mapping[str, frozenset[Workload]]
"""Families and names of error codes, and the workloads for which each of them is explained."""


def explained_codes(rules: Iterable[Rule], check: str) -> Explained:
    """The families and names of error codes of ``check`` for which one of the rules is made, and for which workloads."""
    found: dict[str, frozenset[Workload]] = {}
    for rule in rules:
        for clue in rule.because:
            if clue.of == check and clue.weight >= _NAMES_IT:
                found |= {one: found.get(one, frozenset()) | rule.workloads for one in clue.codes}
    return found


def rules(specific: Sequence[Rule]) -> tuple[Rule, ...]:
    """The generic rules, which all step back behind the ``specific`` ones."""
    roots = _explaining(specific, "backup")
    points = roots | _explaining(specific, "point")
    restores = _explaining(specific, "restore")
    of_backups, of_restores = (explained_codes(specific, check) for check in (LAST_BACKUP, LAST_RESTORE))
    return (
        Rule(
            id="backup_cancelled",
            title="Somebody or something cancelled the last backup",
            because=(shown(LAST_BACKUP, FAIL, 0.8, "{summary}", cancelled="yes"),),
            fixes=(RERUN,),
        ),
        Rule(
            id="backup_health_degraded",
            title="The vault's pre-check of the item asks for action",
            because=(
                _health_finding(echo=False, weight=0.65),
                _health_finding(echo=True, weight=0.2),
                every(
                    shown(HEALTH, FAIL, 0, ""),
                    code("vm_state", "vm_provisioning", weight=0),
                    fine(VM, 0, ""),
                    weight=0.6,
                    words="the pre-check still tells of the VM's state of then, which is good now; a good backup clears it",
                ),
            ),
            fixes=(RERUN,),
            yields_to=roots,
        ),
        Rule(
            id="transient_failure",
            title="The last backup failed for a reason that has most likely passed",
            because=(
                shown(LAST_BACKUP, FAIL, 0.5, "errors like {error_code} usually pass by themselves", transient="yes"),
                _complaint_is_fine(weight=0.6),
                _came_once(weight=0.6),
            ),
            against=(
                _complaint_unseen(weight=0.3),
                shown(
                    LAST_BACKUP,
                    FAIL,
                    0.2,
                    "it failed {failed_in_a_row} times in a row",
                    failed_in_a_row="!|0|1|2",
                    earlier_1_error_code="",
                ),
            ),
            fixes=(RERUN,),
            yields_to=roots | {"backup_health_degraded"},
        ),
        _reported(LAST_BACKUP, "reported_error", "backup", of_backups, roots),
        _reported(LAST_RESTORE, "reported_restore_error", "restore", of_restores, restores),
        _unknown(LAST_BACKUP, "unknown_error", "backup", roots),
        _unknown(LAST_RESTORE, "unknown_restore_error", "restore", restores),
        Rule(
            id="first_backup_pending",
            title="The first backup has not run yet",
            because=(
                shown(POINT, ASKED_NOT, 0.6, "{summary}", state="pending"),
                every(
                    shown(POINT, FAIL, 0, "", never="yes"),
                    shown(LAST_BACKUP, ASKED_NOT, 0, "", never="yes"),
                    weight=0.6,
                    words="no backup of the item has ever run",
                ),
            ),
            fixes=(RERUN,),
            yields_to=roots,
        ),
        Rule(
            id="schedule_missed",
            title="A scheduled backup did not start, and nothing failed",
            because=(
                every(
                    shown(POINT, FAIL, 0, ""),
                    shown(LAST_BACKUP, PASS, 0, ""),
                    weight=0.5,
                    words="no job failed, yet the newest recovery point is too old",
                ),
                shown(POINT, FAIL, 0.3, "a run that was due made no recovery point", on_schedule="no"),
            ),
            against=(
                shown(LAST_BACKUP, FAIL, 0.85, "a backup did run, and failed"),
                shown(PROTECTION, FAIL, 0.5, "{summary}"),
            ),
            fixes=(RERUN,),
            yields_to=points | {"first_backup_pending"},
        ),
        Rule(
            id="no_recent_point",
            title="No recent recovery point, for a reason that what was read does not show",
            because=(shown(POINT, FAIL, 0.15, "{summary}"),),
            fixes=(RERUN,),
            yields_to=points
            | {
                "backup_cancelled",
                "backup_health_degraded",
                "transient_failure",
                "reported_error",
                "unknown_error",
                "first_backup_pending",
                "schedule_missed",
            },
        ),
    )


def _explaining(rules: Iterable[Rule], what: str) -> frozenset[str]:
    return frozenset(rule.id for rule in rules if rule.explains == what)


def _health_finding(*, echo: bool, weight: float) -> Clue:
    """The pre-check is bad: as an echo of the last backup's error, or for a reason of its own."""

    def holds(view: View) -> tuple[str, ...]:
        if view.outcome(HEALTH) is not FAIL:
            return ()
        title, error = view.fact(HEALTH, "health_title"), view.fact(LAST_BACKUP, "error_code")
        failed = view.outcome(LAST_BACKUP) is FAIL
        repeats = failed and (not title or title.casefold() == error.casefold())
        return (HEALTH,) if repeats is echo else ()

    return Clue(weight=weight, words="{summary}", holds=holds)


def _reported(check: str, rule_id: str, what: str, explained: Explained, roots: frozenset[str]) -> Rule:
    """An error that is known but stands for itself: Azure's word, explained, with the fixes of the code."""

    def holds(view: View) -> tuple[str, ...]:
        family = view.fact(check, "family")
        known = explained.get(family, frozenset()) | explained.get(view.fact(check, "error_name"), frozenset())
        left = not known if view.workload is None else view.workload not in known
        return (check,) if view.outcome(check) is FAIL and family and left else ()

    return Rule(
        id=rule_id,
        title=f"The {what} failed with {{error_code}}",
        because=(Clue(weight=0.6, words="{summary}", holds=holds),),
        against=(
            shown(check, FAIL, 0.4, "errors of this kind usually pass by themselves", transient="yes"),
            *((_complaint_is_fine(weight=0.4),) if check == LAST_BACKUP else ()),
        ),
        fixes_of_code=check,
        fixes=(RERUN,) if check == LAST_BACKUP else ("restore_disks", "guide_restore_elsewhere"),
        yields_to=roots,
    )


def _unknown(check: str, rule_id: str, what: str, roots: frozenset[str]) -> Rule:
    """An error that nobody wrote down: shown as Azure wrote it, never guessed at."""
    return Rule(
        id=rule_id,
        title=f"The {what} failed with an error that this bot does not know ({{error_code}})",
        because=(shown(check, FAIL, 0.5, "{summary}", known="no"),),
        fixes=(RERUN,) if check == LAST_BACKUP else ("restore_disks", "guide_restore_elsewhere"),
        yields_to=roots,
    )


def _complaint_is_fine(*, weight: float) -> Clue:
    """The checks that could confirm the last error all found the matter in order."""

    def holds(view: View) -> tuple[str, ...]:
        asked = _confirming(view)
        return (LAST_BACKUP, *asked) if asked and all(view.outcome(check) is PASS for check in asked) else ()

    return Clue(weight=weight, words="what {error_code} complains of is in order now", holds=holds)


def _came_once(*, weight: float) -> Clue:
    """An earlier error of a kind that passes, after which the backups failed with another one."""

    def holds(view: View) -> tuple[str, ...]:
        stands = any(view.outcome(check) is FAIL for check in _confirming(view))
        passing = view.fact(LAST_BACKUP, "transient") == "yes" and not stands
        network = view.fact(LAST_BACKUP, "family") == "network"
        return (LAST_BACKUP,) if view.is_earlier and (passing or network) else ()

    return Clue(
        weight=weight,
        words="{error_code} has not come again; later backups failed with another error",
        holds=holds,
        of=LAST_BACKUP,
    )


def _complaint_unseen(*, weight: float) -> Clue:
    """A check that could confirm the last error could not look."""

    def holds(view: View) -> tuple[str, ...]:
        return tuple(check for check in _confirming(view) if view.findings[check].blind.could_not_look)

    return Clue(weight=weight, words="whether the reason still stands could not be read: {summary}", holds=holds)


def _confirming(view: View) -> list[str]:
    """The checks that the error code names and that looked at something else than the jobs themselves."""
    named = view.fact(LAST_BACKUP, "confirmed_by").split()
    return [
        check
        for check in named
        if check in view.findings and check != LAST_BACKUP and view.outcome(check) is not ASKED_NOT
    ]
