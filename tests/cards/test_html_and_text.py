"""Cards as HTML and as plain text, each expectation written by hand."""

import pytest

from adaptive_cards import html, text
from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
    Code,
    CodeBlock,
    Confirm,
    Divider,
    Element,
    Facts,
    Fold,
    Form,
    Heading,
    Link,
    Mention,
    Note,
    Option,
    Progress,
    Status,
    Table,
    Text,
    TextInput,
    spans,
)
from tests.cards.oracles import Page
from tests.cards.samples import MOMENT, PORTAL, every_card, every_form

TIME = '<time datetime="2026-03-01T03:12:00Z" title="2026-03-01 03:12 UTC">31 h ago (2026-03-01 03:12 UTC)</time>'
ANCHOR = f'href="{PORTAL}" target="_blank" rel="noopener noreferrer"'


@pytest.mark.parametrize(
    ("element", "drawn", "lines"),
    [
        (Heading("Cause"), "<h4>Cause</h4>", ["", "Cause", "-----"]),
        (
            Text(spans("p ", Bold("b"), Code("c"), MOMENT)),
            f"<p>p <strong>b</strong><code>c</code>{TIME}</p>",
            ["p bc31 h ago (2026-03-01 03:12 UTC)"],
        ),
        (Text("s", subtle=True), '<p class="subtle">s</p>', ["s"]),
        (Text(Link("Portal", PORTAL)), f'<p><a class="link" {ANCHOR}>Portal</a></p>', [f"Portal <{PORTAL}>"]),
        (
            Note(Mention("slack-user", "U1", "Ben")),
            '<p class="note"><small><span class="mention">Ben</span></small></p>',
            ["Ben"],
        ),
        (
            Status("FAIL", "✖", "x"),
            '<p class="status"><span aria-hidden="true">✖</span> <strong>FAIL</strong> x</p>',
            ["✖ FAIL  x"],
        ),
        (
            Facts((("Vault", "v"), ("Last point", ""))),
            "<dl><dt>Vault</dt><dd>v</dd><dt>Last point</dt><dd></dd></dl>",
            ["Vault:      v", "Last point: —"],
        ),
        (Bullets(("a", "b")), "<ul><li>a</li><li>b</li></ul>", ["* a", "* b"]),
        (Bullets(("a", "b"), numbered=True), "<ol><li>a</li><li>b</li></ol>", ["1. a", "2. b"]),
        (
            Table(("Item", "State"), (("vm-1", "ok"),), caption="All"),
            (
                '<table><caption>All</caption><thead><tr><th scope="col">Item</th><th scope="col">State</th></tr></thead>'
                "<tbody><tr><td>vm-1</td><td>ok</td></tr></tbody></table>"
            ),
            ["All", "Item  State", "----  -----", "vm-1  ok"],
        ),
        (CodeBlock("if:\n  <x>"), '<pre tabindex="0"><code>if:\n  &lt;x&gt;</code></pre>', ["    if:", "      <x>"]),
        (Divider(), "<hr>", ["-" * 60]),
        (
            Progress(2, 5, "checks"),
            '<p class="progress" role="status">■■■■□□□□□□ 2 of 5 · checks</p>',
            ["■■■■□□□□□□ 2 of 5 · checks"],
        ),
        (Progress(9, 5), '<p class="progress" role="status">■■■■■■■■■■ 5 of 5</p>', ["■■■■■■■■■■ 5 of 5"]),
        (Progress(3, 0), '<p class="progress" role="status">3 done</p>', ["3 done"]),
        (
            Buttons((Button("Approve", "approve", '4"2', style="primary", confirm=Confirm("Sure?", "vm-1")),)),
            (
                '<div class="buttons" role="group" aria-label="Actions">'
                '<button type="button" class="button-primary" data-action="approve" data-value="4&quot;2"'
                ' data-payload="approve:4%222" data-confirm="Sure? vm-1">Approve</button></div>'
            ),
            ["[Approve]"],
        ),
        (
            Buttons((Button("Portal", url=PORTAL),), more=(Button("Copy", "copy"),)),
            (
                f'<div class="buttons" role="group" aria-label="Actions"><a class="button button-default" {ANCHOR}>Portal</a>'
                '<details class="more"><summary>More</summary><button type="button" class="button-default"'
                ' data-action="copy" data-value="" data-payload="copy:">Copy</button></details></div>'
            ),
            ["[Portal]", f"<{PORTAL}>", "More: [Copy]"],
        ),
        (
            Fold("Calls", (Text("a"), CodeBlock("b"))),
            '<details class="fold"><summary>Calls</summary><p>a</p><pre tabindex="0"><code>b</code></pre></details>',
            ["Calls:", "  a", "      b"],
        ),
        (Bullets(()), "", []),
        (Facts(()), "", []),
    ],
)
def test_an_element_is_drawn(element: Element, drawn: str, lines: list[str]) -> None:
    """One element in HTML and in lines of 60 characters."""
    card = Card("a", (element,), key="k")
    frame = '<article class="card" data-key="k"><h3 class="headline">a</h3>{}</article>'
    assert html.render(card) == frame.format(drawn)
    assert text.render(card, width=60).split("\n") == ["a", *lines, ""]


