"""``audit``: the newest lines of the record."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import audit as audit_card
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

LINES = 15


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """The newest lines about one incident or approval, or about everything; for the asker alone."""
    del command
    if len(words.arguments) > 1:
        raise RequestError("Name one incident or approval, or none for all: /backup audit [incident].")
    subject = words.arguments[0].upper() if words.arguments else ""
    lines = await services.records.audit_lines(subject, LINES)
    card = audit_card.render(lines, subject, now=services.clock.now(), simulated=services.simulated)
    yield Answer(card=card, private=True)


COMMAND = CommandSpec(
    name="audit",
    usage="audit [incident]",
    about="Who asked, who decided and what was done, newest first.",
    example="audit INC-7Q4K2P9A",
    run=run,
)
