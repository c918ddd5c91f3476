"""Where a block stands: its container, what its neighbours are built like."""

from __future__ import annotations

import re

from lxml.etree import _Element as Element

from crawler.extraction.segment import Piece

LIST_PARTS = frozenset(("li", "tr", "tbody", "thead", "dt", "dd"))
LISTS = frozenset(("ul", "ol", "dl", "table"))
WRAPPERS = frozenset(("p", "ul", "ol", "table", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"))
_SENTENCE_END = re.compile(r"[.!?。！？…؟।][\"'”’»)\]」』]*\Z")


def container(piece: Piece) -> Element | None:
    """What holds a block: of list items and table rows, what holds the list or table, the outermost of nested ones."""
    element: Element | None = piece.element
    while element is not None and (element.tag in LIST_PARTS or _is_nested(element)):
        element = element.getparent()
    if element is not None and element.tag in WRAPPERS:
        element = element.getparent()
    return element


def _is_nested(element: Element) -> bool:
    parent = element.getparent()
    return element.tag in LISTS and parent is not None and parent.tag in LIST_PARTS


def signature(piece: Piece) -> tuple[object, ...]:
    """What makes two blocks look alike: tag, class, the parent's tag."""
    parent = piece.element.getparent()
    return piece.element.tag, piece.element.get("class"), None if parent is None else parent.tag


def ends_sentence(text: str) -> bool:
    return bool(_SENTENCE_END.search(text[-6:]))


def is_within(piece: Piece, element: Element) -> bool:
    return piece.element is element or element in piece.element.iterancestors()
