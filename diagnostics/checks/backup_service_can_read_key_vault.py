"""The backup service may read the keys of an encrypted VM: the right principal, its rights, and the vault's firewall."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from diagnostics.history import both, side_by_side, subject
from diagnostics.points import recovery_points
from diagnostics.registry import Context, check
from diagnostics.verdicts import Verdicts, blind_of, why_blind
from domain.arm import key, name_of
from domain.backup import AccessPolicy, KeyVault, Permission, RecoveryPoint, VirtualMachine, Workload
from domain.errors import GatewayError, ResourceNotFound
from domain.finding import Finding
from domain.rbac import missing

say = Verdicts(__name__)

Why = Callable[[GatewayError], str]

# https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption
_SECRET_ACTIONS = (
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/backup/action",
)
_KEY_ACTIONS = ("Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/backup/action")
_POLICY_RIGHTS = ("get", "list", "backup")
_PERMISSIONS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read",
)
_WHO = "the Backup Management Service (not the vault's own identity, which the runbook names)"


@check(
    title="The backup service may read the VM's key vault",
    runbook=("cause_permissions", "diagnostic_key_vault", "resolution_permissions"),
    workloads=frozenset({Workload.VM}),
    permissions=_PERMISSIONS,
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption",
    suggests=("grant_key_vault_access", "add_key_vault_policy"),
    az="az role assignment list --scope <key vault id> --include-inherited --assignee <object id of Backup Management "
    "Service>",
    portal="Key vault > Access control (IAM), or Access policies; Key vault > Networking",
)
async def backup_service_can_read_key_vault(context: Context) -> Finding:
    """Find the key vaults of the VM's disk secret and key, and what the backup service may do there."""
    item = subject(context)
    try:
        vm: VirtualMachine | None = await context.read.virtual_machine(item.source_id)
    except ResourceNotFound:
        vm = None
    points = [] if vm and (not vm.disk_encryption or vm.secret_vault_id) else await recovery_points(context)
    needs = needed(vm, points)
    if needs is None:
        return say.not_asked(
            "The VM's disks are not encrypted with Azure Disk Encryption, so backups need no right on any key vault."
        )
    if not needs:
        return say.unclear("The VM is encrypted, but Azure does not say which key vault holds its secret.")
    looks = await side_by_side(*(_look(context, need) for need in needs))
    return judge(looks, why=lambda error: why_blind(error, _PERMISSIONS, context.clock.now()))


@dataclass(frozen=True)
class Need:
    """A key vault and what of it the VM's disks need."""

    vault_id: str
    secrets: bool
    keys: bool


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was read of one key vault: the vault (None: it is gone) and what the service may do, or why that is unknown."""

    need: Need
    vault: KeyVault | None
    principal: str = ""
    permissions: tuple[Permission, ...] = ()
    conditional: bool = False
    error: GatewayError | None = None

    @property
    def judgeable(self) -> bool:
        """Whether enough was read: access policies stand in the vault itself and need no list of roles."""
        return self.error is None or (self.vault is not None and not self.vault.rbac and self.principal != "")


def needed(vm: VirtualMachine | None, points: Sequence[RecoveryPoint]) -> tuple[Need, ...] | None:
    """The key vaults that matter; None when nothing is encrypted, () when it is and Azure does not say where."""
    if vm is not None and not vm.disk_encryption:
        return None
    encrypted = next((point for point in points if point.encrypted), None)
    if vm is None and encrypted is None:
        return None
    secret = (vm.secret_vault_id if vm else "") or (encrypted.secret_vault_id if encrypted else "")
    wrap = (vm.key_vault_id if vm else "") or (encrypted.key_vault_id if encrypted else "")
    ids = {key(one): one for one in (secret, wrap) if one}
    return tuple(Need(one, same == key(secret), same == key(wrap)) for same, one in ids.items())


async def _look(context: Context, need: Need) -> Look:
    vault, rights = await both(_vault(context, need.vault_id), _rights(context, need.vault_id))
    return replace(rights, need=need, vault=vault)


async def _rights(context: Context, vault_id: str) -> Look:
    """What the service holds by roles, read beside the vault itself to save a round trip; empty for access policies."""
    need, principal = Need(vault_id, secrets=False, keys=False), ""
    try:
        principal = await context.read.backup_service_principal()
        assignments = await context.read.role_assignments(vault_id, principal)
        plain = [one for one in assignments if not one.condition]
        ids = dict.fromkeys(one.role_definition_id for one in plain)
        roles = await side_by_side(*(context.read.role_definition(one) for one in ids))
    except GatewayError as error:
        return Look(need=need, vault=None, principal=principal, error=error)
    held = tuple(permission for role in roles for permission in role.permissions)
    return Look(need=need, vault=None, principal=principal, permissions=held, conditional=len(plain) < len(assignments))


async def _vault(context: Context, vault_id: str) -> KeyVault | None:
    try:
        return await context.read.key_vault(vault_id)
    except ResourceNotFound:
        return None


def lacking(look: Look) -> tuple[str, ...]:
    """The rights that the service lacks at the key vault, by the vault's own model."""
    if look.vault is None:
        return ()
    if look.vault.rbac:
        wanted = (_SECRET_ACTIONS if look.need.secrets else ()) + (_KEY_ACTIONS if look.need.keys else ())
        return missing(look.permissions, wanted, data=True)
    mine = [policy for policy in look.vault.access_policies if policy.object_id.casefold() == look.principal.casefold()]
    lacks = _policy_lacks("secrets", mine) if look.need.secrets else []
    return (*lacks, *(_policy_lacks("keys", mine) if look.need.keys else []))


