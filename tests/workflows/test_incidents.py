"""Incidents: one for each thing that goes wrong, however often and at once it is reported."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.incidents import DIAGNOSES_AT_MOST
from domain.actor import Actor
from domain.errors import GatewayUnavailable, NotFound, RequestError
from domain.incident import Alert, Operation
from tests.fixes.world import VAULT, VM_ITEM, sql_item
from tests.workflows.world import ANA, MAX, MINUTE, World


def alert(number: int = 1, **more: Any) -> Alert:
    """An alert about a failed backup of the machine."""
    return replace(
        Alert(
            alert_id=f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{number}",
            condition="Fired",
            rule="Backup Failure",
            severity="Sev1",
            service="azurebackup",
            fired_at=None,
            description="",
            vault_id=VAULT,
            item_id=VM_ITEM,
            item_name="vm-erp-01",
            source_id="",
            job_id="",
            code="UserErrorKeyVaultPermissionsNotConfigured",
            operation=Operation.BACKUP,
        ),
        **more,
    )


async def deliver(world: World, one: Alert) -> None:
    """What the webhook and the drain do with a delivery."""
    row_id = uuid.uuid4().hex
    async with world.store.begin() as tx:
        new = await tx.insert_new(
            t.alerts, id=row_id, delivery_key=one.delivery_key, payload={}, received_at=tx.now, state="new"
        )
    if new:
        await world.incidents.from_alert(row_id, one)


async def rows(world: World) -> list[sa.RowMapping]:
    return list(await world.store.all(sa.select(t.incidents).order_by(t.incidents.c.opened_at)))  # type: ignore[arg-type]


async def test_fifty_alerts_at_once_are_one_incident_that_counts_them(world: World) -> None:
    """Fifty different alerts for one item at the same moment: one incident, fifty failures, none lost."""
    await asyncio.gather(*(deliver(world, alert(number)) for number in range(50)))
    [incident] = await rows(world)
    assert (50, "open") == (incident["failures"], incident["state"])
    assert {incident["id"]} == {row["incident_id"] for row in await world.store.all(sa.select(t.alerts))}
    assert 49 == len(await world.audit("incident.again"))
    assert (await world.chain()).ok


async def test_fifty_deliveries_of_one_alert_count_once(world: World) -> None:
    """The same delivery fifty times at once: one alert, one incident, one failure."""
    await asyncio.gather(*(deliver(world, alert()) for _ in range(50)))
    [incident] = await rows(world)
    assert 1 == incident["failures"]
    assert 1 == len(await world.store.all(sa.select(t.alerts)))


async def test_an_alert_is_taken_once_although_worked_on_twice(world: World) -> None:
    """A crash after the commit makes the row be worked on again: nothing more happens."""
    await deliver(world, alert())
    [row] = await world.store.all(sa.select(t.alerts))
    await world.incidents.from_alert(row["id"], alert())
    [incident] = await rows(world)
    assert 1 == incident["failures"]


async def test_every_spelling_of_an_item_is_the_same_item(sqlite_world: World) -> None:
    """Azure writes one id in several ways."""
    await deliver(sqlite_world, alert(1))
    await deliver(sqlite_world, alert(2, item_id=VM_ITEM.upper()))
    assert 1 == len(await rows(sqlite_world))


async def test_another_item_operation_or_vault_is_another_incident(sqlite_world: World) -> None:
    """The key is the item and the operation, or the vault and the rule where there is no item."""
    await deliver(sqlite_world, alert(1))
    await deliver(sqlite_world, alert(2, operation=Operation.RESTORE))
    await deliver(sqlite_world, alert(3, item_id=sql_item().id.id))
    await deliver(sqlite_world, alert(4, item_id="", item_name=""))
    await deliver(sqlite_world, alert(5, item_id="", item_name=""))
    assert [1, 1, 1, 2] == [row["failures"] for row in await rows(sqlite_world)]


async def test_it_is_diagnosed_and_its_severity_follows_the_evidence(world: World) -> None:
    """31 hours without a point at an RPO of 26: critical."""
    await deliver(world, alert())
    await world.work()
    [incident] = await rows(world)
    assert ("done", "critical", None) == (incident["diagnosis_state"], incident["severity"], incident["due_at"])
    assert "incident.diagnosed" in await world.events(incident["id"])


async def test_lost_diagnoses_are_done_again(sqlite_world: World) -> None:
    """The engine lost the work: the tick hands it out again."""
    await deliver(sqlite_world, alert())
    await sqlite_world.lose_work()
    await sqlite_world.tick(2 * MINUTE)
    [incident] = await rows(sqlite_world)
    assert "done" == incident["diagnosis_state"]


async def test_an_item_that_cannot_be_read_is_tried_again_and_then_given_up(sqlite_world: World) -> None:
    """Unreadable is said, tried again, and given up visibly; a closed incident is left alone."""
    sqlite_world.azure.fail("item", GatewayUnavailable("Azure does not answer"))
    await deliver(sqlite_world, alert())
    for _ in range(DIAGNOSES_AT_MOST + 2):
        await sqlite_world.tick(MINUTE)
    [incident] = await rows(sqlite_world)
    assert ("failed", None, DIAGNOSES_AT_MOST) == (incident["diagnosis_state"], incident["due_at"], incident["tries"])
    await sqlite_world.incidents.close(incident["id"], MAX, "a test machine")
    await sqlite_world.incidents._could_not_look({**incident, "tries": 0}, "late")
    assert (await rows(sqlite_world))[0]["due_at"] is None


async def test_a_resolved_alert_opens_and_closes_nothing(sqlite_world: World) -> None:
    """Azure's resolution is noted; only a proof or a person closes."""
    await deliver(sqlite_world, alert(1, condition="Resolved"))
    assert [] == await rows(sqlite_world)
    await deliver(sqlite_world, alert(1))
    await deliver(sqlite_world, alert(2, condition="Resolved"))
    [incident] = await rows(sqlite_world)
    assert ("open", 1) == (incident["state"], incident["failures"])
    assert "incident.alert_resolved" in await sqlite_world.events(incident["id"])


