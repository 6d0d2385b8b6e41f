"""enable_soft_delete, enable_failure_alerts, assign_backup_role: settings and rights."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import RequestError
from domain.fix import FixPlan, Kind
from fixes.catalog.assign_backup_role import FIX as ROLE
from fixes.catalog.enable_failure_alerts import FIX as ALERTS
from fixes.catalog.enable_soft_delete import FIX as SOFT
from fixes.registry import PlanRequest, whole_vault
from tests.fakes.azure import FakeAzure
from tests.fixes.world import (
    GROUP,
    HOUR,
    KEY_VAULT,
    NOW,
    OPERATOR,
    STAGE_ACCOUNT,
    SUBSCRIPTION,
    VAULT,
    VM,
    Run,
    ask,
    assignment,
    estate,
    files_item,
    job,
    job_error,
    vault,
)

CONFIG = f"{VAULT}/backupconfig/vaultconfig"
RULES = f"{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/actionRules".casefold()
IDENTITY = "77777777-7777-7777-7777-777777777777"
BLOBS = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BACKUP_CONTRIBUTOR = "e5e2a7ff-d759-4cd2-bb51-3152d37e2eb1"


def configured(**properties: Any) -> FakeAzure:
    """The vault's backup configuration."""
    azure = estate()
    azure.bodies[CONFIG.casefold()] = {"properties": properties}
    return azure


class TestSoftDelete:
    """enable_soft_delete."""

    off: dict[str, Any] = {  # noqa: RUF012
        "softDeleteFeatureState": "Disabled",
        "softDeleteRetentionPeriodInDays": 14,
        "enhancedSecurityState": "Disabled",
    }

    async def test_the_call(self) -> None:
        """The PATCH that Azure's own tools send."""
        plan = await SOFT.plan(ask(), configured(**self.off))
        (call,) = plan.calls
        assert ("PATCH", CONFIG, "2024-04-01") == (call.method, call.resource, call.api_version)
        assert {
            "properties": {
                "softDeleteFeatureState": "Enabled",
                "softDeleteRetentionPeriodInDays": 14,
                "enhancedSecurityState": "Enabled",
            }
        } == call.body
        assert ("Microsoft.RecoveryServices/Vaults/backupconfig/write", VAULT) == (call.action, call.scope)
        assert plan.az == (
            (
                "az backup vault backup-properties set --subscription 22222222-2222-2222-2222-222222222222 --resource-group"
                " rg-prod --name vault-prod-01 --soft-delete-feature-state Enable --soft-delete-duration 14"
            ),
        )

    @pytest.mark.parametrize(("now", "asked", "sent"), [(30, "14", 30), (14, "60", 60), (0, "14", 14)])
    async def test_days_are_never_lowered(self, now: int, asked: str, sent: int) -> None:
        """What the vault keeps longer, it keeps."""
        azure = configured(softDeleteFeatureState="Disabled", softDeleteRetentionPeriodInDays=now)
        body = (await SOFT.plan(ask(days=asked), azure)).calls[0].body
        assert isinstance(body, dict)
        assert sent == body["properties"]["softDeleteRetentionPeriodInDays"]

    @pytest.mark.parametrize("days", ["13", "0", "181", "1000", "-14", "ten"])
    async def test_days_outside_of_azures_range_are_refused(self, days: str) -> None:
        """From 14 to 180."""
        with pytest.raises(RequestError, match="days"):
            await SOFT.plan(ask(days=days), configured(**self.off))

    @pytest.mark.parametrize("state", ["Enabled", "AlwaysON"])
    async def test_on_is_on(self, state: str) -> None:
        """Nothing to do; a longer retention is."""
        azure = configured(softDeleteFeatureState=state, softDeleteRetentionPeriodInDays=14)
        with pytest.raises(RequestError, match="on already"):
            await SOFT.plan(ask(), azure)
        assert 1 == len((await SOFT.plan(ask(days="30"), azure)).calls)

    async def test_it_is_about_the_whole_vault(self) -> None:
        """With ITEM "-" the plan names and locks the vault alone."""
        plan = await SOFT.plan(ask(whole_vault(vault())), configured(**self.off))
        assert (VAULT, "vault-prod-01") == (plan.item_id, plan.item_name)
        assert (VAULT.casefold(), CONFIG.casefold()) == plan.locks

    async def test_fingerprint_and_proof(self) -> None:
        """Stable over a day; proved when it reads back."""
        azure = configured(**self.off)
        run = Run(await SOFT.plan(ask(), azure), [{}])
        later = await SOFT.plan(replace(ask(), now=NOW + 24 * HOUR), azure)
        assert run.plan.fingerprint(OPERATOR) == later.fingerprint(OPERATOR)
        other = configured(**self.off | {"softDeleteRetentionPeriodInDays": 30})
        assert run.plan.fingerprint(OPERATOR) != (await SOFT.plan(ask(), other)).fingerprint(OPERATOR)
        assert (await SOFT.verify(run.plan, run.facts, azure, NOW)).proved is None
        on = configured(softDeleteFeatureState="Enabled", softDeleteRetentionPeriodInDays=14)
        assert (await SOFT.verify(run.plan, run.facts, on, NOW)).proved is True


