"""What the answers about the things behind a backup mean: machines, key vaults, roles, locks, the Activity Log."""

from collections.abc import Iterator, Mapping

from bot.gateways.azure_wire import Wire, flag, inner, moment, rows, surprise, text, texts
from domain.arm import key, name_of
from domain.backup import (
    AccessPolicy,
    ActivityEvent,
    ExtensionStatus,
    KeyVault,
    Lock,
    Permission,
    RoleAssignment,
    RoleDefinition,
    VirtualMachine,
)

_ENCRYPTION = ("microsoft.azure.security", "azurediskencryption")
_LONGEST_DETAIL = 500


def to_virtual_machine(body: Wire) -> VirtualMachine:
    """A VM read with ``$expand=instanceView``; a part that Azure leaves out (no agent, deallocated) stays empty."""
    properties = inner(body, "properties")
    view = inner(properties, "instanceView")
    agent = inner(view, "vmAgent")
    agent_status = next(iter(rows(agent, "statuses")), {})
    os_disk = inner(properties, "storageProfile", "osDisk")
    statuses = rows(view, "statuses")
    encryption = [*_encryption(properties), *_encryption_of_extensions(body)]
    return VirtualMachine(
        id=_required_id(body),
        name=text(body, "name") or name_of(text(body, "id")),
        location=text(body, "location"),
        computer_name=text(view, "computerName") or text(inner(properties, "osProfile"), "computerName"),
        size=text(inner(properties, "hardwareProfile"), "vmSize"),
        os_type=text(os_disk, "osType"),
        provisioning_state=text(properties, "provisioningState"),
        power_state=_power(statuses),
        status_messages=tuple(message for one in statuses if (message := text(one, "message"))),
        agent_version=text(agent, "vmAgentVersion"),
        agent_status=text(agent_status, "displayStatus"),
        agent_message=text(agent_status, "message"),
        agent_reported_at=moment(agent_status, "time"),
        extensions=tuple(_extensions_of(body, view, agent)),
        disk_encryption=bool(encryption),
        secret_vault_id=next((secret for secret, _ in encryption if secret), ""),
        key_vault_id=next((wrapping for _, wrapping in encryption if wrapping), ""),
        disk_encryption_sets=tuple(dict.fromkeys(_encryption_sets(properties))),
        identity_principal_id=text(inner(body, "identity"), "principalId"),
    )


def to_extension(body: Wire) -> ExtensionStatus:
    """An entry of a VM's extension list, read with ``$expand=instanceView``."""
    properties = inner(body, "properties")
    view = inner(properties, "instanceView")
    return ExtensionStatus(
        name=text(body, "name") or text(view, "name"),
        publisher=text(properties, "publisher"),
        type=text(properties, "type"),
        provisioning_state=text(properties, "provisioningState"),
        version=text(view, "typeHandlerVersion") or text(properties, "typeHandlerVersion"),
        statuses=tuple(_statuses(view)),
    )


def to_key_vault(body: Wire) -> KeyVault:
    """A key vault's management plane. Absent flags mean what Azure does without them: old vaults have no RBAC flag."""
    properties = inner(body, "properties")
    network = inner(properties, "networkAcls")
    soft_delete = flag(properties, "enableSoftDelete")
    bypass = text(network, "bypass")
    return KeyVault(
        id=_required_id(body),
        name=text(body, "name") or name_of(text(body, "id")),
        location=text(body, "location"),
        rbac=bool(flag(properties, "enableRbacAuthorization")),
        access_policies=tuple(_access_policy(one) for one in rows(properties, "accessPolicies")),
        default_network_action=text(network, "defaultAction") or "Allow",
        trusted_services_bypass=not bypass or "azureservices" in bypass.casefold(),
        public_network_access=text(properties, "publicNetworkAccess") or "Enabled",
        purge_protection=bool(flag(properties, "enablePurgeProtection")),
        soft_delete=True if soft_delete is None else soft_delete,
        tenant_id=text(properties, "tenantId"),
    )


def to_role_assignment(body: Wire) -> RoleAssignment:
    """Who holds which role where."""
    properties = inner(body, "properties")
    return RoleAssignment(
        id=_required_id(body),
        scope=text(properties, "scope"),
        role_definition_id=text(properties, "roleDefinitionId"),
        principal_id=text(properties, "principalId"),
        principal_type=text(properties, "principalType"),
        condition=text(properties, "condition"),
    )


def to_role_definition(body: Wire) -> RoleDefinition:
    """A role with what it permits."""
    properties = inner(body, "properties")
    return RoleDefinition(
        id=_required_id(body),
        guid=text(body, "name") or name_of(text(body, "id")),
        name=text(properties, "roleName"),
        built_in=text(properties, "type").casefold() == "builtinrole",
        permissions=tuple(to_permission(one) for one in rows(properties, "permissions")),
    )


def to_permission(body: Wire) -> Permission:
    """What one entry of a permission list allows."""
    return Permission(
        actions=texts(body, "actions"),
        not_actions=texts(body, "notActions"),
        data_actions=texts(body, "dataActions"),
        not_data_actions=texts(body, "notDataActions"),
    )


def to_lock(body: Wire) -> Lock:
    """A management lock; its id tells where it was put."""
    properties = inner(body, "properties")
    return Lock(
        id=_required_id(body),
        name=text(body, "name") or name_of(text(body, "id")),
        level=text(properties, "level"),
        notes=text(properties, "notes"),
    )


