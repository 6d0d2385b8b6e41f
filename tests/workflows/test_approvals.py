"""Requests and what people decide about them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows import deciding
from domain.actor import Actor
from domain.approval_policy import Rule
from domain.errors import AlreadyDecided, NotAllowed, NotFound, RequestError
from domain.fix import Kind
from tests.fixes.world import CUSTOM_ROLE_GUID, KEY_VAULT, SERVICE, assignment, vm_item
from tests.workflows.world import ANA, ANA_ON_TEAMS, BEN, EVE, FOUR_EYES, ITEM, MAX, MINUTE, World

HOUR = timedelta(hours=1)
TWO_PEOPLE = replace(FOUR_EYES, required=2)


async def refused(world: World, approval_id: str, actor: Actor, decision: str = "approve") -> str:
    """The reason that a click gets."""
    with pytest.raises(NotAllowed) as caught:
        await world.approvals.decide(approval_id, decision, actor)
    return str(caught.value)


def granted_by_hand(world: World) -> None:
    """Somebody gives the right in the portal while the request waits."""
    world.azure.assignments.append(assignment(KEY_VAULT, SERVICE, CUSTOM_ROLE_GUID))


async def test_the_requester_and_a_stranger_change_nothing(world: World) -> None:
    """Their clicks are refused with the reason, written down, and nothing is enqueued."""
    asked = await world.ask()
    assert "four eyes" in await refused(world, asked.id, MAX)
    assert "not among the approvers" in await refused(world, asked.id, EVE)
    assert "not among the approvers" in await refused(world, asked.id, EVE, "reject")
    assert "only who asked" in await refused(world, asked.id, ANA, "withdraw")
    assert "break glass" in await refused(world, asked.id, ANA, "break_glass")
    assert ("requested", 0) == (await world.state(asked.id), await world.work())
    clicks = await world.audit("approval.refused_click")
    assert ["U0MAX", "U0EVE", "U0EVE", "U0ANA", "U0ANA"] == [line["actor"]["id"] for line in clicks]


async def test_the_same_human_on_another_platform_is_the_same_human(world: World) -> None:
    """Ana asks in Slack; her click in Teams is her own, by her e-mail address."""
    asked = await world.ask(actor=ANA)
    world.services.rules = [Rule(requesters=("*",), approvers=(f"teams:{ANA_ON_TEAMS.entra_id}", "slack:U0BEN"))]
    assert "four eyes" in await refused(world, asked.id, ANA_ON_TEAMS)


async def test_whoever_cannot_be_compared_with_the_requester_may_not_approve(world: World) -> None:
    """In an outage of the directory Ana's Teams account has no address: it cannot be told from the one that asked."""
    world.services.rules = [Rule(requesters=("*",), approvers=(f"teams:{ANA_ON_TEAMS.entra_id}", "slack:U0BEN"))]
    asked = await world.ask(actor=ANA)
    nameless = replace(ANA_ON_TEAMS, email="", email_confirmed=False, known=False)
    assert "cannot be told" in await refused(world, asked.id, nameless)
    assert "approved" == (await world.approvals.decide(asked.id, "approve", BEN)).state


async def test_nobody_is_an_approver_without_a_rule(sqlite_world: World) -> None:
    """No rule, no approvers, or nobody besides who asks: refused at once, saying why."""
    for rules, why in (
        ([], "no approval rule covers"),
        ([Rule(requesters=("*",))], "names no approvers"),
        ([Rule(requesters=("*",), approvers=("email:max@contoso.com",))], "besides who asks"),
        ([Rule(requesters=("*",), approvers=("slack:U0MAX", "slack:U0BEN"), required=2)], "besides who asks"),
        ([Rule(requesters=("slack:U0ANA",), approvers=("slack:U0BEN",))], "does not name you"),
        ([Rule(fix=("start_vm",), requesters=("*",), approvers=("*",))], "no approval rule covers"),
    ):
        sqlite_world.services.rules = rules
        with pytest.raises(NotAllowed, match=why):
            await sqlite_world.ask()
    assert [] == await sqlite_world.events()


async def test_a_rule_that_is_gone_lets_nobody_decide(sqlite_world: World) -> None:
    """The rules in force at the click count, not those when it was asked."""
    asked = await sqlite_world.ask()
    sqlite_world.services.rules = []
    assert "nobody may decide" in await refused(sqlite_world, asked.id, ANA)


async def test_a_rule_that_became_stricter_counts(sqlite_world: World) -> None:
    """One approval was enough when it was asked; now two are."""
    asked = await sqlite_world.ask(actor=EVE)
    sqlite_world.services.rules = [TWO_PEOPLE]
    assert "requested" == (await sqlite_world.approvals.decide(asked.id, "approve", ANA)).state
    assert "approved" == (await sqlite_world.approvals.decide(asked.id, "approve", BEN)).state


