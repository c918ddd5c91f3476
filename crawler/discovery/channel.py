"""What a feed or sitemap says of itself, beside its entries: title, language, whose it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.discovery.document import CHUNK, root_of, text_chunks
from crawler.discovery.feed import MAX_BYTES, parsed_xml
from crawler.errors import FeedError
from crawler.languages import language_tag
from crawler.text import one_line
from crawler.urls import canonical_url

_NEWS = {name: re.compile(rf"<(?:[\w.-]{{1,40}}:)?{name}>([^<]{{1,200}})<") for name in ("name", "language")}
_RECORDING = ("audio/", "video/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """`recordings` and `comments`: shares of entries with sound or film, and of those that are readers' comments."""

    title: str | None = None
    language: str | None = None
    homepage: str | None = None
    recordings: float = 0.0
    comments: float = 0.0


def channel(body: bytes, url: str) -> Channel:
    """Of a feed or news sitemap; empty for what says nothing of itself. Raises nothing."""
    head = next(text_chunks(body, CHUNK)).lstrip("\ufeff \t\r\n")
    if head.startswith("{"):
        return _json(body, url)
    root = root_of(head)
    if root and root[0] == "urlset":
        named = {name: one_line(match[1]) for name, pattern in _NEWS.items() if (match := pattern.search(head))}
        return Channel(title=named.get("name"), language=language_tag(named.get("language")))
    return _xml("".join(text_chunks(body, MAX_BYTES)), url) if root else Channel()


def _xml(text: str, url: str) -> Channel:
    try:
        parsed = parsed_xml(text.strip(), url)
    except FeedError:
        return Channel()
    feed, entries = parsed.feed, parsed.entries
    return Channel(
        title=one_line(_text(feed, "title")),
        language=language_tag(_text(feed, "language")),
        homepage=canonical_url(_text(feed, "link"), url),
        recordings=_share(entries, _is_recording),
        comments=_share(entries, lambda entry: "#comment" in (_text(entry, "link") or "")),
    )


def _json(body: bytes, url: str) -> Channel:
    try:
        feed = json.loads("".join(text_chunks(body, MAX_BYTES)))
    except (ValueError, RecursionError):
        return Channel()
    return Channel(
        title=one_line(_text(feed, "title")),
        language=language_tag(_text(feed, "language")),
        homepage=canonical_url(_text(feed, "home_page_url"), url),
    )


def _is_recording(entry: Mapping[str, Any]) -> bool:
    return any(str(one.get("type", "")).startswith(_RECORDING) for one in entry.get("enclosures", ()))


def _share(entries: Sequence[Any], has: Any) -> float:
    return sum(map(has, entries)) / len(entries) if entries else 0.0


def _text(holder: Any, name: str) -> str | None:
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, str) else None
