"""The audit's chain: each line's hash covers the hash before it, so that no line can change, go or move unnoticed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.canonical import Json, canonical

GENESIS = "0" * 64
CUT_OFF = (
    "the lines that are here are unaltered; that lines were cut off the end cannot be excluded without a head noted "
    "elsewhere (--head)"
)
FIELDS = ("n", "at", "event", "subject", "actor", "data")


def link(previous: str, record: Mapping[str, Json]) -> str:
    """The hash of a line: ``sha256(previous ‖ canonical JSON of its fields)``, 64 hexadecimal digits."""
    return hashlib.sha256(previous.encode("ascii") + canonical({name: record[name] for name in FIELDS})).hexdigest()


class Signer:
    """Signs each line's hash with Ed25519 where a key is configured."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: str) -> "Signer":
        """A signer with the PEM key in ``path``; without a path, one that does not sign.

        Raises:
            ValueError: the file holds no Ed25519 private key.
        """
        if not path:
            return cls()
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(  # noqa: TRY004  (the content of a file is a value)
                f"{path} holds no Ed25519 private key"
            )
        return cls(key)

    def sign(self, digest: str) -> str:
        """The signature in hexadecimal, or ""."""
        return self._key.sign(digest.encode("ascii")).hex() if self._key else ""

    @property
    def public_key(self) -> Ed25519PublicKey | None:
        """What a verifier needs."""
        return self._key.public_key() if self._key else None


def public_key(path: str) -> Ed25519PublicKey:
    """The public key in a PEM file.

    Raises:
        ValueError: the file holds no Ed25519 public key.
    """
    key = serialization.load_pem_public_key(Path(path).read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} holds no Ed25519 public key")  # noqa: TRY004  (the content of a file is a value)
    return key


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the chain holds; ``fault`` says where and how it is broken, ``notes`` what cannot be excluded."""

    ok: bool
    lines: int
    head: str
    fault: str = ""
    notes: tuple[str, ...] = ()


def verify(
    lines: Iterable[Mapping[str, Any]],
    *,
    known_head: str = "",
    stored_head: tuple[int, str] | None = None,
    public_key: Ed25519PublicKey | None = None,
) -> Verdict:
    """Walk the chain from its beginning.

    ``known_head`` is a hash noted elsewhere that must occur in the chain; ``stored_head`` is what the store's own row says of
    the last line (number, hash); with ``public_key`` every line must carry its signature.
    """
    previous = GENESIS
    count = 0
    wanted = known_head.strip().casefold()
    seen_head = not wanted
    for expected, line in enumerate(lines, start=1):
        fault = _fault(line, expected, previous, public_key)
        if fault:
            return Verdict(ok=False, lines=count, head=previous, fault=fault)
        previous = str(line["hash"])
        seen_head = seen_head or previous == wanted
        count = expected
    fault = ""
    if not seen_head:
        fault = f"the known head {wanted[:12]}… is not in the record: its end was cut off"
    elif stored_head is not None and stored_head != (count, previous):
        fault = f"the store's head names line {stored_head[0]}, the record ends with line {count}: its end was changed"
    if fault:
        return Verdict(ok=False, lines=count, head=previous, fault=fault)
    # Signatures do not help here: every line that is left is still signed.
    notes = () if wanted else (CUT_OFF,)
    return Verdict(ok=True, lines=count, head=previous, notes=notes)


def _fault(line: Mapping[str, Any], expected: int, previous: str, public_key: Ed25519PublicKey | None) -> str:
    try:
        if line["n"] != expected:
            return f"line {expected} is missing or out of order: line {line['n']} stands in its place"
        if line["previous"] != previous:
            return f"line {expected} does not follow the line before it"
        if link(previous, line) != line["hash"]:
            return f"line {expected} ({line['event']}) was altered"
    except (KeyError, TypeError, UnicodeEncodeError) as error:
        return f"line {expected} is not a line of the record: {error}"
    signature = str(line.get("signature") or "")
    if public_key is not None:
        try:
            public_key.verify(bytes.fromhex(signature), str(line["hash"]).encode("ascii"))
        except (InvalidSignature, ValueError):
            return f"line {expected} is not signed by the known key"
    return ""
