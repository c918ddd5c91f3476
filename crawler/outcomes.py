"""How a fetch can end: the closed set of words, the frontier's state that each leads to, and when to ask again.

The one place that knows them: whoever meets an end names its word, and state and rest follow from this table. A word is
stored with its URL (`urls.reason`) and counted (`news/outcome/<word>`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

State = Literal["queued", "leased", "fetched", "unchanged", "gone", "forbidden", "failed", "excluded"]

_MINUTES, _HOUR, _DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
_WEEK = 7 * _DAY
PASSING = (_MINUTES, _HOUR, 6 * _HOUR, _DAY, 3 * _DAY)  # a bad moment of the network or the host
WALLS = (6 * _HOUR, _DAY, 3 * _DAY, _WEEK)  # one bad day of a bot wall must not bury that day's articles
DOUBTS = (_HOUR, _DAY)  # articles that are announced before they are there


@dataclass(frozen=True, slots=True)
class Ending:
    """What an outcome means. `again`: the rests between one attempt and the next; none: it is final."""

    state: State
    again: tuple[timedelta, ...] = ()
    endless: bool = False  # the last rest repeats for ever


OUTCOMES: dict[str, Ending] = {
    # -- pages that hold an article; when they are looked at again is recheck.py's
    "article": Ending("fetched"),
    "live_blog": Ending("fetched"),
    "video": Ending("fetched"),
    "gallery": Ending("fetched"),
    "paywall_stub": Ending("fetched"),
    "not_modified": Ending("unchanged"),
    "duplicate": Ending("fetched"),  # another address of an article that is held already
    "moved": Ending("fetched", DOUBTS),  # it redirects, for the time being, to a page that is held or waits
    # -- pages that hold none
    "listing": Ending("fetched"),
    "no_content": Ending("fetched"),
    "no_body": Ending("fetched"),
    "no_headline": Ending("fetched"),
    "not_an_article": Ending("fetched"),
    "soft_404": Ending("fetched", DOUBTS),
    "consent_wall": Ending("forbidden", WALLS),
    "bot_challenge": Ending("forbidden", WALLS),
    "store_refused": Ending("failed"),
    "extraction_failed": Ending("failed", PASSING),
    "extraction_timeout": Ending("failed", PASSING),
    "extraction_memory": Ending("failed", PASSING),
    "extraction_crashed": Ending("failed", PASSING),
    "extraction_no_worker": Ending("failed", PASSING),
    "internal_error": Ending("failed", PASSING),  # a fault of this program; the log has it
    # -- what the host answered instead of a page
    "not_found": Ending("gone", DOUBTS),  # 404
    "gone": Ending("gone"),  # 410
    "forbidden": Ending("forbidden", WALLS),  # 401, 402, 403, 407, 451
    "refused": Ending("failed", DOUBTS),  # any other 4xx
    "rate_limited": Ending("failed", PASSING),  # 429
    "server_error": Ending("failed", PASSING),  # 5xx
    "not_html": Ending("excluded"),
    "too_large": Ending("excluded"),
    "truncated": Ending("failed", PASSING),  # fewer bytes than were promised, or half a gzip stream
    "bad_response": Ending("failed", DOUBTS),  # no HTTP that can be understood
    "bad_encoding": Ending("failed", DOUBTS),  # a content encoding that cannot be undone
    "redirect_loop": Ending("failed", DOUBTS),
    "bad_redirect": Ending("excluded"),  # to no http(s) address, or to none at all
    # -- no answer
    "timeout": Ending("failed", PASSING),
    "dns": Ending("failed", PASSING),
    "connection": Ending("failed", PASSING),  # refused, reset, closed
    "tls": Ending("failed", WALLS),  # a certificate that does not hold
    "download_error": Ending("failed", PASSING),
    # -- not asked
    "blocked_address": Ending("excluded", (_DAY, _WEEK)),  # a captive portal or a broken resolver says so, too
    "unsupported_scheme": Ending("excluded"),
    "robots_forbidden": Ending("excluded", (_DAY, _WEEK, 30 * _DAY), endless=True),  # asks only the stored robots.txt
    "robots_unreachable": Ending("failed", PASSING, endless=True),
    "host_unavailable": Ending("failed", PASSING, endless=True),  # it asked for a longer pause than this run has
    "crawl_closing": Ending("queued", (timedelta(0),), endless=True),  # it was this run's turn, and there was none
    "source_disabled": Ending("queued", (timedelta(0),), endless=True),  # by a person, while the crawl ran
    "browser_missing": Ending("failed", DOUBTS),  # the seed wants rendering, and there is no browser
    "render_failed": Ending("failed", PASSING),
    "listing_url": Ending("excluded"),  # a sitemap names it, and its address says that it is no article
    "forgotten": Ending("excluded"),  # its publisher does not want it here (`scrapy forget`)
    "ignored": Ending("failed", DOUBTS),
}


def rest(outcome: str, attempts: int) -> timedelta | None:
    """How long to leave a URL alone that has now ended so `attempts` times in a row; None: for ever."""
    ending = OUTCOMES[outcome]
    if attempts <= len(ending.again):
        return ending.again[attempts - 1]
    return ending.again[-1] if ending.endless else None
