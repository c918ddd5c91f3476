"""What a page links to: each URL once, the next page of a listing, and the feeds that it announces."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.discovery.anchors import Anchor, Region, anchors
from crawler.discovery.homepage import lists_among
from crawler.discovery.pagination import next_page
from crawler.text import count_words, one_line
from crawler.urls import canonical_url

MAX_LINKS = 5_000  # different URLs
_RANK: dict[Region, int] = {"main": 4, "aside": 3, "header": 2, "nav": 1, "footer": 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """All anchors of a page that lead to one URL.

    `text` is what the best of them says: a headline rather than "read more". `region` is where it stands most like an
    article's link. `published` is the date beside it, as the page has it; `dated`: there is one, written out or not.
    """

    url: str
    text: str = ""
    region: Region = "main"
    heading: bool = False
    dated: bool = False
    published: str | None = None
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """What a page links to, in its order."""

    links: tuple[Link, ...] = ()
    next_page: str | None = None
    feeds: tuple[str, ...] = ()  # feeds and sitemaps that it announces


def outline(html: bytes, url: str) -> Outline:
    """The http(s) links of a page that was fetched at `url`, without those to itself. Raises nothing."""
    read = anchors(html)
    own = canonical_url(url) or url
    base = canonical_url(read.base, url) or own
    links: dict[str, Link] = {}
    for anchor in read.found:
        target = canonical_url(anchor.href, base)
        if target and target != own and (target in links or len(links) < MAX_LINKS):
            links[target] = _merged(links.get(target), _link(target, anchor))
    declared = [target for raw in read.next if (target := canonical_url(raw, base))]
    return Outline(
        links=tuple(links.values()),
        next_page=next_page(own, declared, ((link.url, link.text) for link in links.values())),
        feeds=tuple(lists_among(read.head, base)),
    )


def _link(url: str, anchor: Anchor) -> Link:
    return Link(
        url=url,
        text=one_line(anchor.says) or "",
        region=anchor.region,
        heading=anchor.heading,
        dated=anchor.dated,
        published=anchor.published,
    )


def _merged(had: Link | None, link: Link) -> Link:
    if had is None:
        return link
    better = max((had, link), key=lambda one: (one.heading, min(count_words(one.text), 30)))
    return Link(
        url=had.url,
        text=better.text,
        region=max((had.region, link.region), key=lambda region: _RANK[region]),
        heading=had.heading or link.heading,
        dated=had.dated or link.dated,
        published=had.published or link.published,
        count=had.count + 1,
    )


__all__ = ["MAX_LINKS", "Link", "Outline", "Region", "outline"]
