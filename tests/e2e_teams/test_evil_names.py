"""Names made to mention everybody and to link elsewhere, through every kind of card on both platforms."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.demo import alert_for
from simulator.chat_people import ANA, CAST, MAX
from simulator.slack import FakeSlack
from simulator.teams import FakeTeams
from simulator.world.model import World
from tests.cards.oracles import objects, slack_text, teams_text
from tests.e2e_teams.stage import ROUTE, Stage, executes, stage
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)

EVIL = "*_<!channel>_[x](http://evil)_<at>all</at>"
# Part of every ARM id, where a slash ends the name.
EVIL_VAULT = "*_<!channel>_[x](http:evil)_<at>all<at>"
RULE = """
[[approvals.rule]]
fix = "*"
requesters = ["*"]
approvers = ["email:ana@contoso.com", "email:ben@contoso.com"]
"""
MALLORY = replace(MAX, name=EVIL)


def bewitched(world: World) -> None:
    """The estate's story with an evil vault and an evil machine in it."""
    vault = next(one for one in world.vaults.values() if one.name == "vault-prod-01")
    item = next(one for one in vault.items.values() if one.name == "vm-web-01")
    del world.vaults[vault.id.casefold()]
    vault.name, item.name = EVIL_VAULT, EVIL
    world.vaults[vault.id.casefold()] = vault


async def test_they_stay_text(tmp_path: Path) -> None:
    """Status, incident, diagnosis, request, refusal and record show the names as they are, mention nobody, link nowhere."""
    people = [MALLORY if one is MAX else one for one in CAST]
    async with stage(
        tmp_path, toml=ROUTE + RULE, slack=FakeSlack(people=people), teams=FakeTeams(people=people)
    ) as both:
        bewitched(both.cloud.world)
        for platform in ("slack", "teams"):
            await both.say(platform, MALLORY, "status")
            await both.say(platform, MALLORY, "whoami")
        await both.say("slack", MALLORY, f"status {EVIL_VAULT}")
        await both.say("slack", MALLORY, f"diagnose {EVIL}")
        await both.say("slack", MALLORY, EVIL)
        await both.say("teams", MALLORY, EVIL)
        reply = await both.monitor.alert(await alert_for(both.app, EVIL_VAULT, EVIL))
        assert 202 == reply.status
        on_teams = await both.teams_card("Who has it")
        await both.slack_card("Who has it")
        assert EVIL in teams_text(on_teams.card)
        await until("the best fix", lambda: executes(on_teams.card, "Run the backup again"))
        await both.press("teams", MALLORY, on_teams, "Run the backup again")
        approval_id = await both.request(EVIL)
        asked: dict[str, Any] = {
            "teams": await both.teams_card("Approval needed"),
            "slack": await both.slack_card("Approval needed"),
        }
        await both.press("teams", MALLORY, asked["teams"], "Approve")
        await both.told("teams", MALLORY, "you are not among the approvers")
        await both.press("teams", ANA, asked["teams"], "Approve")
        assert "proved" == await both.reaches(approval_id, "proved", "failed", "unproved", "unclear")
        proved = await both.teams_card("Proved: ")
        shown = await both.slack_card("Proved: ")
        for text in (teams_text(proved.card), slack_text(shown.blocks)):
            assert EVIL in text
            assert EVIL_VAULT in text
        both_are_harmless(both)


def both_are_harmless(both: Stage) -> None:
    """No card of the whole story calls or leads anywhere that a name asked for."""
    seen = 0
    for posted in (*both.slack.messages.values(), *both.slack.ephemerals):
        for state in posted.history:
            if posted.user != "U0BOT":
                continue
            seen += "evil" in json.dumps(state)
            assert "<!" not in str(state.get("text")), state.get("text")
            for one in objects(state.get("blocks") or []):
                assert one.get("type") not in {"broadcast", "channel", "user"} or one.get("user_id") in {
                    "U0MAX",
                    "U0BEN",
                    "U0ANA",
                }
                assert one.get("type") != "usergroup" or one["usergroup_id"] == "S0ONCALL"
                assert "url" not in one or urlsplit(one["url"]).netloc == "portal.azure.com", one
                if one.get("type") in {"mrkdwn", "plain_text"}:
                    assert "<!channel>" not in one["text"]
    for message in both.teams.messages.values():
        for activity in message.history:
            seen += "evil" in json.dumps(activity)
            assert "text" not in activity
            content = activity["attachments"][0]["content"]
            assert not content["msteams"].get("entities")
            assert "<at>" not in content["speak"]
            for one in objects(content):
                assert one.get("type") != "TextBlock" or one["text"] == " "
                assert "url" not in one or urlsplit(one["url"]).netloc == "portal.azure.com", one
    assert seen > 10
