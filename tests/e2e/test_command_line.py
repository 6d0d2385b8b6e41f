"""The command line's contract, through the installed program and a simulated cloud."""

import asyncio
import io
import os
import socket
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bot import cli
from bot.azure import azure
from bot.settings import load
from diagnostics.locate import find_item
from domain.errors import Ambiguous
from simulator.control import InjectedFault
from simulator.server import Simulator
from tests.e2e.support import Ran, changes, run

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-command-line")]

VAULT = "vault-prod-01"


ONE_AT_A_TIME = asyncio.Lock()


def invoke(arguments: tuple[str, ...], env: dict[str, str]) -> Ran:
    """What the installed program does, without the second that each start of Python takes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith(("AZURE_", "BACKUPBOT_", "SLACK_", "TEAMS_"))]:
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        try:
            cli.main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


async def ask(cloud: Simulator, here: Path, *arguments: str, **more: str) -> Ran:
    """Run a command against the simulated cloud, in this process."""
    env = {name: value for name, value in {**cloud.env, **more}.items() if value}
    async with ONE_AT_A_TIME:
        return await asyncio.to_thread(invoke, arguments, env)


def is_a_diagnosis(document: dict[str, Any]) -> None:
    assert {"item", "findings", "causes"} <= set(document)
    assert isinstance(document["item"], str)
    for finding in document["findings"]:
        assert {"check", "outcome", "summary", "evidence", "suggests", "seconds"} <= set(finding)
        assert finding["outcome"] in {"PASS", "FAIL", "UNKNOWN", "NOT_APPLICABLE"}
        assert isinstance(finding["evidence"], dict)
        assert all(isinstance(one, str) for one in finding["suggests"])
        assert isinstance(finding["seconds"], int | float)
        assert finding["summary"]
    for cause in document["causes"]:
        assert {"cause", "confidence", "because", "fixes"} <= set(cause)
        assert cause["cause"].replace("_", "").isalnum()
        assert cause["cause"] == cause["cause"].casefold()
        assert 0 < cause["confidence"] <= 1
        assert set(cause["because"]) <= {finding["check"] for finding in document["findings"]}


async def test_a_sick_item_is_diagnosed_in_the_contracts_form(cloud: Simulator, here: Path) -> None:
    """The key vault is the first cause of vm-erp-01, and its fix the first suggestion; exit code 1."""
    ran = await ask(cloud, here, "diagnose", VAULT, "vm-erp-01", "--json")

    assert 1 == ran.code, ran.err
    is_a_diagnosis(ran.json)
    first = ran.json["causes"][0]
    assert "key_vault" in first["cause"]
    assert "grant_key_vault_access" == first["fixes"][0]
    assert "backup_service_can_read_key_vault" in first["because"]
    failed = {one["check"] for one in ran.json["findings"] if one["outcome"] == "FAIL"}
    assert {"last_backup_succeeded", "backup_service_can_read_key_vault"} <= failed


async def test_a_healthy_item_is_clean(cloud: Simulator, here: Path) -> None:
    """vm-app-01 has no FAIL and no cause; exit code 0."""
    ran = await ask(cloud, here, "diagnose", VAULT, "vm-app-01", "--json")

    assert 0 == ran.code, ran.out
    is_a_diagnosis(ran.json)
    assert [] == ran.json["causes"]
    assert not [one for one in ran.json["findings"] if one["outcome"] == "FAIL"]


async def test_an_item_is_named_in_every_way_that_azure_has(cloud: Simulator, here: Path) -> None:
    """Friendly name, container/name and ARM id, with the vault as name, rg/name, subscription/rg/name or id."""
    group = f"{cloud.subscription_id}/rg-backup-prod/{VAULT}"
    vault_id = (
        f"/subscriptions/{cloud.subscription_id}/resourceGroups/rg-backup-prod/providers/"
        f"Microsoft.RecoveryServices/vaults/{VAULT}"
    )
    first = await ask(cloud, here, "diagnose", "VAULT-prod-01", "VM-APP-01", "--json")
    item_id = first.json["item"]
    container, name = item_id.split("/")[-3], item_id.split("/")[-1]
    spellings = [
        (f"rg-backup-prod/{VAULT}", f"{container}/vm-app-01"),
        (group, f"{container}/{name}"),
        (vault_id, name),
        (vault_id.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), item_id.lower()),
    ]
    answers = await asyncio.gather(
        *(
            ask(cloud, here, "diagnose", vault, item, "--check", "vm_agent_responds", "--json")
            for vault, item in spellings
        )
    )

    assert item_id.startswith(vault_id)
    assert [(0, item_id.casefold())] * 4 == [(one.code, one.json["item"].casefold()) for one in answers]
    assert all(["vm_agent_responds"] == [found["check"] for found in one.json["findings"]] for one in answers)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("diagnose", "vault-prod-O1", "vm-erp-01"), "vault-prod-01"),
        (("diagnose", VAULT, "vm-erp-1"), "vm-erp-01"),
        (("diagnose", VAULT, "vm-erp-01", "--check", "no_such_check"), "no_such_check"),
        (("status", "vault-prud-01"), "vault-prod-01"),
        (("plan", "rerun_bakup", VAULT, "vm-web-01"), "rerun_backup"),
        (("plan", "rerun_backup", VAULT, "vm-web-1"), "vm-web-01"),
        (("plan", "rerun_backup", VAULT, "vm-web-01", "--set", "what"), "k=v"),
        (("plan", "rerun_backup", VAULT, "vm-web-01", "--set", "no_such=1"), "no_such"),
        (("diagnose", "vault-shared", "vm-jump-01"), "rg-"),
        (("status", "vault-archive-01"), "/vault-archive-01"),
        (("diagnose", "/subscriptions/x/nonsense", "vm-erp-01"), "not the id"),
        (("diagnose", VAULT, "/subscriptions/x/nonsense"), "not the id"),
        (("diagnose", VAULT), "item"),
        (("frobnicate",), "frobnicate"),
    ],
)
async def test_what_nobody_can_mean_is_a_usage_error(
    cloud: Simulator, here: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Unknown and ambiguous names end with 2, with the nearest names or the candidates, on stderr."""
    ran = await ask(cloud, here, *arguments)

    assert (2, "") == (ran.code, ran.out), ran.err
    assert words in ran.err
    assert "Traceback" not in ran.err


