"""The schema.org records in a page, read leniently: publishers break JSON in every way there is."""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from lxml.etree import _Element as Element

Node = dict[str, Any]
ARTICLE_TYPES = frozenset((
    "NewsArticle", "Article", "ReportageNewsArticle", "AnalysisNewsArticle", "OpinionNewsArticle",
    "ReviewNewsArticle", "BackgroundNewsArticle", "AskPublicNewsArticle", "LiveBlogPosting", "BlogPosting",
    "SocialMediaPosting", "TechArticle", "ScholarlyArticle", "Report", "AdvertiserContentArticle", "SatiricalArticle",
    "MedicalScholarlyArticle", "Review",
))  # fmt: skip
MEDIA_TYPES = frozenset(("VideoObject", "ImageGallery", "MediaGallery", "PodcastEpisode", "AudioObject"))
MAX_NODES = 2_000  # a page with more is a catalogue; what comes later is not its article
MAX_SEEN = 50_000  # values looked at on the way to them
MAX_DEPTH = 20  # of values inside values that still say one thing
_OPENINGS, _CLOSINGS = ("//", "<![CDATA[", "<!--"), ("]]>", "-->", "//")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_CONTROL = re.compile(r"[\x00-\x1f]+")


def nodes(tree: Element) -> list[Node]:
    """Every object of every JSON-LD script, outer ones first."""
    found: list[Node] = []
    for script in tree.iterfind(".//script[@type]"):
        if "ld+json" in (script.get("type") or "").lower() and script.text:
            found += itertools.islice(_flat(_loads(script.text)), MAX_NODES)
            if len(found) >= MAX_NODES:
                break
    return found[:MAX_NODES]


def _loads(text: str) -> Any:
    """The JSON in a script, mended step by step: each mending reads a text of up to megabytes once more."""
    for mend in (str, _unwrapped, _uncomma):
        try:
            return json.loads(mend(text), strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _unwrapped(text: str) -> str:
    text = text.strip()
    for opening in _OPENINGS:
        text = text.removeprefix(opening).lstrip()
    text = text.rstrip(";").rstrip()
    for closing in _CLOSINGS:
        text = text.removesuffix(closing).rstrip()
    return text.rstrip(";")


def _uncomma(text: str) -> str:
    return _CONTROL.sub(" ", _TRAILING_COMMA.sub(r"\1", _unwrapped(text)))


def _flat(value: Any) -> Iterator[Node]:
    waiting: deque[Any] = deque([value])
    for _ in range(MAX_SEEN):
        if not waiting:
            return
        current = waiting.popleft()
        if isinstance(current, list):
            waiting.extendleft(one for one in reversed(current) if isinstance(one, (dict, list)))
        elif isinstance(current, dict):
            yield current
            for key in ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item"):
                if isinstance(current.get(key), (dict, list)):
                    waiting.append(current[key])


def types(node: Node) -> set[str]:
    named = node.get("@type")
    names = named if isinstance(named, list) else [named]
    return {name.rpartition("/")[2] for name in names if name and isinstance(name, str)}


def article(found: list[Node], url: str | None) -> Node:
    """The record of the page's own article: one that names the page's URL, else the one that says most."""
    articles = [node for node in found if types(node) & ARTICLE_TYPES]
    if not articles:
        # A page whose one record is a video's or a gallery's is that video's page.
        media = [node for node in found if types(node) & MEDIA_TYPES]
        return media[0] if len(media) == 1 else {}

    def worth(node: Node) -> tuple[bool, int]:
        own = url is not None and any(url == text(node.get(key)) for key in ("url", "@id", "mainEntityOfPage"))
        return own, sum(bool(node.get(key)) for key in ("headline", "datePublished", "author", "articleBody", "image"))

    return max(articles, key=worth)


def text(value: Any, depth: int = 0) -> str | None:
    """The first plain string of a value: itself, its name, its @value, its @id or url; None below MAX_DEPTH."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        return next((found for one in value if (found := text(one, depth + 1))), None)
    if isinstance(value, dict):
        for key in ("name", "@value", "url", "@id"):
            if found := text(value.get(key), depth + 1):
                return found
    return None


def texts(value: Any) -> list[str]:
    """All plain strings of a value, in order."""
    values = value if isinstance(value, list) else [value]
    return [found for found in map(text, values) if found]


def claim(found: list[Node]) -> bool | None:
    """`isAccessibleForFree` of any record: a claim of the publisher, True, False or not made."""
    for node in found:
        if types(node) & (ARTICLE_TYPES | {"WebPage", "CreativeWork"}) and "isAccessibleForFree" in node:
            given = node["isAccessibleForFree"]
            said = str(given if isinstance(given, int) else text(given)).lower().rpartition("/")[2]
            if said in ("true", "false", "1", "0"):
                return said in ("true", "1")
    return None
