"""A parsed page as a flat list of blocks: where they start and end, what they are, where they stand.

Block elements and pairs of `<br>` end a block; inline markup never does, so no word is lost or split by it. The tree is
walked with an iterator, not by recursion: 20,000 nested elements are a page like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml.etree import _Element as Element
from lxml.etree import iterwalk

from crawler.items import BlockKind
from crawler.text import count_words as count_words
from crawler.text import one_line

SKIPPED = frozenset((
    "script", "style", "template", "svg", "math", "noscript", "iframe", "object", "embed", "video", "audio", "canvas",
    "map", "select", "option", "textarea", "input", "datalist", "head", "title", "meta", "link",
))  # fmt: skip
INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub",
    "sup", "time", "tt", "u", "var", "wbr", "nobr", "picture", "source",
))  # fmt: skip
TABLE_ROWS = frozenset(("tr",))
CELLS = frozenset(("td", "th"))
_HEADING = re.compile(r"h[1-6]\Z")


@dataclass(slots=True)
class Piece:
    """A block of the page before anything is decided about it."""

    kind: BlockKind
    text: str
    element: Element  # the nearest block element around the text
    level: int | None = None
    link_chars: int = 0
    tags: frozenset[str] = frozenset()  # tags of the element and all around it
    reason: str | None = None
    rule: str | None = None
    kept: bool = False
    score: float | None = None  # the model's probability that it is the article's
    post: int | None = None  # index of the live blog's post
    words: int = field(init=False)

    def __post_init__(self) -> None:
        self.words = count_words(self.text)

    @property
    def link_density(self) -> float:
        """Share of the characters that are link text, 0 to 1."""
        return min(1.0, self.link_chars / max(1, len(self.text)))

    def drop(self, reason: str, rule: str) -> None:
        self.reason, self.rule, self.kept = reason, rule, False


@dataclass(slots=True)
class _Frame:
    """What is known of the elements around the point that the walk has reached."""

    tags: frozenset[str] = frozenset()
    kind: BlockKind = "paragraph"
    level: int | None = None


class _Walk:
    def __init__(self, root: Element) -> None:
        self.root = root
        self.stack: list[tuple[Element, _Frame]] = [(root, _Frame())]
        self.parts: list[str] = []
        self.link_chars = 0
        self.links = 0  # depth of open <a>
        self.breaks = 0

    def add(self, text: str | None) -> None:
        if not text:
            return
        self.parts.append(text)
        if not text.isspace():
            self.breaks = 0
            if self.links:
                self.link_chars += len(text.strip())

    def flush(self) -> Iterator[Piece]:
        text = one_line("".join(self.parts)) if self.parts else None
        if text:
            element, frame = self.stack[-1]
            yield Piece(frame.kind, text, element, frame.level, self.link_chars, frame.tags)
        self.parts, self.link_chars, self.breaks = [], 0, 0

    def pieces(self) -> Iterator[Piece]:
        walker = iterwalk(self.root, events=("start", "end", "comment", "pi"))
        for event, element in walker:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event in ("comment", "pi"):
                self.add(element.tail)
            elif event == "start":
                if element is not self.root and (not tag or tag in SKIPPED):
                    walker.skip_subtree()
                else:
                    yield from self.open(element, tag)
            else:
                yield from self.close(element, tag)
                if element is not self.root:
                    self.add(element.tail)
        yield from self.flush()

    def open(self, element: Element, tag: str) -> Iterator[Piece]:
        if tag == "br":
            self.breaks += 1
            if self.breaks == 2:
                yield from self.flush()
            self.parts.append(" ")
            return
        if tag in INLINE:
            self.links += tag == "a"
        elif tag in CELLS:
            self.parts.append(" ")  # the cells of a row are one block
        else:
            yield from self.flush()
            self.stack.append((element, _inside(self.stack[-1][1], tag)))
        self.add(element.text)

    def close(self, element: Element, tag: str) -> Iterator[Piece]:
        if tag in INLINE or tag == "br" or not tag or (tag in SKIPPED and element is not self.root):
            self.links -= tag == "a"
        elif tag in CELLS:
            self.parts.append(" | ")
        else:
            yield from self.flush()
            if len(self.stack) > 1:
                self.stack.pop()


def _inside(around: _Frame, tag: str) -> _Frame:
    tags = around.tags if tag in around.tags else around.tags | {tag}
    kind, level = around.kind, None
    if _HEADING.match(tag):
        kind, level = "heading", int(tag[1])
    elif tag in ("li", "dt", "dd"):
        kind = "list"
    elif tag == "blockquote":
        kind = "quote"
    elif tag in TABLE_ROWS:
        kind = "table"
    elif tag in ("figcaption", "caption"):
        kind = "caption"
    elif tag == "pre":
        kind = "code"
    return _Frame(tags, kind, level)


def segment(tree: Element) -> list[Piece]:
    """All blocks of a page in document order. The pieces refer to the tree's elements."""
    body = tree.find("body")
    pieces = list(_Walk(tree if body is None else body).pieces())
    for piece in pieces:
        if piece.kind == "table":
            piece.text = piece.text.strip(" |")
            if " | " not in piece.text:  # one cell: a table for layout
                piece.kind = "paragraph"
    return [piece for piece in pieces if piece.text]