async def test_candidates_can_be_typed_back(cloud: Simulator, here: Path) -> None:
    """Each candidate of an ambiguous vault names one vault."""
    ran = await ask(cloud, here, "status", "vault-archive-01")
    candidates = [line.strip() for line in ran.err.splitlines() if line.startswith("  ")]
    answers = await asyncio.gather(*(ask(cloud, here, "status", one, "--json") for one in candidates))

    assert 2 == len(candidates)
    assert all(one.code in {0, 1} for one in answers), answers


async def test_candidates_of_an_item_can_be_typed_back(cloud: Simulator, here: Path) -> None:
    """Each candidate of an ambiguous item is a vault and an item that name one, even where vaults share a name."""
    async with azure(load(cloud.env, directory=here)) as azured:
        with pytest.raises(Ambiguous) as caught:
            await find_item(azured.read(), "contracts")
        words = [one.split(" ") for one in caught.value.candidates]
        found = [(await find_item(azured.read(), item, vault))[1].id.id for vault, item, *_ in words]

    assert 2 == len(set(found))


async def test_two_plans_are_the_same_and_change_nothing(cloud: Simulator, here: Path) -> None:
    """A plan is shown in the contract's form, twice with one fingerprint, and nothing is sent."""
    before = cloud.control.count
    plans = await asyncio.gather(
        *(ask(cloud, here, "plan", "grant_key_vault_access", VAULT, "vm-erp-01", "--json") for _ in range(2))
    )
    text = await ask(cloud, here, "plan", "grant_key_vault_access", VAULT, "vm-erp-01")

    first, second = (one.json for one in plans)
    assert [0, 0, 0] == [one.code for one in (*plans, text)]
    assert first == second
    assert {"fix", "fingerprint", "parameters", "calls", "risk", "effects", "undo", "permissions", "az"} <= set(first)
    assert 64 == len(first["fingerprint"])
    assert {"method", "resource", "api_version", "body"} <= set(first["calls"][0])
    assert ["PUT", "POST"] == [call["method"] for call in first["calls"]]
    assert "kv-erp-01" in first["calls"][0]["resource"]
    assert all(line.startswith("az ") for line in first["az"])
    assert first["risk"] in {"low", "medium", "high"}
    assert first["fingerprint"][:8] in text.out
    assert [] == changes(cloud, before)


async def test_a_plan_knows_what_only_the_item_itself_tells(cloud: Simulator, here: Path) -> None:
    """That a policy is inconsistent stands in the item, not in the vault's list; the plan mends it all the same."""
    plan = await ask(cloud, here, "plan", "resume_protection", "vault-prod-02", "vm-drift-01", "--json")
    assert 0 == plan.code
    first = plan.json["calls"][0]
    assert ("PUT", "DailyVmPolicy") == (first["method"], first["body"]["properties"]["policyId"].rpartition("/")[2])


async def test_a_fix_of_the_vault_itself_is_planned_with_a_dash(cloud: Simulator, here: Path) -> None:
    """ITEM - is the vault itself, for diagnose and for plan."""
    posture, plan = await asyncio.gather(
        ask(cloud, here, "diagnose", VAULT, "-", "--json"),
        ask(cloud, here, "plan", "enable_failure_alerts", "vault-dev-01", "-", "--json"),
    )

    assert posture.code in {0, 1}, posture.err
    is_a_diagnosis(posture.json)
    assert 0 == plan.code, plan.err


