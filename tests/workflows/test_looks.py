"""What one diagnosis saw of a running job, the next one knows: after hours, after a restart, whoever asks."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.ledger import StoreLedger
from domain.backup import JobTask
from domain.finding import Diagnosis, Finding, Outcome
from domain.records import load_diagnosis
from tests.fixes import world as estate
from tests.workflows.test_incidents import alert, deliver
from tests.workflows.world import ITEM, MINUTE, World

HOUR = timedelta(hours=1)


def run_on(world: World, percent: int) -> None:
    """The machine's backup has been running since 14 hours before the story begins, and is so far."""
    began = estate.NOW - 14 * HOUR
    tasks = (JobTask(name="Transfer data to vault", status="InProgress"),)
    world.azure.put(replace(estate.job(id="run", started_at=began), tasks=tasks, progress_percent=percent))


def stuck(diagnosis: Diagnosis) -> Finding:
    """What is said of running jobs."""
    return next(one for one in diagnosis.findings if one.check == "no_job_is_stuck")


async def again(world: World) -> Finding:
    """Somebody looks again, by a button or because a fix has ended."""
    diagnosis, _, _ = await world.incidents.diagnose(ITEM)
    return stuck(diagnosis)


async def test_the_second_diagnosis_knows_what_the_first_saw(world: World) -> None:
    """An alert's diagnosis cannot tell; five hours and a restart later it can, and once the job moves it says so."""
    run_on(world, 40)
    await deliver(world, alert())
    await world.work()
    [row] = await world.store.all(sa.select(t.incidents.c.diagnosis))
    first = stuck(load_diagnosis(row["diagnosis"]))
    assert Outcome.UNKNOWN is first.outcome
    assert "this is the first look at it" in first.summary

    world.clock.advance(HOUR)
    world.restart()
    second = await again(world)
    assert Outcome.UNKNOWN is second.outcome
    assert "the look of 1 h ago saw the same" in second.summary

    world.clock.advance(4 * HOUR)
    third = await again(world)
    assert Outcome.FAIL is third.outcome
    assert "it is slow, and it does not move" in third.summary
    since = f"{estate.NOW:%Y-%m-%d %H:%M} UTC"
    assert f"No progress since {since}: the look of 5 h ago saw the same" in third.summary

    run_on(world, 55)
    world.clock.advance(10 * MINUTE)
    fourth = await again(world)
    assert Outcome.PASS is fourth.outcome
    assert "It has moved since the look of 10 min ago" in fourth.summary


async def test_many_diagnoses_at_once_are_looks_of_one_moment(world: World) -> None:
    """Ten that run side by side neither break nor think that the job stands still because of each other."""
    run_on(world, 40)
    found = await asyncio.gather(*(again(world) for _ in range(10)))
    assert {Outcome.UNKNOWN} == {one.outcome for one in found}
    assert not any("No progress" in one.summary for one in found)
    assert 1 == len(await world.store.all(sa.select(t.job_looks)))


async def test_without_a_running_job_nothing_is_stored(world: World) -> None:
    """A diagnosis of an item at rest writes no look; one that has ended is forgotten in time."""
    await again(world)
    assert [] == await world.store.all(sa.select(t.job_looks))
    run_on(world, 40)
    await again(world)
    world.end_jobs()
    world.clock.advance(31 * 24 * HOUR)
    await again(world)
    assert 1 == await StoreLedger(world.store).prune(world.clock.now() - timedelta(days=30))
