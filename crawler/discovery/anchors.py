"""A page's anchors as the parser meets them: where each stands, what it says, and the date that stands with it.

The parser's events are taken as they come and no tree is built, so a page may be as deep as it likes: every event costs
the same, and the limits bound what is kept.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from lxml import etree

from crawler.text import count_words

Region = Literal["main", "nav", "header", "footer", "aside"]

MAX_BYTES = 10 * 1024 * 1024
MAX_TAGS = 400_000  # opening and closing ones
MAX_ANCHORS = 20_000
MAX_HEAD = 500  # <link> elements
MAX_TEXT = 500  # characters of an anchor
MAX_DATE = 60
NEAR = 6  # levels between a headline and its date
HEADLINE = 4  # words of an anchor that may be a headline

_MENUS = ("nav", "footer")
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = frozenset({"script", "style", "template", "svg", "noscript", "select"})
_INLINE = frozenset({"b", "i", "em", "strong", "span", "mark", "wbr", "font", "u", "sup", "sub"})
_BARRIERS = frozenset({"main", "body", "html", "ul", "ol", "table", "tbody", "nav", "footer", "aside", "form"})
_WIDE = frozenset({"body", "html", "main", "section", "article", "ul", "ol"})  # whose class names no single date
_ROLES: dict[str, Region] = {
    "navigation": "nav", "menu": "nav", "menubar": "nav", "banner": "header", "contentinfo": "footer",
    "complementary": "aside", "main": "main",
}  # fmt: skip


def _named(*names: str) -> re.Pattern[str]:
    """One of the words of a class or id."""
    return re.compile(rf"(?:^|[\s_-])(?:{'|'.join(names)})(?=$|[\s_-])", re.IGNORECASE)


_REGIONS: tuple[tuple[Region, re.Pattern[str]], ...] = (
    ("nav", _named("nav", "navi", "navbar", "navigation", "menu", "mainmenu", "submenu", "breadcrumbs?", "topbar")),
    ("footer", _named("footer", "sitefooter", "colophon")),
    ("aside", _named("sidebar", "aside", "widget-area")),
)
_TITLE = _named("headline", "hed", "title", "titel", "titulo", "titre", "titolo", "tittel", "heading")
_DATE = _named("date", "datetime", "time", "timestamp", "datum", "fecha", "published", "pubdate", "tarih", "timeago")


@dataclass(slots=True)
class Anchor:
    """One <a> with an address. `published` is the date beside it, as the page has it, if it is written out."""

    href: str
    region: Region
    heading: bool
    label: str = ""  # what it says to those who do not see it
    text: str = ""
    headline: str = ""  # the heading within it
    published: str | None = None
    dated: bool = False

    @property
    def says(self) -> str:
        return self.headline.strip() or self.text.strip() or self.label.strip()


class Anchors:
    """Takes the parser's events. `next` are the addresses that the page declares as the next, best first."""

    def __init__(self) -> None:
        self.found: list[Anchor] = []
        self.head: list[dict[str, str]] = []  # <link> elements
        self.next: list[str] = []
        self.base: str | None = None
        self._stack = [_Frame("", None)]
        self._open: Anchor | None = None
        self._depth = 0  # of the open anchor
        self._heading = 0  # open headings within it
        self._date: _Frame | None = None  # the open element whose text is a date

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        frame = _Frame(tag, self._stack[-1])
        frame.place(attributes)
        self._stack.append(frame)
        if tag == "a":
            self._begin(attributes, frame)
        elif self._open:
            self._within(self._open, tag, attributes)
        elif tag == "link" and len(self.head) < MAX_HEAD:
            self.head.append(dict(attributes))
            self._declare(attributes, first=True)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        if tag == "time" or (frame.names_date and self._date is None):
            self._begin_date(frame, attributes)

    def data(self, text: str) -> None:
        if self._date is not None and len(self._date.date or "") < MAX_DATE:
            self._date.date = (self._date.date or "") + text[:MAX_DATE]
        anchor = self._open
        if anchor is None or self._stack[-1].silent:
            return
        if self._heading and len(anchor.headline) < MAX_TEXT:
            anchor.headline += text[:MAX_TEXT]
        if len(anchor.text) < MAX_TEXT:
            anchor.text += text[:MAX_TEXT]

    def end(self, tag: str) -> None:
        if len(self._stack) == 1:
            return
        frame = self._stack.pop()
        if frame is self._date:
            self._date = None
        if self._open and len(self._stack) < self._depth:
            self._finish(self._stack[-1])
        elif tag in _HEADINGS and self._heading:
            self._heading -= 1
        frame.leave(self._stack[-1])

    def close(self) -> Anchors:
        """End what is open: the parser does so itself, unless it has met an error."""
        while len(self._stack) > 1:
            self.end(self._stack[-1].tag)
        return self

    def _begin(self, attributes: Mapping[str, str], frame: _Frame) -> None:
        if self._open:
            self._finish(frame)
        href = attributes.get("href")
        if not href or len(self.found) >= MAX_ANCHORS:
            return
        self._declare(attributes)
        label = attributes.get("aria-label") or attributes.get("title") or ""
        self._open = Anchor(href, frame.region, frame.title > 0 and frame.region not in _MENUS, label[:MAX_TEXT])
        self._depth, self._heading = len(self._stack), 0

    def _within(self, anchor: Anchor, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _HEADINGS:
            anchor.heading = anchor.heading or anchor.region not in _MENUS
            self._heading += 1
        if tag == "img" and not anchor.label:
            anchor.label = (attributes.get("alt") or "")[:MAX_TEXT]
        if tag not in _INLINE:
            self.data(" ")

    def _begin_date(self, frame: _Frame, attributes: Mapping[str, str]) -> None:
        if frame.region in _MENUS:
            return
        frame.date = attributes.get("datetime") or ""
        self._date = None if frame.date else frame

    def _finish(self, frame: _Frame) -> None:
        anchor = self._open
        self._open, self._heading = None, 0
        if anchor is None:
            return
        self.found.append(anchor)
        if anchor.region not in _MENUS and (anchor.heading or count_words(anchor.says) >= HEADLINE):
            frame.meet(anchor)

    def _declare(self, attributes: Mapping[str, str], first: bool = False) -> None:
        href = attributes.get("href")
        if href and "next" in (attributes.get("rel") or "").lower().split() and len(self.next) < MAX_HEAD:
            self.next.insert(0 if first else len(self.next), href)


class _Frame:
    """An open element: what it hands down when it begins, and what it hands up when it ends."""

    __slots__ = ("date", "in_article", "level", "names_date", "pending", "region", "silent", "tag", "title", "undated")

    def __init__(self, tag: str, parent: _Frame | None) -> None:
        self.tag = tag
        self.region: Region = parent.region if parent else "main"
        self.in_article: bool = parent.in_article if parent else False
        self.silent: bool = tag in _SILENT or (parent.silent if parent else False)
        self.title: int = max(0, parent.title - 1) if parent else 0  # levels for which it is still a headline
        self.names_date = False
        self.date: str | None = None  # its own; empty if it is not written out
        self.pending: str | None = None  # a date that waits for its headline
        self.level = 0  # that this date has risen
        self.undated: Anchor | None = None  # a headline that waits for its date

    def place(self, attributes: Mapping[str, str]) -> None:
        tag = self.tag
        if tag in ("article", "main"):
            self.in_article = True
            self.region = "main" if tag == "main" else self.region
        elif tag == "nav" or tag == "aside":
            self.region = "nav" if tag == "nav" else "aside"
        elif tag in ("header", "footer") and not self.in_article:
            self.region = "header" if tag == "header" else "footer"
        elif tag in _HEADINGS:
            self.title = 10
        self.region = _ROLES.get(attributes.get("role") or "", self.region)
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"[:MAX_TEXT]
        if len(names) > 1:
            self._name(names)

    def _name(self, names: str) -> None:
        if self.region == "main" and self.tag not in ("body", "html", "a", "span"):
            self.region = next((region for region, pattern in _REGIONS if pattern.search(names)), self.region)
        if _TITLE.search(names):
            self.title = max(self.title, 2)
        self.names_date = self.tag not in _WIDE and bool(_DATE.search(names))

    def meet(self, anchor: Anchor) -> None:
        """A headline within takes the date that waits here, or waits for one."""
        if self.pending is None:
            self.undated = anchor
        else:
            _give(anchor, self.pending)
            self.pending = None

    def leave(self, parent: _Frame) -> None:
        """Leave to the element around at most one headline without date, and one date without headline."""
        if self.date is not None and self.pending is None:
            self.pending, self.level = self.date.strip()[:MAX_DATE], 0
        if self.pending is not None and self.undated is not None:
            _give(self.undated, self.pending)
            self.pending = self.undated = None
        if self.tag in _BARRIERS:
            return
        if self.undated is not None:
            parent.meet(self.undated)
        if self.pending is None or self.level >= NEAR:
            return
        if parent.undated is not None:
            _give(parent.undated, self.pending)
            parent.undated = None
        else:
            parent.pending, parent.level = self.pending, self.level + 1


def _give(anchor: Anchor, date: str) -> None:
    anchor.published, anchor.dated = date or None, True


def anchors(html: bytes) -> Anchors:
    """The anchors of the first MAX_BYTES and MAX_TAGS of a page. Raises nothing."""
    collector = Anchors()
    html = html[:MAX_BYTES]
    surplus = next(islice(re.finditer(b"<", html), MAX_TAGS, None), None)
    html = html[: surplus.start()] if surplus else html
    encoding = _encoding(html)
    if encoding == "utf-16":
        html, encoding = html.decode("utf-16", "replace").encode(), "utf-8"
    parser = etree.HTMLParser(target=cast("Any", collector), encoding=encoding, no_network=True, remove_comments=True)
    try:
        parser.feed(html.replace(b"\0", b""))
        parser.close()
    except (etree.XMLSyntaxError, etree.ParserError):  # what came before counts
        collector.close()
    return collector


def _encoding(html: bytes) -> str | None:
    """UTF-8 if it is, whatever the page says; otherwise the parser finds what the page declares."""
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(html)
    except UnicodeDecodeError:
        return None
    return "utf-8"
