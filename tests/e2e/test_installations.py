"""Other installations than the usual one: read-only, half-blind, with a Slack that is down or knows little."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from aiohttp import web

from simulator.chat_people import ANA, BEN, MAX
from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.e2e.support import BARE, PROGRAM, RULES, Stage, changes, environment, run, serving, stage
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("e2e-installations")


class IgnorantSlack(FakeSlack):
    """A Slack whose reading methods answer nothing but that all is well."""

    async def _api(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["method"] in {"users.info", "usergroups.users.list", "auth.test"}:
            return web.json_response({"ok": True})
        return await super()._api(request)


async def test_an_approver_named_by_account_needs_no_directory(tmp_path: Path) -> None:
    """Where Slack says nothing of people, slack:U… still decides, and an e-mail never does."""
    async with stage(tmp_path, chat=IgnorantSlack()) as world:
        await world.slack.command(MAX, "fix rerun_backup vm-web-01")
        request = await world.said("Approval needed")
        before = world.notices
        await world.press(ANA, request, "Approve")
        notice = await world.told(ANA, "Nothing was changed", since=before)
        assert "not among the approvers" in notice.text or "looked up" in notice.text
        await world.press(BEN, request, "Approve")
        await until("the proof", lambda: "Proved" in request.text or None)
        assert ["POST"] == [one["method"] for one in changes(world.cloud)]


async def test_a_read_only_installation_shows_what_to_do(tmp_path: Path) -> None:
    """Without an operator: the plan with its az commands, and a button that checks whether it worked."""
    async with stage(tmp_path, AZURE_OPERATOR_CLIENT_ID="", AZURE_OPERATOR_CLIENT_SECRET="") as world:
        await world.slack.command(MAX, "fix rerun_backup vm-web-01")
        plan = await world.said("Done, check again")
        assert "az backup protection backup-now" in json.dumps(plan.state)
        since = world.count
        await world.press(MAX, plan, "Done, check again")
        await world.said("vm-web-01 in vault-prod-01", since=since)
        assert [] == changes(world.cloud)


async def test_where_the_bot_is_not_a_member_the_asker_alone_is_answered(tmp_path: Path) -> None:
    """Through the command's own address, progress and all; a foreign address in the request is never called."""
    called: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        called.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    foreign = f"http://127.0.0.1:{runner.addresses[0][1]}/steal"
    async with stage(tmp_path) as world:
        world.chat.space.channels["C0BACKUP"].members.discard("U0BOT")
        await world.slack.command(MAX, "diagnose vm-app-01")
        await until("the answer", lambda: answered(world, "all is well"))
        world.chat.response_url = lambda url: foreign  # type: ignore[method-assign]  # what an attacker would put there
        before = len(world.chat.calls)
        await world.slack.command(MAX, "status vault-prod-01")
        await until("the attempt", lambda: refusals(world, before))
        assert [] == called
        assert "the response address is not Slack's" in world.bot.log
    await runner.cleanup()


def answered(world: Stage, words: str) -> bool:
    return any(words in json.dumps(one.body) for one in world.chat.responses)


def refusals(world: Stage, before: int) -> bool:
    return "response address is not" in world.bot.log and len(world.chat.calls) > before


async def test_a_message_that_slack_does_not_take_comes_later(tmp_path: Path) -> None:
    """429, a server error and a cut line: the card arrives when Slack takes it, once."""
    async with stage(tmp_path) as world:
        world.chat.fail_next("chat.postMessage", status=429, error="ratelimited", retry_after=1)
        world.chat.fail_next("chat.postMessage", status=503)
        world.chat.fail_next("chat.postMessage", cut=True, after_effect=True)
        await world.slack.command(MAX, "explain UserErrorVmNotInDesirableState")
        await world.said("UserErrorVmNotInDesirableState:")
        await world.slack.command(MAX, "status vault-prod-01")
        await world.said("vault-prod-01")
        first = [one for one in world.chat.messages.values() if "VmNotInDesirableState:" in one.text]
        assert 1 == len(first)


async def test_slack_may_be_down_at_the_start(tmp_path: Path) -> None:
    """The bot starts without Slack and answers once it is back."""
    async with Simulator("contoso", speed=2000) as cloud, FakeSlack() as chat:
        chat.fail_next("auth.test", times=5, status=503)
        async with serving(environment(cloud, chat, tmp_path), tmp_path) as bot:
            assert 0 == await bot.stop()
            assert "Traceback" not in bot.log


