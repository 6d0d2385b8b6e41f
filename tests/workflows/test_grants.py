"""Rights for a time: the way back is stored before the right is handed out, and is gone whatever happens."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from adaptive_cards import codec
from adaptive_cards.card import Card
from bot.store import tables as t
from bot.store.store import Row
from bot.workflows.views import Views
from domain.actor import Actor
from domain.arm import key
from domain.backup import AccessPolicy
from domain.errors import GatewayUnavailable, NotAllowed, NotFound, OutcomeUnknown, ResourceNotFound
from domain.fix import Call, Kind
from tests.fixes.world import KEY_VAULT, SERVICE, key_vault
from tests.workflows.world import ANA, EVE, MAX, MINUTE, World

UNTIL = {"rights_until": "2026-11-22T05:00:00Z"}  # two hours after the world begins
HOUR = timedelta(hours=1)


async def view_for(world: World, approval_id: str, actor: Actor) -> Card | None:
    return await Views(services=world.services, join=lambda one: one).view_for(approval_id, actor)


async def grants(world: World) -> list[Row]:
    return list(await world.store.all(sa.select(t.grants)))


async def test_the_revoke_is_stored_before_the_right_is_given(world: World) -> None:
    """When the call reaches Azure, the row that takes it back is there already."""
    stored: list[bool] = []
    effect = world.operator.effect

    def reached(call: Call) -> None:
        assert effect is not None
        effect(call)
        if call.kind is Kind.ROLE_ASSIGNMENT:
            stored.append(True)

    world.operator.effect = reached
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    assert "proved" == await world.proved(approval_id, ticks=30)
    events = await world.events(approval_id)
    assert events.index("grant.revoke_stored") < events.index("run.intended") < events.index("run.sent")
    assert [True] == stored
    assert ["armed"] == [row["state"] for row in await grants(world)]


async def test_it_is_taken_back_when_its_time_has_come(world: World) -> None:
    """At the due time the right goes, once, and the record says so under the request's name."""
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    await world.proved(approval_id, ticks=30)
    assert 1 == len(world.azure.assignments)
    await world.tick(2 * HOUR)
    assert ([], 1) == (world.azure.assignments, world.sent(Kind.ROLE_REMOVAL))
    assert ["revoked"] == [row["state"] for row in await grants(world)]
    assert "grant.revoked" in await world.events(approval_id)
    await world.tick(HOUR)
    assert 1 == world.sent(Kind.ROLE_REMOVAL)


async def test_it_is_taken_back_after_downtime_too(sqlite_world: World) -> None:
    """The bot was away for a day: the first tick takes it back."""
    approval_id = await sqlite_world.approved("grant_key_vault_access", parameters=UNTIL)
    await sqlite_world.proved(approval_id, ticks=30)
    sqlite_world.clock.advance(24 * HOUR)
    sqlite_world.restart()
    await sqlite_world.tick()
    assert [] == sqlite_world.azure.assignments


@pytest.mark.parametrize(
    "answers", [[ResourceNotFound("gone")], [OutcomeUnknown("lost")], [GatewayUnavailable("away")] * 5]
)
async def test_taking_back_is_tried_until_it_is_surely_gone(sqlite_world: World, answers: list[Exception]) -> None:
    """Lost answers, an unreachable Azure: again and again; gone already is as good as taken."""
    approval_id = await sqlite_world.approved("grant_key_vault_access", parameters=UNTIL)
    await sqlite_world.proved(approval_id, ticks=30)
    sqlite_world.operator.answers = [*answers]
    if isinstance(answers[0], ResourceNotFound):
        sqlite_world.azure.assignments.clear()
        sqlite_world.azure.bodies = {n: b for n, b in sqlite_world.azure.bodies.items() if "roleassign" not in n}
    for _ in range(10):
        await sqlite_world.tick(2 * HOUR if sqlite_world.sent(Kind.ROLE_REMOVAL) == 0 else MINUTE)
    assert ([], ["revoked"]) == (
        sqlite_world.azure.assignments,
        [row["state"] for row in await grants(sqlite_world)],
    )


async def test_a_right_whose_answer_was_lost_is_taken_back_only_after_it_arrived(world: World) -> None:
    """Its time comes while nobody knows whether it was given: taking it back first would leave it there for good."""
    world.operator.answers = [OutcomeUnknown("lost")]
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    await world.lose_work()
    world.clock.advance(2 * HOUR - 2 * MINUTE)
    world.azure.fail("role_assignments", GatewayUnavailable("away"))
    world.azure.heal("role_assignments")
    await world.tick()
    run = await world.run_of(approval_id)
    assert run is not None
    assert "intended" == run["steps"][0]["state"]
    world.clock.advance(3 * MINUTE)
    [grant] = await grants(world)
    await world.drive("grant", grant["id"])
    assert 0 == world.sent(Kind.ROLE_REMOVAL)
    world.happens(world.operator.sent[0])  # now it arrives
    for _ in range(5):
        await world.tick(MINUTE)
    assert ([], "revoked") == (world.azure.assignments, (await grants(world))[0]["state"])


