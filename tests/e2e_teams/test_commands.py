"""Typing to the bot on Teams in every sort of conversation, with the answer where it belongs."""

import asyncio

import pytest

from simulator.chat_people import ANA, EVE, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT
from tests.e2e_teams.stage import Stage
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]


async def test_in_a_channel_with_a_mention(both: Stage) -> None:
    """The answer stands in the thread of the question."""
    typed = both.on_teams.message_activity(MAX, "jobs vault-prod-01 failed", kind="channel")
    assert 202 == (await both.on_teams.send(typed)).status
    answer = await both.teams_card("vault-prod-01")
    answered = await until(
        "an answer in the thread",
        lambda: [one for one in both.teams.messages.values() if one.conversation == typed["conversation"]["id"]],
    )
    assert answer.activity["summary"]
    assert typed["conversation"]["id"].startswith(f"{TEAMS_CHANNEL};messageid=")
    assert answered[0].targeted_to is None


async def test_in_the_own_chat(both: Stage) -> None:
    """Without mention and without slash; the answer stays in that chat."""
    assert 202 == (await both.on_teams.message(EVE, "whoami")).status
    answer = await both.teams_card("Eve Novak", to=EVE)
    assert "a:eve" == answer.conversation


async def test_privately_in_a_group_chat(both: Stage) -> None:
    """A targeted slash command is answered to its sender alone."""
    assert 202 == (await both.on_teams.message(ANA, "/backup whoami", kind="group", targeted=True)).status
    answer = await both.teams_card("Ana Lima", to=ANA)
    assert (TEAMS_GROUP_CHAT, ANA.teams_id) == (answer.conversation, answer.targeted_to)
    assert not both.teams_messages("you are Ana Lima")


@pytest.mark.parametrize("kind", ["channel", "group"])
async def test_what_people_say_to_each_other_is_none_of_its_business(both: Stage, kind: str) -> None:
    """Without a mention nothing is stored, even where consent makes Teams deliver every message."""
    before = await both.inbox_count()
    for text in ("status vault-prod-01", "the backup of vm-erp-01 failed again", "backups are boring", "approve"):
        assert 202 == (await both.on_teams.message(EVE, text, kind=kind, mention=False)).status
    assert before == await both.inbox_count()


async def test_an_edited_question_is_answered_again(both: Stage) -> None:
    """A typing mistake mended in place is a new question; the same edit delivered twice is one."""
    typed = both.on_teams.message_activity(MAX, "explian UserErrorKeyVaultPermissionsNotConfigured", kind="channel")
    assert 202 == (await both.on_teams.send(typed)).status
    await both.told("teams", MAX, "explian")
    before = await both.inbox_count()
    fixed = "<at>Backup</at> explain UserErrorKeyVaultPermissionsNotConfigured"
    for _ in range(2):
        assert 202 == (await both.on_teams.edit(MAX, typed, fixed)).status
    await both.teams_card("UserErrorKeyVaultPermissionsNotConfigured")
    assert before + 1 == await both.inbox_count()


async def test_a_message_delivered_twice_is_answered_once(both: Stage) -> None:
    """Teams repeats messages too; the activity id tells."""
    typed = both.on_teams.message_activity(EVE, "help", kind="channel")
    before = await both.inbox_count()
    await asyncio.gather(*(both.on_teams.send(typed) for _ in range(4)))
    await until(
        "the help",
        lambda: [one for one in both.teams.messages.values() if one.conversation == typed["conversation"]["id"]],
    )
    assert before + 1 == await both.inbox_count()


async def test_both_platforms_say_the_same(both: Stage) -> None:
    """One command, asked on each: the same first line."""
    await both.say("teams", MAX, "explain UserErrorVmNotInDesirableState")
    await both.say("slack", MAX, "explain UserErrorVmNotInDesirableState")
    on_teams = await both.teams_card("UserErrorVmNotInDesirableState")
    on_slack = await until(
        "on Slack",
        lambda: [
            one
            for one in (*both.slack.messages.values(), *both.slack.ephemerals)
            if "UserErrorVmNotInDesirableState" in one.text
        ],
    )
    assert on_teams.activity["summary"] == on_slack[-1].text


async def test_being_installed_and_removed_is_taken_quietly(both: Stage) -> None:
    """Installation and membership events are accepted and nothing is said."""
    before = await both.inbox_count()
    for reply in (
        await both.on_teams.installed(ANA),
        await both.on_teams.members_changed(ANA),
        await both.on_teams.members_changed(ANA, bot=False, added=False),
        await both.on_teams.installed(ANA, added=False),
    ):
        assert 202 == reply.status
    assert before == await both.inbox_count()