def _policy_lacks(what: str, mine: Sequence[AccessPolicy]) -> list[str]:
    held = {right.casefold() for policy in mine for right in (policy.secrets if what == "secrets" else policy.keys)}
    return [] if "all" in held else [f"{what}/{right}" for right in _POLICY_RIGHTS if right not in held]


def firewall_blocks(vault: KeyVault) -> bool:
    """Whether the key vault's network rules shut the backup service out; trusted services pass where that is allowed."""
    closed = vault.default_network_action.casefold() == "deny" or vault.public_network_access.casefold() == "disabled"
    return closed and not vault.trusted_services_bypass


def judge(looks: Sequence[Look], *, why: Why) -> Finding:
    """Every key vault must let the service in and give it the rights; the first fault of each kind is named."""
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "key_vaults": [name_of(look.need.vault_id) for look in looks],
        "principal": next((look.principal for look in looks if look.principal), None),
    }
    gone = next((look for look in looks if look.vault is None), None)
    if gone is not None:
        name = name_of(gone.need.vault_id)
        return say.bad(
            f"The key vault {name}, which holds the VM's disk secret or key, does not exist. If it was deleted, recover it: "
            f"az keyvault recover --name {name}",
            evidence=evidence,
            facts={"key_vault": "missing", "key_vault_id": gone.need.vault_id},
        )
    blocked = [look for look in looks if look.vault and firewall_blocks(look.vault)]
    short = [look for look in looks if look.judgeable and lacking(look)]
    unread = next((look for look in looks if not look.judgeable), None)
    if blocked or short:
        return _bad(blocked, short, unread, evidence, why)
    if unread is not None and unread.error is not None:
        return say.unclear(
            f"Whether {_WHO} may read {name_of(unread.need.vault_id)} cannot be told. {why(unread.error)}",
            evidence=evidence,
            facts={"key_vault_id": unread.need.vault_id},
            blind=blind_of(unread.error),
        )
    names = " and ".join(name_of(look.need.vault_id) for look in looks)
    return say.good(
        f"{_capital(_WHO)} may read {names}.",
        evidence={**evidence, "model": _model(looks[0])},
        facts={"key_vault_id": looks[0].need.vault_id, "access": "there"},
    )


def _bad(
    blocked: Sequence[Look],
    short: Sequence[Look],
    unread: Look | None,
    evidence: dict[str, str | int | bool | list[str] | None],
    why: Why,
) -> Finding:
    worst = (*short, *blocked)[0]
    sentences = []
    facts = {"key_vault_id": worst.need.vault_id, "model": _model(worst)}
    suggests: list[str] = []
    for look in short:
        lacks = lacking(look)
        name = name_of(look.need.vault_id)
        sentences.append(f"{_capital(_WHO)} may not read {name}: it lacks {', '.join(lacks)}.")
        if look.conditional:
            sentences.append("A role with a condition was found and not counted.")
        suggests.append("grant_key_vault_access" if _model(look) == "rbac" else "add_key_vault_policy")
        evidence["missing"] = list(lacks)
        facts |= {"access": "missing", "missing": " ".join(lacks)}
    for look in blocked:
        name = name_of(look.need.vault_id)
        sentences.append(
            f"The firewall of {name} lets nobody in and trusted services not either. To let them in: "
            f"az keyvault update --name {name} --bypass AzureServices"
        )
        facts |= {"firewall": "blocks"}
    if unread is not None and unread.error is not None:
        sentences.append(f"The rights at {name_of(unread.need.vault_id)} could not be read. {why(unread.error)}")
    evidence["model"] = facts["model"]
    return say.bad(" ".join(sentences), evidence=evidence, facts=facts, suggests=tuple(dict.fromkeys(suggests)))


def _model(look: Look) -> str:
    return "rbac" if look.vault is not None and look.vault.rbac else "access policies"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
