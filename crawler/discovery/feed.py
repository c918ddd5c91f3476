"""RSS, Atom and JSON Feed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import feedparser

from crawler.dates import parse_instant
from crawler.discovery.document import excerpt, root_of, text_chunks
from crawler.discovery.selection import Selection
from crawler.errors import FeedError
from crawler.items import Candidate
from crawler.text import one_line
from crawler.urls import canonical_url

if TYPE_CHECKING:
    from crawler.sources import Source

MAX_ENTRIES = 10_000
MAX_BYTES = 10 * 1024 * 1024
MAX_TAGS = 400_000  # feedparser needs up to 30 µs for one
_CHARACTER = re.compile(r"&#([0-9]+|[xX][0-9a-fA-F]+);?")
_FEED_ROOTS = frozenset({"rss", "rdf", "feed", "channel"})


def candidates_from_feed(
    body: bytes, *, url: str, source: Source, now: datetime | None = None, max_bytes: int = MAX_BYTES
) -> list[Candidate]:
    """The entries of a feed in its order; those of a broken one as far as they can be read.

    `url` is where it was fetched. Raises FeedError if `body` is no feed.
    """
    text = "".join(text_chunks(body, max_bytes)).strip()
    if not text:
        raise FeedError(f"{url}: an empty answer instead of a feed")
    entries = _json_entries(text, url) if text[0] in "{[" else _xml_entries(text, url)
    candidates = (_candidate(entry, url, source, now) for entry in islice(entries, MAX_ENTRIES))
    selection = Selection(source, now)
    return [candidate for candidate in candidates if candidate and selection.takes(candidate)]


# Both kinds become the same plain dict: link, guid, title, published, updated, as strings or None.
_Entry = dict[str, str | None]


def _candidate(entry: _Entry, url: str, source: Source, now: datetime | None) -> Candidate | None:
    link = canonical_url(entry["link"], url)
    if link is None:
        return None
    return Candidate(
        url=link,
        source=source.id,
        found_in="feed",
        found_at=url,
        title=one_line(html.unescape(entry["title"] or "")),
        published_at=_instant(entry["published"], now),
        modified_at=_instant(entry["updated"], now),
        guid=one_line(entry["guid"]),
    )


def _instant(raw: str | None, now: datetime | None) -> datetime | None:
    found = parse_instant(raw, now=now)
    return found.at if found else None


# --- RSS and Atom --------------------------------------------------------------------------------------------------


def _xml_entries(text: str, url: str) -> Iterator[_Entry]:
    parsed = parsed_xml(text, url)
    is_atom = parsed.get("version", "").startswith("atom")
    return (_xml_entry(entry, is_atom) for entry in parsed.entries)


def parsed_xml(text: str, url: str) -> Any:
    """feedparser's reading of an RSS or Atom feed. Raises FeedError."""
    root = root_of(text)
    if root is None or root[0] not in _FEED_ROOTS:
        what = "an HTML page" if root and root[0] == "html" else excerpt(text)
        raise FeedError(f"{url}: {what} instead of a feed")
    return _parsed(_bounded(text[root[1] :]), url)


def _parsed(xml: str, url: str) -> Any:
    try:
        return feedparser.parse(
            _CHARACTER.sub(_possible, xml).encode(),  # bytes: it would take a string for an address or a file's name
            response_headers={"content-type": "application/xml; charset=utf-8"},  # no base: it would resolve guids, too
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:  # its loose parser raises what its own bugs are, so there is no list
        raise FeedError(f"{url}: a feed that cannot be read ({type(error).__name__})") from error


def _possible(match: re.Match[str]) -> str:
    """A reference to a surrogate or beyond Unicode makes feedparser give up the whole feed."""
    number = match[1][:9]
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else match[0]


def _bounded(text: str) -> str:
    surplus = next(islice(re.finditer("<", text), MAX_TAGS, None), None)
    return text[: surplus.start()] if surplus else text


def _xml_entry(entry: dict[str, Any], is_atom: bool) -> _Entry:
    # dict.get, since the entry's own `get` answers for `updated` with `published` and a warning.
    published, updated = _string(dict.get(entry, "published")), _string(dict.get(entry, "updated"))
    if not is_atom:
        published = published or updated  # dc:date
    guid = _string(dict.get(entry, "id"))
    link = _string(dict.get(entry, "feedburner_origlink")) or _string(dict.get(entry, "link"))
    if link == guid:  # by default any guid claims to be a link
        link = None
    return {
        "link": link or _permalink(guid),
        "guid": guid,
        "title": _string(dict.get(entry, "title")),
        "published": published,
        "updated": updated,
    }


def _permalink(guid: str | None) -> str | None:
    return guid if guid and guid.startswith(("http://", "https://")) else None


# --- JSON Feed -----------------------------------------------------------------------------------------------------


def _json_entries(text: str, url: str) -> Iterator[_Entry]:
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError):
        raise FeedError(f"{url}: {excerpt(text)} instead of a feed") from None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org/version" not in str(feed.get("version")):
        raise FeedError(f"{url}: JSON that is no JSON Feed")
    return (_json_entry(item) for item in items if isinstance(item, dict))


def _json_entry(item: dict[str, Any]) -> _Entry:
    guid = _string(item.get("id"))
    return {
        "link": _string(item.get("url")) or _permalink(guid),
        "guid": guid,
        "title": _string(item.get("title")),
        "published": _string(item.get("date_published")),
        "updated": _string(item.get("date_modified")),
    }


def _string(value: Any) -> str | None:
    """Numbers as ids happen; anything else is no string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None
