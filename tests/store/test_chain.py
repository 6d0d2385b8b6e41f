"""The record's chain: what one transaction after another appends, and every way of tampering with it."""

import asyncio
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from bot.store import chain
from bot.store import tables as t
from bot.store.chain import Signer
from domain.actor import SYSTEM
from tests.workflows.world import ANA, World, world_on

Lines = list[dict[str, Any]]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with world_on(database_url) as one:
        yield one


def made(count: int, signer: Signer | None = None) -> Lines:
    """A chain made by hand, from the definition: sha256(previous ‖ canonical JSON)."""
    lines: Lines = []
    previous = "0" * 64
    for n in range(1, count + 1):
        line: dict[str, Any] = {
            "n": n,
            "at": f"2026-11-22T03:00:00.{n:06}+00:00",
            "event": "approval.requested",
            "subject": f"APR-{n}",
            "actor": {"platform": "slack", "id": "U0MAX", "name": "Max Ω"},
            "data": {"why": ["é", None, True, n], "nested": {"b": 1, "a": "\u2028"}},
        }
        digest = hashlib.sha256(previous.encode() + rfc8785.dumps(line)).hexdigest()
        lines.append({**line, "previous": previous, "hash": digest, "signature": signer.sign(digest) if signer else ""})
        previous = digest
    return lines


async def lines_of(world: World) -> Lines:
    return [dict(row) for row in await world.store.all(sa.select(t.audit).order_by(t.audit.c.n))]


def test_a_whole_chain_holds() -> None:
    """A chain made from the definition verifies, and says what it cannot exclude."""
    lines = made(5)
    verdict = chain.verify(lines)
    assert (True, 5, lines[-1]["hash"], "") == (verdict.ok, verdict.lines, verdict.head, verdict.fault)
    assert ["cut off the end cannot be excluded" in note for note in verdict.notes] == [True]
    assert chain.verify(lines, known_head=lines[2]["hash"]).notes == ()
    assert chain.verify([]).ok


def _byte(lines: Lines) -> None:
    lines[2]["subject"] = "APR-8"


def _data(lines: Lines) -> None:
    lines[1]["data"]["why"][0] = "e"


def _deleted(lines: Lines) -> None:
    del lines[2]


def _swapped(lines: Lines) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def _swapped_and_numbered_anew(lines: Lines) -> None:
    _swapped(lines)
    lines[1]["n"], lines[2]["n"] = 2, 3


def _first_gone(lines: Lines) -> None:
    del lines[0]


def _inserted(lines: Lines) -> None:
    lines.insert(2, copy.deepcopy(lines[1]))


def _previous(lines: Lines) -> None:
    lines[3]["previous"] = "f" * 64


def _true_for_one(lines: Lines) -> None:
    lines[0]["n"] = True


def _no_hash(lines: Lines) -> None:
    del lines[3]["hash"]


def _half_a_character(lines: Lines) -> None:
    lines[3]["subject"] = "\ud800"


def _a_fraction(lines: Lines) -> None:
    lines[3]["data"] = 1.5


def _no_object(lines: Lines) -> None:
    lines[3] = ["n", "at"]  # type: ignore[call-overload]  # what an altered export may hold


@pytest.mark.parametrize(
    "tamper",
    [
        _byte,
        _data,
        _deleted,
        _swapped,
        _swapped_and_numbered_anew,
        _first_gone,
        _inserted,
        _previous,
        _true_for_one,
        _no_hash,
        _half_a_character,
        _a_fraction,
        _no_object,
    ],
)
def test_tampering_is_found(tamper: Callable[[Lines], None]) -> None:
    """Editing, deleting, swapping, inserting: the verdict says at which line, and never fails itself."""
    lines = made(5)
    tamper(lines)
    verdict = chain.verify(lines)
    assert not verdict.ok
    assert verdict.fault.startswith("line ")


@given(st.integers(0, 4), st.sampled_from(chain.FIELDS), st.data())
def test_any_other_value_is_found(index: int, name: str, data: st.DataObject) -> None:
    """Whatever a field is replaced with, the chain breaks."""
    lines = made(5)
    scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8)
    other = data.draw(scalars | st.lists(scalars, max_size=2))
    if other == lines[index][name] and type(other) is type(lines[index][name]):
        return
    lines[index][name] = other
    assert not chain.verify(lines).ok


def test_a_cut_end_is_found_with_a_known_head() -> None:
    """With a head noted elsewhere, a shorter record is found, also when every line of it is signed."""
    key = Ed25519PrivateKey.generate()
    for lines in (made(5), made(5, Signer(key))):
        head = lines[-1]["hash"]
        verdict = chain.verify(lines[:-1], known_head=head)
        assert (False, True) == (verdict.ok, "cut off" in verdict.fault)
        assert chain.verify(lines, known_head=f" {head.upper()}\n").ok


