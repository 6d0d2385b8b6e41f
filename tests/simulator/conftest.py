"""A running simulator and a client for it."""

from collections.abc import AsyncIterator

import pytest

from simulator.server import Simulator
from tests.simulator.support import Azure


@pytest.fixture
async def azure() -> AsyncIterator[Azure]:
    """A client of the contoso estate at speed 60."""
    async with Simulator("contoso", speed=60) as sim:
        client = await Azure.connect(sim)
        yield client
        await client.close()
