"""Turn soft delete on, for at least two weeks; nothing is ever lowered."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.backup import Workload
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.planning import BACKUP_API, az, checked, common, said, section
from fixes.registry import FixSpec, Parameter, PlanRequest

CONFIG_ACTION = "Microsoft.RecoveryServices/Vaults/backupconfig/write"
MINIMUM_DAYS = 14
_MAXIMUM_DAYS = 180
_ON = frozenset({"enabled", "alwayson"})


class EnableSoftDelete:
    """One PATCH of the vault's backup configuration."""

    spec = FixSpec(
        id="enable_soft_delete",
        version=1,
        title="Turn soft delete on",
        risk=Risk.LOW,
        workloads=frozenset(Workload),
        permissions=(CONFIG_ACTION,),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-security-feature-cloud",
        summary="Turns soft delete and enhanced security on for the whole vault, with a retention of at least 14 days.",
        proof="The setting reads back.",
        parameters=(
            Parameter(
                name="days",
                label="Days that deleted backups are kept",
                pattern=r"1[4-9]|[2-9]\d|1[0-7]\d|180",
                default=str(MINIMUM_DAYS),
                help="From 14 to 180; never lowered below what the vault has",
            ),
        ),
        reads=("Microsoft.RecoveryServices/Vaults/backupconfig/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Soft delete on."""
        parameters = checked(self.spec, request.parameters)
        vault = request.vault
        before = section(await read.resource(_config(request), BACKUP_API), "properties")
        state, days = _state(before), _days(before)
        wanted = min(max(int(parameters["days"]), days), _MAXIMUM_DAYS)
        if state.casefold() in _ON and days >= wanted:
            raise RequestError(f"Soft delete of {vault.id.name} is on already, for {days} days.")
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "soft_delete": state,
                "days": str(days),
                "enhanced_security": str(before.get("enhancedSecurityState") or ""),
            },
            calls=(
                Call(
                    method="PATCH",
                    resource=_config(request),
                    api_version=BACKUP_API,
                    body={
                        "properties": {
                            "softDeleteFeatureState": "Enabled",
                            "softDeleteRetentionPeriodInDays": wanted,
                            "enhancedSecurityState": "Enabled",
                        }
                    },
                    kind=Kind.RESOURCE,
                    purpose=f"Turn soft delete of {vault.id.name} on",
                    action=CONFIG_ACTION,
                    scope=vault.id.id,
                ),
            ),
            sentence=f"Turn soft delete on for vault {vault.id.name}: deleted backups are kept for {wanted} days.",
            effects=(
                f"Whoever deletes a backup in {vault.id.name} can have it back for {wanted} days.",
                "Enhanced security asks for a PIN before critical operations of MARS and MABS.",
                "Nothing that exists is changed or deleted.",
            ),
            worst_case="A vault that is to be deleted can only be deleted once its last deleted backup is purged.",
            undo="Turning soft delete off is a critical operation that the bot never does; in new vaults nobody can.",
            duration=timedelta(minutes=1),
            cost="14 days of soft-deleted data are free; longer retention is charged as storage."
            if wanted > MINIMUM_DAYS
            else "",
            az=(
                az(
                    *("backup", "vault", "backup-properties", "set", "--subscription", vault.id.subscription),
                    *("--resource-group", vault.id.resource_group, "--name", vault.id.name),
                    *("--soft-delete-feature-state", "Enable", "--soft-delete-duration", str(wanted)),
                ),
            ),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The setting reads back."""
        call = plan.calls[0]
        after = section(await read.resource(call.resource, call.api_version), "properties")
        state, days = _state(after), _days(after)
        evidence = {"soft_delete": state, "days": str(days)}
        wanted = said(call)["softDeleteRetentionPeriodInDays"]
        if state.casefold() in _ON and isinstance(wanted, int) and days >= wanted:
            return Proof(proved=True, summary=f"Soft delete is {state}, for {days} days.", evidence=evidence)
        return Proof(proved=None, summary=f"Soft delete still reads as {state}, for {days} days.", evidence=evidence)


def _config(request: PlanRequest) -> str:
    return f"{request.vault.id.id}/backupconfig/vaultconfig"


def _state(properties: Mapping[str, object]) -> str:
    return str(properties.get("softDeleteFeatureState") or "not told")


def _days(properties: Mapping[str, object]) -> int:
    days = properties.get("softDeleteRetentionPeriodInDays")
    return days if isinstance(days, int) else 0


FIX = EnableSoftDelete()
