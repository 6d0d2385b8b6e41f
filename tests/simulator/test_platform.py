"""What Resource Manager, Entra and the control port do around the operations."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.server import Simulator
from simulator.world.model import stable_uuid
from tests.simulator.support import AUTH, BACKUP, COMPUTE, GRAPH, RESOURCES, Azure

VAULT = "vault-prod-01"


@pytest.fixture
async def quiet() -> AsyncIterator[Azure]:
    """A client of the quiet estate with pages of three rows."""
    async with Simulator("quiet", speed=60, page_size=3) as sim:
        client = await Azure.connect(sim)
        yield client
        await client.close()


async def test_reader_may_not_write_and_the_refusal_names_the_action(azure: Azure) -> None:
    """Each change with the reader's token is a 403 that names client, action and scope."""
    item = await azure.item(VAULT, "vm-app-01")
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    vm = item["properties"]["sourceResourceId"]
    changes = {
        f"{item['id']}/backup": ("POST", "protectedItems/backup/action"),
        item["id"]: ("PUT", "protectedItems/write"),
        azure.vault(VAULT): ("PATCH", "Microsoft.RecoveryServices/Vaults/write"),
        f"{vm}/start": ("POST", "Microsoft.Compute/virtualMachines/start/action"),
        f"{sub}/providers/Microsoft.Authorization/roleAssignments/{stable_uuid('x')}": (
            "PUT",
            "Microsoft.Authorization/roleAssignments/write",
        ),
        f"{sub}/providers/Microsoft.Authorization/locks/freeze": ("PUT", "Microsoft.Authorization/locks/write"),
    }
    reader = azure.sim.env["AZURE_CLIENT_ID"]
    for path, (method, action) in changes.items():
        reply = await azure.call(method, path, body={"properties": {}})
        assert (reply.status, reply.code) == (403, "AuthorizationFailed"), path
        assert action in reply.body["error"]["message"]
        assert reader in reply.body["error"]["message"]


async def test_wrong_secrets_and_tokens(azure: Azure) -> None:
    """A wrong secret gets AADSTS7000215, a forged token a 401 with its challenge."""
    url = f"{azure.sim.arm}/{azure.sim.tenant_id}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.sim.env["AZURE_CLIENT_ID"],
        "client_secret": "wrong",
        "scope": f"{azure.sim.arm}/.default",
    }
    async with azure.session.post(url, data=form) as response:
        body = await response.json()
        assert (response.status, body["error_codes"]) == (401, [7000215])
    azure.tokens["reader"] = "a.b.c"
    reply = await azure.call("GET", "/subscriptions", RESOURCES)
    assert reply.status == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


async def test_unknown_things_are_refused(azure: Azure) -> None:
    """Unknown paths, resources, filters, fields and a missing api-version are errors, never ignored."""
    vault = azure.vault(VAULT)
    cases = {
        (vault, ""): (400, "MissingApiVersionParameter"),
        (vault + "x", BACKUP): (404, "ResourceNotFound"),
        (f"{vault}/nonsense", BACKUP): (404, "NotFound"),
        (f"/subscriptions/{stable_uuid('no')}/providers/Microsoft.RecoveryServices/vaults", BACKUP): (
            404,
            "SubscriptionNotFound",
        ),
        (f"{vault}/backupJobs?$filter=entity eq 'x'", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs?$filter=status eq 'Broken'", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs?$filter=status ne 'Failed'", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs?$filter=startTime eq 'yesterday'", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs?$filter=status eq 'Failed' or operation eq 'Backup'", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupProtectionContainers", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs?$skipToken=zzz", BACKUP): (400, "BadRequest"),
        (f"{vault}/backupJobs/{stable_uuid('none')}", BACKUP): (404, "BMSUserErrorJobNotFound"),
    }
    for (path, version), expected in cases.items():
        reply = await azure.call("GET", path, version)
        assert (reply.status, reply.code) == expected, path
    item = await azure.item(VAULT, "vm-app-01")
    bodies: list[dict[str, object]] = [
        {"properties": {"objectType": "IaasVMBackupRequest", "extra": 1}},
        {"properties": {}},
        {},
    ]
    for body in bodies:
        reply = await azure.call("POST", f"{item['id']}/backup", who="operator", body=body)
        assert reply.status == 400


