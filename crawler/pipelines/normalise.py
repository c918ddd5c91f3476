"""One shape for every article: clean text, UTC instants within reason, canonical addresses, language tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from crawler.items import Article, Extraction, Image, Page, Record
from crawler.languages import language_tag
from crawler.text import json_safe, one_line
from crawler.urls import canonical_url, host_of, same_site

AHEAD = timedelta(days=1)  # an article dated later than this after its fetch has a wrong date
BEFORE_THE_WEB = datetime(1990, 8, 6, tzinfo=UTC)  # nothing was published on the web before; archives say so in words
AFTER_FEED = timedelta(days=2)  # a page that claims to be this much newer than its feed's entry dates its template


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
    published, trusted = published_at(page, extraction, evidence)
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
        published_zone_assumed=extraction.published_zone_assumed and trusted,
        modified_at=modified_at(extraction.modified_at, page.fetched_at, published, evidence),
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


def published_at(page: Page, extraction: Extraction, evidence: dict[str, str]) -> tuple[datetime | None, bool]:
    """The page's date within reason, else the feed's, and whether it is the page's; `published_raw` always is."""
    claimed = bounded(extraction.published_at, page.fetched_at, "published_at", evidence)
    hint = page.candidate.published_at if page.candidate else None
    hint = bounded(hint, page.fetched_at, "published_at", {}) if hint else None
    if claimed and hint and claimed - hint > AFTER_FEED:
        evidence["published_at"] = f"feed (refused:later-than-feed {evidence.get('published_at', '')})".replace(
            " )", ")"
        )
        return hint, False
    if claimed or hint is None:
        return claimed, True
    refused = evidence.get("published_at", "")
    evidence["published_at"] = f"feed ({refused})" if refused.startswith("refused") else "feed"
    return hint, False


def modified_at(
    at: datetime | None, fetched_at: datetime, published: datetime | None, evidence: dict[str, str]
) -> datetime | None:
    """Within reason, and not before the article was published."""
    modified = bounded(at, fetched_at, "modified_at", evidence)
    if modified and published and modified < published:
        evidence["modified_at"] = "refused:before-published"
        return None
    return modified


def bounded(at: datetime | None, fetched_at: datetime, field: str, evidence: dict[str, str]) -> datetime | None:
    """UTC, or None for what lies after the fetch or before the web; the refusal is noted as evidence."""
    if at is None:
        return None
    if at > fetched_at + AHEAD:
        evidence[field] = "refused:later-than-fetch"
        return None
    if at < BEFORE_THE_WEB:
        evidence[field] = "refused:before-the-web"
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
