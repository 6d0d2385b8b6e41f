"""The life of an approval, as a table. No clock, no store: what may follow what.

requested → approved | rejected | expired | withdrawn
approved → executing | requested (the plan changed: people are asked anew) | failed (it could not start)
executing → proved | failed | unproved | unclear
"""

from enum import StrEnum


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
