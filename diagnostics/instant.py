"""One instant for all that belongs together, so that ages agree with each other and equal reads are equal."""

from datetime import datetime

from domain.ports import Clock


class _StoppedClock:
    def __init__(self, clock: Clock) -> None:
        self._now = clock.now()
        self._clock = clock

    def now(self) -> datetime:
        """The instant at which the clock was stopped."""
        return self._now

    def monotonic(self) -> float:
        """Seconds, which do go on."""
        return self._clock.monotonic()


def stopped(clock: Clock) -> Clock:
    """A clock that stands still at what ``clock`` says now; one that stands still already is given back."""
    return clock if isinstance(clock, _StoppedClock) else _StoppedClock(clock)
