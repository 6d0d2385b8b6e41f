"""``posture``: soft delete, alerts that reach somebody, restores that were tested."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import fleet as fleet_card
from adaptive_cards.cards import posture as posture_card
from diagnostics.locate import find_vault
from diagnostics.overview import fleet_posture, vault_posture
from diagnostics.registry import Context
from domain.backup import Vault, Workload
from domain.errors import RequestError
from domain.finding import Diagnosis
from domain.ports import BackupReader
from fixes.registry import whole_vault
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


def context_of(services: Services, read: BackupReader, vault: Vault) -> Context:
    """The context of the checks that are about the vault itself."""
    return Context(
        vault=vault,
        item=None,
        read=read,
        clock=services.clock,
        rpo=services.rpo,
        limits=services.limits,
        ledger=services.ledger,
    )


def offers(services: Services, diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
    """The fixes that can be done to a vault as a whole; those that need an item are left to the item's own diagnosis."""
    return tuple(
        (fix_id, title)
        for fix_id, title in services.incidents.offers(diagnosis)
        if fix_id in services.fixes and Workload.OTHER in services.fixes[fix_id].spec.workloads
    )


async def of_vault(services: Services, read: BackupReader, vault: Vault) -> Answer:
    """The prevention checks of one vault, with the fixes that can be done to it."""
    view = await vault_posture(
        context_of(services, read, vault), services.checks, limit_s=services.limit_s, on_bug=services.on_bug
    )
    (diagnosis,) = view.vaults
    card = posture_card.vault(
        diagnosis,
        fixes=offers(services, diagnosis),
        fix_target=whole_vault(vault).id.id,
        simulated=services.simulated,
    )
    return Answer(card=card)


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """The prevention checks of one vault, or of all."""
    del command
    if len(words.arguments) > 1:
        raise RequestError("Name one vault, or none for all: /backup posture [vault].")
    read, simulated = services.read(), services.simulated
    if words.arguments:
        yield await of_vault(services, read, await find_vault(read, words.arguments[0]))
        return
    yield Answer(card=fleet_card.working("Checking the posture of every vault", simulated=simulated))
    everything = await fleet_posture(
        read,
        lambda vault: context_of(services, read, vault),
        services.checks,
        services.clock.now(),
        limit_s=services.limit_s,
        on_bug=services.on_bug,
    )
    titles = {check.id: check.title for check in services.checks.values()}
    yield Answer(card=posture_card.fleet(everything, titles, simulated=simulated))


COMMAND = CommandSpec(
    name="posture",
    usage="posture [vault]",
    about="Whether deleted backups can be had back, failures reach somebody, and restores were tested.",
    example="posture vault-prod-01",
    run=run,
)
