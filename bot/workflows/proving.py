"""When every step of a run has ended: how it went, and whether Azure shows that it worked."""

from collections.abc import Sequence

from bot.workflows.runs import Run, Step, Wait
from domain.approval import State, StepState
from domain.errors import GatewayError
from domain.fix import RunFacts


async def prove(run: Run) -> Wait | None:
    """End the run as its steps or its proof say, or wait for the proof."""
    services = run.services
    bad = [step for step in run.steps if step["state"] in {StepState.FAILED, StepState.UNCLEAR}]
    if bad:
        return await run.end(_state_of(bad), "; ".join(dict.fromkeys(step["note"] for step in bad)))
    now = services.clock.now()
    facts = RunFacts(started_at=run.row["started_at"], references=tuple(step["reference"] for step in run.steps))
    fix = services.fixes.get(run.plan.fix)
    if fix is None:
        return await run.end(State.UNPROVED, f"this version knows no fix {run.plan.fix}")
    try:
        proof = await fix.verify(run.plan, facts, services.read(), now)
    except GatewayError as error:
        return await _unproved_yet(run, f"the proof could not be read: {error}")
    if proof.proved is None:
        return await _unproved_yet(run, proof.summary)
    return await run.end(State.PROVED if proof.proved else State.UNPROVED, proof.summary, proof.evidence)


async def _unproved_yet(run: Run, missing: str) -> Wait | None:
    if run.over(run.row["started_at"]):
        return await run.end(State.UNPROVED, f"not proved in time: {missing}")
    due = run.services.clock.now() + run.services.poll
    return await run.save(due_at=due, note=f"waiting for the proof: {missing}")


def _state_of(bad: Sequence[Step]) -> State:
    """How a run ends whose steps did not all go well: begun and never over is unproved, not unclear."""
    if any(step["state"] == StepState.FAILED for step in bad):
        return State.FAILED
    return State.UNPROVED if all(step.get("late") for step in bad) else State.UNCLEAR
