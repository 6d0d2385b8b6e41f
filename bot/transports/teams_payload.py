"""Pure: what Teams posts becomes a neutral request. Nothing here asks Teams anything.

The raw JSON is read, because the SDK's model loses ``tenantId`` and ``isTargeted`` on the way.
"""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adaptive_cards.identity import IDENTITY_KEY, decode
from bot.transports.teams_addresses import channel_of
from domain.actor import Actor
from handlers.requests import Command, Press, Request, Submission, Where

Payload = Mapping[str, Any]

REFRESH = "approval.view"
"""The verb by which a client asks for its reader's own view of a card; it never does anything."""
EXECUTE = "adaptiveCard/action"
PERSONAL = "personal"
BOT_PREFIX = "28:"
_AT = re.compile(r"<at\b[^>]*>(.*?)</at>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?\w+[^>]*>")
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u200b": "", "\ufeff": ""})
_NAMED = re.compile(r"\s*(/?)backup(?:\s+(\S+)|\s*$)", re.IGNORECASE)


class NotOursError(ValueError):
    """The payload is not one that this bot asked for."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sent an activity, as it says itself: Teams id ``29:…``, Entra object id, display name, tenant."""

    teams_id: str
    entra_id: str
    name: str
    tenant: str

    @property
    def id(self) -> str:
        """The id that the rest of the bot knows this person by."""
        return self.entra_id or self.teams_id


def _part(value: object, *names: str) -> Any:  # noqa: ANN401  (JSON)
    """A value deep inside, None where anything on the way is missing or of another shape."""
    for name in names:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _words(value: object, *names: str) -> str:
    found = _part(value, *names)
    return found if isinstance(found, str) else ""


def tenant_of(activity: Payload) -> str:
    """The tenant that an activity comes from, "" when it names none."""
    return _words(activity, "channelData", "tenant", "id") or _words(activity, "conversation", "tenantId")


def sender_of(activity: Payload) -> Sender:
    """The sender."""
    return Sender(
        teams_id=_words(activity, "from", "id"),
        entra_id=_words(activity, "from", "aadObjectId").lower(),
        name=_words(activity, "from", "name"),
        tenant=tenant_of(activity),
    )


def conversation_of(activity: Payload) -> str:
    """The conversation's id; in a channel it names the thread too."""
    return _words(activity, "conversation", "id")


def kind_of_conversation(activity: Payload) -> str:
    """``personal``, ``groupChat`` or ``channel``."""
    said = _words(activity, "conversation", "conversationType")
    if said:
        return said
    return "groupChat" if _part(activity, "conversation", "isGroup") is True else PERSONAL


def is_targeted(activity: Payload) -> bool:
    """Whether only the sender and the bot see this message; what is answered to it must stay between them."""
    return _part(activity, "recipient", "isTargeted") is True


def reference_of(activity: Payload) -> dict[str, str]:
    """What an activity says about reaching its conversation and its sender again; empty when it says too little."""
    conversation, service_url = conversation_of(activity), _words(activity, "serviceUrl")
    sender = sender_of(activity)
    if not (conversation and service_url and sender.tenant):
        return {}
    is_human = sender.teams_id and not sender.teams_id.startswith(BOT_PREFIX)
    return {
        "conversation": channel_of(conversation),
        "kind": kind_of_conversation(activity),
        "service_url": service_url,
        "tenant": sender.tenant,
        "user": sender.teams_id if is_human else "",
        "entra_id": sender.entra_id if is_human else "",
        "name": sender.name if is_human else "",
    }


def kind_of(activity: Payload, commands: frozenset[str]) -> str | None:
    """What sort of request an activity is: ``message``, ``edit``, ``submit`` or ``invoke``; None for all that is no request.

    With resource-specific consent Teams delivers everything that people say to each other, so in groups and channels only
    what is addressed to the bot counts: a mention, a private message, ``/backup …``, or ``backup`` and a known command.
    """
    if sender_of(activity).teams_id.startswith(BOT_PREFIX) or not conversation_of(activity):
        return None
    match activity.get("type"):
        case "invoke":
            return "invoke" if activity.get("name") == EXECUTE else None
        case "message" if isinstance(_part(activity, "value", IDENTITY_KEY), str):
            return "submit"
        case "message" if _is_addressed(activity, commands):
            return "message"
        case "messageUpdate" if _words(activity, "channelData", "eventType") == "editMessage":
            return "edit" if _is_addressed(activity, commands) else None
    return None


