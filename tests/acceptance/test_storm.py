"""A small storm of alerts, some delivered twice; the great one is in ``make soak``."""

from pathlib import Path

import pytest

from tests.bench.storm import storm


@pytest.mark.timeout(240)
async def test_no_alert_of_a_storm_is_lost_or_doubled(tmp_path: Path) -> None:
    """Two hundred alerts about twenty items: each is in the one incident of its item."""
    found = await storm(tmp_path, count=200, items=20, within_s=150.0)
    assert found.finished
    assert (0, 0) == (found.lost, found.doubled)
