"""The error-code table says what is true in plain words, and names only what the project has."""

import csv
import re
from pathlib import Path

import pytest

from diagnostics.error_codes import ErrorCode, load

SOURCE = Path(__file__).parents[2] / "../shared/data/error_codes.tsv"

CHECKS = {
    "last_backup_succeeded",
    "last_restore_succeeded",
    "recovery_point_is_recent",
    "no_job_is_stuck",
    "backup_health_is_good",
    "protection_is_active",
    "item_is_not_soft_deleted",
    "vm_is_in_desirable_state",
    "vm_agent_responds",
    "os_disk_has_space",
    "snapshot_extension_is_healthy",
    "backup_service_can_read_key_vault",
    "vault_identity_has_its_roles",
    "restore_target_is_available",
    "no_lock_blocks_restore",
    "cross_region_restore_is_possible",
    "mars_agent_is_supported",
    "mabs_server_is_supported",
    "mars_reads_all_files",
    "policy_meets_rpo",
    "soft_delete_is_on",
    "failures_reach_on_call",
    "restore_was_tested_this_quarter",
}
FIXES = {
    "rerun_backup",
    "cancel_and_rerun_backup",
    "start_vm",
    "reapply_vm",
    "reinstall_snapshot_extension",
    "grant_key_vault_access",
    "add_key_vault_policy",
    "assign_backup_role",
    "undelete_item",
    "resume_protection",
    "restore_disks",
    "restore_to_other_region",
    "lift_lock_for_restore",
    "enable_soft_delete",
    "enable_failure_alerts",
    "probe_os_disk",
    "update_mars_agent",
    "guide_mars_update",
    "guide_mabs_update",
    "guide_file_in_use",
    "guide_repair_vm_agent",
    "guide_free_os_disk",
    "guide_restore_elsewhere",
}
WORKLOADS = {"vm", "sql", "hana", "files", "mars", "mabs", "any"}
OPERATIONS = {"backup", "restore", "configuration"}

# What the documented table calls a workload, and the project's words for it.
WORKLOAD_WORDS = {
    "AzureVM": "vm",
    "SQLinAzureVM": "sql",
    "SAPHANA": "hana",
    "AzureFiles": "files",
    "MARS": "mars",
    "MABS": "mabs",
    "Any": "any",
    "ARM": "any",
    "Vault": "any",
}


def name_of(text: str, workload: str | None = None) -> str | None:
    """The name of the entry that a text leads to."""
    entry = load().lookup(text, workload)
    return entry.name if entry else None


def spellings_of(cell: str) -> list[str]:
    """The spellings that a cell of the documented table's code column holds, without its remarks."""
    alias = re.search(r"alias (\w+)", cell)
    bare = re.sub(r"\((?!no code|MARS|MABS|install)[^)]*\)", "", cell)
    bare = re.sub(r"^\((?:no code|MARS|MABS|install|MARS 403)\)", "", bare).strip()
    numbered = re.fullmatch(r"(\d{3,7}) ([A-Z]\w+)", bare)
    pieces = [numbered[1], numbered[2]] if numbered else bare.split(" / ")
    return pieces + ([alias[1]] if alias else [])


def source_rows() -> list[tuple[str, str]]:
    """(spelling, workload column) of every spelling in the documented table; empty where it is absent."""
    if not SOURCE.exists():
        return []
    with SOURCE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 349
    return [(spelling, row["workload"]) for row in rows for spelling in spellings_of(row["code"])]


def words(text: str) -> list[str]:
    """A text as lower-case words."""
    return re.findall(r"[a-z0-9]+", text.casefold())