async def test_two_people_are_two_humans(world: World) -> None:
    """One vote is not enough, the same human's second account neither; a second person is."""
    world.services.rules = [replace(TWO_PEOPLE, approvers=("email:ana@contoso.com", "slack:U0BEN"))]
    asked = await world.ask()
    assert 1 == (await world.approvals.decide(asked.id, "approve", ANA)).missing_votes
    assert "approved already" in await refused(world, asked.id, ANA)
    assert "approved already" in await refused(world, asked.id, ANA_ON_TEAMS)
    assert 0 == await world.work()
    assert "approved" == (await world.approvals.decide(asked.id, "approve", BEN)).state


async def test_whoever_voted_may_still_break_glass(sqlite_world: World) -> None:
    """The second approver does not answer: the first one decides alone, with a reason, marked as such."""
    sqlite_world.services.rules = [replace(TWO_PEOPLE, break_glass=("slack:U0BEN",))]
    asked = await sqlite_world.ask()
    await sqlite_world.approvals.decide(asked.id, "approve", BEN)
    with pytest.raises(RequestError, match="needs a reason"):
        await sqlite_world.approvals.decide(asked.id, "break_glass", BEN, reason="  ")
    done = await sqlite_world.approvals.decide(asked.id, "break_glass", BEN, reason="the plant stands still")
    assert ("approved", True) == (done.state, done.votes[-1].break_glass)
    assert ["the plant stands still"] == [
        line["data"]["reason"] for line in await sqlite_world.audit("approval.break_glass")
    ]


async def test_ten_clicks_at_once_decide_once(world: World) -> None:
    """Ten approvers click at the same moment: one decision, one run, nine are told who decided."""
    world.services.rules = [replace(FOUR_EYES, approvers=("*",))]
    asked = await world.ask()
    people = [Actor(platform="slack", id=f"U{n}", name=f"Person {n}") for n in range(10)]
    outcomes = await asyncio.gather(
        *(world.approvals.decide(asked.id, "approve" if n % 3 else "reject", one) for n, one in enumerate(people)),
        return_exceptions=True,
    )
    won = [one for one in outcomes if not isinstance(one, BaseException)]
    lost = [str(one) for one in outcomes if isinstance(one, AlreadyDecided)]
    assert (1, 9) == (len(won), len(lost))
    assert all("already" in text for text in lost)
    decided = [event for event in await world.events(asked.id) if event in {"approval.approved", "approval.rejected"}]
    assert 1 == len(decided)
    if won[0].state == "approved":
        await world.proved(asked.id)
    assert world.sent(Kind.BACKUP) == (1 if won[0].state == "approved" else 0)
    assert (await world.chain()).ok


async def test_late_clicks_are_told_who_decided(sqlite_world: World) -> None:
    """A click after the decision changes nothing and names the person and the time."""
    approval_id = await sqlite_world.approved()
    with pytest.raises(AlreadyDecided, match="approved already by Ana Lima at 03:00 UTC"):
        await sqlite_world.approvals.decide(approval_id, "reject", BEN)
    with pytest.raises(NotFound):
        await sqlite_world.approvals.decide("APR-NONE", "approve", BEN)
    with pytest.raises(ValueError, match="no decision"):
        await sqlite_world.approvals.decide(approval_id, "bless", BEN)


async def test_rejected_and_withdrawn_end_at_once(world: World) -> None:
    """Whoever may approve may say no, also the requester; who asked may withdraw; both are final and visible."""
    first = await world.ask()
    done = await world.approvals.decide(first.id, "reject", BEN, reason="not tonight")
    assert ("rejected", "Rejected by Ben Okafor: not tonight") == (done.state, done.note)
    second = await world.ask()
    assert "withdrawn" == (await world.approvals.decide(second.id, "withdraw", MAX)).state
    third = await world.ask()
    assert "rejected" == (await world.approvals.decide(third.id, "reject", MAX)).state
    await world.tick(10 * HOUR)
    assert [] == world.operator.sent


async def test_it_expires_visibly(world: World) -> None:
    """After four hours without a decision the request has ended, is shown so, and says so in the record."""
    asked = await world.ask()
    await world.tick(4 * HOUR)
    row = await world.row(asked.id)
    assert ("expired", "Nobody decided within 4h", None) == (row["state"], row["note"], row["due_at"])
    assert "approval.expired" in await world.events(asked.id)


