"""Requests for fixes and what people decide about them. Every change is one transaction with its audit line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adaptive_cards.card import Card
from adaptive_cards.cards import approval as approval_card
from bot.store import tables as t
from bot.store.store import Place, Row, Store, Tx, new_id
from bot.workflows import rows
from bot.workflows.services import Services
from bot.workflows.ticker import LEASE
from domain.actor import SYSTEM, Actor
from domain.approval import LIVE, Approval, State, Vote
from domain.approval_policy import (
    Decision,
    Rule,
    Standing,
    Subject,
    find_rule,
    may_approve,
    may_break_glass,
    may_request,
    satisfiable,
)
from domain.arm import ItemId, VaultId, key
from domain.backup import Permission
from domain.durations import format_duration
from domain.errors import AlreadyDecided, GatewayError, NotAllowed, NotFound, RequestError
from domain.fix import FixPlan, difference
from domain.rbac import allows, may_deny, reaches
from fixes.planning import how_to_turn_on
from fixes.registry import PlanRequest, target, whole_vault
from handlers.requests import Where

MAY_NOT_CHANGE = "You may not change the request"
CHANGED = "It was changed while you were looking, so your click changed nothing: please look again."
SATURDAY = 5
DECISIONS = ("approve", "reject", "withdraw", "break_glass")


def message_key(approval_id: str) -> str:
    """The key under which an approval's card is posted and updated."""
    return f"approval:{approval_id}"


