"""``backupbot …``. No command changes Azure or decides an approval: that happens in chat.

Exit codes: 0 fine · 1 a FAIL, a breach, a broken chain, an unknown error code · 2 usage or settings error, no such vault or
item · 3 could not look · 70 a bug.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot import commands_admin, commands_fleet, commands_sim, commands_store
from bot.console import emit, fail, note
from domain.errors import Ambiguous, BotError, GatewayError, NotFound, RequestError, SettingsError, Throttled

if TYPE_CHECKING:
    from bot.settings import Settings
    from diagnostics.registry import Context
    from domain.backup import ProtectedItem, Vault
    from domain.ports import BackupReader, Clock

T = TypeVar("T")
FINE, FOUND, USAGE, BLIND, BUG = 0, 1, 2, 3, 70
DECIDED_WITHIN_S = 28.0

app = typer.Typer(
    name="backupbot",
    help="Diagnoses Azure Backup incidents and does approved fixes from Slack and Microsoft Teams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
commands_fleet.add(app)
commands_store.add(app)
commands_admin.add(app)
commands_sim.add(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
VaultName = Annotated[str, typer.Argument(help="Name, rg/name, subscription/rg/name or ARM id.")]
MaybeVault = Annotated[str, typer.Argument(help="Name, rg/name, subscription/rg/name or ARM id; none for all.")]
ItemName = Annotated[str, typer.Argument(help="Friendly name, container/name or ARM id; - for the vault itself.")]


class World:
    """What the reading commands need: the reader, the clock and the settings, without any database."""

    def __init__(self, settings: "Settings", read: "Callable[[], BackupReader]", clock: "Clock", operator: str) -> None:
        from bot import routing

        self.settings = settings
        self.read = read
        self.clock = clock
        self.operator_client_id = operator
        self.rpo = routing.rpo_rules(settings)
        self.limits = routing.limits(settings)
        self.fix_settings = routing.fix_settings(settings)

    def context(self, vault: "Vault", item: "ProtectedItem | None", read: "BackupReader", **more: Any) -> "Context":  # noqa: ANN401
        """What checks are given."""
        from diagnostics.registry import Context

        return Context(vault=vault, item=item, read=read, clock=self.clock, rpo=self.rpo, limits=self.limits, **more)


def settings() -> "Settings":
    """The settings of this process."""
    from bot.settings import load, process_environment

    return load(process_environment())


def looking(work: "Callable[[World], Awaitable[T]]") -> T:
    """Run ``work`` against Azure within the time that a person waits.

    Raises:
        GatewayError: it could not be read in time.
    """

    async def run() -> T:
        import aiohttp

        from bot.azure import azure
        from bot.clock import SimulatedClock, SystemClock

        known = settings()
        clock: SystemClock = SimulatedClock(known.clock_url) if known.clock_url else SystemClock()
        try:
            async with asyncio.timeout(DECIDED_WITHIN_S):
                if isinstance(clock, SimulatedClock):
                    async with aiohttp.ClientSession() as http:
                        await clock.refresh(http)
                async with azure(known) as cloud:
                    return await work(World(known, cloud.read, clock, known.operator_client_id))
        except TimeoutError as error:
            raise GatewayError(f"Azure did not answer within {DECIDED_WITHIN_S:.0f} s.") from error

    return asyncio.run(run())


@app.command()
def serve() -> None:
    """Run the bot; prints "ready http://HOST:PORT" when it accepts requests."""
    import signal

    from bot import logs
    from bot.app import serve as run_bot

    logs.set_up()
    known = settings()

    async def run() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await run_bot(known, ready=lambda url: print(f"ready {url}", flush=True), stopped=stopped)  # noqa: T201

    asyncio.run(run())


@app.command()
def status(vault: MaybeVault = "", *, as_json: AsJson = False) -> None:
    """How the backups of a vault, or of all vaults, are: exceptions first."""
    from adaptive_cards.cards import fleet
    from diagnostics.locate import find_vault
    from diagnostics.overview import fleet_json, fleet_status, vault_json, vault_status

    async def work(world: World) -> tuple[Mapping[str, Any], Any, int]:
        read, now = world.read(), world.clock.now()
        if not vault:
            everything = await fleet_status(read, world.rpo, now)
            return (
                fleet_json(everything),
                fleet.fleet(everything, now=now, simulated=world.settings.simulated),
                everything.exit_code,
            )
        one = await vault_status(read, await find_vault(read, vault), world.rpo, now)
        return vault_json(one), fleet.vault(one, now=now, simulated=world.settings.simulated), one.exit_code

    record, card, code = looking(work)
    emit(record, card, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def diagnose(
    vault: VaultName,
    item: ItemName,
    check: Annotated[list[str] | None, typer.Option("--check", help="Only this check; may be repeated.")] = None,
    *,
    changes: Annotated[bool, typer.Option("--changes", help="Also who changed what before it failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is wrong with an item: findings, causes, and the fixes to try."""
    from adaptive_cards.cards import diagnosis as diagnosis_card
    from diagnostics import registry
    from diagnostics.locate import find_item, find_vault
    from diagnostics.runner import diagnose as run_checks
    from domain.records import diagnosis_contract
    from fixes import registry as fixes_registry
    from handlers.diagnosing import changes_before

    checks = registry.discover()
    unknown = [one for one in check or [] if one not in checks]
    if unknown:
        raise NotFound(f"There is no check {', '.join(unknown)}. Checks: {', '.join(checks)}.")

    async def work(world: World) -> tuple[Mapping[str, Any], Any, int]:
        read = world.read()
        if item == "-":
            context = world.context(await find_vault(read, vault), None, read)
        else:
            in_vault, found = await find_item(read, item, vault)
            context = world.context(in_vault, found, read)
        limit = min(world.settings.azure.timeout.total_seconds(), DECIDED_WITHIN_S - 5)
        diagnosis = await run_checks(context, checks, only=tuple(check or ()), limit_s=limit, on_bug=_say_bug)
        changed = await changes_before(context, diagnosis) if changes else ()
        catalogue = fixes_registry.discover()
        offers = dict.fromkeys(fix for cause in diagnosis.causes for fix in cause.fixes if fix in catalogue)
        card = diagnosis_card.render(
            diagnosis,
            fixes=tuple((fix, catalogue[fix].spec.title) for fix in offers),
            incident_id="",
            item_id=diagnosis.item_id,
            now=world.clock.now(),
            simulated=world.settings.simulated,
            changes=changed,
        )
        record = diagnosis_contract(diagnosis)
        if changes:
            record["changes"] = [{"at": at.isoformat(), "actor": who, "what": what} for at, who, what in changed]
        return record, card, diagnosis.exit_code

    record, card, code = looking(work)
    emit(record, card, as_json=as_json)
    raise typer.Exit(code)


