"""Microsoft's own asynchronous clients, through azure-identity, against the simulator."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.recoveryservices.aio import RecoveryServicesClient
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient
from azure.mgmt.recoveryservicesbackup.models import BackupRequestResource, IaasVMBackupRequest

from simulator.server import Simulator
from simulator.world.model import stable_uuid


class Clients:
    """The clients of one identity over one pool of connections."""

    def __init__(self, sim: Simulator, prefix: str, secret: str = "") -> None:
        context = ssl.create_default_context(cafile=sim.ca_file)
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        transport = AioHttpTransport(session=self.session, session_owner=False)
        env = sim.env
        self.credential = ClientSecretCredential(
            sim.tenant_id,
            env[f"{prefix}CLIENT_ID"],
            secret or env[f"{prefix}CLIENT_SECRET"],
            authority=env["AZURE_AUTHORITY_HOST"],
            transport=transport,
            disable_instance_discovery=True,
        )
        options = {"transport": transport, "base_url": sim.arm, "credential_scopes": [env["BACKUPBOT_ARM_SCOPE"]]}
        sub = sim.subscription_id
        self.vaults = RecoveryServicesClient(self.credential, sub, polling_interval=0, **options)
        self.backup = RecoveryServicesBackupClient(self.credential, sub, polling_interval=0, **options)
        self.authorization = AuthorizationManagementClient(self.credential, sub, **options)

    async def close(self) -> None:
        """Ends the connections."""
        await self.session.close()


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """The contoso estate at a speed at which a backup takes a fraction of a second."""
    async with Simulator("contoso", speed=6000, page_size=20) as running:
        yield running


@pytest.fixture
async def reader(sim: Simulator) -> AsyncIterator[Clients]:
    """Clients that may only read."""
    clients = Clients(sim, "AZURE_")
    yield clients
    await clients.close()


@pytest.fixture
async def operator(sim: Simulator) -> AsyncIterator[Clients]:
    """Clients that may mend."""
    clients = Clients(sim, "AZURE_OPERATOR_")
    yield clients
    await clients.close()


async def test_vaults_items_and_jobs_over_pages(reader: Clients) -> None:
    """Vaults, items and three months of jobs come through the pagers."""
    vaults = [vault.name async for vault in reader.vaults.vaults.list_by_subscription_id()]
    assert "vault-prod-01" in vaults
    jobs = [job async for job in reader.backup.backup_jobs.list("vault-prod-01", "rg-backup-prod")]
    assert len({job.name for job in jobs}) == len(jobs) > 80
    failed: list[Any] = [
        job
        async for job in reader.backup.backup_jobs.list(
            "vault-prod-01", "rg-backup-prod", filter="operation eq 'Backup' and status eq 'Failed'"
        )
    ]
    detail: Any = await reader.backup.job_details.get("vault-prod-01", "rg-backup-prod", failed[0].name)
    assert detail.properties["errorDetails"][0]["errorTitle"]
    items: list[Any] = [
        item
        async for item in reader.backup.backup_protected_items.list(
            "vault-prod-01", "rg-backup-prod", filter="backupManagementType eq 'AzureIaasVM'"
        )
    ]
    assert [item.properties["friendlyName"] for item in items] == ["vm-erp-01", "vm-web-01", "vm-app-01"]


async def test_backup_until_its_recovery_point(operator: Clients) -> None:
    """A trigger's operation leads to the job, the job to its end and a new point."""
    where = (
        "vault-prod-01",
        "rg-backup-prod",
        "Azure",
        "IaasVMContainer;iaasvmcontainerv2;rg-web;vm-web-01",
        "VM;iaasvmcontainerv2;rg-web;vm-web-01",
    )
    before = [point.name async for point in operator.backup.recovery_points.list(*where)]
    trigger: Any = operator.backup.backups.trigger
    headers = await trigger(
        *where,
        BackupRequestResource(properties=IaasVMBackupRequest()),
        retry_total=0,
        cls=lambda response, _, __: response.http_response.headers,
    )
    operation = headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]
    async with asyncio.timeout(20):
        while True:
            status: Any = await operator.backup.backup_operation_statuses.get(*where[:2], operation)
            if status.status != "InProgress":
                break
            await asyncio.sleep(0.02)
        job_id = status.properties["jobId"]
        while True:
            job: Any = await operator.backup.job_details.get(*where[:2], job_id)
            if job.properties["status"] != "InProgress":
                break
            await asyncio.sleep(0.02)
    assert job.properties["status"] == "Completed"
    after = [point.name async for point in operator.backup.recovery_points.list(*where)]
    assert len(set(after) - set(before)) == 1


async def test_roles(sim: Simulator, reader: Clients, operator: Clients) -> None:
    """The reader's grant is refused, the operator's is made once and conflicts under a second name."""
    scope = (
        f"/subscriptions/{sim.subscription_id}/resourceGroups/rg-security/providers/Microsoft.KeyVault/vaults/kv-erp-01"
    )
    roles = [
        role
        async for role in operator.authorization.role_definitions.list(
            scope, filter="roleName eq 'Azure Backup Key Vault Access'"
        )
    ]
    wish = RoleAssignmentCreateParameters(
        role_definition_id=str(roles[0].id),
        principal_id=sim.world.backup_service().oid,
        principal_type="ServicePrincipal",
    )
    with pytest.raises(HttpResponseError) as refused:
        await reader.authorization.role_assignments.create(scope, stable_uuid("a"), wish)
    assert refused.value.error is not None
    assert refused.value.error.code == "AuthorizationFailed"
    made = await operator.authorization.role_assignments.create(scope, stable_uuid("a"), wish)
    assert made.scope == scope
    with pytest.raises(ResourceExistsError):
        await operator.authorization.role_assignments.create(scope, stable_uuid("b"), wish)


async def test_wrong_secret(sim: Simulator) -> None:
    """azure-identity reports the directory's own words."""
    clients = Clients(sim, "AZURE_", secret="nope")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        await clients.vaults.vaults.get("rg-backup-prod", "vault-prod-01")
    await clients.close()
