"""The text of pages that hold it only as data: JSON-LD's articleBody, or the state that the page's script would render.

Used only when the tree itself has next to no article: articleBody is there on a quarter of pages and usable on half of
those, so it is a rescue and not a source.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from lxml.etree import _Element as Element

from crawler.extraction import jsonld
from crawler.extraction.body import parse
from crawler.extraction.segment import Piece, segment

MIN_TEXT = 200  # characters; a shorter string is a teaser
MAX_STARTS = 20  # places in a script where JSON may begin
MAX_STRINGS = 50_000  # of one page's state
_MARKUP = re.compile(r"<(?:p|div|br)\b", re.IGNORECASE)
_JSON_STARTS = re.compile(r"(?:^|=|\()\s*[\[{]")
_DECODER = json.JSONDecoder(strict=False)
_PARAGRAPH = re.compile(r"\s*\n\s*\n?\s*")


def pieces(tree: Element) -> tuple[list[Piece], str] | None:
    """The blocks of the longest text found, all kept, and where it was; None when there is none."""
    body = max((text for node in jsonld.nodes(tree) if (text := _body(node))), key=len, default="")
    if len(body) >= MIN_TEXT:
        return _blocks(body), "jsonld:articleBody"
    markup = max(_marked_up(tree), key=len, default="")
    if markup:
        return _blocks(markup), "page-state"
    return None


def _body(node: jsonld.Node) -> str | None:
    return jsonld.text(node.get("articleBody")) if jsonld.types(node) & jsonld.ARTICLE_TYPES else None


def _marked_up(tree: Element) -> Iterator[str]:
    """Strings of markup in the page's state that hold an article's length of text."""
    for state in _states(tree):
        for text in _strings(state):
            if len(text) >= MIN_TEXT and _MARKUP.search(text) and len(re.sub(r"<[^>]*>", "", text)) >= MIN_TEXT:
                yield text


def _states(tree: Element) -> Iterator[Any]:
    """What the page hands to its script: JSON in a script element, or given to a variable or a call."""
    for script in tree.iterfind(".//script"):
        text = script.text or ""
        if len(text) < MIN_TEXT or "ld+json" in (script.get("type") or ""):
            continue
        for match in itertools.islice(_JSON_STARTS.finditer(text), MAX_STARTS):
            try:
                state, end = _DECODER.raw_decode(text, match.end() - 1)
            except (ValueError, RecursionError):
                continue
            yield state
            if end - match.start() > len(text) / 2:
                break


def _strings(state: Any) -> Iterator[str]:
    waiting, seen = [state], 0
    while waiting and seen < MAX_STRINGS:
        value = waiting.pop()
        if isinstance(value, str):
            seen += 1
            yield value
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _blocks(text: str) -> list[Piece]:
    markup = text if _MARKUP.search(text) else "".join(f"<p>{part}</p>" for part in _PARAGRAPH.split(text))
    tree = parse(f"<html><body><div>{markup}</div></body></html>".encode("utf-8", "replace"))
    return [] if tree is None else segment(tree)