def _is_addressed(activity: Payload, commands: frozenset[str]) -> bool:
    text = activity.get("text")
    if not isinstance(text, str):
        return False
    if kind_of_conversation(activity) == PERSONAL:
        return bool(text.strip())
    if is_targeted(activity) or any(_own_mentions(activity)):
        return True
    named = _NAMED.match(command_text(activity))
    return named is not None and (bool(named[1]) or str(named[2] or "help").casefold() in commands)


def _own_mentions(activity: Payload) -> Iterator[str]:
    entities = activity.get("entities")
    bot = _words(activity, "recipient", "id")
    for entity in entities if isinstance(entities, list) else ():
        if _part(entity, "type") == "mention" and bot and _part(entity, "mentioned", "id") == bot:
            yield _words(entity, "text")


def command_text(activity: Payload) -> str:
    """What was typed, without the bot's own mention and without markup; other people's mentions leave their names."""
    text = _words(activity, "text")
    for mention in _own_mentions(activity):
        if mention:
            text = text.replace(mention, " ", 1)
    text = _TAG.sub(" ", _AT.sub(r"\1", text)) if activity.get("textFormat") == "xml" else _AT.sub(r"\1", text)
    return html.unescape(text).translate(_SPACES).strip()


def dedupe_of(kind: str, activity: Payload) -> str | None:
    """What tells a repeated delivery from a new request; None when the activity has no id.

    An edit has the id of the message that it changes, so its new words tell one from the next.
    """
    activity_id = _words(activity, "id")
    if not activity_id:
        return None
    key = f"{conversation_of(activity)}:{activity_id}"
    if kind == "edit":
        key += f":{hashlib.sha256(command_text(activity).encode()).hexdigest()[:16]}"
    return key


def pressed(kind: str, activity: Payload) -> tuple[str, str, dict[str, str]]:
    """(action, value, the answers to a card's inputs) of a press, through Action.Execute or Action.Submit.

    Raises:
        NotOursError: the card is not one of this bot's.
    """
    found = _part(activity, "value", "action", "data") if kind == "invoke" else activity.get("value")
    data: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    identity = _words(data, IDENTITY_KEY)
    try:
        action, value = decode(identity)
    except ValueError as error:
        raise NotOursError("the card is not one of ours") from error
    fields = {str(name): _field(one) for name, one in data.items() if name not in {IDENTITY_KEY, "msteams"}}
    return action, value, fields


def _field(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def is_refresh(activity: Payload) -> bool:
    """Whether a client asks for a view rather than a person pressing something; what is automatic decides nothing."""
    if _words(activity, "value", "trigger") == "automatic":
        return True
    try:
        return pressed("invoke", activity)[0] == REFRESH
    except NotOursError:
        return False


def request_of(kind: str, payload: Payload, actor: Actor, forms: frozenset[str]) -> Request:
    """The request in a stored activity; ``forms`` are the actions that are answers to forms.

    Raises:
        NotOursError: there is nothing in it that this bot understands.
    """
    where = Where(platform="teams", channel=conversation_of(payload))
    if kind in {"message", "edit"}:
        return Command(text=command_text(payload), actor=actor, where=where)
    if kind in {"submit", "invoke"}:
        action, value, fields = pressed(kind, payload)
        if action in forms:
            return Submission(action=action, value=value, fields=fields, actor=actor, where=where)
        return Press(action=action, value=value, actor=actor, where=where)
    raise NotOursError(f"there is no kind of payload {kind}")


def reply_of(kind: str, payload: Payload) -> dict[str, str]:
    """The way back to the sender alone, as strings for the store."""
    sender = sender_of(payload)
    found = {
        "user": sender.teams_id,
        "entra_id": sender.entra_id,
        "conversation": conversation_of(payload),
        "kind": kind_of_conversation(payload),
        "service_url": _words(payload, "serviceUrl"),
        "tenant": sender.tenant,
    }
    if is_targeted(payload):
        found["targeted"] = "true"
        if kind == "message":
            found["message"] = _words(payload, "id")
    return found
