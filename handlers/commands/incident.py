"""``incident``: one incident; take it, quieten it, close it."""

from collections.abc import AsyncIterator
from datetime import timedelta

from adaptive_cards.cards import incident as incident_card
from domain.durations import DurationError, parse_duration
from domain.errors import RequestError
from domain.incident import Incident
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

USAGE = "incident <id> [take|snooze 2h|close <reason>]"
LONGEST_SNOOZE = timedelta(days=7)
QUIET = timedelta(hours=2)


def snooze_time(words: tuple[str, ...]) -> timedelta:
    """How long to be quiet; two hours when nothing is said.

    Raises:
        RequestError: no time, or one that is not between a minute and a week.
    """
    if not words:
        return QUIET
    try:
        duration = parse_duration(" ".join(words))
    except DurationError as error:
        raise RequestError(f"{error}: /backup {USAGE}.") from error
    if not timedelta(minutes=1) <= duration <= LONGEST_SNOOZE:
        raise RequestError("An incident can be quiet for 1 minute to 7 days; close it if it is over.")
    return duration


async def change(command: Command, arguments: tuple[str, ...], services: Services) -> Incident:
    """Do what was asked, and give the incident as it stands then.

    Raises:
        RequestError: what was asked is not understood, or not possible.
    """
    desk = services.incidents
    match arguments:
        case [incident_id]:
            return await desk.get(incident_id.upper())
        case [incident_id, verb, *rest]:
            number = incident_id.upper()
        case _:
            raise RequestError(f"Name the incident: /backup {USAGE}; /backup incidents lists them.")
    match verb.casefold():
        case "take" if not rest:
            return await desk.take(number, command.actor)
        case "snooze":
            return await desk.snooze(number, command.actor, snooze_time(tuple(rest)))
        case "close":
            if not rest:
                raise RequestError(f"Say why it is over: /backup incident {number} close <reason>.")
            return await desk.close(number, command.actor, " ".join(rest))
        case _:
            raise RequestError(f"{' '.join([verb, *rest])} is not understood: /backup {USAGE}.")


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """Show an incident, after the change that was asked for."""
    incident = await change(command, words.arguments, services)
    fixes = services.incidents.offers(incident.diagnosis) if incident.diagnosis is not None else ()
    yield Answer(
        card=incident_card.render(incident, fixes=fixes, now=services.clock.now(), simulated=services.simulated)
    )


COMMAND = CommandSpec(
    name="incident",
    usage=USAGE,
    about="One incident: its cause and next step; take it, be quiet about it, or close it with a reason.",
    example="incident INC-7Q4K2P9A snooze 2h",
    run=run,
)
