"""A run's row as one pass works on it, and every way to write down what came of the pass.

Every write compares and sets the row's revision: of two passes with the same row one writes, the other one has nothing
more to say.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.store import tables as t
from bot.store.store import Row, Tx
from bot.workflows import telling
from bot.workflows.services import Services
from bot.workflows.ticker import LEASE
from domain.actor import SYSTEM
from domain.approval import State, StepState
from domain.canonical import Json
from domain.fix import Call, FixPlan
from domain.records import dump_call, load_plan
from fixes.assignments import revocation

Step = dict[str, Any]
Ended = Callable[[Tx, str, FixPlan, State, str], Awaitable[None]]
"""Called in the transaction that ends a run: the request's id, the plan, how it ended, and that in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to do before ``until``."""

    until: datetime


class LostRaceError(Exception):
    """Another pass wrote the row first; this one has nothing more to say."""


@dataclass(kw_only=True)
class Run:
    """One pass over a run. ``row`` is as it was read, ``steps`` as this pass changes them."""

    services: Services
    row: Row
    plan: FixPlan
    steps: list[Step]
    ended: Ended

    @classmethod
    def of(cls, row: Row, services: Services, ended: Ended) -> "Run":
        """The run in a row."""
        steps = [dict(step) for step in row["steps"]]
        return cls(services=services, row=row, plan=load_plan(row["plan"]), steps=steps, ended=ended)

    def over(self, since: datetime) -> bool:
        """Whether the time in which a run that began ``since`` must come to its end has passed."""
        return self.services.clock.now() - since >= self.services.proof_within + self.plan.duration

    async def save(
        self,
        *,
        due_at: datetime | None = None,
        note: str = "",
        event: str = "",
        data: Mapping[str, Json] | None = None,
    ) -> Wait | None:
        """Write the pass down, with a line of the record where there is an ``event``; with ``due_at`` it ends until then."""
        async with self.services.store.begin() as tx:
            if event:
                self._audit(tx, event, data or {})
            await self._save_in(tx, due_at or tx.now + LEASE, note)
        return Wait(until=due_at) if due_at is not None else None

    async def intend(self, index: int, until: datetime | None) -> None:
        """Write the intention, and before a temporary right its revoke, in one transaction."""
        call = self.plan.calls[index]
        async with self.services.store.begin() as tx:
            if until is not None and await tx.insert_new(
                t.grants,
                id=grant_id(self.row["id"], index),
                run_id=self.row["id"],
                call=dump_call(revocation(call)),
                what=call.purpose,
                state="armed",
                due_at=until,
            ):
                self._audit(tx, "grant.revoke_stored", {"until": until.isoformat(), "resource": call.resource})
            data = {
                "step": index + 1,
                "method": call.method,
                "resource": call.resource,
                "body": _hashable(call.body),
            }
            self._audit(tx, "run.intended", data)
            await self._save_in(tx, tx.now + LEASE, "")
        # Not read again: whoever wrote in between must win over what follows here.
        self.row = {**self.row, "steps": deepcopy(self.steps), "note": "", "revision": self.row["revision"] + 1}

    async def end(self, state: State, summary: str, evidence: Mapping[str, str] | None = None) -> Wait:
        """The run and its request have ended: locks are given back, and whoever waits for the end is told."""
        approval_id = self.row["approval_id"]
        proof: dict[str, Json] = {"summary": summary, "evidence": dict(evidence or {})}
        async with self.services.store.begin() as tx:
            await self._write(
                tx,
                state=state.value,
                steps=self.steps,
                ended_at=tx.now,
                due_at=None,
                note=summary,
                proof=proof,
            )
            await tx.execute(t.locks.delete().where(t.locks.c.run_id == self.row["id"]))
            await tx.move(
                t.approvals, approval_id, State.EXECUTING, state=state, note=summary, ended_at=tx.now, due_at=None
            )
            self._audit(tx, f"run.{state.value}", proof)
            await telling.show(self.services, tx, approval_id)
            await self.ended(tx, approval_id, self.plan, state, summary)
        return Wait(until=self.services.clock.now())

    def _audit(self, tx: Tx, event: str, data: Mapping[str, Json]) -> None:
        tx.audit(event, self.row["approval_id"], SYSTEM, {"run": self.row["id"], **data})

    async def _save_in(self, tx: Tx, due_at: datetime, note: str) -> None:
        changed = self.steps != list(self.row["steps"]) or note != self.row["note"]
        await self._write(tx, steps=self.steps, due_at=due_at, note=note)
        if changed:
            await telling.show(self.services, tx, self.row["approval_id"])

    async def _write(self, tx: Tx, **values: Any) -> None:  # noqa: ANN401  (columns)
        runs, row = t.fix_runs, self.row
        result = await tx.execute(
            runs.update()
            .where(runs.c.id == row["id"], runs.c.revision == row["revision"], runs.c.state == "executing")
            .values(revision=row["revision"] + 1, **values)
        )
        if result.rowcount != 1:
            raise LostRaceError


def new_steps(calls: Sequence[Call]) -> list[Step]:
    """The steps of a run that begins."""
    return [{"state": StepState.WAITING.value, "reference": {}} for _ in calls]


def grant_id(run_id: str, index: int) -> str:
    """The id of the row that takes back what a run's call hands out."""
    return f"{run_id}-{index + 1}"


def _hashable(body: Any) -> Any:  # noqa: ANN401  (JSON)
    """A body without floating point numbers, which have no canonical form."""
    if isinstance(body, float):
        return str(body)
    if isinstance(body, Mapping):
        return {name: _hashable(value) for name, value in body.items()}
    return [_hashable(one) for one in body] if isinstance(body, list | tuple) else body
