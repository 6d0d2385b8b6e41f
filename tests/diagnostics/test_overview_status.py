"""How vaults and the fleet stand, judged from lists: what needs somebody, what is unknown, what could not be read."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from diagnostics.overview import fleet_json, fleet_status, vault_json, vault_status
from diagnostics.overview.judging import judge_item
from domain.arm import ItemId, VaultId
from domain.backup import HealthDetail, Job, ProtectedItem, Vault
from domain.errors import GatewayUnavailable, PermissionDenied, Throttled
from domain.overview import ItemState, ItemStatus
from domain.schedule import RpoRule, RpoRules, RpoState
from tests.diagnostics.world import (
    NOW,
    POLICY_ID,
    VAULT,
    a_database,
    a_job,
    a_mars_item,
    a_share,
    a_vault,
    an_azure,
    an_error,
    an_item,
    hours,
)
from tests.fakes.azure import FakeAzure

RULES = RpoRules()
OTHER = VaultId("22222222-2222-2222-2222-222222222222", "rg-dev", "vault-dev-01")


def judged(item: ProtectedItem, *jobs: Job, rules: RpoRules = RULES) -> ItemStatus:
    """The item without a policy."""
    return judge_item(item, jobs, None, rules, NOW)


@pytest.mark.parametrize(
    ("item", "state", "why"),
    [
        (an_item(), ItemState.FINE, "RPO 26 h safe until 2026-11-23 00:00 UTC"),
        (an_item(last_recovery_point_at=hours(25)), ItemState.FINE, "RPO 26 h safe until 04:00 UTC"),
        (an_item(last_recovery_point_at=hours(31)), ItemState.NEEDS_YOU, "RPO 26 h breached by 5 h"),
        (
            an_item(last_backup_status="Failed"),
            ItemState.NEEDS_YOU,
            "backup failed, RPO 26 h safe until 2026-11-23 00:00 UTC",
        ),
        (
            an_item(last_backup_status="Failed", last_recovery_point_at=None),
            ItemState.NEEDS_YOU,
            "backup failed, RPO 26 h unknown",
        ),
        (an_item(last_recovery_point_at=None), ItemState.UNKNOWN, "RPO 26 h unknown"),
        (
            an_item(health_status="ActionRequired"),
            ItemState.NEEDS_YOU,
            "pre-check asks for action, RPO 26 h safe until 2026-11-23 00:00 UTC",
        ),
        (
            an_item(protection_state="IRPending", last_recovery_point_at=None, last_backup_at=None),
            ItemState.PENDING,
            "first backup to come",
        ),
        (
            an_item(last_recovery_point_at=None, last_backup_at=None, last_backup_status=""),
            ItemState.NEEDS_YOU,
            "no recovery point at all",
        ),
        (
            an_item(protection_state="ProtectionError"),
            ItemState.NEEDS_YOU,
            "protection in error, RPO 26 h safe until 2026-11-23 00:00 UTC",
        ),
        (an_item(soft_deleted=True), ItemState.STOPPED, "soft deleted"),
        (an_item(protection_state="ProtectionStopped"), ItemState.STOPPED, "protection stopped"),
        (an_item(protection_state="BackupsSuspended"), ItemState.STOPPED, "backups suspended"),
        (
            an_item(protection_state="ProtectionStopped", soft_deleted=True, purge_after=timedelta(days=13, hours=23)),
            ItemState.STOPPED,
            "soft deleted, gone for good in 13 d 23 h",
        ),
        (a_database(), ItemState.FINE, "RPO 26 h safe until 2026-11-23 00:00 UTC"),
        (a_database(last_backup_status="Unhealthy"), ItemState.NEEDS_YOU, "backup failed, RPO 26 h unknown"),
        (
            a_mars_item(last_backup_at=hours(50)),
            ItemState.NEEDS_YOU,
            "RPO 26 h breached by 24 h",
        ),
        (
            a_share(last_recovery_point_at=None, last_backup_at=hours(2)),
            ItemState.FINE,
            "RPO 26 h safe until 2026-11-23 03:00 UTC",
        ),
    ],
)
def test_an_item_is_judged_from_its_list(item: ProtectedItem, state: ItemState, why: str) -> None:
    """Each kind of trouble has its state and one phrase."""
    result = judged(item)
    assert (result.state, result.why) == (state, why)


def test_failures_since_the_newest_point_are_counted() -> None:
    """Three failed jobs since the point are three; the one before the point and that of another item are none."""
    item = an_item(last_backup_status="Failed", last_recovery_point_at=hours(31), last_error_code="")
    jobs = [
        a_job("a", age=3, errors=(an_error("UserErrorKeyVaultPermissionsNotConfigured"),)),
        a_job("b", age=8),
        a_job("c", age=27),
        a_job("d", age=40),
        a_job("e", age=2, item_name="vm-other", container_name="iaasvmcontainerv2;rg-app;vm-other"),
    ]
    result = judged(item, *jobs)
    assert result.failures == 3
    assert result.why == "backup failed 3×, RPO 26 h breached by 5 h"
    assert result.error_code == "UserErrorKeyVaultPermissionsNotConfigured"


def test_the_error_code_falls_back_to_the_pre_check() -> None:
    """Without a code of the item or a job the pre-check's title is shown, but never its mark for healthy."""
    trouble = (
        HealthDetail(code="400239", title="IaasVmHealthGreenDefault", message=""),
        HealthDetail(code="400163", title="UserErrorVmNotInDesirableState", message=""),
    )
    assert judged(an_item(last_backup_status="Failed", health_details=trouble)).error_code == (
        "UserErrorVmNotInDesirableState"
    )
    assert judged(an_item(last_backup_status="Failed", health_details=trouble[:1])).error_code == ""


