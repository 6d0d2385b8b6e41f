"""The neutral card's own rules, its first line, and the identity of buttons."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_cards.card import (
    Bold,
    Button,
    Buttons,
    Card,
    Choice,
    Form,
    Option,
    Plain,
    Table,
    Text,
    TextInput,
    When,
    spans,
)
from adaptive_cards.identity import decode, encode
from adaptive_cards.wording import headline, shorten_middle

LINE = (
    "vm-erp-01 in vault-prod-01: backup failed 3× (UserErrorKeyVaultPermissionsNotConfigured)"
    " · last good point 31 h ago, RPO 26 h breached by 5 h"
)


def test_strings_and_spans_mix() -> None:
    """A string is plain text, and tuples are flattened."""
    assert spans("a", Bold("b"), ("c", Bold("d")), ()) == (Plain("a"), Bold("b"), Plain("c"), Bold("d"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: When(datetime(2026, 3, 1)),  # noqa: DTZ001 -- the mistake under test
        lambda: Table((), ()),
        lambda: Table(("a", "b"), (("1",),)),
        lambda: Button(" ", "x"),
        lambda: Button("x"),
        lambda: Button("x", "Not A Name"),
        lambda: Button("x", "x" * 65),
        lambda: TextInput("1", "l"),
        lambda: TextInput("i", " "),
        lambda: Choice("i", "l", ()),
        lambda: Choice("i d", "l", (Option("o", "v"),)),
        lambda: Choice("i", "", (Option("o", "v"),)),
        lambda: Form("t", (), "Not A Name"),
        lambda: Form("t", (TextInput("i", "l"), TextInput("i", "m")), "x"),
    ],
)
def test_what_no_platform_could_show_is_refused(make: Any) -> None:
    """Mistakes of whoever makes a card show at once, not on one platform later."""
    with pytest.raises(ValueError, match=r"."):
        make()


def test_the_first_three_buttons_are_shown() -> None:
    """The rest and what is meant for the menu go there, in order."""
    every = tuple(Button(str(n), "x") for n in range(5))
    row = Buttons(every[:4], more=every[4:])
    assert (row.shown, row.menu) == (every[:3], every[3:])


def test_the_first_line_of_an_incident_fits_a_phone() -> None:
    """Sign and word, what happened, and how bad; the middle gives way, the end never does."""
    assert headline(Card("a\nb", severity="warning")) == "▲ WARNING a b"
    assert headline(Card(LINE, severity="critical")) == (
        "✖ CRITICAL vm-erp-01 in vault-prod-01: backup failed 3× (UserErrorKeyV…nfigured)"
        " · last good point 31 h ago, RPO 26 h breached by 5 h"
    )
    assert headline(Card(LINE, severity="critical", simulated=True)) == (
        "✖ CRITICAL vm-erp-01 in vault-prod-01: backup failed 3× (UserErro…gured)"
        " · last good point 31 h ago, RPO 26 h breached by 5 h · SIMULATED"
    )
    longer = f"{' '.join(['word'] * 40)} · RPO breached by 5 h"
    assert headline(Card(longer)) == f"{' '.join(['word'] * 23)}… · RPO breached by 5 h"
    endless = "a · " + " ".join(["word"] * 40)
    assert headline(Card(endless)) == f"a ·{' word' * 15} …{' word' * 10}"


@pytest.mark.parametrize(("length", "whole"), [(140, True), (141, False)])
@pytest.mark.parametrize("simulated", [False, True])
def test_the_first_line_has_at_most_140_characters(length: int, whole: bool, simulated: bool) -> None:
    """At 140 nothing is lost, the mark included; at 141 the line says so with an ellipsis."""
    mark = " · SIMULATED" if simulated else ""
    text = (("x" * 9 + " ") * 20)[: length - len(mark) - 4] + " end"
    line = headline(Card(text, simulated=simulated))
    assert (line == text + mark) is whole
    assert len(line) <= 140
    assert line.endswith("end" + mark)
    assert ("…" in line) is not whole


@given(st.text(max_size=400), st.integers(10, 200))
def test_a_shortened_line_is_never_too_long(text: str, limit: int) -> None:
    """Whatever the text and the limit; and what fits is left alone."""
    short = shorten_middle(text, limit)
    assert len(short) <= limit
    assert short == text or len(text) > limit


def test_long_names_keep_beginning_and_end() -> None:
    """A name of 200 characters leaves room for the rest of the line."""
    line = headline(Card(f"{'a' * 100}{'b' * 100} in vault-prod-01: backup failed", severity="critical"))
    assert line == f"✖ CRITICAL {'a' * 28}…{'b' * 19} in vault-prod-01: backup failed"


@given(st.text(max_size=80))
def test_an_identity_comes_back_as_it_went(value: str) -> None:
    """Any value survives, in characters that no platform escapes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    text = encode("fix.approve", value)
    assert text.isascii()
    assert not set(text) & set("&<>\"' ")
    assert decode(text) == ("fix.approve", value)


def test_an_identity_has_at_most_1000_characters() -> None:
    """One more is refused rather than cut."""
    assert decode(encode("act", "v" * 996)) == ("act", "v" * 996)
    with pytest.raises(ValueError, match="too long"):
        encode("act", "v" * 997)
    with pytest.raises(ValueError, match="not a name"):
        encode("Act", "v")


@pytest.mark.parametrize(
    "text", ["", "approve", ":42", "Approve:42", "a:%zz", "a: b", "a:%ff", "a:<x>", "a:%61", "a:" + "v" * 999]
)
def test_what_no_button_of_ours_says_is_refused(text: str) -> None:
    """A forged or broken identity is an error, never a guess."""
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_a_card_is_a_value() -> None:
    """Equal cards are equal, and can be keys."""
    assert {Card("a", (Text("b"),))} == {Card("a", (Text("b"),))}
