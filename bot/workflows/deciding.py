"""What becomes of a request that waits: people decide it, or its time passes.

Every change is one transaction with its audit line.
"""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row, Tx
from bot.workflows import rows, telling
from bot.workflows.planning import rule_for
from bot.workflows.services import Services
from bot.workflows.standing import standing_of
from bot.workflows.ticker import LEASE
from domain.actor import SYSTEM, Actor
from domain.approval import Approval, State, Vote
from domain.approval_policy import Decision, may_approve, may_break_glass
from domain.durations import format_duration
from domain.errors import AlreadyDecided, NotAllowed, NotFound, RequestError

CHANGED = "It was changed while you were looking, so your click changed nothing: please look again."
DECISIONS = ("approve", "reject", "withdraw", "break_glass")


async def request_of(services: Services, approval_id: str) -> Approval:
    """One request.

    Raises:
        NotFound: there is none of that id.
    """
    row = await services.store.get(t.approvals, approval_id)
    if row is None:
        raise NotFound(f"There is no request {approval_id}.")
    return rows.approval(row)


async def decide(
    services: Services, approval_id: str, decision: str, actor: Actor, *, reason: str = "", shown: str = ""
) -> Approval:
    """Approve, reject, withdraw or break glass.

    ``shown`` is the beginning of the fingerprint of the plan that the person saw; a plan that has been edited since is
    not decided by that click.

    Raises:
        ValueError: there is no such decision.
        NotFound: no such request.
        AlreadyDecided: somebody was first; the text says who.
        NotAllowed: this person may not; the text says why. The refusal is in the audit.
    """
    if decision not in DECISIONS:
        raise ValueError(f"there is no decision {decision}")
    before = await request_of(services, approval_id)
    if before.state is not State.REQUESTED:
        raise AlreadyDecided(who_decided(before))
    if not before.fingerprint.startswith(shown):
        raise AlreadyDecided(CHANGED)
    verdict = await may(services, decision, before, actor)
    if not verdict.allowed:
        async with services.store.begin() as tx:
            tx.audit("approval.refused_click", approval_id, actor, {"decision": decision, "why": verdict.reason})
        raise NotAllowed(f"Nothing was changed: {verdict.reason}.")
    if decision == "break_glass" and not reason.strip():
        raise RequestError("An emergency approval needs a reason.")
    async with services.store.begin() as tx:
        done = await decide_in(services, tx, before, decision, actor, verdict, reason)
    if done is None:
        current = await request_of(services, approval_id)
        raise AlreadyDecided(CHANGED if current.state is State.REQUESTED else who_decided(current))
    return done


async def may(services: Services, decision: str, before: Approval, actor: Actor) -> Decision:
    """Whether this person may decide so about a request as it stood ``before``."""
    plan, rule = before.plan, rule_for(services, before.plan)
    if decision == "withdraw":
        own = any(actor.is_same_human(one) for one in before.requesters)
        return Decision(allowed=own, reason="you asked for it" if own else "only who asked for it may withdraw it")
    if rule is None:
        return Decision(allowed=False, reason="no approval rule covers this fix any more, so nobody may decide")
    if decision == "break_glass":
        return may_break_glass(rule, actor, await standing_of(services, actor, rule.break_glass, plan))
    standing = await standing_of(services, actor, rule.approvers, plan)
    already = [vote.actor for vote in before.votes]
    if decision == "reject":
        # Whoever may approve may also say no, their own request and a first vote included.
        lenient = replace(rule, self_approval=True)
        return may_approve(lenient, actor, standing, requesters=before.requesters)
    return may_approve(rule, actor, standing, requesters=before.requesters, already=already)


