"""How a vault and the fleet stand: exceptions first, the worst ten, then how to see the rest."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from adaptive_cards.card import (
    Button,
    Buttons,
    Card,
    Code,
    Element,
    Inline,
    Note,
    Severity,
    Status,
    Table,
    Text,
    spans,
)
from adaptive_cards.cards.message import WORKING
from adaptive_cards.cards.words import ago, open_in_portal, plural, portal
from adaptive_cards.identity import encode
from domain.arm import key
from domain.overview import FleetStatus, ItemState, ItemStatus, UnreadSubscription, VaultStatus

WORST = 10
BUTTONS = 5
"""Each button carries an ARM id twice on Teams: ten of them would take the place of what they are about."""
NAMES = 10
SIGNS: Mapping[ItemState, tuple[str, str]] = {
    ItemState.NEEDS_YOU: ("NEEDS YOU", "✖"),
    ItemState.UNKNOWN: ("UNKNOWN", "?"),
    ItemState.PENDING: ("PENDING", "○"),
    ItemState.STOPPED: ("STOPPED", "–"),
    ItemState.FINE: ("FINE", "✔"),
}


def counted(counts: Mapping[ItemState, int], unread: str = "") -> str:
    """``196 fine, 3 need you, 1 could not be read``; what is none is left out, but for the fine ones."""
    need = counts[ItemState.NEEDS_YOU]
    parts = [f"{counts[ItemState.FINE]} fine"]
    parts += [f"{need} {'needs' if need == 1 else 'need'} you"] if need else []
    parts += [f"{counts[ItemState.UNKNOWN]} unknown"] if counts[ItemState.UNKNOWN] else []
    parts += [f"{counts[ItemState.PENDING]} pending"] if counts[ItemState.PENDING] else []
    parts += [f"{counts[ItemState.STOPPED]} stopped"] if counts[ItemState.STOPPED] else []
    parts += [unread] if unread else []
    return ", ".join(parts)


def severity_of(items: Sequence[ItemStatus], *, blind: bool) -> Severity:
    """A breach is critical, other trouble and blindness a warning; only when all is known to be well it is good."""
    if any(one.breached and one.state is ItemState.NEEDS_YOU for one in items):
        return "critical"
    if blind or any(one.state is ItemState.NEEDS_YOU for one in items):
        return "warning"
    return "info" if any(one.state is ItemState.UNKNOWN for one in items) else "good"


def diagnose_buttons(items: Sequence[ItemStatus], *last: Button) -> Buttons | None:
    """A Diagnose button for each item, the first three seen, the others behind *More*; None without any button."""
    fitting = [one for one in items if _fits(one.item_id)][:BUTTONS]
    buttons = [Button(f"Diagnose {one.label}", "diagnose.item", one.item_id) for one in fitting]
    return Buttons((*buttons, *last)) if buttons or last else None


def _fits(value: str) -> bool:
    """Whether a button can carry it: ids with long names in other scripts grow when they are encoded."""
    try:
        encode("diagnose.item", value)
    except ValueError:
        return False
    return True


def line(item: ItemStatus, now: datetime, vault_name: str = "") -> Status:
    """One item: name, vault where it is given, why, error code, age of its newest point."""
    word, sign = SIGNS[item.state]
    parts: list[Inline] = [portal(item.label, item.item_id)]
    if vault_name:
        parts.append(f" in {vault_name}")
    parts.append(f": {item.why}")
    if item.error_code:
        parts += [" (", Code(item.error_code), ")"]
    if item.newest_point_at is not None:
        last = "last good backup " if item.point_inferred else "newest point "
        parts += [f" · {last}", ago(item.newest_point_at, now)]
    return Status(word, sign, spans(*parts))


def _jobs(failed: int | None, running: int | None, hint: str) -> list[Element]:
    if failed is None or running is None:
        return []
    return [Text(spans(f"Jobs: {failed} failed in the last 24 h, {running} running. ", Code(hint)), subtle=True)]


def vault(status: VaultStatus, now: datetime, *, simulated: bool) -> Card:
    """One vault."""
    name = status.vault_name
    if status.unread:
        return Card(
            summary=f"{name} could not be read",
            elements=(Text(status.unread), Buttons((open_in_portal(status.vault_id),))),
            severity="warning",
            simulated=simulated,
        )
    shown = status.exceptions[:WORST]
    elements: list[Element] = [line(one, now) for one in shown]
    rest = len(status.exceptions) - len(shown)
    if rest:
        elements.append(Text(spans(f"… {rest} more; all items: ", Code(f"/backup rpo {name}"))))
    elements += [Status("UNKNOWN", "?", note) for note in status.notes]
    quiet = [one for one in status.items if one.state in {ItemState.STOPPED, ItemState.PENDING}]
    elements += [line(one, now) for one in quiet[:NAMES]]
    if len(quiet) > NAMES:
        elements.append(Note(f"… {len(quiet) - NAMES} more are stopped or pending"))
    fine = [one.label for one in status.items if one.state is ItemState.FINE]
    if fine:
        more = f" and {len(fine) - NAMES} more" if len(fine) > NAMES else ""
        elements.append(Text(f"Fine: {', '.join(fine[:NAMES])}{more}.", subtle=True))
    elements += _jobs(status.jobs_failed, status.jobs_running, f"/backup jobs {name}")
    buttons = diagnose_buttons(shown, open_in_portal(status.vault_id))
    elements += [buttons] if buttons else []
    elements.append(Note("From Azure's lists; Diagnose reads the recovery points themselves."))
    summary = f"{name}: {counted(status.counts)}" if status.items else f"{name} protects nothing"
    return Card(
        summary=summary,
        elements=tuple(elements),
        severity=severity_of(status.items, blind=bool(status.notes)) if status.items else "info",
        simulated=simulated,
    )


def fleet(status: FleetStatus, now: datetime, *, simulated: bool) -> Card:
    """Every vault."""
    unread = [f"{plural(len(status.unread_vaults), 'vault')} could not be read"] if status.unread_vaults else []
    if status.unread_subscriptions:
        unread.append(f"{plural(len(status.unread_subscriptions), 'subscription')} could not be read")
    names = status.vault_names
    shown = status.exceptions[:WORST]
    elements: list[Element] = [line(one, now, names[key(one.vault_id)]) for one in shown]
    rest = len(status.exceptions) - len(shown)
    if rest:
        elements.append(Text(f"… {rest} more, by vault:"))
    elements += blind_lines((names[key(one.vault_id)], one.unread) for one in status.unread_vaults)
    elements += unread_subscriptions(status.unread_subscriptions)
    elements += blind_lines((names[key(one.vault_id)], note) for one in status.vaults for note in one.notes)
    troubled = [one for one in status.vaults if one.exceptions]
    if troubled and len(status.vaults) > 1:
        elements.append(_by_vault(troubled, names))
    failed = sum(one.jobs_failed or 0 for one in status.vaults)
    running = sum(one.jobs_running or 0 for one in status.vaults)
    elements += _jobs(failed, running, "/backup jobs <vault>")
    elements.append(Text(spans("One vault: ", Code("/backup status <vault>")), subtle=True))
    buttons = diagnose_buttons(shown)
    elements += [buttons] if buttons else []
    elements.append(Note("From Azure's lists; Diagnose reads the recovery points themselves."))
    blind = bool(unread) or any(one.notes for one in status.vaults)
    if not status.vaults and not unread:
        return Card(
            summary="The bot sees no vault at all",
            elements=(Text("Check which subscriptions its identity may read: backupbot doctor tells."),),
            severity="warning",
            simulated=simulated,
        )
    return Card(
        summary=f"{plural(len(status.vaults), 'vault')}: {counted(status.counts, ', '.join(unread))}",
        elements=tuple(elements),
        severity=severity_of(status.items, blind=blind),
        simulated=simulated,
    )


def blind_lines(unread: Iterable[tuple[str, str]]) -> list[Element]:
    """A line for each thing that could not be read, by name and reason; equal reasons share a line."""
    names: dict[str, list[str]] = {}
    for name, why in unread:
        names.setdefault(why, []).append(name)
    return [
        Status(
            "COULD NOT READ",
            "?",
            f"{', '.join(of[:NAMES])}{f' and {len(of) - NAMES} more' if len(of) > NAMES else ''}: {why}",
        )
        for why, of in names.items()
    ]


def unread_subscriptions(unread: Iterable[UnreadSubscription]) -> list[Element]:
    """A line for each subscription that could not be read."""
    return blind_lines((f"subscription {one.subscription}", one.why) for one in unread)


def working(what: str, *, simulated: bool) -> Card:
    """While many reads are under way."""
    return Card(summary=f"{what} …", elements=(Text("Asking Azure.", subtle=True),), simulated=simulated, key=WORKING)


def _by_vault(vaults: Sequence[VaultStatus], names: Mapping[str, str]) -> Table:
    ordered = sorted(vaults, key=lambda one: (-one.counts[ItemState.NEEDS_YOU], one.vault_name.casefold()))
    rows = tuple(
        (
            names[key(one.vault_id)],
            str(one.counts[ItemState.NEEDS_YOU]),
            str(one.counts[ItemState.UNKNOWN]),
            str(one.counts[ItemState.FINE]),
        )
        for one in ordered[:WORST]
    )
    left_out = len(ordered) - len(rows)
    caption = "Vaults with exceptions" + (f" (the first {len(rows)} of {len(ordered)})" if left_out else "")
    return Table(("Vault", "Need you", "Unknown", "Fine"), rows, caption)
