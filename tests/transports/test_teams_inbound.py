"""What people do on Teams, over the real route: stored once, dropped when not meant for the bot, answered at once."""

import asyncio
from typing import Any

import pytest

from adaptive_cards.card import Button, Buttons, Card, Fold, Text
from bot.transports.teams_payload import NotOursError, command_text, is_refresh, kind_of, request_of
from domain.actor import Actor
from handlers.requests import Command, Press, Submission
from simulator.chat_people import ANA, EVE, EXTERNAL, GUEST, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT, Person
from simulator.teams_cards import card_problems
from simulator.teams_sender import BOT_NAME
from simulator.teams_state import TeamsMessage
from tests.cards.oracles import check_teams, objects, teams_text
from tests.transports.teams_world import COMMANDS, FORMS, World

Json = dict[str, Any]

APPROVAL = Card(
    "Approval needed: run the backup of vm-erp-01 again",
    (
        Text("Run the backup of vm-erp-01 again"),
        Buttons(
            (Button("Approve", "approval.approve", "APR-1"), Button("Reject", "approval.reject", "APR-1")),
            more=(Button("Withdraw", "approval.withdraw", "APR-1"),),
        ),
        Fold("Exact calls", (Text("POST"),), instead=Button("Exact calls", "approval.calls", "APR-1")),
    ),
    key="APR-1",
)


async def posted(teams: World, card: Card = APPROVAL, channel: str = TEAMS_CHANNEL) -> TeamsMessage:
    """A card that the bot posted, and whose latest state is known."""
    ref = await teams.bot.messenger.post(channel, None, card, key="k", reply=None)
    teams.desk.cards[ref["conversation"], ref["id"]] = card
    return teams.fake.messages[ref["conversation"], ref["id"]]


def data_of(card: Json, title: str) -> tuple[str, Json]:
    """(verb, data) of the button with this title, as a client reads it from the card."""
    (found,) = [one for one in objects(card) if one.get("type") == "Action.Execute" and one.get("title") == title]
    return found["verb"], found["data"]


async def requests(teams: World) -> list[Any]:
    """What was stored, as the inbox's worker sees it."""
    return [
        await teams.bot.platform.request(kind.removeprefix("teams."), payload) for kind, payload in teams.desk.stored
    ]


NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("kind", "typed", "how"),
    [
        ("personal", "status vault-prod-01", {}),
        ("personal", "/backup status vault-prod-01", {}),
        ("personal", f"{NBSP}backup{NBSP}status  vault-prod-01", {}),
        ("personal", "status vault-prod-01", {"mention": True}),
        ("group", "status vault-prod-01", {}),
        ("group", "/backup status vault-prod-01", {}),
        ("group", "/backup status vault-prod-01", {"mention": False}),
        ("group", "backup status", {"targeted": True}),
        ("group", "status vault-prod-01", {"targeted": True}),
        ("channel", "status vault-prod-01", {}),
        ("channel", "/backup status vault-prod-01", {}),
        ("channel", "/backup status vault-prod-01", {"mention": False}),
        ("channel", "Backup Status vault-prod-01", {"mention": False}),
        ("channel", "backup", {"mention": False}),
        ("channel", "/backup stauts", {"mention": False}),
        ("channel", "status vault-prod-01", {"targeted": True}),
    ],
)
async def test_what_is_meant_for_the_bot_is_stored(teams: World, kind: str, typed: str, how: dict[str, Any]) -> None:
    """With and without mention, slash and odd spaces, privately or not, in every sort of conversation."""
    reply = await teams.sender.message(MAX, typed, kind=kind, **how)

    assert (202, "") == (reply.status, reply.text)
    assert ["teams.message"] == teams.kinds
    (request,) = await requests(teams)
    assert isinstance(request, Command)
    assert typed.replace(NBSP, " ").strip() == request.text
    assert teams.desk.stored[0][1]["conversation"]["id"] == request.where.channel
    assert ("teams", MAX.aad_id) == (request.where.platform, request.actor.id)


