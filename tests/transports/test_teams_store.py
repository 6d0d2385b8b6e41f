"""The transport over the real store and outbox: references that survive, messages that follow their latest state."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adaptive_cards.card import Card
from bot.store import tables as t
from bot.store.database import connect, reader
from bot.store.store import Place, Store
from bot.transports.teams_addresses import Addresses, ServiceUrls
from bot.transports.teams_store import StoreReferences, card_at
from bot.workflows.outbox import Outbox
from simulator.chat_people import ANA, MAX, TEAMS_CHANNEL
from tests.transports.teams_world import World


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The time."""
        return self.at

    def monotonic(self) -> float:
        """Seconds."""
        return self.at.timestamp()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store in a file."""
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    engine = connect(url)
    async with engine.begin() as connection:
        await connection.run_sync(t.metadata.create_all)
    opened = Store(engine=engine, read_engine=reader(engine, url), clock=Moving())
    yield opened
    await opened.close()


async def test_references_survive_and_are_written_when_they_change(store: Store) -> None:
    """A second replica reads what the first one kept; the same again costs no write."""
    clock = store.clock
    assert isinstance(clock, Moving)
    first, second = StoreReferences(store=store), StoreReferences(store=store)
    addresses = Addresses(references=first, service_urls=ServiceUrls(), tenant_id="t1")
    record = {
        "conversation": TEAMS_CHANNEL,
        "kind": "channel",
        "service_url": "https://smba.trafficmanager.net/emea/",
        "tenant": "t1",
        "user": MAX.teams_id,
        "entra_id": MAX.aad_id,
        "name": MAX.name,
    }
    await addresses.remember(record)
    assert "https://smba.trafficmanager.net/emea/" == (await second.get("tenant:t1") or {})["service_url"]
    assert TEAMS_CHANNEL == await Addresses(references=second, service_urls=ServiceUrls(), tenant_id="t1").seen_in(
        MAX.aad_id
    )
    assert "" == await addresses.seen_in(ANA.aad_id)

    clock.at += timedelta(hours=1)
    await addresses.remember(record)
    await addresses.remember(record | {"service_url": "https://smba.trafficmanager.net/amer/"})
    rows = {row["key"]: row for row in await store.all(t.conversations.select())}
    assert {f"conversation:{TEAMS_CHANNEL}", "tenant:t1", f"user:{MAX.aad_id}"} == set(rows)
    assert 3 == rows[f"user:{MAX.aad_id}"]["seen_at"].hour
    assert (4, "https://smba.trafficmanager.net/amer/") == (
        rows["tenant:t1"]["seen_at"].hour,
        rows["tenant:t1"]["record"]["service_url"],
    )


async def test_the_outbox_posts_updates_and_posts_anew_what_is_gone(store: Store, teams: World) -> None:
    """The thread hangs from its first message, an update stays in place, and a deleted message comes back."""
    now = [0.0]
    teams.bot.messenger.monotonic = lambda: now[0]
    place = Place(platform="teams", channel=TEAMS_CHANNEL)
    thread = Place(platform="teams", channel=TEAMS_CHANNEL, thread_key="incident")

    async def deliver() -> None:
        # A new outbox each time, as after a restart: its own pause between updates is not what is tested here.
        outbox = Outbox(store=store, messengers={"teams": teams.bot.messenger}, owner="a")
        while await outbox.deliver_due():
            pass
        now[0] += 2

    async with store.begin() as tx:
        await tx.say("incident", place, Card("failed"))
        await tx.say("diagnosis", thread, Card("because"))
    await deliver()
    await deliver()
    async with store.begin() as tx:
        await tx.say("incident", place, Card("works again"))
    await deliver()

    first, inside = teams.fake.messages.values()
    assert Card("works again") == await card_at(store, first.conversation, first.id)
    assert Card("because") == await card_at(store, inside.conversation, inside.id)
    assert await card_at(store, TEAMS_CHANNEL, first.id) is None
    assert first.conversation == inside.conversation
    assert ["failed", "works again"] == [one["summary"] for one in first.history]
    first.deleted = True
    async with store.begin() as tx:
        await tx.say("incident", place, Card("closed"))
    await deliver()
    assert ["works again", "because", "closed"] == [one.activity["summary"] for one in teams.fake.messages.values()]