@pytest.mark.parametrize(("spelling", "workload"), source_rows() or [pytest.param("", "", marks=pytest.mark.skip)])
def test_every_documented_spelling_is_found(spelling: str, workload: str) -> None:
    """A documented code is found as written, in other letter case, as a link and inside a sentence."""
    area = WORKLOAD_WORDS[re.split(r"[-,]", workload)[0]]
    entry = load().lookup(spelling, area)

    assert entry is not None
    assert area in entry.workloads or area == "any" or "any" in entry.workloads
    assert entry is load().lookup(spelling.upper(), area)
    assert entry is load().lookup(f"  {spelling.lower()} ", area)
    if re.fullmatch(r"[A-Za-z]\w+", spelling):
        assert entry is load().lookup(f"https://aka.ms/AB-{spelling}", area)
        assert entry is load().lookup(f"see http://aka.ms/{spelling}.", area)
        assert entry is load().lookup(f"The job failed ({spelling}), try again", area)
    if re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", spelling):
        number = int(spelling, 0)
        assert entry is load().lookup(f"{number}", area)
        assert entry is load().lookup(f"0x{number:x}", area)
        assert entry is load().lookup(f"0x{number:012X}", area)
        assert entry is load().lookup(f"Error code: {number}.", area)
        assert entry is load().lookup(f"it ended with 0x{number:08x}, again", area)


def test_the_table_is_complete_and_has_no_empty_field() -> None:
    """Every entry says what it means, why it happens, what to do and where to read on."""
    assert len(load().all()) >= 340
    for entry in load().all():
        assert all((entry.name, entry.family, entry.workloads, entry.operations, entry.causes)), entry
        assert all(text.endswith(".") for text in (entry.meaning, entry.remedy)), entry.name
        assert all(cause and cause == cause.strip() for cause in entry.causes), entry.name
        assert re.fullmatch(r"https://learn\.microsoft\.com/azure/[a-z0-9/-]+", entry.documentation), entry.name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", entry.family), entry.name
        assert all(phrase == phrase.casefold() for phrase in entry.phrases), entry.name


def test_every_id_in_the_table_exists() -> None:
    """Checks, fixes, workloads and operations are ones the project has."""
    for entry in load().all():
        assert set(entry.checks) <= CHECKS, entry.name
        assert set(entry.fixes) <= FIXES, entry.name
        assert set(entry.workloads) <= WORKLOADS, entry.name
        assert set(entry.operations) <= OPERATIONS, entry.name
        for ids in (entry.checks, entry.fixes, entry.spellings, entry.workloads):
            assert len(set(ids)) == len(ids), entry.name


def test_only_codes_without_an_item_have_no_check() -> None:
    """Where nothing at the item can confirm an error, that is a decision and not an oversight."""
    without = {entry.name for entry in load().all() if not entry.checks}

    assert without == {"ResourceRequestsThrottled", "AuthorizationFailed", "credential download", "2013"}


def test_fixes_suit_the_workload() -> None:
    """What only works on Azure VMs, shares or databases is not offered elsewhere."""
    vm_only = {"reapply_vm", "reinstall_snapshot_extension", "restore_disks", "restore_to_other_region"}
    for entry in load().all():
        if not {"vm", "any"} & set(entry.workloads):
            assert not vm_only & set(entry.fixes), entry.name
        if not {"vm", "sql", "files", "any"} & set(entry.workloads):
            # MARS, MABS and HANA backups cannot be started from Azure by this project.
            assert not {"rerun_backup", "cancel_and_rerun_backup"} & set(entry.fixes), entry.name
        if "guide_restore_elsewhere" in entry.fixes:
            assert "restore" in entry.operations, entry.name
            assert set(entry.workloads) <= {"sql", "files"}, entry.name


def test_a_passing_error_is_met_by_running_again_first() -> None:
    """Where running again is the sensible first step, no other change comes before it."""
    for entry in load().all():
        if entry.transient and "rerun_backup" in entry.fixes:
            assert entry.fixes[0] in {"rerun_backup", "cancel_and_rerun_backup"}, entry.name


def test_a_spelling_belongs_to_one_entry_or_the_workload_decides() -> None:
    """Two entries share a spelling only if they are for different workloads."""
    owners: dict[str, list[ErrorCode]] = {}
    for entry in load().all():
        for spelling in {spelling.casefold() for spelling in (entry.name, *entry.spellings)}:
            owners.setdefault(spelling, []).append(entry)
    shared = {spelling for spelling, entries in owners.items() if len(entries) > 1}

    assert shared == {"403", "100110"}
    assert name_of("403") == "AuthorizationFailed"
    assert name_of("403", workload="mars") == "credential download"
    assert name_of("100110", workload="mars") == "100110"
    assert name_of("100110", workload="MABS") == "CBPServerRegisteredVaultDontMatchWithCurrent"


