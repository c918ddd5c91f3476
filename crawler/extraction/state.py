"""Articles in a page's state: JSON in a script element, given to a variable or a call, or streamed in pieces.

Frameworks keep a text as one string (markup or lines), or as a list of blocks: `{"type": "paragraph", "text": ...}`,
rich-text documents whose nodes hold nodes, arrays `["$", "p", null, {"children": ...}]`. All become simple markup.
Time and memory are bounded by the numbers of scripts' bytes, JSON starts and nodes that are looked at.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from lxml.etree import _Element as Element

from crawler.text import key, without_tags

MIN_TEXT = 200  # characters; a shorter string is a teaser
MIN_PARAGRAPH = 40
MAX_STARTS = 2_000  # places in a script where JSON may begin
READINGS = 3  # times that a script may be read in all, for starts that turn out to be none
MAX_BYTES = 3_000_000  # of all scripts
MAX_NODES = 50_000  # lists, objects and long strings
MAX_TITLE = 500  # characters of a string that may be the headline
MAX_DEPTH = 60
MAX_FOUND = 200
TRIED = 3  # of the texts found, the likeliest
OWN = 4  # a text whose record bears the page's headline counts as so many times as long
_MARKUP = re.compile(r"<(?:p|div|br|h[1-6]|li)\b", re.IGNORECASE)
_INLINE = re.compile(r"</?\w[^<>]*>")
_STARTS = re.compile(r"(?:^|[=(:,])\s*(?=[\[{])")
_PARSED = re.compile(r"JSON\.parse\(\s*(?=[\"'])")
_PUSH = re.compile(r"__next_f\.push\(\s*(?=\[)")
_ROW = re.compile(r"(?:^|\n)[0-9a-f]+:(?:[A-Z]{1,2}(?=[\[{\"]))?(?=[\[{])")
_RAW = re.compile(r"(?:^|\n)[0-9a-f]+:T([0-9a-f]+),")
_DECODER = json.JSONDecoder(strict=False)
_KIND = ("type", "__typename", "_type", "nodeType", "kind", "name", "tag", "tagName", "blockType", "component", "style")
_TEXT = ("text", "html", "content", "value", "children", "body", "markup", "copy", "data", "items", "props", "model")
_LONG = frozenset((
    "body", "articlebody", "content", "text", "fulltext", "html", "bodytext", "maintext", "story", "copy",
    "description_long", "articletext", "contenthtml", "bodyhtml",
))  # fmt: skip
_HEADING = re.compile(r"head|subtitle|crosshead|\Ah[2-6]\Z", re.IGNORECASE)
_LIST = re.compile(r"list-?item|\Ali\Z|bullet", re.IGNORECASE)
_QUOTE = re.compile(r"quote", re.IGNORECASE)
_PARAGRAPH = re.compile(r"para|text|\Ap\Z|block|html|content|body|copy|normal", re.IGNORECASE)
_OTHER = re.compile(
    r"image|photo|picture|video|audio|embed|\bad|advert|relat|teaser|promo|newsletter|author|byline|caption|link(?:list|s)"
    r"|gallery|paywall|script|style|nav|menu|footer|comment",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A text in a state, as markup or lines. `named`: its record bears the page's headline."""

    text: str
    length: int  # characters, without markup
    named: bool

    @property
    def worth(self) -> int:
        return self.length * (OWN if self.named else 1)


def texts(tree: Element, headline: str | None) -> list[Found]:
    """The likeliest texts of an article, best first."""
    own = key(headline or "")
    found = [one for value in _states(tree) for one in itertools.islice(_articles(value, own), MAX_FOUND)]
    return sorted(found, key=lambda one: -one.worth)[:TRIED]


# -- JSON in scripts -----------------------------------------------------------------------------------------------


def _states(tree: Element) -> Iterator[Any]:
    pushed: list[str] = []
    left = MAX_BYTES
    for script in tree.iter("script"):
        text = script.text or ""
        if len(text) < MIN_TEXT or len(text) > left or "ld+json" in (script.get("type") or ""):
            continue
        left -= len(text)
        if "__next_f" in text:
            pushed += _pushed(text)
        else:
            yield from _parsed(text)
    if pushed:
        yield from _rows("".join(pushed))


def _parsed(text: str) -> Iterator[Any]:
    for match in itertools.islice(_PARSED.finditer(text), MAX_STARTS):
        quoted, _ = _decoded(text, match.end())
        if isinstance(quoted, str):
            yield _decoded(quoted.strip(), 0)[0]
    yield from _values(text, _STARTS, MAX_STARTS)


