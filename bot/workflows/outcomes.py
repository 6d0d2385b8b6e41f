"""A call whose outcome is not known, or that Azure refused: look whether its effect is there before anything else."""

from datetime import timedelta

from bot.workflows import rows
from bot.workflows.runs import Run, Step, Wait
from domain.approval import StepState
from domain.canonical import Json
from domain.errors import BadRequest, Conflict, GatewayError
from domain.fix import Call, Seen
from fixes.steps import LIST_LAG, step_for

LOOK_AGAIN = timedelta(seconds=5)
LOOKS_BEFORE_SENDING_AGAIN = 3
LOOKS_BEFORE_UNCLEAR = 60
SENDS_AT_MOST = 3
SENDS_OF_COMPENSATIONS = 20
"""What puts things back is tried much longer: giving up would leave a lock off."""
IDEMPOTENT = frozenset({"PUT", "DELETE", "PATCH"})


async def refused(run: Run, index: int, error: GatewayError) -> Wait | None:
    """Azure said no. A conflict may mean that what we want is there already."""
    step, call = run.steps[index], run.plan.calls[index]
    if isinstance(error, Conflict | BadRequest):
        seen = await _seen(run, call, step)
        if seen.there:
            step |= {"state": StepState.SENT.value, "reference": dict(seen.reference), "note": seen.note}
            return await run.save()
    step |= {"state": StepState.FAILED.value, "note": f"Azure refused: {error}", "code": error.code}
    data: dict[str, Json] = {"step": index + 1, "code": error.code, "correlation_id": error.correlation_id}
    return await run.save(event="run.refused", data=data)


async def look(run: Run, index: int) -> Wait | None:
    """The intention is written, the outcome is not: find out what happened."""
    step, call = run.steps[index], run.plan.calls[index]
    seen = await _seen(run, call, step)
    looks = step.get("looks", 0) + 1
    step["looks"] = looks
    if seen.there:
        step |= {
            "state": StepState.SENT.value,
            "reference": dict(seen.reference),
            "note": seen.note or "found in Azure: it had happened",
            "looks": 0,
        }
        return await run.save(event="run.found", data={"step": index + 1, "found": dict(seen.reference)})
    if seen.there is False or (call.method in IDEMPOTENT and looks >= LOOKS_BEFORE_SENDING_AGAIN):
        if step.get("sends", 1) >= sends_at_most(call):
            step |= {
                "state": StepState.FAILED.value,
                "note": f"sent {step.get('sends', 1)} times without effect; {seen.note}",
            }
        else:
            step |= {"state": StepState.WAITING.value, "looks": 0, "note": "it had not happened; sending again"}
        return await run.save()
    if looks >= LOOKS_BEFORE_UNCLEAR:
        step |= {"state": StepState.UNCLEAR.value, "note": f"whether it happened cannot be told: {seen.note}"}
        return await run.save()
    step["note"] = f"looking whether it happened ({looks}): {seen.note}"
    return await run.save(due_at=run.services.clock.now() + LOOK_AGAIN)


async def _seen(run: Run, call: Call, step: Step) -> Seen:
    now = run.services.clock.now()
    since, last = rows.moment(step["intent_at"]) or now, rows.moment(step.get("at")) or now
    try:
        return await step_for(call.kind).look(call, since, run.services.read(), settled=now - last > LIST_LAG)
    except GatewayError as error:
        return Seen(there=None, note=f"could not look: {error}")


def sends_at_most(call: Call) -> int:
    """How often a call is sent before it counts as failed."""
    return SENDS_OF_COMPENSATIONS if call.always else SENDS_AT_MOST
