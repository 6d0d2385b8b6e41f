"""The request for a fix, through its whole life: waiting, being done, ended.

(1) one sentence: verb, object, scope, until when; (2) asked by, reason; (3) worst case and how to undo; (4) duration, cost,
expiry; (5) *Approve* *Reject* *Exact calls*. High risk asks once more, repeating the object.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Code,
    CodeBlock,
    Confirm,
    Element,
    Facts,
    Fold,
    Inline,
    Mention,
    Note,
    Progress,
    Severity,
    Status,
    Text,
    spans,
)
from adaptive_cards.cards.words import ago, portal
from domain.actor import Actor
from domain.approval import Approval, RunView, State, StepState, StepView
from domain.durations import format_age
from domain.fix import Call, FixPlan, Risk

_HEAD: Mapping[State, tuple[str, Severity | None]] = {
    State.REQUESTED: ("Approval needed", None),
    State.APPROVED: ("Approved, about to start", "info"),
    State.REJECTED: ("Rejected", "info"),
    State.EXPIRED: ("Expired", "warning"),
    State.WITHDRAWN: ("Withdrawn", "info"),
    State.EXECUTING: ("Being done", "info"),
    State.PROVED: ("Proved", "good"),
    State.FAILED: ("Failed", "critical"),
    State.UNPROVED: ("Not proved", "warning"),
    State.UNCLEAR: ("Unclear, a person must look", "critical"),
}
_SIGNS: Mapping[StepState, tuple[str, str]] = {
    StepState.WAITING: ("waiting", "○"),
    StepState.INTENDED: ("sending", "◐"),
    StepState.SENT: ("running", "◑"),
    StepState.DONE: ("done", "✔"),
    StepState.FAILED: ("failed", "✖"),
    StepState.SKIPPED: ("not done", "–"),
    StepState.UNCLEAR: ("unclear", "?"),
}
_RISK_WORDS = {Risk.NONE: "none", Risk.LOW: "low", Risk.MEDIUM: "medium", Risk.HIGH: "HIGH"}


def _mention(actor: Actor) -> Inline:
    if actor.platform == "slack":
        return Mention("slack-user", actor.id, actor.label)
    return actor.label


def entry_words(entry: str) -> Inline:
    """An entry of a rule as people read it; groups and users of Slack by their names there."""
    kind, _, value = entry.partition(":")
    match kind:
        case "slack":
            return Mention("slack-user", value, value)
        case "slack-group":
            return Mention("slack-group", value, f"group {value}")
        case "entra-group":
            return f"Entra group {value}"
        case "teams":
            return f"Entra user {value}"
        case "email":
            return value
        case "azure-rbac":
            return "whoever could do this in Azure themselves"
        case _:
            return "everybody" if entry == "*" else entry


def _joined(entries: tuple[str, ...]) -> Inline:
    parts: list[Inline] = []
    for entry in entries:
        parts += [", ", entry_words(entry)] if parts else [entry_words(entry)]
    return spans(*parts)


FINGERPRINT_SHOWN = 16


def _buttons(approval: Approval) -> Buttons:
    plan = approval.plan
    confirm = None
    if plan.risk is Risk.HIGH:
        confirm = Confirm("Approve this high-risk change?", plan.sentence, yes="Approve", no="Cancel")
    more = [
        Button("Edit", "approval.edit", approval.id),
        Button("Reject with a reason", "approval.reject_form", approval.id),
        Button("Withdraw", "approval.withdraw", approval.id),
    ]
    if approval.rule.break_glass:
        more.append(Button("Break glass (emergency)", "approval.break_glass_form", approval.id, style="danger"))
    return Buttons(
        (
            # With which plan was seen: a click on a card from before an edit must not decide the edited plan.
            Button(
                "Approve",
                "approval.approve",
                f"{approval.id} {approval.fingerprint[:FINGERPRINT_SHOWN]}",
                style="primary",
                confirm=confirm,
            ),
            Button("Reject", "approval.reject", approval.id, style="danger"),
        ),
        more=tuple(more),
    )


def call_json(call: Call) -> str:
    """One call as ARM reads it."""
    query = "".join(f"&{name}={value}" for name, value in call.query.items())
    head = f"{call.method} {call.resource}?api-version={call.api_version}{query}"
    if call.body is None:
        return head
    return head + "\n" + json.dumps(call.body, indent=2, ensure_ascii=False, default=dict)


def exact_calls(plan: FixPlan, fingerprint: str) -> tuple[Element, ...]:
    """The ``az`` form first, the ARM requests below, and which plan this is."""
    elements: list[Element] = []
    if plan.az:
        elements += [Text("As az commands:", subtle=True), CodeBlock("\n".join(plan.az))]
    elements += [Text("As requests, exactly as they are sent:", subtle=True)]
    elements += [CodeBlock(call_json(call)) for call in plan.requests]
    elements += [Note(spans("Fingerprint ", Code(fingerprint[:8]), f" · risk {_RISK_WORDS[plan.risk]}"))]
    return tuple(elements)


def _step(step: StepView) -> Status:
    word, sign = _SIGNS[step.state]
    text = step.purpose + (f": {step.note}" if step.note else "")
    return Status(word, sign, text)


def _about(approval: Approval, now: datetime) -> list[Element]:
    plan = approval.plan
    asked: list[Inline] = [_mention(approval.requester), ", ", ago(approval.created_at, now)]
    facts: list[tuple[str, Inline]] = [("Asked by", spans(*asked))]
    if approval.editors:
        facts.append(("Edited by", ", ".join(actor.label for actor in approval.editors)))
    if approval.reason:
        facts.append(("Reason", approval.reason))
    facts += [
        ("Item", spans(portal(plan.item_name, plan.item_id), " in ", portal(plan.vault_name, plan.vault_id))),
        ("Worst case", plan.worst_case),
        ("Undo", plan.undo),
        ("Takes", f"about {format_age(plan.duration)}" + (f" · {plan.cost}" if plan.cost else "")),
        ("Proof", plan.proof),
        ("Risk", _RISK_WORDS[plan.risk]),
    ]
    return [Facts(tuple(facts))]


def _told(approval: Approval) -> list[Inline]:
    """Who is called by this message, and who could not be."""
    parts: list[Inline] = []
    for entry, account in approval.told:
        who = Mention("slack-user", account, entry.partition(":")[2]) if account else entry_words(entry)
        parts += [", ", who] if parts else ["Told by this message: ", who]
    if parts:
        parts.append(".")
    if approval.unreached:
        parts.append(f" Could not be told, no account was found: {', '.join(approval.unreached)}.")
    return parts or ["Nobody could be told; tell an approver yourself."]


def _waiting(approval: Approval, now: datetime) -> list[Element]:
    elements: list[Element] = []
    if approval.changed:
        elements += [
            Text(Bold("The plan changed after it was approved, so nothing was done. The difference:")),
            Bullets(tuple(approval.changed)),
        ]
    rule = approval.rule
    if rule.required > 1:
        needed = f"{approval.missing_votes} of {rule.required} approvals still missing"
    else:
        needed = "One approval is enough"
    own = "; the requester's own counts" if rule.self_approval else "; the requester's own does not count (four eyes)"
    elements += [
        Text(spans("Can approve: ", _joined(rule.approvers), f". {needed}{own}."), subtle=True),
        # Not in small print: that somebody is called by a mention in Slack's context blocks is documented nowhere.
        Text(spans(*_told(approval), " Expires ", ago(approval.expires_at, now), ".")),
    ]
    if approval.votes:
        elements.append(
            Text("Approved so far by " + ", ".join(vote.actor.label for vote in approval.votes), subtle=True)
        )
    elements.append(_buttons(approval))
    return elements


def _decided(approval: Approval, now: datetime) -> list[Element]:
    if not approval.votes:
        return []
    elements: list[Element] = []
    for vote in approval.votes:
        kind = " alone, in an emergency (break glass)" if vote.break_glass else ""
        kind = kind or (" (their own request, as the rule allows)" if vote.self_approval else "")
        elements.append(Text(spans("Approved by ", _mention(vote.actor), f"{kind}, ", ago(vote.at, now))))
    return elements


Rights = tuple[tuple[str, str, datetime | None, datetime | None], ...]
"""(what for, armed | revoking | revoked, when it ends, when it ended) of each right handed out for a time."""


def _rights(approval: Approval, rights: Rights, now: datetime) -> list[Element]:
    elements: list[Element] = []
    for what, state, ends, ended in rights:
        if state == "revoked":
            elements.append(
                Text(spans(f"Taken away again: {what}", *((", ", ago(ended, now)) if ended else ()), "."), subtle=True)
            )
        elif ends is not None:
            elements.append(Text(spans(f"Handed out for a time: {what}. It ends ", ago(ends, now), ".")))
    if any(state == "armed" for _, state, _, _ in rights):
        elements.append(Buttons((Button("Take the right away now", "grant.revoke", approval.id),)))
    return elements


def render(approval: Approval, *, run: RunView | None, now: datetime, simulated: bool, rights: Rights = ()) -> Card:
    """The card as it stands now."""
    plan = approval.plan
    head, severity = _HEAD[approval.state]
    elements: list[Element] = [Text(Bold(plan.sentence))]
    if approval.state is State.REQUESTED:
        elements += _about(approval, now)
        if plan.notes:
            elements.append(Bullets(tuple(plan.notes)))
        elements += _waiting(approval, now)
    else:
        elements.append(
            Text(spans("Asked by ", _mention(approval.requester), " ", ago(approval.created_at, now)), subtle=True)
        )
        elements += _decided(approval, now)
        if run is not None:
            elements += [_step(step) for step in run.steps]
            running = next((step for step in run.steps if step.percent is not None), None)
            if running is not None and running.percent is not None and run.ended_at is None:
                elements.append(Progress(running.percent, 100, running.purpose))
        note = approval.note or (run.note if run else "")
        if note:
            elements.append(Text(note))
        elements += _rights(approval, rights, now)
        if approval.state in {State.FAILED, State.UNPROVED, State.UNCLEAR}:
            elements.append(Buttons((Button("Diagnose again", "diagnose.item", plan.item_id),)))
    risk = f" · {_RISK_WORDS[plan.risk]} risk" if approval.state is State.REQUESTED else ""
    return Card(
        summary=f"{head}: {plan.title} · {plan.item_name} in {plan.vault_name}{risk}",
        elements=(
            *elements,
            _calls_fold(approval),
            Note(spans(Code(approval.id), " · plan ", Code(approval.fingerprint[:8]))),
        ),
        severity=severity,
        simulated=simulated,
        key=approval.id,
    )


def _calls_fold(approval: Approval) -> Fold:
    return Fold(
        "Exact calls",
        exact_calls(approval.plan, approval.fingerprint),
        key="calls",
        instead=Button("Exact calls", "approval.calls", approval.id),
    )


def reminder(approval: Approval, *, now: datetime, simulated: bool) -> Card:
    """A new message, since an update calls nobody: the request still waits."""
    return Card(
        summary=f"Still waiting for approval: {approval.plan.title} · {approval.plan.item_name}",
        elements=(
            Text(spans(_joined(approval.rule.told), ": ", approval.plan.sentence)),
            Text(spans("It expires ", ago(approval.expires_at, now), "."), subtle=True),
        ),
        simulated=simulated,
        key=f"{approval.id}-reminder",
    )


def emergency(approval: Approval, actor: Actor, reason: str, *, simulated: bool) -> Card:
    """A new message to everybody named: somebody approved alone."""
    entries = tuple(dict.fromkeys((*approval.rule.told, *approval.rule.approvers)))
    return Card(
        summary=f"Emergency approval by {actor.label}: {approval.plan.title} · {approval.plan.item_name}",
        elements=(
            Text(spans(_joined(entries), ": ", _mention(actor), " approved this alone (break glass).")),
            Text(approval.plan.sentence),
            Facts((("Reason given", reason),)),
        ),
        severity="warning",
        simulated=simulated,
        key=f"{approval.id}-emergency",
    )


def review(approval: Approval, actor: Actor, reason: str, *, simulated: bool) -> Card:
    """The next working day: was that right?"""
    return Card(
        summary=f"Please review the emergency approval of {approval.plan.title} · {approval.plan.item_name}",
        elements=(
            Text(spans(_joined(approval.rule.told), ": ", _mention(actor), " approved this alone. Was it right?")),
            Text(approval.plan.sentence),
            Facts(
                (
                    ("Reason given", reason),
                    ("What became of it", f"/backup audit {approval.incident_id or approval.id}"),
                )
            ),
        ),
        severity="info",
        simulated=simulated,
        key=f"{approval.id}-review",
    )


def listing(approvals: tuple[Approval, ...], *, now: datetime, simulated: bool) -> Card:
    """Everything that waits or is being done."""
    if not approvals:
        return Card(summary="No approvals are waiting", severity="good", simulated=simulated)
    return Card(
        summary=f"{len(approvals)} open: " + ", ".join(f"{one.plan.item_name} ({one.state})" for one in approvals[:3]),
        elements=tuple(
            Text(
                spans(
                    Code(one.id),
                    f" {one.state}: {one.plan.sentence} Asked by {one.requester.label} ",
                    ago(one.created_at, now),
                )
            )
            for one in approvals[:20]
        )
        + ((Note(f"… {len(approvals) - 20} more are not shown"),) if len(approvals) > 20 else ()),  # noqa: PLR2004
        simulated=simulated,
    )
