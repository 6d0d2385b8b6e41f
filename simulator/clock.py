"""The simulator's own clock: wall time plus an offset that only grows when somebody moves it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wall_time() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


class SimClock:
    """Runs at wall speed; `advance` is the only other way in which its time passes."""

    def __init__(self, wall: Callable[[], datetime] = wall_time, offset: timedelta = timedelta()) -> None:
        self._wall = wall
        self.offset = offset

    def now(self) -> datetime:
        """The simulated instant, in UTC."""
        return self._wall() + self.offset

    def advance(self, seconds: float) -> datetime:
        """Moves the clock ahead and returns the new instant; raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock only moves ahead: advance_s must not be negative")
        self.offset += timedelta(seconds=seconds)
        return self.now()
