"""The life of an approval, as a table. No clock, no store: what may follow what.

requested → approved | rejected | expired | withdrawn
approved → executing | requested (the plan changed: people are asked anew) | failed (it could not start)
executing → proved | failed | unproved | unclear
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.actor import Actor
from domain.approval_policy import Rule
from domain.fix import FixPlan


class State(StrEnum):
    """Where an approval stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    PROVED = "proved"
    FAILED = "failed"
    UNPROVED = "unproved"
    UNCLEAR = "unclear"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return not TRANSITIONS[self]

    @property
    def live(self) -> bool:
        """Whether somebody or something is still to act."""
        return bool(TRANSITIONS[self])


TRANSITIONS: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.APPROVED, State.REJECTED, State.EXPIRED, State.WITHDRAWN}),
    State.APPROVED: frozenset({State.EXECUTING, State.REQUESTED, State.FAILED}),
    State.EXECUTING: frozenset({State.PROVED, State.FAILED, State.UNPROVED, State.UNCLEAR}),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.PROVED: frozenset(),
    State.FAILED: frozenset(),
    State.UNPROVED: frozenset(),
    State.UNCLEAR: frozenset(),
}

LIVE = tuple(state for state in State if TRANSITIONS[state])


def may(before: State, after: State) -> bool:
    """Whether ``after`` may follow ``before``."""
    return after in TRANSITIONS[before]


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One approval given; two are needed where the rule says so."""

    actor: Actor
    at: datetime
    by: str
    """The entry of the rule that gave the right."""
    self_approval: bool = False
    break_glass: bool = False


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A request for a fix and what became of it."""

    id: str
    state: State
    plan: FixPlan
    fingerprint: str
    requester: Actor
    editors: tuple[Actor, ...] = ()
    reason: str = ""
    rule: Rule
    votes: tuple[Vote, ...] = ()
    incident_id: str = ""
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: Actor | None = None
    ended_at: datetime | None = None
    note: str = ""
    """Why it ended as it did, as a sentence."""
    revision: int = 0
    """Counts its plans: an edit and a plan that changed after the approval each make a new one."""
    changed: tuple[str, ...] = ()
    """How the plan differs from one that was approved before."""
    told: tuple[tuple[str, str], ...] = ()
    """(entry of the rule, Slack user id it stands for or "") of everybody who is told by the request's message."""
    unreached: tuple[str, ...] = ()
    """The entries for which no account was found, so that nobody was told."""

    @property
    def requesters(self) -> tuple[Actor, ...]:
        """Everybody whose wish it is: who asked, and who edited the request."""
        return (self.requester, *self.editors)

    @property
    def missing_votes(self) -> int:
        """How many approvals are still needed."""
        return max(0, self.rule.required - len(self.votes))


class StepState(StrEnum):
    """Where one call of a plan stands."""

    WAITING = "waiting"
    INTENDED = "intended"
    """Written down as about to be sent; whether it was sent must be found out by looking."""
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNCLEAR = "unclear"


@dataclass(frozen=True, kw_only=True)
class StepView:
    """One call of a run, for people."""

    purpose: str
    state: StepState
    note: str = ""
    percent: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RunView:
    """How far an approved fix is."""

    id: str
    state: str
    steps: tuple[StepView, ...]
    started_at: datetime
    ended_at: datetime | None = None
    note: str = ""
    proof: str = ""
