"""``incidents``: what is open, worst first."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import incidents as incidents_card
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """List the open incidents."""
    del command
    if words.arguments:
        raise RequestError(
            f"For one incident say /backup incident {words.arguments[0]}; incidents lists all open ones."
        )
    found = await services.incidents.open_ones()
    yield Answer(card=incidents_card.render(found, now=services.clock.now(), simulated=services.simulated))


COMMAND = CommandSpec(
    name="incidents",
    usage="incidents",
    about="Which incidents are open, worst first, and who has them.",
    example="incidents",
    run=run,
)
