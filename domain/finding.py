"""Findings: what a check answers, and causes: findings explained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Evidence: TypeAlias = Mapping[str, "str | int | bool | list[str] | None"]


class Outcome(StrEnum):
    """PASS, FAIL, UNKNOWN (could not look, or Azure does not say) and NOT_APPLICABLE."""

    PASS = "PASS"  # noqa: S105  (an outcome, not a password)
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Blind(StrEnum):
    """Why a finding is UNKNOWN."""

    NO = ""
    """It is not unknown."""
    DENIED = "denied"
    THROTTLED = "throttled"
    TIMED_OUT = "timed_out"
    UNAVAILABLE = "unavailable"
    SURPRISE = "surprise"
    """Azure answered something that the check cannot read, or the check has a bug."""
    NO_EVIDENCE = "no_evidence"
    """The read succeeded and Azure simply does not say."""

    @property
    def could_not_look(self) -> bool:
        """Whether a read failed, as opposed to Azure having nothing to say."""
        return self not in {Blind.NO, Blind.NO_EVIDENCE}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found, with its evidence.

    ``facts`` are machine-readable marks for ranking causes (for example ``error_code``); ``evidence`` is shown.
    """

    check: str
    outcome: Outcome
    summary: str
    evidence: Evidence = field(default_factory=dict)
    suggests: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    blind: Blind = Blind.NO
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One explanation of the findings; ``confidence`` from 0 to 1."""

    id: str
    title: str
    confidence: float
    because: tuple[str, ...]
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything a diagnosis says of one item; ``complete`` is False when the time limit cut it short."""

    item_id: str
    item_name: str
    vault_name: str
    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...]
    seconds: float = 0.0
    complete: bool = True

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that FAIL."""
        return tuple(finding for finding in self.findings if finding.outcome is Outcome.FAIL)

    @property
    def blind(self) -> tuple[Finding, ...]:
        """The findings whose read failed."""
        return tuple(finding for finding in self.findings if finding.blind.could_not_look)

    @property
    def exit_code(self) -> int:
        """1 when something FAILs, 3 when nothing does but something could not be read, else 0."""
        if self.failed:
            return 1
        return 3 if self.blind else 0
