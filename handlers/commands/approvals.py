"""``approvals``: what waits for somebody, and what is being done."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import approval as approval_card
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """List the open requests."""
    del command, words
    waiting = tuple(await services.approvals.open_requests())
    card = approval_card.listing(waiting, now=services.clock.now(), simulated=services.simulated)
    yield Answer(card=card)


COMMAND = CommandSpec(
    name="approvals",
    usage="approvals",
    about="Which fixes wait for approval, and which are being done.",
    example="approvals",
    run=run,
)
