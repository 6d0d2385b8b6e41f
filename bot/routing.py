"""From settings to the core's own words: rules, routes, RPOs."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from bot.settings import Settings
from bot.store.store import Place
from bot.workflows.services import Route
from diagnostics.registry import Limits
from domain.approval_policy import Rule
from domain.arm import VaultId
from domain.schedule import RpoRule, RpoRules
from fixes.registry import FixSettings


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The approval rules, in the file's order."""
    return tuple(
        Rule(
            name=rule.name or f"rule {number}",
            fix=rule.fix,
            vault=rule.vault,
            item=rule.item,
            risk=rule.risk,
            requesters=rule.requesters,
            approvers=rule.approvers,
            notify=rule.notify,
            required=rule.required,
            self_approval=rule.self_approval,
            break_glass=rule.break_glass,
        )
        for number, rule in enumerate(settings.approvals.rule, start=1)
    )


def rpo_rules(settings: Settings) -> RpoRules:
    """Which RPO an item has."""
    return RpoRules(
        default=settings.rpo.default,
        grace=settings.rpo.grace,
        rules=tuple(
            RpoRule(rpo=rule.rpo, vault=vault, item=item)
            for rule in settings.rpo.rule
            for vault in rule.vault
            for item in rule.item
        ),
    )


def limits(settings: Settings) -> Limits:
    """The configured thresholds of the checks."""
    urls = (f"{settings.public_url.rstrip('/')}/webhooks/azure-monitor",) if settings.public_url else ()
    return Limits(
        minimum_mars=settings.agents.minimum_mars, minimum_mabs=settings.agents.minimum_mabs, bot_alert_urls=urls
    )


def fix_settings(settings: Settings) -> FixSettings:
    """What fixes may know of the settings."""
    webhook = f"{settings.public_url.rstrip('/')}/webhooks/azure-monitor" if settings.public_url else ""
    return FixSettings(
        enabled=frozenset(settings.fixes.enable),
        staging_resource_group=settings.fixes.staging_resource_group,
        alert_webhook=webhook,
    )


def router(settings: Settings) -> Callable[[VaultId, Mapping[str, str]], Route]:
    """Where the incidents of a vault go: the first ``[[route]]`` that matches."""

    def matches(patterns: tuple[str, ...], *values: str) -> bool:
        return any(fnmatchcase(value.casefold(), pattern.casefold()) for pattern in patterns for value in values)

    def find(vault: VaultId, tags: Mapping[str, str]) -> Route:
        for one in settings.route:
            tagged = [f"{name}={value}" for name, value in tags.items()] + list(tags)
            if (
                matches(one.vault, vault.name)
                and matches(one.resource_group, vault.resource_group)
                and matches(one.subscription, vault.subscription)
                and (one.tag == ("*",) or matches(one.tag, *tagged))
            ):
                places = []
                if one.slack and settings.slack_on:
                    places.append(Place(platform="slack", channel=one.slack))
                if one.teams and settings.teams_on:
                    places.append(Place(platform="teams", channel=one.teams))
                return Route(places=tuple(places), mention=one.mention)
        return Route(places=())

    return find
