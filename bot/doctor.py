"""``backupbot doctor``: what is set up, what is missing, and what to do about it. Changes nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import sqlalchemy as sa

from bot import routing
from bot.app import tls_context
from bot.azure import Azure, azure
from bot.settings import Settings
from bot.store import database
from bot.transports.slack import SlackApi
from bot.workflows.outbox import MessengerError
from diagnostics import registry as checks_registry
from domain.arm import resource_group_id
from domain.backup import Permission
from domain.errors import GatewayError
from domain.ports import BackupReader
from domain.rbac import allows, missing
from fixes import registry as fixes_registry
from fixes.registry import Fix

Level = Literal["ok", "warning", "error"]
SCOPES_SHOWN = 5
BROAD = ("Microsoft.Authorization/roleDefinitions/write", "Microsoft.Compute/virtualMachines/delete")
"""Actions that no fix needs: an operator that holds them is wider than it should be."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing looked at; ``remedy`` says what to do unless all is well."""

    level: Level
    what: str
    remedy: str = ""

    def record(self) -> dict[str, str]:
        """For ``--json``."""
        return {"level": self.level, "what": self.what, "remedy": self.remedy}


def ok(what: str) -> Line:
    """All is well."""
    return Line(level="ok", what=what)


def warning(what: str, remedy: str) -> Line:
    """It works, but something is not as it should be."""
    return Line(level="warning", what=what, remedy=remedy)


def error(what: str, remedy: str) -> Line:
    """It does not work."""
    return Line(level="error", what=what, remedy=remedy)


async def examine(settings: Settings) -> Sequence[Line]:
    """Look at everything, in the order in which it is set up."""
    lines: list[Line] = [ok("settings: read, no mistakes")]
    lines.extend([line async for line in _store(settings)])
    async with azure(settings) as cloud:
        lines.extend([line async for line in _azure(settings, cloud)])
    lines.extend([line async for line in _rules(settings)])
    lines.extend([line async for line in _slack(settings)])
    lines.extend([line async for line in _webhook(settings)])
    if not (settings.slack_on or settings.teams_on):
        lines.append(
            error("chat: no platform is set up", "Set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET, or TEAMS_APP_ID …")
        )
    if settings.teams_on:
        lines.append(
            ok(f"Teams: app {settings.teams_app_id}, tenant {settings.teams_tenant_id}, {settings.teams_app_type}")
        )
    return lines


