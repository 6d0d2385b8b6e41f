"""From approved to executing: the plan made again and compared, its locks taken; or people are asked anew.

Nothing is sent from here: what enters executing is driven by ``execution``.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row, Tx, new_id
from bot.workflows import deciding, rows, telling
from bot.workflows.planning import plan_now, rule_for
from bot.workflows.runs import new_steps
from bot.workflows.services import Services
from bot.workflows.ticker import LEASE
from domain.actor import SYSTEM
from domain.approval import State
from domain.approval_policy import satisfiable
from domain.arm import name_of
from domain.errors import GatewayError, RequestError
from domain.fix import FixPlan, difference
from domain.records import dump_plan, load_plan
from fixes.registry import target

REPLANS_AT_MOST = 20


class _LockedError(Exception):
    """Another run holds something that this one needs."""

    def __init__(self, holder: str, key: str) -> None:
        super().__init__(holder)
        self.holder = holder
        self.key = key


@dataclass(kw_only=True)
class Starting:
    """The driver ``approval``."""

    services: Services

    async def drive(self, approval_id: str) -> None:
        """Start an approved fix, or ask anew when the plan has changed."""
        services = self.services
        row = await services.store.get(t.approvals, approval_id)
        if row is None:
            return
        if row["state"] == State.REQUESTED:
            await deciding.on_due(services, approval_id)
            return
        if row["state"] != State.APPROVED:
            return
        approved = load_plan(row["plan"])
        if waits := self._frozen() or await self._held(approved):
            # Before the plan is made again: what another fix is doing would look like a change of the world.
            await self._later(row, row["tries"], waits)
            return
        try:
            plan = await plan_now(services, approved.fix, target(approved.item_id), approved.parameters)
        except RequestError as error:
            await self._cannot_start(row, f"It can no longer be done: {error}")
            return
        except GatewayError as error:
            if row["tries"] >= REPLANS_AT_MOST:
                await self._cannot_start(row, f"Azure could not be read to check the plan again: {error}")
            else:
                await self._later(row, row["tries"] + 1, f"Waiting to read Azure again: {error}")
            return
        if plan.problems:
            await self._cannot_start(row, f"It cannot run now: {'; '.join(plan.problems)}")
            return
        if not plan.calls:
            await self._cannot_start(row, f"Nothing is left to do: {'; '.join(plan.notes) or 'all is as it should be'}")
            return
        if plan.fingerprint(services.operator_client_id) != row["fingerprint"]:
            await self._ask_anew(row, approved, plan)
            return
        try:
            await self._enter_executing(row, plan)
        except _LockedError as locked:
            await self._later(row, row["tries"], _waits(locked.holder, locked.key))

    def _frozen(self) -> str:
        """Until when nothing may be changed, as a sentence; "" when it may."""
        freeze = self.services.frozen(self.services.clock.now())
        if freeze is None:
            return ""
        why = f" ({freeze.reason})" if freeze.reason else ""
        return f"No changes before {freeze.end:%Y-%m-%d %H:%M %Z}{why}"

    async def _held(self, plan: FixPlan) -> str:
        """On whom a plan has to wait, as a sentence; "" when everything that it changes is free."""
        async with self.services.store.begin() as tx:
            for key in plan.locks:
                if await tx.one(sa.select(t.locks.c.key).where(t.locks.c.key == key)) is not None:
                    return _waits(await self._holder(tx, key), key)
        return ""

    async def _later(self, row: Row, tries: int, note: str) -> None:
        async with self.services.store.begin() as tx:
            moved = await tx.move(
                t.approvals, row["id"], State.APPROVED, tries=tries, note=note, due_at=tx.now + self.services.poll
            )
            if moved and note != row["note"]:
                await telling.show(self.services, tx, row["id"])

    async def _cannot_start(self, row: Row, note: str) -> None:
        async with self.services.store.begin() as tx:
            if await tx.move(
                t.approvals, row["id"], State.APPROVED, state=State.FAILED, note=note, ended_at=tx.now, due_at=None
            ):
                tx.audit("approval.failed", row["id"], SYSTEM, {"why": note})
                await telling.show(self.services, tx, row["id"])

    async def _ask_anew(self, row: Row, approved: FixPlan, plan: FixPlan) -> None:
        services = self.services
        client_id = services.operator_client_id
        rule = rule_for(services, plan)
        decidable = satisfiable(rule, rows.approval(row).requesters)
        if rule is None or not decidable.allowed:
            await self._cannot_start(row, f"The plan changed, and nobody could approve the new one: {decidable.reason}")
            return
        changed = difference(approved, plan, client_id) or ("the identity that would do it has changed",)
        async with services.store.begin() as tx:
            expires, remind = tx.now + services.expires, tx.now + services.remind
            moved = await tx.move(
                t.approvals,
                row["id"],
                State.APPROVED,
                state=State.REQUESTED,
                **rows.plan_columns(plan, rule, client_id),
                revision=row["revision"] + 1,
                decision={"changed": list(changed)},
                decided_at=None,
                note="The plan changed after it was approved, so nothing was done; please look again",
                expires_at=expires,
                remind_at=remind,
                reminders=0,
                due_at=min(expires, remind),
            )
            if moved:
                tx.audit(
                    "approval.plan_changed",
                    row["id"],
                    SYSTEM,
                    {
                        "changed": list(changed),
                        "plan": plan.hashed(client_id),
                        "fingerprint": plan.fingerprint(client_id),
                    },
                )
                await telling.show(self.services, tx, row["id"])

    async def _enter_executing(self, row: Row, plan: FixPlan) -> None:
        run_id = new_id("RUN")
        async with self.services.store.begin() as tx:
            if not await tx.move(
                t.approvals, row["id"], State.APPROVED, state=State.EXECUTING, due_at=None, note="", tries=0
            ):
                return
            for key in plan.locks:
                if not await tx.insert_new(t.locks, key=key, run_id=run_id, taken_at=tx.now):
                    raise _LockedError(await self._holder(tx, key), key)
            await tx.insert(
                t.fix_runs,
                id=run_id,
                approval_id=row["id"],
                state="executing",
                plan=dump_plan(plan),
                steps=new_steps(plan.calls),
                started_at=tx.now,
                due_at=tx.now + LEASE,
            )
            await tx.execute(
                t.approval_targets.update().where(t.approval_targets.c.approval_id == row["id"]).values(run_id=run_id)
            )
            tx.audit(
                "run.started",
                row["id"],
                SYSTEM,
                {"run": run_id, "identity": self.services.operator_client_id, "locks": list(plan.locks)},
            )
            await telling.show(self.services, tx, row["id"])
            await tx.enqueue("run", run_id, "start")

    @staticmethod
    async def _holder(tx: Tx, key: str) -> str:
        """Who holds a lock, in words: the request and what it does."""
        found = await tx.one(
            sa.select(t.approvals.c.id, t.approvals.c.plan)
            .join(t.fix_runs, t.fix_runs.c.approval_id == t.approvals.c.id)
            .join(t.locks, t.locks.c.run_id == t.fix_runs.c.id)
            .where(t.locks.c.key == key)
        )
        return f"{found['id']} ({found['plan']['title']})" if found else "another fix"


def _waits(holder: str, key: str) -> str:
    return f"Waits for {holder}, which is changing {name_of(key)}"
