"""What a worker knows of its jobs, for the terminal and for metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crawler import tally


@dataclass(kw_only=True, slots=True)
class Running:
    """A job in hand. `started` is of time.monotonic(); `stats` are Scrapy's, about a second old."""

    job_id: int
    task: str
    source: str
    started: float = field(default_factory=time.monotonic)
    stats: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """`totals`: the sums of the stats of the jobs that have ended; `ended`: how many of them ended how.

    It does not grow with the sources: `most` of them are counted one by one, the others together, as OTHERS.
    """

    most: int = 500
    running: dict[int, Running] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    sources: set[str] = field(default_factory=set)  # those that are counted one by one

    def begin(self, job_id: int, task: str, source: str) -> Running:
        running = self.running[job_id] = Running(job_id=job_id, task=task, source=source)
        return running

    def end(self, job_id: int, outcome: str) -> Running | None:
        """Returns what is known of it; None of one that was never begun."""
        if (one := self.running.pop(job_id, None)) is not None:
            for name, value in numbers(one.stats).items():
                self.totals[self._folded(name)] += value  # type: ignore[assignment]
            self.ended[outcome] += 1
        return one

    def summed(self) -> Counter[str]:
        """The totals with what runs: they never go down."""
        sums = Counter(self.totals)
        for one in self.running.values():
            sums.update(numbers(one.stats))
        return sums

    def _folded(self, name: str) -> str:
        group, _, rest = name.partition("/")
        source, _, what = rest.partition("/")
        if group != "news" or source in tally.GROUPS:
            return name
        if source not in self.sources and len(self.sources) >= self.most:
            return f"news/{OTHERS}/{what}"
        self.sources.add(source)
        return name


def numbers(stats: Mapping[str, Any]) -> dict[str, float]:
    """Those that count something: neither the number of the run nor a peak has a sum.

    Without what only a source's health asks for (news/<source>/<group>/<word>), which the database has.
    """
    return {
        name: value
        for name, value in stats.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and name.rpartition("/")[2] not in UNSUMMED
        and not name.startswith("template/")
        and not (name.startswith("news/") and name.count("/") > 2)
    }


OTHERS = ""  # no source is called so
UNSUMMED = frozenset(("crawl_id", "max", "startup", "elapsed_time_seconds", "request_depth_max"))
