"""The composition root: the one place that picks implementations and joins them."""

import asyncio
import socket
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import sqlalchemy as sa
import structlog
from aiohttp import web

from bot import housekeeping, routing, server
from bot.azure import Azure, azure
from bot.clock import SimulatedClock, SystemClock
from bot.metrics import Metrics
from bot.people import EntraGroups, Joined, People
from bot.settings import Settings
from bot.store import database
from bot.store import tables as t
from bot.store.chain import Signer
from bot.store.store import Store, Wake
from bot.transports import slack, webhook_auth, webhooks
from bot.workflows import telling
from bot.workflows.approvals import Approvals
from bot.workflows.drain import Drain
from bot.workflows.engine import DbosEngine, Engine
from bot.workflows.execution import Execution
from bot.workflows.grants import Grants
from bot.workflows.inbox import Inbox, Platform
from bot.workflows.incidents import Incidents
from bot.workflows.ledger import StoreLedger
from bot.workflows.outbox import Messenger, Outbox
from bot.workflows.records import StoreRecords
from bot.workflows.replicas import Replicas
from bot.workflows.services import Freeze, Services
from bot.workflows.starting import Starting
from bot.workflows.ticker import Ticker
from bot.workflows.views import Views
from diagnostics import error_codes
from diagnostics import registry as checks_registry
from domain.errors import SettingsError
from domain.ports import Clock
from fixes import registry as fixes_registry
from handlers import router as handler_router
from handlers import services as handler_services

if TYPE_CHECKING:
    from bot.transports.teams import Teams

SINGLE = "single"
DRAIN_S = 10.0
"""How long requests that have begun may still take once the bot is told to stop."""


@dataclass(kw_only=True)
class App:
    """A bot that has been put together and is working."""

    settings: Settings
    services: Services
    store: Store
    engine: Engine
    inbox: Inbox
    outbox: Outbox
    incidents: Incidents
    approvals: Approvals
    web: web.Application
    loops: list[Coroutine[Any, Any, None]]
    log: structlog.stdlib.BoundLogger


