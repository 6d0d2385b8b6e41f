"""Rows of the store as the entities that cards and handlers speak of."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.store.store import Place, Row
from domain.actor import Actor
from domain.approval import Approval, RunView, State, StepState, StepView, Vote
from domain.approval_policy import Rule
from domain.fix import FixPlan
from domain.incident import Incident, Operation, Severity
from domain.records import dump_plan, load_diagnosis, load_plan


def moment(text: str | None) -> datetime | None:
    """A moment in a JSON record."""
    return datetime.fromisoformat(text) if text else None


def places(row: Row) -> Iterator[Place]:
    """Where a request or an incident is shown."""
    for record in row["places"] or ():
        yield Place(**record)


def threads(row: Row, message_key: str) -> Iterator[Place]:
    """The same places, each in the thread of the message ``message_key`` there."""
    return (replace(place, thread_key=message_key) for place in places(row))


def dump_rule(rule: Rule) -> dict[str, Any]:
    """A rule as the approval keeps it: what held when it was asked."""
    return {
        "name": rule.name,
        "approvers": list(rule.approvers),
        "notify": list(rule.notify),
        "required": rule.required,
        "self_approval": rule.self_approval,
        "break_glass": list(rule.break_glass),
    }


def _rule(record: dict[str, Any]) -> Rule:
    return Rule(
        name=record["name"],
        approvers=tuple(record["approvers"]),
        notify=tuple(record["notify"]),
        required=record["required"],
        self_approval=record["self_approval"],
        break_glass=tuple(record["break_glass"]),
    )


def plan_columns(plan: FixPlan, rule: Rule, client_id: str) -> dict[str, Any]:
    """The columns of a request that a new plan sets: the plan, which it is, its rule, and nobody's vote yet."""
    return {
        "plan": dump_plan(plan),
        "risk": plan.risk.value,
        "fingerprint": plan.fingerprint(client_id),
        "operator_client_id": client_id,
        "rule": dump_rule(rule),
        "votes": [],
    }


def dump_vote(vote: Vote) -> dict[str, Any]:
    """A vote as a record."""
    return {
        "actor": vote.actor.record(),
        "at": vote.at.isoformat(),
        "by": vote.by,
        "self_approval": vote.self_approval,
        "break_glass": vote.break_glass,
    }


def _vote(record: dict[str, Any]) -> Vote:
    return Vote(
        actor=Actor.from_record(record["actor"]),
        at=datetime.fromisoformat(record["at"]),
        by=record["by"],
        self_approval=record["self_approval"],
        break_glass=record["break_glass"],
    )


def approval(row: Row) -> Approval:
    """An approval from its row."""
    decision = row["decision"] or {}
    return Approval(
        id=row["id"],
        state=State(row["state"]),
        revision=row["revision"],
        plan=load_plan(row["plan"]),
        fingerprint=row["fingerprint"],
        requester=Actor.from_record(row["requester"]),
        editors=tuple(Actor.from_record(one) for one in row["editors"]),
        reason=row["reason"],
        rule=_rule(row["rule"]),
        votes=tuple(_vote(one) for one in row["votes"]),
        incident_id=row["incident_id"] or "",
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
        decided_by=Actor.from_record(decision["actor"]) if decision.get("actor") else None,
        ended_at=row["ended_at"],
        note=row["note"],
        changed=tuple(decision.get("changed", ())),
        told=tuple((one["entry"], one["account"]) for one in (row["told"] or ()) if one["account"] is not None),
        unreached=tuple(one["entry"] for one in (row["told"] or ()) if one["account"] is None),
    )


def run(row: Row) -> RunView:
    """A fix run from its row."""
    calls = row["plan"]["calls"]
    return RunView(
        id=row["id"],
        state=row["state"],
        steps=tuple(
            StepView(
                purpose=call["purpose"],
                state=StepState(step["state"]),
                note=step.get("note", ""),
                percent=step.get("percent"),
                at=moment(step.get("at")),
            )
            for call, step in zip(calls, row["steps"], strict=True)
        ),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        note=row["note"],
        proof=(row["proof"] or {}).get("summary", ""),
    )


def incident(row: Row) -> Incident:
    """An incident from its row."""
    facts = row["facts"] or {}
    return Incident(
        id=row["id"],
        key=row["key"],
        open=row["state"] == "open",
        severity=Severity(row["severity"]),
        operation=Operation(row["operation"]),
        vault_id=row["vault_id"],
        vault_name=row["vault_name"],
        item_id=row["item_id"],
        item_name=row["item_name"],
        what=row["what"],
        code=row["code"],
        failures=row["failures"],
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        closed_at=row["closed_at"],
        closed_reason=row["closed_reason"],
        owner=Actor.from_record(row["owner"]) if row["owner"] else None,
        snoozed_until=row["snoozed_until"],
        last_point_at=moment(facts.get("last_point_at")),
        rpo=timedelta(seconds=facts["rpo_s"]) if facts.get("rpo_s") else None,
        rpo_state=facts.get("rpo_state", "unknown"),
        safe_until=moment(facts.get("safe_until")),
        breached_by=timedelta(seconds=facts["breached_s"]) if facts.get("breached_s") is not None else None,
        diagnosis=load_diagnosis(row["diagnosis"]) if row["diagnosis"] else None,
    )
