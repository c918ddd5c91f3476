"""CPU a page, ours over trafilatura's `bare_extraction(with_metadata=True)`, in one process on the same pages.

All of them: a few slow pages carry the ratio, and on every second page it was off by a tenth.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trafilatura import bare_extraction

from benchmarks.corpora import Sample
from crawler.extraction import extract

ROUNDS = 3
Run = Callable[[bytes, str | None], object]


@dataclass(frozen=True)
class Cost:
    """Medians over the rounds. `ratio`: ours over theirs; the others in seconds of CPU."""

    ratio: float
    ours: float  # a page, on average
    theirs: float
    worst: float  # page of ours, in the last round
    worst_theirs: float


def baseline(html: bytes, url: str | None) -> object:
    return bare_extraction(html, url=url, with_metadata=True)


def seconds(run: Run, sample: Sample) -> float:
    started = time.process_time()
    run(sample.html, sample.url)
    return time.process_time() - started


def measure(samples: Sequence[Sample], step: Callable[[], None], rounds: int = ROUNDS) -> Cost:
    """`step` is called after each page. The two take turns in going first, so that no cache favours one of them."""
    seconds(extract, samples[0]), seconds(baseline, samples[0])  # imports and models are not a page's cost
    gc.collect()
    gc.freeze()  # or each collection walks through all that was loaded before
    table = [
        [_both(sample, (number + turn) % 2 == 0, step) for number, sample in enumerate(samples)]
        for turn in range(rounds)
    ]
    ours = [sum(a for a, _ in row) for row in table]
    theirs = [sum(b for _, b in row) for row in table]
    return Cost(
        ratio=statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        ours=statistics.median(ours) / len(samples),
        theirs=statistics.median(theirs) / len(samples),
        worst=max(a for a, _ in table[-1]),
        worst_theirs=max(b for _, b in table[-1]),
    )


def _both(sample: Sample, first: bool, step: Callable[[], None]) -> tuple[float, float]:
    if first:
        ours, theirs = seconds(extract, sample), seconds(baseline, sample)
    else:
        theirs, ours = seconds(baseline, sample), seconds(extract, sample)
    step()
    return ours, theirs