async def test_what_keeps_it_from_starting_is_said(tmp_path: Path) -> None:
    """A busy port, a database that cannot be, no platform, a second bot on the same file: 2 and a sentence."""
    async with Simulator("contoso") as cloud, FakeSlack() as chat:
        env = environment(cloud, chat, tmp_path)
        taken = socket.create_server(("127.0.0.1", 0))
        busy = {"BACKUPBOT_PORT": str(taken.getsockname()[1])}
        (tmp_path / "file").write_text("not a database", encoding="utf-8")
        wrong: list[tuple[dict[str, str], str]] = [
            (env | busy | {"DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}, "BACKUPBOT_PORT"),
            (env | {"DATABASE_URL": f"sqlite:///{tmp_path}/file"}, "DATABASE_URL"),
            (env | {"DATABASE_URL": "postgresql://nobody:secretpw@127.0.0.1:1/x"}, "DATABASE_URL"),
            ({name: value for name, value in env.items() if not name.startswith("SLACK_")}, "chat platform"),
        ]
        async with serving(env, tmp_path):
            attempts = [*wrong, (env, "")]
            ran = [await run("serve", env=each, cwd=tmp_path, within_s=90) for each, _ in attempts]
        taken.close()

    for one, words in zip(ran, [*(words for _, words in wrong), "another backupbot"], strict=True):
        assert (2, "") == (one.code, one.out), one.err
        assert words in one.err
        assert "Traceback" not in one.err
        assert "secretpw" not in one.err


async def test_simulate_says_where_it_is(tmp_path: Path) -> None:
    """The first line is JSON with all that the other commands need; SIGTERM ends it."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "simulate", "--estate", "quiet", "--speed", "500",
        env={**BARE, "AZURE_CLIENT_ID": "inherited", "HOME": str(tmp_path)}, cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            told = json.loads(await process.stdout.readline())
        assert {"arm", "http", "ca_file", "tenant_id", "subscription_id", "env"} <= set(told)
        assert "inherited" != told["env"]["AZURE_CLIENT_ID"]
        ran = await run("status", "--json", env=told["env"], cwd=tmp_path)
        assert 0 == ran.code, ran.err
    finally:
        process.terminate()
        _, err = await process.communicate()
    assert b"Traceback" not in err
    assert 0 == process.returncode


async def test_an_unknown_estate_is_a_usage_error(tmp_path: Path) -> None:
    """2 and the estates that there are."""
    ran = await run("simulate", "--estate", "nowhere", env={}, cwd=tmp_path)

    assert 2 == ran.code
    assert "Traceback" not in ran.err


async def test_lists_of_the_store_are_read_beside_the_bot(tmp_path: Path) -> None:
    """approvals, incidents, audit: while serve runs, and not before there is a database."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    missing = await run("approvals", "--json", env=env, cwd=tmp_path)
    (tmp_path / "empty.db").touch()
    empty = await run("incidents", "--json", env={"DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}, cwd=tmp_path)
    async with stage(tmp_path, toml=RULES) as world:
        await world.slack.command(MAX, "fix rerun_backup vm-web-01")
        await world.said("Approval needed")
        env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'bot.db'}"}
        approvals, incidents, verify, export = await asyncio.gather(
            run("approvals", "--json", env=env, cwd=tmp_path),
            run("incidents", "--json", env=env, cwd=tmp_path),
            run("audit", "verify", "--json", env=env, cwd=tmp_path),
            run("audit", "export", env=env, cwd=tmp_path),
        )
    (tmp_path / "export").write_text(export.out, encoding="utf-8")
    (tmp_path / "wrong").write_text("5\n[]\n", encoding="utf-8")
    again = await run("audit", "verify", "--file", "export", env={}, cwd=tmp_path)
    wrong = await run("audit", "verify", "--file", "wrong", env={}, cwd=tmp_path)

    assert [2, 2] == [missing.code, empty.code]
    assert "Traceback" not in missing.err + empty.err + wrong.err
    assert ["requested"] == [one["state"] for one in approvals.json]
    assert [] == incidents.json
    assert verify.json["ok"]
    assert 0 == again.code
    assert wrong.code in {1, 2}
