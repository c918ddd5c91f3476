"""What a source has to go on giving, and in which of it it fails: the reasons of `scrapy check-source`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from crawler.discovery import samples as sampling
from crawler.discovery.listed import Listed
from crawler.discovery.measures import measures
from crawler.discovery.samples import Leak, Sample
from crawler.discovery.survey import Missing, Offer

MIN_WORDS = 12  # a page without an article that has fewer has no body
MAX_SHOWN = 160  # characters of a block
WALLS = frozenset(("listing", "consent_wall", "bot_challenge", "soft_404"))  # page types that no article should have


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a check fails: a word, and a line for a person."""

    word: str
    text: str


def reasons(
    offers: Sequence[Offer], missing: Sequence[Missing], samples: Sequence[Sample], now: datetime
) -> list[Reason]:
    """All that is wrong with a source; empty when it gives what it should."""
    return [
        *_lists(offers, missing),
        *_news([one.listed for one in offers], now),
        *_fetches(samples),
        *_articles([one for one in samples if one.fetched]),
        *(_leak(leak, len(samples)) for leak in sampling.leaks(samples)),
    ]


# -- lists ----------------------------------------------------------------------------------------------------------


def _lists(offers: Sequence[Offer], missing: Sequence[Missing]) -> Iterator[Reason]:
    for lost in missing:
        told = lost.detail or lost.outcome
        yield Reason(word=lost.outcome, text=f"{lost.origin}: {lost.url} cannot be read: {told}")
    for one in offers:
        if not one.listed.total:
            yield Reason(word="empty_list", text=f"{one.origin}: {one.listed.url} lists nothing")
    if not offers and not missing:
        yield Reason(word="no_lists", text="it names no feed and no sitemap, and its home page announces none")


def _news(lists: Sequence[Listed], now: datetime) -> Iterator[Reason]:
    """Silence is measured by how often the source publishes, as its own lists tell.

    Where feeds and news sitemaps have no dates, those of an archive prove nothing.
    """
    news = [one for one in lists if one.kind in ("feed", "news sitemap")] or lists
    dates = sorted({at for one in news for at in one.dates}, reverse=True)
    if not dates:
        return
    pace, silence = usual_gap(dates), now - dates[0]
    if silence > longest_silence(pace):
        usual = f", though it published about every {_span(pace)}" if pace else ""
        text = f"no new URL for {_span(silence)}: the newest is of {dates[0]:%Y-%m-%d %H:%M}{usual}"
        yield Reason(word="no_new_urls", text=text)


def usual_gap(dates: Sequence[datetime]) -> timedelta | None:
    """The median time between two articles, of the newest hundred; None of one."""
    newest = dates[:100]
    gaps = [(one - other).total_seconds() for one, other in pairwise(newest)]
    return timedelta(seconds=median(gaps)) if gaps else None


def longest_silence(pace: timedelta | None) -> timedelta:
    """How long a source that publishes so often may be silent."""
    rules = measures().sampling
    least, most = timedelta(days=rules.quiet_days), timedelta(days=rules.quiet_most)
    return most if pace is None else min(max(pace * rules.quiet_gaps, least), most)


def _span(time: timedelta | None) -> str:
    seconds = time.total_seconds() if time else 0.0
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    return f"{seconds / 3_600:.0f} hours" if seconds >= 2 * 3_600 else f"{max(1, seconds / 60):.0f} minutes"


# -- articles -------------------------------------------------------------------------------------------------------


def _fetches(samples: Sequence[Sample]) -> Iterator[Reason]:
    lost = [one for one in samples if not one.fetched]
    if not samples:
        yield Reason(word="no_samples", text="no article address was found to try")
    elif len(lost) > measures().sampling.bad * len(samples):
        word = sampling.reasons(lost).most_common(1)[0][0]
        yield Reason(word=word, text=_counted(lost, samples, f"cannot be fetched ({word})"))


def _articles(samples: Sequence[Sample]) -> Iterator[Reason]:
    """A page counts for its type first: what a consent wall lacks is no news."""
    walls = [one for one in samples if one.page_type in WALLS]
    rest = [one for one in samples if one.page_type not in WALLS]
    if _too_many(walls, samples):
        word = sampling.reasons(walls).most_common(1)[0][0]
        yield Reason(word=word, text=_counted(walls, samples, f"are no articles ({word})"))
    tests: tuple[tuple[str, str, Callable[[Sample], bool]], ...] = (
        ("empty_bodies", "have no body", lambda one: not one.is_article and one.words < MIN_WORDS),
        ("missing_headlines", "have no headline", lambda one: not one.headline),
        ("missing_dates", "have no date", lambda one: one.published_at is None),
    )
    for word, words, lacks in tests:
        found = [one for one in rest if lacks(one)]
        if _too_many(found, rest):
            yield Reason(word=word, text=_counted(found, rest, words))
        if found and word == "empty_bodies":
            rest = [one for one in rest if one not in found]


def _too_many(found: Sequence[Sample], samples: Sequence[Sample]) -> bool:
    return bool(found) and len(found) > measures().sampling.bad * len(samples)


def _counted(found: Sequence[Sample], samples: Sequence[Sample], words: str) -> str:
    return f"{len(found)} of {len(samples)} articles {words}, such as {found[0].url}"


def _leak(leak: Leak, samples: int) -> Reason:
    text = leak.text if len(leak.text) <= MAX_SHOWN else f"{leak.text[: MAX_SHOWN - 1]}…"
    return Reason(word="template_leak", text=f"a block stands in {leak.articles} of {samples} articles: {text}")