def _values(text: str, starts: re.Pattern[str], most: int) -> Iterator[Any]:
    """The JSON values that begin where the pattern ends, as long as the reading stays linear."""
    end, budget = 0, READINGS * len(text)
    for match in itertools.islice(starts.finditer(text), most):
        if match.end() < end:  # inside what was read already
            continue
        value, stop = _decoded(text, match.end())
        budget -= stop - match.end()
        if budget < 0:
            return
        if value is not None:
            end = stop
            yield value


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """The JSON value that starts there, or None, and how far the reading came."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        return None, max(at, error.pos)
    except (ValueError, RecursionError):
        return None, len(text)


def _pushed(text: str) -> Iterator[str]:
    for match in _PUSH.finditer(text):
        read, _ = _decoded(text, match.end())
        yield from (part for part in read if isinstance(part, str)) if isinstance(read, list) else ()


def _rows(stream: str) -> Iterator[Any]:
    """The rows of a streamed state: JSON, or raw text with its length in bytes before it."""
    yield from _values(stream, _ROW, MAX_NODES)
    budget = READINGS * len(stream)
    for match in itertools.islice(_RAW.finditer(stream), MAX_FOUND):
        size = min(int(match[1][:6], 16), len(stream) - match.end())
        budget -= size
        if budget < 0:
            return
        raw = stream[match.end() : match.end() + size].encode("utf-8", "replace")[:size]
        yield {"content": raw.decode("utf-8", "ignore")}


# -- texts in JSON -------------------------------------------------------------------------------------------------


def _articles(value: Any, own: str) -> Iterator[Found]:
    """Every string or list of blocks that is long enough to be an article."""
    waiting: list[tuple[str, Any, bool, int]] = [("", value, False, 0)]
    seen = 0
    while waiting and seen < MAX_NODES:
        name, current, named, depth = waiting.pop()
        seen += 1
        if isinstance(current, str):
            length = _length(name, current)
            text = current
        elif isinstance(current, list):
            text = _markup_of(current)
            length = len(without_tags(text, "")) if len(text) >= MIN_TEXT else 0
            waiting += [(name, one, named, depth + 1) for one in current if depth < MAX_DEPTH and _is_worth_a_look(one)]
        elif isinstance(current, dict) and depth < MAX_DEPTH:
            named = named or (bool(own) and any(_says(one, own) for one in current.values()))
            waiting += [(inner, one, named, depth + 1) for inner, one in current.items() if _is_worth_a_look(one)]
            continue
        else:
            continue
        if length >= MIN_TEXT:
            yield Found(text=text, length=length, named=named)


def _is_worth_a_look(value: Any) -> bool:
    return len(value) >= MIN_TEXT if isinstance(value, str) else isinstance(value, (dict, list))


def _says(value: Any, own: str) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TITLE and key(value) == own


def _length(name: str, text: str) -> int:
    """Characters of a string that is an article's text by its markup or its name and spaces, else 0."""
    if len(text) < MIN_TEXT:
        return 0
    if _MARKUP.search(text):
        return len(without_tags(text, ""))
    prose = text.count(" ") * 12 > len(text) or not text[:MIN_TEXT].isascii()
    return len(text) if name.lower() in _LONG and prose and text.lstrip()[:1] not in "{[<" else 0


def _markup_of(blocks: list[Any]) -> str:
    """A list of blocks as markup, or an empty string when it is none."""
    if len(blocks) >= 2 and all(isinstance(one, str) for one in blocks):
        return "".join(f"<p>{_inner(one)}</p>" for one in blocks if len(one) >= MIN_PARAGRAPH)
    parts = [markup for one in blocks if isinstance(one, (dict, list)) and (markup := _block(one))]
    return "".join(parts) if sum("<p>" in part for part in parts) >= 2 else ""


def _block(value: Any, depth: int = 0) -> str:
    if _is_element(value):
        value = {"type": value[1], "children": (value[3] or {}).get("children")}
    if not isinstance(value, dict) or depth > 4:
        return ""
    kinds = [kind for name in _KIND if isinstance(kind := value.get(name), str) and len(kind) < 60]
    if not kinds or any(_OTHER.search(kind) for kind in kinds):
        return ""
    if any(_LIST.search(kind) for kind in kinds):
        return _wrapped("li", value)
    if any("list" in kind.lower() for kind in kinds) or any(kind in ("ul", "ol") for kind in kinds):
        items: list[Any] = next((value[name] for name in ("items", *_TEXT) if isinstance(value.get(name), list)), [])
        return "".join(f"<li>{text}</li>" for item in items if (text := _inline(item)))
    if any(_HEADING.search(kind) for kind in kinds):
        return _wrapped("h2", value)
    if any(_QUOTE.search(kind) for kind in kinds):
        return _wrapped("blockquote", value)
    return _wrapped("p", value) if any(_PARAGRAPH.search(kind) for kind in kinds) else ""


def _wrapped(tag: str, value: dict[str, Any]) -> str:
    text = "".join(_inline(value[name]) for name in _TEXT if name in value and not _is_code(value[name])).strip()
    if not text:
        return ""
    return text if _MARKUP.search(text) else f"<{tag}>{text}</{tag}>"


def _is_element(value: Any) -> bool:
    """An element of a streamed state: ["$", tag, key, properties]."""
    return (
        isinstance(value, list)
        and len(value) >= 4
        and value[0] == "$"
        and isinstance(value[1], str)
        and isinstance(value[3], dict)
    )


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and value[:1] in "$#{" and len(value) < 40


def _inline(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return _inner(value)
    if depth > 8:
        return ""
    if _is_element(value):
        return _inline(value[3].get("children"), depth + 1)
    if isinstance(value, list):
        return "".join(_inline(one, depth + 1) for one in value)
    if isinstance(value, dict):
        return next((text for name in _TEXT if name in value and (text := _inline(value[name], depth + 1))), "")
    return ""


def _inner(text: str) -> str:
    """Markup stays markup, text is escaped."""
    return text if _INLINE.search(text) else escape(text, quote=False)
