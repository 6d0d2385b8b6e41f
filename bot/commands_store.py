"""Read-only commands over the store: incidents, approvals, drills, the audit."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from bot.audit_azure import Agreement

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(incidents)
    app.command()(approvals)
    app.command()(drills)
    audit = typer.Typer(help="The record of who asked, decided and did what.", no_args_is_help=True)
    audit.command("verify")(verify)
    audit.command("export")(export)
    audit.command("timeline")(timeline)
    app.add_typer(audit, name="audit")


def _reading(work: "Callable[[Any], Awaitable[T]]") -> T:
    """Run ``work`` with a connection that only reads, beside a running bot."""
    import sqlalchemy as sa

    from bot.settings import load, process_environment
    from bot.store import database
    from domain.errors import SettingsError

    url = load(process_environment()).database_url

    async def run() -> T:
        engine = database.connect(url)
        reading = database.reader(engine, url)
        try:
            async with reading.connect() as connection:
                return await work(connection)
        finally:
            await reading.dispose()
            await engine.dispose()

    database.require_existing(url)
    try:
        return asyncio.run(run())
    except (sa.exc.SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise SettingsError([f"DATABASE_URL: it cannot be read as the bot's database: {reason}"]) from error


def _rows(statement: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
    async def work(connection: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
        return list((await connection.execute(statement)).mappings())

    return _reading(work)


def incidents(*, as_json: AsJson = False) -> None:
    """Open incidents, worst first."""
    import sqlalchemy as sa

    from bot.store import tables as t
    from bot.workflows import rows

    found = [rows.incident(row) for row in _rows(sa.select(t.incidents).where(t.incidents.c.state == "open"))]
    found.sort(key=lambda one: (-one.severity.rank, one.opened_at))
    record = [
        {
            "id": one.id,
            "severity": one.severity.value,
            "item": one.item_id,
            "name": one.item_name,
            "vault": one.vault_name,
            "what": one.what,
            "code": one.code,
            "opened_at": one.opened_at.isoformat(),
            "owner": one.owner.label if one.owner else None,
            "causes": [cause.id for cause in one.diagnosis.causes] if one.diagnosis else [],
        }
        for one in found
    ]
    _print(
        record,
        [f"{one['id']}  {one['severity']:8}  {one['name']} in {one['vault']}: {one['what']}" for one in record],
        as_json,
    )


def approvals(*, as_json: AsJson = False) -> None:
    """Requests that wait or are being done, and the newest that ended."""
    import sqlalchemy as sa

    from bot.store import tables as t
    from bot.workflows import rows

    found = [
        rows.approval(row) for row in _rows(sa.select(t.approvals).order_by(t.approvals.c.created_at.desc()).limit(200))
    ]
    record = [
        {
            "id": one.id,
            "state": one.state.value,
            "fix": one.plan.fix,
            "item": one.plan.item_id,
            "vault": one.plan.vault_name,
            "fingerprint": one.fingerprint,
            "requester": one.requester.label,
            "decided_by": one.decided_by.label if one.decided_by else None,
            "created_at": one.created_at.isoformat(),
            "note": one.note,
        }
        for one in found
    ]
    _print(
        record,
        [
            f"{one['id']}  {one['state']:10}  {one['fix']} {str(one['item']).rpartition('/')[2]}: {one['note']}"
            for one in record
        ],
        as_json,
    )


def drills(*, as_json: AsJson = False) -> None:
    """Restore tests that were recorded."""
    import sqlalchemy as sa

    from bot.store import tables as t

    record = [
        {
            "id": row["id"],
            "item": row["item_name"],
            "vault": row["vault_name"],
            "at": row["at"].isoformat(),
            "evidence": row["evidence"],
            "by": (row["by"] or {}).get("name", ""),
        }
        for row in _rows(sa.select(t.drills).order_by(t.drills.c.at.desc()).limit(500))
    ]
    _print(record, [f"{one['at'][:16]}  {one['item']} in {one['vault']}: {one['evidence']}" for one in record], as_json)


def _print(record: Sequence[Mapping[str, Any]], lines: Sequence[str], as_json: bool) -> None:  # noqa: FBT001
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        print("\n".join(lines) or "none")  # noqa: T201


def _audit() -> Sequence[Mapping[str, Any]]:
    import sqlalchemy as sa

    from bot.store import tables as t

    return _rows(sa.select(t.audit).order_by(t.audit.c.n))


def _head() -> tuple[int, str] | None:
    """What the store's own head row says; None before the first line."""
    import sqlalchemy as sa

    from bot.store import tables as t

    rows = _rows(sa.select(t.audit_head.c.n, t.audit_head.c.hash))
    return (int(rows[0]["n"]), str(rows[0]["hash"])) if rows else None