async def test_paths_in_any_spelling(azure: Azure) -> None:
    """Letter case, %3B for semicolons and + for spaces make no difference."""
    item = await azure.item(VAULT, "vm-app-01")
    for path in (item["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions"), item["id"].replace(";", "%3B")):
        assert (await azure.get(path))["id"] == item["id"]
    jobs = await azure.get(f"{azure.vault(VAULT)}/backupJobs?%24filter=status+eq+%27Failed%27")
    assert len(jobs["value"]) == 4
    assert jobs["value"][0]["id"].startswith("/Subscriptions/")


async def test_job_windows(azure: Azure) -> None:
    """startTime and endTime bound the start of the jobs, 00:00:00 AM included."""
    now = azure.sim.clock.now()
    vault = azure.vault(VAULT)
    day = f"{now:%Y-%m-%d}"
    rows = await azure.all(
        f"{vault}/backupJobs?$filter=startTime eq '{day} 00:00:00 AM' and endTime eq '{day} 11:59:59 PM'"
    )
    assert all(row["properties"]["startTime"].startswith(day) for row in rows)
    everything = await azure.all(f"{vault}/backupJobs")
    assert 80 < len(everything) < 110


async def test_paging_keeps_every_row_once(quiet: Azure) -> None:
    """A nextLink carries filter and place; its token survives percent-encoding."""
    vault = quiet.vault("vault-quiet-01")
    first = await quiet.get(f"{vault}/backupJobs?$filter=backupManagementType eq 'AzureIaasVM'")
    assert len(first["value"]) == 3
    assert first["nextLink"].startswith(quiet.sim.arm)
    rows = await quiet.all(f"{vault}/backupJobs?$filter=backupManagementType eq 'AzureIaasVM'")
    assert len({row["id"] for row in rows}) == len(rows) > 80
    assert all(row["properties"]["backupManagementType"] == "AzureIaasVM" for row in rows)


async def test_backup_operation_from_start_to_end(azure: Azure) -> None:
    """A trigger answers 202 with both signed headers, then InProgress, then the job, and 204 at the Location."""
    item = await azure.item(VAULT, "vm-app-01")
    body = {"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2099-01-01T00:00:00Z"}}
    reply = await azure.call("POST", f"{item['id']}/backup", who="operator", body=body)
    assert reply.status == 202
    for name in ("Azure-AsyncOperation", "Location"):
        assert all(f"&{letter}=" in reply.headers[name] for letter in "tcsh")
        assert reply.headers[name].startswith(azure.sim.arm)
    assert int(reply.headers["Retry-After"]) >= 1
    operation = reply.headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]
    first = await azure.get(reply.headers["Azure-AsyncOperation"])
    assert (first["status"], first["endTime"]) == ("InProgress", "0001-01-01T00:00:00Z")
    assert (await azure.call("GET", reply.headers["Location"])).status == 202
    await azure.advance(10)
    ended = await azure.get(f"{azure.vault(VAULT)}/backupOperations/{operation}")
    assert ended["status"] == "Succeeded"
    assert (await azure.call("GET", reply.headers["Location"])).status == 204
    job = await azure.get(f"{azure.vault(VAULT)}/backupJobs/{ended['properties']['jobId']}")
    tasks = [task["status"] for task in job["properties"]["extendedInfo"]["tasksList"]]
    assert (job["properties"]["status"], tasks) == ("InProgress", ["Completed", "InProgress"])
    points = await azure.all(f"{item['id']}/recoveryPoints")
    assert points[0]["properties"]["recoveryPointTierDetails"] == [{"type": "InstantRP", "status": "Valid"}]
    await azure.advance(60)
    points = await azure.all(f"{item['id']}/recoveryPoints")
    assert {tier["type"] for tier in points[0]["properties"]["recoveryPointTierDetails"]} == {"InstantRP", "HardenedRP"}


