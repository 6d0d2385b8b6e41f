"""Does Azure's own record agree with ours? Every write by the operator identity has its approval here, and the reverse.

Azure's Activity Log keeps 90 days and shows an event some minutes late, so what is younger than :data:`LATE` is left out.
Source: https://learn.microsoft.com/azure/azure-monitor/platform/activity-log
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.arm import key, resource_group_id
from domain.backup import ActivityEvent
from domain.ports import BackupReader

LATE = timedelta(minutes=20)
LONGEST = timedelta(days=89)
NEAR = timedelta(minutes=10)
SENT = frozenset({"run.sent", "run.found", "grant.sent"})


@dataclass(frozen=True, kw_only=True)
class Send:
    """A change that our record says was sent."""

    at: datetime
    n: int
    resource: str
    correlation_id: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What only one side knows; both empty: the records agree."""

    compared: int
    without_approval: tuple[str, ...]
    without_event: tuple[str, ...]
    unread: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the two records agree as far as both could be read."""
        return not self.without_approval and not self.without_event


def sends(lines: Iterable[Mapping[str, Any]]) -> tuple[Send, ...]:
    """The changes in our record."""
    return tuple(
        Send(
            at=datetime.fromisoformat(line["at"]),
            n=line["n"],
            resource=str(line["data"].get("resource", "")),
            correlation_id=str(line["data"].get("correlation_id", "")),
        )
        for line in lines
        if line["event"] in SENT and line["data"].get("resource")
    )


def compare(
    mine: Sequence[Send], events: Sequence[ActivityEvent], operator: frozenset[str], now: datetime
) -> Agreement:
    """Pair sends with events: by correlation id, else by resource within ten minutes.

    ``operator`` are the identity's client and object id in lower case.
    """
    theirs = _writes(events, operator)
    paired: set[int] = set()
    without_event: list[str] = []
    for send in mine:
        found = [n for n, event in enumerate(theirs) if _same(send, event)]
        paired.update(found)
        if not found and send.at < now - LATE:
            without_event.append(
                f"line {send.n} of the record ({send.at:%Y-%m-%d %H:%M} UTC, {send.resource}) has no event in Azure"
            )
    without_approval = [
        f"{event.at:%Y-%m-%d %H:%M} UTC {event.operation} on {event.resource_id} by the operator has no approval here"
        for n, event in enumerate(theirs)
        if n not in paired
    ]
    return Agreement(compared=len(mine), without_approval=tuple(without_approval), without_event=tuple(without_event))


def _writes(events: Sequence[ActivityEvent], operator: frozenset[str]) -> list[ActivityEvent]:
    """One event for each change by the operator: Azure logs its start and its end under one correlation id."""
    seen: dict[tuple[str, str], ActivityEvent] = {}
    for event in events:
        who = {event.actor.casefold(), event.details.get("appid", "").casefold()}
        if who & operator and not event.operation.casefold().endswith("/read"):
            seen.setdefault((event.correlation_id, key(event.resource_id)), event)
    return list(seen.values())


def _same(send: Send, event: ActivityEvent) -> bool:
    if send.correlation_id and send.correlation_id.casefold() == event.correlation_id.casefold():
        return True
    mine, theirs = key(send.resource), key(event.resource_id)
    near = abs(send.at - event.at) <= NEAR
    return near and (mine == theirs or mine.startswith(f"{theirs}/") or theirs.startswith(f"{mine}/"))


async def read_events(
    read: BackupReader, mine: Sequence[Send], since: datetime, until: datetime
) -> Sequence[ActivityEvent]:
    """The Activity Log of every subscription that the bot looks at or has changed something in."""
    subscriptions = {f"/subscriptions/{one}" for one in await read.subscriptions()}
    subscriptions |= {"/".join(resource_group_id(send.resource).split("/")[:3]) for send in mine}
    events: list[ActivityEvent] = []
    for scope in sorted(subscriptions):
        events += await read.activity(scope, since, until)
    return events