def export() -> None:
    """The whole record as JSON lines, to be verified anywhere with: backupbot audit verify --file."""
    for row in _audit():
        print(json.dumps(dict(row), ensure_ascii=False, sort_keys=True))  # noqa: T201


def verify(
    *,
    file: Annotated[str, typer.Option("--file", help="An export to verify instead of the store; - for stdin.")] = "",
    head: Annotated[str, typer.Option("--head", help="A hash noted earlier that must be in the record.")] = "",
    key: Annotated[str, typer.Option("--key", help="A PEM file with the Ed25519 public key of the signatures.")] = "",
    azure: Annotated[bool, typer.Option("--azure", help="Compare with Azure's own Activity Log too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Walk the chain: any change, removal or reordering is found."""
    from bot.store import chain
    from domain.errors import RequestError

    try:
        public_key = chain.public_key(key) if key else None
        lines = _lines(file) if file else _audit()
        stored = None if file else _head()
    except (OSError, ValueError) as error:
        raise RequestError(f"That cannot be read as an export or key: {error}") from error
    verdict = chain.verify(lines, known_head=head, stored_head=stored, public_key=public_key)
    agreement = _agreement(lines) if azure and verdict.ok else None
    faults = [*agreement.without_approval, *agreement.without_event] if agreement else []
    record: dict[str, Any] = {
        "ok": verdict.ok and not faults,
        "lines": verdict.lines,
        "head": verdict.head,
        "fault": verdict.fault,
        "notes": list(verdict.notes),
        "azure": faults if agreement else None,
    }
    if as_json:
        print(json.dumps(record, indent=2))  # noqa: T201
    else:
        said = f"{verdict.lines} lines, head {verdict.head}" if verdict.ok else f"BROKEN: {verdict.fault}"
        compared = [f"{agreement.compared} changes compared with Azure's Activity Log"] if agreement else []
        print("\n".join([said, *verdict.notes, *compared, *faults]))  # noqa: T201
    raise typer.Exit(0 if verdict.ok and not faults else 1)


def _agreement(lines: Sequence[Mapping[str, Any]]) -> "Agreement":
    """Our record beside Azure's."""
    from datetime import timedelta

    from bot import audit_azure
    from bot.cli import World, looking

    mine = audit_azure.sends(lines)

    async def work(world: World) -> audit_azure.Agreement:
        now = world.clock.now()
        first = min((send.at for send in mine), default=now - timedelta(days=7))
        since = max(first - audit_azure.NEAR, now - audit_azure.LONGEST)
        events = await audit_azure.read_events(world.read(), mine, since, now)
        identity = frozenset({world.operator_client_id.casefold()} - {""})
        return audit_azure.compare([send for send in mine if send.at >= since], events, identity, now)

    return looking(work)


def timeline(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """An incident's record as Markdown, for the post-mortem."""
    from domain.errors import NotFound

    lines = _audit()
    wanted = incident.upper()
    requests = {
        line["subject"]
        for line in lines
        if line["event"] == "approval.requested" and (line["data"] or {}).get("incident") == wanted
    }
    mine = [line for line in lines if line["subject"] == wanted or line["subject"] in requests]
    if not mine:
        raise NotFound(f"The record has nothing about {incident}.")
    print(f"# {wanted}\n\n| when (UTC) | who | what | details |\n| --- | --- | --- | --- |")  # noqa: T201
    for line in mine:
        data = line["data"] or {}
        shown = "; ".join(
            f"{name}: {value}"
            for name, value in data.items()
            if name in {"fix", "why", "reason", "note", "summary", "code", "causes", "severity", "resource", "proof"}
            and value
        )
        who = line["actor"].get("name") or line["actor"].get("id")
        cells = (line["at"][:19].replace("T", " "), who, line["event"], shown)
        print("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")  # noqa: T201


def _lines(file: str) -> Sequence[Mapping[str, Any]]:
    from pathlib import Path

    content = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    if not all(isinstance(line, dict) for line in lines):
        raise ValueError("a line is not a JSON object")
    return lines
