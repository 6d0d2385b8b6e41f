"""The reader: everything that checks, plans and proofs may know of Azure, through one identity that can only look."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import HttpResponseError

from bot.gateways import azure_mapping, azure_mapping_jobs, azure_mapping_resources, azure_validation
from bot.gateways.azure_credentials import OneFetch
from bot.gateways.azure_errors import translated
from bot.gateways.azure_policies import deadline
from bot.gateways.azure_secondary import OPERATION, secondary_jobs
from bot.gateways.azure_wire import Wire, as_mapping, inner, plain_mapping, text
from bot.gateways.azure_wiring import MOST_PAGES, ArmClient, AzureClients, AzureConnection, look_for_a_list, too_long
from domain.arm import ItemId, VaultId, name_of, resource_group_of, segments, subscription_of
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
from domain.errors import BadRequest, GatewayError, GatewayUnavailable, PermissionDenied, ResourceNotFound
from domain.schedule import BackupPolicy, parse_policy
from fixes.regions import paired

BACKUP_MANAGEMENT_SERVICE = "262044b1-e2ce-469f-a196-69ab7ada62d3"
"""Application id of Azure's own Backup Management Service, the same in every tenant of the public cloud.

Source: https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption
"""

# What a diagnosis and the fleet read goes through the plain client: the generated one spends 0.7 ms of processor time on the
# model of each job and more on that of a vault. The versions are those that the generated clients ask for.
_BACKUP = "2026-10-01"
_VAULTS = "2026-11-01"
_COMPUTE = "2024-07-01"
_KEY_VAULT = "2023-07-01"
_LOCKS = "2020-05-01"
_PERMISSIONS = "2022-04-01"
_SUBSCRIPTIONS = "2022-12-01"
_ACTIVITY = "2015-04-01"
_LONGEST_WINDOW = timedelta(days=30)
_INSTANCE_VIEW = {"$expand": "instanceView"}
_LIST: dict[str, Any] = {"raw_response_hook": look_for_a_list}


_PAIR_FRESH_S = 60.0


class AzureReader:
    """A :class:`domain.ports.BackupReader` over the real Azure.

    ``subscriptions`` limits what is looked at (empty: all that the identity sees), ``backup_service_principal`` is the object
    id of the Backup Management Service where Graph may not be asked, ``seconds`` bounds every single read, retries included.
    """

    def __init__(
        self,
        connection: AzureConnection,
        credential: OneFetch,
        *,
        subscriptions: Sequence[str] = (),
        backup_service_principal: str = "",
        seconds: float = 20.0,
    ) -> None:
        self._clients = AzureClients(connection, credential)
        self._arm = connection.arm(credential)
        self._graph = connection.graph(credential)
        self._subscriptions = tuple(subscriptions)
        self._service_principal = backup_service_principal
        self._seconds = seconds
        self._unreadable: dict[str, GatewayError] = {}
        self._pairs: dict[str, tuple[float, str]] = {}

    async def subscriptions(self) -> Sequence[str]:
        """The configured subscriptions, else all that the identity sees."""
        if self._subscriptions:
            return self._subscriptions
        async with self._reading("reading the subscriptions"):
            found = await self._arm.pages("/subscriptions", _SUBSCRIPTIONS)
            visible = [text(one, "subscriptionId") for one in found if text(one, "state") != "Deleted"]
        if not visible:
            raise PermissionDenied(
                "The reading identity sees no subscription at all; give it the reader role on those to look at.",
                action="Microsoft.Resources/subscriptions/read",
            )
        return visible

    async def vaults(self) -> Sequence[Vault]:
        """Every vault of the subscriptions.

        A subscription that cannot be read does not hide the others: see :meth:`unreadable_subscriptions`. Raises only when
        none can be read.
        """
        names = await self.subscriptions()
        looks = await asyncio.gather(*(self._vaults_of(name) for name in names))
        self._unreadable = {
            name: look for name, look in zip(names, looks, strict=True) if isinstance(look, GatewayError)
        }
        if len(self._unreadable) == len(names):
            raise self._unreadable[names[0]]
        found = [vault for look in looks if not isinstance(look, GatewayError) for vault in look]
        for vault in found:
            self._remember_pair(vault)
        return found

    def unreadable_subscriptions(self) -> Mapping[str, GatewayError]:
        """The subscriptions that the last :meth:`vaults` could not read, and why."""
        return dict(self._unreadable)

    async def vault(self, vault: VaultId) -> Vault:
        """One vault, read from its provider."""
        async with self._reading(f"reading the vault {vault.name}"):
            found = azure_mapping.to_vault(await self._arm.get(vault.id, _VAULTS))
        self._remember_pair(found)
        return found

    async def items(self, vault: VaultId) -> Sequence[ProtectedItem]:
        """Every protected item of the vault; one list without a filter covers all workloads."""
        async with self._reading(f"reading the protected items of {vault.name}"):
            return [
                azure_mapping.to_item(one) for one in await self._arm.pages(f"{vault.id}/backupProtectedItems", _BACKUP)
            ]

    async def item(self, item: ItemId) -> ProtectedItem:
        """One item with its extended information."""
        async with self._reading(f"reading the protected item {item.name} in {item.vault.name}"):
            return azure_mapping.to_item(await self._arm.get(item.id, _BACKUP, {"$filter": "expand eq 'extendedInfo'"}))

    async def jobs(
        self, vault: VaultId, since: datetime, until: datetime, *, status: str = "", operation: str = ""
    ) -> Sequence[Job]:
        """The jobs that started in the window, newest first. ``status`` and ``operation`` are Azure's exact words."""
        conditions = [
            *([f"status eq '{_escaped(status)}'"] if status else []),
            *([f"operation eq '{_escaped(operation)}'"] if operation else []),
            *_window(since, until),
        ]
        async with self._reading(f"reading the jobs of {vault.name}"):
            found = await self._arm.pages(f"{vault.id}/backupJobs", _BACKUP, {"$filter": " and ".join(conditions)})
            if operation == OPERATION:
                found += await self._jobs_of_the_paired_region(vault, " and ".join(conditions))
            return _newest_first(found, vault)

    async def jobs_in_paired_region(self, vault: VaultId, since: datetime, until: datetime) -> Sequence[Job]:
        """The vault's cross-region restores that Azure lists in the paired region; nothing is asked where there is none."""
        conditions = " and ".join([f"operation eq '{OPERATION}'", *_window(since, until)])
        async with self._reading(f"reading the jobs of {vault.name} in its paired region"):
            return _newest_first(await self._jobs_of_the_paired_region(vault, conditions), vault)

    async def _jobs_of_the_paired_region(self, vault: VaultId, conditions: str) -> Sequence[Wire]:
        read_at, region = self._pairs.get(vault.key, (float("-inf"), ""))
        if asyncio.get_running_loop().time() - read_at > _PAIR_FRESH_S:
            region = self._remember_pair(azure_mapping.to_vault(await self._arm.get(vault.id, _VAULTS)))
        return await secondary_jobs(self._arm, vault, region, conditions) if region else ()

    def _remember_pair(self, vault: Vault) -> str:
        """The region that the vault's cross-region jobs are listed in, "" for none; kept for a minute."""
        region = (paired(vault.location) or "") if vault.cross_region_restore else ""
        self._pairs[vault.id.key] = (asyncio.get_running_loop().time(), region)
        return region

    async def job(self, vault: VaultId, job_id: str) -> Job:
        """One job with tasks, details and errors."""
        async with self._reading(f"reading the job {job_id} of {vault.name}"):
            body = await self._arm.get(f"{vault.id}/backupJobs/{job_id}", _BACKUP)
            return azure_mapping_jobs.to_job(body, vault, detailed=True)

    async def recovery_points(
        self, item: ItemId, since: datetime, until: datetime, *, include_soft_deleted: bool = False
    ) -> Sequence[RecoveryPoint]:
        """The item's recovery points of the window, newest first; of a database its log ranges too."""
        window = f"startDate eq '{_literal(since)}' and endDate eq '{_literal(_next_second(until))}'"
        if include_soft_deleted:
            window += " and includeSoftDeletedRP eq true"
        filters = [window]
        if item.container.casefold().startswith("vmappcontainer;"):
            filters.append(f"restorePointQueryType eq 'Log' and {window}")
        async with self._reading(f"reading the recovery points of {item.name} in {item.vault.name}"):
            pages = await asyncio.gather(
                *(self._arm.pages(f"{item.id}/recoveryPoints", _BACKUP, {"$filter": one}) for one in filters)
            )
            points = [point for page in pages for one in page for point in azure_mapping.to_recovery_points(one)]
        found = {(point.id, point.at): point for point in points}
        return sorted(found.values(), key=lambda point: point.at, reverse=True)

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
        """What Azure Backup itself objects to in a restore of a VM's disks; asked in its synchronous form."""
        wanted = azure_validation.restore_of_disks(
            item,
            recovery_point,
            storage_account_id=storage_account_id,
            region=region,
            vm_id=vm_id,
            target_group_id=target_group_id,
            identity=identity,
        )
        vault = item.vault
        async with self._reading(f"asking {vault.name} to validate a restore of {item.name}"):
            try:
                client = self._clients.backup(vault.subscription)
                body = await client.operation.validate(vault.name, vault.resource_group, wanted)
            except HttpResponseError as error:
                return azure_validation.refusal_as_answer(error)
            return azure_validation.to_problems(_wire(body))

    async def policy(self, policy_id: str) -> BackupPolicy:
        """The backup policy with that ARM id."""
        async with self._reading(f"reading the backup policy {name_of(policy_id)}"):
            try:
                vault = VaultId.parse(policy_id)
            except ValueError as error:
                raise BadRequest(f"Not the id of a backup policy: {policy_id!r}.") from error
            body = await self._arm.get(f"{vault.id}/backupPolicies/{name_of(policy_id)}", _BACKUP)
            return parse_policy(plain_mapping(body))

    async def operation(self, vault: VaultId, operation_id: str) -> OperationStatus:
        """How far a backup operation is."""
        async with self._reading(f"reading the operation {operation_id} of {vault.name}"):
            client = self._clients.backup(vault.subscription)
            body = await client.backup_operation_statuses.get(vault.name, vault.resource_group, operation_id)
            return azure_mapping.to_operation(_wire(body))

    async def servers(self, vault: VaultId) -> Sequence[Server]:
        """The MARS machines and the MABS and DPM servers of the vault."""
        async with self._reading(f"reading the backup servers of {vault.name}") as what:
            client = self._clients.backup(vault.subscription)
            machines, engines = await asyncio.gather(
                # Containers are listed of one management type only; engines of all.
                _all(
                    client.backup_protection_containers.list(
                        vault.name, vault.resource_group, filter="backupManagementType eq 'MAB'", **_LIST
                    ),
                    what,
                ),
                _all(client.backup_engines.list(vault.name, vault.resource_group, **_LIST), what),
            )
            mars = await asyncio.gather(*(self._mars_server(vault, one) for one in machines))
            return [*mars, *(azure_mapping.to_backup_engine(one) for one in engines)]

    async def virtual_machine(self, vm_id: str) -> VirtualMachine:
        """The VM with its instance view."""
        async with self._reading(f"reading the virtual machine {name_of(vm_id)}"):
            return azure_mapping_resources.to_virtual_machine(await self._arm.get(vm_id, _COMPUTE, _INSTANCE_VIEW))

    async def extensions(self, vm_id: str) -> Sequence[ExtensionStatus]:
        """The VM's extensions with their instance views."""
        async with self._reading(f"reading the extensions of {name_of(vm_id)}"):
            found = await self._arm.pages(f"{vm_id}/extensions", _COMPUTE, _INSTANCE_VIEW)
            return [azure_mapping_resources.to_extension(one) for one in found]

    async def key_vault(self, key_vault_id: str) -> KeyVault:
        """The management plane of a key vault."""
        async with self._reading(f"reading the key vault {name_of(key_vault_id)}"):
            return azure_mapping_resources.to_key_vault(await self._arm.get(key_vault_id, _KEY_VAULT))

    async def role_assignments(self, scope: str, principal_id: str) -> Sequence[RoleAssignment]:
        """What the principal holds at ``scope``: direct, inherited and through groups."""
        async with self._reading(f"reading the role assignments at {name_of(scope)}") as what:
            client = self._clients.authorization(subscription_of(scope))
            found = client.role_assignments.list_for_scope(
                scope.strip("/"), filter=f"assignedTo('{_escaped(principal_id)}')", **_LIST
            )
            return [azure_mapping_resources.to_role_assignment(one) for one in await _all(found, what)]

    async def role_definition(self, role_definition_id: str) -> RoleDefinition:
        """One role."""
        async with self._reading(f"reading the role {name_of(role_definition_id)}"):
            client = self._clients.authorization(subscription_of(role_definition_id))
            body = await client.role_definitions.get_by_id(role_definition_id.strip("/"))
            return azure_mapping_resources.to_role_definition(_wire(body))

    async def role_definitions(self, scope: str, *, custom_only: bool = False) -> Sequence[RoleDefinition]:
        """The roles that can be assigned at ``scope``."""
        async with self._reading(f"reading the roles at {name_of(scope)}") as what:
            client = self._clients.authorization(subscription_of(scope))
            kind = "type eq 'CustomRole'" if custom_only else None
            found = client.role_definitions.list(scope.strip("/"), filter=kind, **_LIST)
            return [azure_mapping_resources.to_role_definition(one) for one in await _all(found, what)]

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What the reader itself may do at a resource group or resource."""
        async with self._reading(f"reading the permissions at {name_of(scope)}"):
            return await permissions_at(self._arm, scope)

    async def locks(self, scope: str) -> Sequence[Lock]:
        """The locks at a resource group or resource, inherited ones included."""
        async with self._reading(f"reading the locks at {name_of(scope)}"):
            found = await self._arm.pages(f"{scope}/providers/Microsoft.Authorization/locks", _LOCKS)
            return [azure_mapping_resources.to_lock(one) for one in found]

    async def resource(self, arm_id: str, api_version: str) -> Mapping[str, object]:
        """The plain body of any resource, secrets left out."""
        async with self._reading(f"reading {name_of(arm_id)}"):
            return plain_mapping(await self._arm.get(arm_id, api_version))

    async def resources(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Sequence[Mapping[str, object]]:
        """All pages of any list, secrets left out."""
        async with self._reading(f"reading the list {name_of(path)}"):
            return [plain_mapping(one) for one in await self._arm.pages(path, api_version, query)]

    async def activity(self, scope: str, since: datetime, until: datetime) -> Sequence[ActivityEvent]:
        """Azure's Activity Log of a resource group or resource, newest first."""
        parts = segments(scope)
        one = (
            f"resourceUri eq '{_escaped(scope)}'"
            if "providers" in parts
            else f"resourceGroupName eq '{_escaped(resource_group_of(scope))}'"
        )
        window = f"eventTimestamp ge '{_iso(since)}' and eventTimestamp le '{_iso(until)}' and {one}"
        path = f"/subscriptions/{subscription_of(scope)}/providers/Microsoft.Insights/eventtypes/management/values"
        async with self._reading(f"reading the activity log of {name_of(scope)}"):
            found = await self._arm.pages(path, _ACTIVITY, {"$filter": window})
            events = [azure_mapping_resources.to_activity_event(event) for event in found]
        return sorted(events, key=lambda event: event.at, reverse=True)

    async def backup_service_principal(self) -> str:
        """The object id, in this tenant, of the Backup Management Service: as configured, else asked of Graph once."""
        if not self._service_principal:
            self._service_principal = await self._ask_graph()
        return self._service_principal

    async def group_members(self, group_id: str) -> frozenset[str]:
        """The Entra object ids of everybody in a group, nested groups included.

        Needs the Graph application permission GroupMember.Read.All. Source:
        https://learn.microsoft.com/graph/api/group-list-transitivemembers
        """
        path = f"/v1.0/groups/{group_id}/transitiveMembers"
        async with self._reading("reading the members of an Entra group"):
            found = await self._graph.pages(path, query={"$select": "id", "$top": "999"})
        return frozenset(member for one in found if (member := text(one, "id")))

    async def _ask_graph(self) -> str:
        path = f"/v1.0/servicePrincipals(appId='{BACKUP_MANAGEMENT_SERVICE}')"
        try:
            async with self._reading("asking Microsoft Graph for the Backup Management Service"):
                found = text(await self._graph.get(path, query={"$select": "id,appId,displayName"}), "id")
        except PermissionDenied as error:
            raise PermissionDenied(
                "The reading identity may not ask Microsoft Graph for the Backup Management Service: grant it the application"
                " permission Application.Read.All, or set azure.backup_service_object_id to what"
                f" `az ad sp show --id {BACKUP_MANAGEMENT_SERVICE} --query id` prints.",
                action="Application.Read.All",
                scope="Microsoft Graph",
                code=error.code,
                correlation_id=error.correlation_id,
            ) from error
        except ResourceNotFound as error:
            raise ResourceNotFound(
                "The Backup Management Service has no service principal in this tenant: it appears with the first vault.",
                code=error.code,
            ) from error
        if not found:
            raise GatewayUnavailable("Microsoft Graph answered without the object id of the Backup Management Service.")
        return found

    async def _vaults_of(self, subscription: str) -> list[Vault] | GatewayError:
        try:
            async with self._reading(f"reading the vaults of subscription {subscription}"):
                path = f"/subscriptions/{subscription}/providers/Microsoft.RecoveryServices/vaults"
                return [azure_mapping.to_vault(one) for one in await self._arm.pages(path, _VAULTS)]
        except GatewayError as error:
            return error

    async def _mars_server(self, vault: VaultId, listed: Wire) -> Server:
        """The machine as its own address describes it; the list leaves out when it was last seen."""
        if inner(listed, "properties", "extendedInfo"):
            return azure_mapping.to_mars_server(listed)
        parts = segments(text(listed, "id"))
        fabric, container = parts.get("backupfabrics", "Azure"), text(listed, "name")
        with contextlib.suppress(GatewayError):
            async with translated(f"reading the server {container}"):
                whole = await self._clients.backup(vault.subscription).protection_containers.get(
                    vault.name, vault.resource_group, fabric, container
                )
                return azure_mapping.to_mars_server(_wire(whole))
        return azure_mapping.to_mars_server(listed)

    @contextlib.asynccontextmanager
    async def _reading(self, what: str) -> AsyncIterator[str]:
        async with translated(what), deadline(self._seconds):
            yield what


