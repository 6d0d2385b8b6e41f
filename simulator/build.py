"""Builds the world that an estate describes: every resource, right and past that the simulated Azure then serves."""

import hashlib
import re
from datetime import datetime, timedelta

from simulator import timings
from simulator.estate import AccountPart, Estate, ItemPart, KeyVaultPart, PolicyPart, VaultPart
from simulator.faults import FAULTS
from simulator.faults.onpremises import CURRENT_MABS
from simulator.faults.together import bend
from simulator.timings import Pace
from simulator.world import engine
from simulator.world.access import PROTECTED_FOR, assign
from simulator.world.agents import CURRENT_MARS, short
from simulator.world.machines import WORKLOAD_PUBLISHER, install_snapshot_extension
from simulator.world.model import (
    BACKUP_SERVICE_APP,
    DATABASES,
    FAR,
    Account,
    Extension,
    Item,
    KeyVault,
    Machine,
    Principal,
    Seeded,
    Step,
    Subscription,
    Vault,
    Workload,
    World,
    stable_uuid,
)
from simulator.world.policies import build_policy
from simulator.world.roles import BUILT_IN, KEY_VAULT_ROLE, OPERATOR_ROLE, READER_ROLE, tenant_roles

READER_SECRET = "reader-secret-of-the-simulation"  # noqa: S105 opens nothing but the simulator
OPERATOR_SECRET = "operator-secret-of-the-simulation"  # noqa: S105 opens nothing but the simulator
SMALL = 1000
"""Up to so many items the engine makes each scheduled run real; in larger estates only items in trouble."""
DEFAULT_POLICIES = {
    Workload.VM: PolicyPart(name="DailyVmPolicy", workload=Workload.VM),
    Workload.SQL: PolicyPart(name="SqlFullAndLogPolicy", workload=Workload.SQL, log_minutes=60),
    Workload.HANA: PolicyPart(name="HanaFullAndLogPolicy", workload=Workload.HANA, log_minutes=120),
    Workload.FILES: PolicyPart(name="DailyFilesPolicy", workload=Workload.FILES),
    Workload.MARS: PolicyPart(name="DailyServerPolicy", workload=Workload.MARS),
    Workload.MABS: PolicyPart(name="DailyMabsPolicy", workload=Workload.MABS),
}
FLEET_FAULTS = ("transient", "agent_dead", "job_stuck", "protection_stopped")
FLEET_FAULT_EVERY = 50


def build(estate: Estate, epoch: datetime, speed: float = 1.0) -> World:
    """The world at the instant `epoch`; the same estate, instant and speed always give the same world."""
    world = World(stable_uuid("tenant", "contoso"), epoch, Pace(speed))
    for part in estate.subscriptions:
        identifier = part.id or stable_uuid("subscription", part.name)
        world.subscriptions[identifier] = Subscription(identifier, part.name)
    first = next(iter(world.subscriptions.values()))
    ids = {sub.name: sub.id for sub in world.subscriptions.values()} | {"": first.id}
    _identities(world, estate, ids)
    location = estate.vaults[0].location if estate.vaults else "westeurope"
    for store in estate.key_vaults:
        _key_vault(world, store, ids[store.subscription], store.location or location)
    for account in estate.storage_accounts:
        _account(world, account, ids[account.subscription], account.location or location)
    if estate.alerts_reach_on_call:
        for sub in world.subscriptions.values():
            _alert_routing(world, sub.id)
    real = sum(len(vault.items) for vault in estate.vaults) <= SMALL
    for wish in estate.vaults:
        _vault(world, wish, ids[wish.subscription], real=real)
    if estate.fleet is not None:
        _fleet(world, estate.fleet.vaults, estate.fleet.items)
    return world


def _group(world: World, subscription: str, name: str, location: str) -> str:
    identifier = f"/subscriptions/{subscription}/resourceGroups/{name}"
    world.groups.setdefault(identifier.casefold(), (identifier, location))
    return identifier