def test_a_backup_that_runs_far_too_long_needs_somebody() -> None:
    """Of a VM 31 hours are hopeless and 20 may be queueing; a first backup copies everything; a share is quick."""
    assert judged(an_item(), a_job(status="InProgress", age=31)).why.startswith("backup running for 31 h, ")
    assert judged(an_item(), a_job(status="InProgress", age=20)).state is ItemState.FINE
    first = an_item(protection_state="IRPending", last_recovery_point_at=None, last_backup_at=None)
    assert judged(first, a_job(status="InProgress", age=31)).state is ItemState.PENDING
    assert judged(first, a_job(status="InProgress", age=80)).why == "backup running for 3 d 8 h, no recovery point yet"
    share = a_job(status="InProgress", age=9, item_name="share-hr", container_name="")
    assert judged(a_share(), share).why.startswith("backup running for 9 h, ")


def test_a_failed_backup_that_runs_again_says_so() -> None:
    """The failure stays, and the reader knows that somebody or something is at it."""
    item = an_item(last_backup_status="Failed")
    assert judged(item, a_job(status="InProgress", age=0.5)).why.startswith("backup failed, running again for 30 min, ")


def test_the_rpo_of_the_item_counts() -> None:
    """A rule for one vault makes a five-hour-old point a breach."""
    rules = RpoRules(rules=(RpoRule(rpo=timedelta(hours=1), vault="vault-prod-*"),))
    result = judged(an_item(), rules=rules)
    assert (result.rpo.state, result.why) == (RpoState.BREACHED, "RPO 1 h breached by 4 h")


async def test_a_vault_is_read_with_few_lists() -> None:
    """Fifty items cost one list of items, two of jobs, and one read of the policy that they share."""
    azure = an_azure()
    for number in range(49):
        azure.put(_named(f"vm-{number:02}"))
    status = await vault_status(azure, a_vault(), RULES, NOW)
    assert len(status.items) == 50
    assert sorted(name for name, _ in azure.calls) == ["items", "jobs", "jobs", "policy"]
    assert status.items[0].rpo.policy_rpo == timedelta(hours=24)


async def test_the_worst_item_is_first() -> None:
    """A longer breach stands before a shorter one, a breach before a failure, that before unknown, fine is last."""
    azure = FakeAzure()
    azure.put(
        a_vault(),
        _named("fine"),
        _named("unknown", last_recovery_point_at=None),
        _named("failed", last_backup_status="Failed"),
        _named("late", last_recovery_point_at=hours(30)),
        _named("very-late", last_recovery_point_at=hours(90)),
        _named("stopped", protection_state="ProtectionStopped"),
    )
    status = await vault_status(azure, a_vault(), RULES, NOW)
    assert [one.name for one in status.items] == ["very-late", "late", "failed", "unknown", "stopped", "fine"]
    assert status.exit_code == 1


async def test_unreadable_jobs_and_policies_are_said_and_hide_no_item() -> None:
    """The items stand; that jobs and a policy are missing is a note with the missing right."""
    azure = an_azure()
    azure.fail("jobs", PermissionDenied("no", action="Microsoft.RecoveryServices/Vaults/backupJobs/read"))
    azure.fail("policy", Throttled("slow down", retry_after=timedelta(minutes=5)))
    status = await vault_status(azure, a_vault(), RULES, NOW)
    assert [one.state for one in status.items] == [ItemState.FINE]
    assert (status.jobs_failed, status.jobs_running) == (None, None)
    assert status.notes == (
        "jobs: Not allowed to look: the reader identity lacks Microsoft.RecoveryServices/Vaults/backupJobs/read.",
        "policy daily: Azure refuses more reads for now (throttled): try again in 5 min, at 2026-11-22 03:05 UTC.",
    )
    assert status.exit_code == 3


