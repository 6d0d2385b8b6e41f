"""The composition root: the one place that picks implementations and joins them."""

import asyncio
import socket
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import sqlalchemy as sa
import structlog
from aiohttp import web

from bot import routing, server
from bot.azure import Azure, azure
from bot.clock import SimulatedClock, SystemClock
from bot.gateways.azure_reader import AzureReader
from bot.metrics import Metrics
from bot.settings import Person, Settings
from bot.store import database
from bot.store import tables as t
from bot.store.chain import Signer
from bot.store.store import Store, Wake
from bot.transports import slack, webhooks
from bot.transports.teams_auth import KeyCache
from bot.transports.webhook_auth import EntraToken
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
from domain.actor import Actor
from domain.errors import GatewayError, SettingsError
from domain.ports import Clock
from fixes import registry as fixes_registry
from handlers import router as handler_router
from handlers import services as handler_services
from handlers.requests import Request

if TYPE_CHECKING:
    from bot.transports.teams import Teams

KEEP_WORK = timedelta(days=7)
KEEP_GROUPS_S = 60.0
ENTRA_METADATA = "https://login.microsoftonline.com/{}/v2.0/.well-known/openid-configuration"
PRUNE_EVERY_S = 3600.0
METRICS_EVERY_S = 15.0
DRAIN_S = 10.0
"""How long requests that have begun may still take once the bot is told to stop."""


class OnePlatform(Protocol):
    """A platform's own directory."""

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person."""
        ...


@dataclass(kw_only=True)
class People:
    """:class:`domain.ports.Directory` over the platforms that are on.

    ``[people]`` joins the accounts of one human where no directory tells: what it says of ids and addresses counts as known.
    """

    on_slack: slack.SlackDirectory | None = None
    on_teams: OnePlatform | None = None
    groups: Callable[[str], Awaitable[frozenset[str] | None]] | None = None
    listed: Mapping[str, Person] = field(default_factory=dict)

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person."""
        if platform == "slack" and self.on_slack is not None:
            return self.join(await self.on_slack.actor(user_id))
        if platform == "teams" and self.on_teams is not None:
            return self.join(await self.on_teams.actor(platform, user_id))
        return Actor(platform=platform, id=user_id, known=False)

    def join(self, actor: Actor) -> Actor:
        """The same person with what ``[people]`` knows of them."""
        for name, one in self.listed.items():
            if actor.id and actor.id == (one.slack if actor.platform == "slack" else one.teams):
                email = one.email or actor.email
                return replace(
                    actor,
                    person=name,
                    entra_id=actor.entra_id or one.teams,
                    email=email,
                    email_confirmed=bool(one.email) or actor.email_confirmed,
                )
        return actor

    async def account(self, entry: str) -> str | None:
        """The Slack account that is told for an entry of a rule."""
        kind, _, value = entry.partition(":")
        for one in self.listed.values():
            if one.slack and value and value.casefold() in {one.email.casefold(), one.teams.casefold()}:
                return one.slack
        if kind == "email" and self.on_slack is not None:
            return await self.on_slack.by_email(value)
        return None if kind == "email" and self.on_teams is None else ""

    async def members(self, group: str) -> frozenset[str] | None:
        """The members of a group, None when it cannot be read."""
        if group.startswith("slack-group:") and self.on_slack is not None:
            return await self.on_slack.members(group)
        if group.startswith("entra-group:") and self.groups is not None:
            return await self.groups(group)
        return None


@dataclass
class EntraGroups:
    """Members of Entra groups, remembered for a minute; None when they cannot be read, which counts as nobody."""

    reader: AzureReader
    log: structlog.stdlib.BoundLogger
    _kept: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def members(self, group: str) -> frozenset[str] | None:
        """The object ids in ``entra-group:<id>``."""
        group_id = group.partition(":")[2]
        kept = self._kept.get(group_id)
        if kept and time.monotonic() - kept[0] < KEEP_GROUPS_S:
            return kept[1]
        try:
            found = await self.reader.group_members(group_id)
        except GatewayError as error:
            self.log.warning("group_unreadable", group=group_id, error=str(error))
            return None
        self._kept[group_id] = (time.monotonic(), found)
        return found