@dataclass(kw_only=True)
class Approvals:
    """The desk where fixes are asked for and decided."""

    services: Services

    # -- planning ------------------------------------------------------------------------------------------------

    async def plan(self, fix_id: str, item_id: ItemId, parameters: Mapping[str, str]) -> FixPlan:
        """The plan as it would be made now.

        Raises:
            RequestError: there is no such fix, or it does not fit.
            GatewayError: what it rests on could not be read.
        """
        fix = self.services.fixes.get(fix_id)
        if fix is None:
            raise NotFound(f"There is no fix {fix_id}.", nearest=sorted(self.services.fixes))
        if fix.spec.off_by_default and fix_id not in self.services.fix_settings.enabled:
            raise RequestError(how_to_turn_on(fix.spec))
        read = self.services.read()
        vault = await read.vault(item_id.vault)
        item = whole_vault(vault) if item_id.name == "-" else await read.item(item_id)
        request = PlanRequest(
            vault=vault,
            item=item,
            parameters=dict(parameters),
            settings=self.services.fix_settings,
            now=self.services.clock.now(),
        )
        return await fix.plan(request, read)

    def rule_for(self, plan: FixPlan) -> Rule | None:
        """The rule that governs a plan."""
        return find_rule(self.services.rules, self.subject(plan))

    @staticmethod
    def subject(plan: FixPlan) -> Subject:
        """What a rule is matched against."""
        return Subject(fix=plan.fix, vault=plan.vault_name, item=plan.item_name, risk=plan.risk)

    async def standing(self, entries: Sequence[str], actor: Actor, plan: FixPlan | None = None) -> Standing:
        """Resolve what ``entries`` need to know about a person; what cannot be read counts as unknown."""
        groups: dict[str, bool | None] = {}
        for entry in entries:
            if entry.startswith(("slack-group:", "entra-group:")):
                members = await self.services.directory.members(entry)
                mine = {actor.id, actor.entra_id} - {""}
                groups[entry] = None if members is None else bool(members & mine)
        azure: bool | None = None
        reason = ""
        if "azure-rbac" in entries and plan is not None:
            azure, reason = await self._azure_rights(actor, plan)
        return Standing(groups=groups, azure_rbac=azure, azure_reason=reason)

    async def _azure_rights(self, actor: Actor, plan: FixPlan) -> tuple[bool | None, str]:
        """Whether the person could make every call of the plan in Azure themselves."""
        if not actor.entra_id:
            return None, "your Entra account is not known"
        read = self.services.read()
        try:
            for action, scope in plan.permissions:
                permissions: list[Permission] = []
                for assignment in await read.role_assignments(scope, actor.entra_id):
                    # A conditional right is not surely a right here, and one below the scope is none at it: Azure's
                    # assignedTo() lists both.
                    if assignment.condition or not reaches(assignment.scope, scope):
                        continue
                    permissions += (await read.role_definition(assignment.role_definition_id)).permissions
                if not allows(permissions, action):
                    return False, f"you may not {action} at {scope}"
                denies = await read.resources(
                    f"{scope}/providers/Microsoft.Authorization/denyAssignments",
                    "2022-04-01",
                    {"$filter": "atScope()"},
                )
                if any(may_deny(one, actor.entra_id, action) for one in denies):
                    return False, f"a deny assignment applies to you at {scope}"
        except GatewayError as error:
            return None, f"your rights in Azure could not be read: {error}"
        return True, ""

    async def preflight(self, plan: FixPlan) -> tuple[str, ...]:
        """What keeps the operator identity from making the plan's calls, as sentences; empty when nothing does."""
        operator = self.services.operator
        if operator is None:
            return ()
        faults: list[str] = []
        for action, scope in plan.permissions:
            try:
                held = await operator.permissions(scope)
            except GatewayError as error:
                faults.append(f"the operator's rights at {scope} could not be read: {error}")
                continue
            if not allows(held, action):
                faults.append(f"the operator identity lacks {action} at {scope}")
        return tuple(dict.fromkeys(faults))

    # -- asking --------------------------------------------------------------------------------------------------

    async def request(
        self,
        *,
        fix_id: str,
        item_id: ItemId,
        parameters: Mapping[str, str],
        actor: Actor,
        place: Place,
        incident_id: str = "",
        reason: str = "",
    ) -> Approval:
        """Plan, check who may ask and approve, and put the request before the approvers.

        Raises:
            RequestError: it cannot be asked for; the text says why.
            NotAllowed: this person may not ask, or nobody could approve.
            GatewayError: Azure could not be read.
        """
        services = self.services
        plan = await self.plan(fix_id, item_id, parameters)
        rule = self._decidable(plan, await self._askable(plan, actor, f"You may not ask for {plan.title}"), (actor,))
        if plan.problems:
            raise RequestError(f"{plan.title} cannot run now: {'; '.join(plan.problems)}.")
        if not plan.calls:
            raise RequestError(
                f"{plan.title} has nothing to do: {'; '.join(plan.notes) or 'everything is as it should be'}."
            )
        if services.operator is None:
            raise RequestError(
                f"This is a read-only installation, so the bot cannot {plan.title[0].lower() + plan.title[1:]} itself. "
                f"Run this yourself, then press Done, check again:\n" + "\n".join(plan.az)
            )
        missing = await self.preflight(plan)
        if missing:
            raise RequestError(f"{plan.title} would fail: {'; '.join(missing)}.")
        return await self._store_request(plan, rule, actor, place, incident_id, reason)

    async def _askable(self, plan: FixPlan, actor: Actor, refusal: str) -> Rule | None:
        """The rule that governs the plan, when this person may ask for it; else ``refusal`` and the reason."""
        rule = self.rule_for(plan)
        asked = may_request(rule, actor, await self.standing(rule.requesters if rule else (), actor, plan))
        if not asked.allowed:
            raise NotAllowed(f"{refusal}: {asked.reason}.")
        return rule

    @staticmethod
    def _decidable(plan: FixPlan, rule: Rule | None, requesters: Sequence[Actor]) -> Rule:
        """The rule, when somebody could decide under it."""
        decidable = satisfiable(rule, requesters)
        if rule is None or not decidable.allowed:
            raise NotAllowed(f"Nobody could approve {plan.title}: {decidable.reason}.")
        return rule

    async def ask(
        self,
        *,
        fix_id: str,
        item_id: ItemId,
        parameters: Mapping[str, str],
        actor: Actor,
        where: Where,
        incident_id: str = "",
        reason: str = "",
    ) -> Approval:
        """:meth:`request` from where a person spoke; in an incident's thread when there is an incident."""
        thread = where.thread_key or (f"incident:{incident_id}" if incident_id else "")
        place = Place(platform=where.platform, channel=where.channel, thread_key=thread)
        return await self.request(
            fix_id=fix_id,
            item_id=item_id,
            parameters=parameters,
            actor=actor,
            place=place,
            incident_id=incident_id,
            reason=reason,
        )

    async def edit(self, approval_id: str, actor: Actor, parameters: Mapping[str, str], reason: str) -> Approval:
        """A new plan for a waiting request. Its editor counts as somebody who asked, and votes given before are void.

        Raises:
            NotAllowed: this person may not ask for the fix.
            AlreadyDecided: it does not wait any more.
            RequestError: the new plan cannot run.
        """
        before = await self.get(approval_id)
        if before.state is not State.REQUESTED:
            raise AlreadyDecided(_who_decided(before))
        await self._askable(before.plan, actor, MAY_NOT_CHANGE)
        merged = {**before.plan.parameters, **parameters}
        plan = await self.plan(before.plan.fix, target(before.plan.item_id), merged)
        if plan.problems or not plan.calls:
            raise RequestError(
                f"With that, it cannot run: {'; '.join(plan.problems) or 'there would be nothing to do'}."
            )
        editors = [*before.editors]
        if not any(actor.is_same_human(one) for one in before.requesters):
            editors.append(actor)
        rule = await self._editable(plan, actor, (before.requester, *editors))
        client_id = self.services.operator_client_id
        async with self.services.store.begin() as tx:
            row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id).with_for_update())
            if row is None or row["state"] != State.REQUESTED or row["revision"] != before.revision:
                raise AlreadyDecided("It was decided or changed while you were editing; nothing was changed.")
            await tx.move(
                t.approvals,
                approval_id,
                State.REQUESTED,
                **rows.plan_columns(plan, rule, client_id),
                editors=[one.record() for one in editors],
                reason=reason or before.reason,
                decision=None,
                decided_at=None,
                revision=before.revision + 1,
            )
            tx.audit(
                "approval.edited",
                approval_id,
                actor,
                {
                    "plan": plan.hashed(client_id),
                    "fingerprint": plan.fingerprint(client_id),
                    "reason": reason,
                    "changed": list(difference(before.plan, plan, client_id)),
                },
            )
            return await self.show(tx, approval_id)

    async def _editable(self, plan: FixPlan, actor: Actor, requesters: Sequence[Actor]) -> Rule:
        """The rule of an edited plan, which may be another one than before: its editor must be named there too."""
        decidable = self._decidable(plan, await self._askable(plan, actor, MAY_NOT_CHANGE), requesters)
        missing = await self.preflight(plan)
        if missing:
            raise RequestError(f"With that, it would fail: {'; '.join(missing)}.")
        return decidable

    async def get(self, approval_id: str) -> Approval:
        """One request.

        Raises:
            NotFound: there is none of that id.
        """
        row = await self.services.store.get(t.approvals, approval_id)
        if row is None:
            raise NotFound(f"There is no request {approval_id}.")
        return rows.approval(row)

    async def rights(self, actor: Actor) -> Sequence[tuple[Rule, Decision, Decision]]:
        """For each rule: may this person ask, and may they approve somebody else's request."""
        found: list[tuple[Rule, Decision, Decision]] = []
        for rule in self.services.rules:
            standing = await self.standing((*rule.requesters, *rule.approvers), actor)
            found.append((rule, may_request(rule, actor, standing), may_approve(rule, actor, standing, requesters=())))
        return found

    async def _store_request(
        self, plan: FixPlan, rule: Rule, actor: Actor, place: Place, incident_id: str, reason: str
    ) -> Approval:
        services = self.services
        approval_id = new_id("APR")
        told = [{"entry": entry, "account": await services.directory.account(entry)} for entry in rule.told]
        places = self._places(plan, place, incident_id)
        async with services.store.begin() as tx:
            expires = tx.now + services.expires
            remind = tx.now + services.remind
            subject_key = f"{plan.fix}|{key(plan.item_id)}"
            stored = await tx.insert_new(
                t.approvals,
                id=approval_id,
                subject_key=subject_key,
                state=State.REQUESTED,
                incident_id=incident_id or None,
                fix=plan.fix,
                vault_id=plan.vault_id,
                vault_name=plan.vault_name,
                item_id=plan.item_id,
                item_name=plan.item_name,
                **rows.plan_columns(plan, rule, services.operator_client_id),
                requester=actor.record(),
                editors=[],
                reason=reason,
                told=told,
                places=[one.record() for one in places],
                created_at=tx.now,
                expires_at=expires,
                remind_at=remind,
                due_at=min(expires, remind),
            )
            if not stored:
                same = await tx.one(
                    sa.select(t.approvals.c.id).where(
                        t.approvals.c.state.in_(LIVE), t.approvals.c.subject_key == subject_key
                    )
                )
                raise RequestError(
                    f"{plan.title} for {plan.item_name} has been asked for already"
                    + (f": see {same['id']} (/backup approvals)." if same else "; it has just ended, ask again.")
                )
            await tx.insert(t.approval_targets, approval_id=approval_id, target=plan.item_id)
            tx.audit(
                "approval.requested",
                approval_id,
                actor,
                {
                    "fix": plan.fix,
                    "item": plan.item_id,
                    "reason": reason,
                    "plan": plan.hashed(services.operator_client_id),
                    "fingerprint": plan.fingerprint(services.operator_client_id),
                    "incident": incident_id,
                    "rule": rows.dump_rule(rule),
                },
            )
            return await self.show(tx, approval_id)

    def _places(self, plan: FixPlan, origin: Place, incident_id: str) -> list[Place]:
        """Where the request is shown: where it was asked for, and wherever else the vault's incidents go."""
        places = [origin]
        for routed in self.services.route(vault_of(plan), {}).places:
            if all((one.platform, _whole(one.channel)) != (routed.platform, routed.channel) for one in places):
                thread = f"incident:{incident_id}" if incident_id else ""
                places.append(Place(platform=routed.platform, channel=routed.channel, thread_key=thread))
        return places

    # -- deciding ------------------------------------------------------------------------------------------------

    async def decide(
        self, approval_id: str, decision: str, actor: Actor, *, reason: str = "", shown: str = ""
    ) -> Approval:
        """Approve, reject, withdraw or break glass.

        ``shown`` is the beginning of the fingerprint of the plan that the person saw; a plan that has been edited since is
        not decided by that click.

        Raises:
            ValueError: there is no such decision.
            NotFound: no such request.
            AlreadyDecided: somebody was first; the text says who.
            NotAllowed: this person may not; the text says why. The refusal is in the audit.
        """
        if decision not in DECISIONS:
            raise ValueError(f"there is no decision {decision}")
        services = self.services
        before = await self.get(approval_id)
        if before.state is not State.REQUESTED:
            raise AlreadyDecided(_who_decided(before))
        if not before.fingerprint.startswith(shown):
            raise AlreadyDecided(CHANGED)
        verdict = await self._may(decision, before, actor)
        if not verdict.allowed:
            async with services.store.begin() as tx:
                tx.audit("approval.refused_click", approval_id, actor, {"decision": decision, "why": verdict.reason})
            raise NotAllowed(f"Nothing was changed: {verdict.reason}.")
        if decision == "break_glass" and not reason.strip():
            raise RequestError("An emergency approval needs a reason.")
        async with services.store.begin() as tx:
            done = await self._decide_in(tx, before, decision, actor, verdict, reason)
        if done is None:
            current = await self.get(approval_id)
            raise AlreadyDecided(CHANGED if current.state is State.REQUESTED else _who_decided(current))
        return done

    async def _may(self, decision: str, before: Approval, actor: Actor) -> Decision:
        plan, rule = before.plan, self.rule_for(before.plan)
        if decision == "withdraw":
            own = any(actor.is_same_human(one) for one in before.requesters)
            return Decision(allowed=own, reason="you asked for it" if own else "only who asked for it may withdraw it")
        if rule is None:
            return Decision(allowed=False, reason="no approval rule covers this fix any more, so nobody may decide")
        if decision == "break_glass":
            return may_break_glass(rule, actor, await self.standing(rule.break_glass, actor, plan))
        standing = await self.standing(rule.approvers, actor, plan)
        already = [vote.actor for vote in before.votes]
        if decision == "reject":
            # Whoever may approve may also say no, their own request and a first vote included.
            lenient = replace(rule, self_approval=True)
            return may_approve(lenient, actor, standing, requesters=before.requesters)
        return may_approve(rule, actor, standing, requesters=before.requesters, already=already)

    async def _decide_in(
        self, tx: Tx, before: Approval, decision: str, actor: Actor, verdict: Decision, reason: str
    ) -> Approval | None:
        """Within the transaction, with the row read again: two clicks at once must not both count.

        The verdict was about the request as it stood ``before``: one that was edited or voted on since is judged anew, by
        another click. None: this click changes nothing.
        """
        approval_id = before.id
        row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id).with_for_update())
        if row is None or row["state"] != State.REQUESTED:
            return None
        current = rows.approval(row)
        if (current.revision, current.votes) != (before.revision, before.votes):
            return None
        if current.expires_at <= tx.now:  # the tick has not come by yet; nobody decided in time all the same
            await self._expire(tx, row)
            return None
        values: dict[str, Any] = {}
        if decision in {"reject", "withdraw"}:
            state = State.REJECTED if decision == "reject" else State.WITHDRAWN
            note = f"{'Rejected' if decision == 'reject' else 'Withdrawn'} by {actor.label}" + (
                f": {reason}" if reason else ""
            )
            values |= {"state": state, "note": note, "ended_at": tx.now, "due_at": None}
        else:
            vote = Vote(
                actor=actor,
                at=tx.now,
                by=verdict.by,
                self_approval=verdict.self_approval,
                break_glass=decision == "break_glass",
            )
            votes = [*current.votes, vote]
            values["votes"] = [rows.dump_vote(one) for one in votes]
            if decision == "break_glass" or len(votes) >= self._required(current):
                values |= {"state": State.APPROVED, "due_at": tx.now + LEASE, "tries": 0, "note": ""}
        if "state" in values:
            values |= {
                "decided_at": tx.now,
                "decision": {"actor": actor.record(), "decision": decision, "reason": reason, "why": verdict.reason},
            }
        await tx.move(t.approvals, approval_id, State.REQUESTED, **values)
        event = {"approve": "approved", "reject": "rejected", "withdraw": "withdrawn", "break_glass": "break_glass"}
        tx.audit(
            f"approval.{event[decision]}",
            approval_id,
            actor,
            {
                "why": verdict.reason,
                "reason": reason,
                "self_approval": verdict.self_approval,
                "fingerprint": current.fingerprint,
                "votes": len(values.get("votes", [])),
            },
        )
        if values.get("state") == State.APPROVED:
            await tx.enqueue("approval", approval_id, f"approved:{row['revision']}")
        shown = await self.show(tx, approval_id)
        if decision == "break_glass":
            await self._tell_of_emergency(tx, shown, actor, reason, row)
        return shown

    async def _tell_of_emergency(self, tx: Tx, decided: Approval, actor: Actor, reason: str, row: Row) -> None:
        """Everybody named is told at once, and a review is asked for on the next working day."""
        for place in rows.threads(row, message_key(decided.id)):
            simulated = self.services.simulated
            said = approval_card.emergency(decided, actor, reason, simulated=simulated)
            await tx.say(f"{message_key(decided.id)}:emergency", place, said)
            review = approval_card.review(decided, actor, reason, simulated=simulated)
            # The outbox's due times are on wall time: people review on their own calendar.
            await tx.say(f"{message_key(decided.id)}:review", place, review, not_before=next_working_day(tx.now))

    def _required(self, current: Approval) -> int:
        """How many approvals are needed: what was said when it was asked, or more where the rule has become stricter."""
        now = self.rule_for(current.plan)
        return max(current.rule.required, now.required if now else 1)

    # -- time ----------------------------------------------------------------------------------------------------

    async def on_due(self, approval_id: str) -> None:
        """Expire or remind, whichever is due; approved requests are driven on."""
        services = self.services
        async with services.store.begin() as tx:
            row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id).with_for_update())
            if row is None or row["state"] != State.REQUESTED:
                return
            if row["expires_at"] <= tx.now:
                await self._expire(tx, row)
                return
            if row["remind_at"] is not None and row["remind_at"] <= tx.now:
                count = row["reminders"] + 1
                following = tx.now + services.remind * 2**count
                await tx.move(
                    t.approvals,
                    approval_id,
                    State.REQUESTED,
                    reminders=count,
                    remind_at=following,
                    due_at=min(row["expires_at"], following),
                )
                await self._remind(tx, rows.approval(row), row, count)
                return
            await tx.move(
                t.approvals,
                approval_id,
                State.REQUESTED,
                due_at=min(row["expires_at"], row["remind_at"] or row["expires_at"]),
            )

    async def _expire(self, tx: Tx, row: Row) -> None:
        note = f"Nobody decided within {format_duration(self.services.expires)}"
        if await tx.move(
            t.approvals, row["id"], State.REQUESTED, state=State.EXPIRED, note=note, ended_at=tx.now, due_at=None
        ):
            tx.audit("approval.expired", row["id"], SYSTEM, {"expires_at": row["expires_at"].isoformat()})
            await self.show(tx, row["id"])

    async def _remind(self, tx: Tx, waiting: Approval, row: Row, count: int) -> None:
        for place in rows.threads(row, message_key(waiting.id)):
            card = approval_card.reminder(waiting, now=tx.now, simulated=self.services.simulated)
            await tx.say(f"{message_key(waiting.id)}:reminder:{count}", place, card)

    # -- showing -------------------------------------------------------------------------------------------------

    async def show(self, tx: Tx, approval_id: str) -> Approval:
        """Make the card everywhere say what the row says; returns the row as it is now."""
        row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id))
        if row is None:
            raise NotFound(f"There is no request {approval_id}.")
        current = rows.approval(row)
        card = await self._card(tx, current, tx.now)
        for place in rows.places(row):
            await tx.say(message_key(approval_id), place, card)
        return current

    async def view_for(self, approval_id: str, actor: Actor) -> Card | None:
        """The card as it stands for somebody who may decide; None for anybody else, and when there is no such request."""
        row = await self.services.store.get(t.approvals, approval_id)
        if row is None:
            return None
        current = rows.approval(row)
        if current.state is State.REQUESTED and not (await self._may("approve", current, actor)).allowed:
            return None
        return await self._card(self.services.store, current, self.services.clock.now())

    async def _card(self, read: Tx | Store, current: Approval, now: datetime) -> Card:
        """The card of a request with its run and the rights that it has handed out."""
        run_row = await read.one(sa.select(t.fix_runs).where(t.fix_runs.c.approval_id == current.id))
        rights = await read.all(_grants_of(current.id)) if run_row else ()
        return approval_card.render(
            current,
            run=rows.run(run_row) if run_row else None,
            now=now,
            simulated=self.services.simulated,
            rights=tuple((row["what"], row["state"], row["due_at"], row["ended_at"]) for row in rights),
        )

    async def open_requests(self) -> Sequence[Approval]:
        """Everything that waits for somebody or is being done, oldest first."""
        found = await self.services.store.all(
            sa.select(t.approvals).where(t.approvals.c.state.in_(LIVE)).order_by(t.approvals.c.created_at).limit(200)
        )
        return tuple(rows.approval(row) for row in found)


