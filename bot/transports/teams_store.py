"""What the Teams transport keeps in the store, and reads from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from adaptive_cards import codec
from adaptive_cards.card import Card
from bot.store import tables as t
from bot.store.store import Store


@dataclass(kw_only=True)
class StoreReferences:
    """:class:`References` in the table ``conversations``; what did not change is not written again."""

    store: Store
    _kept: dict[str, dict[str, str]] = field(default_factory=dict)

    async def get(self, key: str) -> Mapping[str, str] | None:
        """The record; read each time, since another replica may have renewed it."""
        row = await self.store.one(sa.select(t.conversations.c.record).where(t.conversations.c.key == key))
        return {str(name): str(value) for name, value in row["record"].items()} if row else None

    async def put(self, key: str, record: Mapping[str, str]) -> None:
        """Insert or replace the record."""
        new = dict(record)
        if self._kept.get(key) == new:
            return
        async with self.store.begin() as tx:
            if not await tx.insert_new(t.conversations, key=key, record=new, seen_at=tx.now):
                same = t.conversations.c.key == key
                await tx.execute(t.conversations.update().where(same).values(record=new, seen_at=tx.now))
        self._kept[key] = new


async def card_at(store: Store, conversation: str, message: str) -> Card | None:
    """The card that a message of ours shows now, by its place on Teams; None when it is not one of the outbox's."""
    row = await store.one(
        sa.select(t.outbox.c.card)
        .join(
            t.messages,
            sa.and_(
                t.messages.c.key == t.outbox.c.key,
                t.messages.c.platform == t.outbox.c.platform,
                t.messages.c.channel == t.outbox.c.channel,
            ),
        )
        .where(
            t.messages.c.platform == "teams",
            t.messages.c.ref["id"].as_string() == message,
            t.messages.c.ref["conversation"].as_string() == conversation,
        )
    )
    return codec.load(row["card"]) if row else None
