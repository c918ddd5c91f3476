"""Whether a source has ever worked: that needs no past.

A source that was added a minute ago, or that is away while it is first crawled, is no trouble yet; one of which nothing
is stored after that will not mend itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crawler.health.model import Day, Finding, Present
from crawler.health.past import LEAST_ROW, words_of
from crawler.health.rhythm import LEAST_DAYS, observed
from crawler.health.wording import counted, listed, span

TRIED = ((3, timedelta(minutes=50)), (2, timedelta(hours=20)))  # crawls and time: either will do
QUIET = timedelta(days=4)  # a news sitemap names what is two days old at most, and there are long weekends
LINKED = frozenset(("homepage", "section"))  # which link to articles at any time; a feed may be empty
NAMED = 2  # lists that a sentence names


def never_worked(past: Sequence[Day], present: Present, now: datetime) -> Finding | None:
    """What is told of a source of which nothing was ever stored."""
    days = observed([*past, present.today])
    crawls = sum(day.crawls for day in days)
    if present.has_articles or present.retired or present.begun_at is None or any(day.articles for day in days):
        return None
    time = now - present.begun_at
    if not any(crawls >= least and time >= shortest for least, shortest in TRIED):
        return None
    why = _why(days, present, patient=time < QUIET)
    if why is None:
        return None
    sentence = f"nothing was ever stored, in {counted(crawls, 'crawl')} and {span(time)}: {why}"
    return Finding(kind="never_worked", severity="fail", sentence=sentence, since=present.begun_at)


def so_far(past: Sequence[Day], present: Present) -> str:
    """What is known of a source that is being learned."""
    days = observed([*past, present.today])
    articles, crawls = sum(day.articles for day in days), sum(day.crawls for day in days)
    lists, pages = (words_of(days, lambda _: True, lists=lists) for lists in (True, False))
    said = [
        f"learning: {min(LEAST_DAYS, len(observed(past)))} of {LEAST_DAYS} days",
        f"{counted(articles, 'article')} in {counted(crawls, 'crawl')}",
        f"its lists: {listed(lists) or 'none was asked for'}",
        f"its pages: {listed(pages) or 'none was asked for'}",
    ]
    return "; ".join(said)


def _why(days: Sequence[Day], present: Present, *, patient: bool) -> str | None:
    """Why there is nothing; None: it may be chance, or nothing may have been published yet."""
    bad = sum(day.rejected + day.failed for day in days)
    pages = words_of(days, lambda _: True)
    if bad >= LEAST_ROW or (bad and not patient):
        return f"no page of {bad} became an article ({listed(pages)})"
    if present.listings and all(one.failures for one in present.listings):
        return f"none of its lists can be read ({_named(present)})"
    empty = bool(present.listings) and not any(one.entries for one in present.listings)
    if empty and (not patient or all(one.failures or one.kind in LINKED for one in present.listings)):
        return f"its lists name no article ({_named(present)})"
    if patient:
        return None
    return f"its pages ended as {listed(pages)}" if pages else "what its lists name was never asked for"


def _named(present: Present) -> str:
    """Which of its lists answered what."""
    said = [f"{one.kind} {one.url}: {one.outcome}" for one in present.listings[:NAMED]]
    rest = len(present.listings) - NAMED
    return "; ".join(said) + (f"; and {rest} more" if rest > 0 else "")
