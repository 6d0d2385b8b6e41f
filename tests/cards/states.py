"""One card for each state that people see, with the facts of one story: vm-erp-01 and its key vault."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adaptive_cards.card import Card
from adaptive_cards.cards import approval, catalogue, diagnosis, explain, incident, message, plan
from domain.actor import Actor
from domain.approval import Approval, RunView, State, StepState, StepView, Vote
from domain.approval_policy import Rule
from domain.errors import (
    AlreadyDecided,
    Ambiguous,
    GatewayUnavailable,
    NotAllowed,
    NotFound,
    PermissionDenied,
    RequestError,
    Throttled,
)
from domain.finding import Blind, Cause, Diagnosis, Finding, Outcome
from domain.fix import Call, FixPlan, Kind, Risk
from domain.incident import Incident, Operation, Severity

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
VAULT = f"{SUBSCRIPTION}/resourceGroups/rg-backup/providers/Microsoft.RecoveryServices/vaults/vault-prod-01"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/C;vm-erp-01/protectedItems/VM;vm-erp-01"
KEY_VAULT = f"{SUBSCRIPTION}/resourceGroups/rg-sec/providers/Microsoft.KeyVault/vaults/kv-erp-01"
MAX = Actor(platform="slack", id="U0MAX", name="Max Weber")
ANA = Actor(platform="slack", id="U0ANA", name="Ana Lima")
FIXES = (("grant_key_vault_access", "Grant Key Vault access"), ("rerun_backup", "Run the backup again"))


def ago(**back: float) -> datetime:
    return NOW - timedelta(**back)


def grant_call() -> Call:
    properties = {"roleDefinitionId": "…/ccda8c8e", "principalId": "8544fd00", "principalType": "ServicePrincipal"}
    return Call(
        kind=Kind.ROLE_ASSIGNMENT,
        method="PUT",
        resource=f"{KEY_VAULT}/providers/Microsoft.Authorization/roleAssignments/7390bd76-0d47-5e77-a2e0-552d5d0f10c6",
        api_version="2022-04-01",
        body={"properties": properties},
        action="Microsoft.Authorization/roleAssignments/write",
        scope=KEY_VAULT,
        purpose="Let the Backup Management Service read keys and secrets of kv-erp-01",
    )


GRANT = FixPlan(
    fix="grant_key_vault_access",
    version=1,
    title="Grant Key Vault access",
    vault_id=VAULT,
    item_id=ITEM,
    item_name="vm-erp-01",
    vault_name="vault-prod-01",
    calls=(grant_call(),),
    sentence=(
        "Grant the Backup Management Service Azure Backup Key Vault Access on key vault kv-erp-01 for good, and back up "
        "vm-erp-01 in vault-prod-01 now."
    ),
    effects=("The service can read the keys.",),
    worst_case="Whoever acts as Azure's backup service could read the secrets of that key vault.",
    undo="By hand: az role assignment delete --assignee 8544fd00 --role ccda8c8e --scope …/kv-erp-01",
    proof="The right reads back, and there is a recovery point newer than the start.",
    risk=Risk.HIGH,
    duration=timedelta(hours=2, minutes=10),
    cost="Storage for one more recovery point.",
    az=("az role assignment create --assignee-object-id 8544fd00 --role ccda8c8e --scope …/kv-erp-01",),
)
RULE = Rule(
    name="rule 1",
    requesters=("*",),
    approvers=("email:ana@contoso.com", "slack:U0BEN", "slack-group:S0BACKUP"),
    break_glass=("slack:U0MAX",),
)
REQUEST = Approval(
    id="APR-7Q4K2P9A",
    state=State.REQUESTED,
    plan=GRANT,
    fingerprint="1b59c118" + "0" * 56,
    requester=MAX,
    reason="Payroll runs at six",
    rule=RULE,
    created_at=ago(minutes=5),
    expires_at=NOW + timedelta(hours=3, minutes=55),
)
VOTED = replace(REQUEST, votes=(Vote(actor=ANA, at=ago(minutes=1), by="email:ana@contoso.com"),), decided_by=ANA)


def steps(first: StepState, second: StepState, note: str = "", percent: int | None = None) -> tuple[StepView, ...]:
    return (
        StepView(purpose="Let the Backup Management Service read keys and secrets of kv-erp-01", state=first),
        StepView(purpose="Back up vm-erp-01 now", state=second, note=note, percent=percent),
    )


def a_run(state: str, views: tuple[StepView, ...], note: str = "", *, over: bool = True) -> RunView:
    return RunView(
        id="RUN-1", state=state, steps=views, started_at=ago(minutes=1), ended_at=NOW if over else None, note=note
    )


def request(state: State, run: RunView | None = None, **changes: object) -> Card:
    base = REQUEST if state in {State.REQUESTED, State.REJECTED, State.EXPIRED, State.WITHDRAWN} else VOTED
    one = replace(base, state=state, **changes)  # type: ignore[arg-type]
    return approval.render(one, run=run, now=NOW, simulated=False)


def approvals() -> Mapping[str, Card]:
    done, running, failed = StepState.DONE, StepState.SENT, StepState.FAILED
    return {
        "approval-requested": request(State.REQUESTED),
        "approval-requested-two-people": request(
            State.REQUESTED, rule=replace(RULE, required=2, self_approval=True), votes=VOTED.votes, editors=(ANA,)
        ),
        "approval-requested-again": request(
            State.REQUESTED, changed=("calls[0].body.properties.principalId: 8544fd00 → 9999",)
        ),
        "approval-approved": request(State.APPROVED),
        "approval-approved-break-glass": request(
            State.APPROVED, votes=(replace(VOTED.votes[0], break_glass=True, actor=MAX),)
        ),
        "approval-executing": request(
            State.EXECUTING, a_run("executing", steps(done, running, "Backup job 6cbf is in progress", 40), over=False)
        ),
        "approval-proved": request(
            State.PROVED,
            a_run("proved", steps(done, done)),
            note="The backup job 6cbf ended as Completed and made a recovery point at 2026-11-22 02:59 UTC.",
        ),
        "approval-failed": request(
            State.FAILED,
            a_run("failed", steps(done, failed, "UserErrorVmNotInDesirableState: the VM is not running")),
            note="The backup job failed; the right that was granted stays.",
        ),
        "approval-unproved": request(
            State.UNPROVED, a_run("unproved", steps(done, done)), note="No new recovery point came within 24 h."
        ),
        "approval-unclear": request(
            State.UNCLEAR,
            a_run("unclear", steps(done, StepState.UNCLEAR)),
            note="The answer to the request was lost, and no job of that time can be found.",
        ),
        "approval-rejected": request(State.REJECTED, note="Rejected by Ana Lima: not tonight"),
        "approval-expired": request(State.EXPIRED, note="Nobody decided within 4 h; nothing was changed."),
        "approval-withdrawn": request(State.WITHDRAWN, note="Withdrawn by Max Weber"),
        "approval-reminder": approval.reminder(REQUEST, now=NOW, simulated=False),
        "approval-list": approval.listing((REQUEST, replace(VOTED, state=State.EXECUTING)), now=NOW, simulated=False),
        "approval-list-empty": approval.listing((), now=NOW, simulated=False),
    }


FAIL = Finding(
    check="backup_service_can_read_key_vault",
    outcome=Outcome.FAIL,
    summary="The Backup Management Service may not read kv-erp-01: it lacks Microsoft.KeyVault/vaults/keys/read.",
    evidence={"key_vaults": ["kv-erp-01"], "missing": ["keys/read", "keys/backup"], "model": "rbac", "empty": ""},
    suggests=("grant_key_vault_access",),
)
PASS = Finding(check="vm_agent_responds", outcome=Outcome.PASS, summary="The VM agent is ready.", evidence={"v": 2})
BLIND = Finding(
    check="last_backup_succeeded",
    outcome=Outcome.UNKNOWN,
    summary="The jobs could not be read: the reader lacks Microsoft.RecoveryServices/vaults/backupJobs/read.",
    blind=Blind.DENIED,
)
CAUSE = Cause(
    id="key_vault_access",
    title="The backup service may not read the key vault of the encrypted VM",
    confidence=0.93,
    because=("backup_service_can_read_key_vault",),
    reasons=("rights are missing: keys/read, keys/backup", "the error code points to it"),
    against=("the last backup but one worked",),
    fixes=("grant_key_vault_access", "rerun_backup"),
)


def diagnosed(*findings: Finding, causes: tuple[Cause, ...] = (), complete: bool = True) -> Diagnosis:
    return Diagnosis(
        item_id=ITEM,
        item_name="vm-erp-01",
        vault_name="vault-prod-01",
        findings=findings,
        causes=causes,
        seconds=1.2,
        complete=complete,
    )


def diagnosis_card(found: Diagnosis, *, fixes: tuple[tuple[str, str], ...] = (), simulated: bool = False) -> Card:
    return diagnosis.render(found, fixes=fixes, incident_id="INC-1", item_id=ITEM, now=NOW, simulated=simulated)


def diagnoses() -> Mapping[str, Card]:
    return {
        "diagnosis-cause": diagnosis_card(diagnosed(FAIL, BLIND, PASS, causes=(CAUSE,)), fixes=FIXES, simulated=True),
        "diagnosis-no-cause": diagnosis_card(diagnosed(FAIL, PASS)),
        "diagnosis-blind": diagnosis_card(diagnosed(BLIND, PASS, complete=False)),
        "diagnosis-healthy": diagnosis_card(diagnosed(PASS)),
        "diagnosis-working": diagnosis.working("vm-erp-01", 3, 15, simulated=False),
    }


INCIDENT = Incident(
    id="INC-7Q4K2P9A",
    key="k",
    open=True,
    severity=Severity.CRITICAL,
    operation=Operation.BACKUP,
    vault_id=VAULT,
    vault_name="vault-prod-01",
    item_id=ITEM,
    item_name="vm-erp-01",
    what="backup failed 3×",
    code="UserErrorKeyVaultPermissionsNotConfigured",
    failures=3,
    opened_at=ago(minutes=2),
    updated_at=ago(minutes=1),
    last_point_at=ago(hours=31),
    rpo=timedelta(hours=26),
    rpo_state="breached",
    breached_by=timedelta(hours=5, minutes=31),
    diagnosis=diagnosed(FAIL, PASS, causes=(CAUSE,)),
)


def incident_card(fixes: tuple[tuple[str, str], ...] = FIXES, *, simulated: bool = False, **changes: object) -> Card:
    return incident.render(replace(INCIDENT, **changes), fixes=fixes, now=NOW, simulated=simulated)  # type: ignore[arg-type]


def incidents() -> Mapping[str, Card]:
    safe: dict[str, Any] = {
        "severity": Severity.WARNING,
        "rpo_state": "safe",
        "safe_until": NOW + timedelta(hours=2),
        "breached_by": None,
        "failures": 1,
        "what": "backup failed",
        "code": "UserErrorVmNotInDesirableState",
    }
    nothing: dict[str, Any] = {"last_point_at": None, "rpo": None, "rpo_state": "unknown", "breached_by": None}
    over: dict[str, Any] = {
        "open": False,
        "closed_at": NOW,
        "closed_reason": "Grant Key Vault access: a recovery point was made at 2026-11-22 02:59 UTC.",
        "owner": MAX,
    }
    return {
        "incident-critical": incident_card(),
        "incident-critical-simulated": incident_card(simulated=True),
        "incident-warning-safe": incident_card(**safe),
        "incident-warning-unknown": incident_card((), **{**safe, **nothing, "diagnosis": None}),
        "incident-info": incident_card(
            (), severity=Severity.INFO, operation=Operation.CONFIGURATION, what="soft delete was turned off", code=""
        ),
        "incident-taken": incident_card(owner=MAX),
        "incident-no-cause": incident_card((), diagnosis=diagnosed(FAIL)),
        "incident-vault": incident_card(
            (),
            item_id="",
            item_name="",
            what="alert of the vault",
            code="",
            diagnosis=None,
            severity=Severity.WARNING,
            last_point_at=None,
            failures=1,
        ),
        "incident-closed": incident_card(**over),
        "incident-announcement": incident.announcement(
            INCIDENT, "Now critical", mention=("slack-group:S0ONCALL",), now=NOW, simulated=False
        ),
        "incident-could-not-look": incident.could_not_look(
            INCIDENT, "The reader may not read this vault.", again=False, simulated=False
        ),
    }


def messages() -> Mapping[str, Card]:
    denied = PermissionDenied(
        "The reader may not list jobs.", action="Microsoft.RecoveryServices/vaults/backupJobs/read", scope=VAULT,
        correlation_id="c0rr",
    )  # fmt: skip
    sentences = "Whoever asks may not approve. " * 6
    return {
        "message-refused": message.refused(RequestError("Name one vault, or none for all."), simulated=True),
        "message-not-found": message.refused(
            NotFound("There is no vault vault-prod-O1.", nearest=("vault-prod-01",)), simulated=False
        ),
        "message-ambiguous": message.refused(
            Ambiguous("There are 2 vaults named vault-x; say which one.", candidates=("rg-a/vault-x", "rg-b/vault-x")),
            simulated=False,
        ),
        "message-not-allowed": message.refused(NotAllowed(f"Nothing was changed: {sentences}"), simulated=False),
        "message-decided": message.refused(AlreadyDecided("It was approved already by Ana Lima."), simulated=False),
        "message-denied": message.could_not_look(denied, simulated=False),
        "message-throttled": message.could_not_look(
            Throttled("Azure asks to wait.", retry_after=timedelta(seconds=90)), simulated=False
        ),
        "message-unavailable": message.could_not_look(GatewayUnavailable("No answer in time."), simulated=False),
        "message-broken": message.broken("7q4k2p9a", simulated=False),
        "message-form-failed": message.form_failed(simulated=False),
        "message-done": message.done("Checking again; the answer comes in the thread", simulated=False),
    }


def others() -> Mapping[str, Card]:
    guide = replace(
        GRANT, title="Free the OS disk", calls=(), az=(), sentence="Free at least 1 GB on the disk of vm-erp-01.",
        steps=("Sign in to the VM.", "Empty /var/log.", "Press Done, check again."), notes=("The agent needs 600 MB.",),
        problems=("the VM is not running",),
    )  # fmt: skip
    known = {
        "name": "UserErrorVmNotInDesirableState",
        "spellings": ("400179", "0x61B13"),
        "meaning": "The VM is not in a state that allows backups.",
        "causes": ("It is being deallocated.", "Its provisioning failed."),
        "remedy": "Start the VM, or reapply its state.",
        "workloads": ("Azure VM",),
        "checks": ("vm_is_in_desirable_state",),
        "fixes": ("start_vm", "reapply_vm"),
        "documentation": "https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
        "transient": True,
    }
    return {
        "plan-read-only": plan.render(GRANT, operator_client_id="", read_only=True, simulated=False),
        "plan-guide": plan.render(guide, operator_client_id="", read_only=False, simulated=False),
        "explain-known": explain.render(**known, simulated=False),  # type: ignore[arg-type]
        "explain-unknown": explain.unknown("UserErrorVmNot", ("UserErrorVmNotInDesirableState",), simulated=False),
        "explain-unknown-alone": explain.unknown("nonsense", (), simulated=False),
        "catalogue": catalogue.render("Fixes", (("rerun_backup", "Starts a backup now (risk low)"),)),
    }


STATES: Mapping[str, Card] = {**approvals(), **diagnoses(), **incidents(), **messages(), **others()}
