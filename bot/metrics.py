"""Prometheus metrics; none names a vault, an item or a person."""

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Gauge

from bot.store import tables as t
from bot.store.store import Store

STATES: dict[str, sa.Table] = {
    "inbox": t.inbox,
    "alerts": t.alerts,
    "incidents": t.incidents,
    "approvals": t.approvals,
    "fix_runs": t.fix_runs,
    "grants": t.grants,
    "outbox": t.outbox,
}


class Metrics:
    """Counts of rows by state, refreshed by a loop: the rows are the truth here too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rows = Gauge("backupbot_rows", "Rows by table and state", ["table", "state"], registry=self.registry)
        self._seen: set[tuple[str, str]] = set()

    async def refresh(self, store: Store) -> None:
        """Count again."""
        for name, table in STATES.items():
            counted = await store.all(sa.select(table.c.state, sa.func.count().label("count")).group_by(table.c.state))
            found = {(name, str(row["state"])): int(row["count"]) for row in counted}
            for pair in self._seen:
                if pair[0] == name and pair not in found:
                    self._rows.labels(*pair).set(0)
            for pair, count in found.items():
                self._rows.labels(*pair).set(count)
                self._seen.add(pair)
