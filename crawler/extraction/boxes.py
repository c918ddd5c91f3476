"""Containers of boilerplate: a box goes as a whole once its words or its button gave it away, and leaves the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from lxml.etree import _Element as Element

from crawler.extraction.appeals import KINDS
from crawler.extraction.asking import is_attributed, is_quoted
from crawler.extraction.labels import is_sentence
from crawler.extraction.places import is_within
from crawler.extraction.segment import Piece

SPREADING = frozenset((*KINDS, "consent", "related", "share"))
PROMPTS = KINDS - {"support"} | {"consent"}  # one sentence without a tell-tale word may be theirs
BOUNDARIES = frozenset(("html", "body", "main", "article", "header", "nav", "footer"))
BOX_BLOCKS = 14
PROMPT_WORDS = 60  # of the one sentence
TELLING = 0.2  # share of a box's words that has to be an appeal's
NEAR = 4  # elements around a paragraph for which it stands beside a box
BESIDE = 8  # words of the article's own paragraph next to the box
LIST_LABEL = 5  # words of a share button


@dataclass(frozen=True)
class _Prose:
    """The article's own paragraphs before boxes are spread: the first, all words, how many an element holds."""

    first: int
    words: int
    within: Counter[Element]
    paragraphs: frozenset[int]  # ids of its pieces


def spread(pieces: Sequence[Piece]) -> None:
    """Give what stands in one box with a dropped block the same reason. The article's container is no such box."""
    paragraphs = [piece for piece in pieces if _prose_words(piece) >= BESIDE]
    page = _Prose(
        first=_first_prose(pieces),
        words=sum(_prose_words(piece) for piece in pieces),
        within=_prose_within(paragraphs),
        paragraphs=frozenset(map(id, paragraphs)),
    )
    for index, piece in enumerate(pieces):
        if piece.reason in SPREADING and piece.rule != "box":
            for at in list(_box(pieces, index, page)):
                if not pieces[at].reason:
                    pieces[at].drop(piece.reason or "", "box")


def _prose_within(paragraphs: Sequence[Piece]) -> Counter[Element]:
    """How many paragraphs stand in an element or not far below it."""
    found: Counter[Element] = Counter()
    for piece in paragraphs:
        found.update(islice(piece.element.iterancestors(), NEAR))
    return found


def _first_prose(pieces: Sequence[Piece]) -> int:
    """The first paragraph after the headline is never part of a box."""
    top = next((i for i, piece in enumerate(pieces) if piece.level == 1), -1)
    return next((i for i, piece in enumerate(pieces) if i > top and _prose_words(piece)), -1)


def _prose_words(piece: Piece) -> int:
    is_prose = not piece.reason and piece.link_density < 0.5 and is_sentence(piece)
    return piece.words if is_prose else 0


def _box(pieces: Sequence[Piece], index: int, page: _Prose) -> Iterator[int]:
    """The blocks of the largest element around a dropped block that holds nothing but its kind."""
    kind = pieces[index].reason or ""
    element: Element | None = pieces[index].element
    best = range(0)
    while element is not None and element.tag not in BOUNDARIES:
        span = _span(pieces, index, element)
        inside = [pieces[at] for at in span]
        if len(span) > BOX_BLOCKS:
            break
        if not _is_letter(inside, page, element) and (page.first in span or not _is_box(inside, kind, page.words)):
            break
        best = span
        element = element.getparent()
    yield from best


def _span(pieces: Sequence[Piece], index: int, element: Element) -> range:
    """The neighbours inside an element: blocks stand in document order."""
    low, high = index, index + 1
    while low > 0 and high - low <= BOX_BLOCKS and is_within(pieces[low - 1], element):
        low -= 1
    while high < len(pieces) and high - low <= BOX_BLOCKS and is_within(pieces[high], element):
        high += 1
    return range(low, high)


def _is_letter(inside: Sequence[Piece], page: _Prose, box: Element) -> bool:
    """Whether a box is an appeal of many paragraphs, some of which say nothing tell-tale, beside the article's own."""
    told = sum(piece.words for piece in inside if piece.reason in KINDS)
    strangers = [piece for piece in inside if piece.reason not in KINDS]
    if told < TELLING * sum(piece.words for piece in inside) or any(
        piece.reason or piece.level == 1 for piece in strangers
    ):
        return False
    if any(is_quoted(piece.text) or is_attributed(piece.text) for piece in strangers if is_sentence(piece)):
        return False
    around = box.getparent()
    own = sum(id(piece) in page.paragraphs for piece in inside)
    return around is not None and page.within[around] > own


def _is_box(inside: list[Piece], kind: str, prose: int) -> bool:
    strangers = [piece for piece in inside if piece.reason != kind]
    if any(piece.reason or piece.level == 1 for piece in strangers):
        return False
    if kind == "share":
        return all(piece.words <= LIST_LABEL for piece in strangers)
    if kind == "related":
        return all(piece.link_density > 0.5 or piece.words <= 3 for piece in strangers)
    sentences = [piece for piece in strangers if is_sentence(piece)]
    if not sentences:
        return True
    words = sum(piece.words for piece in sentences)
    if kind not in PROMPTS or len(sentences) > 1 or words > PROMPT_WORDS or words * 2 > prose:
        return False
    return not any(is_quoted(piece.text) or is_attributed(piece.text) for piece in sentences)


def cut(pieces: Sequence[Piece]) -> None:
    """Take what was dropped out of the tree, so that no voter is misled: an element goes when all its blocks do."""
    kept_elements: set[Element] = set()
    for piece in pieces:
        if not piece.reason:
            kept_elements.add(piece.element)
            kept_elements.update(piece.element.iterancestors())
    for piece in pieces:
        element = piece.element
        if piece.reason and element not in kept_elements:
            parent = element.getparent()
            if parent is not None and element.tag != "body":
                _remove(element, parent)


def _remove(element: Element, parent: Element) -> None:
    tail = element.tail
    if tail and tail.strip():
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + " " + tail
        else:
            previous.tail = (previous.tail or "") + " " + tail
    parent.remove(element)
