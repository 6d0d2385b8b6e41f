"""Cards out to Teams: every sort of place, private answers, updates, refusals and losses, against a strict connector."""

import json
from datetime import timedelta
from typing import Any

import pytest

from adaptive_cards.card import Button, Buttons, Card, Form, Mention, Text, TextInput
from bot.workflows.outbox import MessengerError
from simulator.chat_people import ANA, BEN, EVE, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT
from tests.cards.oracles import check_teams, objects, teams_text
from tests.transports.teams_world import World, hurry, sent
from tests.transports.test_teams_inbound import APPROVAL

Json = dict[str, Any]
CARD = Card("backup of vm-erp-01 failed", (Text("because of its key vault"),), severity="critical")
LATER = Card("backup of vm-erp-01 works again", severity="good")


async def test_a_post_to_a_channel_opens_a_thread(teams: World) -> None:
    """One call with the message inside; summary and card, never text beside a card; later posts go into the thread."""
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="incident", reply=None)

    first = sent(teams, ref)
    assert f"{TEAMS_CHANNEL};messageid={ref['id']}" == ref["conversation"]
    assert "✖ CRITICAL backup of vm-erp-01 failed" == first.activity["summary"]
    assert "text" not in first.activity
    check_teams(first.card)
    assert [] == teams.fake.warnings

    inside = await teams.bot.messenger.post(TEAMS_CHANNEL, ref, LATER, key="proof", reply=None)
    assert ref["conversation"] == inside["conversation"]
    assert ref["id"] != inside["id"]
    assert ["token", "create", "send"] == [call.method for call in teams.fake.calls]


async def test_a_post_to_a_chat_a_thread_and_a_person(teams: World) -> None:
    """Chats and threads are posted to as they are; a person's id means their own chat with the bot."""
    for channel in (TEAMS_GROUP_CHAT, f"{TEAMS_CHANNEL};messageid=1000"):
        ref = await teams.bot.messenger.post(channel, None, CARD, key="k", reply=None)
        assert channel == ref["conversation"] == sent(teams, ref).conversation
    for person in (MAX.aad_id, MAX.teams_id):
        ref = await teams.bot.messenger.post(person, None, CARD, key="k", reply=None)
        assert teams.fake.personal_chat(MAX).id == ref["conversation"]
    again = len([call for call in teams.fake.calls if call.method == "create"])
    await teams.bot.messenger.post(MAX.aad_id, None, CARD, key="k", reply=None)
    assert again == len([call for call in teams.fake.calls if call.method == "create"])


@pytest.mark.parametrize("place", [TEAMS_CHANNEL, TEAMS_GROUP_CHAT, MAX.aad_id])
async def test_an_update_replaces_the_message_in_place(teams: World, place: str) -> None:
    """Same conversation and id, new card and notification; no second message."""
    ref = await teams.bot.messenger.post(place, None, CARD, key="k", reply=None)
    before = len(teams.fake.messages)
    hurry(teams)
    await teams.bot.messenger.update(ref, LATER, revision=2, key="k")

    assert before == len(teams.fake.messages)
    assert "✔ GOOD backup of vm-erp-01 works again" == sent(teams, ref).activity["summary"]
    assert 2 == len(sent(teams, ref).history)


async def test_edits_of_one_message_are_two_seconds_apart(teams: World) -> None:
    """Sooner, the outbox is told when to come again and sends the latest state then; other messages do not wait."""
    now = [100.0]
    teams.bot.messenger.monotonic = lambda: now[0]
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    other = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="l", reply=None)
    now[0] = 101.5
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.update(ref, LATER, revision=2, key="k")
    assert (timedelta(seconds=0.5), False) == (caught.value.retry_after, caught.value.permanent)
    now[0] = 102.0
    await teams.bot.messenger.update(ref, LATER, revision=2, key="k")
    await teams.bot.messenger.update(other, LATER, revision=2, key="l")
    now[0] = 103.9
    with pytest.raises(MessengerError):
        await teams.bot.messenger.update(ref, CARD, revision=3, key="k")
    assert 2 == len(sent(teams, ref).history)


async def test_a_whisper_is_a_private_message_where_the_person_is(teams: World) -> None:
    """In groups and threads only they see it; in their own chat it is an ordinary message."""
    for kind in ("group", "channel"):
        activity = teams.sender.message_activity(MAX, "status", kind=kind, thread="1000")
        await teams.bot.messenger.whisper("", CARD, reply=teams.bot.platform.reply("message", activity))
        (message,) = [one for one in teams.fake.messages.values() if one.targeted_to]
        assert (MAX.teams_id, activity["conversation"]["id"]) == (message.targeted_to, message.conversation)
        assert "entities" not in message.activity
        teams.fake.messages.clear()

    activity = teams.sender.message_activity(MAX, "status")
    await teams.bot.messenger.whisper("", CARD, reply=teams.bot.platform.reply("message", activity))
    (message,) = teams.fake.messages.values()
    assert (None, teams.fake.personal_chat(MAX).id) == (message.targeted_to, message.conversation)


