"""A world on each database."""

from collections.abc import AsyncIterator

import pytest

from tests.workflows.world import World, world_on


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A world on SQLite, and one on PostgreSQL."""
    async with world_on(database_url) as one:
        yield one


@pytest.fixture
async def sqlite_world(sqlite_url: str) -> AsyncIterator[World]:
    """A world on SQLite alone, for what does not depend on the database."""
    async with world_on(sqlite_url) as one:
        yield one
