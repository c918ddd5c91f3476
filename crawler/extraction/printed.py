"""What the page prints around its headline, line by line: where bylines and dates stand that no machine was told.

Read only when the page's head does not say enough, and only as far as the surroundings of the headline go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from lxml import etree
from lxml.etree import _Element as Element

from crawler.text import one_line

BEFORE = 15  # lines above the headline that are looked at
AFTER = 60  # lines below it
MAX_LINES = 3_000  # a page whose headline has not come by then prints none
_SKIPPED = frozenset((
    "script", "style", "noscript", "template", "svg", "select", "option", "button", "nav", "footer", "head",
    "iframe", "object", "textarea",
))  # fmt: skip
_INLINE = frozenset((
    "a", "abbr", "b", "bdi", "big", "cite", "em", "font", "i", "ins", "label", "mark", "q", "s", "small", "span",
    "strong", "sub", "sup", "time", "tt", "u", "wbr", "meta", "img", "data",
))  # fmt: skip


@dataclass(slots=True)
class Line:
    """A line as a reader sees it. `at` counts lines from the headline, whose own line is 0; above it is negative."""

    text: str
    at: int = 0
    level: int | None = None  # of a heading
    parts: list[tuple[str, str]] = field(default_factory=list)  # (classes of the elements around, outer > inner; text)
    stamps: list[tuple[str, str]] = field(default_factory=list)  # (classes and the like, datetime or content)


class Surroundings:
    """The lines around a headline, read when they are first asked for."""

    def __init__(self, tree: Element, headline: str | None) -> None:
        self._tree, self._headline = tree, headline
        self._lines: list[Line] | None = None

    def __call__(self) -> list[Line]:
        if self._lines is None:
            self._lines = around(self._tree, self._headline)
        return self._lines


def around(tree: Element, headline: str | None) -> list[Line]:
    """The lines around the headline, or around the page's only h1; none when the page prints neither."""
    wanted = _key(headline or "")
    body = tree.find("body")
    if len(wanted) < 4:
        return []
    lines: list[Line] = []
    place: int | None = None
    for index, line in enumerate(islice(_lines(tree if body is None else body), MAX_LINES)):
        lines.append(line)
        # An h1 outweighs what came before it: a breadcrumb or a teaser.
        if _is_headline(line, wanted) and (place is None or (line.level == 1 and lines[place].level != 1)):
            place = index
        if place is not None and index > place + AFTER:
            break
    place = _only_h1(lines) if place is None else place
    if place is None:
        return []
    for index, line in enumerate(lines):
        line.at = index - place
    return lines[max(0, place - BEFORE) : place + AFTER + 1]


def _only_h1(lines: list[Line]) -> int | None:
    ones = [index for index, line in enumerate(lines) if line.level == 1]
    return ones[0] if len(ones) == 1 else None


def _key(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()


def _is_headline(line: Line, wanted: str) -> bool:
    key = _key(line.text)
    alike = wanted in key or (key in wanted and 2 * len(key) > len(wanted))
    return key == wanted or (line.level is not None and len(key) > 8 and alike)


def _lines(root: Element) -> Iterator[Line]:
    """Runs of text between the edges of block elements, each piece with the class names that it stands in."""
    marks: list[str] = []
    line = Line("")
    heading: Element | None = None
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "start" and (not isinstance(tag, str) or tag in _SKIPPED):
            walk.skip_subtree()
            marks.append("")
            continue
        if isinstance(tag, str) and tag not in _INLINE and tag not in _SKIPPED and heading in (None, element):
            if line.parts or line.stamps:
                yield _finished(line)
            line = Line("", level=_level(tag) if event == "start" else None)
            heading = element if line.level else None
        if event == "start":
            marks.append(_mark(element))
            _stamp(line, marks, element)
            _add(line, marks, element.text)
        else:
            marks.pop()
            _add(line, marks, element.tail)
    if line.parts:
        yield _finished(line)


def _level(tag: str) -> int | None:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit() else None


def _stamp(line: Line, marks: list[str], element: Element) -> None:
    if stamp := element.get("datetime") or (element.get("content") if element.get("itemprop") else None):
        line.stamps.append((f"{element.tag!s} {' > '.join(marks[-3:])}", stamp))


def _add(line: Line, marks: list[str], text: str | None) -> None:
    if text and not text.isspace():
        line.parts.append((" > ".join(marks[-3:]), text))


def _mark(element: Element) -> str:
    attributes = (element.get(name) for name in ("class", "id", "itemprop", "rel"))
    return " ".join([*(value for value in attributes if value), *(["link"] if element.tag == "a" else [])]).lower()


def _finished(line: Line) -> Line:
    line.text = one_line(" ".join(text for _, text in line.parts)) or ""
    return line