async def permissions_at(arm: ArmClient, scope: str) -> list[Permission]:
    """What the identity behind ``arm`` may do at any scope."""
    found = await arm.pages(f"{scope}/providers/Microsoft.Authorization/permissions", _PERMISSIONS)
    return [azure_mapping_resources.to_permission(one) for one in found]


async def _all(found: AsyncIterable[Any], what: str) -> list[Wire]:
    """The entries of all pages. Raises GatewayUnavailable after 20: a list that silently ends early would be believed."""
    entries: list[Wire] = []
    pages = 0
    async for page in cast("AsyncItemPaged[Any]", found).by_page():
        pages += 1
        if pages > MOST_PAGES:
            raise GatewayUnavailable(too_long(what))
        entries += [_wire(one) async for one in page]
    return entries


def _wire(model: object) -> Wire:
    """A body with wire names from any model: new ones are mappings, those of the authorization package are not."""
    serialize = None if isinstance(model, Mapping) else getattr(model, "serialize", None)
    return as_mapping(serialize(keep_readonly=True) if callable(serialize) else model, "the answer")


def _window(since: datetime, until: datetime) -> tuple[str, str]:
    if until - since > _LONGEST_WINDOW:
        raise BadRequest("Azure lists the jobs of at most 30 days at one time.")
    return f"startTime eq '{_literal(since)}'", f"endTime eq '{_literal(_next_second(until))}'"


def _newest_first(found: Sequence[Wire], vault: VaultId) -> list[Job]:
    jobs = [azure_mapping_jobs.to_job(one, vault, detailed=False) for one in found]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(jobs, key=lambda job: job.started_at or oldest, reverse=True)


def _literal(at: datetime) -> str:
    """A time as the filters of Azure Backup want it: ``2026-11-21 02:05:00 PM``, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %I:%M:%S %p")


def _next_second(at: datetime) -> datetime:
    return at + timedelta(seconds=1) if at.microsecond else at


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _escaped(value: str) -> str:
    return value.replace("'", "''")
