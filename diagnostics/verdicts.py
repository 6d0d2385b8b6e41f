"""How a check says its verdict, and how a read that failed becomes UNKNOWN."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.durations import format_age
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)
from domain.finding import Blind, Evidence, Finding, Outcome

_NONE: Evidence = {}
_NO_FACTS: Mapping[str, str] = {}


def utc(moment: datetime) -> str:
    """A moment as findings write it: ``2026-11-22 03:00 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def ago(moment: datetime, now: datetime) -> str:
    """A moment with its age: ``31 h ago (2026-11-20 20:00 UTC)``."""
    return f"{format_age(now - moment)} ago ({utc(moment)})"


class Verdicts:
    """The verdicts of one check; made once in its module with ``Verdicts(__name__)``."""

    def __init__(self, module: str) -> None:
        self.check = module.rpartition(".")[2]

    def good(self, summary: str, *, evidence: Evidence = _NONE, facts: Mapping[str, str] = _NO_FACTS) -> Finding:
        """All is well."""
        return self._finding(Outcome.PASS, summary, evidence, facts)

    def bad(
        self,
        summary: str,
        *,
        evidence: Evidence = _NONE,
        facts: Mapping[str, str] = _NO_FACTS,
        suggests: tuple[str, ...] = (),
    ) -> Finding:
        """Something is wrong."""
        return self._finding(Outcome.FAIL, summary, evidence, facts, suggests)

    def unclear(
        self,
        summary: str,
        *,
        evidence: Evidence = _NONE,
        facts: Mapping[str, str] = _NO_FACTS,
        suggests: tuple[str, ...] = (),
        blind: Blind = Blind.NO_EVIDENCE,
    ) -> Finding:
        """It cannot be told; with the default ``blind`` because Azure does not say."""
        return self._finding(Outcome.UNKNOWN, summary, evidence, facts, suggests, blind)

    def not_asked(self, summary: str, *, evidence: Evidence = _NONE, facts: Mapping[str, str] = _NO_FACTS) -> Finding:
        """The question does not arise for this item."""
        return self._finding(Outcome.NOT_APPLICABLE, summary, evidence, facts)

    def _finding(
        self,
        outcome: Outcome,
        summary: str,
        evidence: Evidence,
        facts: Mapping[str, str],
        suggests: tuple[str, ...] = (),
        blind: Blind = Blind.NO,
    ) -> Finding:
        return Finding(
            check=self.check,
            outcome=outcome,
            summary=summary,
            evidence=evidence,
            facts=facts,
            suggests=suggests,
            blind=blind,
        )


def blind_of(error: GatewayError) -> Blind:
    """Why a read that raised ``error`` leaves us blind."""
    match error:
        case PermissionDenied():
            return Blind.DENIED
        case Throttled():
            return Blind.THROTTLED
        case GatewayUnavailable():
            return Blind.TIMED_OUT if isinstance(error.__cause__, TimeoutError) else Blind.UNAVAILABLE
        case _:
            return Blind.SURPRISE


def why_blind(error: GatewayError, permissions: tuple[str, ...], now: datetime) -> str:
    """What a person does about a read that failed: the missing right and where, or when to look again.

    ``permissions`` are those that the check declares, named when Azure did not say which one it missed.
    """
    match error:
        case PermissionDenied():
            missing = error.action or (permissions[0] if len(permissions) == 1 else "one of " + ", ".join(permissions))
            where = f" at {error.scope}" if error.scope else ""
            return f"Not allowed to look: the reader identity lacks {missing}{where}."
        case Throttled():
            wait = error.retry_after
            when = f"try again in {format_age(wait)}, at {utc(now + wait)}" if wait else "try again in some minutes"
            return f"Azure refuses more reads for now (throttled): {when}."
        case ResourceNotFound():
            return f"Azure finds no such thing, or the reader identity may not see it: {error}"
        case Conflict() | BadRequest():
            return f"Azure refused the read: {error}"
        case _:
            return f"Azure gave no usable answer: {error} Try again in a minute."


def blind_finding(
    check: str,
    error: GatewayError,
    *,
    permissions: tuple[str, ...],
    now: datetime,
    evidence: Evidence = _NONE,
    facts: Mapping[str, str] = _NO_FACTS,
) -> Finding:
    """The UNKNOWN finding of a read that failed, with the missing permission or the time to try again."""
    details: dict[str, str | int | bool | list[str] | None] = dict(evidence)
    if error.code:
        details["azure_code"] = error.code
    if error.correlation_id:
        details["correlation_id"] = error.correlation_id
    if isinstance(error, PermissionDenied):
        details["missing_permission"] = error.action or list(permissions)
        if error.scope:
            details["scope"] = error.scope
    if isinstance(error, Throttled) and error.retry_after is not None:
        details["retry_after_s"] = int(error.retry_after / timedelta(seconds=1))
    return Finding(
        check=check,
        outcome=Outcome.UNKNOWN,
        summary=why_blind(error, permissions, now),
        evidence=details,
        facts=facts,
        blind=blind_of(error),
    )
