"""``whoami``: what I may ask for and approve, and why not."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import whoami as whoami_card
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """Every rule with its two decisions, for the asker alone."""
    del words
    rights = await services.approvals.rights(command.actor)
    card = whoami_card.render(command.actor, rights, read_only=services.read_only, simulated=services.simulated)
    yield Answer(card=card, private=True)


COMMAND = CommandSpec(
    name="whoami",
    usage="whoami",
    about="Who the bot takes you for, what you may ask for and approve, and why not.",
    example="whoami",
    run=run,
)