async def test_a_private_question_is_answered_privately_and_updated_so(teams: World) -> None:
    """The answer quotes the question; its updates carry the mark and no recipient, which Teams refuses."""
    activity = teams.sender.message_activity(MAX, "status", kind="group", targeted=True)
    reply = teams.bot.platform.reply("message", activity)
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="reply", reply=reply)

    message = sent(teams, ref)
    assert MAX.teams_id == message.targeted_to
    assert [{"type": "targetedMessageInfo", "messageId": activity["id"]}] == message.activity["entities"]
    hurry(teams)
    await teams.bot.messenger.update(ref, LATER, revision=2, key="reply")
    assert "recipient" not in message.activity
    assert "works again" in message.activity["summary"]


@pytest.mark.parametrize("status", [400, 403])
async def test_where_private_messages_are_refused_the_own_chat_is_used(teams: World, status: int) -> None:
    """Older tenants refuse them; the notice reaches its person all the same, and nobody else."""
    teams.fake.fail_next("send", error="THREADACCESSDENIED-209", status=status)
    activity = teams.sender.message_activity(MAX, "status", kind="group", targeted=True)
    reply = teams.bot.platform.reply("message", activity)
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="reply", reply=reply)
    assert teams.fake.personal_chat(MAX).id == ref["conversation"]
    assert "targeted" not in ref


async def test_a_notice_for_somebody_known_by_id_alone(teams: World) -> None:
    """Without a conversation the own chat is used; without a person there is nobody to tell."""
    await teams.bot.messenger.whisper(TEAMS_CHANNEL, CARD, reply={"user": MAX.teams_id})
    await teams.bot.messenger.whisper(ANA.aad_id, CARD, reply={})
    assert ["a:max", "a:ana"] == [message.conversation for message in teams.fake.messages.values()]
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.whisper(TEAMS_GROUP_CHAT, CARD, reply={})
    assert caught.value.permanent
    assert 2 == len(teams.fake.messages)


async def test_a_throttled_private_message_waits_instead_of_going_elsewhere(teams: World) -> None:
    """Only a refusal changes the place."""
    teams.fake.throttle["send"] = 1
    reply = {"user": MAX.teams_id, "conversation": TEAMS_GROUP_CHAT, "kind": "groupChat"}
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.whisper("", CARD, reply=reply)
    assert not caught.value.permanent
    assert {} == teams.fake.messages


async def test_a_form_is_a_private_card_with_inputs(teams: World) -> None:
    """What is filled in comes back under the ids of the inputs (see the inbound tests)."""
    form = Form("Reject", (Text("vm-erp-01"), TextInput("reason", "Why?")), "approval.reject_send", "APR-1")
    activity = teams.sender.message_activity(ANA, "x", kind="channel", thread="1000")
    await teams.bot.messenger.open_form(form, reply=teams.bot.platform.reply("message", activity))
    (message,) = teams.fake.messages.values()
    assert ANA.teams_id == message.targeted_to
    check_teams(message.card)
    assert ["reason"] == [one["id"] for one in objects(message.card) if one.get("type") == "Input.Text"]


@pytest.mark.parametrize("status", [408, 412, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(teams: World, status: int) -> None:
    """The outbox waits as long as Teams asks, a little longer each time anew, or its own time when Teams says nothing."""
    teams.fake.fail_next("send", status=status, retry_after=7)
    teams.fake.fail_next("send", status=status)
    waits = []
    for _ in range(2):
        with pytest.raises(MessengerError) as caught:
            await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
        assert not caught.value.permanent
        waits.append(caught.value.retry_after)
    assert waits[0] is not None
    assert 7 <= waits[0].total_seconds() <= 8.75
    assert waits[1] is None
    await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)


async def test_what_does_not_pass_is_final(teams: World) -> None:
    """A blocked bot, an unknown conversation, a message that is gone: said with the connector's own word."""
    teams.fake.conversations[TEAMS_GROUP_CHAT].blocked = True
    gone = {"conversation": f"{TEAMS_CHANNEL};messageid=1", "id": "1", "service_url": teams.fake.service_url}
    messenger = teams.bot.messenger
    for attempt, word in (
        (messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None), "MessageWritesBlocked"),
        (messenger.post("19:nobody@thread.v2", None, CARD, key="k", reply=None), "ConversationNotFound"),
        (messenger.update(gone, CARD, revision=2, key="k"), "ActivityNotFoundInConversation"),
        (messenger.update({"conversation": "a:1", "id": ""}, CARD, revision=2, key="k"), "no id"),
        (messenger.update({"conversation": "..", "id": "1"}, CARD, revision=2, key="k"), "no id"),
    ):
        with pytest.raises(MessengerError, match=word) as caught:
            await attempt
        assert caught.value.permanent
        assert caught.value.retry_after is None