def test_signatures_do_not_hide_that_the_end_may_be_missing() -> None:
    """Signed lines stay signed when later ones go: without a known head the verdict says so."""
    key = Ed25519PrivateKey.generate()
    verdict = chain.verify(made(5, Signer(key))[:3], public_key=key.public_key())
    assert verdict.ok
    assert any("cannot be excluded" in note for note in verdict.notes)


def test_the_heads_own_row_shows_a_cut_end() -> None:
    """The store keeps its head in a row of its own: lines that went from the end alone are found by it."""
    lines = made(5)
    assert chain.verify(lines, stored_head=(5, lines[-1]["hash"])).ok
    cut = chain.verify(lines[:4], stored_head=(5, lines[-1]["hash"]))
    assert (False, True) == (cut.ok, "5" in cut.fault)
    assert not chain.verify(lines, stored_head=(4, lines[3]["hash"])).ok
    assert not chain.verify([], stored_head=(5, lines[-1]["hash"])).ok
    assert chain.verify([], stored_head=(0, chain.GENESIS)).ok


def test_a_line_that_is_not_signed_by_the_key_is_found() -> None:
    """Every line must carry the known key's signature; one of another key, or none, is found."""
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    assert chain.verify(made(3, Signer(key)), public_key=key.public_key()).ok
    for lines in (made(3), made(3, Signer(other))):
        verdict = chain.verify(lines, public_key=key.public_key())
        assert (False, True) == (verdict.ok, "not signed" in verdict.fault)


def test_keys_come_from_pem_files(tmp_path: Path) -> None:
    """The signer reads its private key and the verifier the public one; a key of another kind is refused."""
    key = Ed25519PrivateKey.generate()
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private, public, wrong = tmp_path / "private.pem", tmp_path / "public.pem", tmp_path / "rsa.pem"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    signer = Signer.from_file(str(private))
    assert chain.verify(made(2, signer), public_key=chain.public_key(str(public))).ok
    assert "" == Signer.from_file("").sign("0" * 64)
    rsa = generate_private_key(65537, 2048)
    wrong.write_bytes(rsa.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    with pytest.raises(ValueError, match="no Ed25519 private key"):
        Signer.from_file(str(wrong))
    wrong.write_bytes(rsa.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ValueError, match="no Ed25519 public key"):
        chain.public_key(str(wrong))


async def test_transactions_at_once_make_one_chain(world: World) -> None:
    """Sixty transactions at once, a third of which fail: no gap, no fork, nothing of those that failed."""

    async def one(number: int) -> None:
        async with world.store.begin() as tx:
            tx.audit("it.happened", f"S-{number}", ANA, {"number": number})
            tx.audit("it.happened", f"S-{number}", SYSTEM)
            if number % 3 == 0:
                raise LookupError

    await asyncio.gather(*(one(number) for number in range(60)), return_exceptions=True)
    lines = await lines_of(world)
    verdict = chain.verify(lines)
    assert (True, 80) == (verdict.ok, verdict.lines)
    head = await world.store.one(sa.select(t.audit_head))
    assert head is not None
    assert (80, verdict.head) == (head["n"], head["hash"])
    pairs = [line["subject"] for line in lines]
    assert all(pairs[at] == pairs[at + 1] for at in range(0, 80, 2)), "the lines of one transaction stand together"


async def test_an_export_verifies_anywhere(world: World) -> None:
    """JSON lines written from the store, read back, hold; the hashes are those of the definition."""
    async with world.store.begin() as tx:
        for number in range(5):
            tx.audit("it.happened", "é ¶ \U0001f600", ANA, {"n": number, "text": 'quote " and \\ and \n'})
    exported = "\n".join(json.dumps(line, ensure_ascii=False, sort_keys=True) for line in await lines_of(world))
    lines = [json.loads(line) for line in exported.split("\n")]
    assert chain.verify(lines).ok
    first = {name: lines[0][name] for name in ("n", "at", "event", "subject", "actor", "data")}
    assert hashlib.sha256(b"0" * 64 + rfc8785.dumps(first)).hexdigest() == lines[0]["hash"]


async def test_a_changed_row_in_the_database_is_found(world: World) -> None:
    """What an intruder with the database's password does: one column of one row."""
    async with world.store.begin() as tx:
        for number in range(3):
            tx.audit("it.happened", f"S-{number}", ANA, {"n": number})
    async with world.store.begin() as tx:
        await tx.execute(t.audit.update().where(t.audit.c.n == 2).values(actor={"id": "U0EVE"}))
    verdict = chain.verify(await lines_of(world))
    assert (False, True) == (verdict.ok, verdict.fault.startswith("line 2"))


async def test_text_that_is_no_text_cannot_stop_the_record(world: World) -> None:
    """Half a character, as a broken sender may send it, is written down as a question mark."""
    async with world.store.begin() as tx:
        tx.audit("it.happened", "S-\ud83d", ANA, {"reason": "a\ud800b", "list": ["\udfff"]})
    lines = await lines_of(world)
    assert ("S-?", {"reason": "a?b", "list": ["?"]}) == (lines[0]["subject"], lines[0]["data"])
    assert chain.verify(lines).ok
