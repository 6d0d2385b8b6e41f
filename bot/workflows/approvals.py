"""The desk where fixes are asked for. Every change is one transaction with its audit line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Place, new_id
from bot.workflows import deciding, incidents, rows, telling
from bot.workflows.planning import plan_now, preflight, rule_for
from bot.workflows.services import Services
from bot.workflows.standing import standing_of
from domain.actor import Actor
from domain.approval import LIVE, Approval, State
from domain.approval_policy import (
    Decision,
    Rule,
    may_approve,
    may_request,
    satisfiable,
)
from domain.arm import ItemId, VaultId, key
from domain.errors import AlreadyDecided, NotAllowed, RequestError
from domain.fix import FixPlan, difference
from fixes.registry import target
from handlers.requests import Where

MAY_NOT_CHANGE = "You may not change the request"


@dataclass(kw_only=True)
class Approvals:
    """Where fixes are asked for and requests are changed and looked at; what decides them is in ``deciding``."""

    services: Services

    async def plan(self, fix_id: str, item_id: ItemId, parameters: Mapping[str, str]) -> FixPlan:
        """The plan as it would be made now; raises what ``plan_now`` does."""
        return await plan_now(self.services, fix_id, item_id, parameters)

    # -- asking --------------------------------------------------------------------------------------------------

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
        """Plan, check who may ask and approve, and put the request before the approvers.

        It is shown where the person spoke, in the incident's thread when there is an incident.

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
        missing = await preflight(services, plan)
        if missing:
            raise RequestError(f"{plan.title} would fail: {'; '.join(missing)}.")
        thread = where.thread_key or _thread(incident_id)
        place = Place(platform=where.platform, channel=where.channel, thread_key=thread)
        return await self._store_request(plan, rule, actor, place, incident_id, reason)

    async def _askable(self, plan: FixPlan, actor: Actor, refusal: str) -> Rule | None:
        """The rule that governs the plan, when this person may ask for it; else ``refusal`` and the reason."""
        rule = rule_for(self.services, plan)
        asked = may_request(rule, actor, await standing_of(self.services, actor, rule.requesters if rule else (), plan))
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

    async def edit(self, approval_id: str, actor: Actor, parameters: Mapping[str, str], reason: str) -> Approval:
        """A new plan for a waiting request. Its editor counts as somebody who asked, and votes given before are void.

        Raises:
            NotAllowed: this person may not ask for the fix.
            AlreadyDecided: it does not wait any more.
            RequestError: the new plan cannot run.
        """
        before = await self.get(approval_id)
        if before.state is not State.REQUESTED:
            raise AlreadyDecided(deciding.who_decided(before))
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
            return await telling.show(self.services, tx, approval_id)

    async def _editable(self, plan: FixPlan, actor: Actor, requesters: Sequence[Actor]) -> Rule:
        """The rule of an edited plan, which may be another one than before: its editor must be named there too."""
        decidable = self._decidable(plan, await self._askable(plan, actor, MAY_NOT_CHANGE), requesters)
        missing = await preflight(self.services, plan)
        if missing:
            raise RequestError(f"With that, it would fail: {'; '.join(missing)}.")
        return decidable

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
            return await telling.show(services, tx, approval_id)

    def _places(self, plan: FixPlan, origin: Place, incident_id: str) -> list[Place]:
        """Where the request is shown: where it was asked for, and wherever else the vault's incidents go."""
        places = [origin]
        for routed in self.services.route(VaultId.parse(plan.vault_id), {}).places:
            if all((one.platform, _whole(one.channel)) != (routed.platform, routed.channel) for one in places):
                places.append(replace(routed, thread_key=_thread(incident_id)))
        return places

    # -- deciding ------------------------------------------------------------------------------------------------

    async def decide(
        self, approval_id: str, decision: str, actor: Actor, *, reason: str = "", shown: str = ""
    ) -> Approval:
        """Approve, reject, withdraw or break glass; raises what ``deciding.decide`` does."""
        return await deciding.decide(self.services, approval_id, decision, actor, reason=reason, shown=shown)

    # -- looking -------------------------------------------------------------------------------------------------

    async def get(self, approval_id: str) -> Approval:
        """One request; raises NotFound."""
        return await deciding.request_of(self.services, approval_id)

    async def rights(self, actor: Actor) -> Sequence[tuple[Rule, Decision, Decision]]:
        """For each rule: may this person ask, and may they approve somebody else's request."""
        found: list[tuple[Rule, Decision, Decision]] = []
        for rule in self.services.rules:
            standing = await standing_of(self.services, actor, (*rule.requesters, *rule.approvers))
            found.append((rule, may_request(rule, actor, standing), may_approve(rule, actor, standing, requesters=())))
        return found

    async def open_requests(self) -> Sequence[Approval]:
        """Everything that waits for somebody or is being done, oldest first."""
        found = await self.services.store.all(
            sa.select(t.approvals).where(t.approvals.c.state.in_(LIVE)).order_by(t.approvals.c.created_at).limit(200)
        )
        return tuple(rows.approval(row) for row in found)


def _thread(incident_id: str) -> str:
    """The thread of an incident's post; "" without an incident."""
    return incidents.message_key(incident_id) if incident_id else ""


def _whole(channel: str) -> str:
    """The channel itself, where Teams names a thread of it (``19:…;messageid=…``)."""
    return channel.partition(";messageid=")[0]
