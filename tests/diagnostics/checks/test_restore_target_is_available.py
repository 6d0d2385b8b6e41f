"""The restore target: size, quota, staging account, and what the service itself says."""

from dataclasses import replace

import pytest

from diagnostics.causes import rank
from diagnostics.checks.restore_target_is_available import (
    judge_account,
    judge_quota,
    judge_size,
    restore_target_is_available,
)
from diagnostics.registry import Context, RestoreTarget
from diagnostics.restores import Restore
from domain.backup import ValidationProblem, Workload
from domain.errors import GatewayError, GatewayUnavailable, PermissionDenied, Throttled
from domain.finding import Blind, Outcome
from tests.diagnostics.world import (
    SUBSCRIPTION,
    VM_ID,
    a_context,
    a_job,
    a_point,
    a_vault,
    an_azure,
    an_error,
    an_item,
)
from tests.fakes.azure import FakeAzure

COMPUTE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute"
ACCOUNTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts"
SIZE = "Standard_D4s_v5"
Body = dict[str, object]


def a_sku(*restrictions: Body, name: str = SIZE) -> Body:
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": "standardDSv5Family",
        "capabilities": [{"name": "vCPUs", "value": "4"}],
        "restrictions": list(restrictions),
    }


def a_usage(name: str, used: int, limit: int) -> Body:
    return {"name": {"value": name}, "currentValue": used, "limit": limit}


def an_account(**changes: object) -> Body:
    body: Body = {
        "name": "ststage",
        "id": f"{ACCOUNTS}/ststage",
        "location": "West Europe",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {"statusOfPrimary": "available", "networkAcls": {"defaultAction": "Allow", "bypass": "None"}},
    }
    return {**body, **changes}


def a_restore(**changes: object) -> Restore:
    base = {"region": "westeurope", "vault_region": "westeurope", "subscription": SUBSCRIPTION, "account": "ststage"}
    return Restore(**{**base, **changes})  # type: ignore[arg-type]


LOCATION: Body = {"type": "Location", "reasonCode": "NotAvailableForSubscription"}
ZONE: Body = {"type": "Zone", "reasonCode": "QuotaId", "restrictionInfo": {"zones": ["2", "3"]}}


@pytest.mark.parametrize(
    ("skus", "fault", "fine"),
    [
        ([a_sku()], "", "is offered"),
        ([a_sku(name=SIZE.upper())], "", "is offered"),
        ([a_sku(LOCATION)], "NotAvailableForSubscription", ""),
        ([a_sku(ZONE)], "", "but not in zone 2, 3"),
        ([a_sku(name="Standard_M64ms")], "not offered in westeurope at all", ""),
        ([{"resourceType": "disks", "name": SIZE}], "not offered in westeurope at all", ""),
        ([], "not offered in westeurope at all", ""),
    ],
)
def test_sizes(skus: list[Body], fault: str, fine: str) -> None:
    """A size is offered, restricted in some zones, restricted altogether, or unknown."""
    part, _, _ = judge_size(SIZE, "westeurope", skus)
    assert (fault in part.fault) if fault else part.fault == ""
    assert fine in part.fine