def _grants_of(approval_id: str) -> sa.Select[Any]:
    grants, runs = t.grants, t.fix_runs
    return (
        sa.select(grants.c.what, grants.c.state, grants.c.due_at, grants.c.ended_at)
        .join(runs, runs.c.id == grants.c.run_id)
        .where(runs.c.approval_id == approval_id)
        .order_by(grants.c.id)
    )


def next_working_day(now: datetime) -> datetime:
    """Nine o'clock UTC of the next day that is neither Saturday nor Sunday."""
    day = now + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


def _whole(channel: str) -> str:
    """The channel itself, where Teams names a thread of it (``19:…;messageid=…``)."""
    return channel.partition(";messageid=")[0]


def vault_of(plan: FixPlan) -> VaultId:
    """The vault that a plan works in."""
    return VaultId.parse(plan.vault_id)


def _who_decided(current: Approval) -> str:
    words = {
        State.APPROVED: "approved",
        State.EXECUTING: "approved",
        State.PROVED: "approved",
        State.FAILED: "approved",
        State.UNPROVED: "approved",
        State.UNCLEAR: "approved",
        State.REJECTED: "rejected",
        State.WITHDRAWN: "withdrawn",
        State.EXPIRED: "expired",
    }
    word = words.get(current.state, current.state.value)
    if current.state is State.EXPIRED or current.decided_by is None or current.decided_at is None:
        return f"It was {word} already; nothing was changed by this click."
    return (
        f"It was {word} already by {current.decided_by.label} at {current.decided_at:%H:%M} UTC; "
        "nothing was changed by this click."
    )
