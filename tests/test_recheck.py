"""When a stored article is looked at again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.recheck import ENOUGH, STEPS, next_look

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, DAY = 3_600.0, 86_400.0


def ages(rates: dict[int, tuple[int, int]], salt: int = 1) -> list[float]:
    """The ages in hours at which an article is looked at that was fetched when it came out."""
    found: list[float] = []
    while look := next_look(NOW, NOW + timedelta(hours=found[-1] if found else 0), rates, salt=salt):
        found.append(round((found[-1] if found else 0) + look.rest.total_seconds() / HOUR, 1))
    return found


def test_looks_decay() -> None:
    assert ages({}) == [1, 6, 24, 168]


def test_what_a_source_never_edits_is_not_looked_at_but_for_a_tenth() -> None:
    never = dict.fromkeys(range(4), (ENOUGH, 0))
    assert ages(never) == []
    assert ages(never, salt=10) == [1, 6, 24, 168]
    assert ages({0: (ENOUGH, 5), 1: (ENOUGH, 0)}) == [1, 24, 168]


def test_what_a_source_edits_often_is_looked_at_more_often() -> None:
    assert ages({1: (ENOUGH, ENOUGH // 2)}) == [1, 6, 12, 24, 168]


@pytest.mark.parametrize("age", [8 * DAY, 900 * DAY])
def test_old_articles_rest(age: float) -> None:
    assert next_look(NOW - timedelta(seconds=age), NOW, {}, salt=1) is None


def test_an_article_without_a_date_or_with_one_to_come_is_new() -> None:
    for published_at in (None, NOW + DAY * timedelta(seconds=1)):
        look = next_look(published_at, NOW, {}, salt=1)
        assert look and look.rest == timedelta(hours=1)


@given(st.floats(0, 20 * DAY), st.integers(0, 100))
def test_a_look_is_never_due_before_it_is_worth_one(age: float, salt: int) -> None:
    look = next_look(NOW - timedelta(seconds=age), NOW, {}, salt=salt)
    assert (look is None) == (age * 1.1 >= STEPS[-1])
    assert look is None or look.rest.total_seconds() >= min(age * 0.09, HOUR / 2)