async def test_an_unreadable_vault_raises_when_it_is_the_only_question() -> None:
    """Who asks of one vault gets the error itself."""
    azure = an_azure()
    azure.fail("items", GatewayUnavailable("no answer"))
    with pytest.raises(GatewayUnavailable):
        await vault_status(azure, a_vault(), RULES, NOW)


async def test_the_fleet_keeps_what_it_could_not_read() -> None:
    """A vault and a subscription that cannot be read are named with their reason, and the rest is answered."""
    azure = an_azure()
    azure.put(Vault(id=OTHER, location="westeurope"))
    azure.subscription_ids = [VAULT.subscription, OTHER.subscription, "33333333-3333-3333-3333-333333333333", "empty"]
    azure.fail("items", PermissionDenied("no"), of="vault-dev-01")
    azure.fail("resources", PermissionDenied("no"), of="33333333")
    status = await fleet_status(azure, RULES, NOW)
    assert [(one.vault_name, bool(one.unread)) for one in status.vaults] == [
        ("vault-dev-01", True),
        ("vault-prod-01", False),
    ]
    assert [one.subscription for one in status.unread_subscriptions] == ["33333333-3333-3333-3333-333333333333"]
    assert status.counts[ItemState.FINE] == 1
    assert status.exit_code == 3
    assert azure.count("policy") == 0


async def test_vaults_that_were_missed_at_first_are_not_taken_for_none() -> None:
    """A subscription whose vaults appear only on the second look counts as unread."""
    azure = an_azure()
    azure.subscription_ids = [VAULT.subscription, OTHER.subscription]
    path = f"/subscriptions/{OTHER.subscription}/providers/microsoft.recoveryservices/vaults"
    azure.lists[path] = [{"id": OTHER.id}]
    status = await fleet_status(azure, RULES, NOW)
    assert [one.why for one in status.unread_subscriptions] == ["Its vaults could not be read at first; ask again."]


class SlowAzure(FakeAzure):
    """An Azure in which the items of one vault are never listed."""

    def __init__(self, slow: VaultId) -> None:
        super().__init__()
        self.slow = slow
        self.left = False

    async def items(self, vault: VaultId) -> list[ProtectedItem]:
        if vault.key == self.slow.key:
            try:
                await asyncio.Event().wait()
            finally:
                self.left = True
        return list(await super().items(vault))


async def test_a_vault_that_never_answers_is_unread_after_the_limit() -> None:
    """The fleet is answered in time, and the read that hangs is given up."""
    azure = SlowAzure(OTHER)
    azure.put(a_vault(), an_item(), Vault(id=OTHER, location="westeurope"))
    status = await fleet_status(azure, RULES, NOW, limit_s=0.05)
    assert {one.vault_name: one.unread for one in status.vaults} == {
        "vault-dev-01": "Azure did not answer within 0.05 seconds.",
        "vault-prod-01": "",
    }
    assert azure.left


async def test_the_json_says_the_same() -> None:
    """Counts, states, numbers in seconds, and null for what is not known."""
    azure = an_azure(an_item(last_recovery_point_at=hours(31), last_backup_status="Failed"))
    azure.put(a_job("j1", age=3))
    vault = vault_json(await vault_status(azure, a_vault(), RULES, NOW))
    assert vault["counts"] == {"needs_you": 1, "unknown": 0, "pending": 0, "stopped": 0, "fine": 0}
    assert vault["jobs"] == {"running": 0, "failed_24h": 1}
    (item,) = vault["items"]
    assert item["rpo"]["configured_s"] == 26 * 3600
    assert item["rpo"]["by_policy_s"] == 24 * 3600
    assert item["rpo"]["actual_s"] == 31 * 3600
    assert item["rpo"]["breached_by_s"] == 5 * 3600
    assert item["state"] == "needs_you"
    assert item["newest_point"] == "2026-11-20T20:00:00+00:00"
    assert item["running_for_s"] is None
    fleet = fleet_json(await fleet_status(azure, RULES, NOW))
    assert fleet["counts"] == vault["counts"]
    assert fleet["unread_vaults"] == []
    assert [one["name"] for one in fleet["vaults"]] == ["vault-prod-01"]


def _named(name: str, **changes: object) -> ProtectedItem:
    item_id = ItemId(
        VAULT, "Azure", f"IaasVMContainer;iaasvmcontainerv2;rg-app;{name}", f"VM;iaasvmcontainerv2;rg-app;{name}"
    )
    return replace(an_item(**changes), id=item_id, name=name, policy_id=POLICY_ID)


async def test_a_bug_is_no_unreadable_vault() -> None:
    """An error that is not Azure's is raised, not shown as a vault that could not be read."""
    azure = an_azure()
    azure.fail("items", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await fleet_status(azure, RULES, NOW)
    azure.heal("items")
    azure.fail("policy", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await vault_status(azure, a_vault(), RULES, NOW)
