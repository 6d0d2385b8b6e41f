"""Cards and forms as HTML fragments without style or script, for the chat page and for pictures.

A page listens for clicks on ``button[data-action]``: ``data-payload`` is what Slack and Teams would send back,
``data-confirm`` a question to ask before. Nothing from a card is ever markup.
"""

from datetime import UTC
from html import escape
from typing import assert_never

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
    Code,
    CodeBlock,
    Divider,
    Facts,
    Fold,
    Form,
    Heading,
    Inline,
    Input,
    Link,
    Mention,
    Note,
    Part,
    Plain,
    Progress,
    Span,
    Status,
    Table,
    Text,
    TextInput,
    When,
    spans,
)
from adaptive_cards.identity import encode
from adaptive_cards.plain import clean, safe_url
from adaptive_cards.wording import SIMULATED_LINE, headline, progress_text, span_text, utc_text


def render(card: Card) -> str:
    """Draw a card as an article; its class carries the severity, its first heading says it in words."""
    kind = f" card-{card.severity}" if card.severity else ""
    mark = f'<p class="simulated">{_text(SIMULATED_LINE)}</p>' if card.simulated else ""
    first = f'<h3 class="headline">{_text(headline(card))}</h3>'
    body = "".join(_draw(part) for part in card.elements)
    return f'<article class="card{kind}" data-key="{_text(card.key)}">{mark}{first}{body}</article>'


def render_form(form: Form) -> str:
    """Draw a form; its fields are named by the ids of the inputs, its identity is in ``data-payload``."""
    has_inputs = any(isinstance(part, TextInput | Choice) for part in form.elements)
    word = form.submit or ("Send" if has_inputs else "")
    submit = f'<button type="submit">{_text(word)}</button>' if word else ""
    body = "".join(_draw(part) for part in form.elements)
    identity = _identity(form.action, form.value)
    title = _text(form.title)
    return f'<form class="card-form" aria-label="{title}"{identity}><h3>{title}</h3>{body}{submit}</form>'


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _identity(action: str, value: str) -> str:
    payload = encode(action, value)
    return f' data-action="{escape(action)}" data-value="{escape(value)}" data-payload="{escape(payload)}"'


def _inline(inline: Inline) -> str:
    return "".join(_span(span) for span in spans(inline))


def _span(span: Span) -> str:
    text = _text(span_text(span))
    match span:
        case Plain():
            return text
        case Bold():
            return f"<strong>{text}</strong>"
        case Code():
            return f"<code>{text}</code>"
        case Link():
            url = safe_url(span.url)
            return text if url is None else _anchor(url, text, "link")
        case When():
            stamp = span.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return f'<time datetime="{stamp}" title="{_text(utc_text(span))}">{text}</time>'
        case Mention():
            return f'<span class="mention">{text}</span>'
        case _:
            assert_never(span)


def _anchor(url: str, text: str, kind: str) -> str:
    return f'<a class="{kind}" href="{escape(url)}" target="_blank" rel="noopener noreferrer">{text}</a>'


def _draw(part: Part) -> str:  # noqa: C901, PLR0911, PLR0912 -- one arm for each element
    match part:
        case Heading():
            return f"<h4>{_text(part.text)}</h4>"
        case Text():
            kind = ' class="subtle"' if part.subtle else ""
            return f"<p{kind}>{_inline(part.spans)}</p>"
        case Note():
            return f'<p class="note"><small>{_inline(part.spans)}</small></p>'
        case Status():
            sign = f'<span aria-hidden="true">{_text(part.sign)}</span>'
            return f'<p class="status">{sign} <strong>{_text(part.word)}</strong> {_inline(part.spans)}</p>'
        case Facts():
            rows = "".join(f"<dt>{_text(label)}</dt><dd>{_inline(value)}</dd>" for label, value in part.rows)
            return f"<dl>{rows}</dl>" if rows else ""
        case Bullets():
            tag = "ol" if part.numbered else "ul"
            items = "".join(f"<li>{_inline(item)}</li>" for item in part.items)
            return f"<{tag}>{items}</{tag}>" if items else ""
        case Table():
            return _table(part)
        case CodeBlock():
            return f'<pre tabindex="0"><code>{escape(clean(part.text, lines=True))}</code></pre>'
        case Divider():
            return "<hr>"
        case Progress():
            return f'<p class="progress" role="status">{_text(progress_text(part))}</p>'
        case Buttons():
            return _buttons(part)
        case Fold():
            inner = "".join(_draw(one) for one in part.elements)
            return f'<details class="fold"><summary>{_text(part.title)}</summary>{inner}</details>'
        case TextInput() | Choice():
            return _input(part)
        case _:
            assert_never(part)


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _buttons(row: Buttons) -> str:
    shown = "".join(_button(button) for button in row.shown)
    menu = "".join(_button(button) for button in row.menu)
    more = f'<details class="more"><summary>More</summary>{menu}</details>' if menu else ""
    return f'<div class="buttons" role="group" aria-label="Actions">{shown}{more}</div>'


def _button(button: Button) -> str:
    label = _text(button.label)
    if button.url is not None:
        return _anchor(button.url, label, f"button button-{button.style}")
    confirm = button.confirm
    question = f' data-confirm="{_text(f"{confirm.title} {confirm.text}")}"' if confirm else ""
    identity = _identity(button.action, button.value)
    return f'<button type="button" class="button-{button.style}"{identity}{question}>{label}</button>'


def _input(part: Input) -> str:
    name = f'name="{part.id}"{" required" if part.required else ""}'
    match part:
        case TextInput() if part.multiline:
            # A browser drops the first line break of a textarea: https://html.spec.whatwg.org/#parsing-main-inbody
            value = "\n" + escape(clean(part.value, lines=True))
            field = f'<textarea {name} maxlength="{part.max_length}" placeholder="{_text(part.placeholder)}">'
            field = f"{field}{value}</textarea>"
        case TextInput():
            field = (
                f'<input type="text" {name} maxlength="{part.max_length}" value="{_text(part.value)}"'
                f' placeholder="{_text(part.placeholder)}">'
            )
        case Choice():
            field = f"<select {name}>{_options(part)}</select>"
        case _:
            assert_never(part)
    return f"<label>{_text(part.label)} {field}</label>"


def _options(part: Choice) -> str:
    empty = "" if any(option.value == part.value for option in part.options) else '<option value=""></option>'
    return empty + "".join(
        f'<option value="{escape(option.value)}"{" selected" if option.value == part.value else ""}>'
        f"{_text(option.label)}</option>"
        for option in part.options
    )
