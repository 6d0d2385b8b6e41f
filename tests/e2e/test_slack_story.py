"""Asking and fixing through the real routes: signed requests in, cards and private notices out, one change in the cloud."""

import asyncio
import json
import re
import sqlite3
import urllib.parse
from typing import Any

import pytest

from simulator.chat_people import ANA, BEN, EVE, EXTERNAL, GONE, GUEST, MAX, ROBOT, UNCONFIRMED, Person
from simulator.senders import Forgery, SlackSender
from simulator.slack_sender import FORM
from simulator.slack_state import SlackMessage
from tests.e2e.support import SECRET, Stage, changes
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-slack")]


def shown(message: SlackMessage) -> str:
    return json.dumps(message.state, ensure_ascii=False)


async def ask_for(stage: Stage, item: str, fix: str = "rerun_backup", person: Person = MAX) -> SlackMessage:
    """Ask for a fix and wait for its request."""
    since = stage.count
    assert 200 == (await stage.slack.command(person, f"fix {fix} {item}")).status
    return await stage.said("Approval needed", since=since)


async def ended(stage: Stage, message: SlackMessage, head: str) -> None:
    """Wait until a request's card says how it ended."""
    await until(f"{head} on the card", lambda: head in message.text)


async def test_a_command_is_acknowledged_and_answered(shared: Stage) -> None:
    """200 in less than half a second; the card arrives in the channel, and says that nothing of it is real."""
    since = shared.count
    replies = [await shared.slack.command(MAX, "status vault-prod-01") for _ in range(3)]

    assert {200} == {one.status for one in replies}
    assert min(one.seconds for one in replies) < 0.5
    card = await shared.said("vault-prod-01", since=since)
    assert "SIMULATED" in shown(card)
    assert "vm-erp-01" in shown(card)


@pytest.mark.parametrize(
    "forgery",
    [
        Forgery(secret="another"),
        Forgery(age_s=301),
        Forgery(age_s=-330),
        Forgery(headers=(("X-Slack-Signature", ""),)),
        Forgery(headers=(("X-Slack-Request-Timestamp", ""),)),
        Forgery(headers=(("X-Slack-Request-Timestamp", "soon"),)),
        Forgery(headers=(("X-Slack-Request-Timestamp", "9" * 5000),)),
        Forgery(headers=(("X-Slack-Request-Timestamp", "²"),)),
        Forgery(headers=(("X-Slack-Signature", "v0=é"),)),
        Forgery(headers=(("X-Slack-Signature", "v0="),)),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_a_request_that_slack_did_not_sign_does_nothing(shared: Stage, forgery: Forgery) -> None:
    """401 for wrong, old, future and malformed signatures, and nothing is stored."""
    before = await metric(shared, "inbox")
    reply = await shared.slack.command(MAX, "fix rerun_backup vm-web-01", forgery=forgery)

    assert 401 == reply.status, reply
    assert before == await metric(shared, "inbox")


async def metric(stage: Stage, table: str) -> float:
    """How many rows of a table the bot counts."""
    async with stage.http.get(f"{stage.bot.url}/metrics") as response:
        text = await response.text()
    return sum(float(value) for value in re.findall(rf'backupbot_rows{{.*table="{table}".*}} (\S+)', text))


async def test_slack_checks_that_the_address_answers(shared: Stage) -> None:
    """url_verification is answered with its challenge; ssl_check with 200."""
    body = json.dumps({"type": "url_verification", "challenge": "c-1"}).encode()
    reply = await shared.slack.signed(body, "application/json")
    check = await shared.slack.signed(b"ssl_check=1&token=x", FORM)

    assert (200, "c-1") == (reply.status, reply.body.get("challenge") or reply.text)
    assert 200 == check.status


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "/backup status"),
        ("help", "/backup status"),
        ("frobnicate", "frobnicate"),
        ("statsu vault-prod-01", "status"),
        ("status vault-prod-O1", "vault-prod-01"),
        ("diagnose vm-erp-1", "vm-erp-01"),
        ("diagnose vault-prod-01 no-such-thing-at-all", "no-such-thing-at-all"),
        ("diagnose vm-jump-01", "vault-shared"),
        ("status vault-shared", "rg-"),
        ("diagnose", "diagnose [vault]"),
        ("fix", "rerun_backup"),
        ("fix rerun_bakup vm-web-01", "rerun_backup"),
        ("fix rerun_backup vm-web-01 no_such=1", "no_such"),
        ("fix rerun_backup vm-web-01 for=soon", "soon"),
        ("explain NoSuchCodeAnywhere", "NoSuchCodeAnywhere"),
        ("x" * 4000, "4000 characters"),
        ("status " + "v" * 1900, "There is no vault"),
        ("'", "There is no command"),
        ('status "vault-prod-01', "vault-prod-01"),
    ],
    ids=lambda one: str(one)[:30],
)
async def test_every_text_gets_a_clear_private_answer(shared: Stage, text: str, words: str) -> None:
    """Nonsense, misspellings, ambiguous names and 4,000 characters: words for the asker alone, and no reference to a log."""
    before = shared.notices
    assert 200 == (await shared.slack.command(EVE, text)).status
    notice = await shared.told(EVE, words, since=before)

    assert "broke" not in shown(notice)
    assert "Traceback" not in shown(notice)