def test_the_words_are_our_own() -> None:
    """No sentence of the table repeats more than eight words in a row of the collected descriptions."""
    if not SOURCE.exists():
        pytest.skip("the documented table is not here")
    with SOURCE.open(encoding="utf-8", newline="") as file:
        texts = [words(row[column]) for row in csv.DictReader(file, delimiter="\t") for column in ("cause", "remedy")]
    runs = {tuple(text[start : start + 9]) for text in texts for start in range(len(text) - 8)}
    for entry in load().all():
        for own in (entry.meaning, entry.remedy, *entry.causes):
            ours = words(own)
            assert not {tuple(ours[start : start + 9]) for start in range(len(ours) - 8)} & runs, own


@pytest.mark.parametrize(
    ("code", "family", "first_fix", "check"),
    [
        (
            "UserErrorKeyVaultPermissionsNotConfigured",
            "key_vault_access",
            "grant_key_vault_access",
            "backup_service_can_read_key_vault",
        ),
        (
            "UserErrorGuestAgentStatusUnavailable",
            "vm_agent",
            "guide_repair_vm_agent",
            "vm_agent_responds",
        ),
        ("VMNotInRunningStateUserError", "vm_state", "start_vm", "vm_is_in_desirable_state"),
        (
            "ExtensionStuckInDeletionState",
            "snapshot_extension",
            "reinstall_snapshot_extension",
            "snapshot_extension_is_healthy",
        ),
        ("UserErrorBackupOperationInProgress", "in_progress", "cancel_and_rerun_backup", "no_job_is_stuck"),
        ("UserErrorParentFullBackupMissing", "sql_log_chain", "rerun_backup", "last_backup_succeeded"),
        ("UserErrorSkuNotAvailable", "vm_size", "restore_disks", "restore_target_is_available"),
        ("0x80070020", "file_in_use", "guide_file_in_use", "mars_reads_all_files"),
        ("0x1FBD3", "agent_version", "guide_mars_update", "mars_agent_is_supported"),
        ("UserErrorBcmDatasourceNotPresent", "protection_stopped", "resume_protection", "protection_is_active"),
    ],
)
def test_well_known_errors_lead_to_the_fix_an_expert_would_try(
    code: str, family: str, first_fix: str, check: str
) -> None:
    """The family, the first fix and a confirming check of the errors that people meet most."""
    entry = load().lookup(code)

    assert entry is not None
    assert entry.family == family
    assert entry.fixes[0] == first_fix
    assert check in entry.checks


def test_the_runbooks_own_name_is_handled_as_failed_provisioning() -> None:
    """A name that Azure does not have is explained and treated as what it describes."""
    runbook, real = (
        load().lookup("ExtensionFailedInVMAccessExtension"),
        load().lookup("UserErrorVmProvisioningStateFailed"),
    )

    assert runbook is not None
    assert real is not None
    assert runbook.family == real.family == "vm_provisioning"
    assert "reapply_vm" in runbook.fixes
    assert "runbook" in runbook.meaning


def test_retired_technology_is_not_recommended() -> None:
    """Unmanaged disks and classic VMs are gone, and soft delete cannot be switched off to clean up."""
    for code in ("UserErrorBCMPremiumStorageQuotaError", "UserErrorComputeVmWithClassicStorage"):
        entry = load().lookup(code)
        assert entry is not None
        assert "managed disks" in entry.remedy
        assert entry.fixes == ()
    for entry in load().all():
        assert "disable soft delete" not in entry.remedy.casefold(), entry.name


def test_transient_errors_are_marked() -> None:
    """Running again later is the first step for passing faults and not for missing rights."""
    transient = {entry.name for entry in load().all() if entry.transient}

    assert {"CloudTimeoutError", "BackUpOperationFailed", "ResourceRequestsThrottled"} <= transient
    assert not {"UserErrorKeyvaultPermissionsNotConfigured", "UserErrorVmNotFoundV2", "0x1FBD3"} & transient