async def test_a_proof_closes_it_and_the_next_failure_opens_a_new_one(world: World) -> None:
    """Closed by the recovery point; what fails afterwards is another incident."""
    await deliver(world, alert())
    await world.work()
    [incident] = await rows(world)
    asked = await world.ask(incident_id=incident["id"])
    await world.approvals.decide(asked.id, "approve", ANA)
    assert "proved" == await world.proved(asked.id)
    [incident] = await rows(world)
    assert ("closed", True) == (incident["state"], incident["closed_reason"].startswith("Run the backup again"))
    await deliver(world, alert(2))
    assert ["closed", "open"] == sorted(row["state"] for row in await rows(world))


async def test_a_failed_fix_is_said_and_leaves_it_open(sqlite_world: World) -> None:
    """The incident stays open when its fix did not help."""
    sqlite_world.job_ends_as = "Failed"
    await deliver(sqlite_world, alert())
    await sqlite_world.work()
    [incident] = await rows(sqlite_world)
    asked = await sqlite_world.ask(incident_id=incident["id"])
    await sqlite_world.approvals.decide(asked.id, "approve", ANA)
    assert "failed" == await sqlite_world.proved(asked.id)
    assert "open" == (await rows(sqlite_world))[0]["state"]
    assert "incident.fix_ended" in await sqlite_world.events(incident["id"])


async def test_only_a_proof_of_its_own_operation_closes_it(sqlite_world: World) -> None:
    """A new backup does not say that the restore works: the restore's incident stays open, and is looked at again."""
    await deliver(sqlite_world, alert(operation=Operation.RESTORE))
    await sqlite_world.work()
    [incident] = await rows(sqlite_world)
    asked = await sqlite_world.ask(incident_id=incident["id"])
    await sqlite_world.approvals.decide(asked.id, "approve", ANA)
    assert "proved" == await sqlite_world.proved(asked.id)
    assert "open" == (await rows(sqlite_world))[0]["state"]
    await sqlite_world.work()
    assert 2 == (await sqlite_world.events(incident["id"])).count("incident.diagnosed")


async def test_people_take_snooze_and_close(sqlite_world: World) -> None:
    """Each is written down; closing needs a reason; a closed one is not there any more; ids may be typed small."""
    await deliver(sqlite_world, alert())
    [row] = await rows(sqlite_world)
    small = row["id"].lower()
    taken = await sqlite_world.incidents.take(small, MAX)
    assert (taken.owner is not None, taken.owner and taken.owner.id) == (True, "U0MAX")
    until = (await sqlite_world.incidents.snooze(small, MAX, timedelta(hours=2))).snoozed_until
    assert sqlite_world.clock.now() + timedelta(hours=2) == until
    with pytest.raises(RequestError, match="Say why"):
        await sqlite_world.incidents.close(small, MAX, " ")
    assert not (await sqlite_world.incidents.close(small, MAX, "decommissioned")).open
    with pytest.raises(NotFound):
        await sqlite_world.incidents.take(small, ANA)


@pytest.mark.parametrize("flags", [{"is_guest": True}, {"is_bot": True}, {"is_foreign": True, "known": False}])
async def test_who_may_not_act_changes_no_incident(sqlite_world: World, flags: dict[str, bool]) -> None:
    """Guests, bots and people of other workspaces, these also when they cannot be looked up."""
    await deliver(sqlite_world, alert())
    [row] = await rows(sqlite_world)
    stranger = Actor(platform="slack", id="U0X", **flags)  # type: ignore[arg-type]  # flags of the class
    with pytest.raises(RequestError, match="Nothing was changed"):
        await sqlite_world.incidents.close(row["id"], stranger, "because")
    assert "open" == (await rows(sqlite_world))[0]["state"]
