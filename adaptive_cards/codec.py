"""A card as plain JSON and back, for the store: the message as it should be outlives the process that wrote it."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from adaptive_cards import card as vocabulary
from adaptive_cards.card import Card

_TAG = "$"
_CLASSES = {
    name: kind
    for name, kind in vars(vocabulary).items()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == vocabulary.__name__
}


def dump(value: object) -> Any:  # noqa: ANN401  (JSON)
    """Plain JSON for a card or any part of one."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_TAG: type(value).__name__} | {one.name: dump(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [dump(one) for one in value]
    if isinstance(value, datetime):
        return {_TAG: "datetime", "at": value.isoformat()}
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{type(value).__name__} does not belong on a card")


def _load(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        name = value[_TAG]
        if name == "datetime":
            return datetime.fromisoformat(value["at"])
        return _CLASSES[name](**{key: _load(one) for key, one in value.items() if key != _TAG})
    if isinstance(value, list):
        return tuple(_load(one) for one in value)
    return value


def load(value: Mapping[str, Any]) -> Card:
    """The card that :func:`dump` wrote.

    Raises:
        TypeError: the record is no card.
    """
    card = _load(value)
    if not isinstance(card, Card):
        raise TypeError("the record is no card")
    return card