def executor_id(settings: Settings) -> str:
    """Who we are among the replicas: constant on SQLite, where only one process may run, else new at each start."""
    if settings.database_url.startswith("sqlite"):
        return SINGLE
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def tls_context(settings: Settings) -> ssl.SSLContext:
    """What outbound traffic trusts: the system's authorities and the configured one."""
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    return context


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    dress: Callable[[str, Messenger], Messenger] = lambda _, messenger: messenger,
) -> AsyncIterator[App]:
    """Put everything together and start the engine; everything is taken apart again at the end.

    The overrides are for tests and the demo: another clock, and something around each platform's messenger.

    Raises:
        SettingsError: no transport is on, or the database is in use.
    """
    if not (settings.slack_on or settings.teams_on):
        raise SettingsError(
            ["no chat platform is set up: set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET, or TEAMS_APP_ID …"]
        )
    log = structlog.get_logger()
    async with AsyncExitStack() as stack:
        lock = database.OneProcess(settings.database_url)
        try:
            lock.acquire()
        except OSError as error:
            raise SettingsError([f"DATABASE_URL: cannot write there: {error.strerror} ({error.filename})"]) from error
        stack.callback(lock.release)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls_context(settings), limit=64),
                timeout=aiohttp.ClientTimeout(total=15),
                trust_env=settings.proxied,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )
        world_clock = clock or (SimulatedClock(settings.clock_url) if settings.clock_url else SystemClock())
        if isinstance(world_clock, SimulatedClock):
            await world_clock.refresh(http)
        engine_db = database.connect(settings.database_url)
        try:
            await database.migrate(engine_db)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            await engine_db.dispose()
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise SettingsError([f"DATABASE_URL: the database cannot be used: {reason}"]) from error
        me = executor_id(settings)
        engine = DbosEngine(settings.database_url, executor_id=me)
        store = Store(
            engine_db,
            database.reader(engine_db, settings.database_url),
            world_clock,
            signer=Signer.from_file(settings.audit.sign_key_file),
            enqueue=engine.enqueue,
        )
        stack.push_async_callback(store.close)
        cloud = await stack.enter_async_context(azure(settings))
        ground = _Ground(
            settings=settings,
            store=store,
            engine=engine,
            me=me,
            cloud=cloud,
            clock=world_clock,
            http=http,
            stack=stack,
            log=log,
        )
        yield await _join(ground, dress)


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What everything stands on; ``stack`` takes apart at the end what was begun."""

    settings: Settings
    store: Store
    engine: Engine
    me: str
    cloud: Azure
    clock: Clock
    http: aiohttp.ClientSession
    stack: AsyncExitStack
    log: structlog.stdlib.BoundLogger


async def _join(  # noqa: C901, PLR0915  (the one place where everything meets)
    ground: _Ground, dress: Callable[[str, Messenger], Messenger]
) -> App:
    settings, store, engine, log = ground.settings, ground.store, ground.engine, ground.log
    groups = EntraGroups(ground.cloud.reader, log)
    people = People(listed=settings.people, groups=groups.members)
    services = _services(ground, people, lambda: replicas.fresh)
    approvals, incidents = Approvals(services=services), Incidents(services=services)
    execution = Execution(services=services, incidents=incidents)
    grants = Grants(services=services, show=partial(telling.show, services))

    # Both are filled below: a platform needs the inbox to put things in before the inbox needs it to answer them.
    platforms: dict[str, Platform] = {}
    messengers: dict[str, Messenger] = {}
    router = handler_router.build()
    desks = _for_handlers(services, approvals, incidents, grants)
    inbox = Inbox(store=store, router=router, services=desks, platforms=platforms, messengers=messengers, log=log)
    me = ground.me
    inbox_drain = Drain(store=store, table=t.inbox, owner=me, work=inbox.work, gave_up=inbox.gave_up, log=log)
    alerts_drain = Drain(store=store, table=t.alerts, owner=me, work=webhooks.worker(incidents), workers=4, log=log)
    inbox.wake = inbox_drain.wake
    slack_api: slack.SlackApi | None = None
    if settings.slack_on:
        token = settings.slack_bot_token.get_secret_value()
        slack_api = slack.SlackApi(token=token, url=settings.slack_api_url, http=ground.http)
        people.on_slack = slack.SlackDirectory(api=slack_api)
        platforms["slack"] = Joined(slack.SlackPlatform(directory=people.on_slack), people.join)
        messengers["slack"] = dress("slack", slack.SlackMessenger(api=slack_api))
    views = Views(services=services, join=people.join)
    on_teams = _teams(ground, inbox, router, views, groups) if settings.teams_on else None
    if on_teams is not None:
        ground.stack.push_async_callback(on_teams.close)
        people.on_teams = on_teams.directory
        platforms["teams"] = Joined(on_teams.platform, people.join)
        messengers["teams"] = dress("teams", on_teams.messenger)
    outbox = Outbox(store=store, messengers=messengers, owner=me, log=log)

    def woken(wake: Wake) -> None:
        if wake.outbox:
            outbox.wake()

    store.on_commit = woken

    async def adopt(alive: frozenset[str]) -> int:
        return await inbox_drain.adopt(alive) + await alerts_drain.adopt(alive)

    async def lost(alive: frozenset[str]) -> None:
        taken = await engine.take_over(alive) + await adopt(alive)
        if taken:
            log.info("took_over", pieces=taken)

    replicas = Replicas(store=store, me=me, on_lost=lost)
    drives: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
        "incident": incidents.drive,
        "approval": Starting(services=services).drive,
        "run": execution.drive,
        "grant": grants.drive,
    }

    async def drive(kind: str, row_id: str) -> None:
        await drives[kind](row_id)

    await replicas.beat()
    await engine.start(drive)
    ground.stack.push_async_callback(engine.stop)
    alive = await replicas.alive()
    # Whoever is always called the same finds what it was working on before it was started again under its own name.
    await adopt(alive - {SINGLE} if me == SINGLE else alive)

    routes: dict[str, server.Handler] = {}
    if slack_api is not None and people.on_slack is not None:
        routes |= await _slack_routes(ground, slack_api, people.on_slack, inbox)
    if on_teams is not None:
        routes["/api/messages"] = on_teams.route
    if settings.webhook_on:
        routes["/webhooks/azure-monitor"] = webhooks.route(
            store, webhook_auth.ways(settings, ground.http), alerts_drain.wake
        )
    metrics = Metrics()

    async def heartbeat() -> str:
        return "" if replicas.fresh else "the heartbeat is stale"

    health = server.Health(checks={"store": partial(housekeeping.store_answers, store), "workflows": heartbeat})
    loops = [
        inbox_drain.run(),
        alerts_drain.run(),
        outbox.run(),
        Ticker(services=services).run(),
        replicas.run(),
        housekeeping.prune(engine, StoreLedger(store), services.clock, log),
        housekeeping.count(metrics, store, log),
    ]
    if isinstance(ground.clock, SimulatedClock):
        loops.append(ground.clock.follow(ground.http))
    return App(
        settings=settings,
        services=services,
        store=store,
        engine=engine,
        inbox=inbox,
        outbox=outbox,
        incidents=incidents,
        approvals=approvals,
        web=server.build(routes, health, metrics.registry),
        loops=loops,
        log=log,
    )


def _services(ground: _Ground, people: People, may_change: Callable[[], bool]) -> Services:
    """What the drivers work with."""
    settings, fixes = ground.settings, fixes_registry.discover()
    unknown = [fix for fix in settings.fixes.enable if fix not in fixes]
    if unknown:
        raise SettingsError([f"fixes.enable: there is no fix {fix}" for fix in unknown])
    return Services(
        store=ground.store,
        clock=ground.clock,
        read=ground.cloud.read,
        operator=ground.cloud.operator,
        checks=checks_registry.discover(),
        fixes=fixes,
        directory=people,
        rules=routing.rules(settings),
        route=routing.router(settings),
        rpo=routing.rpo_rules(settings),
        limits=routing.limits(settings),
        fix_settings=routing.fix_settings(settings),
        freezes=[Freeze(start=one.start, end=one.end, reason=one.reason) for one in settings.approvals.freeze],
        expires=settings.approvals.expires,
        remind=settings.approvals.remind,
        poll=settings.poll_every,
        proof_within=settings.jobs.proof_within,
        role_settle=settings.role_settle,
        diagnosis_limit_s=settings.azure.timeout.total_seconds(),
        simulated=settings.simulated,
        may_change=may_change,
        log=ground.log,
    )


def _for_handlers(
    services: Services, approvals: Approvals, incidents: Incidents, grants: Grants
) -> handler_services.Services:
    """What the handlers may use of it."""
    return handler_services.Services(
        read=services.read,
        clock=services.clock,
        checks=services.checks,
        fixes=services.fixes,
        codes=error_codes.load(),
        rpo=services.rpo,
        approvals=approvals,
        incidents=incidents,
        records=StoreRecords(services.store),
        grants=grants,
        limits=services.limits,
        fix_settings=services.fix_settings,
        ledger=StoreLedger(services.store),
        limit_s=services.diagnosis_limit_s,
        simulated=services.simulated,
        read_only=services.operator is None,
        operator_client_id=services.operator_client_id,
        on_bug=lambda check, error: services.log.error("check_has_a_bug", check=check, exc_info=error),
    )


async def _slack_routes(
    ground: _Ground, api: slack.SlackApi, directory: slack.SlackDirectory, inbox: Inbox
) -> dict[str, server.Handler]:
    """Slack's requests, by HTTP, through its socket, or both."""
    settings = ground.settings
    ground.log.info("slack", said=await slack.who_we_are(api, directory))
    secret = settings.slack_signing_secret.get_secret_value()
    bolt = slack.build_bolt(secret or "socket-mode-only", api, directory, inbox.put)
    if app_token := settings.slack_app_token.get_secret_value():
        handler = slack.socket_mode(bolt, app_token, settings.slack_api_url)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        ground.stack.push_async_callback(handler.close_async)
    return {"/slack/events": slack.route(bolt)} if secret else {}