async def test_catalogues_and_explanations(cloud: Simulator, here: Path) -> None:
    """checks, fixes and explain answer without any cloud; an unknown code ends with 1 and the nearest ones."""
    checks, fixes, known, unknown = await asyncio.gather(
        run("checks", "--json", env={}, cwd=here),
        run("fixes", "--json", env={}, cwd=here),
        run("explain", "UserErrorVmNotInDesirableState", "--json", env={}, cwd=here),
        run("explain", "UserErrorVmNotInDesirableStat", "--json", env={}, cwd=here),
    )

    assert [0, 0, 0, 1] == [one.code for one in (checks, fixes, known, unknown)]
    assert "backup_service_can_read_key_vault" in {one["check"] for one in checks.json}
    assert "grant_key_vault_access" in {one["fix"] for one in fixes.json}
    assert "UserErrorVmNotInDesirableState" == known.json["name"]
    assert "UserErrorVmNotInDesirableState" in unknown.json["nearest"]
    assert "" == checks.err + fixes.err + known.err


async def test_status_says_exceptions_first(cloud: Simulator, here: Path) -> None:
    """The vault of the story has two items in trouble; a document on stdout, nothing else."""
    ran = await ask(cloud, here, "status", VAULT, "--json")

    assert 1 == ran.code
    assert "" == ran.err
    assert "vm-erp-01" in ran.out


async def test_a_wrong_secret_is_not_an_empty_fleet(cloud: Simulator, here: Path) -> None:
    """With a secret that Entra refuses nothing could be looked at: 3, and the secret is not repeated."""
    ran = await ask(cloud, here, "diagnose", VAULT, "vm-erp-01", "--json", AZURE_CLIENT_SECRET="wrong-secret-value")

    assert (3, "") == (ran.code, ran.out)
    assert "Traceback" not in ran.err
    assert "wrong-secret-value" not in ran.err


async def test_missing_credentials_are_said(cloud: Simulator, here: Path) -> None:
    """Without any identity the command says what is missing, and does not wait for a metadata service."""
    ran = await ask(cloud, here, "status", VAULT, AZURE_CLIENT_SECRET="")

    assert ran.code in {2, 3}
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", [("diagnose", VAULT, "vm-erp-01"), ("status", VAULT), ("status",)])
async def test_a_reader_that_may_not_read_is_blind(cloud: Simulator, here: Path, command: tuple[str, ...]) -> None:
    """403 everywhere: 3, never "all is well"."""
    cloud.control.faults.append(InjectedFault(path=r"/subscriptions/.+", status=403, code="AuthorizationFailed"))
    try:
        ran = await ask(cloud, here, *command)
    finally:
        cloud.control.faults.clear()

    assert 3 == ran.code, ran.out + ran.err
    assert "Traceback" not in ran.err


async def test_one_read_that_is_refused_is_unknown(cloud: Simulator, here: Path) -> None:
    """Where only the jobs may not be read, their check is UNKNOWN and the exit code says that the look was partial."""
    cloud.control.faults.append(InjectedFault(path=r"/backupJobs", status=403, code="AuthorizationFailed"))
    try:
        ran = await ask(cloud, here, "diagnose", VAULT, "vm-app-01", "--json")
    finally:
        cloud.control.faults.clear()

    outcomes = {one["check"]: one["outcome"] for one in ran.json["findings"]}
    assert 3 == ran.code
    assert "UNKNOWN" == outcomes["last_backup_succeeded"]


async def test_an_item_is_not_said_to_be_missing_while_its_vault_cannot_be_read(cloud: Simulator, here: Path) -> None:
    """The chat form looks in all vaults; an unreadable one may hold the item."""
    cloud.control.faults.append(InjectedFault(path=r"/backupProtectedItems", status=403, code="AuthorizationFailed"))
    try:
        ran = await ask(cloud, here, "diagnose", VAULT, "vm-nowhere")
    finally:
        cloud.control.faults.clear()

    assert 3 == ran.code, ran.err


@pytest.mark.parametrize("kind", ["refused", "silent"])
async def test_an_unreachable_cloud_is_decided_in_time(cloud: Simulator, here: Path, kind: str) -> None:
    """Whether the port is closed or nobody ever answers: 3 within 30 s."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if kind == "refused":
        listener.close()
    arm = f"https://127.0.0.1:{port}"
    began = asyncio.get_running_loop().time()
    ran = await ask(cloud, here, "diagnose", VAULT, "vm-erp-01", "--json", BACKUPBOT_ARM_ENDPOINT=arm)
    took = asyncio.get_running_loop().time() - began
    listener.close()

    assert (3, "") == (ran.code, ran.out), ran.err
    assert took < 30
    assert "Traceback" not in ran.err
    assert cli.DECIDED_WITHIN_S < 30


async def test_every_command_has_help(here: Path) -> None:
    """--help of every command, also of the grouped ones, ends with 0 and names its options."""
    paths: list[tuple[str, ...]] = [()]
    root = get_command(cli.app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        paths.append((name,))
        paths += [(name, inner) for inner in getattr(command, "commands", {})]
    ran: list[Ran] = []
    for start in range(0, len(paths), 6):
        part = paths[start : start + 6]
        ran += await asyncio.gather(*(run(*path, "--help", env={}, cwd=here) for path in part))

    assert len(paths) > 20
    assert {0} == {one.code for one in ran}
    assert all("--help" in one.out and "Usage:" in one.out for one in ran)
