"""What `schedule: auto` gives and costs: the lag from publication to crawl, and the crawls that find nothing.

    python -m benchmarks.rhythm [--sources 60] [--weeks 6]

Simulated newsrooms, each with a rate (0.3 to 300 articles a day), working hours, quieter nights and weekends, and
random moments of publication (an inhomogeneous Poisson process, fixed seeds). Four weeks teach crawler/schedule.py, in
the two that follow each crawl is planned by `next_due` alone. The first figures are over all articles and crawls; those
"of a source" are medians over the sources, which the busy ones do not drown.

2026-11, 70 newsrooms, lag in minutes:

    planned by                lag  useless  crawls a day  lag of a source  useless of a source
    auto, 0.25 expected         3     59 %          98.0               15                 76 %
    auto, 0.5 expected          3     49 %          77.6               30                 59 %
    auto, 1 expected            3     34 %          53.8               57                 37 %
    auto, 2 expected            5     16 %          33.0              122                 17 %
    auto, 4 expected            9      5 %          16.8              220                  5 %
    auto, PRIOR_WEEKS = 0       3     28 %          49.2               53                 37 %
    auto, PRIOR_WEEKS = 1       3     31 %          52.0               56                 36 %
    auto, PRIOR_WEEKS = 4       3     36 %          56.0               61                 39 %
    auto, no hours, the mean    3     42 %          59.1               71                 43 %
    every 15 min                8     75 %          96.0                7                 90 %
    every 30 min               15     67 %          48.0               15                 83 %
    every 1 h                  30     59 %          24.0               30                 69 %

With one expected article a third of the crawls finds nothing; halving that lag makes a half of them useless. The hours
of the week save an eighth of the crawls of the mean alone, and a fifth of the lag of a source. PRIOR_WEEKS = 1: nearly
what no smoothing gives to newsrooms that never change, and hours that are not taken for dead after one quiet week.
(The rows of `expected` are with PRIOR_WEEKS = 2.) As many crawls by an interval, 30 min, have five times the lag.
"""

from __future__ import annotations

import argparse
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from unittest.mock import patch

from rich.console import Console
from rich.table import Column, Table

from crawler import schedule
from crawler.schedule import HOURS, Auto, Every, Past, Rhythm, next_due

START = datetime(2026, 10, 5, tzinfo=UTC)  # a Monday
LEARNED = 4  # weeks
EXPECTED = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 1e9)  # PRIOR_WEEKS; the last: no hours, only the mean
RATES = (0.3, 1, 3, 10, 30, 100, 300)


@dataclass(frozen=True)
class Result:
    """Over the articles and crawls of all sources; `of_source`: the median of the sources' own."""

    lag: float  # minutes, median
    useless: float  # share of crawls
    crawls: float  # a source and day
    lag_of_source: float
    useless_of_source: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description="Lag against useless crawls under `schedule: auto`, simulated")
    parser.add_argument("--sources", type=int, default=70)
    parser.add_argument("--weeks", type=int, default=LEARNED + 2, help="in all; four of them are learned from")
    given = parser.parse_args(arguments)
    newsrooms = [list(published(number, given.weeks)) for number in range(given.sources)]
    console = Console()
    table = Table(
        Column("planned by", no_wrap=True),
        "lag, min",
        "useless",
        "crawls/day",
        "lag of a source",
        "useless of a source",
    )
    for expected in EXPECTED:
        with (
            patch.object(schedule, "EXPECTED", expected),
            patch.object(schedule.until_expected, "__defaults__", (expected,)),
        ):
            add(table, f"auto, {expected:g} expected", simulate(newsrooms, given.weeks, Auto()))
    table.add_section()
    for weight in WEIGHTS:
        with patch.object(schedule, "PRIOR_WEEKS", weight):
            add(table, f"auto, PRIOR_WEEKS = {weight:g}", simulate(newsrooms, given.weeks, Auto()))
    table.add_section()
    for minutes in (15, 30, 60, 240):
        fixed = Every(timedelta(minutes=minutes))
        add(table, str(fixed), simulate(newsrooms, given.weeks, fixed))
    console.print(table)


def add(table: Table, name: str, found: Result) -> None:
    shares = f"{found.useless:.0%}", f"{found.useless_of_source:.0%}"
    table.add_row(name, f"{found.lag:.0f}", shares[0], f"{found.crawls:.1f}", f"{found.lag_of_source:.0f}", shares[1])


def published(number: int, weeks: int) -> Iterator[datetime]:
    """The moments at which a newsroom publishes."""
    chance = random.Random(number)  # noqa: S311
    rate = RATES[number % len(RATES)] * chance.uniform(0.7, 1.4)
    zone, night, weekend = chance.choice((-8, -5, 0, 1, 2, 9)), chance.uniform(0.02, 0.4), chance.uniform(0.2, 1)
    shape = [
        (1.0 if 7 <= (hour + zone) % 24 < 21 else night) * (1.0 if hour // 24 < 5 else weekend) for hour in range(HOURS)
    ]
    whole = sum(shape) / 7
    for hour in range(weeks * HOURS):
        at, rest = 0.0, rate * shape[hour % HOURS] / whole
        while (at := at + chance.expovariate(rest)) < 1:
            yield START + timedelta(hours=hour + at)


def learned(moments: Sequence[datetime]) -> Rhythm:
    counts = [0] * HOURS
    for moment in moments[: bisect_right(moments, START + timedelta(weeks=LEARNED))]:
        counts[moment.weekday() * 24 + moment.hour] += 1
    return Rhythm(counts, 0, LEARNED * HOURS)


def simulate(newsrooms: Sequence[Sequence[datetime]], weeks: int, planned: Auto | Every) -> Result:
    """The weeks after those that were learned from."""
    lags: list[float] = []
    useless = crawls = 0
    own: list[tuple[float, float]] = []
    end = START + timedelta(weeks=weeks)
    for number, moments in enumerate(newsrooms):
        past, now = Past(learned(moments)), START + timedelta(weeks=LEARNED)
        seen, own_lags, own_useless, own_crawls = bisect_right(moments, now), list[float](), 0, 0
        while (at := next_due(planned, None, f"s{number}", now, past).at) is not None and at < end:
            found = bisect_right(moments, at)
            own_lags += [(at - moment).total_seconds() / 60 for moment in moments[seen:found]]
            own_useless, own_crawls = own_useless + (found == seen), own_crawls + 1
            seen, now = found, at
        lags, useless, crawls = lags + own_lags, useless + own_useless, crawls + own_crawls
        if own_lags:
            own.append((median(own_lags), own_useless / own_crawls))
    days = len(newsrooms) * (weeks - LEARNED) * 7
    of_source = median(lag for lag, _ in own), median(share for _, share in own)
    return Result(median(lags), useless / crawls, crawls / days, *of_source)


if __name__ == "__main__":
    main()