@pytest.mark.parametrize(
    ("usages", "fault"),
    [
        ([a_usage("standardDSv5Family", 40, 100), a_usage("cores", 40, 100)], ""),
        ([a_usage("standardDSv5Family", 96, 100)], ""),
        ([a_usage("standardDSv5Family", 97, 100)], "3 of 100 cores left"),
        ([a_usage("standardDSv5Family", 0, 100), a_usage("cores", 100, 100)], "The quota cores has 0 of 100"),
        ([a_usage("standardESv5Family", 100, 100)], ""),
        ([{"name": "odd"}], ""),
    ],
)
def test_quotas(usages: list[Body], fault: str) -> None:
    """The family's quota and the region's both need room for the VM's cores."""
    part = judge_quota("standardDSv5Family", 4, usages)
    assert (fault in part.fault) if fault else part.fault == ""


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (an_account(), ""),
        (an_account(location="uksouth"), "it is in uksouth, and the restore goes to westeurope"),
        (an_account(kind="BlockBlobStorage"), "its kind is BlockBlobStorage"),
        (an_account(sku={"name": "Premium_LRS"}), "staging needs a standard account"),
        (an_account(properties={"statusOfPrimary": "unavailable"}), "its primary location is unavailable"),
        (an_account(properties={"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}), "shuts Azure Backup out"),
        (an_account(properties={"networkAcls": {"defaultAction": "Deny", "bypass": "Logging, AzureServices"}}), ""),
        (None, "There is no storage account ststage"),
    ],
)
def test_accounts(body: Body | None, fault: str) -> None:
    """Region, kind, tier, availability and firewall of the staging account."""
    part = judge_account(a_restore(), body)
    assert (fault in part.fault) if fault else part.fault == ""


def ready(azure: FakeAzure) -> None:
    azure.lists[f"{COMPUTE}/skus".casefold()] = [a_sku()]
    azure.lists[f"{COMPUTE}/locations/westeurope/usages".casefold()] = [a_usage("standardDSv5Family", 0, 100)]
    azure.lists[ACCOUNTS.casefold()] = [an_account()]


async def test_without_a_restore_nothing_is_read() -> None:
    """Nobody restores: no question, no read of sizes."""
    azure = an_azure()
    assert (await restore_target_is_available(a_context(azure))).outcome is Outcome.NOT_APPLICABLE
    assert azure.count("resources") == 0


async def test_what_a_person_asks_for_is_judged() -> None:
    """The size and account that check-restore names; capacity is said to be unknowable."""
    azure = an_azure()
    ready(azure)
    target = RestoreTarget(vm_size=SIZE, storage_account="ststage")
    context = a_context(azure, target=target)
    finding = await restore_target_is_available(replace(context, restoring=True))
    assert finding.outcome is Outcome.PASS
    assert "no API tells in advance" in finding.summary


async def test_a_failed_restore_of_disks_needs_no_size() -> None:
    """Disks alone need no VM size: only the account of the failed job is judged."""
    azure = an_azure()
    ready(azure)
    azure.lists[ACCOUNTS.casefold()] = [an_account(location="uksouth")]
    details = {"Job Type": "Recover disks", "Target Storage Account Name": "ststage"}
    azure.put(a_job(operation="Restore", errors=(an_error("X"),), details=details))
    finding = await restore_target_is_available(a_context(azure))
    assert finding.facts == {"storage": "unsuitable"}
    assert finding.suggests == ("restore_disks",)


async def test_a_fault_is_told_even_if_another_part_is_unreadable() -> None:
    """A restricted size is a fault although the quota may not be read; without a fault it is unknown."""
    azure = an_azure()
    ready(azure)
    azure.put(a_job(operation="Restore", errors=(an_error("UserErrorSkuNotAvailable"),)))
    azure.fail("resources", PermissionDenied("no", action="Microsoft.Compute/locations/usages/read"), of="usages")
    finding = await restore_target_is_available(a_context(azure))
    assert finding.blind is Blind.DENIED
    azure.lists[f"{COMPUTE}/skus".casefold()] = [a_sku(LOCATION)]
    finding = await restore_target_is_available(a_context(azure))
    assert finding.facts == {"size": "unavailable"}
    assert finding.suggests == ("restore_to_other_region", "restore_disks")


async def test_the_size_of_a_vm_that_is_gone_comes_from_its_points() -> None:
    """A deleted VM is what people restore; its newest point knows the size."""
    azure = an_azure()
    ready(azure)
    azure.machines.clear()
    context = replace(a_context(azure), restoring=True)
    assert (await restore_target_is_available(context)).outcome is Outcome.UNKNOWN
    item = context.item
    assert item is not None
    azure.points[item.id.key] = [a_point(5, vm_size=SIZE)]
    assert (await restore_target_is_available(context)).evidence["size"] == SIZE


async def test_a_vm_that_may_not_be_read_is_not_called_fine() -> None:
    """A suitable account does not make up for a size that is not known."""
    azure = an_azure()
    ready(azure)
    azure.fail("virtual_machine", PermissionDenied("no", action="Microsoft.Compute/virtualMachines/read"))
    target = RestoreTarget(storage_account="ststage")
    finding = await restore_target_is_available(replace(a_context(azure, target=target), restoring=True))
    assert finding.blind is Blind.DENIED


async def test_an_account_given_by_its_id() -> None:
    """An ARM id is read directly; one that is not there does not suit, one that may not be read is unknown."""
    azure = an_azure()
    ready(azure)
    account = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/ststage"
    context = replace(a_context(azure, target=RestoreTarget(storage_account=account)), restoring=True)
    assert (await restore_target_is_available(context)).facts == {"storage": "unsuitable"}
    azure.bodies[account.casefold()] = an_account()
    assert (await restore_target_is_available(context)).outcome is Outcome.PASS
    azure.fail("resource", PermissionDenied("no", action="Microsoft.Storage/storageAccounts/read"))
    assert (await restore_target_is_available(context)).blind is Blind.DENIED


LOCKED = ValidationProblem(
    code="UserErrorResourceIsInLockedState", message="The target is locked.", recommendations=("Ask its owner.",)
)


def asked(azure: FakeAzure, **target: str) -> Context:
    """Somebody asks about a restore; all that can be read of the target is in order."""
    ready(azure)
    return replace(a_context(azure, target=RestoreTarget(**target)), restoring=True)


async def test_the_service_has_no_objection() -> None:
    """The newest point is validated once, into the source's group, through the account that was named."""
    azure = an_azure()
    finding = await restore_target_is_available(asked(azure, storage_account="ststage"))
    assert finding.outcome is Outcome.PASS
    assert "validation of a restore of the disks through ststage has no objection" in finding.summary
    assert finding.evidence["validation"] == "passed"
    assert azure.validated == [
        {
            "recovery_point": "point-5",
            "storage_account_id": f"{ACCOUNTS}/ststage",
            "region": "westeurope",
            "vm_id": VM_ID,
            "target_group_id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app",
            "identity": "",
        }
    ]


@pytest.mark.parametrize(
    ("code", "message", "facts", "suggests"),
    [
        (
            "UserErrorResourceIsInLockedState",
            "locked",
            {"lock": "reported"},
            ("lift_lock_for_restore", "restore_disks"),
        ),
        (
            "UserErrorCoreCountSubscriptionQuotaReached",
            "full",
            {"quota": "exceeded"},
            ("restore_to_other_region", "restore_disks"),
        ),
        ("UserErrorVmVaultLocationMismatch", "elsewhere", {"storage": "unsuitable"}, ("restore_disks",)),
        ("UserErrorManagedIdentityPermissionsMissing", "no", {"permission": "reported"}, ("restore_disks",)),
        ("UserErrorOfTomorrow", "never seen", {"validation": "refused"}, ("restore_disks",)),
    ],
)
async def test_the_service_says_no(code: str, message: str, facts: dict[str, str], suggests: tuple[str, ...]) -> None:
    """Its word is enough to FAIL, is shown as it came, and marks the cause by what is known of the code."""
    azure = an_azure()
    context = asked(azure, storage_account="ststage")
    azure.restore_problems[an_item().id.key] = [ValidationProblem(code=code, message=message)]
    finding = await restore_target_is_available(context)
    assert (finding.outcome, finding.facts, finding.suggests) == (Outcome.FAIL, facts, suggests)
    assert f'"{message}" ({code})' in finding.summary
    assert finding.evidence["validation_codes"] == [code]
    assert finding.evidence["validation_messages"] == [message]
    [first, *_] = rank([finding], workload=Workload.VM)
    assert first.because == ("restore_target_is_available",)


async def test_what_the_service_says_joins_what_was_found() -> None:
    """A restricted size and a lock that only the service sees are both told, with the service's advice."""
    azure = an_azure()
    context = asked(azure, storage_account="ststage")
    azure.lists[f"{COMPUTE}/skus".casefold()] = [a_sku(LOCATION)]
    azure.restore_problems[an_item().id.key] = [LOCKED]
    finding = await restore_target_is_available(context)
    assert finding.facts == {"size": "unavailable", "lock": "reported"}
    assert "Ask its owner." in finding.summary


@pytest.mark.parametrize(
    ("error", "blind", "words"),
    [
        (PermissionDenied("no"), Blind.DENIED, "Microsoft.RecoveryServices/Vaults/backupValidateOperation/action"),
        (Throttled("wait"), Blind.THROTTLED, "throttled"),
        (GatewayUnavailable("500"), Blind.UNAVAILABLE, "no usable answer"),
    ],
)
async def test_a_validation_that_could_not_be_had(error: GatewayError, blind: Blind, words: str) -> None:
    """The rest is told as it is, the whole is not called fine; and a fault that was found is still a fault."""
    azure = an_azure()
    context = asked(azure, storage_account="ststage")
    azure.fail("validate_restore", error)
    finding = await restore_target_is_available(context)
    assert (finding.outcome, finding.blind) == (Outcome.UNKNOWN, blind)
    assert "The storage account ststage suits." in finding.summary
    assert words in finding.summary
    assert finding.evidence["validation"] == "unknown"
    azure.lists[ACCOUNTS.casefold()] = [an_account(location="uksouth")]
    assert (await restore_target_is_available(context)).facts == {"storage": "unsuitable"}


async def test_without_a_named_account_one_that_suits_is_taken() -> None:
    """The first by name of the target's group; the answer says that it is the bot's choice."""
    azure = an_azure()
    context = asked(azure)
    near = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-APP/providers/Microsoft.Storage/storageAccounts/stnear"
    azure.lists[ACCOUNTS.casefold()] = [
        an_account(name="staaa", id=f"{ACCOUNTS}/staaa", location="uksouth"),
        an_account(name="stbbb", id=f"{ACCOUNTS}/stbbb"),
        an_account(name="stnear", id=near),
    ]
    finding = await restore_target_is_available(context)
    assert azure.validated[0]["storage_account_id"] == near
    assert "stnear (the bot's choice, as none was named)" in finding.summary


async def test_an_objection_to_the_bots_own_choice_is_no_fault() -> None:
    """Nobody wanted that account: the answer is open, and asks for another one."""
    azure = an_azure()
    context = asked(azure)
    problem = ValidationProblem(code="UserErrorNetworkAclSANotSupported", message="closed")
    azure.restore_problems[an_item().id.key] = [problem]
    finding = await restore_target_is_available(context)
    assert (finding.outcome, finding.blind) == (Outcome.UNKNOWN, Blind.NO_EVIDENCE)
    assert '"closed" (UserErrorNetworkAclSANotSupported) Name another' in finding.summary


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("region", "own region only"),
        ("points", "needs a recovery point"),
        ("accounts", "needs a staging account in westeurope"),
    ],
)
async def test_when_the_service_is_not_asked(change: str, why: str) -> None:
    """Another region, no point, no account: the answer says so and rests on what was read."""
    azure = an_azure()
    context = asked(azure, region="northeurope" if change == "region" else "")
    azure.lists[f"{COMPUTE}/locations/northeurope/usages".casefold()] = []
    if change == "points":
        azure.points.clear()
    if change == "accounts":
        azure.lists[ACCOUNTS.casefold()] = []
    finding = await restore_target_is_available(context)
    assert finding.outcome is Outcome.PASS
    assert why in finding.summary
    assert azure.validated == []


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("recovery_points", "protectedItems/recoveryPoints/read"),
        ("resources", "Microsoft.Storage/storageAccounts/read"),
    ],
)
async def test_what_the_question_needs_may_be_unreadable(method: str, action: str) -> None:
    """Without the points, or the accounts to choose from, the service is not asked, and the missing right is named."""
    azure = an_azure()
    context = asked(azure)
    azure.fail(method, PermissionDenied("no"), of="storageaccounts" if method == "resources" else "")
    finding = await restore_target_is_available(context)
    assert finding.blind is Blind.DENIED
    assert action in finding.summary
    assert azure.validated == []


