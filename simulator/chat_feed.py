"""What one person sees in the simulated channel: messages, threads, private notices and their own commands."""

import hashlib
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.chat_forms import plain_text, text_html, view_html
from simulator.chat_people import Person
from simulator.chat_wire import Json
from simulator.slack import FakeSlack
from simulator.slack_state import BOT_USER, OpenView, SlackMessage

SUMMARY = 140
Render = Callable[[Json], str | None]


@dataclass(frozen=True)
class Typed:
    """A line that a person typed and that Slack shows to them alone; `note` is set when something is to be said."""

    ts: str
    person: Person
    text: str
    note: str = ""


class Feed:
    """Draws entries once per state and keeps the drawings."""

    def __init__(self, slack: FakeSlack, render_html: Render, channel: str) -> None:
        self._slack = slack
        self._render = render_html
        self._channel = channel
        self._drawn: dict[tuple[str, int], str] = {}

    def entries(self, person: Person, typed: Iterable[Typed]) -> list[Json]:
        """Return all that `person` sees, oldest first."""
        shown = [
            self._entry(f"m:{message.channel}:{message.ts}", message)
            for message in self._slack.messages.values()
            if not message.deleted and self._visible(message, person)
        ]
        shown += [
            self._entry(f"e:{message.ts}", message)
            for message in self._slack.ephemerals
            if not message.deleted and message.only_for == person.slack_id
        ]
        shown += [_typed_entry(line) for line in typed if line.person == person]
        return sorted(shown, key=lambda entry: [int(part) for part in str(entry["ts"]).split(".")])

    def _visible(self, message: SlackMessage, person: Person) -> bool:
        channel = self._slack.space.channels.get(message.channel)
        return channel is not None and person.slack_id in channel.members

    def find(self, key: str) -> SlackMessage | None:
        """Return the message behind an entry's key."""
        kind, _, rest = key.partition(":")
        if kind == "m":
            channel, _, ts = rest.partition(":")
            return self._slack.messages.get((channel, ts))
        return next((m for m in self._slack.ephemerals if kind == "e" and m.ts == rest), None)

    def _entry(self, key: str, message: SlackMessage) -> Json:
        people = self._slack.space.people
        author = people.get(message.user)
        entry: Json = {
            "key": key,
            "ts": message.ts,
            "thread": f"m:{message.channel}:{message.thread_ts}" if message.thread_ts else None,
            "author": author.name if author else "Backup",
            "bot": message.user == BOT_USER,
            "private": message.only_for is not None,
            "place": self._place(message),
            "edits": len(message.history) - 1,
            "summary": plain_text(message.text, people)[:SUMMARY],
            "html": self._html(key, message),
        }
        return entry | {"version": _version(entry)}

    def _place(self, message: SlackMessage) -> str:
        channel = self._slack.space.channels.get(message.channel)
        if channel is None or channel.id == self._channel:
            return ""
        return "direct message" if channel.im else f"#{channel.name}"

    def _html(self, key: str, message: SlackMessage) -> str:
        state = (key, len(message.history))
        if state not in self._drawn:
            drawn = self._render({"channel": message.channel, **message.as_json()})
            self._drawn[state] = drawn or text_html(message.text, self._slack.space.people)
        return self._drawn[state]

    def view(self, person: Person) -> Json | None:
        """Return the modal that is open for `person`, drawn; None when there is none."""
        shown = self.open_view(person)
        if shown is None:
            return None
        view = shown.view
        title, submit, close = (view.get(part) or {} for part in ("title", "submit", "close"))
        return {
            "id": shown.id,
            "version": f"{shown.id}.{len(shown.history)}",
            "title": html.unescape(title.get("text", "")),
            "submit": html.unescape(submit.get("text", "")),
            "close": html.unescape(close.get("text", "Cancel")),
            "html": self._render(view) or view_html(view, self._slack.space.people),
        }

    def open_view(self, person: Person) -> OpenView | None:
        """Return the newest modal that is open for `person`."""
        theirs = [view for view in self._slack.views if view.user == person.slack_id and view.open]
        return theirs[-1] if theirs else None


def _typed_entry(line: Typed) -> Json:
    drawn = f'<p class="plain typed">{html.escape(line.text)}</p>'
    if line.note:
        drawn += f'<p class="note">{html.escape(line.note)}</p>'
    entry: Json = {
        "key": f"t:{line.ts}",
        "ts": line.ts,
        "thread": None,
        "author": line.person.name,
        "bot": False,
        "private": True,
        "place": "",
        "edits": 0,
        "summary": line.note or line.text,
        "html": drawn,
    }
    return entry | {"version": _version(entry)}


def _version(entry: Json) -> str:
    return hashlib.sha256(repr(sorted(entry.items())).encode()).hexdigest()[:16]