def _teams(
    ground: _Ground, inbox: Inbox, router: handler_router.Router, views: Views, groups: EntraGroups
) -> "Teams | None":
    # Imported here: the Bot Framework SDK costs a second that a bot on Slack alone need not spend.
    from bot.transports.teams import build_teams  # noqa: PLC0415
    from bot.transports.teams_store import StoreReferences, card_at  # noqa: PLC0415

    return build_teams(
        ground.settings,
        ground.http,
        StoreReferences(store=ground.store),
        inbox.put,
        commands=frozenset(router.commands),
        forms=frozenset(router.submit),
        view_for=views.view_for,
        card_at=partial(card_at, ground.store),
        approvers=views.approvers,
        groups=groups.members,
    )


def may_listen(settings: Settings) -> None:
    """Try the port before anything is started that takes its time to end again.

    Raises:
        SettingsError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise SettingsError([f"BACKUPBOT_HOST, BACKUPBOT_PORT: cannot listen: {error.strerror}"]) from error


async def serve(settings: Settings, *, ready: Callable[[str], None], stopped: asyncio.Event) -> None:
    """Run the bot until ``stopped``; ``ready`` gets the address once requests are accepted."""
    may_listen(settings)
    async with build(settings) as app, running(app) as url:
        ready(url)
        await stopped.wait()


@asynccontextmanager
async def running(app: App) -> AsyncIterator[str]:
    """The bot's loops and its port, until the end of the block; gives its address.

    Raises:
        SettingsError: nothing can listen at the configured address.
    """
    host, port = app.settings.host, app.settings.port
    runner = web.AppRunner(app.web, access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            for loop in app.loops:
                loop.close()
            raise SettingsError([f"BACKUPBOT_HOST, BACKUPBOT_PORT: cannot listen: {error.strerror}"]) from error
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in app.loops]
            try:
                yield f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()
                for task in tasks:
                    task.cancel()
    finally:
        await runner.cleanup()