@dataclass(frozen=True)
class Joined:
    """A platform whose senders are joined with what ``[people]`` knows of them."""

    inner: Platform
    join: Callable[[Actor], Actor]

    async def request(self, kind: str, payload: Mapping[str, Any]) -> Request:
        """The request, its sender joined."""
        request = await self.inner.request(kind, payload)
        return replace(request, actor=self.join(request.actor))

    def reply(self, kind: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
        """As it is."""
        return self.inner.reply(kind, payload)


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
        return "single"
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
        app = await _join(settings, store, engine, me, cloud, world_clock, http, stack, log, dress)
        yield app


async def _join(  # noqa: C901, PLR0913, PLR0915, PLR0917  (the one place where everything meets)
    settings: Settings,
    store: Store,
    engine: Engine,
    me: str,
    cloud: Azure,
    clock: Clock,
    http: aiohttp.ClientSession,
    stack: AsyncExitStack,
    log: structlog.stdlib.BoundLogger,
    dress: Callable[[str, Messenger], Messenger],
) -> App:
    fixes, checks = fixes_registry.discover(), checks_registry.discover()
    unknown = [fix for fix in settings.fixes.enable if fix not in fixes]
    if unknown:
        raise SettingsError([f"fixes.enable: there is no fix {fix}" for fix in unknown])
    platforms: dict[str, Platform] = {}
    messengers: dict[str, Messenger] = {}
    people = People(listed=settings.people)
    slack_api: slack.SlackApi | None = None
    if settings.slack_on:
        slack_api = slack.SlackApi(
            token=settings.slack_bot_token.get_secret_value(), url=settings.slack_api_url, http=http
        )
        people.on_slack = slack.SlackDirectory(api=slack_api)
        platforms["slack"] = Joined(slack.SlackPlatform(directory=people.on_slack), people.join)
        messengers["slack"] = dress("slack", slack.SlackMessenger(api=slack_api))

    router = handler_router.build()
    inbox_put: list[Callable[[str, Mapping[str, Any], str | None], Awaitable[bool]]] = []

    async def put(kind: str, payload: Mapping[str, Any], dedupe: str | None) -> bool:
        return await inbox_put[0](kind, payload, dedupe)

    services = Services(
        store=store,
        clock=clock,
        read=cloud.read,
        operator=cloud.operator,
        checks=checks,
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
        may_change=lambda: replicas.fresh,
        log=log,
    )
    groups = EntraGroups(cloud.reader, log)
    views = Views(services=services, join=people.join)
    people.groups = groups.members
    on_teams = _teams(settings, http, store, put, router, views, groups) if settings.teams_on else None
    if on_teams is not None:
        stack.push_async_callback(on_teams.close)
        people.on_teams = on_teams.directory
        platforms["teams"] = Joined(on_teams.platform, people.join)
        messengers["teams"] = dress("teams", on_teams.messenger)

    async def lost(alive: frozenset[str]) -> None:
        taken = await engine.take_over(alive) + await inbox_drain.adopt(alive) + await alerts_drain.adopt(alive)
        if taken:
            log.info("took_over", pieces=taken)

    replicas = Replicas(store=store, me=me, on_lost=lost)
    approvals, incidents = Approvals(services=services), Incidents(services=services)
    execution = Execution(services=services, incidents=incidents)
    grants = Grants(services=services, show=partial(telling.show, services))
    handlers = handler_services.Services(
        read=cloud.read,
        clock=clock,
        checks=checks,
        fixes=fixes,
        codes=error_codes.load(),
        rpo=services.rpo,
        approvals=approvals,
        incidents=incidents,
        records=StoreRecords(store),
        grants=grants,
        limits=services.limits,
        fix_settings=services.fix_settings,
        ledger=StoreLedger(store),
        limit_s=services.diagnosis_limit_s,
        simulated=services.simulated,
        read_only=services.operator is None,
        operator_client_id=services.operator_client_id,
        on_bug=lambda check, error: log.error("check_has_a_bug", check=check, exc_info=error),
    )
    inbox = Inbox(
        store=store,
        router=router,
        services=handlers,
        platforms=platforms,
        messengers=messengers,
        log=log,
    )
    inbox_put.append(lambda kind, payload, dedupe: inbox.put(kind, payload, dedupe=dedupe))
    inbox_drain = Drain(store=store, table=t.inbox, owner=me, work=inbox.work, gave_up=inbox.gave_up, log=log)
    alerts_drain = Drain(store=store, table=t.alerts, owner=me, work=webhooks.worker(incidents), workers=4, log=log)
    inbox.wake = inbox_drain.wake
    outbox = Outbox(store=store, messengers=messengers, owner=me, log=log)

    def woken(wake: Wake) -> None:
        if wake.outbox:
            outbox.wake()

    store.on_commit = woken
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
    stack.push_async_callback(engine.stop)
    await inbox_drain.adopt(await replicas.alive() - {me} if me == "single" else await replicas.alive())
    await alerts_drain.adopt(await replicas.alive() - {me} if me == "single" else await replicas.alive())

    routes: dict[str, server.Handler] = {}
    loops: list[Coroutine[Any, Any, None]] = []
    if slack_api is not None and people.on_slack is not None:
        log.info("slack", said=await slack.who_we_are(slack_api, people.on_slack))
        secret = settings.slack_signing_secret.get_secret_value()
        bolt = slack.build_bolt(secret or "socket-mode-only", slack_api, people.on_slack, put)
        if secret:
            routes["/slack/events"] = slack.route(bolt)
        if app_token := settings.slack_app_token.get_secret_value():
            handler = slack.socket_mode(bolt, app_token, settings.slack_api_url)
            await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
            stack.push_async_callback(handler.close_async)
    if on_teams is not None:
        routes["/api/messages"] = on_teams.route
    if settings.webhook_on:
        secrets = [one.strip() for one in settings.webhook_token.get_secret_value().split(",") if one.strip()]
        ways: list[webhooks.Authenticate] = [webhooks.SharedSecret(secrets)] if secrets else []
        if settings.webhook_entra_audience:
            tenant = settings.entra_tenant
            keys = KeyCache(
                metadata_url=settings.webhook_entra_metadata_url or ENTRA_METADATA.format(tenant), http=http
            )
            ways.append(EntraToken(audience=settings.webhook_entra_audience, keys=keys, tenant_id=tenant))
        routes["/webhooks/azure-monitor"] = webhooks.route(store, ways, alerts_drain.wake)
    metrics = Metrics()
    health = server.Health(checks={"store": lambda: _store_answers(store), "workflows": lambda: _fresh(replicas)})
    loops += [
        inbox_drain.run(),
        alerts_drain.run(),
        outbox.run(),
        Ticker(services=services).run(),
        replicas.run(),
        _prune(engine, log),
        _count(metrics, store, log),
    ]
    if isinstance(clock, SimulatedClock):
        loops.append(clock.follow(http))
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


def _teams(
    settings: Settings,
    http: aiohttp.ClientSession,
    store: Store,
    put: Callable[[str, Mapping[str, Any], str | None], Awaitable[bool]],
    router: handler_router.Router,
    views: Views,
    groups: EntraGroups,
) -> "Teams | None":
    # Imported here: the Bot Framework SDK costs a second that a bot on Slack alone need not spend.
    from bot.transports.teams import build_teams  # noqa: PLC0415
    from bot.transports.teams_store import StoreReferences, card_at  # noqa: PLC0415

    return build_teams(
        settings,
        http,
        StoreReferences(store=store),
        put,
        commands=frozenset(router.commands),
        forms=frozenset(router.submit),
        view_for=views.view_for,
        card_at=lambda conversation, message: card_at(store, conversation, message),
        approvers=views.approvers,
        groups=groups.members,
    )


async def _store_answers(store: Store) -> str:
    try:
        async with asyncio.timeout(5):
            await store.one(sa.select(sa.literal(1).label("one")))
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
        return f"the database does not answer ({type(error).__name__})"
    return ""


async def _fresh(replicas: Replicas) -> str:
    return "" if replicas.fresh else "the heartbeat is stale"


async def _prune(engine: Engine, log: structlog.stdlib.BoundLogger) -> None:
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        try:
            log.info("pruned", pieces=await engine.prune(KEEP_WORK))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("prune_failed", error=str(error))


async def _count(metrics: Metrics, store: Store, log: structlog.stdlib.BoundLogger) -> None:
    while True:
        try:
            await metrics.refresh(store)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("metrics_failed", error=str(error))
        await asyncio.sleep(METRICS_EVERY_S)


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