def _identities(world: World, estate: Estate, ids: dict[str, str]) -> None:
    scopes = tuple(f"/subscriptions/{sub}" for sub in world.subscriptions)
    for role in (*BUILT_IN, *tenant_roles(scopes)):
        world.roles[role.guid] = role
    applications = (
        ("reader", READER_SECRET, READER_ROLE),
        ("operator", OPERATOR_SECRET, OPERATOR_ROLE),
    )
    for name, secret, role_name in applications:
        who = Principal(
            name,
            stable_uuid("oid", name),
            "application",
            stable_uuid("client", name),
            secret,
            graph=True,
        )
        world.principals[who.oid] = who
        for scope in scopes:
            assign(world, role_name, who, scope)
    service = Principal(
        "Backup Management Service", stable_uuid("oid", "backup service"), "application", BACKUP_SERVICE_APP
    )
    world.principals[service.oid] = service
    for person in estate.people:
        for name in person.groups:
            oid = stable_uuid("group", name)
            world.principals.setdefault(oid, Principal(name, oid, "group"))
        groups = tuple(stable_uuid("group", name) for name in person.groups)
        oid = stable_uuid("person", person.name)
        world.principals[oid] = Principal(person.name, oid, "user", mail=person.mail, groups=groups)
    for part in estate.assignments:
        holder = next((p for p in world.principals.values() if p.name == part.who), None)
        if holder is None:
            raise LookupError(f"assignment for {part.who!r}, who is neither a person nor a group of this estate")
        subscription, _, group = part.scope.partition("/")
        scope = f"/subscriptions/{ids[subscription]}" + (f"/resourceGroups/{group}" if group else "")
        assign(world, part.role, holder, scope)


def _key_vault(world: World, part: KeyVaultPart, subscription: str, location: str) -> None:
    vault = KeyVault(subscription, part.resource_group, part.name, location, part.access == "rbac")
    _group(world, subscription, part.resource_group, location)
    world.key_vaults[vault.id.casefold()] = vault
    vault.keys, vault.secrets = ["disk-key"], ["disk-secret"]
    if part.backup_service_may_read:
        service = world.backup_service()
        if vault.rbac:
            assign(world, KEY_VAULT_ROLE, service, vault.id)
        else:
            rights = ["get", "list", "backup"]
            vault.policies.append(
                {
                    "objectId": service.oid,
                    "permissions": {"keys": rights, "secrets": rights},
                    "from": world.epoch - PROTECTED_FOR,
                }
            )


def _account(world: World, part: AccountPart, subscription: str, location: str) -> None:
    account = Account(subscription, part.resource_group, part.name, location, part.sku)
    _group(world, subscription, part.resource_group, location)
    world.accounts[account.id.casefold()] = account


def _alert_routing(world: World, subscription: str) -> None:
    group = _group(world, subscription, "rg-monitoring", "westeurope")
    action_group = f"{group}/providers/Microsoft.Insights/actionGroups/ag-oncall"
    world.action_groups[action_group.casefold()] = {
        "id": action_group,
        "name": "ag-oncall",
        "short": "oncall",
        "enabled": True,
        "webhooks": [{"name": "backupbot", "serviceUri": "https://backupbot.contoso.com/webhooks/azure-monitor"}],
        "emails": [{"name": "oncall", "emailAddress": "oncall@contoso.com"}],
    }
    rule = f"{group}/providers/Microsoft.AlertsManagement/actionRules/backup-to-oncall"
    world.processing_rules[rule.casefold()] = {
        "name": "backup-to-oncall",
        "subscription": subscription,
        "group": "rg-monitoring",
        "scopes": [f"/subscriptions/{subscription}"],
        "action": "AddActionGroups",
        "groups": [action_group],
        "enabled": True,
        "description": "Azure Backup alerts go to whoever is on call",
        "created": world.epoch - PROTECTED_FOR,
    }


def _vault(world: World, part: VaultPart, subscription: str, *, real: bool) -> Vault:
    vault = Vault(subscription, part.resource_group, part.name, part.location)
    _group(world, subscription, part.resource_group, part.location)
    vault.tags = dict(part.tags)
    vault.redundancy, vault.cross_region = part.redundancy, part.cross_region_restore
    vault.soft_delete = {
        "state": part.soft_delete.state,
        "days": part.soft_delete.days,
        "enhanced": "AlwaysON" if part.soft_delete.state == "AlwaysON" else "Enabled",
    }
    vault.alerts = None if part.alerts == "absent" else part.alerts
    vault.identity = stable_uuid("identity", vault.id) if part.identity or part.customer_key else None
    if part.resource_guard:
        vault.guard = (
            f"/subscriptions/{subscription}/resourceGroups/{part.resource_group}"
            f"/providers/Microsoft.DataProtection/resourceGuards/guard-{part.name}"
        )
    if part.customer_key:
        vault.encryption = {
            "key": f"https://{part.customer_key}.vault.azure.net/keys/vault-key/1",
            "status": "Succeeded",
        }
    world.vaults[vault.id.casefold()] = vault
    for wish in part.policies:
        vault.policies[wish.name] = build_policy(wish, world.epoch)
    for item in part.items:
        _item(world, vault, item, real=real)
    for fault in part.faults:
        entry = FAULTS[fault]
        entry.bend_vault(world, vault, world.epoch)
        world.seeded.append(Seeded(vault, "-", fault, entry.cause, entry.fixes))
    return vault