def test_a_simulated_critical_card_says_both() -> None:
    """In words, on both."""
    card = Card("vm failed", severity="critical", simulated=True)
    assert html.render(card) == (
        '<article class="card card-critical" data-key=""><p class="simulated">SIMULATED: nothing here is real</p>'
        '<h3 class="headline">✖ CRITICAL vm failed · SIMULATED</h3></article>'
    )
    assert text.render(card) == "[SIMULATED: nothing here is real]\n✖ CRITICAL vm failed · SIMULATED\n"


def test_a_form_is_drawn() -> None:
    """Fields are named, labelled, and hold their first values; a textarea keeps a leading line break."""
    form = Form(
        "Reject",
        (
            TextInput("reason", "Why", multiline=True, max_length=9, placeholder="p", value="\nx"),
            TextInput("ticket", "Ticket", required=False),
            Choice("to", "Region", (Option("West", "w"), Option("East", "e")), value="e"),
            Choice("size", "Size", (Option("S", "s"),), required=False),
        ),
        "reject",
        "42",
    )
    assert html.render_form(form) == (
        '<form class="card-form" aria-label="Reject" data-action="reject" data-value="42" data-payload="reject:42">'
        "<h3>Reject</h3>"
        '<label>Why <textarea name="reason" required maxlength="9" placeholder="p">\n\nx</textarea></label>'
        '<label>Ticket <input type="text" name="ticket" maxlength="1000" value="" placeholder=""></label>'
        '<label>Region <select name="to" required><option value="w">West</option>'
        '<option value="e" selected>East</option></select></label>'
        '<label>Size <select name="size"><option value=""></option><option value="s">S</option></select></label>'
        '<button type="submit">Send</button></form>'
    )
    assert text.render_form(form) == (
        "Reject\nWhy:  x\nTicket (optional): __________\nRegion:\n  ( ) West\n  (x) East\n"
        "Size (optional):\n  ( ) S\n[Send]\n"
    )
    assert "<button" not in html.render_form(Form("t", (Text("x"),), "calls", submit=""))
    assert text.render_form(Form("t", (Text("x"),), "calls", submit="")) == "t\nx\n"


def test_quotes_and_ampersands_stay_within_their_attributes() -> None:
    """A name with quotes ends no attribute: of cards, buttons, questions, links, fields and options."""
    odd = '" onclick="x&y\''
    card = Card(
        "a",
        (
            Buttons((Button("b", "act", odd, confirm=Confirm(odd, odd)),)),
            Text(Link("l", "https://x.example/?a=b&lt=c&quot;")),
        ),
        key=odd,
    )
    drawn = html.render(card)
    assert '<a class="link" href="https://x.example/?a=b&amp;lt=c&amp;quot;" target' in drawn
    page = Page(drawn)
    assert {name for _, name, _ in page.attributes} == {
        *("class", "data-key", "role", "aria-label", "type", "data-action", "data-value", "data-payload"),
        *("data-confirm", "href", "target", "rel"),
    }
    assert (page.values("data-key"), page.values("data-value")) == ([odd], [odd])
    assert page.values("data-confirm") == [f"{odd} {odd}"]
    form = Form(
        odd,
        (TextInput("i", "l", placeholder=odd, value=odd), Choice("c", "l", (Option("o", odd),), value=odd)),
        "act",
        odd,
    )
    page = Page(html.render_form(form))
    assert "onclick" not in {name for _, name, _ in page.attributes}
    assert (page.values("value"), page.values("placeholder")) == ([odd, odd], [odd])
    assert (page.values("data-value"), page.values("aria-label")) == ([odd], [odd])


def test_long_lines_are_folded_and_wide_tables_become_lists() -> None:
    """Words are never broken, so that addresses stay whole."""
    card = Card("a", (Bullets(("word " * 8,)), Table(("Item", "Where"), (("vm-1", "x" * 30),), caption="All")))
    assert text.render(card, width=24) == (
        "a\n* word word word word\n  word word word word\nAll\n* vm-1 · Where:\n  " + "x" * 30 + "\n"
    )


def test_every_element_is_drawn_well_formed() -> None:
    """Each tag of a card and a form of everything is closed, and buttons have all that a page needs."""
    page = Page(html.render(every_card("vm")))
    assert len(page.values("data-action")) == len(page.values("data-payload")) == 4
    assert set(page.values("type")) == {"button"}
    Page(html.render_form(every_form("vm")))
    assert "only behind the button" in page.text
    assert max(len(line) for line in text.render(every_card("vm"), width=60).split("\n")) <= 80
