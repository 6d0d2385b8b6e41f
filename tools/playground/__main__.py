"""Runs the bot on Microsoft 365 Agents Playground, over a simulated Azure; see docs/playground.md.

python -m tools.playground [PORT]
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp

from bot import logs
from bot.app import build, running
from bot.commands_sim import SPEED, say
from bot.settings import load
from simulator.chat_people import ANA, BEN, EVE, GUEST, MAX, TEAMS_CHANNEL, UNCONFIRMED, Person
from simulator.chat_wire import Json
from simulator.server import Simulator
from simulator.teams import FakeTeams
from tools.playground.proxy import SigningProxy

HERE = Path(__file__).parent
CLI = HERE / "node_modules" / "@microsoft" / "m365agentsplayground" / "cli.js"
PORT = 56150
START_S = 30.0
END_S = 5.0
# The Playground wants its own user and exactly five others.
ME, OTHERS = MAX, (ANA, BEN, EVE, GUEST, replace(UNCONFIRMED, role="stranger too"))
RULES = f"""
[[route]]
vault = "*"
teams = "{TEAMS_CHANNEL}"
[[approvals.rule]]
name = "playground"
fix = "*"
requesters = ["*"]
# An e-mail among them, so that Approve is on the card for everybody: the Playground never asks for a view of one's own.
approvers = ["teams:{ANA.aad_id}", "teams:{BEN.aad_id}", "email:{MAX.email}"]
"""


def user(person: Person) -> Json:
    """A person in the Playground's words; the key for the principal name really is spelt so."""
    first, _, last = person.name.partition(" ")
    home = f"{person.email.replace('@', '_')}#EXT#@contoso.onmicrosoft.com" if person.restricted else person.email
    return {
        "id": person.teams_id,
        "name": person.name,
        "userPrincipleName": home,
        "aadObjectId": person.aad_id,
        "givenName": first,
        "surname": last,
        "email": person.email,
    }


def configuration(tenant_id: str, app_id: str) -> Json:
    """`.m365agentsplayground.yml`; it takes these keys and no others."""
    return {
        "version": "0.1.1",
        "tenantId": tenant_id,
        "bot": {"id": f"28:{app_id}", "name": "backup"},
        "currentUser": user(ME),
        "users": [user(one) for one in OTHERS],
        "personalChat": {"id": "a:personal"},
        "groupChat": {"id": "19:oncall@thread.v2", "name": "On call"},
        "team": {
            "id": "19:team@thread.tacv2",
            "name": "Contoso",
            "aadGroupId": "00000000-0000-4000-a000-0000000000aa",
            "channels": [{"id": TEAMS_CHANNEL, "name": "Backups"}],
        },
    }


@asynccontextmanager
async def playground(directory: Path, proxy: SigningProxy, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The Playground, listening on loopback only, until the end of the block.

    Raises:
        OSError: it ended, or did not answer in time; its own words are in `playground.log` in the directory.
    """
    node = shutil.which("node")
    if node is None or not CLI.exists():
        raise OSError("Node and the Playground are needed: run `make playground`")
    options = [
        *("-e", f"{proxy.origin}/api/messages", "--service-url", proxy.service_url),
        *("-c", "msteams", "-p", str(port), "--disable-telemetry"),
    ]
    quiet = directory / "quiet"
    quiet.mkdir()
    opener = quiet / "xdg-open"  # it would open a browser by itself; one address is printed instead
    opener.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    opener.chmod(0o755)
    environ = {"PATH": f"{quiet}{os.pathsep}{os.defpath}", "HOME": str(directory)}
    with (directory / "playground.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            node,
            "--require",
            str(HERE / "loopback.cjs"),
            str(CLI),
            "start",
            *options,
            cwd=directory,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _answers(process, port, directory / "playground.log")
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), END_S)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_S
    async with aiohttp.ClientSession() as http:
        while process.returncode is None and loop.time() < deadline:
            try:
                async with http.get(f"http://127.0.0.1:{port}/") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    words = (await asyncio.to_thread(log.read_text, errors="replace")).strip()
    raise OSError(f"the Playground did not start: {words[-500:] or 'it said nothing'}")


def free(port: int) -> None:
    """Try the port: the Playground takes any other one when it is in use, which the bot would not know.

    Raises:
        OSError: it is in use.
    """
    with socket.create_server(("127.0.0.1", port)):
        pass


async def main(port: int) -> None:
    """Run everything until Ctrl-C."""
    logs.set_up(quiet=True)
    free(port)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory(prefix="backupbot-playground-") as name:
        directory = Path(name)
        async with (
            Simulator("contoso", speed=SPEED) as cloud,
            FakeTeams() as teams,
            SigningProxy(teams.issuer, teams.app_id, (ME, *OTHERS)) as proxy,
        ):
            (directory / ".m365agentsplayground.yml").write_text(
                json.dumps(configuration(teams.tenant_id, teams.app_id)), encoding="utf-8"
            )
            (directory / "backupbot.toml").write_text(RULES, encoding="utf-8")
            settings = load(
                {
                    **cloud.env,
                    "BACKUPBOT_CONFIG": str(directory / "backupbot.toml"),
                    "BACKUPBOT_HOST": "127.0.0.1",
                    "BACKUPBOT_PORT": "0",
                    "BACKUPBOT_JOB_POLL": "1s",
                    "DATABASE_URL": f"sqlite:///{directory / 'playground.db'}",
                    "TEAMS_APP_ID": teams.app_id,
                    "TEAMS_APP_PASSWORD": teams.app_password,
                    "TEAMS_TENANT_ID": teams.tenant_id,
                    "TEAMS_SERVICE_URL": proxy.service_url,
                    "TEAMS_OPENID_METADATA_URL": teams.metadata_url,
                    "TEAMS_TOKEN_ISSUER": teams.issuer.issuer,
                    "TEAMS_OUTBOUND_TOKEN_URL": teams.token_url,
                },
                directory=directory,
            )
            async with build(settings) as app, running(app) as url:
                proxy.bot_url, proxy.playground_url = url, f"http://127.0.0.1:{port}"
                async with playground(directory, proxy, port) as process:
                    say(f"   Simulated Azure {cloud.arm}, bot {url}; everything listens on 127.0.0.1 only.")
                    say(f"   Write and click as somebody else: {proxy.origin}/")
                    say(f"\n   Open http://127.0.0.1:{port}\n   Ctrl-C ends it.")
                    ended = asyncio.create_task(process.wait())
                    asked = asyncio.create_task(stopped.wait())
                    await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
                    asked.cancel()
                    if not stopped.is_set():
                        raise OSError("the Playground ended by itself")


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else PORT))
    except OSError as error:
        sys.exit(f"playground: {error}")
