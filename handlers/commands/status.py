"""``status``: exceptions first, of one vault or of all."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import fleet
from diagnostics.locate import find_vault
from diagnostics.overview import fleet_status, vault_status
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """Say how the vault's items are; without a vault, how the fleet is."""
    del command
    if len(words.arguments) > 1:
        raise RequestError("Name one vault, or none for all: /backup status [vault].")
    read, now = services.read(), services.clock.now()
    if not words.arguments:
        everything = await fleet_status(read, services.rpo, now)
        yield Answer(card=fleet.fleet(everything, now=now, simulated=services.simulated))
        return
    vault = await find_vault(read, words.arguments[0])
    status = await vault_status(read, vault, services.rpo, now)
    yield Answer(card=fleet.vault(status, now=now, simulated=services.simulated))


COMMAND = CommandSpec(
    name="status",
    usage="status [vault]",
    about="How the backups of a vault, or of all vaults, are: exceptions first.",
    example="status vault-prod-01",
    run=run,
)