async def test_a_restore_with_the_vaults_identity_is_validated_as_one() -> None:
    """What the failed job tells of the identity is part of the question."""
    azure = an_azure()
    ready(azure)
    details = {"Job Type": "Recover disks", "Target Storage Account Name": "ststage"}
    error = an_error("UserErrorManagedIdentityPermissionsMissing")
    azure.put(a_job(operation="Restore", errors=(error,), details=details))
    for vault, identity in (
        (a_vault(principal_id="p"), "system"),
        (a_vault(user_assigned_principals={"/ids/one": "p"}), "/ids/one"),
    ):
        await restore_target_is_available(a_context(azure, vault=vault))
        assert azure.validated[-1]["identity"] == identity


async def test_a_failed_restore_without_an_account_costs_no_more_calls() -> None:
    """No account is looked for in a diagnosis: it says that the service was not asked, and how to ask it."""
    azure = an_azure()
    ready(azure)
    details = {"Job Type": "Recover to an alternate location"}
    azure.put(a_job(operation="Restore", errors=(an_error("UserErrorSkuNotAvailable"),), details=details))
    finding = await restore_target_is_available(a_context(azure))
    assert finding.outcome is Outcome.PASS
    assert "the restore that failed names no staging account" in finding.summary
    assert (azure.count("resources"), azure.count("validate_restore")) == (2, 0)
