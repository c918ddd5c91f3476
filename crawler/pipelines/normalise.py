"""One shape for every article: clean text, UTC instants within reason, canonical addresses, language tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from crawler.items import Article, Extraction, Image, Page, Record
from crawler.languages import language_tag
from crawler.text import json_safe, one_line
from crawler.urls import canonical_url, host_of, same_site

AHEAD = timedelta(days=1)  # an article dated later than this after its fetch has a wrong date


class NormalisePipeline:
    """Fills `Record.article` from `Record.extraction`."""

    def process_item(self, record: Record) -> Record:
        if record.extraction is not None:
            record.article = article_of(record.page, record.extraction)
        return record


def article_of(page: Page, extraction: Extraction) -> Article:
    """The normalised record of an extraction. Hints of the feed fill what the page does not say."""
    evidence = dict(extraction.evidence)
    hints = page.candidate
    headline = one_line(extraction.headline)
    if headline is None and hints and hints.title:
        headline, evidence["headline"] = one_line(hints.title), "feed"
    published = bounded(extraction.published_at, page.fetched_at, "published_at", evidence)
    if published is None and hints and hints.published_at:
        published = bounded(hints.published_at, page.fetched_at, "published_at", evidence)
        if published:
            evidence["published_at"] = "feed"
    url = canonical_url(page.url) or page.url
    return Article(
        source=page.source,
        url=url,
        canonical_url=trusted_canonical(url, extraction.canonical_url),
        headline=headline,
        body=extraction.body,  # its blocks are clean already: segment() made each of them by one_line()
        authors=_texts(extraction.authors),
        published_at=published,
        published_raw=one_line(extraction.published_raw),
        published_zone_assumed=extraction.published_zone_assumed,
        modified_at=bounded(extraction.modified_at, page.fetched_at, "modified_at", evidence),
        modified_raw=one_line(extraction.modified_raw),
        language=language_tag(extraction.language),
        section=one_line(extraction.section),
        tags=_texts(extraction.tags),
        description=one_line(extraction.description),
        images=tuple(map(_image, extraction.images)),
        is_accessible_for_free=extraction.is_accessible_for_free,
        page_type=extraction.page_type,
        page_type_confidence=extraction.page_type_confidence,
        access=extraction.access,
        confidence=extraction.confidence,
        posts=extraction.posts,
        blocks=extraction.blocks,
        evidence=json_safe(evidence),
    )


def bounded(at: datetime | None, fetched_at: datetime, field: str, evidence: dict[str, str]) -> datetime | None:
    """UTC, or None for what lies after the fetch; the refusal is noted as evidence."""
    if at is None:
        return None
    if at > fetched_at + AHEAD:
        evidence[field] = "refused:later-than-fetch"
        return None
    return at.astimezone(UTC)


def trusted_canonical(url: str, claimed: str | None) -> str:
    """The page's own claim if it stays on the site and leads to an article's address, else the URL itself."""
    claim = canonical_url(claimed) if claimed else None
    if not claim or not same_site(claim, url) or not urlsplit(claim).path.strip("/") or not host_of(claim):
        return url
    return claim


def _texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in map(one_line, values) if text))


def _image(image: Image) -> Image:
    return Image(
        url=one_line(image.url) or "",
        caption=one_line(image.caption),
        credit=one_line(image.credit),
        alt=one_line(image.alt),
    )
