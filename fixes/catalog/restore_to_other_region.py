"""Restore a virtual machine's disks in the paired region, from the copies that Azure keeps there.

The restore carries an access token, which Azure hands out for one recovery point and which is a secret. It is asked for
directly before the restore is sent, is put into the member that the plan names, and is kept nowhere: what was shown is the
request for the token and the restore without it, and nothing else about the two may differ.
Source: https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms#cross-region-restore
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.arm import name_of, subscription_of
from domain.backup import ProtectedItem, Vault, Workload
from domain.canonical import Json
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.catalog.restore_disks import INSTEAD
from fixes.planning import ITEM_ACTIONS, checked, common, guarded, require, section, utc
from fixes.regions import paired
from fixes.registry import FixSpec, PlanRequest
from fixes.restores import (
    RESTORE_COST,
    RESTORE_PARAMETERS,
    RESTORE_READS,
    RESTORE_WORST_CASE,
    Target,
    az_restore,
    choose_target,
    restore_effects,
    restore_facts,
    restore_request,
    restore_undo,
    squeezed,
)
from fixes.steps.cross_region import new_disks, target_of

API = "2023-01-15"
TOKEN_ACTION = f"{ITEM_ACTIONS}/recoveryPoints/accessToken/action"
RESTORE_ACTION = "Microsoft.RecoveryServices/locations/backupCrossRegionRestore/action"
CRR_JOBS_ACTION = "Microsoft.RecoveryServices/locations/backupCrrJobs/action"
_FILLED = "crossRegionRestoreAccessDetails"


@dataclass(frozen=True, kw_only=True)
class _Point:
    name: str
    at: datetime


class RestoreToOtherRegion:
    """One restore, with the request for its access token directly before it."""

    spec = FixSpec(
        id="restore_to_other_region",
        version=1,
        title="Restore in the other region",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(TOKEN_ACTION, RESTORE_ACTION, "Microsoft.Storage/storageAccounts/read"),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms#cross-region-restore",
        summary="Restores the disks of a recovery point in the vault's paired region, when its own region cannot take them.",
        proof="The restored disks exist in the paired region.",
        parameters=RESTORE_PARAMETERS,
        reads=(
            *RESTORE_READS,
            "Microsoft.RecoveryServices/locations/backupAadProperties/read",
            "Microsoft.RecoveryServices/locations/backupCrrOperationsStatus/read",
            CRR_JOBS_ACTION,
        ),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Preflight in the paired region, then token and restore."""
        require(self.spec, request, INSTEAD)
        item, vault = request.item, request.vault
        parameters = checked(self.spec, request.parameters)
        region = _region(vault)
        location = f"/subscriptions/{vault.id.subscription}/providers/Microsoft.RecoveryServices/locations/{region}"
        point, target, audience = await asyncio.gather(
            _point(item, parameters["recovery_point"], region, read),
            choose_target(request, parameters, region, read),
            read.resource(f"{location}/backupAadProperties", API),
        )
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={**restore_facts(item, point.name, point.at, target), "region": region},
            calls=(_call(item, point, target, location, section(audience, "properties")),),
            sentence=(
                f"Restore the disks of Azure VM {item.name} as of {utc(point.at)} in {region} to resource group"
                f" {target.group_name}."
            ),
            effects=restore_effects(item, point.at, target),
            worst_case=RESTORE_WORST_CASE,
            undo=restore_undo(target),
            duration=timedelta(hours=6),
            cost=RESTORE_COST,
            az=(az_restore(item, point.name, target, "--use-secondary-region"),),
            notes=(
                f"The newest point in {region} is of {utc(point.at)}; what was written later is not there.",
                "The access token that Azure asks for is fetched when the restore is sent, and is shown and kept nowhere.",
                "A restore in the other region cannot be cancelled.",
                *target.notes,
            ),
            problems=(*guarded(vault, "a restore"), *target.problems),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The restored disks exist."""
        group = target_of(plan.calls[0])
        disks = await new_disks(group, facts.started_at, read)
        if not disks:
            return Proof(proved=None, summary=f"No restored disk is in {name_of(group)} yet.")
        listed = ", ".join(disks)
        return Proof(proved=True, summary=f"Restored to {name_of(group)}: {listed}.", evidence={"disks": listed})


def _region(vault: Vault) -> str:
    """The paired region, where the vault keeps copies that can be restored."""
    name = vault.id.name
    if (vault.redundancy or "").casefold() != "georedundant":
        raise RequestError(
            f"{name} keeps no copies in another region: its redundancy is {vault.redundancy or 'not told'}. That can only be"
            " changed before the first item is protected; use restore_disks with another target."
        )
    if not vault.cross_region_restore:
        raise RequestError(
            f"Cross-region restore is off in {name}. Turning it on cannot be undone and takes up to 48 h to help:"
            f" az backup vault backup-properties set --resource-group {vault.id.resource_group} --name {name}"
            " --cross-region-restore-flag true"
        )
    region = paired(vault.location)
    if not region:
        raise RequestError(f"Azure names no paired region for {vault.location}.")
    return squeezed(region)


async def _point(item: ProtectedItem, wanted: str, region: str, read: BackupReader) -> _Point:
    # With a slash at its end the list shows what has arrived in the paired region.
    bodies = await read.resources(f"{item.id.id}/recoveryPoints/", API)
    points = [point for body in bodies if (point := _usable(body)) is not None]
    if wanted:
        for point in points:
            if point.name == wanted:
                return point
        raise RequestError(f"The recovery point {wanted} of {item.name} is not in {region}.")
    if not points:
        raise RequestError(f"No recovery point of {item.name} has arrived in {region} yet; copying takes up to 12 h.")
    return max(points, key=lambda point: (point.at, point.name))


def _usable(body: Mapping[str, object]) -> _Point | None:
    properties = section(body, "properties")
    tiers = properties.get("recoveryPointTierDetails")
    if isinstance(tiers, Sequence) and tiers and not any(_in_vault(tier) for tier in tiers):
        return None
    try:
        at = datetime.fromisoformat(str(properties.get("recoveryPointTime")))
    except ValueError:
        return None
    return _Point(name=str(body.get("name")), at=at) if at.tzinfo is not None else None


def _in_vault(tier: object) -> bool:
    said = section(tier)
    return str(said.get("type")) == "HardenedRP" and str(said.get("status")) == "Valid"


def _call(item: ProtectedItem, point: _Point, target: Target, location: str, audience: Mapping[str, object]) -> Call:
    names = ("tenantId", "audience", "servicePrincipalObjectId", "servicePrincipalClientId", "authority")
    who: dict[str, Json] = {name: str(audience[name]) for name in names if audience.get(name)}
    return Call(
        method="POST",
        resource=f"{location}/backupCrossRegionRestore",
        api_version=API,
        body={_FILLED: {"objectType": "CrrAccessToken"}, "restoreRequest": restore_request(item, point.name, target)},
        kind=Kind.CROSS_REGION_RESTORE,
        purpose=f"Restore the disks of {item.name} in {target.region} to {target.group_name}",
        action=RESTORE_ACTION,
        scope=f"/subscriptions/{subscription_of(item.id.id)}",
        before=Call(
            method="POST",
            resource=f"{item.id.id}/recoveryPoints/{point.name}/accessToken",
            api_version=API,
            body={"properties": who},
            kind=Kind.ACCESS_TOKEN,
            purpose=f"Ask for the access token to the copy of {item.name} in {target.region}",
            action=TOKEN_ACTION,
            scope=item.id.vault.id,
        ),
        filled=_FILLED,
    )


FIX = RestoreToOtherRegion()
