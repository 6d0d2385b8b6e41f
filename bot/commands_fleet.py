"""Reading commands that have a twin in chat: ``rpo``, ``jobs``, ``agents``, ``posture``, ``check-restore``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.console import emit

if TYPE_CHECKING:
    from bot.cli import World

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
VaultName = Annotated[str, typer.Argument(help="Name, rg/name, subscription/rg/name or ARM id.")]
MaybeVault = Annotated[str, typer.Argument(help="Name, rg/name, subscription/rg/name or ARM id; none for all.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rpo)
    app.command()(jobs)
    app.command()(agents)
    app.command()(posture)
    app.command("check-restore")(check_restore)


def rpo(vault: MaybeVault = "", *, as_json: AsJson = False) -> None:
    """How old each item's newest recovery point is, against the configured RPO and what the policy allows."""
    from adaptive_cards.cards import rpo as card
    from bot.cli import looking
    from diagnostics.locate import find_vault
    from diagnostics.overview import rpo_json, rpo_table

    async def work(world: "World") -> tuple[Any, Any, int]:
        read, now = world.read(), world.clock.now()
        of = await find_vault(read, vault) if vault else None
        table = await rpo_table(read, world.rpo, now, vault=of, size=None)
        return rpo_json(table), card.render(table, now, simulated=world.settings.simulated), table.exit_code

    record, drawn, code = looking(work)
    emit(record, drawn, as_json=as_json)
    raise typer.Exit(code)


def jobs(
    vault: VaultName,
    only: Annotated[str, typer.Option("--only", help="failed or running; empty for both.")] = "",
    since: Annotated[str, typer.Option("--since", help="How far back, for example 24h.")] = "24h",
    *,
    as_json: AsJson = False,
) -> None:
    """Which jobs of a vault run, with phase and progress, and which failed."""
    from adaptive_cards.cards import jobs as card
    from bot.cli import looking
    from diagnostics.locate import find_vault
    from diagnostics.overview import jobs_json, vault_jobs
    from handlers.commands.jobs import split

    _, which, back = split((vault, *([only] if only else []), since))

    async def work(world: "World") -> tuple[Any, Any, int]:
        read, now = world.read(), world.clock.now()
        view = await vault_jobs(read, await find_vault(read, vault), now, only=which, back=back)
        return jobs_json(view), card.render(view, now, simulated=world.settings.simulated), view.exit_code

    record, drawn, code = looking(work)
    emit(record, drawn, as_json=as_json)
    raise typer.Exit(code)


def agents(vault: MaybeVault = "", *, as_json: AsJson = False) -> None:
    """Which MARS machines and backup servers are outdated or silent."""
    from adaptive_cards.cards import agents as card
    from bot.cli import looking
    from diagnostics.locate import find_vault
    from diagnostics.overview import agents_json, fleet_agents, vault_agents

    async def work(world: "World") -> tuple[Any, Any, int]:
        read, now = world.read(), world.clock.now()
        if vault:
            view = await vault_agents(read, await find_vault(read, vault), world.limits, now)
        else:
            view = await fleet_agents(read, world.limits, now)
        return agents_json(view), card.render(view, simulated=world.settings.simulated), view.exit_code

    record, drawn, code = looking(work)
    emit(record, drawn, as_json=as_json)
    raise typer.Exit(code)


def posture(vault: MaybeVault = "", *, as_json: AsJson = False) -> None:
    """Whether deleted backups can be had back, failures reach somebody, and restores were tested."""
    from adaptive_cards.cards import posture as card
    from bot.cli import looking
    from diagnostics import registry
    from diagnostics.locate import find_vault
    from diagnostics.overview import fleet_posture, posture_json, vault_posture

    checks = registry.discover()

    async def work(world: "World") -> tuple[Any, Any, int]:
        read, simulated = world.read(), world.settings.simulated
        if vault:
            view = await vault_posture(world.context(await find_vault(read, vault), None, read), checks)
            drawn = card.vault(view.vaults[0], fixes=(), fix_target="", simulated=simulated)
        else:
            view = await fleet_posture(read, lambda one: world.context(one, None, read), checks, world.clock.now())
            drawn = card.fleet(view, {check.id: check.title for check in checks.values()}, simulated=simulated)
        return posture_json(view), drawn, view.exit_code

    record, drawn, code = looking(work)
    emit(record, drawn, as_json=as_json)
    raise typer.Exit(code)


def check_restore(
    vault: VaultName,
    item: Annotated[str, typer.Argument(help="Friendly name, container/name or ARM id.")],
    to: Annotated[str, typer.Option("--to", help="The region to restore to.")] = "",
    size: Annotated[str, typer.Option("--size", help="The VM size to restore as.")] = "",
    storage: Annotated[str, typer.Option("--storage", help="The storage account to stage in.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """What would block a restore of an item, here or elsewhere, and what nobody can know beforehand."""
    from adaptive_cards.cards import restore as card
    from bot.cli import looking
    from diagnostics import registry
    from diagnostics.locate import find_item
    from diagnostics.overview import restore_check, restore_json
    from diagnostics.registry import RestoreTarget

    target = RestoreTarget(region=to.replace(" ", "").casefold(), vm_size=size, storage_account=storage)

    async def work(world: "World") -> tuple[Any, Any, int]:
        read = world.read()
        in_vault, found = await find_item(read, item, vault)
        view = await restore_check(world.context(in_vault, found, read, target=target), registry.discover())
        drawn = card.render(view, fixes=(), now=world.clock.now(), simulated=world.settings.simulated)
        return restore_json(view), drawn, view.exit_code

    record, drawn, code = looking(work)
    emit(record, drawn, as_json=as_json)
    raise typer.Exit(code)
