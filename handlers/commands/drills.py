"""``drills``: restore tests that really happened."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import drills as drills_card
from diagnostics.locate import find_item
from domain.errors import NotAllowed, RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

USAGE = "drills [add <item> <evidence>]"
SHOWN = 15
LEAST_EVIDENCE = 5


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """List the restore tests, or put one on record."""
    match words.arguments:
        case []:
            drills = await services.records.drills(SHOWN)
            yield Answer(card=drills_card.render(drills, now=services.clock.now(), simulated=services.simulated))
        case [verb, item, *evidence] if verb.casefold() == "add":
            yield await add(command, item, " ".join(evidence).strip(), services)
        case _:
            raise RequestError(f"That is not understood: /backup {USAGE}.")


async def add(command: Command, name: str, evidence: str, services: Services) -> Answer:
    """Put a restore test on record, with who says so.

    Raises:
        NotAllowed: this account may not act.
        RequestError: there is no evidence, or no such item.
    """
    if not command.actor.may_act:
        raise NotAllowed(f"Nothing was put on record: {command.actor.why_not}.")
    if len(evidence) < LEAST_EVIDENCE:
        raise RequestError(
            f"Say what proves it, such as what was restored where and who looked at it: /backup {USAGE}."
        )
    vault, item = await find_item(services.read(), name)
    await services.records.add_drill(item, evidence, command.actor)
    return Answer(card=drills_card.added(item.name, vault.id.name, evidence, simulated=services.simulated))


COMMAND = CommandSpec(
    name="drills",
    usage=USAGE,
    about="Which restores were tested, and putting a test on record.",
    example='drills add vm-erp-01 "restored to rg-drill, started and logged on"',
    run=run,
)
