"""What Slack posts becomes a neutral request: pure, for every kind, and nothing that is not ours."""

import json

import pytest

from adaptive_cards.identity import encode
from bot.transports.slack_payload import NotOursError, as_typed, is_ours, reply_of, request_of, user_of
from domain.actor import Actor
from handlers.requests import Command, Press, Submission

WHO = Actor(platform="slack", id="U0MAX", name="Max")


@pytest.mark.parametrize(
    ("slack", "typed"),
    [
        ("status vault-prod-01", "status vault-prod-01"),
        ("explain <https://aka.ms/AB-x|aka.ms/AB-x>", "explain aka.ms/AB-x"),
        ("explain <https://aka.ms/AB-x>", "explain https://aka.ms/AB-x"),
        ("see <mailto:ana@contoso.com|ana@contoso.com>", "see ana@contoso.com"),
        ("a &amp; b &lt;c&gt; &amp;lt;", "a & b <c> &lt;"),
        ("a < b > c", "a < b > c"),
        ("<@U0ANA> <!channel> <#C0B|backup>", "<@U0ANA> <!channel> <#C0B|backup>"),
    ],
)
def test_text_is_read_as_it_was_typed(slack: str, typed: str) -> None:
    """Links lose their brackets, three characters their escapes; mentions stay what they are."""
    assert typed == as_typed(slack)


def test_a_command_and_a_mention_are_commands() -> None:
    """The channel and the text, without the bot's own name."""
    typed = request_of("command", {"text": "help", "channel_id": "C1", "user_id": "U0MAX"}, WHO)
    event = {"event": {"text": "<@U0BOT>  status x", "channel": "C1", "user": "U0MAX"}}
    said = request_of("event", event, WHO)

    assert isinstance(typed, Command)
    assert isinstance(said, Command)
    assert ("help", "C1") == (typed.text, typed.where.channel)
    assert ("status x", "C1") == (said.text.strip(), said.where.channel)


def test_buttons_and_menus_are_presses() -> None:
    """A button and the chosen entry of a menu carry the same identity."""
    value = encode("approval.approve", "APR-1")
    for chosen in ({"value": value}, {"selected_option": {"value": value}}):
        press = request_of("action", {"actions": [chosen], "container": {"channel_id": "C1"}}, WHO)
        assert isinstance(press, Press)
        assert ("approval.approve", "APR-1", "C1") == (press.action, press.value, press.where.channel)


def test_a_form_brings_its_fields() -> None:
    """Texts and choices by the id of their input; an empty one is empty."""
    metadata = json.dumps({"identity": encode("approval.reject_send", "APR-1"), "channel": "C1"})
    values = {
        "reason": {"value": {"type": "plain_text_input", "value": None}},
        "tier": {"value": {"type": "static_select", "selected_option": {"value": "Hot"}}},
    }
    sent = request_of("view", {"view": {"private_metadata": metadata, "state": {"values": values}}}, WHO)

    assert isinstance(sent, Submission)
    assert {"reason": "", "tier": "Hot"} == sent.fields
    assert ("approval.reject_send", "APR-1", "C1") == (sent.action, sent.value, sent.where.channel)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("action", {}),
        ("action", {"actions": []}),
        ("action", {"actions": [{"value": "open.1"}]}),
        ("action", {"actions": [{"url": "https://portal.azure.com"}]}),
        ("view", {}),
        ("view", {"view": {"private_metadata": "not json"}}),
        ("view", {"view": {"private_metadata": "[1]"}}),
        ("view", {"view": {"private_metadata": "5"}}),
        ("shortcut", {}),
    ],
)
def test_what_is_not_ours_is_left_alone(kind: str, payload: dict[str, object]) -> None:
    """Links, other apps' values, forms that are none of ours."""
    assert not is_ours(kind, payload)
    with pytest.raises(NotOursError):
        request_of(kind, payload, WHO)


def test_the_way_back() -> None:
    """The sender, the response address and the trigger where there are any; the team that the user belongs to."""
    action = {"user": {"id": "U1", "username": "x", "team_id": "T9"}, "team": {"id": "T1"}, "response_url": "https://h"}

    assert {"user": "U1", "response_url": "https://h"} == reply_of("action", action)
    assert ("U1", "x", "T9") == user_of("action", action)
    assert ("U1", "", "T2") == user_of("event", {"event": {"user": "U1", "user_team": "T2", "team": "T1"}})
    assert {"user": "U2", "trigger_id": "t"} == reply_of("command", {"user_id": "U2", "trigger_id": "t"})