def _policy_name(world: World, vault: Vault, workload: Workload, wish: str) -> str:
    if wish:
        return wish
    for policy in vault.policies.values():
        if policy.workload is workload and not policy.schedule.days:
            return policy.name
    default = DEFAULT_POLICIES[workload]
    vault.policies[default.name] = build_policy(default, world.epoch)
    return default.name


def _item(world: World, vault: Vault, part: ItemPart, *, real: bool) -> Item:
    part = part if part.host else part.model_copy(update={"host": _own_host(part)})
    maker = MAKERS[part.workload]
    fabric, container, item_name, source = maker(world, vault, part)
    policy = _policy_name(world, vault, part.workload, part.policy)
    since = world.epoch - (timedelta(hours=2) if part.new else PROTECTED_FOR)
    item = Item(len(world.items), vault, part.workload, part.name, fabric, container, item_name, source, policy, since)
    world.items.append(item)
    vault.items[container.casefold(), item_name.casefold()] = item
    _details(item, part)
    if part.new:
        item.state = "IRPending"
        # Nothing but this job tells a young item from one that was never backed up.
        engine.start_job(world, item, "ConfigureBackup", since, [Step("Configure backup", 30.0)])
    if part.faults:
        for fault in bend(world, item, [FAULTS[name] for name in part.faults], world.epoch):
            world.seeded.append(Seeded(vault, item.name, fault.id, fault.cause, fault.fixes))
    if real and item.real_from is None:
        engine.make_real(world, item, world.epoch)
    return item


def _own_host(part: ItemPart) -> str:
    """The machine, account or server of an item that names none."""
    word = re.sub(r"[^a-z0-9]", "", part.name.casefold()) or "data"
    if part.workload in DATABASES:
        return f"vm-{word}"
    if part.workload is Workload.FILES:
        return f"st{word}"[:24]
    return f"{word}.contoso.com" if part.workload in (Workload.MARS, Workload.MABS) else ""


def _details(item: Item, part: ItemPart) -> None:
    if part.workload in DATABASES:
        item.more["instance"] = "MSSQLSERVER" if part.workload is Workload.SQL else "HXE"
        item.more["server"] = part.host
    elif part.workload is Workload.MARS:
        item.more["agent_version"] = CURRENT_MARS if part.agent_version is None else part.agent_version
        item.more["server"] = part.host
    elif part.workload is Workload.MABS:
        item.more["engine"], item.more["server_version"] = part.host, CURRENT_MABS
    if part.new:
        item.more["new"] = True
    if part.power != "running":
        item.more["agent"] = False


def _machine(world: World, vault: Vault, part: ItemPart, name: str) -> Machine:
    group = part.resource_group or "rg-" + name.split("-")[1] if "-" in name else part.resource_group or "rg-vms"
    machine = Machine(vault.subscription, group, name, vault.location, part.os, part.size)
    known = world.machines.get(machine.id.casefold())
    if known is not None:
        return known
    _group(world, vault.subscription, group, vault.location)
    world.machines[machine.id.casefold()] = machine
    machine.power = part.power
    if part.power != "running":
        machine.agent = "Absent"
    machine.tags = dict(part.tags)
    if part.workload in DATABASES:
        kind = "AzureBackupWindowsWorkload" if part.os == "Windows" else "AzureBackupLinuxWorkload"
        machine.extensions[kind.casefold()] = Extension(kind, WORKLOAD_PUBLISHER, kind)
    elif part.workload is Workload.VM and part.power == "running" and "agentless" not in part.policy:
        install_snapshot_extension(machine)
    if part.key_vault:
        store = next(v for v in world.key_vaults.values() if v.name == part.key_vault)
        machine.encryption = {"vault": store.id, "uri": f"https://{store.name}.vault.azure.net"}
    return machine


