"""The forms that one card takes: for everybody, for approvers, and while a press is worked on."""

import asyncio
from typing import Any

import pytest
from botbuilder.core import TurnContext
from botbuilder.schema import Activity

from adaptive_cards.card import Button, Buttons, Card, Element, Fold, Note, Status, Text
from bot.transports import teams as transport
from bot.transports.teams_messenger import everybody
from bot.transports.teams_payload import kind_of_conversation, request_of
from bot.transports.teams_views import asks_for_decision, buttons_of, named_people, shared_view, working_view
from domain.actor import Actor
from handlers.requests import Command
from simulator.chat_people import ANA, MAX, TEAMS_CHANNEL
from tests.transports.teams_world import FORMS, World

APPROVE = Button("Approve", "approval.approve", "APR-1")
GLASS = Button("Break glass", "approval.break_glass_form", "APR-1")
FOLD = Fold("f", (Buttons((GLASS,)), Text("b")))
EDIT = Button("Edit", "approval.edit", "APR-1")


def card(*elements: Element) -> Card:
    return Card("s", elements, key="APR-1")


def test_deciding_buttons_go_wherever_they_are() -> None:
    """In rows, behind More and in folds; a row that is left empty goes too, everything else stays in its order."""
    whole = card(
        Text("a"), Buttons((APPROVE, EDIT), (GLASS,)), Buttons((APPROVE,)), Fold("f", (Buttons((GLASS,)), Text("b")))
    )
    assert asks_for_decision(whole)
    assert shared_view(whole).elements == (
        Text("a"),
        Buttons((EDIT,)),
        Fold("f", (Text("b"),)),
        Note("Approve and Reject are shown to those who may decide."),
    )
    assert not asks_for_decision(shared_view(whole))
    assert [button.label for button in buttons_of(whole.elements)] == [
        "Approve",
        "Edit",
        "Break glass",
        "Approve",
        "Break glass",
    ]


def test_what_stood_behind_more_comes_forward() -> None:
    """When nothing is left beside it, a menu of its own would only hide the rest."""
    assert shared_view(card(Buttons((APPROVE,), (GLASS, EDIT)))).elements[0] == Buttons((EDIT,))


def test_while_it_is_worked_on() -> None:
    """The pressed button is named; without the card, or with a button that is not on it, the words are plainer."""
    whole = card(Buttons((APPROVE, EDIT)))
    working = working_view(whole, "approval.edit", "APR-1", simulated=False)
    assert working.elements == (Status("WORKING", "◷", "Edit: received, the result follows."), Buttons((EDIT,)))
    (status, _) = working_view(whole, "other", "1", simulated=False).elements
    assert isinstance(status, Status)
    assert status.spans == "Your click: received, the result follows."
    assert working_view(None, "x", "1", simulated=True).simulated


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ((), ()),
        (("teams:a", "teams:b", "teams:a"), ("a", "b")),
        (("teams:a", "email:ana@contoso.com"), ()),
        (("azure-rbac",), ()),
        (("*",), ()),
        (("entra-group:g", "teams:a"), ()),
    ],
)
def test_who_can_be_named_beforehand(entries: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """All by their Entra ids, or nobody."""
    assert named_people(*entries) == wanted


async def test_nothing_given_means_nobody_special(teams: World) -> None:
    """Without the callbacks of the composition root no view and no card is known."""
    assert await everybody(card()) == ()
    assert await transport.no_view("APR-1", Actor(platform="teams", id="x")) is None
    assert await transport.no_card("a", "b") is None


async def test_a_turn_sends_nothing_by_itself() -> None:
    """Messages go through the outbox, so the SDK's ways of sending are closed."""
    adapter = transport._Adapter()
    context = TurnContext(adapter, Activity(type="message"))
    for attempt in (
        adapter.send_activities(context, [Activity(type="message", text="hello")]),
        adapter.update_activity(context, Activity(type="message")),
        adapter.delete_activity(context, None),
    ):
        with pytest.raises(TypeError):
            await attempt


def test_a_conversation_without_its_kind() -> None:
    """Old activities say only whether it is a group."""
    assert "groupChat" == kind_of_conversation({"conversation": {"id": "a", "isGroup": True}})
    assert "personal" == kind_of_conversation({"conversation": {"id": "a"}})


async def test_odd_activities_are_taken_and_dropped(teams: World) -> None:
    """No id, no sender's kind, a press without a message: nothing breaks, and what can be understood is."""
    activity: dict[str, Any] = teams.sender.message_activity(MAX, "status")
    del activity["id"]
    for _ in range(2):
        assert 202 == (await teams.sender.send(activity)).status
    assert ["teams.message", "teams.message"] == teams.kinds  # nothing tells a repetition, so none is dropped
    request = request_of("message", teams.desk.stored[0][1], Actor(platform="teams", id="x"), FORMS)
    assert isinstance(request, Command)

    press = teams.sender.activity("invoke", ANA, teams.fake.conversations[TEAMS_CHANNEL], name="adaptiveCard/action")
    press["value"] = {"action": {"type": "Action.Execute", "data": {"backupbot": "approval.edit:APR-1"}}}
    assert 200 == (await teams.sender.send(press)).body["statusCode"]
    press |= {"from": {"id": "28:bot"}, "id": "other"}
    assert 200 == (await teams.sender.send(press)).body["statusCode"]
    assert ["teams.message", "teams.message", "teams.invoke"] == teams.kinds


async def test_old_times_of_edits_are_forgotten(teams: World) -> None:
    """What was sent long ago needs no memory; what was sent just now keeps it."""
    messenger, now = teams.bot.messenger, [0.0]
    messenger.monotonic = lambda: now[0]
    for number in range(1500):
        messenger._note("a", str(number))
    now[0] = 5.0
    messenger._note("a", "new")
    assert {("a", "new")} == set(messenger._sent_at)


async def test_many_at_once(teams: World) -> None:
    """A hundred messages at one time are all stored, each once, and each person is looked up by nobody on the way in."""
    activities = [teams.sender.message_activity(MAX, f"status {number}") for number in range(100)]
    replies = await asyncio.gather(*(teams.sender.send(one) for one in activities for _ in range(2)))
    assert {202} == {reply.status for reply in replies}
    assert {f"status {number}" for number in range(100)} == {payload["text"] for _, payload in teams.desk.stored}
    assert 100 == len(teams.kinds)
    assert [] == teams.fake.calls
