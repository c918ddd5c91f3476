"""When a stored article is looked at again: most edits come soon, and how soon differs from source to source.

An article is due at certain ages, about 1 h, 6 h, 1 d and 7 d after its publication (RECHECK_STEPS). Each look is
counted with whether it found an edit, by source and step. A step that finds next to nothing is skipped, but for every
tenth article, so that a change of habit is noticed; one that finds edits half of the time gets a further look halfway
(geometrically) to the next. The rule of thumb behind it: look where the odds of a change are, at intervals that grow
with age (Cho and Garcia-Molina, "Effective page refresh policies for web crawlers", 2003).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

STEPS = (3_600.0, 21_600.0, 86_400.0, 604_800.0)  # seconds of age
ANNOUNCED = -1  # the step of a look that a feed's or sitemap's later date asked for
ENOUGH = 20  # looks before a rate means something
SELDOM, OFTEN = 0.02, 0.5  # share of looks that found an edit
SAMPLE = 10  # of so many articles one is looked at even where edits are seldom

Rates = Mapping[int, tuple[int, int]]  # step -> looks, edits


@dataclass(frozen=True, slots=True)
class Look:
    """The next look at an article: the step it counts for, and in how long it is due."""

    step: int
    rest: timedelta


def next_look(
    published_at: datetime | None, now: datetime, rates: Rates, *, salt: int, steps: Sequence[float] = STEPS
) -> Look | None:
    """None when the article is older than the last step. Without a date, or with one in the future, its age is 0.

    `salt`: any number that stays with the article.
    """
    age = max(0.0, (now - published_at).total_seconds()) if published_at else 0.0
    for step, due in _ages(rates, salt, steps):
        if due > age * 1.1:  # what was only just looked at need not be looked at again
            return Look(step, timedelta(seconds=due - age))
    return None


def worth(rates: Rates, step: int, salt: int) -> bool:
    """Whether looks of that step find enough."""
    looks, edits = rates.get(step, (0, 0))
    return looks < ENOUGH or edits >= SELDOM * looks or salt % SAMPLE == 0


def _ages(rates: Rates, salt: int, steps: Sequence[float]) -> Iterator[tuple[int, float]]:
    for step, age in enumerate(steps):
        if worth(rates, step, salt):
            yield step, age
        looks, edits = rates.get(step, (0, 0))
        if looks >= ENOUGH and edits >= OFTEN * looks and step + 1 < len(steps):
            yield step, (age * steps[step + 1]) ** 0.5
