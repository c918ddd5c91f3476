"""How a crawl ended: a word, what it met, and what that is in `crawls.outcome`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crawler import tally

NO_LIST = "no_list_read"  # it came to its end, and nobody knows what is new
NO_ANSWER, STALLED = "no_answer", "stalled"  # a queued one that only waited, from the first or after a while
IN_VAIN = frozenset((NO_LIST, NO_ANSWER, STALLED))
# word -> outcome; else failed
OUTCOMES = {
    "finished": "finished",
    NO_LIST: "finished",
    "shutdown": "shutdown",
    "source_disabled": "shutdown",
    "time_max": "shutdown",
    STALLED: "shutdown",
    "aborted": "shutdown",
    "superseded": "shutdown",
}


def ended(reason: str, stats: Mapping[str, Any]) -> tuple[str, str]:
    """The word for a crawl that was closed for `reason`, and what it met, if that tells more."""
    if reason == "finished" and (met := tally.blind(stats)):
        return NO_LIST, tally.listed(met)
    return reason, tally.listed(tally.put_off(stats)) if reason in (NO_ANSWER, STALLED) else ""


def in_words(word: str, met: str) -> str:
    return f"{word}: {met}" if met else word
