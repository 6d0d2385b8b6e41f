"""The gateway against the simulated cloud: real reads, a real backup and a real grant, through the real SDK."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.gateways.azure_operator import AzureOperator
from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.backup import Job, OperationStatus, ProtectedItem, Vault, Workload
from domain.errors import PermissionDenied
from domain.fix import Call, Kind, assignment_name
from simulator.server import Simulator

BACKUP_ACTION = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/backup/action"


@dataclass
class Cloudlet:
    """The simulation and the bot's two sides of it."""

    sim: Simulator
    reader: AzureReader
    operator: AzureOperator
    readers_operator: AzureOperator

    async def vault(self) -> Vault:
        """The vault of the story."""
        return next(vault for vault in await self.reader.vaults() if vault.id.name == "vault-prod-01")

    async def item(self, name: str) -> ProtectedItem:
        """One of its items."""
        return next(item for item in await self.reader.items((await self.vault()).id) if item.name == name)

    async def until_ended(self, item: ProtectedItem, operation_id: str) -> Job:
        """Follow an operation to its job and the job to its end."""
        async with asyncio.timeout(30):
            status: OperationStatus = await self.reader.operation(item.id.vault, operation_id)
            while status.status == "InProgress":
                await asyncio.sleep(0.05)
                status = await self.reader.operation(item.id.vault, operation_id)
            job = await self.reader.job(item.id.vault, status.job_ids[0])
            while job.running:
                await asyncio.sleep(0.1)
                job = await self.reader.job(item.id.vault, status.job_ids[0])
        return job


@pytest.fixture
async def cloud() -> AsyncIterator[Cloudlet]:
    """A fast simulation."""
    async with Simulator(speed=6000) as sim:
        env = sim.env
        where = Cloud(
            endpoint=sim.arm,
            scope=env["BACKUPBOT_ARM_SCOPE"],
            ca_file=env["BACKUPBOT_CA_FILE"],
            graph_endpoint=env["BACKUPBOT_GRAPH_ENDPOINT"],
        )
        async with AzureConnection(where) as connection:
            reads, changes = connection.reader_credential(env), connection.operator_credential(env)
            assert changes is not None
            yield Cloudlet(
                sim,
                AzureReader(connection, reads),
                AzureOperator(connection, changes),
                AzureOperator(connection, reads),
            )


def backup(item: ProtectedItem) -> Call:
    """Back the item up now."""
    return Call(
        method="POST",
        resource=f"{item.id.id}/backup",
        api_version="2024-04-01",
        body={
            "properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2027-01-01T00:00:00Z"}
        },
        kind=Kind.BACKUP,
        purpose="back up",
        action=BACKUP_ACTION,
        scope=item.id.vault.id,
    )


async def test_a_backup_from_trigger_to_point(cloud: Cloudlet) -> None:
    """A backup that the operator starts is followed by the reader to its end and its new recovery point."""
    item = await cloud.item("vm-web-01")
    start = cloud.sim.clock.now() - timedelta(minutes=1)
    receipt = await cloud.operator.send(backup(item))
    job = await cloud.until_ended(item, receipt.operation_id)

    assert (receipt.status, job.status, job.is_of(item)) == (202, "Completed", True)
    points = await cloud.reader.recovery_points(item.id, start, cloud.sim.clock.now())
    assert len(points) == 1
    assert receipt.correlation_id


async def test_the_reader_cannot_write(cloud: Cloudlet) -> None:
    """The reading identity's own attempt is refused, and the missing right is named."""
    item = await cloud.item("vm-app-01")
    with pytest.raises(PermissionDenied) as caught:
        await cloud.readers_operator.send(backup(item))

    assert caught.value.action.casefold() == BACKUP_ACTION.casefold()


async def test_a_grant_is_seen(cloud: Cloudlet) -> None:
    """A role that the operator grants at the key vault is then found by the reader, and the backup succeeds."""
    reader = cloud.reader
    item = await cloud.item("vm-erp-01")
    machine = await reader.virtual_machine(item.source_id)
    key_vault = await reader.key_vault(machine.secret_vault_id)
    principal = await reader.backup_service_principal()
    assert await reader.role_assignments(key_vault.id, principal) == []
    [role] = [
        one
        for one in await reader.role_definitions(key_vault.id, custom_only=True)
        if any("secrets/backup" in action for entry in one.permissions for action in entry.data_actions)
    ]
    name = assignment_name(key_vault.id, principal, role.id)
    grant = Call(
        method="PUT",
        resource=f"{key_vault.id}/providers/Microsoft.Authorization/roleAssignments/{name}",
        api_version="2022-04-01",
        body={
            "properties": {"roleDefinitionId": role.id, "principalId": principal, "principalType": "ServicePrincipal"}
        },
        kind=Kind.ROLE_ASSIGNMENT,
        purpose="grant",
        action="Microsoft.Authorization/roleAssignments/write",
        scope=key_vault.id,
    )
    receipt = await cloud.operator.send(grant)

    assert receipt.status == 201
    async with asyncio.timeout(20):
        while not (held := await reader.role_assignments(key_vault.id, principal)):
            await asyncio.sleep(0.05)
    assert [one.role_definition_id.rpartition("/")[2] for one in held] == [role.guid]


async def test_everything_of_the_estate_can_be_read(cloud: Cloudlet) -> None:
    """Items, jobs, points, policies, machines, extensions, locks and permissions of the whole estate are readable."""
    now = cloud.sim.clock.now()
    reader = cloud.reader
    for vault in await reader.vaults():
        assert (await reader.vault(vault.id)).location == vault.location
        jobs = await reader.jobs(vault.id, now - timedelta(days=29), now)
        assert jobs == sorted(jobs, key=lambda job: job.started_at or now, reverse=True)
        for item in await reader.items(vault.id):
            whole = await reader.item(item.id)
            assert (whole.name, whole.workload) == (item.name, item.workload)
            await reader.recovery_points(item.id, now - timedelta(days=29), now, include_soft_deleted=True)
            if item.policy_id:
                assert (await reader.policy(item.policy_id)).name == item.policy_name
            if item.workload is Workload.VM:
                assert (await reader.virtual_machine(item.source_id)).name.casefold() == item.name.casefold()
                await reader.extensions(item.source_id)
                assert await reader.permissions(item.source_id)
                await reader.locks(item.source_id)
