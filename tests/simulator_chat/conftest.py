"""Fixtures of the chat simulator's tests: both platforms on free ports, and a clock that a test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from simulator.slack import FakeSlack
from simulator.teams import FakeTeams


@dataclass
class Hands:
    """A clock that stands still until a test moves it."""

    at: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move ahead."""
        self.at += seconds


@pytest.fixture
def hands() -> Hands:
    """Return the clock."""
    return Hands()


@pytest.fixture
async def slack(hands: Hands) -> AsyncIterator[FakeSlack]:
    """Yield a running Slack on the test's clock."""
    async with FakeSlack(now=hands) as running:
        yield running


@pytest.fixture
def client(slack: FakeSlack) -> AsyncWebClient:
    """Return slack_sdk's own client, pointed at the fake."""
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, timeout=5)


@pytest.fixture
async def teams(hands: Hands) -> AsyncIterator[FakeTeams]:
    """Yield a running connector on the test's clock."""
    async with FakeTeams(now=hands) as running:
        yield running
