"""The neutral card: a closed vocabulary of what people see, which every renderer draws completely.

Text is plain text everywhere. A renderer escapes it, so a resource named ``<!channel>`` appears as these
characters and reaches nobody; emphasis, links, times and mentions exist only as spans of this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from adaptive_cards.plain import safe_url

ACTION_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
INPUT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

Severity: TypeAlias = Literal["critical", "warning", "info", "good"]
SEVERITY_SIGNS: Mapping[Severity, str] = {"critical": "✖", "warning": "▲", "info": "●", "good": "✔"}
SEVERITY_WORDS: Mapping[Severity, str] = {
    "critical": "CRITICAL",
    "warning": "WARNING",
    "info": "INFO",
    "good": "GOOD",
}


@dataclass(frozen=True, slots=True)
class Plain:
    """Text without emphasis; a line break in it becomes a space."""

    text: str


@dataclass(frozen=True, slots=True)
class Bold:
    """Text with emphasis."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A command, an id or an error code, set in a monospaced face."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Text that opens `url`; drawn as plain text unless the address is https, or http on this machine."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class When:
    """A moment: its age in words as the caller counted it, the reader's local time where possible, and UTC.

    `at` must be aware of its zone (ValueError otherwise). `age` is for instance "31 h ago" or "in 2 h"; an
    empty one is left out. `style` "time" leaves the date out, for moments of the same day.
    """

    at: datetime
    age: str = ""
    style: Literal["full", "time"] = "full"

    def __post_init__(self) -> None:
        if self.at.utcoffset() is None:
            raise ValueError("a moment on a card needs a time zone")


@dataclass(frozen=True, slots=True)
class Mention:
    """The only way to call somebody's attention; on any other platform than its own it is just the label.

    `id` is a Slack user (U…, W…) or user group (S…) id, or a Teams user id (29:… or the Entra object id).
    """

    kind: Literal["slack-user", "slack-group", "teams-user"]
    id: str
    label: str


Span: TypeAlias = Plain | Bold | Code | Link | When | Mention
Inline: TypeAlias = "str | Span | tuple[str | Span, ...]"
"""What every constructor accepts as a line of text: a string, a span, or a tuple of both."""


def spans(*parts: Inline) -> tuple[Span, ...]:
    """Join strings, spans and tuples of them to one flat tuple of spans."""
    flat: list[Span] = []
    for part in parts:
        several = part if isinstance(part, tuple) else (part,)
        flat += [Plain(one) if isinstance(one, str) else one for one in several]
    return tuple(flat)


@dataclass(frozen=True, slots=True)
class Heading:
    """A title within the card (the card's own first line is `Card.summary`)."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `subtle` ones step back."""

    spans: Inline
    subtle: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """One line whose meaning is carried by a word and a sign, never by colour: ``✖ FAIL  vm-erp-01 …``."""

    word: str
    sign: str
    spans: Inline = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a label and its value."""

    rows: tuple[tuple[str, Inline], ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, with numbers if the order matters."""

    items: tuple[Inline, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with one cell for each column (ValueError otherwise), and a caption that says what they are."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.columns or any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("every row of a table needs one cell for each column")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Several lines in a monospaced face, line breaks kept: commands, JSON, an error as Azure wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Divider:
    """A line between two parts."""


@dataclass(frozen=True, slots=True)
class Note:
    """Small print: context that nobody must read to decide."""

    spans: Inline


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something has come, drawn as a bar of characters with its figures beside it."""

    done: int
    total: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """The question asked before a button counts; repeat the object in `text`."""

    title: str
    text: str
    yes: str = "Yes"
    no: str = "Cancel"


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press: `action` names the handler, `value` is what the handler needs to know.

    With `url` it opens that address instead, which must be https or on this machine (ValueError otherwise).
    """

    label: str
    action: str = ""
    value: str = ""
    style: Literal["default", "primary", "danger"] = "default"
    confirm: Confirm | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ValueError("a button needs a label")
        if self.url is None and not ACTION_NAME.fullmatch(self.action):
            raise ValueError(f"not a name of an action: {self.action!r}")
        if self.url is not None and safe_url(self.url) is None:
            raise ValueError(f"a button may not open {self.url!r}")


@dataclass(frozen=True, slots=True)
class Buttons:
    """A row of buttons: the first three are drawn, all further ones and `more` go into the menu *More*.

    Buttons survive every shortening of a card.
    """

    buttons: tuple[Button, ...]
    more: tuple[Button, ...] = ()

    @property
    def shown(self) -> tuple[Button, ...]:
        """The at most three buttons that are seen at once."""
        return self.buttons[:3]

    @property
    def menu(self) -> tuple[Button, ...]:
        """The buttons behind *More*."""
        return self.buttons[3:] + self.more


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that stay closed until somebody wants them; `key` tells the folds of one card apart.

    Slack cannot fold in every workspace: there the content stands open below its title, shortened and saying
    so, unless `instead` names a button (its handler opens the whole as a view), which is then drawn alone.
    """

    title: str
    elements: "tuple[Element, ...]"
    key: str = ""
    instead: Button | None = None


Element: TypeAlias = (
    Heading | Text | Status | Facts | Bullets | Table | CodeBlock | Divider | Note | Progress | Buttons | Fold
)


@dataclass(frozen=True, slots=True)
class TextInput:
    """A field to type in; `id` is the key of its value in the answer, `max_length` counts characters."""

    id: str
    label: str
    multiline: bool = False
    required: bool = True
    placeholder: str = ""
    max_length: int = 1000
    value: str = ""

    def __post_init__(self) -> None:
        if not INPUT_ID.fullmatch(self.id) or not self.label.strip():
            raise ValueError("an input needs an id of letters, digits, - and _, and a label")


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values to choose from."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values; `value` is the one chosen at first, empty for none."""

    id: str
    label: str
    options: tuple[Option, ...]
    value: str = ""
    required: bool = True

    def __post_init__(self) -> None:
        if not INPUT_ID.fullmatch(self.id) or not self.label.strip() or not self.options:
            raise ValueError("a choice needs an id of letters, digits, - and _, a label and options")


Input: TypeAlias = TextInput | Choice
Part: TypeAlias = Element | Input
"""What a form consists of."""


@dataclass(frozen=True, slots=True)
class Form:
    """Questions with one answer: a Slack view, a Teams card with inputs, an HTML form.

    `action` and `value` identify it as they do a button. An empty `submit` makes it something to read only.
    """

    title: str
    elements: tuple[Part, ...]
    action: str
    value: str = ""
    submit: str = "Send"

    def __post_init__(self) -> None:
        if not ACTION_NAME.fullmatch(self.action):
            raise ValueError(f"not a name of an action: {self.action!r}")
        ids = [element.id for element in self.elements if isinstance(element, TextInput | Choice)]
        if len(ids) != len(set(ids)):
            raise ValueError("two inputs of a form have the same id")


@dataclass(frozen=True, slots=True)
class Card:
    """One message. `summary` is its first line and the notification text; do not repeat it as an element.

    The renderer puts the sign and word of `severity` before the summary, shortens the line to 140 characters
    and draws it above the elements; it marks the line and the card with SIMULATED where that is set.
    `key` says which thing the card is about, for instance "approval-42".
    """

    summary: str
    elements: tuple[Element, ...] = ()
    severity: Severity | None = None
    simulated: bool = False
    key: str = ""
