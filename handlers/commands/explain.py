"""``explain``: what an error code means, in any of its spellings."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import explain as explain_card
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """``explain <code>``: a name, a number, a hexadecimal code, an aka.ms link or the sentence itself."""
    del command
    text = " ".join(words.arguments)
    if not text:
        raise RequestError("Name the code: /backup explain UserErrorVmNotInDesirableState.")
    known = services.codes.lookup(text)
    if known is None:
        near = [one.name for one in services.codes.nearest(text)]
        yield Answer(card=explain_card.unknown(text, near, simulated=services.simulated), private=True)
        return
    yield Answer(
        card=explain_card.render(
            name=known.name,
            spellings=known.spellings,
            meaning=known.meaning,
            causes=known.causes,
            remedy=known.remedy,
            workloads=known.workloads,
            checks=known.checks,
            fixes=known.fixes,
            documentation=known.documentation,
            transient=known.transient,
            simulated=services.simulated,
        )
    )


COMMAND = CommandSpec(
    name="explain",
    usage="explain <code>",
    about="What an error code means and what to do about it.",
    example="explain UserErrorVmNotInDesirableState",
    run=run,
)