async def _store(settings: Settings) -> AsyncIterator[Line]:
    url = settings.database_url
    if url.startswith("sqlite"):
        yield ok("store: SQLite, one process; use postgresql:// for replicas")
        return
    engine = database.connect(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
        yield ok("store: PostgreSQL answers")
    except (sa.exc.SQLAlchemyError, OSError) as problem:
        yield error(
            f"store: PostgreSQL does not answer ({type(problem).__name__})", "Check DATABASE_URL and the network."
        )
    finally:
        await engine.dispose()


async def _azure(settings: Settings, cloud: Azure) -> AsyncIterator[Line]:
    read = cloud.read()
    try:
        vaults = await read.vaults()
    except GatewayError as problem:
        yield error(f"Azure reader: {problem}", "Give the reader identity the role that backupbot roles reader prints.")
        return
    yield ok(
        f"Azure reader: sees {len(vaults)} vaults in {len({vault.id.subscription for vault in vaults})} subscriptions"
    )
    for subscription, why in cloud.reader.unreadable_subscriptions().items():
        yield warning(
            f"Azure reader: subscription {subscription} cannot be read: {why}", "Give it the reader role there."
        )
    try:
        await read.backup_service_principal()
        yield ok("Azure: the Backup Management Service's object id is known")
    except GatewayError as problem:
        yield warning(
            f"Azure: the Backup Management Service's object id is not known: {problem}",
            "Set [azure] backup_service_object_id (az ad sp show --id 262044b1-e2ce-469f-a196-69ab7ada62d3 --query id), or "
            "consent to Application.Read.All; until then Key Vault access is UNKNOWN.",
        )
    scopes = sorted({resource_group_id(vault.id.id) for vault in vaults})[:SCOPES_SHOWN]
    needed = tuple(
        dict.fromkeys(action for check in checks_registry.discover().values() for action in check.permissions)
    )
    async for line in _held("reader", read, scopes, [one for one in needed if "/vaults/" in one.casefold()]):
        yield line
    async for line in _operator(settings, cloud, scopes):
        yield line


async def _held(who: str, reader: BackupReader, scopes: Sequence[str], needed: Sequence[str]) -> AsyncIterator[Line]:
    for scope in scopes:
        try:
            lacks = missing(await reader.permissions(scope), needed)
        except GatewayError as problem:
            yield warning(
                f"Azure {who}: its rights at {scope} cannot be read: {problem}", "Add Microsoft.Authorization/*/read."
            )
            continue
        if lacks:
            yield error(f"Azure {who} at {scope}: lacks {', '.join(lacks)}", f"Update its role: backupbot roles {who}.")
    yield ok(f"Azure {who}: rights looked at in {len(scopes)} resource groups")


def enabled(settings: Settings, catalogue: Mapping[str, Fix]) -> tuple[Fix, ...]:
    """The fixes that can run here."""
    return tuple(
        fix
        for fix in catalogue.values()
        if not fix.spec.guide and (not fix.spec.off_by_default or fix.spec.id in settings.fixes.enable)
    )


async def _operator(settings: Settings, cloud: Azure, scopes: Sequence[str]) -> AsyncIterator[Line]:
    if cloud.operator is None:
        yield ok("Azure operator: none; a read-only installation shows plans and az commands instead of running fixes")
        return
    known = settings.azure_environment.get("AZURE_CLIENT_ID")
    reader_id = known.get_secret_value() if known else ""
    if settings.operator_client_id.casefold() == reader_id.casefold():
        yield error(
            "Azure operator: it is the reader too", "Use two identities: reading must not be able to change anything."
        )
    fixes = enabled(settings, fixes_registry.discover())
    needed = tuple(
        dict.fromkeys(
            action for fix in fixes for action in fix.spec.permissions if "recoveryservices" in action.casefold()
        )
    )
    for scope in scopes:
        try:
            held: Sequence[Permission] = await cloud.operator.permissions(scope)
        except GatewayError as problem:
            yield error(
                f"Azure operator: its rights at {scope} cannot be read: {problem}", "Check its credentials and role."
            )
            continue
        lacks = missing(held, needed)
        if lacks:
            yield warning(
                f"Azure operator at {scope}: lacks {', '.join(lacks)}",
                "Fixes that need it are refused before anybody is asked; backupbot roles operator prints the role.",
            )
        wide = [action for action in BROAD if allows(held, action)]
        if wide:
            yield warning(
                f"Azure operator at {scope}: holds {', '.join(wide)}, which no fix needs",
                "Give it the role that backupbot roles operator prints, and nothing else.",
            )
    yield ok(f"Azure operator: {len(fixes)} fixes are enabled")


async def _rules(settings: Settings) -> AsyncIterator[Line]:
    rules = routing.rules(settings)
    if not rules:
        yield warning(
            "approvals: there are no rules, so nobody may approve anything", "Add [[approvals.rule]] to backupbot.toml."
        )
    for rule in rules:
        if not rule.approvers:
            yield error(
                f"approvals, {rule.name}: it names no approvers, so nobody can", "Add approvers, or remove the rule."
            )
        elif not rule.requesters:
            yield error(
                f"approvals, {rule.name}: it names no requesters, so nobody can ask", 'Add requesters = ["*"] or names.'
            )
        elif len(rule.approvers) < rule.required and not any(
            entry.startswith(("slack-group:", "entra-group:")) or entry in {"*", "azure-rbac"}
            for entry in rule.approvers
        ):
            yield error(
                f"approvals, {rule.name}: {rule.required} people must approve, it names {len(rule.approvers)}",
                "Add one.",
            )
        elif not rule.self_approval and len(rule.approvers) == 1 and set(rule.requesters) == set(rule.approvers):
            yield error(
                f"approvals, {rule.name}: the only approver is the only requester",
                "Add somebody, or allow self_approval.",
            )
        else:
            yield ok(f"approvals, {rule.name}: can be satisfied")
    if not settings.route:
        yield warning("routes: there are none, so incidents are posted nowhere", "Add [[route]] to backupbot.toml.")


async def _slack(settings: Settings) -> AsyncIterator[Line]:
    if not settings.slack_on:
        return
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls_context(settings)), trust_env=settings.proxied
    ) as http:
        api = SlackApi(token=settings.slack_bot_token.get_secret_value(), url=settings.slack_api_url, http=http)
        try:
            who = await api.call("auth.test", {})
        except MessengerError as problem:
            yield error(f"Slack: {problem}", "Check SLACK_BOT_TOKEN: reinstall the app and copy its bot token.")
            return
        yield ok(f"Slack: signed in as {who.get('user', '?')} in {who.get('team', who.get('team_id', '?'))}")
        for route in settings.route:
            if route.slack:
                yield await _channel(api, route.slack)
        async for line in _approvers(api, settings):
            yield line