async def test_cancelling_keeps_the_snapshot(azure: Azure) -> None:
    """A backup that is cancelled during its transfer ends Cancelled, and cannot be cancelled again."""
    item = await azure.item(VAULT, "vm-app-01")
    job = f"{azure.vault(VAULT)}/backupJobs/{await azure.backup(item['id'])}"
    reply = await azure.call("POST", f"{job}/cancel", who="operator")
    assert reply.status in (202, 400)
    await azure.advance(300)
    again = await azure.call("POST", f"{job}/cancel", who="operator")
    assert (again.status, again.code) == (400, "BMSUserErrorJobNotInProgress")


async def test_role_assignments(azure: Azure) -> None:
    """A grant is idempotent under its name, a conflict under another, counts late and can be taken away."""
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    scope = f"{sub}/resourceGroups/rg-security/providers/Microsoft.KeyVault/vaults/kv-safe-01"
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
    role = f"{sub}/providers/Microsoft.Authorization/roleDefinitions/00482a5a-887f-4fb3-b363-3b7fe8e74483"
    service = azure.sim.world.backup_service().oid
    body = {"properties": {"roleDefinitionId": role, "principalId": service, "principalType": "ServicePrincipal"}}
    name, other = stable_uuid("one"), stable_uuid("two")
    assert (await azure.call("PUT", f"{path}/{name}", AUTH, who="operator", body=body)).status == 201
    assert (await azure.call("PUT", f"{path}/{name}", AUTH, who="operator", body=body)).status == 200
    conflict = await azure.call("PUT", f"{path}/{other}", AUTH, who="operator", body=body)
    assert (conflict.status, conflict.code) == (409, "RoleAssignmentExists")
    rows = await azure.all(f"{path}?$filter=principalId eq '{service}'", AUTH)
    assert {row["name"] for row in rows} >= {name}
    below = await azure.all(f"{sub}/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()", AUTH)
    assert name not in {row["name"] for row in below}
    assert (await azure.call("DELETE", f"{path}/{name}", AUTH, who="operator")).status == 200
    assert (await azure.call("DELETE", f"{path}/{name}", AUTH, who="operator")).status == 204


async def test_group_members_are_assigned_through_their_group(azure: Azure) -> None:
    """assignedTo() finds what Ana holds through a group, principalId does not."""
    ana = next(p for p in azure.sim.world.principals.values() if p.name == "Ana").oid
    scope = azure.vault(VAULT) + "/providers/Microsoft.Authorization/roleAssignments"
    through = await azure.all(f"{scope}?$filter=atScope() and assignedTo('{ana}')", AUTH)
    direct = await azure.all(f"{scope}?$filter=principalId eq '{ana}'", AUTH)
    assert (len(through), len(direct)) == (3, 0)


async def test_permissions_are_the_callers_own(azure: Azure) -> None:
    """The operator's permissions hold the fixes, the reader's do not."""
    path = azure.vault(VAULT) + "/providers/Microsoft.Authorization/permissions"
    held = {}
    for who in ("reader", "operator"):
        rows = (await azure.get(path, AUTH, who=who))["value"]
        held[who] = {action for row in rows for action in row["actions"]}
    cancel = "Microsoft.RecoveryServices/Vaults/backupJobs/cancel/action"
    assert cancel in held["operator"] - held["reader"]


