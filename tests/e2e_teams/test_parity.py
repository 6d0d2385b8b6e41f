"""One request on two platforms: shown on both, decided on either, ended on both, by people who count once."""

from typing import Any

import pytest

from bot.demo import alert_for
from simulator.chat_people import ANA, BEN, EVE, EXTERNAL, GUEST, MAX, TEAMS_CHANNEL, Person
from tests.cards.oracles import slack_text, teams_text
from tests.e2e_teams.stage import Stage, executes
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def asked(both: Stage, item: str, who: Person = MAX, on: str = "teams") -> tuple[str, dict[str, Any]]:
    """A request for another backup of an item, and its message on each platform."""
    await both.say(on, who, f"fix rerun_backup {item}")
    approval_id = await both.request(item)
    words = f"Approval needed: Run the backup again · {item}"
    return approval_id, {"teams": await both.teams_card(words), "slack": await both.slack_card(words)}


@pytest.mark.parametrize(
    ("on", "elsewhere", "item"), [("teams", "slack", "vm-app-01"), ("slack", "teams", "vm-safe-01")]
)
async def test_a_request_is_shown_and_ends_on_both(both: Stage, on: str, elsewhere: str, item: str) -> None:
    """Asked on one, rejected on the other: the same two messages say so, and who did it."""
    approval_id, seen = await asked(both, item, on=on)
    assert seen["teams"].activity["summary"] == seen["slack"].text
    words = f"Run the backup again · {item}"
    assert (1, 1) == (len(both.teams_messages(words)), len(both.slack_messages(words)))
    await both.press(elsewhere, BEN, seen[elsewhere], "Reject")
    assert "rejected" == await both.reaches(approval_id, "rejected")
    words = f"Rejected: Run the backup again · {item}"
    on_teams, on_slack = await both.teams_card(words), await both.slack_card(words)
    assert (on_teams.id, on_slack.ts) == (seen["teams"].id, seen["slack"].ts)
    for text in (teams_text(on_teams.card), slack_text(on_slack.blocks)):
        assert "Rejected by Ben Okafor" in text
        assert "Approve" not in text


@pytest.mark.parametrize(
    ("decides", "late", "item"), [("slack", "teams", "vm-tokyo-01"), ("teams", "slack", "vm-ready-01")]
)
async def test_a_late_click_is_told_who_decided(both: Stage, decides: str, late: str, item: str) -> None:
    """Somebody whose client still shows the buttons presses after the decision on the other platform."""
    approval_id, seen = await asked(both, item)
    verb, data = executes(seen["teams"].card, "Approve")[0]
    old = [dict(one) for one in seen["slack"].blocks]
    await both.press(decides, ANA, seen[decides], "Reject")
    await both.reaches(approval_id, "rejected")
    await both.teams_card(f"Rejected: Run the backup again · {item}")
    if late == "teams":
        await both.execute(BEN, seen["teams"], verb, data)
    else:
        (button,) = [
            one
            for block in old
            for one in block.get("elements", ())
            if one.get("action_id", "") and isinstance(one.get("text"), dict) and one["text"]["text"] == "Approve"
        ]
        await both.on_slack.click(BEN, seen["slack"], button["action_id"], button["value"])
    await both.told(late, BEN, "It was rejected already by Ana Lima")
    assert "rejected" == await both.state(approval_id)
    assert 0 == len(both.writes(f"{item};"))


async def test_one_human_counts_once_by_their_address(both: Stage) -> None:
    """Max asks on Slack and presses Approve on Teams, where his account has another id and the same confirmed e-mail."""
    approval_id, seen = await asked(both, "vm-parked-01", on="slack")
    await both.press("teams", MAX, seen["teams"], "Approve")
    await both.told("teams", MAX, "you asked for it yourself; somebody else must approve (four eyes)")
    assert "requested" == await both.state(approval_id)
    await both.press("teams", MAX, seen["teams"], "Withdraw")
    assert "withdrawn" == await both.reaches(approval_id, "withdrawn")


async def test_guests_and_strangers_change_nothing_on_teams(both: Stage) -> None:
    """A guest whom the rule even names, and somebody whom it does not name: told why, recorded, nothing changed."""
    approval_id, seen = await asked(both, "vm-dns-01")
    for who, why in ((GUEST, "guest accounts may not act"), (EVE, "you are not among the approvers")):
        for label in ("Approve", "Reject"):
            await both.press("teams", who, seen["teams"], label)
            await both.told("teams", who, why)
    await both.press("teams", EVE, seen["teams"], "Withdraw")
    await both.told("teams", EVE, "only who asked for it may withdraw it")
    assert "requested" == await both.state(approval_id)
    refused = [name for event, name in await both.audit(approval_id) if event == "approval.refused_click"]
    assert ["Gus Guest"] * 2 + ["Eve Novak"] * 3 == refused
    await both.press("teams", ANA, seen["teams"], "Reject")
    await both.reaches(approval_id, "rejected")


