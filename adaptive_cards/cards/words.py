"""Words that several cards share: moments, names, links to the portal."""

from datetime import datetime
from urllib.parse import quote

from adaptive_cards.card import Button, Link, Plain, Span, When
from domain.durations import format_age, format_ago

PORTAL = "https://portal.azure.com/#resource"


def ago(moment: datetime, now: datetime) -> When:
    """A moment with its distance from now."""
    return When(moment, format_ago(now - moment) if moment <= now else f"in {format_age(moment - now)}")


def portal_url(arm_id: str, blade: str = "") -> str:
    """Where the portal shows a resource."""
    return PORTAL + quote(arm_id, safe="/;") + (f"/{blade}" if blade else "")


def portal(label: str, arm_id: str) -> Span:
    """The name of a resource, opening it in the portal."""
    return Link(label, portal_url(arm_id)) if arm_id.startswith("/") else Plain(label)


def open_in_portal(arm_id: str) -> Button:
    """A button that opens a resource."""
    return Button("Open in portal", url=portal_url(arm_id))


def percent(value: float) -> str:
    """A confidence as people read it."""
    return f"{round(value * 100)} %"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 fix``, ``2 fixes``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