async def test_a_click_after_the_expiry_does_not_count_even_before_the_tick(world: World) -> None:
    """The bot was away for a day: what was not decided in time is not decided by the first click after it."""
    asked = await world.ask()
    world.clock.advance(24 * HOUR)
    with pytest.raises(AlreadyDecided, match="expired"):
        await world.approvals.decide(asked.id, "approve", ANA)
    assert "expired" == await world.state(asked.id)
    await world.tick(HOUR)
    assert [] == world.operator.sent


async def test_reminders_double(world: World) -> None:
    """New messages after 15, 45 and 105 minutes, and so on until it expires; downtime brings one, not many."""
    asked = await world.ask()
    seen: list[int] = []
    for minute in range(1, 241):
        await world.tick(MINUTE)
        rows = await world.store.all(sa.select(t.outbox.c.key).where(t.outbox.c.key.like("%:reminder:%")))
        if len(rows) > len(seen):
            seen.append(minute)
    assert [15, 45, 105, 225] == seen
    assert "expired" == await world.state(asked.id)


async def test_downtime_brings_one_reminder(sqlite_world: World) -> None:
    """Two hours without a tick: one reminder, not three at once."""
    await sqlite_world.ask()
    await sqlite_world.tick(2 * HOUR)
    await sqlite_world.tick()
    rows = await sqlite_world.store.all(sa.select(t.outbox.c.key).where(t.outbox.c.key.like("%:reminder:%")))
    assert 1 == len(rows)


async def test_an_edit_makes_its_editor_a_requester_and_votes_void(world: World) -> None:
    """Ana edits: the vote given before is gone, she may not approve any more, Ben may."""
    world.services.rules = [TWO_PEOPLE]
    asked = await world.ask("grant_key_vault_access", actor=EVE)
    await world.approvals.decide(asked.id, "approve", BEN)
    edited = await world.approvals.edit(asked.id, ANA, {"rights_until": "2026-11-22T09:00:00Z"}, "only for the night")
    assert ((), (ANA.id,), 1) == (edited.votes, tuple(one.id for one in edited.editors), edited.revision)
    assert edited.fingerprint != asked.fingerprint
    assert "four eyes" in await refused(world, asked.id, ANA)
    assert any("rights_until" in line for line in (await world.audit("approval.edited"))[0]["data"]["changed"])


async def test_two_edits_at_once_do_not_lose_an_editor(world: World) -> None:
    """Of two edits at the same moment one is refused, its maker has to look again; one after the other both count."""
    asked = await world.ask("grant_key_vault_access", actor=EVE)
    outcomes = await asyncio.gather(
        world.approvals.edit(asked.id, ANA, {"rights_until": "2026-11-22T09:00:00Z"}, ""),
        world.approvals.edit(asked.id, BEN, {"rights_until": "2026-11-22T10:00:00Z"}, ""),
        return_exceptions=True,
    )
    refused = sum(isinstance(one, AlreadyDecided) for one in outcomes)
    assert refused in {0, 1}
    assert 2 - refused == len((await world.approvals.get(asked.id)).editors)


async def test_a_click_on_what_was_shown_before_an_edit_changes_nothing(world: World) -> None:
    """What was shown is what is done: the click carries which plan it is about."""
    asked = await world.ask("grant_key_vault_access", actor=EVE)
    await world.approvals.edit(asked.id, MAX, {"rights_until": "2026-11-22T09:00:00Z"}, "")
    with pytest.raises(AlreadyDecided, match="look again"):
        await world.approvals.decide(asked.id, "approve", ANA, shown=asked.fingerprint[:8])
    now = await world.approvals.get(asked.id)
    assert "approved" == (await world.approvals.decide(asked.id, "approve", ANA, shown=now.fingerprint[:8])).state


async def test_a_verdict_about_an_older_plan_does_not_count(world: World) -> None:
    """Between the judgement of a click and its writing somebody edits: the click is lost, not applied to the new plan."""
    asked = await world.ask("grant_key_vault_access", actor=EVE)
    before = await world.approvals.get(asked.id)
    verdict = await deciding.may(world.services, "approve", before, ANA)
    await world.approvals.edit(asked.id, ANA, {"rights_until": "2026-11-22T09:00:00Z"}, "")
    async with world.store.begin() as tx:
        assert await deciding.decide_in(world.services, tx, before, "approve", ANA, verdict, "") is None
    assert "requested" == await world.state(asked.id)


