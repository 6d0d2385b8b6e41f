"""The RPO table: configured, by the policy and actual, the worst first."""

from datetime import datetime, timedelta

from adaptive_cards.card import Card, Code, Element, Inline, Note, Severity, Table, Text, spans
from adaptive_cards.cards.fleet import blind_lines, diagnose_buttons, unread_subscriptions
from adaptive_cards.cards.words import open_in_portal, plural
from domain.arm import key
from domain.durations import format_age
from domain.overview import ItemState, ItemStatus, RpoTable
from domain.schedule import RpoState

BUTTONS = 3


def _age(value: timedelta | None, none: str = "?") -> str:
    return format_age(value) if value is not None else none


def verdict(item: ItemStatus, now: datetime) -> str:
    """What the three numbers mean, in a few words."""
    if item.state is ItemState.STOPPED:
        return item.why
    rpo = item.rpo
    weak = "; the policy cannot keep it" if rpo.policy_can_meet is False else ""
    match rpo.state:
        case RpoState.BREACHED:
            late = f"breached by {format_age(rpo.breached_by)}" if rpo.breached_by is not None else "breached"
            return ("no recovery point at all" if rpo.age is None else late) + weak
        case RpoState.SAFE:
            until = rpo.safe_until or now
            day = "" if until.date() == now.date() else f"{until:%Y-%m-%d} "
            return f"kept until {day}{until:%H:%M} UTC{weak}"
        case RpoState.PENDING:
            return f"first backup to come{weak}"
        case _:
            return f"unknown{weak}"


def _counted(table: RpoTable) -> str:
    counts = table.counts
    parts = [f"{counts[RpoState.BREACHED]} breached", f"{counts[RpoState.SAFE]} kept"]
    parts += [f"{counts[RpoState.UNKNOWN]} unknown"] if counts[RpoState.UNKNOWN] else []
    parts += [f"{counts[RpoState.PENDING]} pending"] if counts[RpoState.PENDING] else []
    parts += [f"{table.stopped} stopped"] if table.stopped else []
    if table.unread_vaults:
        parts.append(f"{plural(len(table.unread_vaults), 'vault')} could not be read")
    if table.unread_subscriptions:
        parts.append(f"{plural(len(table.unread_subscriptions), 'subscription')} could not be read")
    return ", ".join(parts)


def _severity(table: RpoTable) -> Severity:
    if table.counts[RpoState.BREACHED]:
        return "critical"
    if table.unread_vaults or table.unread_subscriptions:
        return "warning"
    return "info" if table.counts[RpoState.UNKNOWN] or table.notes or not table.total else "good"


def render(table: RpoTable, now: datetime, *, simulated: bool) -> Card:
    """One page of the table."""
    where = table.vault_name or "All vaults"
    elements: list[Element] = []
    if table.rows:
        elements.append(_table(table, now))
    elements += blind_lines(
        (table.vault_names.get(key(one.vault_id), one.vault_name), one.unread) for one in table.unread_vaults
    )
    elements += unread_subscriptions(table.unread_subscriptions)
    elements += blind_lines(("Policies", note) for note in table.notes)
    if table.page < table.pages:
        command = f"/backup rpo {f'{table.vault_name} ' if table.vault_name else ''}page {table.page + 1}"
        elements.append(Text(spans(f"Page {table.page} of {table.pages}; the next: ", Code(command))))
    breached = [one for one in table.rows if one.rpo.state is RpoState.BREACHED and one.state is not ItemState.STOPPED]
    last = (open_in_portal(table.vault_id),) if table.vault_id else ()
    buttons = diagnose_buttons(breached[:BUTTONS], *last)
    elements += [buttons] if buttons else []
    if any(one.point_inferred for one in table.rows):
        elements.append(
            Note("~ the time of the last successful backup: the list names no recovery point of this item.")
        )
    return Card(
        summary=f"{where}: RPO of {plural(table.total, 'item')}: {_counted(table)}",
        elements=tuple(elements),
        severity=_severity(table),
        simulated=simulated,
    )


def _table(table: RpoTable, now: datetime) -> Table:
    everywhere = not table.vault_name
    columns = ("Item", *(("Vault",) if everywhere else ()), "Actual", "Configured", "By policy", "Verdict")
    rows: list[tuple[Inline, ...]] = []
    for one in table.rows:
        rpo = one.rpo
        actual = ("~" if one.point_inferred else "") + _age(rpo.age, "none")
        rows.append(
            (
                one.label,
                *((table.vault_names.get(key(one.vault_id), one.vault_name),) if everywhere else ()),
                actual if rpo.state is not RpoState.UNKNOWN else _age(rpo.age),
                _age(rpo.sla_rpo),
                _age(rpo.policy_rpo),
                verdict(one, now),
            )
        )
    return Table(columns, tuple(rows), "Age of the newest recovery point against the RPO")
