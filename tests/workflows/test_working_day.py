"""When the review of an emergency approval is asked for."""

from datetime import UTC, datetime

import pytest

from bot.workflows.telling import next_working_day


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (datetime(2026, 11, 18, 3, 0, tzinfo=UTC), datetime(2026, 11, 19, 9, 0, tzinfo=UTC)),  # Wednesday night
        (datetime(2026, 11, 20, 23, 59, tzinfo=UTC), datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),  # Friday → Monday
        (datetime(2026, 11, 21, 12, 0, tzinfo=UTC), datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),  # Saturday
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),  # Sunday
        (datetime(2026, 12, 31, 9, 0, tzinfo=UTC), datetime(2027, 1, 1, 9, 0, tzinfo=UTC)),  # over the year's end
    ],
)
def test_the_review_comes_on_the_next_working_day(now: datetime, wanted: datetime) -> None:
    """Weekends are passed over; public holidays are not known."""
    assert wanted == next_working_day(now)