async def _channel(api: SlackApi, channel: str) -> Line:
    try:
        answer = await api.ask("conversations.info", {"channel": channel})
    except MessengerError as problem:
        return error(
            f"Slack channel {channel}: {problem}", "Check the id in [[route]], and invite the bot: /invite @backupbot."
        )
    found: Mapping[str, Any] = answer.get("channel") or {}
    if found.get("is_archived"):
        return error(f"Slack channel {channel}: it is archived", "Route to another channel.")
    if found.get("is_member") is False:
        return error(f"Slack channel {channel}: the bot is not in it", "Invite it: /invite @backupbot.")
    if found.get("is_ext_shared"):
        return warning(f"Slack channel {channel}: other organisations see it", "Route to a channel of your own.")
    return ok(f"Slack channel {channel}: the bot is in it")


async def _approvers(api: SlackApi, settings: Settings) -> AsyncIterator[Line]:
    entries = dict.fromkeys(
        entry for rule in settings.approvals.rule for entry in (*rule.approvers, *rule.break_glass, *rule.notify)
    )
    for entry in entries:
        kind, _, value = entry.partition(":")
        try:
            match kind:
                case "slack":
                    user = (await api.ask("users.info", {"user": value})).get("user") or {}
                    if user.get("deleted"):
                        yield error(
                            f"approver {entry}: the account is deactivated", "Replace it in [[approvals.rule]]."
                        )
                        continue
                case "email":
                    user = (await api.ask("users.lookupByEmail", {"email": value})).get("user") or {}
                    if user.get("is_email_confirmed") is not True:
                        yield warning(
                            f"approver {entry}: Slack does not say that the address is confirmed",
                            "Name slack:U… instead.",
                        )
                        continue
                case "slack-group":
                    users = (await api.ask("usergroups.users.list", {"usergroup": value})).get("users") or []
                    if not users:
                        yield error(f"approver {entry}: the group has no members", "Add people to it.")
                        continue
                case _:
                    continue
        except MessengerError as problem:
            yield error(
                f"approver {entry}: {problem}",
                "Check the entry, and the scopes users:read, users:read.email, usergroups:read.",
            )
            continue
        yield ok(f"approver {entry}: found")


async def _webhook(settings: Settings) -> AsyncIterator[Line]:
    if not settings.webhook_on:
        yield warning(
            "alerts: the webhook is off", "Set WEBHOOK_TOKEN, and let an action group post to /webhooks/azure-monitor."
        )
        return
    weak = [one for one in settings.webhook_token.get_secret_value().split(",") if 0 < len(one.strip()) < 16]  # noqa: PLR2004
    if weak:
        yield warning(
            "alerts: WEBHOOK_TOKEN is shorter than 16 characters", "Use a long random one: openssl rand -hex 32."
        )
    if not settings.public_url:
        yield warning(
            "alerts: BACKUPBOT_PUBLIC_URL is not set",
            "Set it, so that posture can see whether action groups reach this bot.",
        )
    yield ok("alerts: the webhook is on")
