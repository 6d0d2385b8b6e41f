"""Cards to draw in tests, and a name that tries everything."""

from datetime import UTC, datetime

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
    Plain,
    Progress,
    Status,
    Table,
    Text,
    TextInput,
    When,
    spans,
)

EVIL = "*_<!channel>_[x](http://evil)_<at>all</at>"
AT = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
MOMENT = When(AT, age="31 h ago")
PORTAL = "https://portal.azure.com/#resource/subscriptions/1"


def every_element(name: str) -> tuple[Element, ...]:
    """One of each element, with `name` wherever text can stand."""
    return (
        Heading(name),
        Text(spans("of ", Plain(name), " ", Bold(name), " ", Code(name), " ", Link(name, PORTAL), " ", MOMENT)),
        Text(spans(name, " stepped back"), subtle=True),
        Status("FAIL", "✖", name),
        Facts(((name, name), ("Last good point", MOMENT), ("Portal", Link(name, "http://evil.example")))),
        Bullets((name, Bold(name))),
        Bullets((name, spans("then ", Code(name))), numbered=True),
        Table(("Item", name), ((name, Bold(name)), ("vm", MOMENT)), caption=name),
        Table(("Item", "State"), ((name, "ok"),), caption="short"),
        Table(tuple("abcde"), ((name, "1", "2", "3", "4"),)),
        CodeBlock(f"az backup\n  --item {name}"),
        Divider(),
        Note(spans("seen by ", Mention("slack-user", "U0BEN", name), " ", name)),
        Text(spans(Mention("teams-user", "29:1abc", "Ana Ruiz"), " and ", Mention("slack-group", "S0ONCALL", name))),
        Progress(2, 5, name),
        Buttons(
            (
                Button(f"Approve {name}", "approve", name, style="primary", confirm=Confirm(name, name, name, name)),
                Button("Reject", "reject", "42", style="danger"),
                Button(name, url=PORTAL),
                Button(name, "snooze", name),
            )
        ),
        Fold(name, (Text(name), CodeBlock(name), Buttons((Button(name, "copy"),)))),
        Fold("Exact calls", (Text("only behind the button"),), instead=Button("Exact calls", "calls", "42")),
    )


def every_card(name: str = EVIL) -> Card:
    """A card of all elements."""
    return Card(f"{name} failed", every_element(name), severity="critical", simulated=True, key="incident-1")


def every_form(name: str = EVIL) -> Form:
    """A form of all inputs, between text."""
    return Form(
        title=name,
        elements=(
            Text(name),
            TextInput("reason", name, multiline=True, placeholder=name, max_length=200, value=name),
            TextInput("ticket", "Ticket", required=False),
            Choice("region", name, (Option(name, "a"), Option("West Europe", "b")), value="b"),
            Note(name),
        ),
        action="reject",
        value="42",
    )
