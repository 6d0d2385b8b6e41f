"""Pure: what Slack posts becomes a neutral request. Nothing here asks Slack anything."""

import json
import re
from collections.abc import Mapping
from typing import Any

from adaptive_cards.identity import decode
from adaptive_cards.slack import INPUT_ACTION
from domain.actor import Actor
from handlers.requests import Command, Press, Request, Submission, Where

_LINK = re.compile(r"<(?:mailto:)?((?:https?://)?[^<>|@#! ]+(?:@[^<>|]+)?)(?:\|([^<>]*))?>")
Payload = Mapping[str, Any]


class NotOursError(ValueError):
    """The payload is not one that this bot asked for."""


def user_of(kind: str, payload: Payload) -> tuple[str, str, str]:
    """(user id, user name, the team the user belongs to as the payload says, or "")."""
    if kind == "command":
        return str(payload.get("user_id", "")), str(payload.get("user_name", "")), str(payload.get("team_id", ""))
    if kind == "event":
        event = payload.get("event") or {}
        return (
            str(event.get("user", "")),
            "",
            str(event.get("user_team") or event.get("team") or payload.get("team_id") or ""),
        )
    user = payload.get("user") or {}
    team = payload.get("team") or {}
    return (
        str(user.get("id", "")),
        str(user.get("username") or user.get("name") or ""),
        str(user.get("team_id") or team.get("id") or ""),
    )


def reply_of(kind: str, payload: Payload) -> dict[str, str]:
    """The way back to the sender: their id, the response address, the trigger for a form."""
    user_id, _, _ = user_of(kind, payload)
    found = {"user": user_id}
    for name in ("response_url", "trigger_id"):
        if payload.get(name):
            found[name] = str(payload[name])
    return found


def request_of(kind: str, payload: Payload, actor: Actor) -> Request:
    """The request in a stored payload.

    Raises:
        NotOursError: there is nothing in it that this bot understands.
    """
    match kind:
        case "command":
            where = Where(platform="slack", channel=str(payload.get("channel_id", "")))
            return Command(text=as_typed(str(payload.get("text", ""))), actor=actor, where=where)
        case "event":
            return _mention(payload, actor)
        case "action":
            return _press(payload, actor)
        case "view":
            return _submission(payload, actor)
    raise NotOursError(f"there is no kind of payload {kind}")


def is_ours(kind: str, payload: Payload) -> bool:
    """Whether the payload can be understood at all; Slack also reports presses of buttons that only open an address."""
    nobody = Actor(platform="slack", id="")
    try:
        request_of(kind, payload, nobody)
    except NotOursError:
        return False
    return True


def as_typed(text: str) -> str:
    """Undo what Slack does to text: links in angle brackets, and three characters escaped.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    text = _LINK.sub(lambda match: match.group(2) or match.group(1), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _mention(payload: Payload, actor: Actor) -> Command:
    event = payload.get("event") or {}
    text = str(event.get("text", ""))
    if text.lstrip().startswith("<@"):
        text = text.partition(">")[2]
    where = Where(platform="slack", channel=str(event.get("channel", "")))
    return Command(text=as_typed(text), actor=actor, where=where)


def _place(payload: Payload) -> Where:
    container = payload.get("container") or {}
    channel = (payload.get("channel") or {}).get("id") or container.get("channel_id") or ""
    return Where(platform="slack", channel=str(channel))


def _press(payload: Payload, actor: Actor) -> Press:
    actions = payload.get("actions") or [{}]
    chosen = actions[0].get("selected_option") or actions[0]
    try:
        action, value = decode(str(chosen.get("value", "")))
    except ValueError as error:
        raise NotOursError("the button is not one of ours") from error
    return Press(action=action, value=value, actor=actor, where=_place(payload))


def _submission(payload: Payload, actor: Actor) -> Submission:
    view = payload.get("view") or {}
    try:
        identity = json.loads(view.get("private_metadata") or "{}")
        action, value = decode(str(identity.get("identity", "")))
    except (ValueError, AttributeError) as error:
        raise NotOursError("the form is not one of ours") from error
    fields: dict[str, str] = {}
    for block_id, block in ((view.get("state") or {}).get("values") or {}).items():
        for action_id, state in block.items():
            chosen = state.get("selected_option") or {}
            name = block_id if action_id == INPUT_ACTION else action_id
            fields[str(name)] = str(state.get("value") or chosen.get("value") or "")
    where = Where(platform="slack", channel=str(identity.get("channel", "")))
    return Submission(action=action, value=value, fields=fields, actor=actor, where=where)
