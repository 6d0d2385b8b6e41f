"""A list of names with a sentence each."""

from adaptive_cards.card import Bullets, Card, Code, spans


def render(title: str, rows: tuple[tuple[str, str], ...]) -> Card:
    """The catalogue of checks or fixes."""
    return Card(
        summary=f"{title}: {len(rows)}",
        elements=(Bullets(tuple(spans(Code(name), f" {about}") for name, about in rows)),),
        severity="info",
    )
