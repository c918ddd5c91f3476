"""Sitemaps, news sitemaps and sitemap indexes: XML read as a stream, or one URL a line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from crawler.dates import parse_instant
from crawler.discovery.document import excerpt, root_of, text_chunks
from crawler.discovery.feed import candidates_from_feed
from crawler.discovery.selection import Selection
from crawler.errors import FeedError
from crawler.items import Candidate
from crawler.text import one_line
from crawler.urls import MAX_LENGTH as URL_LENGTH
from crawler.urls import canonical_url

if TYPE_CHECKING:
    from crawler.sources import Source

MAX_URLS = 50_000  # sitemaps.org
MAX_BYTES = 50 * 1024 * 1024  # likewise, unpacked


@dataclass(frozen=True, kw_only=True, slots=True)
class SubSitemap:
    """A sitemap that an index names."""

    url: str
    modified_at: datetime | None = None


def parse_sitemap(
    body: bytes, *, url: str, source: Source, now: datetime | None = None, max_bytes: int = MAX_BYTES
) -> Iterator[Candidate | SubSitemap]:
    """What a sitemap lists, in its order, as far as it can be read; a feed in a sitemap's place is read as a feed.

    `url` is where it was fetched. Raises FeedError, at once, if `body` is neither.
    """
    chunks = text_chunks(body, max_bytes)
    head = next(chunks).lstrip("\ufeff \t\r\n")
    root = root_of(head)
    if head.startswith("{"):
        root = ("feed", 0)  # JSON, whatever markup its strings hold
    if root and root[0] in ("urlset", "sitemapindex"):
        return _results(_xml_entries(chain([head[root[1] :]], chunks)), url, source, now)
    if root is None and canonical_url(head.partition("\n")[0]):
        return _results(_lines(chain([head], chunks)), url, source, now)
    if root and root[0] != "html":
        return iter(candidates_from_feed(body, url=url, source=source, now=now))
    what = "an HTML page" if root else "an empty answer" if not head else excerpt(head)
    raise FeedError(f"{url}: {what} instead of a sitemap")


@dataclass(slots=True)
class _Entry:
    """One <url> or <sitemap> while it is read."""

    is_index: bool = False
    loc: str | None = None
    lastmod: str | None = None
    title: str | None = None
    publication_date: str | None = None


def _results(
    entries: Iterable[_Entry], url: str, source: Source, now: datetime | None
) -> Iterator[Candidate | SubSitemap]:
    selection = Selection(source, now)
    for entry in islice(entries, MAX_URLS):
        loc = canonical_url(_unescaped(entry.loc or ""), url)
        if loc is None:
            continue
        if entry.is_index:
            yield SubSitemap(url=loc, modified_at=_instant(entry.lastmod, now))
            continue
        candidate = _candidate(entry, loc, url, source.id, now)
        if selection.takes(candidate):
            yield candidate


def _candidate(entry: _Entry, loc: str, url: str, source: str, now: datetime | None) -> Candidate:
    return Candidate(
        url=loc,
        source=source,
        found_in="sitemap",
        found_at=url,
        title=one_line(html.unescape(html.unescape(entry.title or ""))),
        published_at=_instant(entry.publication_date, now),
        modified_at=_instant(entry.lastmod, now),
    )


def _instant(raw: str | None, now: datetime | None) -> datetime | None:
    found = parse_instant(raw, now=now)
    return found.at if found else None


# --- one URL a line ------------------------------------------------------------------------------------------------


def _lines(chunks: Iterable[str]) -> Iterator[_Entry]:
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from (_Entry(loc=line) for line in lines if _is_absolute(line))
        rest = rest[: 2 * URL_LENGTH]  # a file without line breaks is no list of URLs
    if _is_absolute(rest):
        yield _Entry(loc=rest)


def _is_absolute(line: str) -> bool:
    return line.lstrip()[:8].lower().startswith(("http://", "https://"))


# --- XML -----------------------------------------------------------------------------------------------------------

# (parent, element) -> field: <image:loc> has another parent than <loc>, whatever the prefixes say.
_FIELDS = {
    ("url", "loc"): "loc",
    ("url", "lastmod"): "lastmod",
    ("sitemap", "loc"): "loc",
    ("sitemap", "lastmod"): "lastmod",
    ("news", "title"): "title",
    ("news", "publication_date"): "publication_date",
}
# libxml2 drops references once it has met an error, and cannot know those of HTML: it gets to see none, and what it
# returns is unescaped here. Stands for `&`; a noncharacter, so no text uses it.
_AMPERSAND = "\ufdd0"
_REFERENCE = re.compile(r"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_MAX_TEXT = 10_000


class _Target:
    """Takes the parser's events, so that no tree is built, and collects finished entries."""

    def __init__(self) -> None:
        self.done: list[_Entry] = []
        self._path: list[str] = []
        self._entry: _Entry | None = None
        self._text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self._path.append(name)
        if name in ("url", "sitemap"):
            self._finish()  # an entry that was never closed
            self._entry = _Entry(is_index=name == "sitemap")
        self._text = [] if tuple(self._path[-2:]) in _FIELDS else None

    def data(self, text: str) -> None:
        if self._text is not None and len(self._text) < _MAX_TEXT:
            self._text.append(text[:_MAX_TEXT])

    def end(self, tag: str) -> None:
        field = _FIELDS.get((self._path[-2], self._path[-1])) if len(self._path) > 1 else None
        if field and self._entry and self._text is not None and getattr(self._entry, field) is None:
            setattr(self._entry, field, "".join(self._text)[:_MAX_TEXT].replace(_AMPERSAND, "&").strip())
        self._text = None
        if self._path and self._path.pop() in ("url", "sitemap"):
            self._finish()

    def close(self) -> None:
        """What is open now was cut off: its URL may be half a URL."""

    def _finish(self) -> None:
        if self._entry and self._entry.loc:
            self.done.append(self._entry)
        self._entry = None


def _xml_entries(chunks: Iterable[str]) -> Iterator[_Entry]:
    target = _Target()
    parser = etree.XMLParser(
        target=cast("Any", target),
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
    )
    for chunk in chunks:
        try:
            parser.feed(chunk.replace("&", _AMPERSAND).encode())
        except etree.XMLSyntaxError:  # beyond recovery: what came before counts
            break
        yield from target.done
        target.done.clear()
    yield from target.done


def _unescaped(loc: str) -> str:
    """Only what has its semicolon: `&copy=3` is a parameter. Twice, since escaping twice is a common mistake."""
    for _ in range(2):
        loc = _REFERENCE.sub(lambda match: html.unescape(match[0]), loc)
    return loc


def _local(tag: str) -> str:
    """The name without namespace, and without a prefix that was never declared."""
    return re.split("[}:]", tag)[-1]
