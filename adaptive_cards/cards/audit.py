"""The newest lines of the record."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adaptive_cards.card import Bullets, Card, Code, Inline, Note, spans
from adaptive_cards.cards.words import ago, plural

DETAILS = 160


def render(lines: Sequence[Mapping[str, Any]], subject: str, *, now: datetime, simulated: bool) -> Card:
    """The lines, newest first; ``subject`` is the incident or approval they are about, "" for all."""
    about = f" about {subject}" if subject else ""
    if not lines:
        return Card(summary=f"The record has no line{about}", severity="info", simulated=simulated)
    return Card(
        summary=f"The record{about}: {plural(len(lines), 'line')}, newest first",
        elements=(
            Bullets(tuple(_line(line, now, with_subject=not subject) for line in lines)),
            Note(spans("Whether it was altered: ", Code("backupbot audit verify"))),
        ),
        severity="info",
        simulated=simulated,
    )


def _line(line: Mapping[str, Any], now: datetime, *, with_subject: bool) -> Inline:
    parts: list[Inline] = [
        f"{line.get('n', '?')} ",
        Code(str(line.get("event", "?"))),
        f" by {_who(line.get('actor'))} ",
    ]
    if with_subject and line.get("subject"):
        parts += [Code(str(line["subject"])), " "]
    parts.append(_when(line.get("at"), now))
    details = _details(line.get("data"))
    if details:
        parts.append(f": {details}")
    return spans(*parts)


def _who(actor: object) -> str:
    if not isinstance(actor, Mapping):
        return "?"
    return str(actor.get("name") or actor.get("email") or actor.get("id") or "?")


def _when(at: object, now: datetime) -> Inline:
    if isinstance(at, datetime):
        return ago(at, now)
    try:
        moment = datetime.fromisoformat(str(at))
        return ago(moment, now)
    except (TypeError, ValueError):  # a line of the record is shown whatever it holds
        return str(at)


def _details(data: object) -> str:
    if not isinstance(data, Mapping):
        return str(data)[:DETAILS] if data else ""
    simple = [
        f"{name} {value}" for name, value in data.items() if isinstance(value, str | int) and value not in {"", None}
    ]
    text = ", ".join(simple)
    return text if len(text) <= DETAILS else text[: DETAILS - 2] + " …"
