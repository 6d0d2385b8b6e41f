"""Every way to write an error code leads to its entry, and the code inside a failed job is found."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagnostics.error_codes import extract_code, load

SHARED = Path(__file__).parents[2] / "../shared/data"
BODIES = SHARED / "recordings/bodies"


def found(text: str, workload: str | None = None) -> str | None:
    """The name of the entry that a text leads to."""
    entry = load().lookup(text, workload)
    return entry.name if entry else None


def body(name: str) -> dict[str, Any]:
    """The response body of a recorded exchange."""
    path = BODIES / f"{name}.json"
    if not path.exists():
        pytest.skip("the recorded bodies are not here")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["response"]["body"]
    return answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("usererrorvmnotindesirablestate", "UserErrorVmNotInDesirableState"),
        ("VmNotInDesirableState", "UserErrorVmNotInDesirableState"),
        ("user error vm not in desirable state", "UserErrorVmNotInDesirableState"),
        ("KeyVaultPermissionsNotConfigured", "UserErrorKeyvaultPermissionsNotConfigured"),
        ("UserErrorSkuNotAvaialable", "UserErrorSkuNotAvailable"),
        ("UserErrorCrossSubscriptionRestoreNotSuppportedForCRR", "UserErrorCrossSubscriptionRestoreNotSupportedForCRR"),
        ("400136", "UserErrorVmNotFoundV2"),
        ("0x61B08", "UserErrorVmNotFoundV2"),
        ("80070020", "0x80070020"),
        ("-2147024864", "0x80070020"),
        ("2147942432", "0x80070020"),
        ("00000080070020", "0x80070020"),
        ("320001, ResourceNotFound", "ResourceNotFound"),
        ("aka.ms/AB-CBPDiskFull", "CBPDiskFull"),
        ("failed. StatusCode.FailedRetryableFsFreezeFailed,snapshot", "StatusCode.FailedRetryableFsFreezeFailed"),
        ("FailedRetryableFsFreezeFailed", "StatusCode.FailedRetryableFsFreezeFailed"),
        ("Job ended.UserErrorFsFreezeTimeout", "UserErrorFsFreezeTimeout"),
        (
            "The process cannot access the file because it is being used by another process",
            "0x80070020",
        ),
        (
            "The VM isn\N{RIGHT SINGLE QUOTATION MARK}t in a state that allows backups.",
            "UserErrorVmNotInDesirableState",
        ),
        ("The job isn't in a cancelable state: wait", "job not in cancelable state"),
        ("Vault and target storage account are in two different regions", "storage account region mismatch"),
        ("Invalid vault credentials provided. (ID: 34513)", "34513"),
        ("Operation failed. ID: 120002", "120002"),
        ("HTTP 429", "ResourceRequestsThrottled"),
        ("the agent is not responding", "UserErrorGuestAgentStatusUnavailable"),
    ],
)
def test_people_and_messages_spell_codes_in_many_ways(text: str, expected: str) -> None:
    """Old names, missing prefixes, numbers in any base, links and known sentences lead to the entry."""
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "error",
        "code",
        "-",
        "0x",
        "7",
        "nothing is wrong here",
        "copied 4024 files on 2013-05-01 in 1612 s",
        "the extension failed",
        "https://aka.ms/azurebackup_agent",
    ],
)
def test_what_names_no_error_is_not_guessed(text: str) -> None:
    """An ordinary word, a count or a date is no error code."""
    assert found(text) is None


def test_the_workload_decides_between_two_meanings() -> None:
    """The same shortened name belongs to a VM's and to a database's error."""
    assert found("GuestAgentStatusUnavailable") == "UserErrorGuestAgentStatusUnavailable"
    assert found("GuestAgentStatusUnavailable", workload="sql") == "GuestAgentStatusUnavailableUserError"
    assert found("GuestAgentStatusUnavailable", workload="unheard of") == "UserErrorGuestAgentStatusUnavailable"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("UserErrorVmNotInDesireableState", "UserErrorVmNotInDesirableState"),
        ("UserErrorKeyVaultPermission", "UserErrorKeyvaultPermissionsNotConfigured"),
        ("ExtensionSnapshotFailedNoNetwrk", "ExtensionSnapshotFailedNoNetwork"),
        ("0x1FBD4", "0x1FBD3"),
        ("what is UserErrorGustAgentStatusUnavailable please", "UserErrorGuestAgentStatusUnavailable"),
    ],
)
def test_a_mistyped_code_suggests_the_one_that_was_meant(typed: str, meant: str) -> None:
    """An unknown code is not found, and the nearest one comes first among at most three."""
    assert found(typed) is None

    near = load().nearest(typed)

    assert near[0].name == meant
    assert len(near) <= 3


def test_junk_suggests_nothing_and_a_limit_is_kept() -> None:
    """Suggestions are near misses, never fillers."""
    assert load().nearest("") == ()
    assert load().nearest("qqqq zzzz") == ()
    assert len(load().nearest("ExtensionSnapshotFailed", limit=2)) == 2
    assert load().nearest("ExtensionSnapshotFailed", limit=-1) == ()


@pytest.mark.parametrize(
    "junk", ["x" * 4000, "error" + " " * 3995, "error:" * 666, "aka.ms/" * 571, "0x" * 2000, "a." * 2000]
)
def test_long_junk_answers_quickly_and_none(junk: str) -> None:
    """A hostile text costs no more than an honest one."""
    started = time.perf_counter()

    assert found(junk) is None
    load().nearest(junk)

    assert time.perf_counter() - started < 0.5


@settings(max_examples=300)
@given(st.text(max_size=300), st.one_of(st.none(), st.text(max_size=8)))
@example("\N{ARABIC-INDIC DIGIT ONE}" * 20, "vm")
@example("-0", "")
@example("0x" + "f" * 400, None)
@example("9" * 5000, None)
@example("\N{SUPERSCRIPT TWO}", None)
def test_no_text_makes_a_look_up_fail(text: str, workload: str | None) -> None:
    """Whatever people or machines send, the answer is an entry or nothing."""
    entry = load().lookup(text, workload)

    assert entry is None or entry in load().all()
    assert len(load().nearest(text)) <= 3
    extract_code(text, text, text, [text])


@given(
    st.sampled_from([entry.name for entry in load().all() if " " not in entry.name]),
    st.text(alphabet=" ,;()\n", max_size=5),
)
def test_a_name_is_found_inside_any_sentence(name: str, around: str) -> None:
    """Blanks and punctuation around a name do not hide it."""
    if name[0].isalpha():
        assert found(f"backup failed with {around} {name} {around} today") == name


@pytest.mark.parametrize(
    ("title", "number", "text", "recommendations", "expected"),
    [
        pytest.param(
            "UserErrorVmNotFoundV2",
            400136,
            "Virtual machine doesn't exist.",
            ["More at http://aka.ms/UserErrorSomethingElse"],
            "UserErrorVmNotFoundV2",
            id="VM job: title first",
        ),
        pytest.param("UserErrorNeverSeenBefore", 1, "", [], "UserErrorNeverSeenBefore", id="unknown title is kept"),
        pytest.param("Backup failed", 380008, "", [], "380008", id="a title of words is no code"),
        pytest.param("Failed: AzureVmOffline", 0, None, None, "AzureVmOffline", id="a code inside a title of words"),
        pytest.param(
            None,
            1073871825,
            "Operation failed as the file share is gone.",
            ["See https://aka.ms/AB-FileShareNotFound for more."],
            "FileShareNotFound",
            id="Files job: link before number",
        ),
        pytest.param(
            None,
            1073871825,
            "An internal error.",
            ["https://aka.ms/AB-AA4ecq5", "https://aka.ms/SoftDeleteCloudWorkloads"],
            "1073871825",
            id="links to pages are no codes",
        ),
        pytest.param(None, 7, "", "https://aka.ms/AB-SomethingQuiteNew", "SomethingQuiteNew", id="new code in a link"),
        pytest.param(
            None,
            0,
            "Extensions failed: ExtensionFailedForNewReason (0x80070020)",
            [],
            "ExtensionFailedForNewReason",
            id="an unknown name in the sentence before hex",
        ),
        pytest.param(
            None, 9, "Failed. CBPDiskFull. UserErrorOther", None, "CBPDiskFull", id="a known name before an unknown one"
        ),
        pytest.param(
            None,
            None,
            "Service version and agent do not match (0x0001fbd3).",
            ["Install the latest agent: https://aka.ms/azurebackup_agent"],
            "0x1FBD3",
            id="MARS job: hex",
        ),
        pytest.param(
            None,
            None,
            "The process cannot access the file because it is being used by another process",
            [],
            "0x80070020",
            id="MARS job: a known sentence",
        ),
        pytest.param("", "0", "Something odd.", [], None, id="nothing at all"),
        pytest.param(None, None, None, None, None, id="no fields at all"),
    ],
)
def test_the_code_of_a_job_is_taken_in_the_right_order(
    title: str | None,
    number: int | str | None,
    text: str | None,
    recommendations: list[str] | str | None,
    expected: str | None,
) -> None:
    """Title, link, name in the sentence, hex, number, known sentence: the first that is there wins."""
    assert expected == extract_code(title, number, text, recommendations)


def test_the_recorded_failed_job_is_understood() -> None:
    """A real failed VM job yields its title, which the table explains; without title and number its link does."""
    error = body("job_iaasvm_backup_failed")["properties"]["errorDetails"][0]
    advice = error["recommendations"]

    assert (
        extract_code(error["errorTitle"], error["errorCode"], error["errorString"], advice) == "UserErrorVmNotFoundV2"
    )
    assert extract_code(None, None, error["errorString"], advice) == "UserErrorVmNotFoundV2"
    assert extract_code(None, error["errorCode"], error["errorString"], []) == "400136"
    assert found("400136", workload="vm") == "UserErrorVmNotFoundV2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vault_delete_blocked_by_softdelete_400", "ServiceResourceNotEmptyWithBackendMessage"),
        ("storage_account_403", "AuthorizationFailed"),
        ("vault_get_404", "ResourceNotFound"),
        ("job_get_500", "InternalServerError"),
    ],
)
def test_recorded_refusals_of_azure_are_understood(name: str, expected: str) -> None:
    """The code that Azure Resource Manager answered with is in the table, and its message leads to one too."""
    error = body(name)["error"]

    assert found(error["code"]) == expected


def test_the_status_hidden_in_the_snapshot_extension_is_understood() -> None:
    """The Linux extension reports success and hides the truth in its message; the name there is found."""
    paths = sorted((SHARED / "vmsnapshot").glob("*.json"))
    if not paths:
        pytest.skip("the extension's samples are not here")

    names = {found(path.read_text(encoding="utf-8")) for path in paths}

    assert "StatusCode.FailedRetryableFsFreezeFailed" in names


def test_every_known_sentence_leads_to_its_own_entry() -> None:
    """No phrase of one entry is swallowed by a longer or more general one of another."""
    for entry in load().all():
        for phrase in entry.phrases:
            assert found(f"Failed: {phrase.replace('&', ' (what Azure puts between) ')}!") == entry.name