async def test_a_right_is_not_given_when_its_time_is_over(world: World) -> None:
    """The request waited longer than the right was wanted for: nothing is granted, the run says why."""
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    await world.lose_work()
    world.clock.advance(3 * HOUR)
    assert "failed" == await world.proved(approval_id)
    assert ([], []) == (world.azure.assignments, world.operator.sent)
    assert "is over" in (await world.row(approval_id))["note"]


async def test_it_can_be_taken_back_early_by_who_asked_or_approved(world: World) -> None:
    """Others may not; afterwards nothing is left to take."""
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    await world.proved(approval_id, ticks=30)
    run = await world.run_of(approval_id)
    assert run is not None
    with pytest.raises(NotAllowed, match="only who asked"):
        await world.grants.revoke_now(run["id"], EVE)
    assert 1 == await world.grants.revoke_now(run["id"], ANA)
    await world.work()
    assert [] == world.azure.assignments
    with pytest.raises(NotFound):
        await world.grants.revoke_now(run["id"], MAX)
    with pytest.raises(NotFound):
        await world.grants.revoke_now("RUN-NONE", MAX)


async def test_a_stale_replica_takes_nothing_back(sqlite_world: World) -> None:
    """It waits for its heartbeat, and the right can still be taken back early."""
    approval_id = await sqlite_world.approved("grant_key_vault_access", parameters=UNTIL)
    await sqlite_world.proved(approval_id, ticks=30)
    sqlite_world.services.may_change = lambda: False
    await sqlite_world.tick(3 * HOUR)
    assert (0, "armed") == (sqlite_world.sent(Kind.ROLE_REMOVAL), (await grants(sqlite_world))[0]["state"])
    sqlite_world.services.may_change = lambda: True
    await sqlite_world.tick(MINUTE)
    assert [] == sqlite_world.azure.assignments


async def test_an_access_policy_is_taken_back_as_one(sqlite_world: World) -> None:
    """A key vault with access policies: what was added is removed again, with the call for policies."""
    world = sqlite_world
    world.services.fix_settings = type(world.services.fix_settings)(enabled=frozenset({"add_key_vault_policy"}))
    world.azure.put(key_vault(rbac=False))
    effect = world.operator.effect

    def policies(call: Call) -> None:
        assert effect is not None
        effect(call)
        if call.resource.endswith("/accessPolicies/add"):
            body: Any = call.body
            rights = body["properties"]["accessPolicies"][0]["permissions"]
            held = AccessPolicy(object_id=SERVICE, keys=frozenset(rights["keys"]), secrets=frozenset(rights["secrets"]))
            world.azure.put(key_vault(rbac=False, access_policies=(held,)))
        elif call.resource.endswith("/accessPolicies/remove"):
            world.azure.put(key_vault(rbac=False))

    world.operator.effect = policies
    approval_id = await world.approved("add_key_vault_policy", parameters=UNTIL)
    assert "proved" == await world.proved(approval_id, ticks=30)
    assert world.azure.key_vaults[key(KEY_VAULT)].access_policies
    await world.tick(2 * HOUR)
    await world.tick(MINUTE)
    assert not world.azure.key_vaults[key(KEY_VAULT)].access_policies
    assert "revoked" == (await grants(world))[0]["state"]


async def test_the_personal_view_tells_of_the_right_as_the_shared_card_does(world: World) -> None:
    """Who may decide sees on Teams what everybody sees: which right is handed out, until when, and how to end it early."""
    approval_id = await world.approved("grant_key_vault_access", parameters=UNTIL)
    await world.proved(approval_id, ticks=30)
    [shared] = await world.store.all(sa.select(t.outbox.c.card).where(t.outbox.c.key == f"approval:{approval_id}"))
    mine = await view_for(world, approval_id, ANA)
    for told in (str(shared["card"]), str(mine)):
        assert "Handed out for a time: " in told
        assert "Take the right away now" in told


async def test_the_personal_view_of_a_waiting_request_is_the_shared_card(world: World) -> None:
    """Whoever may decide gets the very card; whoever may not gets none of their own."""
    asked = await world.ask("grant_key_vault_access", parameters=UNTIL)
    [shared] = await world.store.all(sa.select(t.outbox.c.card).where(t.outbox.c.key == f"approval:{asked.id}"))
    assert codec.load(shared["card"]) == await view_for(world, asked.id, ANA)
    assert await view_for(world, asked.id, EVE) is None
    assert await view_for(world, "APR-NONE", ANA) is None
