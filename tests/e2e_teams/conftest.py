"""One stage for all tests of a module: they use different items, so that they do not meet."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e_teams.stage import Stage, stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running bot on Slack and Teams at once, on the estate contoso."""
    async with stage(tmp_path_factory.mktemp("both")) as running:
        yield running
