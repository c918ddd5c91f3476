"""A fetched document as what it lists: a feed, a sitemap, an index of sitemaps, a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import py3langid

from crawler.discovery.channel import Channel, channel
from crawler.discovery.links import is_listing_url
from crawler.discovery.listing import Listing, parse_listing
from crawler.discovery.measures import measures
from crawler.discovery.shapes import Shapes
from crawler.discovery.sitemap import SubSitemap, parse_sitemap
from crawler.items import Candidate
from crawler.languages import language_tag
from crawler.urls import same_site

if TYPE_CHECKING:
    from crawler.sources import Source

MAX_TITLES = 50
MIN_TITLES = 300  # characters of titles that tell a language

Kind = Literal["feed", "news sitemap", "sitemap", "index", "section"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What one address lists. `entries`: the newest of `total`."""

    url: str
    kind: Kind
    total: int
    entries: tuple[Candidate, ...] = ()
    children: tuple[SubSitemap, ...] = ()
    channel: Channel = field(default_factory=Channel)
    title_language: str | None = None  # as its entries' titles read: what lists claim is often their software's default

    @property
    def dates(self) -> list[datetime]:
        """Of its entries, newest first."""
        return sorted(filter(None, map(instant, self.entries)), reverse=True)

    def share(self, number: int) -> float:
        """Of the entries that were kept."""
        return number / len(self.entries) if self.entries else 0.0

    def own(self, homepage: str) -> float:
        """Share of entries that are on the home page's site."""
        return self.share(sum(same_site(one.url, homepage) for one in self.entries))

    def articles(self, shapes: Shapes, homepage: str) -> float:
        """Share of entries whose address may be an article's."""
        return self.share(sum(not is_listing_url(one.url, shapes, homepage) for one in self.entries))

    def new(self, now: datetime, days: int) -> int:
        """Entries of the last so many days."""
        return sum(at > now - timedelta(days=days) for at in self.dates)


def read(body: bytes, url: str, source: Source, now: datetime) -> Listed:
    """A feed, sitemap or index. Raises FeedError for anything else."""
    entries: list[Candidate] = []
    children: list[SubSitemap] = []
    for one in parse_sitemap(body, url=url, source=source, now=now):
        if isinstance(one, SubSitemap):
            children.append(one)
        else:
            entries.append(one)
    said = channel(body, url)
    kind = _kind(entries, children)
    return Listed(
        url=url,
        kind=kind,
        total=len(children) if kind == "index" else len(entries),
        entries=_newest(entries),
        children=tuple(children),
        channel=said,
        title_language=_language(" . ".join(filter(None, (one.title for one in entries[:MAX_TITLES])))),
    )


def instant(candidate: Candidate) -> datetime | None:
    """When it was published, as far as its list says; else when it was changed."""
    return candidate.published_at or candidate.modified_at


def taught(lists: Iterable[Listed]) -> Shapes:
    """What articles' addresses look like, as the feeds and news sitemaps of a site have them."""
    told = (one for one in lists if one.kind in ("feed", "news sitemap"))
    return Shapes.of({entry.url for one in told for entry in one.entries})


def section(body: bytes, url: str, source: Source, shapes: Shapes, now: datetime) -> tuple[Listed, Listing]:
    """A home or section page as a list of its articles, and all that it gives."""
    found = parse_listing(body, url=url, source=source, shapes=shapes, now=now)
    return Listed(url=url, kind="section", total=len(found.candidates), entries=found.candidates), found


def _kind(entries: Sequence[Candidate], children: Sequence[SubSitemap]) -> Kind:
    if children:
        return "index"
    if entries and entries[0].found_in == "sitemap":
        titled = sum(one.title is not None and one.published_at is not None for one in entries)
        return "news sitemap" if titled >= measures().judging.dated * len(entries) else "sitemap"
    return "feed"


def _newest(entries: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The newest by their dates; without dates, as they come."""
    limit = measures().bounds.entries
    if len(entries) <= limit:
        return tuple(entries)
    order = sorted(
        range(len(entries)), key=lambda n: at.timestamp() if (at := instant(entries[n])) else 0, reverse=True
    )
    return tuple(entries[n] for n in order[:limit])


def _language(titles: str) -> str | None:
    return language_tag(py3langid.classify(titles)[0]) if len(titles) >= MIN_TITLES else None
