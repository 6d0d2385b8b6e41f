"""Text from outside appears as it is, reaches nobody, links nowhere and is markup nowhere."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_cards import html, slack, teams, text
from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Code,
    CodeBlock,
    Element,
    Facts,
    Fold,
    Heading,
    Link,
    Mention,
    Note,
    Plain,
    Progress,
    Status,
    Table,
    Text,
)
from tests.cards.oracles import Page, check_slack, check_teams, check_view, objects, slack_text, teams_text
from tests.cards.samples import EVIL, every_card, every_form

FRAGMENTS = [
    *("<!channel>", "<!here|x>", "<@U0BEN>", "<#C1>", "<!subteam^S0ONCALL>", "<http://evil|x>", "&lt;!channel&gt;"),
    *("*x*", "_", "~", "`", ":fire:", "http://evil.example", "www.evil.example", "[x](http://evil)", "![x](http://e)"),
    *("<at>all</at>", "{{DATE(2020-01-01T00:00:00Z)}}", "{{", "}", "${x}", "<script>alert(1)</script>", "</pre>"),
    *('"', "'", "<", ">", "&", "&amp;", "&#60;", "|", "\\", "%", "#", "1.", "vm-erp-01", "ümlaut", "名前", "🔥"),
]
names = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=2).map("".join)

PLACES: dict[str, Callable[[str], Element]] = {
    "heading": Heading,
    "text": Text,
    "subtle": lambda name: Text(name, subtle=True),
    "bold": lambda name: Text(Bold(name)),
    "code": lambda name: Text(Code(name)),
    "dead link": lambda name: Text(Link(name, "http://evil.example/")),
    "foreign mention": lambda name: Note(("x ", Mention("teams-user", "<at>", name))),
    "status": lambda name: Status(name, "✖", name),
    "facts": lambda name: Facts(((name, name),)),
    "bullets": lambda name: Bullets((name,)),
    "table": lambda name: Table((name, "b"), ((name, "2"),), caption=name),
    "wide table": lambda name: Table((name, "b", "c", "d", "e"), ((name, "2" * 70, "3", "4", "5"),)),
    "code block": CodeBlock,
    "note": Note,
    "progress": lambda name: Progress(1, 2, name),
    "button": lambda name: Buttons((Button(name, "x"),)),
    "menu": lambda name: Buttons((), more=(Button(name, "x"),)),
    "fold": lambda name: Fold(name, (Text(name),)),
}


def _mentions(value: object) -> list[object]:
    """Everything in a drawn card that calls somebody or leads somewhere."""
    calls = {"user", "usergroup", "broadcast", "channel", "link", "mention", "Action.OpenUrl"}
    return [one for one in objects(value) if one.get("type") in calls]


@pytest.mark.parametrize("place", PLACES)
@given(name=names)
@settings(max_examples=60, deadline=None)
def test_a_name_is_literal_on_slack(place: str, name: str) -> None:
    """Whatever a resource is called, Slack shows these very characters and calls nobody."""
    message = slack.render(Card("a", (PLACES[place](name),)))
    check_slack(message.blocks)
    assert name.strip() in slack_text(message.blocks)
    assert _mentions(message.blocks) == []


@pytest.mark.parametrize("place", PLACES)
@given(name=names)
@settings(max_examples=60, deadline=None)
def test_a_name_is_literal_on_teams(place: str, name: str) -> None:
    """Whatever a resource is called, Teams shows these very characters and calls nobody."""
    content = teams.render(Card("a", (PLACES[place](name),))).content
    check_teams(content)
    assert name in teams_text(content)
    assert _mentions(content) == []


@pytest.mark.parametrize("place", PLACES)
@given(name=names)
@settings(max_examples=60, deadline=None)
def test_a_name_is_literal_in_html(place: str, name: str) -> None:
    """Whatever a resource is called, it adds no element and no attribute to the page."""
    page = Page(html.render(Card("a", (PLACES[place](name),))))
    plain = Page(html.render(Card("a", (PLACES[place]("x"),))))
    assert name in page.text
    assert page.tags == plain.tags
    assert [key for _, key, _ in page.attributes] == [key for _, key, _ in plain.attributes]


@pytest.mark.parametrize("place", PLACES)
@given(name=names)
@settings(max_examples=40, deadline=None)
def test_a_name_is_literal_in_text(place: str, name: str) -> None:
    """Whatever a resource is called, the console shows these very characters."""
    assert name in text.render(Card("a", (PLACES[place](name),)), width=400)


@given(name=names)
@settings(max_examples=60, deadline=None)
def test_the_first_line_is_escaped_for_slack(name: str) -> None:
    """The notification text holds no sequence that Slack parses."""
    message = slack.render(Card(name))
    assert message.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == name
    assert "<" not in message.text
    assert ">" not in message.text


@given(name=names)
@settings(max_examples=60, deadline=None)
def test_the_spoken_and_the_fallback_line_hold_no_markup(name: str) -> None:
    """What a client may read as Markdown or SSML has none of their characters; the summary is untouched."""
    message = teams.render(Card(name))
    assert message.summary == name
    for key in ("speak", "fallbackText"):
        assert not set(message.content[key]) & set("<>&[]*_`\\|#~{}!")
        assert "://" not in message.content[key]


def test_the_name_that_tries_everything_is_only_text_everywhere() -> None:
    """A vault named with every trick stands as text on all four, and only our own mentions and links work."""
    card = every_card(EVIL)
    message, content = slack.render(card), teams.render(card).content
    check_slack(message.blocks)
    check_teams(content)
    assert EVIL in slack_text(message.blocks)
    assert EVIL in teams_text(content)
    assert EVIL in text.render(card, width=200)
    called = [one for one in objects(message.blocks) if one.get("type") in {"user", "usergroup"}]
    assert called == [{"type": "usergroup", "usergroup_id": "S0ONCALL"}]
    assert json.dumps(message.blocks).count("<@") == 1  # the note's mention of U0BEN
    assert [one["mentioned"]["id"] for one in content["msteams"]["entities"]] == ["29:1abc"]
    urls = {one["url"] for one in objects([message.blocks, content]) if "url" in one}
    assert urls == {"https://portal.azure.com/#resource/subscriptions/1"}
    assert set(Page(html.render(card)).values("href")) == urls


def test_a_form_shows_names_as_text_everywhere() -> None:
    """Labels, placeholders, options and values of a form are plain on all four."""
    form = every_form(EVIL)
    view, content = slack.render_view(form), teams.render_form(form).content
    check_view(view)
    check_teams(content)
    assert EVIL in slack_text(view)
    assert EVIL in teams_text(content)
    page = Page(html.render_form(form))
    assert EVIL in page.text
    assert page.values("placeholder")[0] == EVIL
    assert set(page.tags) == {*("form", "h3", "p", "small", "label", "textarea", "input", "select", "option", "button")}
    assert EVIL in text.render_form(form, width=200)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\u202eb", "a[U+202E]b"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("a\u200bb", "a[U+200B]b"),
        ("a\u200db", "a[U+200D]b"),
        ("a\ufeffb", "a[U+FEFF]b"),
        ("a\u00adb", "a[U+00AD]b"),
        ("a\U000e0041b", "a[U+E0041]b"),
        ("a\u3164b", "a[U+3164]b"),
        ("a\u2800b", "a[U+2800]b"),
        ("a\x00b\x1b[31mc\x7f", "a[U+0000]b[U+001B][31mc[U+007F]"),
        ("a\x9bb", "a[U+009B]b"),
        ("a\ud800b", "a[U+D800]b"),
        ("a\nb\r\nc\u2028d\x85e\tf", "a b c d e f"),
    ],
)
def test_invisible_characters_are_shown_and_lines_are_folded(raw: str, shown: str) -> None:
    """A name with a hidden character looks different from the one without, on every platform."""
    card = Card("a", (Text(raw), Facts(((raw, Plain(raw)),)), Buttons((Button(raw, "x"),))))
    assert shown in slack_text(slack.render(card).blocks)
    assert shown in teams_text(teams.render(card).content)
    assert shown in Page(html.render(card)).text
    assert shown in text.render(card)
    for drawn in (slack.render(card).blocks, teams.render(card).content, html.render(card), text.render(card)):
        assert not set(json.dumps(drawn, ensure_ascii=False)) & set("\u202e\u2066\u200b\u200d\ufeff\x1b\x9b\ud800")


@pytest.mark.parametrize(
    "url",
    [
        *("http://evil.example", "javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x.example"),
        *("https://", "https://a@evil.example", "https://a b", 'https://x.example/"onclick=', "https://x.example/<x>"),
        *("https://x.example/\n", "https://x.example\\@evil.example", "https://ex\u0430mple.com", "https://[x"),
        *("https://x.example:port/", "https://x.example/|x", "HTTP://127.0.0.1.evil.example", "", "portal.azure.com"),
        "https://x.example/" + "a" * 2983,
    ],
)
def test_a_link_that_is_not_safe_is_plain_text(url: str) -> None:
    """Anything but a clean https address leads nowhere on any platform."""
    card = Card("a", (Text(Link("Open", url)), Note(Link("Open", url))))
    assert _mentions(slack.render(card).blocks) == []
    assert "mrkdwn" not in json.dumps(slack.render(card).blocks)
    assert _mentions(teams.render(card).content) == []
    assert Page(html.render(card)).values("href") == []
    assert text.render(card) == "a\nOpen\nOpen\n"
    with pytest.raises(ValueError, match="may not open"):
        Button("Open", url=url)


@pytest.mark.parametrize(
    "url",
    [
        *("https://portal.azure.com/#@x/resource/a?b=c&d=%20", "http://127.0.0.1:3978/x", "http://localhost/"),
        *("http://[::1]:80/", "https://x.example/" + "a" * 2982),
    ],
)
def test_a_safe_link_opens_on_every_platform(url: str) -> None:
    """https, and http on this machine, are links."""
    card = Card("a", (Text(Link("Open", url)),))
    assert {"type": "link", "url": url, "text": "Open"} in _mentions(slack.render(card).blocks)
    assert {"type": "Action.OpenUrl", "url": url} in _mentions(teams.render(card).content)
    assert Page(html.render(card)).values("href") == [url]
    assert text.render(card) == f"a\nOpen <{url}>\n" or len(url) > 70


@pytest.mark.parametrize("bad", ["", "u0ben", "U0BEN>", "channel", "here", "U0BEN|x", "S0ONCALL", "U0 BEN"])
def test_a_mention_with_another_kind_of_id_is_its_label(bad: str) -> None:
    """An id that is no user id cannot become a token."""
    card = Card("a", (Text(Mention("slack-user", bad, "Ben")), Note(Mention("slack-user", bad, "Ben"))))
    assert _mentions(slack.render(card).blocks) == []
    assert "mrkdwn" not in json.dumps(slack.render(card).blocks)
    assert slack_text(slack.render(card).blocks) == "a\x00Ben\x00Ben"