async def test_resource_graph(azure: Azure) -> None:
    """The fleet queries find failed and running jobs, stale items, vault settings and alerts, page by page."""
    failed = """recoveryservicesresources
        | where type =~ 'microsoft.recoveryservices/vaults/backupjobs'
        | where todatetime(properties.startTime) > ago(1d) and properties.status in~ ('Failed','InProgress')
        | project id, vault=tostring(split(id,'/')[8]), item=tostring(properties.entityFriendlyName),
            status=tostring(properties.status) | order by item asc"""
    stale = """recoveryservicesresources
        | where type in~ ('microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems')
        | project name=tostring(properties.friendlyName), last=todatetime(properties.lastRecoveryPoint)
        | where last < ago(26h)"""
    posture = """resources | where type =~ 'microsoft.recoveryservices/vaults'
        | extend sd=tostring(properties.securitySettings.softDeleteSettings.softDeleteState)
        | summarize n=count() by sd"""
    alerts = "alertsmanagementresources | where properties.essentials.monitorService =~ 'Azure Backup' | count"

    async def ask(query: str, **options: object) -> dict[str, Any]:
        body = {"query": query, "options": {"resultFormat": "objectArray", **options}}
        reply = await azure.call("POST", "/providers/Microsoft.ResourceGraph/resources", GRAPH, body=body)
        assert reply.status == 200, reply.body
        assert reply.headers["x-ms-user-quota-remaining"]
        return dict(reply.body)

    rows = (await ask(failed, **{"$top": 1000}))["data"]
    assert {("vault-prod-01", "vm-erp-01", "Failed"), ("vault-prod-02", "vm-big-01", "InProgress")} <= {
        (row["vault"], row["item"], row["status"]) for row in rows
    }
    names = {row["name"] for row in (await ask(stale, **{"$top": 1000}))["data"]}
    assert {"vm-erp-01", "vm-old-01", r"E:\Scans"} <= names
    assert "vm-app-01" not in names
    assert {"sd": "Disabled", "n": 1} in (await ask(posture))["data"]
    assert (await ask(alerts))["data"][0]["Count"] > 10
    page = await ask(failed, **{"$top": 2})
    second = await ask(failed, **{"$top": 2, "$skipToken": page["$skipToken"]})
    assert page["data"] != second["data"]
    bad = {"query": "nosuchtable | where x == 1"}
    reply = await azure.call("POST", "/providers/Microsoft.ResourceGraph/resources", GRAPH, body=bad)
    assert (reply.status, reply.code) == (400, "InvalidQuery")


async def test_activity_log_tells_who_changed_what(azure: Azure) -> None:
    """A backup on demand appears with its caller and action."""
    item = await azure.item(VAULT, "vm-app-01")
    await azure.backup(item["id"])
    since = "2020-01-01T00:00:00Z"
    path = f"/subscriptions/{azure.sim.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
    query = f"?$filter=eventTimestamp ge '{since}' and resourceUri eq '{item['id']}'"
    rows = await azure.all(path + query, "2015-04-01")
    assert [row["operationName"]["value"].rpartition("protectedItems/")[2] for row in rows] == ["backup/action"]
    assert rows[0]["caller"] == azure.sim.env["AZURE_OPERATOR_CLIENT_ID"]


async def test_the_service_principal_of_azure_backup(azure: Azure) -> None:
    """Graph answers the object id of the Backup Management Service."""
    path = "/v1.0/servicePrincipals(appId='262044b1-e2ce-469f-a196-69ab7ada62d3')?$select=id"
    body = await azure.get(path, "")
    assert body["id"] == azure.sim.world.backup_service().oid