def alerting(state: str | None = "Disabled", rules: list[dict[str, object]] | None = None) -> FakeAzure:
    """The vault with its alert setting, and processing rules."""
    azure = estate()
    block: dict[str, object] = (
        {"monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": state}}} if state else {}
    )
    azure.bodies[VAULT.casefold()] = {"properties": block}
    azure.lists[RULES] = rules or []
    return azure


def rule(
    name: str, kind: str = "AddActionGroups", *, scope: str = SUBSCRIPTION, enabled: bool = True
) -> dict[str, object]:
    """A processing rule."""
    return {
        "name": name,
        "properties": {
            "scopes": [scope],
            "enabled": enabled,
            "actions": [{"actionType": kind, "actionGroupIds": [f"{GROUP}/g"]}],
        },
    }


def told(*, email: str = "") -> PlanRequest:
    """A request of a bot that can be reached."""
    request = ask(email=email)
    return replace(
        request, settings=replace(request.settings, alert_webhook="https://bot.contoso.com/webhooks/azure-monitor")
    )


class TestAlerts:
    """enable_failure_alerts."""

    async def test_setting_group_and_rule(self) -> None:
        """Three calls that carry a failed job to the bot and to on call."""
        plan = await ALERTS.plan(told(email="oncall@contoso.com"), alerting())
        setting, group, carrying = plan.calls
        assert ("PATCH", VAULT, "2024-04-01") == (setting.method, setting.resource, setting.api_version)
        assert {
            "properties": {"monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": "Enabled"}}}
        } == setting.body
        group_id = f"{GROUP}/providers/Microsoft.Insights/actionGroups/backupbot-failure-alerts"
        assert ("PUT", group_id, "2023-01-01") == (group.method, group.resource, group.api_version)
        assert {
            "location": "Global",
            "properties": {
                "groupShortName": "backupbot",
                "enabled": True,
                "emailReceivers": [
                    {"name": "on call", "emailAddress": "oncall@contoso.com", "useCommonAlertSchema": True}
                ],
                "webhookReceivers": [
                    {
                        "name": "backupbot",
                        "serviceUri": "https://bot.contoso.com/webhooks/azure-monitor",
                        "useCommonAlertSchema": True,
                    }
                ],
            },
        } == group.body
        rule_id = f"{GROUP}/providers/Microsoft.AlertsManagement/actionRules/backupbot-failure-alerts-vault-prod-01"
        assert ("PUT", rule_id, "2021-08-08") == (carrying.method, carrying.resource, carrying.api_version)
        assert {
            "location": "Global",
            "properties": {
                "scopes": [VAULT],
                "conditions": [
                    {
                        "field": "TargetResourceType",
                        "operator": "Equals",
                        "values": ["microsoft.recoveryservices/vaults"],
                    },
                    {"field": "MonitorService", "operator": "Equals", "values": ["Azure Backup"]},
                ],
                "actions": [{"actionType": "AddActionGroups", "actionGroupIds": [group_id]}],
                "enabled": True,
                "description": "Carries the failure alerts of Azure Backup to whoever mends them",
            },
        } == carrying.body
        assert [
            ("Microsoft.RecoveryServices/Vaults/write", VAULT),
            ("Microsoft.Insights/actionGroups/write", GROUP),
            ("Microsoft.AlertsManagement/actionRules/write", GROUP),
        ] == list(plan.permissions)

    async def test_only_what_is_missing(self) -> None:
        """An existing rule or group is used, a setting that is on is not set again."""
        assert [VAULT] == resources(await ALERTS.plan(told(), alerting(rules=[rule("carries")])))
        made = await ALERTS.plan(told(), alerting(None))
        assert ["backupbot-failure-alerts", "backupbot-failure-alerts-vault-prod-01"] == [
            one.rpartition("/")[2] for one in resources(made)
        ]
        mine = f"{GROUP}/providers/Microsoft.Insights/actionGroups/mine"
        (only,) = (await ALERTS.plan(ask(action_group=mine), alerting("Enabled", [rule("carries")]))).calls
        assert mine in str(only.body)

    @pytest.mark.parametrize("useless", [rule("off", enabled=False), rule("elsewhere", scope=f"{GROUP}/x")])
    async def test_rules_that_do_not_reach_the_vault_do_not_count(self, useless: dict[str, object]) -> None:
        """Disabled, or with another scope."""
        assert 3 == len((await ALERTS.plan(told(), alerting(rules=[useless]))).calls)

    async def test_a_rule_that_silences_is_named(self) -> None:
        """The fix does not touch it, and says so."""
        plan = await ALERTS.plan(told(), alerting(rules=[rule("quiet", "RemoveAllActionGroups")]))
        assert "quiet" in plan.notes[-1]
        assert "quiet" == plan.precondition["silencing_rules"]

    async def test_nobody_to_tell(self) -> None:
        """The setting alone, with a note; nothing at all is a refusal."""
        plan = await ALERTS.plan(ask(), alerting())
        assert [VAULT] == resources(plan)
        assert "Nobody is told" in plan.notes[0]
        with pytest.raises(RequestError, match="are on"):
            await ALERTS.plan(ask(), alerting("Enabled"))
        with pytest.raises(RequestError, match="carries"):
            await ALERTS.plan(told(), alerting("Enabled", [rule("carries")]))
        with pytest.raises(RequestError, match="email"):
            await ALERTS.plan(ask(email="not an address"), alerting())

    async def test_fingerprint_and_proof(self) -> None:
        """Stable over a day; proved when everything reads back."""
        azure = alerting()
        run = Run(await ALERTS.plan(ask(), azure), [{}])
        later = await ALERTS.plan(replace(ask(), now=NOW + 24 * HOUR), azure)
        assert run.plan.fingerprint(OPERATOR) == later.fingerprint(OPERATOR)
        muted = alerting(rules=[rule("quiet", "RemoveAllActionGroups")])
        assert run.plan.fingerprint(OPERATOR) != (await ALERTS.plan(ask(), muted)).fingerprint(OPERATOR)
        assert (await ALERTS.verify(run.plan, run.facts, azure, NOW)).proved is None
        assert (await ALERTS.verify(run.plan, run.facts, alerting("Enabled"), NOW)).proved is True


