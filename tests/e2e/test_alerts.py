"""Alerts from outside: authenticated, stored, accepted, one incident and one post however often they come."""

import asyncio
import http.client
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from simulator.chat_people import ANA, EXTERNAL, MAX
from simulator.senders import AzureMonitorSender
from tests.e2e.support import RULES, Stage, alert, stage
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-alerts")]

OLD, NEW = "the-token-of-yesterday", "the-token-of-today"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alerted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A bot whose token is being changed, so that two are good."""
    async with (
        stage(tmp_path_factory.mktemp("stage"), WEBHOOK_TOKEN=f"{OLD}, {NEW}") as running,
        AzureMonitorSender(running.bot.url, token=NEW) as monitor,
    ):
        running.monitor = monitor
        yield running


def ids(stage: Stage, vault: str, item: str) -> tuple[str, str]:
    """The ARM ids of a vault and of an item in it."""
    found = next(one for one in stage.cloud.world.items if one.vault.name == vault and one.name == item)
    return found.vault.id, found.id


async def test_one_alert_three_times_is_one_incident_and_one_post(alerted: Stage) -> None:
    """202 each time; one incident, one post with the contract's first line, the diagnosis in its thread."""
    since = alerted.count
    vault, item = ids(alerted, "vault-prod-01", "vm-erp-01")
    replies = await asyncio.gather(*(alerted.monitor.alert(alert(vault, item)) for _ in range(3)))
    assert [202] * 3 == [one.status for one in replies]
    post = await alerted.said("breached", since=since)
    thread = await until(
        "the diagnosis", lambda: alerted.message('"thread_ts"', since=since) or in_thread(alerted, post)
    )

    posts = [one for one in list(alerted.chat.messages.values())[since:] if one.thread_ts is None]
    assert 1 == len(posts)
    assert post.ts == thread.thread_ts
    first = post.text
    assert len(first) <= 140
    assert first.startswith("✖ CRITICAL vm-erp-01 in vault-prod-01: backup failed 3×")
    assert "last good point 31 h ago, RPO 26 h breached by 5 h" in first
    assert 1 == len(rows(alerted, "SELECT * FROM incidents"))
    assert 1 == len(rows(alerted, "SELECT * FROM alerts"))
    assert "secret" not in alerted.bot.log
    assert NEW not in alerted.bot.log


def in_thread(stage: Stage, post: Any) -> Any:
    return next((one for one in stage.chat.messages.values() if one.thread_ts == post.ts), None)


def rows(stage: Stage, statement: str) -> list[Any]:
    connection = sqlite3.connect(stage.directory / "bot.db")
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()


async def test_people_of_other_companies_may_not_take_incidents(alerted: Stage) -> None:
    """In a shared channel everybody sees the buttons: a foreign click changes nothing and says so."""
    post = next(one for one in alerted.chat.messages.values() if one.thread_ts is None)
    before = alerted.notices
    await alerted.press(EXTERNAL, post, "I have it")
    await alerted.told(EXTERNAL, "another workspace", since=before)
    assert "nobody yet" in json.dumps(post.state)
    await alerted.press(MAX, post, "I have it")
    await until("the owner", lambda: "Max" in json.dumps(post.state) or None)
    form = await alerted.form(ANA, post, "Close …")
    await alerted.fill(ANA, form, reason="a test *of* <!here>")
    await until("the end", lambda: "Closed" in post.text or None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"schemaId": "AzureMonitorMetricAlert"}', 400),
        (b'{"schemaId": "azureMonitorCommonAlertSchema"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a": NaN}', 400),
        (
            json.dumps(
                alert("/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/virtualMachines/v")
            ).encode(),
            400,
        ),
        (json.dumps(alert("/subscriptions/s", alertTargetIDs=5)).encode(), 400),
        (json.dumps(alert("/subscriptions/s", alertId="\ud800")).encode(), 400),
        (json.dumps(alert("/subscriptions/s", alertId="a\u0000b")).encode(), 400),
        (b'{"x": "' + b"x" * 600_000 + b'"}', 413),
        (b" " * 262_145, 413),
    ],
    ids=lambda one: str(one)[:40],
)
async def test_what_is_no_alert_is_refused(alerted: Stage, body: bytes, status: int) -> None:
    """400 for what is not the common schema, 413 beyond 256 KB, whatever is sent; nothing is stored."""
    before = len(rows(alerted, "SELECT * FROM alerts"))
    reply = await alerted.monitor.alert(body)

    assert status == reply.status, reply
    assert "error" in reply.body
    assert before == len(rows(alerted, "SELECT * FROM alerts"))


