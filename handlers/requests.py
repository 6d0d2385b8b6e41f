"""What people send, without any platform's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adaptive_cards.card import Card, Form
from domain.actor import Actor


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a request came from: a channel, and the thread's first message by its key where that is ours."""

    platform: str
    channel: str
    thread_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Words typed: the text after ``/backup`` or after the bot's name."""

    text: str
    actor: Actor
    where: Where


@dataclass(frozen=True, kw_only=True)
class Press:
    """A button pressed."""

    action: str
    value: str
    actor: Actor
    where: Where


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A form sent."""

    action: str
    value: str
    fields: Mapping[str, str] = field(default_factory=dict)
    actor: Actor
    where: Where


Request = Command | Press | Submission


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a handler says: a card for everybody there, or for the asker alone; or a form to fill in.

    Each next answer of one request replaces the one before, so that progress and result are one message.
    """

    card: Card | None = None
    private: bool = False
    form: Form | None = None
