"""Was the crawler polite? Reads an access log: tests.site.street's or newsweb's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """Over all hosts: the shortest time between the starts of two requests to one (robots.txt apart), and the like.

    `too_soon`: how many came sooner than they should. `concurrency`: the most that one host answered at once.
    """

    requests: int
    hosts: int
    min_gap: float | None
    worst_host: str
    too_soon: int
    concurrency: int
    before_robots: tuple[str, ...]
    forbidden: int


def read(log: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that is not whole yet is left out."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def manners(rows: Iterable[Mapping[str, Any]], gap: float) -> Manners:
    """`gap`: seconds that should lie between two requests to a host."""
    by_host: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: float(row["t"])):
        if not row["path"].startswith("/_newsweb"):
            by_host[row["host"]].append(row)
    gaps, early, most = list[tuple[float, str]](), list[str](), 0
    for host, hits in by_host.items():
        pages = [hit for hit in hits if hit["path"] != "/robots.txt"]
        gaps += [(after["t"] - before["t"], host) for before, after in pairwise(pages)]
        if pages and hits[0] is pages[0]:
            early.append(host)
        steps = [(hit["t"], 0) for hit in hits] + [(hit["t"] + hit["dur"], 1) for hit in hits]
        now = 0
        for _, is_end in sorted(steps):
            now += -1 if is_end else 1
            most = max(most, now)
    least, worst = min(gaps, default=(None, ""))
    return Manners(
        requests=sum(map(len, by_host.values())),
        hosts=len(by_host),
        min_gap=least,
        worst_host=worst,
        too_soon=sum(seconds < gap for seconds, _ in gaps),
        concurrency=most,
        before_robots=tuple(early),
        forbidden=sum(hit["path"].startswith("/private/") for hits in by_host.values() for hit in hits),
    )
