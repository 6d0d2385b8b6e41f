"""Rights handed out for a time: taken back when due, whatever happened in between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row, Tx
from bot.workflows import rows
from bot.workflows.services import Services
from domain.actor import SYSTEM, Actor
from domain.approval import StepState
from domain.errors import GatewayError, NotAllowed, NotFound, ResourceNotFound
from domain.records import load_call
from fixes.steps import step_for

AGAIN = timedelta(seconds=30)


@dataclass(kw_only=True)
class Grants:
    """The driver ``grant``."""

    services: Services
    show: Callable[[Tx, str], Awaitable[object]] | None = None
    """Makes the request's card say what the rows say."""

    async def drive(self, grant_id: str) -> None:
        """Take the right away (the tick calls when its time has come); try again until it is surely gone."""
        services = self.services
        row = await services.store.get(t.grants, grant_id)
        if row is None or row["state"] not in {"armed", "revoking"}:
            return
        if services.operator is None or not services.may_change():
            await self._again(row, "there is no operator identity, or this replica waits for its heartbeat")
            return
        if await self._may_still_arrive(row):
            await self._again(row, "the call that hands the right out is still under way")
            return
        if not await self._claim(row):
            return
        call = load_call(row["call"])
        try:
            receipt = await services.operator.send(call)
            async with services.store.begin() as tx:
                tx.audit(
                    "grant.sent",
                    row["run_id"],
                    SYSTEM,
                    {"grant": grant_id, "resource": call.resource, "correlation_id": receipt.correlation_id},
                )
        except ResourceNotFound:
            pass
        except GatewayError as error:
            await self._again(row, str(error))
            return
        try:
            seen = await step_for(call.kind).look(call, services.clock.now(), services.read())
        except GatewayError as error:
            await self._again(row, f"taken away; that it is gone could not be read: {error}")
            return
        if seen.there is False:
            await self._again(row, f"taken away, but still seen: {seen.note}")
            return
        async with services.store.begin() as tx:
            if await tx.move(t.grants, grant_id, "revoking", state="revoked", ended_at=tx.now, due_at=None, note=""):
                subject = await self._subject(tx, row["run_id"])
                tx.audit(
                    "grant.revoked",
                    subject,
                    SYSTEM,
                    {"grant": grant_id, "what": row["what"], "resource": call.resource},
                )
                if self.show is not None:
                    await self.show(tx, subject)

    async def _may_still_arrive(self, row: Row) -> bool:
        """Whether the right may be handed out after this look: then taking it back now would leave it there for good."""
        run = await self.services.store.get(t.fix_runs, row["run_id"])
        if run is None or run["state"] != "executing":
            return False
        step = run["steps"][int(row["id"].rpartition("-")[2]) - 1]
        return step["state"] in {StepState.WAITING, StepState.INTENDED}

    async def _claim(self, row: Row) -> bool:
        async with self.services.store.begin() as tx:
            claimed = await tx.move(
                t.grants,
                row["id"],
                ("armed", "revoking"),
                state="revoking",
                tries=row["tries"] + 1,
                due_at=tx.now + AGAIN,
            )
            if claimed and row["state"] == "armed":
                subject = await self._subject(tx, row["run_id"])
                tx.audit("grant.revoking", subject, SYSTEM, {"grant": row["id"], "what": row["what"]})
            return claimed

    async def _again(self, row: Row, why: str) -> None:
        self.services.log.warning("revoke_again", grant=row["id"], why=why)
        async with self.services.store.begin() as tx:
            await tx.move(t.grants, row["id"], ("armed", "revoking"), due_at=tx.now + AGAIN, note=why)

    @staticmethod
    async def _subject(tx: Tx, run_id: str) -> str:
        """The request that a run belongs to: what the record calls it by."""
        run = await tx.one(sa.select(t.fix_runs.c.approval_id).where(t.fix_runs.c.id == run_id))
        return str(run["approval_id"]) if run else run_id

    async def end_early(self, approval_id: str, actor: Actor) -> int:
        """:meth:`revoke_now` for the run of a request."""
        run = await self.services.store.one(sa.select(t.fix_runs.c.id).where(t.fix_runs.c.approval_id == approval_id))
        if run is None:
            raise NotFound(f"The request {approval_id} has handed out nothing.")
        return await self.revoke_now(str(run["id"]), actor)

    async def revoke_now(self, run_id: str, actor: Actor) -> int:
        """Take the rights of a run away before their time; how many there were.

        Raises:
            NotAllowed: this person neither asked for nor approved what handed them out.
            NotFound: the run handed out nothing that is still there.
        """
        if not actor.may_act:
            raise NotAllowed(f"Nothing was changed: {actor.why_not}.")
        async with self.services.store.begin() as tx:
            subject = await self._subject(tx, run_id)
            found = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == subject))
            if found is None:
                raise NotFound(f"There is no run {run_id}.")
            request = rows.approval(found)
            if not any(actor.is_same_human(one) for one in (*request.requesters, *(v.actor for v in request.votes))):
                raise NotAllowed("Nothing was changed: only who asked for the right or approved it may end it early.")
            armed = await tx.all(sa.select(t.grants).where(t.grants.c.run_id == run_id, t.grants.c.state == "armed"))
            if not armed:
                raise NotFound("No temporary right of that fix is left to take away.")
            for row in armed:
                await tx.move(t.grants, row["id"], "armed", due_at=tx.now)
                tx.audit("grant.revoke_early", subject, actor, {"grant": row["id"], "what": row["what"]})
                await tx.enqueue("grant", row["id"], "early")
        return len(armed)
