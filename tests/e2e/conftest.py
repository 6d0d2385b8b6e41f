"""One cloud, chat and bot for all tests of a module: they use different items, so that they do not meet."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from simulator.server import Simulator
from tests.e2e.support import Stage, stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running bot on the estate contoso."""
    async with stage(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud() -> AsyncIterator[Simulator]:
    """A simulated cloud alone."""
    async with Simulator("contoso", speed=2000) as running:
        yield running


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory to run programs in."""
    return tmp_path_factory.mktemp("here")
