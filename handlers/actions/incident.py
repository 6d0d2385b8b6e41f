"""The buttons of an incident: take it, check again, quiet, close."""

from datetime import timedelta

from adaptive_cards.card import Form, Text, TextInput
from adaptive_cards.cards import message
from handlers.requests import Answer, Press, Submission
from handlers.router import ActionSpec
from handlers.services import Services

QUIET = timedelta(hours=2)


async def take(press: Press, services: Services) -> None:
    """Whoever presses has it."""
    await services.incidents.take(press.value, press.actor)


async def again(press: Press, services: Services) -> Answer:
    """Diagnose once more; the answer replaces the one in the thread."""
    await services.incidents.again(press.value)
    return Answer(
        card=message.done("Checking again; the answer comes in the thread", simulated=services.simulated), private=True
    )


async def snooze(press: Press, services: Services) -> None:
    """Quiet for two hours."""
    await services.incidents.snooze(press.value, press.actor, QUIET)


async def close_form(press: Press, services: Services) -> Answer:
    """Ask why it can be closed."""
    incident = await services.incidents.get(press.value)
    name = incident.item_name or incident.vault_name
    return Answer(
        form=Form(
            "Close the incident",
            (Text(f"{name}: {incident.what}"), TextInput("reason", "Why is it over?", multiline=True)),
            "incident.close_send",
            press.value,
        )
    )


async def close_send(submission: Submission, services: Services) -> None:
    """Close with the reason given."""
    await services.incidents.close(submission.value, submission.actor, submission.fields.get("reason", ""))


ACTIONS = ActionSpec(
    press={
        "incident.take": take,
        "incident.again": again,
        "incident.snooze": snooze,
        "incident.close_form": close_form,
    },
    submit={"incident.close_send": close_send},
)
