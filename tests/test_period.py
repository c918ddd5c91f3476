"""A stretch of time as somebody writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crawler.errors import ConfigurationError
from crawler.period import Period, period

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def test_until_a_day_includes_that_day() -> None:
    march = period("2026-03-01", "2026-03-31")
    assert march == Period(since=DAY, until=datetime(2026, 4, 1, tzinfo=UTC))
    assert DAY in march and DAY - timedelta(microseconds=1) not in march
    assert DAY + timedelta(days=31, microseconds=-1) in march and DAY + timedelta(days=31) not in march


def test_an_instant_is_taken_as_it_is_and_either_may_be_left_out() -> None:
    assert period("2026-03-01T12:00:00+02:00", None).since == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert period(None, "2026-03-01T12:00Z").until == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert DAY in period("", None)


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("yesterday", None, "since=yesterday is no date"),
        (None, "2026-13-01", "until=2026-13-01 is no date"),
        ("2026-03-02", "2026-03-01", "since=2026-03-02 is not before until=2026-03-01"),
    ],
)
def test_what_makes_no_sense_is_refused(since: str | None, until: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        period(since, until)
