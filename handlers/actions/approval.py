"""The buttons and forms of an approval request."""

from adaptive_cards.card import Choice, Form, Option, Text, TextInput
from adaptive_cards.cards.approval import exact_calls
from domain.errors import RequestError
from handlers.fixing import DURATION, parameters
from handlers.requests import Answer, Press, Submission
from handlers.router import ActionSpec
from handlers.services import Services


async def approve(press: Press, services: Services) -> None:
    """Approve."""
    approval_id, _, shown = press.value.partition(" ")
    await services.approvals.decide(approval_id, "approve", press.actor, shown=shown)


async def reject(press: Press, services: Services) -> None:
    """Reject."""
    await services.approvals.decide(press.value, "reject", press.actor)


async def withdraw(press: Press, services: Services) -> None:
    """Withdraw one's own request."""
    await services.approvals.decide(press.value, "withdraw", press.actor)


async def calls(press: Press, services: Services) -> Answer:
    """Show exactly what would be sent."""
    approval = await services.approvals.get(press.value)
    form = Form(
        "Exact calls", exact_calls(approval.plan, approval.fingerprint), "approval.calls_read", press.value, submit=""
    )
    return Answer(form=form)


def _reason(press: Press, title: str, action: str, sentence: str) -> Answer:
    question = TextInput("reason", "Why?", multiline=True, placeholder="This goes into the record")
    return Answer(form=Form(title, (Text(sentence), question), action, press.value))


async def reject_form(press: Press, services: Services) -> Answer:
    """Ask for the reason of a rejection."""
    approval = await services.approvals.get(press.value)
    return _reason(press, "Reject", "approval.reject_send", approval.plan.sentence)


async def break_glass_form(press: Press, services: Services) -> Answer:
    """Ask for the reason of an emergency approval."""
    approval = await services.approvals.get(press.value)
    return _reason(
        press,
        "Break glass",
        "approval.break_glass_send",
        f"Emergency: you approve this alone, everybody named is told, and it is reviewed. {approval.plan.sentence}",
    )


async def edit_form(press: Press, services: Services) -> Answer:
    """Offer the parameters of a waiting request."""
    approval = await services.approvals.get(press.value)
    plan = approval.plan
    spec = services.fixes[plan.fix].spec
    inputs: list[TextInput | Choice] = []
    for one in spec.parameters:
        value = plan.parameters.get(one.name, one.default)
        if one.choices:
            options = tuple(Option(choice or "(none)", choice or "-") for choice in one.choices)
            inputs.append(Choice(one.name, one.label, options, value or "", required=one.required))
        elif one.name == "rights_until":
            inputs.append(
                TextInput(DURATION, "Take the right away again after (empty: keep)", required=False, placeholder="2h")
            )
        else:
            inputs.append(TextInput(one.name, one.label, required=one.required, placeholder=one.help, value=value))
    inputs.append(TextInput("reason", "Reason", required=False, value=approval.reason))
    return Answer(form=Form("Edit the request", (Text(plan.sentence), *inputs), "approval.edit_send", press.value))


async def reject_send(submission: Submission, services: Services) -> None:
    """Reject with the reason given."""
    await services.approvals.decide(
        submission.value, "reject", submission.actor, reason=submission.fields.get("reason", "")
    )


async def break_glass_send(submission: Submission, services: Services) -> None:
    """Approve in an emergency."""
    await services.approvals.decide(
        submission.value, "break_glass", submission.actor, reason=submission.fields.get("reason", "")
    )


async def edit_send(submission: Submission, services: Services) -> None:
    """Change the request: a new plan, and the editor counts as somebody who asked."""
    fields = {name: value for name, value in submission.fields.items() if value not in {"", "-"}}
    reason = fields.pop("reason", "")
    if not fields and not reason:
        raise RequestError("Nothing was changed.")
    await services.approvals.edit(submission.value, submission.actor, parameters(fields, services.clock.now()), reason)


ACTIONS = ActionSpec(
    press={
        "approval.approve": approve,
        "approval.reject": reject,
        "approval.withdraw": withdraw,
        "approval.calls": calls,
        "approval.reject_form": reject_form,
        "approval.break_glass_form": break_glass_form,
        "approval.edit": edit_form,
    },
    submit={
        "approval.reject_send": reject_send,
        "approval.break_glass_send": break_glass_send,
        "approval.edit_send": edit_send,
    },
)