def _vm_names(world: World, vault: Vault, part: ItemPart) -> tuple[str, str, str, str]:
    machine = _machine(world, vault, part, part.name)
    tail = f"iaasvmcontainerv2;{machine.group};{machine.name}"
    return "Azure", f"IaasVMContainer;{tail}", f"VM;{tail}", machine.id


def _database_names(world: World, vault: Vault, part: ItemPart) -> tuple[str, str, str, str]:
    machine = _machine(world, vault, part, part.host)
    kind, instance = ("SQLDataBase", "MSSQLSERVER") if part.workload is Workload.SQL else ("SAPHanaDatabase", "HXE")
    container = f"VMAppContainer;compute;{machine.group};{machine.name}"
    return "Azure", container, f"{kind};{instance.lower()};{part.name.lower()}", machine.id


def _share_names(world: World, vault: Vault, part: ItemPart) -> tuple[str, str, str, str]:
    account = next((a for a in world.accounts.values() if a.name == part.host), None)
    if account is None:
        account = Account(vault.subscription, part.resource_group or "rg-storage", part.host, vault.location)
        _group(world, account.subscription, account.group, account.location)
        world.accounts[account.id.casefold()] = account
    account.shares[part.name] = False
    digest = hashlib.sha256(f"{account.id}/{part.name}".encode()).hexdigest()
    container = f"StorageContainer;storage;{account.group};{account.name}"
    return "Azure", container, f"AzureFileShare;{digest}", account.id


def _mars_names(world: World, vault: Vault, part: ItemPart) -> tuple[str, str, str, str]:
    if part.on_vm:
        _machine(world, vault, part.model_copy(update={"os": "Windows"}), short(part.host))
    return "ActiveDirectory", f"Windows;{part.host}", stable_uuid("mars", vault.id, part.host, part.name), ""


def _mabs_names(world: World, vault: Vault, part: ItemPart) -> tuple[str, str, str, str]:  # noqa: ARG001 one shape
    if not any(one["name"] == part.host for one in vault.engines):
        vault.engines.append({"name": part.host, "agent": CURRENT_MARS, "dpm": CURRENT_MABS, "outdated": False})
    identifier = stable_uuid("mabs", vault.id, part.host, part.name)
    return "Azure", f"AzureBackupServerContainer;{part.host};{part.host}", f"VM;{identifier}", ""


MAKERS = {
    Workload.VM: _vm_names,
    Workload.SQL: _database_names,
    Workload.HANA: _database_names,
    Workload.FILES: _share_names,
    Workload.MARS: _mars_names,
    Workload.MABS: _mabs_names,
}


def _fleet(world: World, vaults: int, items: int) -> None:
    subscriptions = list(world.subscriptions)
    made = 0
    for number in range(vaults):
        subscription = subscriptions[number % len(subscriptions)]
        part = VaultPart(name=f"vault-{number:04}", resource_group=f"rg-fleet-{number % 20:02}")
        vault = _vault(world, part, subscription, real=False)
        policy = _policy_name(world, vault, Workload.VM, "")
        since = world.epoch - PROTECTED_FOR
        for _ in range(items * (number + 1) // vaults - items * number // vaults):
            name = f"vm-{made:06}"
            machine = Machine(subscription, part.resource_group, name, vault.location)
            world.machines[machine.id.casefold()] = machine
            tail = f"iaasvmcontainerv2;{machine.group};{name}"
            container, item_name = f"IaasVMContainer;{tail}", f"VM;{tail}"
            item = Item(
                len(world.items),
                vault,
                Workload.VM,
                name,
                "Azure",
                container,
                item_name,
                machine.id,
                policy,
                since,
                settled=FAR,
            )
            world.items.append(item)
            vault.items[container.casefold(), item_name.casefold()] = item
            made += 1
            if made % FLEET_FAULT_EVERY == 0:
                fault = FAULTS[FLEET_FAULTS[(made // FLEET_FAULT_EVERY) % len(FLEET_FAULTS)]]
                fault.bend(world, item, world.epoch)
                world.seeded.append(Seeded(vault, name, fault.id, fault.cause, fault.fixes))


def grant_delay(world: World) -> float:
    """Seconds until a role assignment counts, at the world's speed."""
    return world.pace.seconds(timings.GRANT_EFFECT)
