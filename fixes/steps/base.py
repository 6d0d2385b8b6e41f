"""What every step is: how to see whether a call took effect, and how to follow it to its end."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from domain.fix import Call, Progress, Seen, Stage
from domain.ports import BackupReader

CLOCK_SKEW = timedelta(minutes=2)
"""How far Azure's clock may be behind ours: what started this little before the call may still be its effect."""

LIST_LAG = timedelta(minutes=2)
"""How long Azure's lists may leave out what has just begun; after that, what is not there did not happen."""

LONGEST_WINDOW = timedelta(days=29)
"""Azure's job list takes windows of at most 30 days."""


class Step(Protocol):
    """How calls of one kind are looked for and followed. Steps only read, never wait, and keep nothing."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the effect of ``call``, sent at or after ``since``, is there already.

        ``settled`` says that more than :data:`LIST_LAG` has passed since the call may have been sent: only then does an
        empty list mean that nothing happened (``there=False``); before, it means ``there=None``: look again.
        """
        ...

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """How far the call is; ``reference`` is what was stored about it: ``operation_id``, ``job_id``, never an address."""
        ...


def absent(what: str, *, settled: bool) -> Seen:
    """Nothing was found: surely nothing when ``settled``, else not to be told yet."""
    if settled:
        return Seen(there=False, note=f"{what} is not there")
    return Seen(there=None, note=f"{what} is not there yet; Azure may show it late")


def running(note: str, reference: Mapping[str, str], percent: int | None = None) -> Progress:
    """The call goes on."""
    return Progress(stage=Stage.RUNNING, note=note, reference=reference, percent=percent)


def done(note: str, reference: Mapping[str, str]) -> Progress:
    """The call reached its good end."""
    return Progress(stage=Stage.DONE, note=note, reference=reference, percent=100)


def failed(note: str, reference: Mapping[str, str], code: str) -> Progress:
    """The call ended without what it was for; ``code`` and ``note`` are Azure's."""
    return Progress(stage=Stage.FAILED, note=note, reference=reference, code=code)