async def test_injected_faults(azure: Azure) -> None:
    """A fault hits what it names, as often as it says, before or after the effect."""
    item = await azure.item(VAULT, "vm-app-01")
    wish = {"method": "GET", "path": "backupJobs", "status": 429, "retry_after": 7, "count": 1}
    assert (await azure.control("POST", "/_sim/faults", wish))[0] == 201
    first = await azure.call("GET", f"{azure.vault(VAULT)}/backupJobs")
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert (await azure.call("GET", f"{azure.vault(VAULT)}/backupJobs")).status == 200
    lost = {"method": "POST", "path": "/backup$", "status": 504, "count": 1, "after_effect": True}
    await azure.control("POST", "/_sim/faults", lost)
    body = {"properties": {"objectType": "IaasVMBackupRequest"}}
    assert (await azure.call("POST", f"{item['id']}/backup", who="operator", body=body)).status == 504
    running = await azure.all(f"{azure.vault(VAULT)}/backupJobs?$filter=status eq 'InProgress'")
    assert len(running) == 1
    await azure.control("POST", "/_sim/faults", {"path": "backupPolicies", "cut": True})
    with pytest.raises(aiohttp.ClientError):
        await azure.call("GET", f"{azure.vault(VAULT)}/backupPolicies")
    await azure.control("DELETE", "/_sim/faults")
    assert (await azure.call("GET", f"{azure.vault(VAULT)}/backupPolicies")).status == 200
    assert (await azure.control("POST", "/_sim/faults", {"path": "x"}))[0] == 400
    assert (await azure.control("POST", "/_sim/faults", {"path": "x", "status": 500, "oops": 1}))[0] == 400


async def test_request_log_names_identities_and_leaves_tokens_out(azure: Azure) -> None:
    """The log holds every call with who made it, from a number on."""
    await azure.get("/subscriptions", RESOURCES)
    await azure.get("/subscriptions", RESOURCES, who="operator")
    _, rows = await azure.control("GET", "/_sim/requests?since=0")
    assert [(r["n"], r["identity"], r["method"], r["path"], r["status"]) for r in rows] == [
        (1, "reader", "GET", "/subscriptions", 200),
        (2, "operator", "GET", "/subscriptions", 200),
    ]
    assert rows[0]["query"] == f"api-version={RESOURCES}"
    _, rows = await azure.control("GET", "/_sim/requests?since=1")
    assert len(rows) == 1


async def test_control_refuses_foreign_hosts_and_pages(azure: Azure) -> None:
    """Another Host or Origin gets 403, the simulator's own origin does not."""
    assert (await azure.control("GET", "/_sim/estate", Host="evil.example.com"))[0] == 403
    assert (await azure.control("GET", "/_sim/estate", Origin="https://evil.example.com"))[0] == 403
    assert (await azure.control("GET", "/_sim/estate", Origin=azure.sim.http))[0] == 200


async def test_clock(azure: Azure) -> None:
    """The clock runs ahead when told to, never back, and nightly backups happen meanwhile."""
    _, before = await azure.control("GET", "/_sim/clock")
    point = (await azure.item(VAULT, "vm-app-01"))["properties"]["lastRecoveryPoint"]
    await azure.advance(86400)
    _, after = await azure.control("GET", "/_sim/clock")
    assert after["now"] > before["now"]
    assert (await azure.item(VAULT, "vm-app-01"))["properties"]["lastRecoveryPoint"] > point
    assert (await azure.control("POST", "/_sim/clock", {"advance_s": -1}))[0] == 400
    assert (await azure.control("POST", "/_sim/clock", {"nonsense": 1}))[0] == 400


async def test_breaking_and_repairing(azure: Azure) -> None:
    """A healthy item can be broken by name, shows its failures at once, and can be repaired."""
    order = {"vault": VAULT, "item": "vm-app-01", "fault": "agent_dead"}
    status, seeded = await azure.control("POST", "/_sim/break", order)
    assert (status, seeded["cause"]) == (201, "vm_agent_not_responding")
    assert len(await azure.failed_codes(VAULT, "vm-app-01")) == 3
    await azure.control("POST", "/_sim/repair", order)
    await azure.fixed(VAULT, "vm-app-01")
    assert (await azure.control("POST", "/_sim/break", {**order, "fault": "nope"}))[0] == 400
    assert (await azure.control("POST", "/_sim/break", {**order, "fault": "mars_outdated"}))[0] == 400


