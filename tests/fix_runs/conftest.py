"""Benches for the tests of whole fixes."""

from collections.abc import AsyncIterator

import pytest

from tests.fix_runs.bench import Bench, bench_on


@pytest.fixture
async def bench(sqlite_url: str) -> AsyncIterator[Bench]:
    """A bench on SQLite."""
    async with bench_on(sqlite_url) as one:
        yield one


@pytest.fixture
async def any_bench(database_url: str) -> AsyncIterator[Bench]:
    """A bench on SQLite, and one on PostgreSQL."""
    async with bench_on(database_url) as one:
        yield one
