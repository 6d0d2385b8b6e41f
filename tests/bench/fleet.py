"""The status of a thousand vaults with a hundred thousand items: time, calls, memory; and the cloud that serves it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import aiohttp

from bot.azure import azure
from bot.settings import load
from tests.bench.processes import MIB, mib, most_resident, resident, simulating
from tests.bench.table import Row, note
from tests.e2e.support import BARE, PROGRAM

FLEET = "fleet:1000:100000"
WITHIN_S = 60.0
READS_A_TENTH = 1200
"""A tenth of the 12,000 reads an hour that Resource Manager gave every principal and subscription."""
READ_FOR_S = 6.0
READERS = 8


def _status(env: dict[str, str], directory: Path) -> tuple[int, float, int]:
    """Exit code, seconds and most memory of ``backupbot status``."""
    with (directory / "status.json").open("wb") as out:
        began = asyncio.new_event_loop().time()
        process = subprocess.Popen(
            [PROGRAM, "status", "--json"], env={**BARE, **env}, cwd=directory, stdout=out, stderr=sys.stderr
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, asyncio.new_event_loop().time() - began, usage.ru_maxrss * 1024


async def _reads_a_second(env: dict[str, str], directory: Path) -> float:
    """Mixed reads of many vaults by plain clients: the vault, its policies, its settings."""
    settings = load(env, directory=directory)
    async with azure(settings) as cloud:
        vaults = list(await cloud.reader.vaults())[:200]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http:
        form = {
            "grant_type": "client_credentials",
            "client_id": env["AZURE_CLIENT_ID"],
            "client_secret": env["AZURE_CLIENT_SECRET"],
            "scope": env["BACKUPBOT_ARM_SCOPE"],
        }
        url = f"{env['AZURE_AUTHORITY_HOST']}/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        async with http.post(url, data=form) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        loop = asyncio.get_running_loop()
        began, done = loop.time(), 0

        async def one(number: int) -> None:
            nonlocal done
            while loop.time() - began < READ_FOR_S:
                vault = vaults[(number * 37 + done) % len(vaults)].id.id
                tail = ("", "/backupPolicies", "/backupconfig/vaultconfig", "/backupPolicies")[done % 4]
                version = "2026-10-01" if tail else "2026-11-01"
                async with http.get(
                    f"{env['BACKUPBOT_ARM_ENDPOINT']}{vault}{tail}?api-version={version}", headers=headers
                ) as got:
                    await got.read()
                    if got.status != 200:
                        raise RuntimeError(f"{got.status} for {vault}{tail}")
                done += 1

        async with asyncio.TaskGroup() as group:
            for number in range(READERS):
                group.create_task(one(number))
        return done / (loop.time() - began)


async def rows(directory: Path) -> list[Row]:
    """One cloud for all of it."""
    async with simulating("--estate", FLEET, cwd=directory) as program:
        env, pid = program.described["env"], program.process.pid
        note(f"{FLEET} started in {program.started_s:.1f} s")
        async with aiohttp.ClientSession() as http:

            async def calls() -> int:
                async with http.get(f"{program.described['http']}/_sim/requests") as answer:
                    found = await answer.json()
                    return int(found[-1]["n"]) if found else 0

            code, took, memory = await asyncio.to_thread(_status, env, directory)
            asked = await calls()
        per_second = await _reads_a_second(env, directory)
        size, most = resident(pid), most_resident(pid)
    unread = (directory / "status.json").read_text(encoding="utf-8").count("did not answer within")
    return [
        Row(
            what=f"status of {FLEET}",
            figure=f"{took:.1f} s, exit {code}, {unread} vaults not in time, {mib(memory)}",
            yardstick=f"{asked / per_second:.1f} s the cloud alone for as many calls",
            ratio=took / (asked / per_second),
            goal=f"<= {WITHIN_S:.0f} s, all read",
            met=took <= WITHIN_S and unread == 0 and code in {0, 1},
        ),
        Row(
            what="calls for it, four subscriptions",
            figure=str(asked),
            yardstick=f"{4 * READS_A_TENTH} a tenth of an hour's reads",
            ratio=asked / (4 * READS_A_TENTH),
            goal="<= 1",
            met=asked <= 4 * READS_A_TENTH,
        ),
        Row(
            what=f"simulated cloud with {FLEET}",
            figure=f"{per_second:.0f} reads/s, ready after {program.started_s:.1f} s, {mib(size)} (most {mib(most)})",
            goal=">= 500/s, <= 30 s, < 1024 MiB",
            met=per_second >= 500 and program.started_s <= 30 and most < 1024 * MIB,
        ),
    ]