async def decide_in(
    services: Services, tx: Tx, before: Approval, decision: str, actor: Actor, verdict: Decision, reason: str
) -> Approval | None:
    """Within the transaction, with the row read again: two clicks at once must not both count.

    The verdict was about the request as it stood ``before``: one that was edited or voted on since is judged anew, by
    another click. None: this click changes nothing.
    """
    approval_id = before.id
    row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id).with_for_update())
    if row is None or row["state"] != State.REQUESTED:
        return None
    current = rows.approval(row)
    if (current.revision, current.votes) != (before.revision, before.votes):
        return None
    if current.expires_at <= tx.now:  # the tick has not come by yet; nobody decided in time all the same
        await _expire(services, tx, row)
        return None
    values: dict[str, Any] = {}
    if decision in {"reject", "withdraw"}:
        state = State.REJECTED if decision == "reject" else State.WITHDRAWN
        note = f"{'Rejected' if decision == 'reject' else 'Withdrawn'} by {actor.label}" + (
            f": {reason}" if reason else ""
        )
        values |= {"state": state, "note": note, "ended_at": tx.now, "due_at": None}
    else:
        vote = Vote(
            actor=actor,
            at=tx.now,
            by=verdict.by,
            self_approval=verdict.self_approval,
            break_glass=decision == "break_glass",
        )
        votes = [*current.votes, vote]
        values["votes"] = [rows.dump_vote(one) for one in votes]
        if decision == "break_glass" or len(votes) >= _required(services, current):
            values |= {"state": State.APPROVED, "due_at": tx.now + LEASE, "tries": 0, "note": ""}
    if "state" in values:
        values |= {
            "decided_at": tx.now,
            "decision": {"actor": actor.record(), "decision": decision, "reason": reason, "why": verdict.reason},
        }
    await tx.move(t.approvals, approval_id, State.REQUESTED, **values)
    event = {"approve": "approved", "reject": "rejected", "withdraw": "withdrawn", "break_glass": "break_glass"}
    tx.audit(
        f"approval.{event[decision]}",
        approval_id,
        actor,
        {
            "why": verdict.reason,
            "reason": reason,
            "self_approval": verdict.self_approval,
            "fingerprint": current.fingerprint,
            "votes": len(values.get("votes", [])),
        },
    )
    if values.get("state") == State.APPROVED:
        await tx.enqueue("approval", approval_id, f"approved:{row['revision']}")
    shown = await telling.show(services, tx, approval_id)
    if decision == "break_glass":
        await telling.tell_of_emergency(services, tx, shown, actor, reason, row)
    return shown


def _required(services: Services, current: Approval) -> int:
    """How many approvals are needed: what was said when it was asked, or more where the rule has become stricter."""
    now = rule_for(services, current.plan)
    return max(current.rule.required, now.required if now else 1)


async def on_due(services: Services, approval_id: str) -> None:
    """Expire or remind, whichever is due; approved requests are driven on."""
    async with services.store.begin() as tx:
        row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id).with_for_update())
        if row is None or row["state"] != State.REQUESTED:
            return
        if row["expires_at"] <= tx.now:
            await _expire(services, tx, row)
            return
        if row["remind_at"] is not None and row["remind_at"] <= tx.now:
            count = row["reminders"] + 1
            following = tx.now + services.remind * 2**count
            await tx.move(
                t.approvals,
                approval_id,
                State.REQUESTED,
                reminders=count,
                remind_at=following,
                due_at=min(row["expires_at"], following),
            )
            await telling.remind(services, tx, rows.approval(row), row, count)
            return
        await tx.move(
            t.approvals,
            approval_id,
            State.REQUESTED,
            due_at=min(row["expires_at"], row["remind_at"] or row["expires_at"]),
        )


async def _expire(services: Services, tx: Tx, row: Row) -> None:
    note = f"Nobody decided within {format_duration(services.expires)}"
    if await tx.move(
        t.approvals, row["id"], State.REQUESTED, state=State.EXPIRED, note=note, ended_at=tx.now, due_at=None
    ):
        tx.audit("approval.expired", row["id"], SYSTEM, {"expires_at": row["expires_at"].isoformat()})
        await telling.show(services, tx, row["id"])


def who_decided(current: Approval) -> str:
    """For a click that comes too late: what was decided, by whom and when."""
    words = {
        State.APPROVED: "approved",
        State.EXECUTING: "approved",
        State.PROVED: "approved",
        State.FAILED: "approved",
        State.UNPROVED: "approved",
        State.UNCLEAR: "approved",
        State.REJECTED: "rejected",
        State.WITHDRAWN: "withdrawn",
        State.EXPIRED: "expired",
    }
    word = words.get(current.state, current.state.value)
    if current.state is State.EXPIRED or current.decided_by is None or current.decided_at is None:
        return f"It was {word} already; nothing was changed by this click."
    return (
        f"It was {word} already by {current.decided_by.label} at {current.decided_at:%H:%M} UTC; "
        "nothing was changed by this click."
    )