def resources(plan: FixPlan) -> list[str]:
    """What the plan's calls change."""
    return [call.resource for call in plan.calls]


class TestRole:
    """assign_backup_role."""

    async def test_the_roles_of_a_staging_account(self) -> None:
        """Taken from the failed restore: two roles, one assignment each."""
        azure = estate()
        azure.put(job("Failed", "Restore", details={"Target Storage Account Name": "ststage01"}))
        plan = await ROLE.plan(ask(), azure)
        assert [STAGE_ACCOUNT, STAGE_ACCOUNT] == [call.scope for call in plan.calls]
        assert [BACKUP_CONTRIBUTOR, BLOBS] == [role_of(call.body) for call in plan.calls]
        assert {
            "properties": {
                "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BACKUP_CONTRIBUTOR}",
                "principalId": IDENTITY,
                "principalType": "ServicePrincipal",
            }
        } == plan.calls[0].body
        assert (
            "Grant the managed identity of vault vault-prod-01 Storage Account Backup Contributor and Storage Blob Data"
            " Contributor on storage account ststage01 for good." == plan.sentence
        )

    async def test_the_restore_that_speaks_of_the_identity_says_where(self) -> None:
        """A newer restore that failed for another reason names another account, or none."""
        azure = estate()
        told = (job_error("UserErrorX", "The vault's managed identity lacks permissions on the account."),)
        details = {"Target Storage Account Name": "ststage01"}
        azure.put(
            job("Failed", "Restore", id="newer", started_at=NOW - HOUR, details={"Target resource group": "rg-other"}),
            job("Failed", "Restore", id="identity", started_at=NOW - 5 * HOUR, errors=told, details=details),
        )
        assert {STAGE_ACCOUNT} == {call.scope for call in (await ROLE.plan(ask(), azure)).calls}

    @pytest.mark.parametrize(
        ("scope", "where", "role"),
        [
            ("vm", VM, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"),
            ("resource_group", GROUP, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"),
            ("vault", VAULT, "00c29273-979b-4161-815c-10b084fb9324"),
            (KEY_VAULT, KEY_VAULT, "e147488a-f6f5-4113-8e2d-b22465e65bf6"),
        ],
    )
    async def test_the_role_that_a_place_needs(self, scope: str, where: str, role: str) -> None:
        """Each kind of place has its own; where backups need none, the plan says so."""
        plan = await ROLE.plan(ask(scope=scope), estate())
        assert [(where, role)] == [(call.scope, role_of(call.body)) for call in plan.calls]
        assert bool(plan.notes) is (where != KEY_VAULT)

    async def test_role_and_expiry_may_be_chosen(self) -> None:
        """Only from the list."""
        plan = await ROLE.plan(ask(scope="vm", role="Reader", rights_until="2026-11-22T05:00:00Z"), estate())
        assert ["acdd72a7-3385-48ef-bd42-f606fba81ae7"] == [role_of(call.body) for call in plan.calls]
        assert plan.calls[0].revoke_on_expiry
        assert "until 2026-11-22 05:00 UTC" in plan.sentence
        with pytest.raises(RequestError, match="choose one of"):
            await ROLE.plan(ask(scope="vm", role="Owner"), estate())

    async def test_what_is_there_is_left_alone(self) -> None:
        """One of two is missing; then none."""
        azure = estate()
        azure.assignments.append(assignment(STAGE_ACCOUNT, IDENTITY, BLOBS))
        plan = await ROLE.plan(ask(scope=STAGE_ACCOUNT), azure)
        assert [BACKUP_CONTRIBUTOR] == [role_of(call.body) for call in plan.calls]
        assert "left alone" in plan.notes[0]
        azure.assignments.append(assignment(STAGE_ACCOUNT, IDENTITY, BACKUP_CONTRIBUTOR))
        with pytest.raises(RequestError, match="already"):
            await ROLE.plan(ask(scope=STAGE_ACCOUNT), azure)

    async def test_whose_right_it_is(self) -> None:
        """The vault's own identity, one of several by name, none at all."""
        several = vault(principal_id="", user_assigned_principals={"/a": IDENTITY, "/b": BLOBS})
        with pytest.raises(RequestError, match="identity="):
            await ROLE.plan(ask(of=several, scope="vm"), estate())
        plan = await ROLE.plan(ask(of=several, scope="vm", identity=BLOBS), estate())
        assert BLOBS == plan.precondition["principal"]
        with pytest.raises(RequestError, match="no identity of"):
            await ROLE.plan(ask(of=several, scope="vm", identity=BACKUP_CONTRIBUTOR), estate())
        one = vault(principal_id="", user_assigned_principals={"/a": IDENTITY})
        assert IDENTITY == (await ROLE.plan(ask(of=one, scope="vm"), estate())).precondition["principal"]
        with pytest.raises(RequestError, match="--system-assigned"):
            await ROLE.plan(ask(of=vault(principal_id=""), scope="vm"), estate())

    @pytest.mark.parametrize(
        ("scope", "why"),
        [
            ("", "No failed restore"),
            ("everywhere", "Where|ARM id"),
            (SUBSCRIPTION, "scope"),
            (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net", "neither"),
            (VAULT.replace("vault-prod-01", "another"), "another vault"),
        ],
    )
    async def test_other_places_are_refused(self, scope: str, why: str) -> None:
        """Nothing wider than a resource group, and no foreign vault."""
        with pytest.raises(RequestError, match=why):
            await ROLE.plan(ask(scope=scope), estate())

    async def test_a_share_has_no_machine(self) -> None:
        """The place must be said."""
        with pytest.raises(RequestError, match="no virtual machine"):
            await ROLE.plan(ask(files_item(), scope="vm"), estate())

    async def test_fingerprint_and_proof(self) -> None:
        """Stable over a day; proved when the assignment reads back."""
        azure = estate()
        request = ask(scope="vm")
        run = Run(await ROLE.plan(request, azure), [{}])
        later = await ROLE.plan(replace(request, now=NOW + 24 * HOUR), azure)
        assert run.plan.fingerprint(OPERATOR) == later.fingerprint(OPERATOR)
        timed = await ROLE.plan(ask(scope="vm", rights_until="2026-11-22T05:00:00Z"), azure)
        assert run.plan.fingerprint(OPERATOR) != timed.fingerprint(OPERATOR)
        assert [Kind.ROLE_ASSIGNMENT] == [call.kind for call in run.plan.calls]
        assert (await ROLE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.assignments.append(assignment(VM, IDENTITY, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"))
        assert (await ROLE.verify(run.plan, run.facts, azure, NOW)).proved is True


def role_of(body: object) -> str:
    """The role's GUID in an assignment's body."""
    assert isinstance(body, dict)
    return str(body["properties"]["roleDefinitionId"]).rpartition("/")[2]
