"""The audit and the drill ledger, for reading and adding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Store, new_id
from domain.actor import Actor
from domain.backup import ProtectedItem


@dataclass(frozen=True)
class StoreRecords:
    """:class:`handlers.services.Records` over the store."""

    store: Store

    async def audit_lines(self, subject: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest lines about a subject, of its incident's requests too, or of everything."""
        statement = sa.select(t.audit).order_by(t.audit.c.n.desc()).limit(limit)
        if subject:
            requests = sa.select(t.approvals.c.id).where(t.approvals.c.incident_id == subject)
            statement = statement.where(sa.or_(t.audit.c.subject == subject, t.audit.c.subject.in_(requests)))
        return await self.store.all(statement)

    async def drills(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest restore tests."""
        return await self.store.all(sa.select(t.drills).order_by(t.drills.c.at.desc()).limit(limit))

    async def add_drill(self, item: ProtectedItem, evidence: str, actor: Actor) -> None:
        """Record a restore test that somebody did, and who says so."""
        async with self.store.begin() as tx:
            drill_id = new_id("DRL")
            await tx.insert(
                t.drills,
                id=drill_id,
                item_key=item.id.key,
                item_name=item.name,
                vault_name=item.id.vault.name,
                at=tx.now,
                evidence=evidence,
                by=actor.record(),
            )
            tx.audit("drill.recorded", drill_id, actor, {"item": item.id.id, "evidence": evidence})
