"""``rpo``: every item's RPO with its three numbers, the worst first."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import fleet as fleet_card
from adaptive_cards.cards import rpo as rpo_card
from diagnostics.locate import find_vault
from diagnostics.overview import rpo_table
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

USAGE = "rpo [vault] [page <number>]"


def split(arguments: tuple[str, ...]) -> tuple[str, int]:
    """The vault ("" for all) and the page.

    Raises:
        RequestError: the words are not ``[vault] [page <number>]``.
    """
    words = list(arguments)
    page = 1
    if len(words) > 1 and words[-2].casefold() == "page":
        if not words[-1].isascii() or not words[-1].isdigit():
            raise RequestError(f"{words[-1]} is no page: /backup {USAGE}.")
        page = int(words[-1])
        words = words[:-2]
    if len(words) > 1:
        raise RequestError(f"Name one vault, or none for all: /backup {USAGE}.")
    return (words[0] if words else ""), page


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """One page of the table, of a vault or of all."""
    del command
    name, page = split(words.arguments)
    read, now, simulated = services.read(), services.clock.now(), services.simulated
    vault = await find_vault(read, name) if name else None
    if vault is None:
        yield Answer(card=fleet_card.working("Comparing every item with its RPO", simulated=simulated))
    table = await rpo_table(read, services.rpo, now, vault=vault, page=page, limit_s=services.limit_s)
    yield Answer(card=rpo_card.render(table, now, simulated=simulated))


COMMAND = CommandSpec(
    name="rpo",
    usage=USAGE,
    about="How old each item's newest recovery point is, against the configured RPO and what the policy allows.",
    example="rpo vault-prod-01",
    run=run,
)