@pytest.mark.parametrize(
    "text",
    [
        "STATUS “vault-prod-01”",
        "status\u00a0'vault-prod-01'",
        "  /backup   status vault-prod-01 ",
        "Status VAULT-PROD-01",
    ],
)
async def test_what_phones_make_of_a_command_is_understood(shared: Stage, text: str) -> None:
    """Typographic quotes, no-break spaces, a doubled /backup and capitals mean the same."""
    since = shared.count
    await shared.slack.command(MAX, text)

    assert "vault-prod-01" in (await shared.said("vault-prod-01", since=since)).text


async def test_a_mention_is_a_command(shared: Stage) -> None:
    """@bot explain … answers; Slack's escapes and links in the text are undone; a repeated delivery is one answer."""
    since = shared.count
    await shared.slack.mention(
        MAX, "explain <https://aka.ms/AB-UserErrorVmNotInDesirableState|aka.ms/AB-UserErrorVmNotInDesirableState>"
    )
    await shared.said("UserErrorVmNotInDesirableState:", since=since)
    event = {
        "type": "app_mention",
        "user": MAX.slack_id,
        "text": "<@U0BOT> explain &lt;nothing&gt;",
        "channel": "C0BACKUP",
    }
    before = shared.notices
    for retry in (0, 1, 2):
        event |= {"ts": "1790000000.000100", "event_ts": "1790000000.000100"}
        assert 200 == (await shared.slack.event(event, event_id="Ev-one", forgery=Forgery(retry=retry))).status
    await shared.told(MAX, "<nothing>", since=before)
    await shared.slack.command(BEN, "frobnicate")
    await shared.told(BEN, "frobnicate", since=before)
    found = [one for one in shared.chat.ephemerals[before:] if "<nothing>" in shown(one)]
    assert 1 == len(found)


async def test_wrong_clicks_change_nothing_and_say_why(shared: Stage) -> None:
    """The requester, a stranger, guests, bots, foreign, deactivated and unconfirmed people are told why, privately."""
    seen = shared.cloud.control.count
    message = await ask_for(shared, "vm-app-01")
    for person, why in (
        (MAX, "four eyes"),
        (EVE, "not among the approvers"),
        (GUEST, "guest accounts"),
        (EXTERNAL, "another workspace"),
        (ROBOT, "bots may not"),
        (GONE, "deactivated"),
        (UNCONFIRMED, "not among the approvers"),
    ):
        before = shared.notices
        await shared.press(person, message, "Approve")
        notice = await shared.told(person, why, since=before)
        assert "Nothing was changed" in notice.text
    assert "Approval needed" in message.text
    assert [] == changes(shared.cloud, seen)
    await shared.press(MAX, message, "Withdraw")
    await ended(shared, message, "Withdrawn")
    before = shared.notices
    await shared.press_old(ANA, "approval.approve", message)
    await shared.told(ANA, "withdrawn", since=before)
    assert [] == changes(shared.cloud, seen)


async def test_ten_approvers_at_once_run_it_once(shared: Stage) -> None:
    """Ten clicks at the same time: one grant, one accepted backup, one recorded approval; the others are told."""
    seen = shared.cloud.control.count
    message = await ask_for(shared, "vm-erp-01", "grant_key_vault_access")
    await asyncio.gather(*(shared.press(person, message, "Approve") for person in (ANA, BEN) * 5))
    await ended(shared, message, "Proved")
    sent = [(one["identity"], one["method"], one["status"]) for one in changes(shared.cloud, seen)]

    assert [("operator", "PUT", 201), ("operator", "POST", 202)] == sent
    approvals = [one for one in audit(shared) if one["event"] == "approval.approved"]
    assert 1 == len([one for one in approvals if one["subject"] in shown(message)])


def audit(stage: Stage) -> list[dict[str, Any]]:
    """The record's lines."""
    with sqlite3.connect(stage.directory / "bot.db") as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM audit ORDER BY n")]
    connection.close()
    return rows


