"""Doing exactly what was approved: plan again, compare, lock, send, follow, prove.

A run is driven in passes. Each pass reads the row, does the next thing, writes it down with compare-and-set on the row's
revision, and either goes on or sets ``due_at`` and ends. Before a call is sent its intention is stored; after a crash or a
lost answer the next pass *looks* whether the effect is there before anything is sent again.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row, Tx, new_id
from bot.workflows import deciding, rows, telling
from bot.workflows.incidents import Incidents
from bot.workflows.planning import plan_now, rule_for
from bot.workflows.services import Services
from bot.workflows.ticker import LEASE
from domain.actor import SYSTEM
from domain.approval import State, StepState
from domain.approval_policy import satisfiable
from domain.arm import name_of
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    OutcomeUnknown,
    RequestError,
    Throttled,
)
from domain.fix import Call, FixPlan, Progress, RunFacts, Seen, Stage, difference
from domain.records import dump_call, dump_plan, load_plan
from fixes.assignments import revocation
from fixes.registry import target
from fixes.steps import LIST_LAG, send, step_for

LOOK_AGAIN = timedelta(seconds=5)
LOOKS_BEFORE_SENDING_AGAIN = 3
LOOKS_BEFORE_UNCLEAR = 60
SENDS_AT_MOST = 3
SENDS_OF_COMPENSATIONS = 20
"""What puts things back is tried much longer: giving up would leave a lock off."""
REPLANS_AT_MOST = 20
BUGS_AT_MOST = 5
IN_TIME = timedelta(minutes=1)
"""A temporary right that would end sooner than this is not handed out any more."""
FINISHED = frozenset({StepState.DONE, StepState.FAILED, StepState.SKIPPED, StepState.UNCLEAR})
IDEMPOTENT = frozenset({"PUT", "DELETE", "PATCH"})

Step = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Wait:
    """Nothing to do before ``until``."""

    until: datetime


class _LostRaceError(Exception):
    """Another pass wrote the row first; this one has nothing more to say."""


class _LockedError(Exception):
    """Another run holds something that this one needs."""

    def __init__(self, holder: str, key: str) -> None:
        super().__init__(holder)
        self.holder = holder
        self.key = key


@dataclass(kw_only=True)
class Execution:
    """The drivers ``approval`` and ``run``."""

    services: Services
    incidents: Incidents
    _driving: set[str] = field(default_factory=set)

    # -- from approved to executing ------------------------------------------------------------------------------

    async def drive_approval(self, approval_id: str) -> None:
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
                steps=[{"state": StepState.WAITING.value, "reference": {}} for _ in plan.calls],
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

    # -- one pass after another ----------------------------------------------------------------------------------

    async def drive_run(self, run_id: str) -> None:
        """Go on with a run as far as it goes now.

        One drive at a time within this process: a lease that ran out while a call is under way must not send it again.
        """
        if run_id in self._driving:
            return
        self._driving.add(run_id)
        try:
            while True:
                row = await self.services.store.get(t.fix_runs, run_id)
                if row is None or row["state"] != "executing":
                    return
                if await self._pass(row) is not None:
                    return
        except _LostRaceError:
            return
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            # Whatever is wrong in here, a run must not hold its locks for ever: a person gets it in the end.
            self.services.log.exception("run_failed", run=run_id)
            await self._count_bug(run_id)
        finally:
            self._driving.discard(run_id)

    async def _count_bug(self, run_id: str) -> None:
        row = await self.services.store.get(t.fix_runs, run_id)
        if row is None or row["state"] != "executing":
            return
        if row["tries"] + 1 >= BUGS_AT_MOST:
            why = "the bot itself failed while it worked on this; the log has the details"
            try:
                await self._end(row, load_plan(row["plan"]), list(row["steps"]), State.UNCLEAR, why, {})
            except _LostRaceError:
                return
            return
        async with self.services.store.begin() as tx:
            await tx.execute(
                t.fix_runs.update()
                .where(t.fix_runs.c.id == run_id, t.fix_runs.c.state == "executing")
                .values(tries=row["tries"] + 1, due_at=tx.now + self.services.poll)
            )

    async def _pass(self, row: Row) -> _Wait | None:
        plan = load_plan(row["plan"])
        steps: list[Step] = [dict(step) for step in row["steps"]]
        index = _next_step(plan, steps)
        if index is None:
            return await self._prove(row, plan, steps)
        if steps[index]["state"] == StepState.SKIPPED:  # just decided by _next_step
            await self._save(row, steps)
            return None
        match StepState(steps[index]["state"]):
            case StepState.WAITING:
                return await self._send(row, plan, steps, index)
            case StepState.INTENDED:
                return await self._look(row, plan, steps, index)
            case _:
                return await self._follow(row, plan, steps, index)

    async def _send(self, row: Row, plan: FixPlan, steps: list[Step], index: int) -> _Wait | None:
        services, call, step = self.services, plan.calls[index], steps[index]
        now = services.clock.now()
        ready = _ready_at(plan, steps, index, services.role_settle)
        if ready > now:
            step["note"] = f"waiting until {ready:%H:%M:%S} UTC for the new right to take effect"
            return await self._save(row, steps, due_at=ready)
        if services.operator is None:
            step |= {"state": StepState.FAILED.value, "note": "there is no operator identity any more"}
            return await self._save(row, steps)
        if not services.may_change():
            return await self._save(row, steps, due_at=now + services.poll, note="this replica waits for its heartbeat")
        until = rows.moment(plan.parameters.get("rights_until")) if call.revoke_on_expiry else None
        if until is not None and until <= now + IN_TIME:
            step |= {"state": StepState.FAILED.value, "note": "the time for which the right was wanted is over"}
            return await self._save(row, steps)
        step |= {
            "state": StepState.INTENDED.value,
            "at": now.isoformat(),
            "intent_at": step.get("intent_at") or now.isoformat(),
            "sends": step.get("sends", 0) + 1,
            "note": "",
        }
        row = await self._intend(row, plan, steps, index, until)
        if not services.may_change():
            return _Wait(until=now)  # frozen since it was written down: whoever is awake looks before it sends
        try:
            receipt = await send(call, services.operator)
        except OutcomeUnknown as error:
            services.log.warning("outcome_unknown", run=row["id"], step=index, code=error.code)
            step["note"] = f"the answer was lost, so the bot looks whether it happened: {error}"
            return await self._save(row, steps, due_at=services.clock.now() + LOOK_AGAIN)
        except (GatewayUnavailable, Throttled) as error:
            # Nothing left this machine, or Azure refused to take it: it is safe to try again later.
            wait = getattr(error, "retry_after", None) or services.poll
            step |= {"note": str(error), "state": StepState.WAITING.value}
            if isinstance(error, Throttled):
                step["sends"] -= 1
            elif step["sends"] >= _sends_at_most(call):
                step["state"] = StepState.FAILED.value
                return await self._save(row, steps)
            return await self._save(row, steps, due_at=services.clock.now() + wait)
        except GatewayError as error:
            return await self._refused(row, plan, steps, index, error)
        step |= {
            "state": StepState.SENT.value,
            "reference": {"operation_id": receipt.operation_id} if receipt.operation_id else {},
            "note": "accepted by Azure",
        }
        async with services.store.begin() as tx:
            tx.audit(
                "run.sent",
                row["approval_id"],
                SYSTEM,
                {
                    "run": row["id"],
                    "step": index + 1,
                    "method": call.method,
                    "resource": call.resource,
                    "status": receipt.status,
                    "correlation_id": receipt.correlation_id,
                    "identity": services.operator_client_id,
                },
            )
            await self._save_in(tx, row, steps, due_at=tx.now + LEASE)
        return None

    async def _refused(
        self, row: Row, plan: FixPlan, steps: list[Step], index: int, error: GatewayError
    ) -> _Wait | None:
        """Azure said no. A conflict may mean that what we want is there already."""
        step, call = steps[index], plan.calls[index]
        if isinstance(error, Conflict | BadRequest):
            seen = await self._seen(call, step)
            if seen.there:
                step |= {"state": StepState.SENT.value, "reference": dict(seen.reference), "note": seen.note}
                return await self._save(row, steps)
        step |= {"state": StepState.FAILED.value, "note": f"Azure refused: {error}", "code": error.code}
        async with self.services.store.begin() as tx:
            tx.audit(
                "run.refused",
                row["approval_id"],
                SYSTEM,
                {"run": row["id"], "step": index + 1, "code": error.code, "correlation_id": error.correlation_id},
            )
            await self._save_in(tx, row, steps)
        return None

    async def _seen(self, call: Call, step: Step) -> Seen:
        now = self.services.clock.now()
        since, last = rows.moment(step["intent_at"]) or now, rows.moment(step.get("at")) or now
        try:
            return await step_for(call.kind).look(call, since, self.services.read(), settled=now - last > LIST_LAG)
        except GatewayError as error:
            return Seen(there=None, note=f"could not look: {error}")

    async def _look(self, row: Row, plan: FixPlan, steps: list[Step], index: int) -> _Wait | None:
        """The intention is written, the outcome is not: find out what happened."""
        step, call = steps[index], plan.calls[index]
        seen = await self._seen(call, step)
        looks = step.get("looks", 0) + 1
        step["looks"] = looks
        if seen.there:
            step |= {
                "state": StepState.SENT.value,
                "reference": dict(seen.reference),
                "note": seen.note or "found in Azure: it had happened",
                "looks": 0,
            }
            async with self.services.store.begin() as tx:
                tx.audit(
                    "run.found",
                    row["approval_id"],
                    SYSTEM,
                    {"run": row["id"], "step": index + 1, "found": dict(seen.reference)},
                )
                await self._save_in(tx, row, steps, due_at=tx.now + LEASE)
            return None
        if seen.there is False or (call.method in IDEMPOTENT and looks >= LOOKS_BEFORE_SENDING_AGAIN):
            if step.get("sends", 1) >= _sends_at_most(call):
                step |= {
                    "state": StepState.FAILED.value,
                    "note": f"sent {step.get('sends', 1)} times without effect; {seen.note}",
                }
            else:
                step |= {"state": StepState.WAITING.value, "looks": 0, "note": "it had not happened; sending again"}
            return await self._save(row, steps)
        if looks >= LOOKS_BEFORE_UNCLEAR:
            step |= {"state": StepState.UNCLEAR.value, "note": f"whether it happened cannot be told: {seen.note}"}
            return await self._save(row, steps)
        step["note"] = f"looking whether it happened ({looks}): {seen.note}"
        return await self._save(row, steps, due_at=self.services.clock.now() + LOOK_AGAIN)

    async def _follow(self, row: Row, plan: FixPlan, steps: list[Step], index: int) -> _Wait | None:
        services, call, step = self.services, plan.calls[index], steps[index]
        since = rows.moment(step["intent_at"]) or services.clock.now()
        # A compensation has the same time for itself, however late it comes.
        over = self._over(plan, since if call.always else row["started_at"])
        try:
            progress: Progress = await step_for(call.kind).follow(call, step["reference"], since, services.read())
        except GatewayError as error:
            if over:
                step |= {
                    "state": StepState.UNCLEAR.value,
                    "note": f"its progress cannot be read: {error}",
                    "percent": None,
                }
                return await self._save(row, steps)
            wait = getattr(error, "retry_after", None) or services.poll
            step["note"] = f"could not look at its progress: {error}"
            return await self._save(row, steps, due_at=services.clock.now() + wait)
        if progress.reference:
            step["reference"] = dict(progress.reference)
        step |= {"note": progress.note, "percent": progress.percent}
        match progress.stage:
            case Stage.RUNNING if over:
                # A request ends visibly also when Azure never comes to an end; its locks are not kept for ever.
                note = f"it did not end in time: {progress.note}"
                step |= {"state": StepState.UNCLEAR.value, "late": True, "note": note, "percent": None}
                return await self._save(row, steps)
            case Stage.RUNNING:
                due = services.clock.now() + services.poll
                return await self._save(row, steps, due_at=due)
            case Stage.DONE:
                step |= {"state": StepState.DONE.value, "done_at": services.clock.now().isoformat(), "percent": None}
            case Stage.FAILED:
                step |= {"state": StepState.FAILED.value, "code": progress.code, "percent": None}
        async with services.store.begin() as tx:
            tx.audit(
                f"run.{progress.stage.value}",
                row["approval_id"],
                SYSTEM,
                {
                    "run": row["id"],
                    "step": index + 1,
                    "note": progress.note,
                    "reference": dict(step["reference"]),
                    "code": progress.code,
                },
            )
            await self._save_in(tx, row, steps, due_at=tx.now + LEASE)
        return None

    def _over(self, plan: FixPlan, since: datetime) -> bool:
        """Whether the time in which a run must come to its end has passed."""
        return self.services.clock.now() - since >= self.services.proof_within + plan.duration

    async def _prove(self, row: Row, plan: FixPlan, steps: list[Step]) -> _Wait | None:
        services = self.services
        bad = [step for step in steps if step["state"] in {StepState.FAILED, StepState.UNCLEAR}]
        if bad:
            notes = "; ".join(dict.fromkeys(step["note"] for step in bad))
            return await self._end(row, plan, steps, _state_of(bad), notes, {})
        now = services.clock.now()
        facts = RunFacts(started_at=row["started_at"], references=tuple(step["reference"] for step in steps))
        fix = services.fixes.get(plan.fix)
        if fix is None:
            return await self._end(row, plan, steps, State.UNPROVED, f"this version knows no fix {plan.fix}", {})
        try:
            proof = await fix.verify(plan, facts, services.read(), now)
        except GatewayError as error:
            return await self._unproved_yet(row, plan, steps, f"the proof could not be read: {error}")
        if proof.proved is True:
            return await self._end(row, plan, steps, State.PROVED, proof.summary, dict(proof.evidence))
        if proof.proved is False:
            return await self._end(row, plan, steps, State.UNPROVED, proof.summary, dict(proof.evidence))
        return await self._unproved_yet(row, plan, steps, proof.summary)

    async def _unproved_yet(self, row: Row, plan: FixPlan, steps: list[Step], missing: str) -> _Wait | None:
        if self._over(plan, row["started_at"]):
            return await self._end(row, plan, steps, State.UNPROVED, f"not proved in time: {missing}", {})
        due = self.services.clock.now() + self.services.poll
        return await self._save(row, steps, due_at=due, note=f"waiting for the proof: {missing}")

    # -- writing -------------------------------------------------------------------------------------------------

    async def _intend(
        self, row: Row, plan: FixPlan, steps: list[Step], index: int, until: datetime | None
    ) -> dict[str, Any]:
        """Write the intention, and before a temporary right its revoke, in one transaction; the row as it is then."""
        call = plan.calls[index]
        async with self.services.store.begin() as tx:
            if until is not None and await tx.insert_new(
                t.grants,
                id=grant_id(row["id"], index),
                run_id=row["id"],
                call=dump_call(revocation(call)),
                what=call.purpose,
                state="armed",
                due_at=until,
            ):
                tx.audit(
                    "grant.revoke_stored",
                    row["approval_id"],
                    SYSTEM,
                    {"run": row["id"], "until": until.isoformat(), "resource": call.resource},
                )
            tx.audit(
                "run.intended",
                row["approval_id"],
                SYSTEM,
                {
                    "run": row["id"],
                    "step": index + 1,
                    "method": call.method,
                    "resource": call.resource,
                    "body": _hashable(call.body),
                },
            )
            await self._save_in(tx, row, steps, due_at=tx.now + LEASE)
        # Not read again: whoever wrote in between must win over what follows here.
        return {**row, "steps": deepcopy(steps), "note": "", "revision": row["revision"] + 1}

    async def _save(
        self, row: Row, steps: list[Step], *, due_at: datetime | None = None, note: str = ""
    ) -> _Wait | None:
        """Write a pass down; with ``due_at`` the pass ends until then."""
        async with self.services.store.begin() as tx:
            await self._save_in(tx, row, steps, due_at=due_at or tx.now + LEASE, note=note)
        return _Wait(until=due_at) if due_at is not None else None

    async def _save_in(
        self, tx: Tx, row: Row, steps: Sequence[Step], *, due_at: datetime | None = None, note: str = ""
    ) -> None:
        changed = list(steps) != list(row["steps"]) or note != row["note"]
        await _write(tx, row, steps=list(steps), due_at=due_at or tx.now + LEASE, note=note)
        if changed:
            await telling.show(self.services, tx, row["approval_id"])

    async def _end(
        self, row: Row, plan: FixPlan, steps: list[Step], state: State, summary: str, evidence: Mapping[str, str]
    ) -> _Wait | None:
        services = self.services
        async with services.store.begin() as tx:
            await _write(
                tx,
                row,
                state=state.value,
                steps=steps,
                ended_at=tx.now,
                due_at=None,
                note=summary,
                proof={"summary": summary, "evidence": dict(evidence)},
            )
            await tx.execute(t.locks.delete().where(t.locks.c.run_id == row["id"]))
            await tx.move(
                t.approvals,
                row["approval_id"],
                State.EXECUTING,
                state=state,
                note=summary,
                ended_at=tx.now,
                due_at=None,
            )
            tx.audit(
                f"run.{state.value}",
                row["approval_id"],
                SYSTEM,
                {"run": row["id"], "summary": summary, "evidence": dict(evidence)},
            )
            await telling.show(self.services, tx, row["approval_id"])
            await self.incidents.fix_ended(tx, row["approval_id"], plan, state, summary)
        return _Wait(until=services.clock.now())


async def _write(tx: Tx, row: Row, **values: Any) -> None:  # noqa: ANN401  (columns)
    """Compare and set the run's row; raises `_LostRaceError` when somebody else wrote it since it was read."""
    runs = t.fix_runs
    result = await tx.execute(
        runs.update()
        .where(runs.c.id == row["id"], runs.c.revision == row["revision"], runs.c.state == "executing")
        .values(revision=row["revision"] + 1, **values)
    )
    if result.rowcount != 1:
        raise _LostRaceError


