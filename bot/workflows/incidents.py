"""Incidents: opened by alerts, sweeps and people, one live one per key; diagnosed by the bot; closed by proofs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adaptive_cards.cards import diagnosis as diagnosis_card
from adaptive_cards.cards import incident as incident_card
from bot.store import tables as t
from bot.store.store import Row, Tx, new_id
from bot.workflows import rows
from bot.workflows.ledger import StoreLedger
from bot.workflows.services import Services
from bot.workflows.ticker import LEASE
from diagnostics.error_codes import load as load_codes
from diagnostics.instant import stopped
from diagnostics.registry import Context
from diagnostics.runner import diagnose
from domain.actor import SYSTEM, Actor
from domain.approval import State
from domain.arm import ItemId, VaultId, key, name_of
from domain.backup import ProtectedItem, Vault
from domain.errors import GatewayError, NotFound, RequestError
from domain.finding import Diagnosis, Finding, Outcome
from domain.fix import FixPlan, Kind
from domain.incident import Alert, Incident, Operation, Severity
from domain.records import dump_diagnosis
from domain.schedule import RpoState
from handlers.diagnosing import changes_before

BREATH = timedelta(seconds=5)
DIAGNOSES_AT_MOST = 5


def message_key(incident_id: str) -> str:
    """The key under which an incident's post is kept up to date."""
    return f"incident:{incident_id}"


