"""The table of outcomes: closed, and what the documentation says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from crawler.items import PageType
from crawler.outcomes import OUTCOMES, rest
from crawler.store.models import URL_STATES

DOCUMENT = Path(__file__).parents[1] / "docs" / "crawling.md"


def shown(pause: timedelta) -> str:
    """As the documentation writes it."""
    seconds = int(pause.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds // 60} min" if seconds else "at once"


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_every_outcome_is_documented_with_its_state_and_pauses(outcome: str) -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"| `{outcome}` |"))
    ending = OUTCOMES[outcome]
    assert f"| {ending.state} |" in line
    if ending.again:
        assert ", ".join(map(shown, ending.again)) in line
    else:
        assert line.endswith(("| never |", "| as above |"))


def test_every_type_of_page_is_an_outcome() -> None:
    assert set(get_args(PageType)) <= OUTCOMES.keys()
    assert {ending.state for ending in OUTCOMES.values()} <= set(URL_STATES)


def test_rests_end_or_repeat() -> None:
    assert [rest("not_found", n) for n in (1, 2, 3)] == [timedelta(hours=1), timedelta(days=1), None]
    assert rest("robots_forbidden", 50) == timedelta(days=30)
    assert rest("gone", 1) is None