async def test_an_edit_needs_the_right_to_ask_under_the_new_plans_rule(sqlite_world: World) -> None:
    """Nobody edits what they may not ask for, nor what has been decided."""
    sqlite_world.services.rules = [replace(FOUR_EYES, requesters=("slack:U0MAX",))]
    asked = await sqlite_world.ask("grant_key_vault_access")
    with pytest.raises(NotAllowed, match="may not change"):
        await sqlite_world.approvals.edit(asked.id, EVE, {}, "for me")
    await sqlite_world.approvals.decide(asked.id, "reject", BEN)
    with pytest.raises(AlreadyDecided):
        await sqlite_world.approvals.edit(asked.id, MAX, {}, "again")


async def test_one_request_for_a_fix_of_an_item_at_a_time(world: World) -> None:
    """Ten people ask for the same thing at once: one request; after its end it may be asked for again."""
    outcomes = await asyncio.gather(*(world.ask(actor=EVE) for _ in range(10)), return_exceptions=True)
    assert 9 == sum(isinstance(one, RequestError) for one in outcomes)
    assert all("asked for already" in str(one) for one in outcomes if isinstance(one, RequestError))
    [first] = [one for one in outcomes if not isinstance(one, BaseException)]
    await world.approvals.decide(first.id, "withdraw", EVE)
    assert first.id != (await world.ask()).id


async def test_a_changed_plan_is_not_executed_but_asked_anew(world: World) -> None:
    """The world changed between approval and execution: nothing is sent, the difference is shown, votes are void."""
    approval_id = await world.approved("grant_key_vault_access")
    granted_by_hand(world)
    await world.work()
    now = await world.approvals.get(approval_id)
    assert ("requested", (), []) == (now.state, now.votes, world.operator.sent)
    assert "precondition.kv-erp-01 right: missing → there" in now.changed
    line = (await world.audit("approval.plan_changed"))[0]["data"]
    assert now.fingerprint == line["fingerprint"]
    assert now.plan.hashed(world.operator.client_id) == line["plan"]
    await world.approvals.decide(approval_id, "approve", ANA)
    assert "proved" == await world.proved(approval_id)
    assert [Kind.BACKUP] == [call.kind for call in world.operator.sent]


async def test_the_difference_stays_for_the_second_approver(sqlite_world: World) -> None:
    """Where two people are needed, the second one too sees how the plan changed."""
    sqlite_world.services.rules = [TWO_PEOPLE]
    asked = await sqlite_world.ask("grant_key_vault_access", actor=EVE)
    for who in (ANA, BEN):
        await sqlite_world.approvals.decide(asked.id, "approve", who)
    granted_by_hand(sqlite_world)
    await sqlite_world.work()
    voted = await sqlite_world.approvals.decide(asked.id, "approve", ANA)
    assert ("requested", True) == (voted.state, bool(voted.changed))


async def test_a_request_asked_anew_has_all_its_time_again(sqlite_world: World) -> None:
    """It expires four hours after it was asked anew, with reminders from the beginning."""
    approval_id = await sqlite_world.approved("grant_key_vault_access")
    await sqlite_world.lose_work()
    sqlite_world.clock.advance(3 * HOUR)
    granted_by_hand(sqlite_world)
    await sqlite_world.tick()
    row = await sqlite_world.row(approval_id)
    now = sqlite_world.clock.now()
    assert (now + 4 * HOUR, now + 15 * MINUTE, 0) == (row["expires_at"], row["remind_at"], row["reminders"])
    assert now + 15 * MINUTE == row["due_at"]


async def test_a_plan_with_nothing_left_to_do_is_not_asked_anew(sqlite_world: World) -> None:
    """What cannot be done any more ends visibly instead."""
    approval_id = await sqlite_world.approved()
    sqlite_world.azure.put(vm_item(protection_state="ProtectionStopped"))
    await sqlite_world.work()
    row = await sqlite_world.row(approval_id)
    assert ("failed", None) == (row["state"], row["due_at"])
    assert row["note"]


async def test_a_read_only_installation_shows_the_commands(sqlite_world: World) -> None:
    """Without an operator identity nothing can be requested; the answer holds the az commands."""
    sqlite_world.services.operator = None
    with pytest.raises(RequestError, match="az backup protection backup-now"):
        await sqlite_world.ask()


async def test_a_missing_right_of_the_operator_is_named_before_anybody_is_asked(sqlite_world: World) -> None:
    """Preflight: the operator lacks the action, so no approver is bothered."""
    sqlite_world.operator.permissions_by_scope = {}
    with pytest.raises(RequestError, match="the operator identity lacks"):
        await sqlite_world.ask()


async def test_a_fix_that_is_off_cannot_be_planned(sqlite_world: World) -> None:
    """Fixes that are off by default stay off for every way of asking, editing or executing."""
    with pytest.raises(RequestError, match="off by default: turn it on"):
        await sqlite_world.approvals.plan("probe_os_disk", ITEM, {})
