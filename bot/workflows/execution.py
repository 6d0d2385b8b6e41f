"""Doing exactly what was approved: send, follow, prove.

A run is driven in passes. Each pass reads the row, does the next thing, writes it down with compare-and-set on the row's
revision, and either goes on or sets ``due_at`` and ends. Before a call is sent its intention is stored; after a crash or a
lost answer the next pass *looks* whether the effect is there before anything is sent again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row
from bot.workflows import outcomes, rows
from bot.workflows.incidents import Incidents
from bot.workflows.proving import prove
from bot.workflows.runs import LostRaceError, Run, Step, Wait
from bot.workflows.services import Services
from domain.approval import State, StepState
from domain.canonical import Json
from domain.errors import GatewayError, GatewayUnavailable, OutcomeUnknown, Throttled
from domain.fix import FixPlan, Progress, Stage
from fixes.steps import send, step_for

BUGS_AT_MOST = 5
IN_TIME = timedelta(minutes=1)
"""A temporary right that would end sooner than this is not handed out any more."""
FINISHED = frozenset({StepState.DONE, StepState.FAILED, StepState.SKIPPED, StepState.UNCLEAR})


@dataclass(kw_only=True)
class Execution:
    """The driver ``run``."""

    services: Services
    incidents: Incidents
    _driving: set[str] = field(default_factory=set)

    async def drive(self, run_id: str) -> None:
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
                if await _pass(self._run(row)) is not None:
                    return
        except LostRaceError:
            return
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            # Whatever is wrong in here, a run must not hold its locks for ever: a person gets it in the end.
            self.services.log.exception("run_failed", run=run_id)
            await self._count_bug(run_id)
        finally:
            self._driving.discard(run_id)

    def _run(self, row: Row) -> Run:
        return Run.of(row, self.services, self.incidents.fix_ended)

    async def _count_bug(self, run_id: str) -> None:
        row = await self.services.store.get(t.fix_runs, run_id)
        if row is None or row["state"] != "executing":
            return
        if row["tries"] + 1 >= BUGS_AT_MOST:
            why = "the bot itself failed while it worked on this; the log has the details"
            try:
                await self._run(row).end(State.UNCLEAR, why)
            except LostRaceError:
                return
            return
        async with self.services.store.begin() as tx:
            await tx.execute(
                t.fix_runs.update()
                .where(t.fix_runs.c.id == run_id, t.fix_runs.c.state == "executing")
                .values(tries=row["tries"] + 1, due_at=tx.now + self.services.poll)
            )


async def _pass(run: Run) -> Wait | None:
    index = _next_step(run.plan, run.steps)
    if index is None:
        return await prove(run)
    match StepState(run.steps[index]["state"]):
        case StepState.SKIPPED:  # just decided by _next_step
            await run.save()
            return None
        case StepState.WAITING:
            return await _send(run, index)
        case StepState.INTENDED:
            return await outcomes.look(run, index)
        case _:
            return await _follow(run, index)


async def _send(run: Run, index: int) -> Wait | None:
    services, call, step = run.services, run.plan.calls[index], run.steps[index]
    now = services.clock.now()
    ready = _ready_at(run.plan, run.steps, index, services.role_settle)
    if ready > now:
        step["note"] = f"waiting until {ready:%H:%M:%S} UTC for the new right to take effect"
        return await run.save(due_at=ready)
    if services.operator is None:
        step |= {"state": StepState.FAILED.value, "note": "there is no operator identity any more"}
        return await run.save()
    if not services.may_change():
        return await run.save(due_at=now + services.poll, note="this replica waits for its heartbeat")
    until = rows.moment(run.plan.parameters.get("rights_until")) if call.revoke_on_expiry else None
    if until is not None and until <= now + IN_TIME:
        step |= {"state": StepState.FAILED.value, "note": "the time for which the right was wanted is over"}
        return await run.save()
    step |= {
        "state": StepState.INTENDED.value,
        "at": now.isoformat(),
        "intent_at": step.get("intent_at") or now.isoformat(),
        "sends": step.get("sends", 0) + 1,
        "note": "",
    }
    await run.intend(index, until)
    if not services.may_change():
        return Wait(until=now)  # frozen since it was written down: whoever is awake looks before it sends
    try:
        receipt = await send(call, services.operator)
    except OutcomeUnknown as error:
        services.log.warning("outcome_unknown", run=run.row["id"], step=index, code=error.code)
        step["note"] = f"the answer was lost, so the bot looks whether it happened: {error}"
        return await run.save(due_at=services.clock.now() + outcomes.LOOK_AGAIN)
    except (GatewayUnavailable, Throttled) as error:
        # Nothing left this machine, or Azure refused to take it: it is safe to try again later.
        wait = getattr(error, "retry_after", None) or services.poll
        step |= {"note": str(error), "state": StepState.WAITING.value}
        if isinstance(error, Throttled):
            step["sends"] -= 1
        elif step["sends"] >= outcomes.sends_at_most(call):
            step["state"] = StepState.FAILED.value
            return await run.save()
        return await run.save(due_at=services.clock.now() + wait)
    except GatewayError as error:
        return await outcomes.refused(run, index, error)
    step |= {
        "state": StepState.SENT.value,
        "reference": {"operation_id": receipt.operation_id} if receipt.operation_id else {},
        "note": "accepted by Azure",
    }
    data: dict[str, Json] = {
        "step": index + 1,
        "method": call.method,
        "resource": call.resource,
        "status": receipt.status,
        "correlation_id": receipt.correlation_id,
        "identity": services.operator_client_id,
    }
    return await run.save(event="run.sent", data=data)


async def _follow(run: Run, index: int) -> Wait | None:
    services, call, step = run.services, run.plan.calls[index], run.steps[index]
    since = rows.moment(step["intent_at"]) or services.clock.now()
    # A compensation has the same time for itself, however late it comes.
    over = run.over(since if call.always else run.row["started_at"])
    try:
        progress: Progress = await step_for(call.kind).follow(call, step["reference"], since, services.read())
    except GatewayError as error:
        if over:
            step |= {
                "state": StepState.UNCLEAR.value,
                "note": f"its progress cannot be read: {error}",
                "percent": None,
            }
            return await run.save()
        wait = getattr(error, "retry_after", None) or services.poll
        step["note"] = f"could not look at its progress: {error}"
        return await run.save(due_at=services.clock.now() + wait)
    if progress.reference:
        step["reference"] = dict(progress.reference)
    step |= {"note": progress.note, "percent": progress.percent}
    match progress.stage:
        case Stage.RUNNING if over:
            # A request ends visibly also when Azure never comes to an end; its locks are not kept for ever.
            note = f"it did not end in time: {progress.note}"
            step |= {"state": StepState.UNCLEAR.value, "late": True, "note": note, "percent": None}
            return await run.save()
        case Stage.RUNNING:
            due = services.clock.now() + services.poll
            return await run.save(due_at=due)
        case Stage.DONE:
            step |= {"state": StepState.DONE.value, "done_at": services.clock.now().isoformat(), "percent": None}
        case Stage.FAILED:
            step |= {"state": StepState.FAILED.value, "code": progress.code, "percent": None}
    data: dict[str, Json] = {
        "step": index + 1,
        "note": progress.note,
        "reference": dict(step["reference"]),
        "code": progress.code,
    }
    return await run.save(event=f"run.{progress.stage.value}", data=data)


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