async def test_a_foreign_tenant_does_not_get_in(both: Stage) -> None:
    """Somebody of another tenant, named in the rule, whose activity has an honest token: refused, and nothing is stored."""
    approval_id, seen = await asked(both, "vm-dev-01")
    before = await both.inbox_count()
    verb, data = executes(seen["teams"].card, "Approve")[0]
    reply = await both.on_teams.execute(EXTERNAL, seen["teams"], verb, data)
    typed = await both.on_teams.message(EXTERNAL, "status vault-prod-01", kind="channel")
    assert {401} == {reply.status, typed.status}
    assert before == await both.inbox_count()
    assert "requested" == await both.state(approval_id)
    await both.press("slack", MAX, seen["slack"], "Withdraw")
    await both.reaches(approval_id, "withdrawn")


async def test_a_repeated_invoke_is_stored_once(both: Stage) -> None:
    """Teams repeats an invoke that it thinks unanswered, with the same activity id: one row, one decision, one answer."""
    approval_id, seen = await asked(both, "vm-dev-02")
    verb, data = executes(seen["teams"].card, "Reject")[0]
    activity = both.on_teams.invoke_activity(ANA, seen["teams"], verb, data)
    before = await both.inbox_count()
    replies = [await both.on_teams.send(activity) for _ in range(3)]
    assert {200} == {one.status for one in replies}
    assert {"application/vnd.microsoft.card.adaptive"} == {one.body["type"] for one in replies}
    await both.reaches(approval_id, "rejected")
    assert before + 1 == await both.inbox_count()
    assert 1 == sum(1 for event, _ in await both.audit(approval_id) if event == "approval.rejected")
    assert not both.teams_messages("It was rejected already", to=ANA)


async def test_an_old_client_may_decide_with_submit(both: Stage) -> None:
    """The fallback of each button is an Action.Submit, which decides just the same."""
    approval_id, seen = await asked(both, "vm-lab-01")
    _, data = executes(seen["teams"].card, "Reject")[0]
    assert 202 == (await both.on_teams.submit(BEN, seen["teams"], data)).status
    assert "rejected" == await both.reaches(approval_id, "rejected")


async def test_a_rejection_with_a_reason_reaches_both(both: Stage) -> None:
    """The question for the reason is private; its answer is seen on both platforms and stands in the record."""
    approval_id, seen = await asked(both, "orders", on="slack")
    await both.press("teams", ANA, seen["teams"], "Reject with a reason")
    form = await both.teams_card("Why?", to=ANA)
    (submit,) = executes(form.card, "Send")
    answer = await both.on_teams.execute(
        ANA, form, submit[0], {**submit[1], "reason": "month end *today* <at>all</at>"}
    )
    assert 200 == answer.status
    assert "rejected" == await both.reaches(approval_id, "rejected")
    words = "Rejected by Ana Lima: month end"
    await both.teams_card(words)
    await both.slack_card(words)


async def test_who_edits_counts_as_who_asked(both: Stage) -> None:
    """Ana changes Max's request on Teams; then she may not approve it on Slack, and Ben may reject it."""
    approval_id, seen = await asked(both, "billing")
    await both.press("teams", ANA, seen["teams"], "Edit")
    form = await both.teams_card("Edit the request", to=ANA)
    (submit,) = executes(form.card, "Send")
    await both.on_teams.execute(ANA, form, submit[0], {**submit[1], "reason": "tonight rather than tomorrow"})
    on_slack = await both.slack_card("tonight rather than tomorrow")
    await both.teams_card("tonight rather than tomorrow")
    await both.press("slack", ANA, on_slack, "Approve")
    await both.told("slack", ANA, "you asked for it yourself")
    await both.press("slack", BEN, on_slack, "Reject")
    assert "rejected" == await both.reaches(approval_id, "rejected")


async def test_an_incident_is_taken_on_teams_and_says_so_on_slack(both: Stage) -> None:
    """Pressing "I have it" in the Teams thread changes the incident's message on both platforms."""
    assert 202 == (await both.monitor.alert(await alert_for(both.app, "vault-prod-01", "vm-web-01"))).status
    post = await both.teams_card("vm-web-01 in vault-prod-01: backup failed")
    assert post.conversation.startswith(f"{TEAMS_CHANNEL};messageid=")
    await until(
        "the diagnosis",
        lambda: [
            one for one in both.teams.messages.values() if one.conversation == post.conversation and one.id != post.id
        ],
    )
    on_slack = await both.slack_card("vm-web-01 in vault-prod-01: backup failed")
    await both.press("teams", ANA, post, "I have it")
    await until("on Slack who has it", lambda: "Ana Lima" in slack_text(on_slack.blocks))
    await until("on Teams who has it", lambda: "Who has it: Ana Lima" in teams_text(post.card))
