"""Sample articles of a source: which to fetch, and what they tell of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest

from crawler.discovery.links import is_listing_url
from crawler.discovery.listed import Listed, instant, taught
from crawler.discovery.measures import measures
from crawler.discovery.shapes import Shapes
from crawler.items import Candidate, Record
from crawler.recurrence import Witness, block_key, unrelated
from crawler.text import count_words
from crawler.urls import same_site

ARTICLE = "article"  # the verdict on a sample that is one
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One fetched page. `verdict` is ARTICLE or the word for why it is none; `detail` what a person is told of it."""

    url: str
    found_at: str | None
    verdict: str
    detail: str = ""
    fetched: bool = True
    headline: str | None = None
    published_at: datetime | None = None
    dated_by: str | None = None  # evidence of `published_at`; "feed" when the page itself has no date
    authors: int = 0
    kept: tuple[str, ...] = ()  # texts of the body's blocks
    language: str | None = None
    text_language: str | None = None
    site_name: str | None = None
    page_type: str | None = None
    access: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> blocks

    @property
    def words(self) -> int:
        return sum(map(count_words, self.kept))

    @property
    def is_article(self) -> bool:
        return self.verdict == ARTICLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """A block of the template that stands in the text of several articles."""

    text: str
    articles: int


def sample_of(record: Record, text_language: str | None) -> Sample:
    """What the pipelines made of a page; `text_language` is what its text reads as."""
    seen, page, hints = record.extraction, record.page, record.page.candidate
    found_at = hints.found_at if hints else None
    if seen is None:
        verdict = record.rejected or "extraction_failed"
        return Sample(url=page.url, found_at=found_at, verdict=verdict, detail=record.rejected_detail or "")
    article = record.article
    by_feed = article is not None and article.evidence.get("published_at", "").startswith("feed")
    return Sample(
        url=page.url,
        found_at=found_at,
        verdict=ARTICLE if article else record.rejected or "not_an_article",
        headline=article.headline if article else seen.headline,
        published_at=article.published_at if article and by_feed else seen.published_at,
        dated_by="feed" if by_feed else seen.evidence.get("published_at"),
        authors=len(seen.authors),
        kept=tuple(block.text for block in seen.blocks if block.kept),
        language=seen.language,
        text_language=text_language,
        site_name=seen.site_name,
        page_type=seen.page_type,
        access=seen.access,
        dropped=dict(Counter(block.reason or "unknown" for block in seen.dropped)),
    )


def unfetched(candidate: Candidate, outcome: str, detail: str) -> Sample:
    """A sample that could not be had."""
    return Sample(url=candidate.url, found_at=candidate.found_at, verdict=outcome, detail=detail, fetched=False)


def choose(lists: Sequence[Listed], homepage: str, number: int) -> list[Candidate]:
    """Addresses spread over the lists: of each the newest in turn, and for every third its oldest."""
    shapes = taught(lists)
    queues = [_spread(_wanted(one, homepage, shapes)) for one in lists]
    chosen: dict[str, Candidate] = {}
    for turn in zip_longest(*queues):
        for candidate in turn:
            if candidate is not None:
                chosen.setdefault(candidate.url, candidate)
    return list(chosen.values())[:number]


def _wanted(listed: Listed, homepage: str, shapes: Shapes) -> list[Candidate]:
    """Newest first."""
    fit = [one for one in listed.entries if same_site(one.url, homepage)]
    fit = [one for one in fit if not is_listing_url(one.url, shapes, homepage)] or fit
    return sorted(fit, key=lambda one: instant(one) or _EVER, reverse=True)


def _spread(candidates: Sequence[Candidate]) -> list[Candidate]:
    middle = (len(candidates) + 1) // 2
    newer, older = list(candidates[:middle]), list(candidates[middle:][::-1])
    found = []
    while newer or older:
        found += newer[:2] + older[:1]
        newer, older = newer[2:], older[1:]
    return found


def score(samples: Sequence[Sample]) -> float:
    """0 to 1: articles with headline, date and author count fully, one without loses a fifth for each."""
    if not samples:
        return 0.0
    parts = (
        0.4 + 0.2 * sum(map(bool, (one.headline, one.published_at, one.authors))) for one in samples if one.is_article
    )
    return round(sum(parts) / len(samples), 2)


def reasons(samples: Iterable[Sample]) -> Counter[str]:
    """Why samples are no articles."""
    return Counter(one.verdict for one in samples if not one.is_article)


def leaks(samples: Iterable[Sample]) -> list[Leak]:
    """Blocks kept in so many articles on different stories that they are the template's, the most frequent first."""
    holders: dict[str, list[Witness]] = {}
    texts: dict[str, str] = {}
    for sample in samples:
        if not sample.is_article:
            continue
        witness = Witness.of(sample.headline, sample.kept)
        for text in witness.blocks.values():
            texts.setdefault(block_key(text), text)
        for key in witness.blocks:
            holders.setdefault(key, []).append(witness)
    needed = measures().sampling.witnesses
    found = [Leak(text=texts[key], articles=len(those)) for key, those in holders.items() if unrelated(those, needed)]
    return sorted(found, key=lambda leak: -leak.articles)
