"""``agents``: whether MARS machines and backup servers are supported and still report."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import agents as agents_card
from adaptive_cards.cards import fleet as fleet_card
from diagnostics.locate import find_vault
from diagnostics.overview import fleet_agents, vault_agents
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """The agents of one vault, or of all."""
    del command
    if len(words.arguments) > 1:
        raise RequestError("Name one vault, or none for all: /backup agents [vault].")
    read, now, simulated = services.read(), services.clock.now(), services.simulated
    if words.arguments:
        view = await vault_agents(read, await find_vault(read, words.arguments[0]), services.limits, now)
    else:
        yield Answer(card=fleet_card.working("Looking at the agents of every vault", simulated=simulated))
        view = await fleet_agents(read, services.limits, now, limit_s=services.limit_s)
    yield Answer(card=agents_card.render(view, simulated=simulated))


COMMAND = CommandSpec(
    name="agents",
    usage="agents [vault]",
    about="Which MARS machines and backup servers are outdated or silent.",
    example="agents vault-prod-01",
    run=run,
)
