"""A client of the simulated Azure that checks every body it sees against Microsoft's OpenAPI documents."""

import importlib.util
import json
import re
import ssl
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

import aiohttp

from simulator.server import Simulator

SHARED = Path(__file__).parents[2] / "../shared"
SPECS = SHARED / "data/specs"
RECORDINGS = SHARED / "data/recordings"
BACKUP, COMPUTE, AUTH, LOCKS = "2024-04-01", "2024-03-01", "2022-04-01", "2020-05-01"
STORAGE, KEYVAULT, GRAPH, SKUS = "2023-05-01", "2023-07-01", "2021-03-01", "2021-07-01"
RULES, ALERTS, CROSS_REGION, RESOURCES = "2021-08-08", "2019-05-05-preview", "2023-01-15", "2022-12-01"
KNOWN_DIFFERENCES = (
    # Azure Backup's own alerts carry a monitor service that the document of 2019 does not list.
    # Azure echoes key vault permissions in the letter case in which they were sent.
    r"enum value in another case \$\.properties\.accessPolicies",
    # The document calls the data an object; with resultFormat objectArray it is a list.
    r"not an object but list \$\.data$",
    r"value outside an open enum \$\.(value\[\]\.)?properties\.essentials\.monitorService",
)


@cache
def checker() -> Any:
    """The specification checker; None where the specifications are absent."""
    path = SHARED / "tools/swagger_check.py"
    if not path.exists() or not SPECS.exists():
        return None
    spec = importlib.util.spec_from_file_location("swagger_check", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["swagger_check"] = module
    spec.loader.exec_module(module)
    return module.Checker(module.Spec.load(SPECS))


def deviations(method: str, url: str, status: int, body: object) -> list[str]:
    """What a body has that its specification does not allow, known differences left out."""
    check = checker()
    issues = check.response(method, url, status, body) if check else None
    lines = [f"{issue.kind} {issue.where}" for issue in issues or ()]
    return [line for line in lines if not any(re.search(known, line) for known in KNOWN_DIFFERENCES)]


@dataclass
class Reply:
    """An answer: status, body (None without one) and headers."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The error code of a refusal."""
        return str(self.body["error"]["code"])


@dataclass
class Azure:
    """Calls a simulator as the reader or the operator."""

    sim: Simulator
    session: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def connect(cls, sim: Simulator) -> Self:
        """A client that trusts the simulator's authority."""
        context = ssl.create_default_context(cafile=sim.ca_file)
        return cls(sim, aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)))

    async def close(self) -> None:
        """Ends the connections."""
        await self.session.close()

    async def token(self, who: str) -> str:
        """The bearer token of `reader` or `operator`."""
        if who not in self.tokens:
            prefix = "AZURE_" if who == "reader" else "AZURE_OPERATOR_"
            form = {
                "grant_type": "client_credentials",
                "client_id": self.sim.env[f"{prefix}CLIENT_ID"],
                "client_secret": self.sim.env[f"{prefix}CLIENT_SECRET"],
                "scope": f"{self.sim.arm}/.default",
            }
            url = f"{self.sim.arm}/{self.sim.tenant_id}/oauth2/v2.0/token"
            async with self.session.post(url, data=form) as response:
                self.tokens[who] = (await response.json())["access_token"]
        return self.tokens[who]

    async def call(
        self, method: str, path: str, version: str = BACKUP, *, who: str = "reader", body: Any = None
    ) -> Reply:
        """One request; fails where the body of an answer is not as specified."""
        url = path if path.startswith("https://") else self.sim.arm + path
        if "api-version=" not in url and version:
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        headers = {"Authorization": f"Bearer {await self.token(who)}"}
        async with self.session.request(method, url, headers=headers, json=body) as response:
            text = await response.text()
            data = json.loads(text) if text else None
            if data is not None:
                found = deviations(method, url, response.status, data)
                assert found == [], f"{method} {path}: {found}"
            return Reply(response.status, data, dict(response.headers))

    async def get(self, path: str, version: str = BACKUP, *, who: str = "reader") -> Any:
        """The body of a GET that must succeed."""
        reply = await self.call("GET", path, version, who=who)
        assert reply.status == 200, (path, reply.body)
        return reply.body

    async def all(self, path: str, version: str = BACKUP) -> list[Any]:
        """Every row of a list, over all its pages."""
        rows: list[Any] = []
        url = path
        while url:
            body = await self.get(url, version)
            rows += body["value"]
            url = body.get("nextLink", "")
        return rows

    async def control(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A request to /_sim."""
        async with self.session.request(method, self.sim.http + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def advance(self, seconds: float) -> None:
        """Moves the simulator's clock ahead."""
        status, _ = await self.control("POST", "/_sim/clock", {"advance_s": seconds})
        assert status == 200

    def vault(self, name: str, subscription: str = "contoso-prod") -> str:
        """The id of the first vault with this name."""
        wanted = self.sim.describe()["subscriptions"][subscription]
        return next(v.id for v in self.sim.world.vaults.values() if v.name == name and v.subscription == wanted)

    async def item(self, vault: str, name: str) -> Any:
        """A protected item of a vault by its friendly name, extended information included."""
        rows = await self.all(f"{self.vault(vault)}/backupProtectedItems?$filter=friendlyName eq '{name}'")
        return await self.get(rows[0]["id"] + "?$filter=expand eq 'extendedInfo'")

    async def failed_codes(self, vault: str, name: str, operation: str = "Backup") -> list[str]:
        """The error titles (or texts) of an item's failed jobs, newest first, as the single job shows them."""
        rows = await self.all(f"{self.vault(vault)}/backupJobs?$filter=status eq 'Failed'")
        found = []
        for row in rows:
            same = row["properties"]["entityFriendlyName"].partition(" [")[0] == name
            if same and row["properties"]["operation"].startswith(operation):
                job = await self.get(row["id"])
                error = job["properties"]["errorDetails"][0]
                found.append(error.get("errorTitle") or error["errorString"])
        return found

    async def backup(self, item_id: str, kind: str = "IaasVMBackupRequest", **more: Any) -> str:
        """Starts a backup as the operator and returns the id of its job."""
        body = {"properties": {"objectType": kind, **more}}
        reply = await self.call("POST", f"{item_id}/backup", who="operator", body=body)
        assert reply.status == 202, reply.body
        await self.advance(30)
        status = await self.get(reply.headers["Azure-AsyncOperation"])
        assert status["status"] == "Succeeded"
        return str(status["properties"]["jobId"])

    async def fixed(self, vault: str, name: str, kind: str = "IaasVMBackupRequest", **more: Any) -> None:
        """Proves that an item is mended: a backup completes and leaves a newer recovery point."""
        item = await self.item(vault, name)
        before = item["properties"].get("lastRecoveryPoint", "")
        job = await self.backup(item["id"], kind, **more)
        await self.advance(3600)
        done = await self.get(f"{self.vault(vault)}/backupJobs/{job}")
        assert done["properties"]["status"] == "Completed", done["properties"].get("errorDetails")
        after = await self.item(vault, name)
        assert after["properties"]["lastRecoveryPoint"] > before