@pytest.mark.parametrize(
    "typed",
    ["status?", "backup failed again, does anybody know why", "backups", "please /backup status", "backup-01 is"],
)
@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_what_people_say_to_each_other_is_dropped(teams: World, kind: str, typed: str) -> None:
    """With consent to read a channel everything is delivered; nothing of it is kept."""
    reply = await teams.sender.message(MAX, typed, kind=kind, mention=False)
    assert 202 == reply.status
    assert [] == teams.kinds


async def test_nothing_typed_and_bots_are_dropped(teams: World) -> None:
    """An empty message asks nothing, and bots are not listened to, ourselves included."""
    await teams.sender.message(MAX, " ")
    activity = teams.sender.message_activity(MAX, "status")
    await teams.sender.send({**activity, "from": {"id": "28:another-bot", "name": "Bot"}})
    await teams.sender.send({**activity, "type": "typing"})
    await teams.sender.send({**activity, "type": "messageReaction"})
    await teams.sender.send({**activity, "type": "somethingNew"})
    assert [] == teams.kinds


async def test_a_mention_alone_is_help(teams: World) -> None:
    """The bot's name and nothing else is stored as an empty text, which the grammar reads as help."""
    await teams.sender.message(MAX, "", kind="channel")
    (request,) = await requests(teams)
    assert request.text == ""


async def test_a_repeated_delivery_is_stored_once(teams: World) -> None:
    """Same conversation, same activity: one request, and the sender gets the same answer."""
    activity = teams.sender.message_activity(MAX, "status")
    replies = [await teams.sender.send(activity) for _ in range(3)]
    assert [202, 202, 202] == [reply.status for reply in replies]
    assert ["teams.message"] == teams.kinds

    elsewhere = {**teams.sender.message_activity(MAX, "status", kind="group"), "id": activity["id"]}
    await teams.sender.send(elsewhere)
    assert 2 == len(teams.kinds)


async def test_an_edit_is_a_new_command_once(teams: World) -> None:
    """A corrected message is worked on anew; its repetition, a restored message and a deleted one are not."""
    original = teams.sender.message_activity(MAX, "staus", kind="channel")
    await teams.sender.send(original)
    for text in ("status", "status", "status vault-prod-01"):
        await teams.sender.edit(MAX, original, f"<at>{BOT_NAME}</at> {text}")
    await teams.sender.edit(MAX, original, f"<at>{BOT_NAME}</at> status", undo=True)
    await teams.sender.remove(original)
    assert ["teams.message", "teams.edit", "teams.edit"] == teams.kinds
    assert ["staus", "status", "status vault-prod-01"] == [request.text for request in await requests(teams)]


async def test_only_the_bots_own_mention_goes(teams: World) -> None:
    """Other people keep their names, entities are read as text, and tags do not become words."""
    activity = teams.sender.message_activity(MAX, "diagnose <at>Ana Lima</at> R&amp;D&nbsp;x", kind="channel")
    activity["entities"].append({"type": "mention", "mentioned": {"id": ANA.teams_id}, "text": "<at>Ana Lima</at>"})
    assert "diagnose Ana Lima R&D x" == command_text(activity)
    html = {"text": "<p>status <b>vault</b></p>", "textFormat": "xml"}
    assert ["status", "vault"] == command_text(html).split()


