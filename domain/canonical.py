"""Canonical JSON (RFC 8785) for hashing: fingerprints of plans and the chain of the audit record.

Only what our own records hold is allowed: objects with text keys, arrays, text, whole numbers, booleans, null. Floating
point numbers are refused, since their spelling is where implementations differ.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = bool | int | str | Sequence["Json"] | Mapping[str, "Json"] | None


def canonical(value: Json) -> bytes:
    """``value`` as the one byte string that RFC 8785 gives it.

    Raises:
        TypeError: it is something else than :data:`Json`.
        UnicodeEncodeError: a text holds half a character.
    """
    return _text(value).encode()


def digest(value: Json) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _text(value: Json) -> str:
    match value:
        case None | bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            if abs(value) >= 2**53:
                raise TypeError("a whole number of 2^53 or more has no canonical form: store it as text")
            return str(value)
        case Mapping():
            if not all(isinstance(name, str) for name in value):
                raise TypeError("only text may name a member of an object")
            # RFC 8785 orders members by UTF-16 code units.
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return "[" + ",".join(_text(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form here")