async def test_a_client_that_sends_everything_first_sees_413(alerted: Stage) -> None:
    """Five megabytes from a client that reads the answer only afterwards."""
    parts = urlsplit(alerted.bot.url)

    def send() -> int:
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        connection.request("POST", f"/webhooks/azure-monitor?token={OLD}", b"x" * 5_000_000)
        status = connection.getresponse().status
        connection.close()
        return status

    assert 413 == await asyncio.to_thread(send)


async def test_who_has_no_token_is_refused_first(alerted: Stage) -> None:
    """401 without a token, with a wrong, half or undecodable one, whatever the body; both good ones pass in both places."""
    url = f"{alerted.bot.url}/webhooks/azure-monitor"
    good = json.dumps(alert("/subscriptions/s/resourceGroups/r/providers/Microsoft.RecoveryServices/vaults/v")).encode()
    attempts: list[tuple[str, dict[str, str], int]] = [
        (url, {}, 401),
        (f"{url}?token=", {}, 401),
        (f"{url}?token={OLD[:-1]}", {}, 401),
        (f"{url}?token={OLD},%20{NEW}", {}, 401),
        (f"{url}?token=%ff", {}, 401),
        (url, {"Authorization": "Bearer é"}, 401),
        (url, {"Authorization": "Basic eDp5"}, 401),
        (url, {"Authorization": NEW}, 401),
        (f"{url}?token={OLD}", {}, 202),
        (f"{url}?token={NEW}", {}, 202),
        (url, {"Authorization": f"Bearer {OLD}"}, 202),
        (url, {"Authorization": f"bearer {NEW}"}, 202),
    ]
    for where, headers, status in attempts:
        async with alerted.http.post(where, data=good, headers=headers) as response:
            assert status == response.status, (where, headers)
    async with alerted.http.post(url, data=b"x" * 300_000) as response:
        assert 401 == response.status


async def test_hostile_names_are_text_everywhere(alerted: Stage) -> None:
    """A vault and an item named like markup mention nobody and link nowhere, in every call that Slack gets."""
    name = "*_<!channel>_[x](http://evil)"
    vault = f"/subscriptions/s/resourceGroups/r/providers/Microsoft.RecoveryServices/vaults/{name.replace('/', '')}"
    container = "backupFabrics/Azure/protectionContainers/c"
    since = alerted.count
    sent = await alerted.monitor.alert(
        alert(vault, f"{vault}/{container}/protectedItems/VM;{name.replace('/', '')}", alert_id="evil")
    )
    assert 202 == sent.status, sent
    post = await alerted.said("[x](http:evil)", since=since)
    await until("the thread", lambda: in_thread(alerted, post))

    for message in list(alerted.chat.messages.values())[since:]:
        assert "<!channel>" not in message.text
        assert "<!channel" not in json.dumps([one for one in objects(message.blocks) if one.get("type") == "mrkdwn"])
        links = [one["url"] for one in objects(message.blocks) if one.get("type") == "link"]
        assert all(one.startswith("https://portal.azure.com/") for one in links)
    assert all(not call.args.get("mrkdwn", True) for call in alerted.chat.calls if call.method == "chat.postMessage")


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object within."""
    if isinstance(value, dict):
        return [value, *(one for inner in value.values() for one in objects(inner))]
    return [one for inner in value for one in objects(inner)] if isinstance(value, list) else []


async def test_a_store_that_is_down_is_503_and_comes_back(alerted: Stage) -> None:
    """While somebody holds the database: 503 with Retry-After before the action group gives up, then 202 again."""
    blocker = sqlite3.connect(alerted.directory / "bot.db", timeout=30, isolation_level=None)
    vault, _ = ids(alerted, "vault-prod-02", "vm-crm-01")
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        async with AzureMonitorSender(alerted.bot.url, token=NEW, within_s=60) as monitor:
            refused = await monitor.alert(alert(vault, alert_id="down"))
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()

    assert 503 == refused.status, refused
    assert refused.seconds < 10  # an action group gives up then
    assert refused.headers["Retry-After"]

    async def again() -> bool:
        return (await alerted.monitor.alert(alert(vault, alert_id="down"))).status == 202

    taken: bool = await until("the alert is taken again", again)
    assert taken


async def test_without_a_token_the_route_is_not_there(tmp_path: Any) -> None:
    """404, and everything else works; SIGTERM ends the bot with 0."""
    async with stage(tmp_path, toml=RULES, WEBHOOK_TOKEN="") as quiet:
        reply = await quiet.monitor.alert(alert("/x"))
        await quiet.slack.command(MAX, "status vault-prod-01")
        await quiet.said("vault-prod-01")

        assert 404 == reply.status
        assert 0 == await quiet.bot.stop()
        assert "Traceback" not in quiet.bot.log
