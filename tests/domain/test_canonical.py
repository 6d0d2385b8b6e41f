"""Canonical JSON against an independent implementation of RFC 8785."""

import hashlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import canonical, digest

SAFE = 2**53 - 1
SCALARS = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=25
)


@given(VALUES)
def test_it_is_what_the_standard_says(value: Any) -> None:
    """Byte for byte the same as the reference implementation, and the digest is SHA-256 of those bytes."""
    assert rfc8785.dumps(value) == canonical(value)
    assert hashlib.sha256(rfc8785.dumps(value)).hexdigest() == digest(value)


def test_members_are_ordered_by_utf16_code_units() -> None:
    """A character beyond the basic plane comes before one at its end, as its first surrogate does."""
    value = {"\ufb33": 1, "\U0001f600": 2, "a": 3, "A": 4, "": 5, "€": 6}
    assert '{"":5,"A":4,"a":3,"€":6,"\U0001f600":2,"\ufb33":1}'.encode() == canonical(value)


def test_control_characters_have_one_spelling() -> None:
    """Short escapes where there are some, four lower-case digits for the rest, everything else as it is."""
    assert b'"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\x7f\xe2\x80\xa8/"' == canonical('\b\t\n\f\r"\\\x00\x1f\x7f\u2028/')


def test_tuples_are_arrays() -> None:
    """A tuple and a list say the same."""
    assert canonical([1, [2, "x"]]) == canonical((1, (2, "x")))


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), b"bytes", bytearray(b"x"), {1: "a"}, {None: 1}, object(), {1, 2}, [1.0], SAFE + 1, -SAFE - 1],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    """Fractions, bytes, other keys than text, numbers that not every reader keeps."""
    with pytest.raises(TypeError):
        canonical(value)


def test_half_a_character_is_refused() -> None:
    """A lone surrogate has no bytes."""
    with pytest.raises(UnicodeEncodeError):
        canonical({"name": "\ud800"})