async def test_the_real_modals(shared: Stage) -> None:
    """Exact calls are shown, an edit makes its editor a requester, a rejection keeps its reason."""
    message = await ask_for(shared, "vm-safe-01")
    calls = await shared.form(EVE, message, "Exact calls")
    assert "az backup protection backup-now" in json.dumps(calls.view)
    assert "submit" not in calls.view

    edit = await shared.form(BEN, message, "Edit")
    await shared.fill(BEN, edit, reason="before the month ends")
    await until("the reason on the card", lambda: "before the month ends" in shown(message))
    before = shared.notices
    await shared.press(BEN, message, "Approve")
    await shared.told(BEN, "four eyes", since=before)

    form = await shared.form(ANA, message, "Reject with a reason")
    await shared.fill(ANA, form, reason="not <!channel> tonight")
    await ended(shared, message, "Rejected")
    assert "not <!channel> tonight" in shown(message)


async def test_break_glass_needs_a_reason_and_is_recorded(shared: Stage) -> None:
    """Who the rule names may go alone, with a reason; anybody else may not even with one."""
    message = await ask_for(shared, "vm-web-01", person=MAX)
    before = shared.notices
    form = await shared.form(EVE, message, "Break glass (emergency)")
    await shared.fill(EVE, form, reason="me too")
    await shared.told(EVE, "emergencies", since=before)

    form = await shared.form(MAX, message, "Break glass (emergency)")
    await shared.fill(MAX, form, reason="nobody answers, payroll at six")
    await ended(shared, message, "Proved")
    assert "break glass" in shown(message)
    assert any("payroll at six" in str(one) for one in audit(shared))


async def test_a_request_expires_by_the_clock_of_the_watched_world(shared: Stage) -> None:
    """Moved ahead by five hours, a waiting request ends as expired, and a late click says so."""
    message = await ask_for(shared, "vm-ready-01")
    async with shared.http.post(f"{shared.cloud.http}/_sim/clock", json={"advance_s": 5 * 3600}) as response:
        assert 200 == response.status
    await ended(shared, message, "Expired")
    before = shared.notices
    await shared.press_old(ANA, "approval.approve", message)
    await shared.told(ANA, "expired", since=before)


async def test_a_button_of_an_older_bot_says_so(shared: Stage) -> None:
    """A click that nothing handles any more is answered, and one that only opens an address is not."""
    since = shared.count
    await shared.slack.command(MAX, "explain UserErrorVmNotInDesirableState")
    message = await shared.said("UserErrorVmNotInDesirableState:", since=since)
    before = shared.notices
    await shared.press_value(ANA, message, "retired.action", "x")
    await shared.told(ANA, "older version", since=before)


async def test_health_names_nobody(shared: Stage) -> None:
    """healthz, readyz and metrics answer without a vault, an item or a person in them; the log has no query."""
    texts = []
    for path in ("healthz", "readyz", "metrics"):
        async with shared.http.get(f"{shared.bot.url}/{path}?secret=of-the-query") as response:
            assert 200 == response.status
            texts.append(await response.text())
    everything = " ".join(texts)

    assert {"ready": True, "reasons": {}} == json.loads(texts[1])
    for name in ("vm-erp-01", "vault-prod", "U0MAX", "Max", "contoso", "Ana"):
        assert name not in everything
    assert "of-the-query" not in shared.bot.log
    assert urllib.parse.quote(SECRET) not in shared.bot.log
    assert shared.chat.bot_token not in shared.bot.log


async def test_no_request_made_a_traceback(shared: Stage) -> None:
    """After all of the above the log holds no error."""
    lines = [line for line in shared.bot.log.splitlines() if "Traceback" in line or '"level": "error"' in line]

    assert [] == lines


async def test_other_methods_and_paths_are_refused(shared: Stage) -> None:
    """GET on a POST route is 405, an unknown path 404, the Teams route does not exist without its settings."""
    for method, path, status in (
        ("GET", "/slack/events", 405),
        ("POST", "/nothing", 404),
        ("POST", "/api/messages", 404),
        ("POST", "/slack/events/", 404),
    ):
        async with shared.http.request(method, shared.bot.url + path) as response:
            assert status == response.status, path


async def test_an_unsigned_body_of_any_kind_is_401(shared: Stage) -> None:
    """Whatever the bytes are, without a signature nothing is looked at."""
    for body in (b"", b"\xff\xfe", b"[1]", b"x" * 100_000):
        reply = await shared.slack.post(body, {"Content-Type": FORM})
        assert 401 == reply.status, body[:10]
    wrong = SlackSender(shared.chat, shared.bot.url, "another")
    assert 401 == (await wrong.command(MAX, "help")).status
    await wrong.close()
