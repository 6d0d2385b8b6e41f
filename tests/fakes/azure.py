"""A pretended Azure in memory: what is put into it is what the core reads.

    azure = FakeAzure()
    azure.put(vault, item, job, vm)
    azure.points[item.id.key] = [point]
    azure.fail("virtual_machine", PermissionDenied("…", action="…"))

Lookups compare ids by :func:`domain.arm.key`, so any spelling finds its thing; what is not there is ResourceNotFound.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from domain.arm import ItemId, VaultId, key
from domain.backup import (
    ActivityEvent,
    ExtensionStatus,
    Job,
    KeyVault,
    Lock,
    OperationStatus,
    Permission,
    ProtectedItem,
    RecoveryPoint,
    RoleAssignment,
    RoleDefinition,
    Server,
    ValidationProblem,
    Vault,
    VirtualMachine,
)
from domain.errors import GatewayError, ResourceNotFound
from domain.fix import Call, Receipt
from domain.schedule import BackupPolicy

T = TypeVar("T")


class FakeAzure:
    """A BackupReader over plain dictionaries, all keyed by ``key(arm id)`` unless their comment says otherwise.

    ``calls`` records every read as (method, first argument as text), so that a test can say what was read and how often.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.subscription_ids: list[str] = []
        """Empty: those of the vaults."""
        self.vaults_by_id: dict[str, Vault] = {}
        self.items_by_id: dict[str, ProtectedItem] = {}
        self.jobs_by_vault: dict[str, dict[str, Job]] = defaultdict(dict)
        """Jobs by vault key and job id."""
        self.jobs_away: dict[str, list[Job]] = defaultdict(list)
        """Jobs that Azure lists in the paired region, by vault key."""
        self.points: dict[str, list[RecoveryPoint]] = {}
        """Recovery points by item key; soft-deleted ones are left out unless they are asked for."""
        self.restore_problems: dict[str, list[ValidationProblem]] = {}
        """What ``validate_restore`` answers, by item key; without an entry nothing is wrong."""
        self.validated: list[dict[str, str]] = []
        """What ``validate_restore`` was asked."""
        self.terse_lists = False
        """Whether the lists of jobs leave the errors out."""
        self.policies: dict[str, BackupPolicy] = {}
        self.operations: dict[str, OperationStatus] = {}
        """Operations by operation id."""
        self.servers_by_vault: dict[str, list[Server]] = {}
        self.machines: dict[str, VirtualMachine] = {}
        self.vm_extensions: dict[str, list[ExtensionStatus]] = {}
        """By VM key; without an entry the extensions of the VM's own instance view are given."""
        self.key_vaults: dict[str, KeyVault] = {}
        self.assignments: list[RoleAssignment] = []
        """Found at their own scope and, inherited, at every scope below it."""
        self.roles: dict[str, RoleDefinition] = {}
        """By the role's GUID in lower case."""
        self.permissions_by_scope: dict[str, list[Permission]] = {}
        self.locks_by_scope: dict[str, list[Lock]] = {}
        """Found at their scope and, inherited, at every scope below it."""
        self.bodies: dict[str, Mapping[str, object]] = {}
        """What ``resource`` answers."""
        self.lists: dict[str, Sequence[Mapping[str, object]]] = {}
        """What ``resources`` answers, by the path's key; a path that is not here is an empty list."""
        self.events: dict[str, list[ActivityEvent]] = {}
        self.service_principal: str | None = "0b5e0000-0000-0000-0000-00000000b0b5"
        self._errors: dict[str, list[tuple[str, Exception]]] = defaultdict(list)

    def put(self, *things: Vault | ProtectedItem | Job | VirtualMachine | KeyVault | RoleDefinition) -> None:
        """Put things where their own ids say; a second one with the same id replaces the first."""
        for thing in things:
            match thing:
                case Vault():
                    self.vaults_by_id[thing.id.key] = thing
                case ProtectedItem():
                    self.items_by_id[thing.id.key] = thing
                case Job():
                    self.jobs_by_vault[thing.vault.key][thing.id] = thing
                case VirtualMachine():
                    self.machines[key(thing.id)] = thing
                case KeyVault():
                    self.key_vaults[key(thing.id)] = thing
                case RoleDefinition():
                    self.roles[thing.guid.casefold()] = thing

    def fail(self, method: str, error: Exception, *, of: str = "") -> None:
        """From now on ``method`` raises ``error``, for every argument or for those whose key contains ``of``."""
        self._errors[method].append((of.casefold(), error))

    def heal(self, method: str) -> None:
        """``method`` answers again."""
        self._errors.pop(method, None)

    def count(self, method: str) -> int:
        """How often ``method`` was called."""
        return sum(1 for name, _ in self.calls if name == method)

    def _enter(self, method: str, argument: str = "") -> None:
        self.calls.append((method, argument))
        for of, error in self._errors.get(method, ()):
            if of in argument.casefold():
                raise error

    async def subscriptions(self) -> Sequence[str]:
        """The ids that were given, or those of the vaults."""
        self._enter("subscriptions")
        return self.subscription_ids or sorted({vault.id.subscription for vault in self.vaults_by_id.values()})

    async def vaults(self) -> Sequence[Vault]:
        """Every vault."""
        self._enter("vaults")
        return list(self.vaults_by_id.values())

    async def vault(self, vault: VaultId) -> Vault:
        """One vault."""
        self._enter("vault", vault.id)
        return _found(self.vaults_by_id, vault.id)

    async def items(self, vault: VaultId) -> Sequence[ProtectedItem]:
        """Every item of the vault."""
        self._enter("items", vault.id)
        return [item for item in self.items_by_id.values() if item.id.vault.key == vault.key]

    async def item(self, item: ItemId) -> ProtectedItem:
        """One item."""
        self._enter("item", item.id)
        return _found(self.items_by_id, item.id)

    async def jobs(
        self, vault: VaultId, since: datetime, until: datetime, *, status: str = "", operation: str = ""
    ) -> Sequence[Job]:
        """The vault's jobs of the window, newest first, whole."""
        self._enter("jobs", vault.id)
        away = self.jobs_away[vault.key] if operation == "CrossRegionRestore" else []
        return sorted(
            (
                replace(job, errors=()) if self.terse_lists else job
                for job in (*self.jobs_by_vault[vault.key].values(), *away)
                if job.started_at is not None
                and since <= job.started_at <= until
                and status in {"", job.status}
                and job.operation.startswith(operation)
            ),
            key=lambda job: (job.started_at or since, job.id),
            reverse=True,
        )

    async def jobs_in_paired_region(self, vault: VaultId, since: datetime, until: datetime) -> Sequence[Job]:
        """The jobs that were put there, of the window."""
        self._enter("jobs_in_paired_region", vault.id)
        away = self.jobs_away[vault.key]
        return [job for job in away if job.started_at is not None and since <= job.started_at <= until]

    async def job(self, vault: VaultId, job_id: str) -> Job:
        """One job."""
        self._enter("job", f"{vault.id}/backupJobs/{job_id}")
        try:
            return replace(self.jobs_by_vault[vault.key][job_id], detailed=True)
        except KeyError:
            raise ResourceNotFound(f"There is no job {job_id} in {vault.name}.") from None

    async def recovery_points(
        self, item: ItemId, since: datetime, until: datetime, *, include_soft_deleted: bool = False
    ) -> Sequence[RecoveryPoint]:
        """The item's points of the window, newest first."""
        self._enter("recovery_points", item.id)
        inside = (
            point
            for point in self.points.get(item.key, ())
            if since <= point.at <= until and (include_soft_deleted or not point.soft_deleted)
        )
        return sorted(inside, key=lambda point: point.at, reverse=True)

    async def validate_restore(
        self,
        item: ItemId,
        recovery_point: str,
        *,
        storage_account_id: str,
        region: str,
        vm_id: str,
        target_group_id: str,
        identity: str = "",
    ) -> Sequence[ValidationProblem]:
        """What was given for the item."""
        self._enter("validate_restore", item.id)
        self.validated.append(
            {
                "recovery_point": recovery_point,
                "storage_account_id": storage_account_id,
                "region": region,
                "vm_id": vm_id,
                "target_group_id": target_group_id,
                "identity": identity,
            }
        )
        return list(self.restore_problems.get(item.key, ()))

    async def policy(self, policy_id: str) -> BackupPolicy:
        """One policy."""
        self._enter("policy", policy_id)
        return _found(self.policies, policy_id)

    async def operation(self, vault: VaultId, operation_id: str) -> OperationStatus:
        """One operation."""
        self._enter("operation", f"{vault.id}/backupOperations/{operation_id}")
        try:
            return self.operations[operation_id]
        except KeyError:
            raise ResourceNotFound(f"There is no operation {operation_id} in {vault.name}.") from None

    async def servers(self, vault: VaultId) -> Sequence[Server]:
        """The vault's servers."""
        self._enter("servers", vault.id)
        return list(self.servers_by_vault.get(vault.key, ()))

    async def virtual_machine(self, vm_id: str) -> VirtualMachine:
        """One VM."""
        self._enter("virtual_machine", vm_id)
        return _found(self.machines, vm_id)

    async def extensions(self, vm_id: str) -> Sequence[ExtensionStatus]:
        """The VM's extensions."""
        self._enter("extensions", vm_id)
        if key(vm_id) in self.vm_extensions:
            return list(self.vm_extensions[key(vm_id)])
        return list(_found(self.machines, vm_id).extensions)

    async def key_vault(self, key_vault_id: str) -> KeyVault:
        """One key vault."""
        self._enter("key_vault", key_vault_id)
        return _found(self.key_vaults, key_vault_id)

    async def role_assignments(self, scope: str, principal_id: str) -> Sequence[RoleAssignment]:
        """What the principal holds at the scope or above it."""
        self._enter("role_assignments", scope)
        return [
            one
            for one in self.assignments
            if one.principal_id.casefold() == principal_id.casefold() and _covers(one.scope, scope)
        ]

    async def role_definition(self, role_definition_id: str) -> RoleDefinition:
        """One role, whatever scope its id is written with."""
        self._enter("role_definition", role_definition_id)
        return _found(self.roles, role_definition_id.rpartition("/")[2])

    async def role_definitions(self, scope: str, *, custom_only: bool = False) -> Sequence[RoleDefinition]:
        """Every role."""
        self._enter("role_definitions", scope)
        return [role for role in self.roles.values() if not (custom_only and role.built_in)]

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What was given for the scope or one above it."""
        self._enter("permissions", scope)
        return _inherited(self.permissions_by_scope, scope)

    async def locks(self, scope: str) -> Sequence[Lock]:
        """The locks at the scope or above it."""
        self._enter("locks", scope)
        return _inherited(self.locks_by_scope, scope)

    async def resource(self, arm_id: str, api_version: str) -> Mapping[str, object]:
        """One plain body."""
        self._enter("resource", arm_id)
        return _found(self.bodies, arm_id)

    async def resources(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Sequence[Mapping[str, object]]:
        """One plain list."""
        self._enter("resources", path)
        return list(self.lists.get(key(path), ()))

    async def activity(self, scope: str, since: datetime, until: datetime) -> Sequence[ActivityEvent]:
        """The events of the scope in the window, newest first."""
        self._enter("activity", scope)
        inside = (event for event in self.events.get(key(scope), ()) if since <= event.at <= until)
        return sorted(inside, key=lambda event: event.at, reverse=True)

    async def backup_service_principal(self) -> str:
        """The object id that was given; None stands for a directory that does not know it."""
        self._enter("backup_service_principal")
        if self.service_principal is None:
            raise ResourceNotFound("The Backup Management Service has no service principal in this tenant.")
        return self.service_principal


class FakeOperator:
    """A BackupOperator that writes down what it was told to send.

    ``answers`` are given in turn: a Receipt is returned, an error raised; when they run out every call is answered 202 with
    the operation id ``op-<n>``. ``effect``, if set, is run for each call that reached Azure (also before an OutcomeUnknown
    when ``effect_despite_error``), so that a test can let the call change a :class:`FakeAzure`.
    """

    def __init__(self, client_id: str = "0ca0000f-0000-0000-0000-000000000001") -> None:
        self._client_id = client_id
        self.sent: list[Call] = []
        self.answers: list[Receipt | Exception] = []
        self.effect: Callable[[Call], None] | None = None
        self.effect_despite_error = False
        self.permissions_by_scope: dict[str, list[Permission]] = {"": [Permission(actions=("*",))]}
        """By scope key; "" is every scope, and may do everything until a test says otherwise."""
        self.permissions_error: GatewayError | None = None

    @property
    def client_id(self) -> str:
        """The identity's client id."""
        return self._client_id

    async def send(self, call: Call) -> Receipt:
        """Write the call down and give the next answer."""
        self.sent.append(call)
        answer = self.answers.pop(0) if self.answers else None
        if self.effect is not None and (not isinstance(answer, Exception) or self.effect_despite_error):
            self.effect(call)
        if isinstance(answer, Exception):
            raise answer
        number = len(self.sent)
        return answer or Receipt(
            status=202,
            operation_id=f"op-{number}",
            correlation_id=f"correlation-{number}",
            request_id=f"request-{number}",
        )

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What was given for the scope or one above it."""
        if self.permissions_error is not None:
            raise self.permissions_error
        return _inherited(self.permissions_by_scope, scope)


def _covers(upper: str, scope: str) -> bool:
    high, low = key(upper), key(scope)
    return high == low or low.startswith(f"{high}/")


def _inherited(by_scope: Mapping[str, Sequence[T]], scope: str) -> list[T]:
    return [one for at, held in by_scope.items() if _covers(at, scope) for one in held]


def _found(things: Mapping[str, T], arm_id: str) -> T:
    try:
        return things[key(arm_id)]
    except KeyError:
        raise ResourceNotFound(f"{arm_id} was not found.") from None
