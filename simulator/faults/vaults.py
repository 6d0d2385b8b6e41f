"""Faults of vaults: settings that hurt nobody today."""

from datetime import datetime

from simulator.faults.base import Fault
from simulator.world.model import Vault, World


def _soft_delete_off(world: World, vault: Vault, now: datetime) -> None:  # noqa: ARG001 one shape of fault
    vault.soft_delete = {"state": "Disabled", "days": 14, "enhanced": "Disabled"}


def _alerts_off(world: World, vault: Vault, now: datetime) -> None:  # noqa: ARG001 one shape of fault
    vault.alerts = "Disabled"


def _suppressed(world: World, vault: Vault, now: datetime) -> None:
    rule = {
        "name": f"quiet-{vault.name}",
        "subscription": vault.subscription,
        "group": vault.group,
        "scopes": [vault.id],
        "action": "RemoveAllActionGroups",
        "groups": [],
        "enabled": True,
        "description": "Muted during a migration",
        "created": now,
    }
    identifier = (
        f"/subscriptions/{vault.subscription}/resourceGroups/{vault.group}"
        f"/providers/Microsoft.AlertsManagement/actionRules/{rule['name']}"
    )
    world.processing_rules[identifier.casefold()] = rule


def _speaking(world: World, vault: Vault, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    for identifier, rule in tuple(world.processing_rules.items()):
        if rule["name"] == f"quiet-{vault.name}":
            del world.processing_rules[identifier]


FAULTS = (
    Fault(
        "soft_delete_off",
        "soft_delete_disabled",
        ("enable_soft_delete",),
        "Soft delete is switched off for the vault.",
        frozenset(),
        bend_vault=_soft_delete_off,
    ),
    Fault(
        "alerts_off",
        "failure_alerts_disabled",
        ("enable_failure_alerts",),
        "The vault's built-in alerts for job failures are switched off.",
        frozenset(),
        bend_vault=_alerts_off,
    ),
    Fault(
        "alerts_suppressed",
        "failure_alerts_suppressed",
        (),
        "A processing rule removes the action groups from every alert of the vault.",
        frozenset(),
        bend_vault=_suppressed,
        repair_vault=_speaking,
    ),
)