async def test_a_lost_answer_means_posting_again(teams: World) -> None:
    """Teams cannot be searched: two messages are better than none, and the second is the one kept up to date."""
    teams.fake.fail_next("create", cut=True, after_effect=True)
    messenger = teams.bot.messenger
    with pytest.raises(MessengerError) as caught:
        await messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
    assert await messenger.find(TEAMS_CHANNEL, None, "k") is None
    ref = await messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    assert 2 == len(teams.fake.messages)
    hurry(teams)
    await messenger.update(ref, LATER, revision=2, key="k")


async def test_a_card_too_large_is_shortened_and_says_so(teams: World) -> None:
    """413 means less of it, twice; the buttons stay, and what is missing is said."""
    rows = tuple(Text(f"line {number} " + "x" * 300) for number in range(60))
    card = Card("failed", (*rows, Buttons((Button("I have it", "incident.take", "INC-1"),))))
    sizes = []
    for refusals in range(3):
        teams.fake.fail_next("send", refusals, error="MessageSizeTooBig", status=413) if refusals else None
        ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
        content = sent(teams, ref).card
        check_teams(content)
        assert "not shown" in teams_text(content)
        assert any(one.get("title") == "I have it" for one in objects(content))
        sizes.append(len(json.dumps(content).encode("utf-16-le")))
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[1] <= 14 * 1024 + 2
    assert sizes[2] <= 7 * 1024 + 2

    teams.fake.fail_next("send", 3, error="MessageSizeTooBig", status=413)
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert caught.value.permanent


async def test_a_card_of_buttons_alone_that_is_too_large_is_final(teams: World) -> None:
    """What may not be lost and does not fit is an error, not a card without its buttons."""
    card = Card("a", (Buttons(tuple(Button("b", "act", "v" * 900) for _ in range(12))),))
    with pytest.raises(MessengerError, match="cannot be drawn") as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert caught.value.permanent


async def test_only_known_approvers_see_the_buttons(teams: World) -> None:
    """Each has a view of their own; the shared card has none of the deciding buttons and says where they are."""
    teams.desk.approvers = (ANA.aad_id, BEN.aad_id)
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    card = sent(teams, ref).card
    check_teams(card)
    assert [ANA.teams_id, BEN.teams_id] == card["refresh"]["userIds"]
    assert ("approval.view", {"backupbot": "approval.view:APR-1"}) == (
        card["refresh"]["action"]["verb"],
        card["refresh"]["action"]["data"],
    )
    titles = {one.get("title") for one in objects(card["body"])}
    assert {"Withdraw"} == titles & {"Approve", "Reject", "Withdraw"}
    assert "shown to those who may decide" in teams_text(card)


@pytest.mark.parametrize(
    "approvers", [(), (ANA.aad_id, "ffffffff-0000-4000-a000-000000000001"), tuple(f"{n}" for n in range(61))]
)
async def test_otherwise_everybody_sees_them(teams: World, approvers: tuple[str, ...]) -> None:
    """No list, somebody whom no roster has, or more than 60: nobody who may decide is left without buttons."""
    teams.desk.approvers = approvers
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    card = sent(teams, ref).card
    assert "refresh" not in card
    assert {"Approve", "Reject"} <= {one.get("title") for one in objects(card)}


async def test_sixty_approvers_are_the_most(teams: World) -> None:
    """The limit's last good value."""
    people = [(MAX, ANA, BEN, EVE)[number % 4].aad_id for number in range(60)]
    teams.desk.approvers = tuple(people)
    teams.bot.directory.rosters = (TEAMS_CHANNEL,)
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, APPROVAL, key="k", reply=None)
    assert 60 == len(sent(teams, ref).card["refresh"]["userIds"])


async def test_a_mention_calls_somebody(teams: World) -> None:
    """The entity stands in the card, where Teams looks for it."""
    card = Card("wake up", (Text(Mention("teams-user", ANA.aad_id, "Ana Lima")),))
    ref = await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, card, key="k", reply=None)
    assert ANA.aad_id == sent(teams, ref).card["msteams"]["entities"][0]["mentioned"]["id"]