def to_activity_event(body: Wire) -> ActivityEvent:
    """A line of the Activity Log; ``details`` are the event's own properties, cut to 500 characters each."""
    at = moment(body, "eventTimestamp")
    if at is None:
        surprise("eventTimestamp", body.get("eventTimestamp"))
    details = {
        name: _short(value) for name, value in inner(body, "properties").items() if value is not None and value != ""
    }
    for name, value in (("subStatus", text(inner(body, "subStatus"), "value")), ("level", text(body, "level"))):
        if value:
            details.setdefault(name, value)
    return ActivityEvent(
        at=at,
        operation=text(inner(body, "operationName"), "value"),
        resource_id=text(body, "resourceId"),
        actor=text(body, "caller"),
        status=text(inner(body, "status"), "value"),
        correlation_id=text(body, "correlationId"),
        details=details,
    )


def _short(value: object) -> str:
    said = str(value)
    return said if len(said) <= _LONGEST_DETAIL else said[: _LONGEST_DETAIL - 1] + "…"


def _required_id(body: Wire) -> str:
    found = text(body, "id")
    if not found:
        surprise("id", body.get("id"))
    return found


def _power(statuses: list[Wire]) -> str:
    codes = (text(one, "code") for one in statuses)
    return next((code.partition("/")[2] for code in codes if code.casefold().startswith("powerstate/")), "")


def _statuses(view: Wire) -> Iterator[tuple[str, str, str]]:
    for one in (*rows(view, "statuses"), *rows(view, "substatuses")):
        yield text(one, "code"), text(one, "displayStatus"), text(one, "message")


def _extensions_of(body: Wire, view: Wire, agent: Wire) -> Iterator[ExtensionStatus]:
    """The VM's extensions: the model (``resources``) says publisher and state, the instance view what happened.

    A handler's own status comes last, its code prefixed with ``ExtensionHandler/``.
    """
    views = {key(text(one, "name")): one for one in rows(view, "extensions")}
    handlers = {
        key(text(one, "type")): inner(one, "status") for one in rows(agent, "extensionHandlers") if one.get("status")
    }
    for one in rows(body, "resources"):
        properties = inner(one, "properties")
        name = text(one, "name").rpartition("/")[2]
        seen = views.pop(key(name), None) or inner(properties, "instanceView")
        publisher, kind = text(properties, "publisher"), text(properties, "type")
        yield ExtensionStatus(
            name=name,
            publisher=publisher,
            type=kind,
            provisioning_state=text(properties, "provisioningState"),
            version=text(seen, "typeHandlerVersion") or text(properties, "typeHandlerVersion"),
            statuses=(*_statuses(seen), *_handler(handlers, publisher, kind)),
        )
    for seen in views.values():
        publisher, _, kind = text(seen, "type").rpartition(".")
        yield ExtensionStatus(
            name=text(seen, "name"),
            publisher=publisher,
            type=kind,
            provisioning_state=_provisioning(seen),
            version=text(seen, "typeHandlerVersion"),
            statuses=(*_statuses(seen), *_handler(handlers, publisher, kind)),
        )


def _handler(handlers: Mapping[str, Wire], publisher: str, kind: str) -> Iterator[tuple[str, str, str]]:
    found = handlers.get(key(f"{publisher}.{kind}"))
    if found is not None:
        yield f"ExtensionHandler/{text(found, 'code')}", text(found, "displayStatus"), text(found, "message")


def _provisioning(view: Wire) -> str:
    codes = (text(one, "code") for one in rows(view, "statuses"))
    state = next((code.split("/")[1] for code in codes if code.casefold().startswith("provisioningstate/")), "")
    return state[:1].upper() + state[1:]


def _encryption(properties: Wire) -> Iterator[tuple[str, str]]:
    """(key vault of the secret, key vault of the wrapping key) for each sign of encryption inside the guest.

    The older kind is told by the OS disk, the newer by the instance view of a disk, both by the extension that does it.
    """
    settings = [inner(properties, "storageProfile", "osDisk", "encryptionSettings")]
    for disk in rows(inner(properties, "instanceView"), "disks"):
        settings += rows(disk, "encryptionSettings")
    for one in settings:
        if flag(one, "enabled"):
            yield (
                text(inner(one, "diskEncryptionKey", "sourceVault"), "id"),
                text(inner(one, "keyEncryptionKey", "sourceVault"), "id"),
            )


def _encryption_of_extensions(body: Wire) -> Iterator[tuple[str, str]]:
    """The same from the settings of an Azure Disk Encryption extension in ``resources``."""
    for one in rows(body, "resources"):
        properties = inner(one, "properties")
        publisher, kind = text(properties, "publisher").casefold(), text(properties, "type").casefold()
        settings = inner(properties, "settings")
        on = text(settings, "EncryptionOperation").casefold() != "disableencryption"
        if publisher == _ENCRYPTION[0] and kind.startswith(_ENCRYPTION[1]) and on:
            yield text(settings, "KeyVaultResourceId"), text(settings, "KekVaultResourceId")


def _encryption_sets(properties: Wire) -> Iterator[str]:
    profile = inner(properties, "storageProfile")
    for disk in (inner(profile, "osDisk"), *rows(profile, "dataDisks")):
        if found := text(inner(disk, "managedDisk", "diskEncryptionSet"), "id"):
            yield found


def _access_policy(body: Wire) -> AccessPolicy:
    granted = inner(body, "permissions")
    return AccessPolicy(
        object_id=text(body, "objectId"),
        keys=frozenset(one.casefold() for one in texts(granted, "keys")),
        secrets=frozenset(one.casefold() for one in texts(granted, "secrets")),
    )
