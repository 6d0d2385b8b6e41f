"""The words that rules about causes are written in: findings seen as a whole, clues, and the rules themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.backup import Workload
from domain.finding import Finding, Outcome

LAST_BACKUP: Final = "last_backup_succeeded"
LAST_RESTORE: Final = "last_restore_succeeded"


@dataclass(frozen=True, kw_only=True)
class View:
    """The findings of one diagnosis, by check."""

    findings: Mapping[str, Finding]
    workload: Workload | None
    is_earlier: bool = False
    """Whether this shows an earlier failure of the row in the place of the last one."""

    def outcome(self, check: str) -> Outcome | None:
        """The check's outcome; None when it did not run."""
        found = self.findings.get(check)
        return found.outcome if found else None

    def fact(self, check: str, name: str) -> str:
        """A machine-readable mark of a finding, or ""."""
        found = self.findings.get(check)
        return found.facts.get(name, "") if found else ""

    def facts(self, check: str) -> Mapping[str, str]:
        """All marks of a finding."""
        found = self.findings.get(check)
        return found.facts if found else {}

    def earlier(self, check: str) -> tuple["View", ...]:
        """The same findings as if the check had seen an earlier, different failure of the same row, the nearest first."""
        found = self.findings.get(check)
        if found is None:
            return ()
        rows = earlier_errors(found.facts)
        return tuple(
            replace(
                self,
                findings={**self.findings, check: replace(found, facts={**_without_error(found.facts), **row})},
                is_earlier=True,
            )
            for row in rows
        )


EARLIER: Final = "earlier_"
_ERROR_FACTS: Final = (
    "error_code",
    "known",
    "error_name",
    "family",
    "transient",
    "code_fixes",
    "confirmed_by",
    "identity",
)


def earlier_facts(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The marks of earlier failures, as :func:`earlier_errors` reads them."""
    return {f"{EARLIER}{place}_{name}": value for place, row in enumerate(rows, 1) for name, value in row.items()}


def earlier_errors(facts: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
    """The marks of each earlier failure that a finding notes."""
    rows: dict[str, dict[str, str]] = {}
    for name, value in facts.items():
        if name.startswith(EARLIER):
            place, _, mark = name.removeprefix(EARLIER).partition("_")
            rows.setdefault(place, {})[mark] = value
    return tuple(rows[place] for place in sorted(rows))


def _without_error(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if name not in _ERROR_FACTS}


Holds = Callable[[View], tuple[str, ...]]
"""Which checks show the clue; () when it does not hold."""


@dataclass(frozen=True, kw_only=True)
class Clue:
    """One thing that speaks for or against a cause. ``words`` may name facts of the first check that shows it."""

    weight: float
    words: str
    holds: Holds
    codes: frozenset[str] = frozenset()
    """The families and names of error codes that it looks for, if any."""
    of: str = ""
    """The check whose error it reads, if any: then an earlier error of the same row counts too, for less."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A cause: what it is called, what speaks for and against it, and what to try, in order.

    ``title`` may name facts of the first check that supports it. ``explains`` says what it is a cause of: a failed
    ``backup``, a missing ``point``, a failed ``restore``, or nothing that fails today (``posture``). ``yields_to`` are causes
    of which this one is a mere consequence. ``fixes_of_code`` names the check whose error code brings fixes of its own, which
    come first.
    """

    id: str
    title: str
    because: tuple[Clue, ...]
    against: tuple[Clue, ...] = ()
    fixes: tuple[str, ...] = ()
    yields_to: frozenset[str] = frozenset()
    fixes_of_code: str = ""
    explains: str = "backup"
    workloads: frozenset[Workload] = frozenset(Workload)


def shown(check: str, outcome: Outcome, weight: float, words: str, **facts: str) -> Clue:
    """The check came out like that, with these facts.

    A wanted fact is written as alternatives separated by ``|``, as ``*`` for any, or with ``!`` before what it must not be.
    """

    def holds(view: View) -> tuple[str, ...]:
        fits = view.outcome(check) is outcome and facts_fit(view.facts(check), facts)
        return (check,) if fits else ()

    return Clue(weight=weight, words=words, holds=holds)


def fact(check: str, weight: float, words: str, **facts: str) -> Clue:
    """The check noted these facts, however it came out."""

    def holds(view: View) -> tuple[str, ...]:
        return (check,) if check in view.findings and facts_fit(view.facts(check), facts) else ()

    return Clue(weight=weight, words=words, holds=holds)


def every(*clues: Clue, weight: float, words: str) -> Clue:
    """All of the clues hold; only then they say something."""

    def holds(view: View) -> tuple[str, ...]:
        seen = [clue.holds(view) for clue in clues]
        return tuple(dict.fromkeys(check for one in seen for check in one)) if all(seen) else ()

    read = next((clue.of for clue in clues if clue.of), "")
    return Clue(weight=weight, words=words, holds=holds, of=read)


def facts_fit(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether the facts are as wanted, in the notation of :func:`shown`."""
    for name, pattern in wanted.items():
        value = found.get(name, "")
        if pattern == "*":
            if not value:
                return False
        elif pattern.startswith("!"):
            if value in pattern[1:].split("|"):
                return False
        elif value not in pattern.split("|"):
            return False
    return True