def _say_bug(check: str, error: Exception) -> None:
    note(f"the check {check} has a bug: {type(error).__name__}: {error}")


@app.command()
def plan(
    fix: Annotated[str, typer.Argument(help="The fix's id: see backupbot fixes.")],
    vault: VaultName,
    item: ItemName,
    values: Annotated[list[str] | None, typer.Option("--set", help="A parameter as k=v; may be repeated.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Exactly what a fix would send. Changes nothing."""
    from adaptive_cards.cards import plan as plan_card
    from diagnostics.locate import find_item, find_vault, nearest
    from domain.records import plan_contract
    from fixes import registry as fixes_registry
    from fixes.registry import PlanRequest, whole_vault
    from handlers.fixing import parameters

    pairs: dict[str, str] = {}
    for one in values or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise RequestError(f"--set {one}: write it as k=v.")
        pairs[name] = value
    catalogue = fixes_registry.discover()
    if fix not in catalogue:
        close = nearest(fix, catalogue)
        raise NotFound(f"There is no fix {fix}.{' Did you mean ' + ' or '.join(close) + '?' if close else ''}")

    async def work(world: World) -> tuple[Mapping[str, Any], Any]:
        read = world.read()
        if item == "-":
            in_vault = await find_vault(read, vault)
            found = whole_vault(in_vault)
        else:
            in_vault, listed = await find_item(read, item, vault)
            found = await read.item(listed.id)  # a list leaves out what some plans rest on
        now = world.clock.now()
        request = PlanRequest(
            vault=in_vault, item=found, parameters=parameters(pairs, now), settings=world.fix_settings, now=now
        )
        made = await catalogue[fix].plan(request, read)
        card = plan_card.render(
            made, operator_client_id=world.operator_client_id, read_only=True, simulated=world.settings.simulated
        )
        return plan_contract(made, world.operator_client_id), card

    record, card = looking(work)
    emit(record, card, as_json=as_json)


@app.command()
def explain(
    code: Annotated[list[str], typer.Argument(help="A name, number, hex code, link or sentence.")],
    *,
    as_json: AsJson = False,
) -> None:
    """What an error code means and what to do about it."""
    from adaptive_cards.cards import explain as explain_card
    from diagnostics import error_codes

    text = " ".join(code)
    codes = error_codes.load()
    known = codes.lookup(text)
    if known is None:
        near = [one.name for one in codes.nearest(text)]
        emit(
            {"code": text, "known": False, "nearest": near},
            explain_card.unknown(text, near, simulated=False),
            as_json=as_json,
        )
        raise typer.Exit(FOUND)
    shown: dict[str, Any] = {
        "name": known.name,
        "spellings": list(known.spellings),
        "meaning": known.meaning,
        "causes": list(known.causes),
        "remedy": known.remedy,
        "workloads": list(known.workloads),
        "checks": list(known.checks),
        "fixes": list(known.fixes),
        "documentation": known.documentation,
        "transient": known.transient,
    }
    emit({"code": text, "known": True, **shown}, explain_card.render(**shown, simulated=False), as_json=as_json)


@app.command()
def checks(*, as_json: AsJson = False) -> None:
    """The catalogue of checks."""
    from adaptive_cards.cards import catalogue
    from diagnostics import registry

    found = registry.discover()
    record = [
        {
            "check": one.id,
            "title": one.title,
            "workloads": sorted(one.workloads),
            "permissions": list(one.permissions),
            "suggests": list(one.suggests),
            "docs": one.docs,
        }
        for one in found.values()
    ]
    emit(record, catalogue.render("Checks", tuple((one.id, one.title) for one in found.values())), as_json=as_json)


@app.command()
def fixes(*, as_json: AsJson = False) -> None:
    """The catalogue of fixes."""
    from adaptive_cards.cards import catalogue
    from fixes import registry

    found = registry.discover()
    record = [
        {
            "fix": one.spec.id,
            "title": one.spec.title,
            "risk": one.spec.risk.value,
            "workloads": sorted(one.spec.workloads),
            "permissions": list(one.spec.permissions),
            "proof": one.spec.proof,
            "off_by_default": one.spec.off_by_default,
            "guide": one.spec.guide,
        }
        for one in found.values()
    ]
    rows = tuple((one.spec.id, f"{one.spec.summary} (risk {one.spec.risk.value})") for one in found.values())
    emit(record, catalogue.render("Fixes", rows), as_json=as_json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command (default: the process's own arguments); every error becomes a sentence and an exit code.

    Typer itself ends usage errors with 2.
    """
    try:
        app(args=arguments)
    except SettingsError as error:
        fail(str(error), USAGE)
    except Ambiguous as error:
        fail("\n".join([str(error), *(f"  {one}" for one in error.candidates)]), USAGE)
    except RequestError as error:
        fail(str(error), USAGE)
    except Throttled as error:
        wait = f" Try again in {error.retry_after.total_seconds():.0f} s." if error.retry_after else ""
        fail(f"Could not look: {error}{wait}", BLIND)
    except GatewayError as error:
        fail(f"Could not look: {error}", BLIND)
    except BotError as error:
        fail(str(error), USAGE)
    except BrokenPipeError:
        sys.exit(FINE)
    except Exception:  # noqa: BLE001
        # The edge of the program: a bug is said as one, with what a developer needs.
        import traceback

        traceback.print_exc()
        fail("That is a bug in backupbot; please report the lines above.", BUG)