async def test_installations_memberships_and_messages_renew_where_a_conversation_is(teams: World) -> None:
    """The address belongs to the channel, not to a thread of it, and follows the last activity."""
    await teams.sender.installed(ANA)
    channel = f"conversation:{TEAMS_CHANNEL}"
    assert teams.fake.service_url == teams.references.records[channel]["service_url"]
    await teams.sender.members_changed(EVE, kind="group")
    assert "groupChat" == teams.references.records[f"conversation:{TEAMS_GROUP_CHAT}"]["kind"]
    await teams.sender.installed(MAX, kind="personal", added=False)
    assert [] == teams.kinds

    moved = f"{teams.fake.origin}/moved/"
    activity = {**teams.sender.message_activity(MAX, "hello", kind="channel", mention=False), "serviceUrl": moved}
    await teams.sender.send(activity, teams.sender.token(serviceurl=moved))
    assert moved == teams.references.records[channel]["service_url"]
    assert moved == teams.references.records[f"tenant:{teams.fake.tenant_id}"]["service_url"]
    assert (MAX.teams_id, TEAMS_CHANNEL) == tuple(
        teams.references.records[f"user:{MAX.aad_id}"][name] for name in ("user", "conversation")
    )
    assert not any(";messageid=" in key for key in teams.references.records)
    assert not any(key.startswith("user:28:") for key in teams.references.records)


async def test_a_press_is_stored_and_answered_with_a_working_card(teams: World) -> None:
    """The answer comes at once, is a valid card without the deciding buttons, and says what is being worked on."""
    message = await posted(teams)
    verb, data = data_of(message.card, "Approve")

    reply = await teams.sender.execute(ANA, message, verb, data)

    assert 200 == reply.status
    assert reply.seconds < 2
    assert (200, "application/vnd.microsoft.card.adaptive") == (reply.body["statusCode"], reply.body["type"])
    card = reply.body["value"]
    check_teams(card)
    assert [] == card_problems(card)
    assert "WORKING  Approve: received" in teams_text(card)
    titles = {one.get("title") for one in objects(card)}
    assert {"Withdraw"} == titles & {"Approve", "Reject", "Withdraw"}
    (request,) = await requests(teams)
    assert isinstance(request, Press)
    assert ("approval.approve", "APR-1", ANA.aad_id) == (request.action, request.value, request.actor.id)
    assert message.conversation == request.where.channel


async def test_a_repeated_invoke_is_recognised(teams: World) -> None:
    """Teams sends an invoke again within 15 s; it counts once and is answered alike."""
    message = await posted(teams)
    activity = teams.sender.invoke_activity(ANA, message, *data_of(message.card, "Approve"))
    first, second = [await teams.sender.send(activity) for _ in range(2)]
    assert first.body == second.body
    assert ["teams.invoke"] == teams.kinds


async def test_an_unknown_message_gets_a_plain_working_card(teams: World) -> None:
    """A form, or a message that the store no longer knows, is answered all the same."""
    message = await posted(teams)
    teams.desk.cards.clear()
    reply = await teams.sender.execute(ANA, message, *data_of(message.card, "Approve"))
    assert "Received, working on it" in teams_text(reply.body["value"])
    check_teams(reply.body["value"])


async def test_a_slow_store_of_cards_does_not_delay_the_answer(teams: World) -> None:
    """The press is stored; what its message shows is asked for within the time that people wait."""
    message = await posted(teams)
    asked = asyncio.Event()

    async def never(*_question: object) -> Card | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    turns = teams.bot.turns
    turns.card_at, turns.within_s = never, 0.05
    reply = await teams.sender.execute(ANA, message, *data_of(message.card, "Approve"))
    assert asked.is_set()
    assert ["teams.invoke"] == teams.kinds
    assert "Received, working on it" in teams_text(reply.body["value"])
    turns.view_for = never
    late = await teams.sender.execute(ANA, message, "approval.view", {"backupbot": "approval.view:APR-1"})
    assert (503, "application/vnd.microsoft.error") == (late.body["statusCode"], late.body["type"])


async def test_old_clients_submit(teams: World) -> None:
    """Action.Submit of our cards is the same press; of other cards it is nothing."""
    message = await posted(teams)
    _, data = data_of(message.card, "Approve")
    assert 202 == (await teams.sender.submit(ANA, message, data)).status
    assert 202 == (await teams.sender.submit(ANA, message, {"backupbot": "no identity"})).status
    assert 202 == (await teams.sender.submit(ANA, message, {"other": "bot"})).status
    assert ["teams.submit"] == teams.kinds
    (request,) = await requests(teams)
    assert isinstance(request, Press)
    assert ("approval.approve", "APR-1") == (request.action, request.value)