def _next_step(plan: FixPlan, steps: list[Step]) -> int | None:
    """The step to work on; after a failure only compensations are left, and the others are marked as skipped."""
    broken = any(step["state"] in {StepState.FAILED, StepState.UNCLEAR} for step in steps)
    for index, step in enumerate(steps):
        if StepState(step["state"]) in FINISHED:
            continue
        if broken and not plan.calls[index].always and step["state"] == StepState.WAITING:
            step |= {"state": StepState.SKIPPED.value, "note": "not done, since a step before it did not succeed"}
            return index
        return index
    return None


def _ready_at(plan: FixPlan, steps: list[Step], index: int, settle: timedelta) -> datetime:
    """When the rights granted by earlier steps have had time to reach every service."""
    ready = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    for call, step in zip(plan.calls[:index], steps[:index], strict=True):
        if call.settle and step.get("done_at"):
            ready = max(ready, datetime.fromisoformat(step["done_at"]) + settle)
    return ready


def _state_of(bad: Sequence[Step]) -> State:
    """How a run ends whose steps did not all go well: begun and never over is unproved, not unclear."""
    if any(step["state"] == StepState.FAILED for step in bad):
        return State.FAILED
    return State.UNPROVED if all(step.get("late") for step in bad) else State.UNCLEAR


def _waits(holder: str, key: str) -> str:
    return f"Waits for {holder}, which is changing {name_of(key)}"


def grant_id(run_id: str, index: int) -> str:
    """The id of the row that takes back what a run's call hands out."""
    return f"{run_id}-{index + 1}"


def _sends_at_most(call: Call) -> int:
    return SENDS_OF_COMPENSATIONS if call.always else SENDS_AT_MOST


def _hashable(body: Any) -> Any:  # noqa: ANN401  (JSON)
    """A body without floating point numbers, which have no canonical form."""
    if isinstance(body, float):
        return str(body)
    if isinstance(body, Mapping):
        return {name: _hashable(value) for name, value in body.items()}
    return [_hashable(one) for one in body] if isinstance(body, list | tuple) else body