async def test_throttling(azure: Azure) -> None:
    """The hourly limit counts per action and says when to come back; the bucket counts per identity."""
    await azure.control("POST", "/_sim/throttle", {"hourly_limit": 2})
    vault = azure.vault(VAULT)
    left = [
        (await azure.call("GET", f"{vault}/backupPolicies")).headers[
            "x-ms-ratelimit-remaining-subscription-resource-requests"
        ]
        for _ in range(2)
    ]
    assert left == ["1", "0"]
    refused = await azure.call("GET", f"{vault}/backupPolicies")
    assert (refused.status, refused.code) == (429, "ResourceRequestsThrottled")
    assert int(refused.headers["Retry-After"]) > 3000
    assert (await azure.call("GET", f"{vault}/backupJobs")).status == 200
    await azure.control("POST", "/_sim/throttle", {"bucket": 1, "refill": 0.001})
    assert (await azure.call("GET", "/subscriptions", RESOURCES)).status == 200
    refused = await azure.call("GET", "/subscriptions", RESOURCES)
    assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
    assert (await azure.call("GET", "/subscriptions", RESOURCES, who="operator")).status == 200


async def test_managed_identity_and_discovery(azure: Azure) -> None:
    """Both managed-identity endpoints hand out the reader's token, and the command line finds its endpoints."""
    http = azure.sim.http
    header = {"X-IDENTITY-HEADER": azure.sim.describe()["managed_identity"]["header"]}
    url = f"{http}/msi/token?api-version=2019-08-01&resource={azure.sim.arm}"
    async with azure.session.get(url, headers=header) as response:
        azure.tokens["reader"] = (await response.json())["access_token"]
    assert (await azure.call("GET", "/subscriptions", RESOURCES)).status == 200
    imds = f"{http}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={azure.sim.arm}"
    async with azure.session.get(imds, headers={"Metadata": "true"}) as response:
        assert response.status == 200
    async with azure.session.get(imds) as response:
        assert response.status == 400
    async with azure.session.get(f"{azure.sim.arm}/metadata/endpoints?api-version=2022-09-01") as response:
        assert (await response.json())["suffixes"]["sqlServerHostname"]


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    """A simulator that starts again in the same directory knows the job, the clock and the tokens."""
    async with Simulator("contoso", speed=60, state_dir=tmp_path) as sim:
        client = await Azure.connect(sim)
        item = await client.item(VAULT, "vm-app-01")
        job = await client.backup(item["id"])
        await client.control("POST", "/_sim/break", {"vault": VAULT, "item": "vm-web-01", "fault": "agent_dead"})
        before = await client.failed_codes(VAULT, "vm-web-01")
        token, now = client.tokens["reader"], sim.clock.now()
        await client.close()
    async with Simulator("contoso", speed=60, state_dir=tmp_path) as sim:
        assert sim.clock.now() > now
        client = await Azure.connect(sim)
        client.tokens["reader"] = token
        await client.advance(3600)
        body = await client.get(f"{client.vault(VAULT)}/backupJobs/{job}")
        assert body["properties"]["status"] == "Completed"
        assert await client.failed_codes(VAULT, "vm-web-01") == before
        assert (await client.get(item["properties"]["sourceResourceId"], COMPUTE))["name"] == "vm-app-01"
        await client.close()


async def test_run_simulator_prints_its_description_and_stops_on_sigterm() -> None:
    """The first line on stdout is the JSON that clients need; SIGTERM ends it cleanly."""
    code = "from simulator.server import run_simulator; run_simulator('empty')"
    root = str(Path(__file__).parents[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": root}
    )
    assert process.stdout is not None
    line = json.loads(await process.stdout.readline())
    assert line["arm"] == line["env"]["BACKUPBOT_ARM_ENDPOINT"]
    assert Path(line["ca_file"]).exists()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