async def test_inputs_come_as_fields_of_a_submission(teams: World) -> None:
    """What was filled in arrives by the ids of the inputs, through both kinds of action."""
    message = await posted(teams)
    data = {"backupbot": "approval.reject_send:APR-1", "reason": "not now", "sure": True, "left": None, "msteams": {}}
    reply = await teams.sender.execute(ANA, message, "approval.reject_send", data)
    assert "Received, working on it" in teams_text(reply.body["value"])
    await teams.sender.submit(ANA, message, data)
    for request in await requests(teams):
        assert isinstance(request, Submission)
        assert {"reason": "not now", "sure": "true", "left": ""} == request.fields
        assert ("approval.reject_send", "APR-1") == (request.action, request.value)
    assert ["teams.invoke", "teams.submit"] == teams.kinds


async def test_what_is_no_press_of_ours_is_said_so(teams: World) -> None:
    """A foreign card is an error within the invoke's answer, a foreign invoke is not implemented; neither is stored."""
    message = await posted(teams)
    for data in ({}, {"backupbot": "x"}, {"backupbot": 7}, {"backupbot": "Approve:1"}):
        reply = await teams.sender.execute(ANA, message, "x", data)
        assert (200, 400) == (reply.status, reply.body["statusCode"])
        assert "application/vnd.microsoft.error" == reply.body["type"]
    activity = teams.sender.invoke_activity(ANA, message, "x", {})
    odd: Json
    for odd in ({"value": None}, {"value": {"action": []}}, {"value": []}):
        assert 400 == (await teams.sender.send({**activity, **odd})).body["statusCode"]
    assert 501 == (await teams.sender.send({**activity, "name": "task/fetch"})).status
    assert [] == teams.kinds


async def test_a_refresh_shows_ones_own_view_and_never_decides(teams: World) -> None:
    """An approver sees the buttons, anybody else the shared card; an automatic press of Approve is a refresh too."""
    message = await posted(teams)
    teams.desk.views["APR-1", ANA.aad_id] = APPROVAL
    data = {"backupbot": "approval.view:APR-1"}

    mine = await teams.sender.execute(ANA, message, "approval.view", data, automatic=True)
    check_teams(mine.body["value"])
    assert "approval.approve" == data_of(mine.body["value"], "Approve")[0]
    assert [ANA.teams_id] == mine.body["value"]["refresh"]["userIds"]
    assert data == mine.body["value"]["refresh"]["action"]["data"]
    theirs = await teams.sender.execute(EVE, message, "approval.view", data)
    assert {"Approve", "Reject"}.isdisjoint({one.get("title") for one in objects(theirs.body["value"])})
    assert "shown to those who may decide" in teams_text(theirs.body["value"])
    await teams.sender.execute(ANA, message, *data_of(message.card, "Approve"), automatic=True)
    teams.desk.cards.clear()
    gone = await teams.sender.execute(EVE, message, "approval.view", data)
    assert (404, "application/vnd.microsoft.error") == (gone.body["statusCode"], gone.body["type"])

    assert [] == teams.kinds
    assert {"APR-1"} == {approval for approval, _ in teams.desk.asked_views}
    assert [ANA.aad_id, EVE.aad_id, ANA.aad_id, EVE.aad_id] == [actor.entra_id for _, actor in teams.desk.asked_views]


PEOPLE: list[tuple[Person, dict[str, Any]]] = [
    (MAX, {"may_act": True, "email": "max@contoso.com", "email_confirmed": True, "name": "Max Weber"}),
    (GUEST, {"may_act": False, "is_guest": True, "email_confirmed": False}),
    (EXTERNAL, {"may_act": False, "is_foreign": True, "email_confirmed": False}),
]


