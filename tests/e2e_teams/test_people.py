"""Who is who: accounts that the settings join, views of one's own, and a platform that is off."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.chat_people import ANA, BEN, CAST, EVE, MAX, Person
from simulator.slack import FakeSlack
from simulator.teams import FakeTeams
from simulator.teams_state import TeamsMessage
from tests.cards.oracles import objects, teams_text
from tests.e2e_teams.stage import ROUTE, RULES, Stage, executes, stage

pytestmark = pytest.mark.timeout(120)

# The same people, whose Teams accounts have addresses that Slack has never heard of.
ELSEWHERE = {one: replace(one, email=f"{one.handle}.{one.handle}@contoso.onmicrosoft.com") for one in (MAX, ANA)}
JOINED = f"""
[people.max]
slack = "{MAX.slack_id}"
teams = "{MAX.aad_id}"
[people.ana]
slack = "{ANA.slack_id}"
teams = "{ANA.aad_id}"
"""
BY_ACCOUNT = f"""
[[approvals.rule]]
fix = "*"
requesters = ["*"]
approvers = ["teams:{MAX.aad_id}", "teams:{ANA.aad_id}", "teams:{BEN.aad_id}"]
"""


async def test_accounts_joined_in_the_settings_are_one_human(tmp_path: Path) -> None:
    """Two accounts with nothing in common but a line of ``[people]``: the requester is refused, another such human is not."""
    teams = FakeTeams(people=[ELSEWHERE.get(one, one) for one in CAST])
    async with stage(tmp_path, toml=ROUTE + BY_ACCOUNT + JOINED, teams=teams) as both:
        await both.say("slack", MAX, "fix rerun_backup vm-app-01")
        approval_id = await both.request("vm-app-01")
        await both.teams_card("Approval needed: Run the backup again · vm-app-01")
        on_slack = await both.slack_card("Approval needed: Run the backup again · vm-app-01")
        on_teams = await both.teams_card("Approval needed: Run the backup again · vm-app-01")
        view = await own_view(both, ELSEWHERE[ANA], on_teams)
        (verb, data), *_ = executes(view, "Approve")
        await both.execute(ELSEWHERE[MAX], on_teams, verb, data)
        await both.told("teams", ELSEWHERE[MAX], "you asked for it yourself")
        assert "requested" == await both.state(approval_id)
        # The rule names Ana by her Entra id alone; that she is the one who presses on Slack is known from [people].
        await both.press("slack", ANA, on_slack, "Reject")
        assert "rejected" == await both.reaches(approval_id, "rejected")


async def own_view(both: Stage, person: Person, message: TeamsMessage) -> dict[str, Any]:
    """What a client of this person gets when it refreshes the card by itself."""
    refresh = message.card["refresh"]["action"]
    reply = await both.on_teams.execute(person, message, refresh["verb"], refresh["data"], automatic=True)
    assert 200 == reply.status
    return dict(reply.body["value"])


async def test_only_approvers_see_the_deciding_buttons(tmp_path: Path) -> None:
    """Where the rule names each approver by account, the shared card has no Approve; their own view has, others' have not."""
    async with stage(tmp_path, toml=ROUTE + BY_ACCOUNT) as both:
        await both.say("teams", MAX, "fix rerun_backup vm-app-01")
        approval_id = await both.request("vm-app-01")
        shared = await both.teams_card("Approval needed: Run the backup again · vm-app-01")
        assert not executes(shared.card, "Approve")
        assert {MAX.teams_id, ANA.teams_id, BEN.teams_id} == set(shared.card["refresh"]["userIds"])
        for who, sees in ((ANA, True), (BEN, True), (MAX, False), (EVE, False)):
            view = await own_view(both, who, shared)
            assert sees == bool(executes(view, "Approve")), who.name
        assert not [one for one in objects(await own_view(both, EVE, shared)) if one.get("title") == "Reject"]
        verb, data = executes(await own_view(both, ANA, shared), "Approve")[0]
        # What Eve cannot see she may still forge: the check at the click counts.
        await both.execute(EVE, shared, verb, data)
        await both.told("teams", EVE, "you are not among the approvers")
        assert "requested" == await both.state(approval_id)
        answer = await both.execute(ANA, shared, verb, data)
        assert "Approve: received" in teams_text(answer["value"])
        assert "proved" == await both.reaches(approval_id, "proved", "failed", "unproved", "unclear")
        ended = await both.teams_card("Proved: Run the backup again · vm-app-01")
        assert ended.id == shared.id
        assert "refresh" not in ended.card


async def test_without_an_application_id_the_route_does_not_exist(tmp_path: Path) -> None:
    """A bot on Slack alone answers 404 to activities, with a valid token or none, and works on Slack."""
    async with stage(tmp_path, toml=RULES.replace('teams = "19:backups@thread.tacv2"\n', ""), TEAMS_APP_ID="") as both:
        assert 404 == (await both.on_teams.message(MAX, "status")).status
        assert 404 == (await both.on_teams.raw(b"{}", {})).status
        await both.say("slack", MAX, "whoami")
        await both.slack_card("Max Weber", to=MAX)


async def test_a_trouble_that_teams_has_does_not_reach_the_end_of_the_story(tmp_path: Path) -> None:
    """Posting and updating are refused with 429, 412 and 502 all through: the last state arrives on the same message."""
    async with stage(tmp_path, slack=FakeSlack()) as both:
        for method, status, wait in (
            ("create", 429, 1),
            ("create", 502, None),
            ("create", 412, None),
            ("members", 502, 1),
            ("update", 412, None),
            ("update", 502, 1),
            ("update", 429, 2),
            ("send", 429, 1),
        ):
            both.teams.fail_next(method, status=status, retry_after=wait)
        await both.say("slack", MAX, "fix rerun_backup vm-app-01")
        approval_id = await both.request("vm-app-01")
        asked = await both.teams_card("Approval needed: Run the backup again · vm-app-01")
        both.teams.fail_next("update", 3, status=429, retry_after=1)
        # Who presses cannot be looked up the first time: nobody known, so nothing is decided.
        await both.press("teams", ANA, asked, "Approve")
        await both.told("teams", ANA, "your account could not be looked up just now")
        await both.press("teams", ANA, asked, "Approve")
        assert "proved" == await both.reaches(approval_id, "proved", "failed", "unproved", "unclear")
        ended = await both.teams_card("Proved: Run the backup again · vm-app-01")
        assert ended.id == asked.id
        assert 1 == len(both.teams_messages("Run the backup again · vm-app-01"))
        assert not any(both.teams.faults.values())
