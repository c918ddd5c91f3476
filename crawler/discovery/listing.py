"""Home and section pages: which of their links are articles, and where to go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from crawler.dates import parse_instant
from crawler.discovery.links import Link, Verdict, classify, is_listing_url, outline
from crawler.discovery.pagination import page_number
from crawler.discovery.selection import Selection
from crawler.discovery.shapes import Shapes
from crawler.discovery.signs import is_own
from crawler.items import Candidate
from crawler.seed_types import compiled

if TYPE_CHECKING:
    from crawler.sources import Source

MAX_SECTIONS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a listing gives: articles in its order, other listings of the site best first, its own next page, and the
    feeds and sitemaps that it announces."""

    candidates: tuple[Candidate, ...] = ()
    sections: tuple[str, ...] = ()
    next_page: str | None = None
    feeds: tuple[str, ...] = ()


def parse_listing(body: bytes, *, url: str, source: Source, shapes: Shapes, now: datetime | None = None) -> Listing:
    """Read a home or section page that was fetched at `url`. What `articles` in the seed allows is an article and what
    it denies is none, whatever the link looks like. Raises nothing."""
    page = outline(body, url)
    selection = Selection(source, now)
    candidates: list[Candidate] = []
    sections: dict[str, float] = {}
    for link in page.links:
        verdict = judge(link, source, shapes)
        if verdict.kind == "article":
            candidate = _candidate(link, url, source.id, now)
            if selection.takes(candidate):
                candidates.append(candidate)
        elif verdict.kind == "listing" and link.url != page.next_page and _is_first_page(link.url):
            sections[link.url] = verdict.score
    return Listing(
        candidates=tuple(candidates),
        sections=tuple(sorted(sections, key=lambda section: -sections[section])[:MAX_SECTIONS]),
        next_page=page.next_page,
        feeds=page.feeds,
    )


def judge(link: Link, source: Source, shapes: Shapes) -> Verdict:
    """What a link is by the seed's rules, then by the classifier."""
    verdict = classify(link, shapes, source.homepage)
    if not source.wants(link.url):
        return verdict if verdict.kind == "listing" and not _is_denied(link.url, source) else _UNWANTED
    allowed = source.articles.allow and is_own(link.url, shapes, source.homepage)
    return Verdict("article", 1.0, "the seed allows it") if allowed else verdict


def may_be_article(candidate: Candidate, *, source: Source, shapes: Shapes) -> bool:
    """Whether a sitemap's entry is worth fetching: whatever a news sitemap or the seed says is an article, and all
    whose address does not clearly speak against it (`/about`, `/world`, `/tag/harbour`)."""
    if candidate.published_at or candidate.title or source.articles.allow:
        return True
    return not is_listing_url(candidate.url, shapes, source.homepage)


_UNWANTED = Verdict("other", 1.0, "the seed does not want it")


def _is_denied(url: str, source: Source) -> bool:
    return any(compiled(pattern).search(url) for pattern in source.articles.deny)


def _is_first_page(url: str) -> bool:
    number = page_number(url)
    return number is None or number.number <= 1


def _candidate(link: Link, url: str, source: str, now: datetime | None) -> Candidate:
    found = parse_instant(link.published, now=now)
    return Candidate(
        url=link.url,
        source=source,
        found_in="listing",
        found_at=url,
        title=link.text or None,
        published_at=found.at if found else None,
    )
