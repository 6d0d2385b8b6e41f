"""The demo's story with one person on each platform: alert, diagnosis, request, four eyes, approval, fix, proof."""

from pathlib import Path
from typing import Any

import pytest

from bot.demo import alert_for
from simulator.chat_people import ANA, EVE, MAX, TEAMS_CHANNEL
from tests.cards.oracles import teams_text
from tests.e2e_teams.stage import Stage, stage
from tests.waiting import until

pytestmark = pytest.mark.timeout(150)


@pytest.mark.parametrize(("asks", "decides"), [("teams", "slack"), ("slack", "teams")])
async def test_requester_and_approver_on_different_platforms(tmp_path: Path, asks: str, decides: str) -> None:
    """Whoever asks on one platform is refused there, somebody else approves on the other, and both show the proof."""
    async with stage(tmp_path) as both:
        await incident_on_both(both)
        post: Any = await (both.teams_card if asks == "teams" else both.slack_card)("RPO 26 h breached")
        await both.press(asks, MAX, post, "Grant Key Vault access")
        approval_id = await both.request("vm-erp-01")
        seen: dict[str, Any] = {
            "teams": await both.teams_card("Approval needed: "),
            "slack": await both.slack_card("Approval needed: "),
        }
        for who, platform, why in (
            (MAX, asks, "you asked for it yourself"),
            (MAX, decides, "you asked for it yourself"),
            (EVE, decides, "you are not among the approvers"),
        ):
            await both.press(platform, who, seen[platform], "Approve")
            await both.told(platform, who, why)
        assert "requested" == await both.state(approval_id)
        await both.press(decides, ANA, seen[decides], "Approve")
        assert "proved" == await both.reaches(approval_id, "proved", "failed", "unproved", "unclear")
        on_teams = await both.teams_card("Proved: ")
        on_slack = await both.slack_card("Proved: ")
        assert (on_teams.id, on_slack.ts) == (seen["teams"].id, seen["slack"].ts)
        assert on_teams.activity["summary"] == on_slack.text
        await both.teams_card("Closed")
        await both.slack_card("Closed")
        assert 1 == len(both.writes("roleAssignments"))
        assert 1 == len(both.writes("/backup"))
        events = await both.audit(approval_id)
        assert ("approval.requested", "Max Weber") in events
        assert [("approval.approved", "Ana Lima")] == [one for one in events if one[0] == "approval.approved"]
        assert 3 == sum(1 for event, _ in events if event == "approval.refused_click")


async def incident_on_both(both: Stage) -> None:
    """An alert opens one incident, whose thread exists on both platforms and holds the diagnosis."""
    reply = await both.monitor.alert(await alert_for(both.app, "vault-prod-01", "vm-erp-01"))
    assert 202 == reply.status
    post = await both.teams_card("RPO 26 h breached")
    diagnosis = await until(
        "the diagnosis in the thread",
        lambda: [
            one
            for one in both.teams.messages.values()
            if one.conversation == post.conversation and one.id != post.id and "Key Vault" in teams_text(one.card)
        ],
    )
    assert post.conversation == f"{TEAMS_CHANNEL};messageid={post.id}"
    assert post.activity["summary"].startswith("CRITICAL") or "CRITICAL" in post.activity["summary"]
    assert len(diagnosis) >= 1
    on_slack = await both.slack_card("RPO 26 h breached")
    await until(
        "the thread on Slack", lambda: [one for one in both.slack.messages.values() if one.thread_ts == on_slack.ts]
    )
