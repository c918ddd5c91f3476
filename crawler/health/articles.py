"""What is made of the pages that come: articles, poorer ones, or none; and what gets in."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime

from crawler.health.chance import DOUBT, at_most, has_fallen
from crawler.health.model import Day, Finding, Present
from crawler.health.past import (
    LEAST_PAGES,
    LEAST_ROW,
    LIMIT,
    RECENT,
    chance_limit,
    days_before,
    row_of,
    up_to_the_last_good,
    words_of,
)
from crawler.health.reach import EMPTY, WALLS
from crawler.health.rhythm import LEAST_DAYS, last_article, midnight
from crawler.health.wording import listed, percent

AGAIN = 6  # of the latest articles: half of them as usual, and what was missing is back
MANY = 60  # articles tell how long they are in two days; fewer in a week
SHORT = 0.5  # of the bodies of a poor day
DROPPED = 0.2  # of the blocks that are usually dropped


def poor_articles(past: Sequence[Day], present: Present, now: datetime) -> Iterator[Finding]:
    """What is told of pages that are no articles, or poorer ones than usual."""
    if no_articles := _rejected(past, present):
        yield no_articles
        return
    poorer = [
        one
        for one in (_missing(past, present, "dated"), _missing(past, present, "signed"), _short(past, present))
        if one
    ]
    if len(poorer) > 1 or (poorer and "template_changed" in present.open):
        sentence = "its articles have changed: " + "; ".join(one.sentence for one in poorer)
        since = min((one.since for one in poorer if one.since), default=None)
        yield Finding(kind="template_changed", severity="fail", sentence=sentence, since=since)
    else:
        yield from poorer


def _rejected(past: Sequence[Day], present: Present) -> Finding | None:
    days = [*past, present.today]
    before = up_to_the_last_good(
        days_before(past, present, "template_changed", "blocked"), lambda day: bool(day.stored)
    )
    good, bad = sum(day.stored for day in before), sum(day.rejected for day in before)
    if good + bad < LEAST_PAGES:
        return None
    usual, today = good / (good + bad), present.today
    row = row_of(days, "rejected_row", lambda day: bool(day.stored))
    in_a_row = usual > 0.1 and row >= LEAST_ROW and (1 - DOUBT * usual) ** row < chance_limit(good + bad, before)
    fallen = has_fallen(today.stored, today.stored + today.rejected, usual, LIMIT)
    still = {"template_changed", "blocked"} & present.open.keys() and row > 0
    if not (in_a_row or fallen or still):
        return None
    words = words_of(days[-2:], lambda word: word in EMPTY | WALLS or word.startswith("extraction_"))
    walls = sum(number for word, number in words.items() if word in WALLS)
    broken = sum(number for word, number in words.items() if word.startswith("extraction_"))
    kind = "blocked" if 2 * walls > sum(words.values()) else "template_changed"
    kind = "errors" if 2 * broken > sum(words.values()) else kind
    told = (
        f"{row} pages in a row were"
        if in_a_row or still
        else f"{today.rejected} of today's {today.stored + today.rejected} new pages were"
    )
    sentence = f"{told} no articles ({listed(words)}); usually {percent(1 - usual)} are none"
    return Finding(kind=kind, severity="fail", sentence=sentence, since=last_article(days))


def _missing(past: Sequence[Day], present: Present, what: str) -> Finding | None:
    kind = {"dated": "missing_dates", "signed": "missing_authors"}[what]
    has = [bool(getattr(one, what)) for one in present.recent]
    row = next((index for index, one in enumerate(has) if one), len(has))
    if not row:
        return None
    before = days_before(past, present, kind, "template_changed")
    usual = _share(before, present.recent[row - 1].stored_at, what)
    whole = _share(before, present.recent[-1].stored_at, what)
    since = present.recent[row - 1].stored_at
    limit = chance_limit(sum(day.fresh for day in before), before)
    if usual is not None and usual > 0.1 and row >= LEAST_ROW and (1 - DOUBT * usual) ** row < limit:
        found, share = row, usual
    elif whole is not None and has_fallen(sum(has), len(has), whole, LIMIT):
        found, share, since = len(has) - sum(has), whole, present.recent[-1].stored_at
    elif {kind, "template_changed"} & present.open.keys() and usual and sum(has[:AGAIN]) < 0.5 * usual * AGAIN:
        found, share = row, usual
    else:
        return None
    told = f"the last {row} articles" if found == row else f"{found} of the last {len(has)} articles"
    word = "date" if what == "dated" else "author"
    sentence = f"{told} have no {word}; usually {percent(1 - share)} have none"
    return Finding(kind=kind, severity="warn", sentence=sentence, since=since)


def _share(days: Sequence[Day], until: datetime, what: str) -> float | None:
    """Of the fresh articles before that day; None: too few."""
    chosen = [day for day in days if day.day < until.date()]
    number = sum(day.fresh for day in chosen)
    return sum(getattr(day, what) for day in chosen) / number if number >= LEAST_PAGES else None


def _short(past: Sequence[Day], present: Present) -> Finding | None:
    recent = present.recent[: RECENT // 2]
    if len(recent) < 10:
        return None
    before = days_before(past, present, "short_bodies", "template_changed")
    before = [day for day in before if day.words and day.day < recent[-1].stored_at.date()]
    medians = sorted(day.words or 0 for day in before)
    if len(medians) < (2 if sum(day.fresh for day in before) >= MANY else LEAST_DAYS // 2):
        return None
    usual, poor = statistics.median(medians), medians[len(medians) // 10]
    short = [one.words < SHORT * poor for one in recent]
    opened = {"short_bodies", "template_changed"} & present.open.keys()
    by_chance = at_most(len(short) - sum(short), len(short), 0.75)
    if by_chance > LIMIT and not (opened and 2 * sum(short[:AGAIN]) > AGAIN):
        row = next((index for index, one in enumerate(short) if not one), len(short))
        if row < 10 or 0.25**row > LIMIT:
            return None
    now = statistics.median(one.words for one in recent[:10])
    sentence = f"the last articles have {now:.0f} words; usually {usual:.0f}"
    return Finding(kind="short_bodies", severity="warn", sentence=sentence, since=recent[len(short) - 1].stored_at)


def leaks(past: Sequence[Day], present: Present) -> list[Finding]:
    """What was dropped is dropped no more; or much had to be taken out again."""
    days, before = [*past[-2:], present.today], days_before(past[:-2], present, "leaking")
    stored, articles = sum(day.stored for day in before), sum(day.stored for day in days)
    if stored < LEAST_PAGES or articles < 20:
        return []
    usual, now = sum(day.dropped_blocks for day in before) / stored, sum(day.dropped_blocks for day in days) / articles
    rows = [day.dropped_blocks / day.stored for day in before if day.stored >= 5]
    poor = sorted(rows)[1] if len(rows) > 2 else 0.0
    factor = 2 if "leaking" in present.open else 1
    if usual >= 1 and now < DROPPED * factor * usual and now < 0.5 * factor * poor:
        sentence = f"{now:.1f} blocks dropped an article; usually {usual:.1f}: what was dropped may now get in"
        return [Finding(kind="leaking", severity="warn", sentence=sentence, since=midnight(days[0]))]
    leaked, before_leaked = sum(day.leaked for day in days), sum(day.leaked for day in before) / stored
    if leaked > 30 and leaked > articles / factor and leaked > 5 / factor * before_leaked * articles:
        sentence = (
            f"{leaked} blocks had got into stored articles and were taken out in 3 days; "
            f"usually {before_leaked * articles:.0f}"
        )
        return [Finding(kind="leaking", severity="warn", sentence=sentence, since=midnight(days[0]))]
    return []