@pytest.mark.parametrize(("person", "wanted"), PEOPLE, ids=lambda one: getattr(one, "handle", ""))
async def test_who_somebody_is_comes_from_the_roster(teams: World, person: Person, wanted: dict[str, Any]) -> None:
    """Guests and people of other tenants are known as such, and their addresses are nobody's proof."""
    activity = teams.sender.message_activity(person, "status", kind="channel")
    # In a shared channel the tenant of the activity is the channel's, whoever writes.
    activity["channelData"]["tenant"]["id"] = teams.fake.tenant_id
    assert 202 == (await teams.sender.send(activity)).status
    (request,) = await requests(teams)
    assert wanted == {name: getattr(request.actor, name) for name in wanted}
    assert person.aad_id == request.actor.entra_id


async def test_who_cannot_be_looked_up_may_not_act(teams: World) -> None:
    """A roster that fails makes somebody unknown, is asked again the next time, and is asked once when it answers."""
    await teams.sender.message(MAX, "status", kind="channel")
    teams.fake.fail_next("members", status=500)
    unknown = (await requests(teams))[0].actor
    assert (False, False, "Max Weber") == (unknown.known, unknown.may_act, unknown.name)
    assert "could not be looked up" in unknown.why_not

    for _ in range(3):
        assert (await requests(teams))[0].actor.may_act
    assert 2 == sum(call.method == "members" for call in teams.fake.calls)


async def test_a_foreign_tenant_in_a_stored_activity_may_not_act(teams: World) -> None:
    """Even if the door were open, the request would not be."""
    activity = teams.sender.message_activity(MAX, "status", kind="channel")
    activity["channelData"]["tenant"]["id"] = "another"
    request = await teams.bot.platform.request("message", activity)
    assert request.actor.is_foreign


async def test_the_directory_of_the_rest_of_the_bot(teams: World) -> None:
    """People of Teams by their Entra id, groups where somebody can read them, nothing for other platforms."""
    directory = teams.bot.directory
    assert not (await directory.actor("teams", ANA.aad_id)).known  # never wrote, and no channel to look in
    directory.rosters = ("19:gone@thread.tacv2", TEAMS_CHANNEL)
    assert "ana@contoso.com" == (await directory.actor("teams", ANA.aad_id)).email
    assert ANA.teams_id == await directory.teams_id(ANA.aad_id.upper())
    assert not (await directory.actor("slack", ANA.aad_id)).known
    assert not (await directory.actor("teams", "")).known
    assert (await directory.actor("teams", "28:bot")).is_bot
    assert await directory.members("entra-group:1") is None

    async def groups(group: str) -> frozenset[str]:
        return frozenset({group})

    directory.groups = groups
    assert frozenset({"entra-group:1"}) == await directory.members("entra-group:1")
    assert await directory.members("slack-group:S1") is None


async def test_the_way_back(teams: World) -> None:
    """A private question is answered privately and quotes it; the rest knows its conversation and person."""
    public = teams.sender.message_activity(MAX, "status", kind="group")
    private = teams.sender.message_activity(MAX, "status", kind="group", targeted=True)
    there = {
        "user": MAX.teams_id,
        "entra_id": MAX.aad_id,
        "conversation": TEAMS_GROUP_CHAT,
        "kind": "groupChat",
        "service_url": teams.fake.service_url,
        "tenant": teams.fake.tenant_id,
    }
    assert there == teams.bot.platform.reply("message", public)
    assert there | {"targeted": "true", "message": private["id"]} == teams.bot.platform.reply("message", private)


def test_kinds_that_do_not_exist() -> None:
    """A stored row of an unknown kind is an error of its own."""
    nobody = Actor(platform="teams", id="")
    with pytest.raises(NotOursError):
        request_of("sign", {}, nobody, FORMS)
    assert kind_of({"type": "message"}, COMMANDS) is None
    assert kind_of({"type": "invoke", "name": "other", "conversation": {"id": "a"}}, COMMANDS) is None
    assert not is_refresh({"value": {"action": {"data": {"backupbot": "approval.approve:1"}}}})
