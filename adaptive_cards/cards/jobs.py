"""The jobs of a vault: what runs and in which phase, what failed and why, and the same list for the command line."""

from datetime import datetime

from adaptive_cards.card import (
    Buttons,
    Card,
    Code,
    CodeBlock,
    Element,
    Fold,
    Inline,
    Note,
    Severity,
    Status,
    Table,
    Text,
    spans,
)
from adaptive_cards.cards.fleet import blind_lines
from adaptive_cards.cards.words import ago, open_in_portal, plural, portal
from domain.durations import format_age
from domain.overview import JobLine, JobsView

SHOWN = 10
OTHERS = 10


def _name(job: JobLine) -> Inline:
    server = f" on {job.server}" if job.server and job.server.casefold() != job.item_name.casefold() else ""
    return spans(f"{job.operation} of ", portal(job.item_name or "?", job.arm_id), server)


def _running(job: JobLine) -> Status:
    parts: list[Inline] = [_name(job)]
    if job.phase:
        parts.append(f" · {job.phase}")
    if job.progress_percent is not None:
        parts.append(f" · {job.progress_percent} %")
    if job.took is not None:
        parts.append(f" · for {format_age(job.took)}")
    return Status("CANCELLING" if job.status == "Cancelling" else "RUNNING", "◑", spans(*parts))


def _alike(jobs: tuple[JobLine, ...]) -> list[tuple[JobLine, int]]:
    """The newest job of each item, operation and code, with how many of them there are."""
    found: dict[tuple[str, ...], tuple[JobLine, int]] = {}
    for job in jobs:
        kind = (job.item_name, job.server, job.operation, job.error_code or job.error_text)
        newest, count = found.get(kind, (job, 0))
        found[kind] = (newest, count + 1)
    return list(found.values())


def _failed(job: JobLine, count: int, now: datetime) -> Status:
    parts: list[Inline] = [_name(job), f" · {count}×" if count > 1 else ""]
    if job.error_code:
        parts += [" · ", Code(job.error_code)]
    elif job.error_text:
        parts.append(f" · {job.error_text}")
    else:
        parts.append(" · Azure gives no reason")
    if job.phase:
        parts.append(f" · in {job.phase}")
    when = job.ended_at or job.started_at
    if when is not None:
        parts += [" · last " if count > 1 else " · ", ago(when, now)]
    return Status("FAILED", "✖", spans(*parts))


def _others(jobs: tuple[JobLine, ...]) -> Table:
    rows = tuple(
        (
            job.item_name,
            job.operation,
            job.status,
            f"{job.started_at:%Y-%m-%d %H:%M} UTC" if job.started_at else "?",
            format_age(job.took) if job.took is not None else "?",
        )
        for job in jobs[:OTHERS]
    )
    left_out = len(jobs) - len(rows)
    caption = "Ended otherwise" + (f" (the newest {len(rows)} of {len(jobs)})" if left_out else "")
    return Table(("Item", "Operation", "Status", "Started", "Took"), rows, caption)


def render(view: JobsView, now: datetime, *, simulated: bool) -> Card:
    """The jobs, the running ones first."""
    elements: list[Element] = [_running(job) for job in view.running[:SHOWN]]
    failed = _alike(view.failed)
    elements += [_failed(job, count, now) for job, count in failed[:SHOWN]]
    hidden = max(len(view.running) - SHOWN, 0) + sum(count for _, count in failed[SHOWN:])
    if hidden:
        elements.append(Text(f"… {hidden} more running or failed; the command below lists all."))
    if view.others:
        elements.append(_others(view.others))
    elements += blind_lines((view.vault_name, note) for note in view.notes)
    code = next((job.error_code for job in view.failed if job.error_code), "")
    if code:
        elements.append(Text(spans("What a code means: ", Code(f"/backup explain {code}")), subtle=True))
    elements.append(Fold("The same by the command line", (CodeBlock(view.az),), key="az"))
    elements.append(Buttons((open_in_portal(view.vault_id),)))
    if view.only != "failed":
        elements.append(Note("Running jobs are listed whenever they started."))
    return Card(
        summary=f"{view.vault_name}: {_counted(view)}",
        elements=tuple(elements),
        severity=_severity(view),
        simulated=simulated,
    )


def _counted(view: JobsView) -> str:
    span = f"in the last {format_age(view.back)}"
    match view.only:
        case "failed":
            return f"{plural(len(view.failed), 'failed job')} {span}"
        case "running":
            return plural(len(view.running), "running job")
        case _:
            return f"{len(view.running)} running; {span} {len(view.failed)} failed, {len(view.others)} ended otherwise"


def _severity(view: JobsView) -> Severity:
    if view.failed or view.notes:
        return "warning"
    return "info" if view.running or not view.jobs else "good"
