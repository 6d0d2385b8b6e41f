"""Fixtures of the transports' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.transports.teams_world import World, world


@pytest.fixture
async def teams(tmp_path: Path) -> AsyncIterator[World]:
    """A simulated Teams and the bot's route."""
    async with world(tmp_path) as running:
        yield running