@dataclass(kw_only=True)
class Incidents:
    """The desk of incidents."""

    services: Services
    _diagnosing: set[str] = field(default_factory=set)

    # -- opening -------------------------------------------------------------------------------------------------

    async def from_alert(self, alert_row_id: str, alert: Alert) -> None:
        """Find or open the incident that an alert belongs to; the alert's row is marked in the same transaction."""
        services = self.services
        alert = await self._with_item(alert)
        async with services.store.begin() as tx:
            done = await tx.move(t.alerts, alert_row_id, ("new", "working"), state="done")
            if not done:
                return
            incident_id = await self._note_alert(tx, alert)
            await tx.execute(t.alerts.update().where(t.alerts.c.id == alert_row_id).values(incident_id=incident_id))

    async def _with_item(self, alert: Alert) -> Alert:
        """The alert with its protected item, found by the resource behind it where the alert names only that."""
        if alert.item_id or not (alert.source_id and alert.vault_id):
            return alert
        try:
            items = await self.services.read().items(VaultId.parse(alert.vault_id))
        except GatewayError as error:
            self.services.log.info("alert_item_not_looked_up", error=str(error))
            return alert
        found = [item for item in items if item.source_id and key(item.source_id) == key(alert.source_id)]
        # Several databases live on one machine: then the alert stays one of the vault, rather than of a guessed item.
        return replace(alert, item_id=found[0].id.id, item_name=found[0].name) if len(found) == 1 else alert

    async def _note_alert(self, tx: Tx, alert: Alert) -> str | None:
        row = await tx.one(_live(alert))
        if alert.condition.casefold() == "resolved":
            if row is not None:
                tx.audit("incident.alert_resolved", row["id"], SYSTEM, {"alert": alert.alert_id})
            return row["id"] if row is not None else None
        if row is None:
            return await self._open(tx, alert)
        await self._again(tx, row, alert)
        return str(row["id"])

    async def _open(self, tx: Tx, alert: Alert) -> str:
        incident_id = new_id("INC")
        vault = VaultId.parse(alert.vault_id or alert.item_id)
        route = self.services.route(vault, {})
        opened = await tx.insert_new(
            t.incidents,
            id=incident_id,
            key=alert.incident_key,
            severity=Severity.WARNING.value,
            operation=alert.operation.value,
            family=_family(alert.code),
            code=alert.code,
            vault_id=vault.id,
            vault_name=vault.name,
            item_id=alert.item_id,
            item_name=alert.item_name or (name_of(alert.item_id) if alert.item_id else ""),
            rule=alert.rule,
            what=_what(alert.operation, 1, alert),
            failures=1,
            opened_at=tx.now,
            updated_at=tx.now,
            job_id=alert.job_id,
            places=[place.record() for place in route.places],
            diagnosis_state="due" if alert.item_id else "none",
            due_at=tx.now + LEASE if alert.item_id else None,
        )
        if not opened:  # another replica opened it between our look and our insert
            row = await tx.one(_live(alert))
            if row is None:
                raise RuntimeError("an incident was neither there nor insertable")
            await self._again(tx, row, alert)
            return str(row["id"])
        tx.audit(
            "incident.opened",
            incident_id,
            SYSTEM,
            {"alert": alert.alert_id, "rule": alert.rule, "item": alert.item_id, "vault": vault.id, "code": alert.code},
        )
        if alert.item_id:
            # Posted by the first diagnosis, some seconds later: with the evidence, and calling people once if it is critical.
            await tx.enqueue("incident", incident_id, "opened")
        else:
            await self.show(tx, incident_id)
        return incident_id

    async def _again(self, tx: Tx, row: Row, alert: Alert) -> None:
        """One more failure of a live incident: counted, and announced anew only when its kind is new."""
        count = row["failures"] + 1
        family = _family(alert.code)
        new_kind = bool(family) and family != row["family"]
        await tx.execute(
            t.incidents.update()
            .where(t.incidents.c.id == row["id"])
            .values(
                failures=count,
                what=_what(Operation(row["operation"]), count, alert),
                code=alert.code or row["code"],
                family=family or row["family"],
                job_id=alert.job_id or row["job_id"],
                updated_at=tx.now,
                diagnosis_state="due" if row["item_id"] else "none",
                due_at=_due(row, tx.now),
                tries=0,
            )
        )
        tx.audit("incident.again", row["id"], SYSTEM, {"alert": alert.alert_id, "code": alert.code, "failures": count})
        if not row["item_id"]:
            await self.show(tx, row["id"])  # else the diagnosis that follows shows it, once for all alerts of a storm
        if new_kind:
            await self._announce(tx, row["id"], f"A new kind of error: {alert.code}")
        if row["item_id"] and row["diagnosis_state"] != "due":
            # Else a diagnosis is on its way: it sees at its end that the count has moved, and is made once more.
            await tx.enqueue("incident", row["id"], f"again:{count}")

    async def _announce(self, tx: Tx, incident_id: str, text: str) -> None:
        """A new message in the incident's thread, since an edit calls nobody."""
        row = await tx.one(sa.select(t.incidents).where(t.incidents.c.id == incident_id))
        if row is None:
            return
        current = rows.incident(row)
        mentions = self.services.route(VaultId.parse(current.vault_id), {}).mention
        for place in rows.threads(row, message_key(incident_id)):
            card = incident_card.announcement(
                current,
                text,
                mention=mentions if current.severity is Severity.CRITICAL else (),
                now=tx.now,
                simulated=self.services.simulated,
            )
            await tx.say(f"{message_key(incident_id)}:announce:{row['failures']}:{row['severity']}", place, card)

    # -- diagnosing ----------------------------------------------------------------------------------------------

    async def drive(self, incident_id: str) -> None:
        """Diagnose what is due, say it in the thread, and set the severity that the evidence gives."""
        if incident_id in self._diagnosing:
            return  # whoever diagnoses it sees at the end that it happened again
        self._diagnosing.add(incident_id)
        try:
            await self._diagnose_once(incident_id)
        finally:
            self._diagnosing.discard(incident_id)

    async def _diagnose_once(self, incident_id: str) -> None:
        services = self.services
        row = await services.store.get(t.incidents, incident_id)
        if row is None or row["state"] != "open" or row["diagnosis_state"] != "due" or not row["item_id"]:
            return
        try:
            context, item = await self._context(ItemId.parse(row["item_id"]), row["job_id"])
            diagnosis, vault = await self._diagnosis(context), context.vault
            changes = await changes_before(context, diagnosis)
        except (GatewayError, RequestError) as error:
            await self._could_not_look(row, str(error))
            return
        facts = _rpo_facts(diagnosis, services.clock.now())
        severity = _severity(Operation(row["operation"]), facts)
        async with services.store.begin() as tx:
            result = await tx.execute(
                t.incidents.update()
                .where(t.incidents.c.id == incident_id, t.incidents.c.state == "open")
                .values(
                    diagnosis=dump_diagnosis(diagnosis),
                    # It may have happened once more meanwhile. In a storm that is always so: what is known now is said
                    # now, and it is looked at again after a breath.
                    diagnosis_state=sa.case((t.incidents.c.failures == row["failures"], "done"), else_="due"),
                    facts=facts,
                    severity=severity.value,
                    item_name=item.name,
                    vault_name=vault.id.name,
                    code=_code(diagnosis) or row["code"],
                    what=_what_found(diagnosis) or t.incidents.c.what,
                    places=row["places"] or [place.record() for place in services.route(vault.id, vault.tags).places],
                    updated_at=tx.now,
                    due_at=sa.case((t.incidents.c.failures == row["failures"], None), else_=tx.now + BREATH),
                )
            )
            if result.rowcount != 1:
                return  # it was closed meanwhile
            tx.audit(
                "incident.diagnosed",
                incident_id,
                SYSTEM,
                {"causes": [cause.id for cause in diagnosis.causes], "severity": severity.value},
            )
            current = await self.show(tx, incident_id)
            await self._say_diagnosis(tx, current, diagnosis, row, changes)
            raised = Severity(row["severity"]).rank < severity.rank and severity is Severity.CRITICAL
            if raised and row["diagnosis"] is not None:  # the first diagnosis is a new message itself
                await self._announce(tx, incident_id, "The recovery point objective is breached")

    async def diagnose(self, item_id: ItemId, job_id: str = "") -> tuple[Diagnosis, ProtectedItem, Vault]:
        """A diagnosis of one item with everything that the store knows.

        Raises:
            GatewayError: the item itself could not be read.
        """
        context, item = await self._context(item_id, job_id)
        return await self._diagnosis(context), item, context.vault

    async def _context(self, item_id: ItemId, job_id: str) -> tuple[Context, ProtectedItem]:
        services = self.services
        read = services.read()
        vault, item = await read.vault(item_id.vault), await read.item(item_id)
        failed_job = None
        if job_id:
            try:
                failed_job = await read.job(item_id.vault, job_id)
            except GatewayError as error:
                services.log.info("alert_job_unreadable", error=str(error))
        context = Context(
            vault=vault,
            item=item,
            read=read,
            clock=stopped(services.clock),  # what changed before is asked with the reads of the diagnosis
            rpo=services.rpo,
            limits=services.limits,
            ledger=StoreLedger(services.store),
            failed_job=failed_job,
        )
        return context, item

    async def _diagnosis(self, context: Context) -> Diagnosis:
        services = self.services
        return await diagnose(
            context,
            services.checks,
            limit_s=services.diagnosis_limit_s,
            on_bug=lambda check, error: services.log.error("check_has_a_bug", check=check, exc_info=error),
        )

    async def _could_not_look(self, row: Row, why: str) -> None:
        tries = row["tries"] + 1
        async with self.services.store.begin() as tx:
            give_up = tries >= DIAGNOSES_AT_MOST
            await tx.execute(
                t.incidents.update()
                .where(t.incidents.c.id == row["id"], t.incidents.c.state == "open")
                .values(
                    tries=tries,
                    diagnosis_state="failed" if give_up else "due",
                    due_at=None if give_up else tx.now + self.services.poll,
                )
            )
            if tries == 1 or give_up:
                await self.show(tx, row["id"])
                for place in rows.threads(row, message_key(row["id"])):
                    card = incident_card.could_not_look(
                        rows.incident(row), why, again=not give_up, simulated=self.services.simulated
                    )
                    await tx.say(f"{message_key(row['id'])}:diagnosis", place, card)

    async def _say_diagnosis(
        self, tx: Tx, current: Incident, diagnosis: Diagnosis, row: Row, changes: diagnosis_card.Changes
    ) -> None:
        card = diagnosis_card.render(
            diagnosis,
            fixes=self.offers(diagnosis),
            incident_id=current.id,
            item_id=current.item_id,
            now=tx.now,
            simulated=self.services.simulated,
            changes=changes,
        )
        for place in rows.threads(row, message_key(current.id)):
            await tx.say(f"{message_key(current.id)}:diagnosis", place, card)

    def offers(self, diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
        """(fix id, title) of the fixes that the causes name, best first, those that are off left out."""
        found: dict[str, str] = {}
        for cause in diagnosis.causes:
            for fix_id in cause.fixes:
                fix = self.services.fixes.get(fix_id)
                enabled = self.services.fix_settings.enabled
                if fix is not None and (not fix.spec.off_by_default or fix_id in enabled):
                    found.setdefault(fix_id, fix.spec.title)
        return tuple(found.items())

    # -- people --------------------------------------------------------------------------------------------------

    async def take(self, incident_id: str, actor: Actor) -> Incident:
        """Somebody has it."""
        return await self._change(incident_id, "incident.taken", actor, {"owner": actor.record()}, {})

    async def snooze(self, incident_id: str, actor: Actor, duration: timedelta) -> Incident:
        """Be quiet about it for a while."""
        until = self.services.clock.now() + duration
        return await self._change(
            incident_id, "incident.snoozed", actor, {"snoozed_until": until}, {"until": until.isoformat()}
        )

    async def close(self, incident_id: str, actor: Actor, reason: str) -> Incident:
        """Somebody says it is over."""
        if not reason.strip():
            raise RequestError("Say why it can be closed: /backup incident <id> close <reason>.")
        now = self.services.clock.now()
        return await self._change(
            incident_id,
            "incident.closed",
            actor,
            {"state": "closed", "closed_at": now, "closed_reason": reason, "due_at": None},
            {"reason": reason},
        )

    async def _change(
        self, incident_id: str, event: str, actor: Actor, values: Mapping[str, Any], data: Mapping[str, str]
    ) -> Incident:
        if not actor.may_act and (actor.known or actor.is_foreign):
            raise RequestError(f"Nothing was changed: {actor.why_not}.")
        incident_id = incident_id.upper()
        async with self.services.store.begin() as tx:
            if not await tx.move(t.incidents, incident_id, "open", updated_at=tx.now, **values):
                raise NotFound(f"There is no open incident {incident_id}.")
            tx.audit(event, incident_id, actor, dict(data))
            return await self.show(tx, incident_id)

    # -- fixes ---------------------------------------------------------------------------------------------------

    async def fix_ended(self, tx: Tx, approval_id: str, plan: FixPlan, state: State, summary: str) -> None:
        """A proof of what the incident is about closes it; any other end is said in it, and the item looked at again."""
        row = await tx.one(
            sa.select(t.incidents.c.id, t.incidents.c.operation)
            .join(t.approvals, t.approvals.c.incident_id == t.incidents.c.id)
            .where(t.approvals.c.id == approval_id)
        )
        if row is None:
            return
        incident_id = row["id"]
        if state is State.PROVED and _proves(plan, Operation(row["operation"])):
            closed = await tx.move(
                t.incidents,
                incident_id,
                "open",
                state="closed",
                closed_at=tx.now,
                updated_at=tx.now,
                closed_reason=f"{plan.title}: {summary}",
                due_at=None,
            )
            if closed:
                tx.audit("incident.closed", incident_id, SYSTEM, {"by": approval_id, "proof": summary})
        else:
            tx.audit(
                "incident.fix_ended", incident_id, SYSTEM, {"by": approval_id, "state": state.value, "why": summary}
            )
            if state is State.PROVED:
                await self._look_again(tx, incident_id, f"proved:{approval_id}")
        await self.show(tx, incident_id)

    async def _look_again(self, tx: Tx, incident_id: str, tag: str) -> bool:
        """Let an open incident be diagnosed once more."""
        due = await tx.move(t.incidents, incident_id, "open", diagnosis_state="due", due_at=tx.now + LEASE, tries=0)
        if due:
            await tx.enqueue("incident", incident_id, tag)
        return due

    # -- showing -------------------------------------------------------------------------------------------------

    async def show(self, tx: Tx, incident_id: str) -> Incident:
        """Make the incident's post say what the row says."""
        row = await tx.one(sa.select(t.incidents).where(t.incidents.c.id == incident_id))
        if row is None:
            raise NotFound(f"There is no incident {incident_id}.")
        current = rows.incident(row)
        offers = self.offers(current.diagnosis) if current.diagnosis else ()
        card = incident_card.render(
            current,
            fixes=offers,
            mention=self.services.route(VaultId.parse(current.vault_id), {}).mention,
            now=tx.now,
            simulated=self.services.simulated,
        )
        for place in rows.places(row):
            await tx.say(message_key(incident_id), place, card)
        return current

    async def get(self, incident_id: str) -> Incident:
        """One incident, open or closed."""
        row = await self.services.store.get(t.incidents, incident_id.upper())
        if row is None:
            raise NotFound(f"There is no incident {incident_id}.")
        return rows.incident(row)

    async def live_for(self, item_id: str) -> Incident | None:
        """The open backup incident of an item, else any open one of it."""
        found = await self.services.store.all(
            sa.select(t.incidents).where(
                t.incidents.c.state == "open",
                t.incidents.c.key.in_([f"{key(item_id)}|{operation.value}" for operation in Operation]),
            )
        )
        ordered = sorted((rows.incident(row) for row in found), key=lambda one: one.operation is not Operation.BACKUP)
        return ordered[0] if ordered else None

    async def again(self, incident_id: str) -> None:
        """Diagnose it once more."""
        async with self.services.store.begin() as tx:
            if not await self._look_again(tx, incident_id.upper(), f"asked:{tx.now.isoformat()}"):
                raise NotFound(f"There is no open incident {incident_id}.")

    async def open_ones(self) -> tuple[Incident, ...]:
        """Everything open, worst and oldest first."""
        found = await self.services.store.all(
            sa.select(t.incidents).where(t.incidents.c.state == "open").order_by(t.incidents.c.opened_at).limit(500)
        )
        return tuple(sorted((rows.incident(row) for row in found), key=lambda one: (-one.severity.rank, one.opened_at)))


def _proves(plan: FixPlan, operation: Operation) -> bool:
    """Whether a proof of the plan is one of the incident's operation: a machine that runs again is no recovery point yet."""
    kinds = {call.kind for call in plan.calls}
    match operation:
        case Operation.BACKUP:
            return Kind.BACKUP in kinds
        case Operation.RESTORE:
            return bool(kinds & {Kind.RESTORE, Kind.CROSS_REGION_RESTORE})
        case Operation.CONFIGURATION:
            return True


def _live(alert: Alert) -> sa.Select[Any]:
    """The live incident of an alert, locked: of two alerts at once each must count.

    Without its diagnosis, which is large and of no use here: in a storm this is read for every alert.
    """
    live = t.incidents.c.state == "open"
    columns = [column for column in t.incidents.c if column.name != "diagnosis"]
    return sa.select(*columns).where(t.incidents.c.key == alert.incident_key, live).with_for_update()


def _family(code: str) -> str:
    known = load_codes().lookup(code) if code else None
    return known.family if known else ""


def _what(operation: Operation, count: int, alert: Alert) -> str:
    word = {Operation.BACKUP: "backup failed", Operation.RESTORE: "restore failed"}.get(
        operation, alert.rule or "alert"
    )
    return word if count == 1 else f"{word} {count}×"


def _finding(diagnosis: Diagnosis, check: str) -> Finding | None:
    return next((one for one in diagnosis.findings if one.check == check), None)


def _code(diagnosis: Diagnosis) -> str:
    found = _finding(diagnosis, "last_backup_succeeded")
    return found.facts.get("error_code", "") if found and found.outcome is Outcome.FAIL else ""


def _what_found(diagnosis: Diagnosis) -> str:
    found = _finding(diagnosis, "last_backup_succeeded")
    in_row = found.facts.get("failed_in_a_row", "") if found else ""
    return f"backup failed {in_row}×" if in_row.isdecimal() and int(in_row) > 1 else ""


def _rpo_facts(diagnosis: Diagnosis, now: datetime) -> dict[str, Any]:
    """What the first line says of the recovery point, from the check that judged it."""
    found = _finding(diagnosis, "recovery_point_is_recent")
    if found is None:
        return {"rpo_state": RpoState.UNKNOWN.value}
    facts: dict[str, Any] = {"rpo_state": found.facts.get("state", RpoState.UNKNOWN.value)}
    newest, safe_until = found.evidence.get("newest_point"), found.evidence.get("safe_until")
    if isinstance(newest, str):
        facts["last_point_at"] = newest
    if isinstance(newest, str) and isinstance(safe_until, str):
        until = datetime.fromisoformat(safe_until)
        facts |= {
            "safe_until": safe_until,
            "rpo_s": int((until - datetime.fromisoformat(newest)).total_seconds()),
            "breached_s": max(0, int((now - until).total_seconds())),
        }
    return facts


def _severity(operation: Operation, facts: Mapping[str, Any]) -> Severity:
    if operation is Operation.RESTORE or facts.get("rpo_state") == RpoState.BREACHED.value:
        return Severity.CRITICAL
    return Severity.INFO if operation is Operation.CONFIGURATION else Severity.WARNING


def _due(row: Row, now: datetime) -> datetime | None:
    """When to look at the latest if the work is lost; a look that is due already is not put off by one more failure."""
    if not row["item_id"]:
        return None
    return row["due_at"] if row["diagnosis_state"] == "due" and row["due_at"] is not None else now + LEASE
