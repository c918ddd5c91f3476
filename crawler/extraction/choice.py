"""Which of the blocks that no rule dropped are the article: trafilatura's answer, mended by where the blocks stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from lxml.etree import _Element as Element

from crawler.extraction.body import article_lines, mark_kept
from crawler.extraction.boxes import cut
from crawler.extraction.segment import Piece

SHORT_ARTICLE = 600  # characters; below, the voter's answer is often the whole page
TEASER = 140  # characters
LABEL_WORDS = 7  # a byline, a date line, a label
LEAST = 20  # characters: a shorter answer is a menu's, not an article
WORTH_ASKING = 40  # characters; less is no article, whoever is asked
LOST = 200  # characters; a voter that found less may have been misled by what was cut
HOLE = 3  # blocks between two kept ones that may be recovered


def choose(pieces: list[Piece], tree: Element, url: str | None, again: Callable[[], Element | None]) -> None:
    """Mark the article's blocks as kept and the rest as `outside`. `again` parses the page anew; `tree` is cut."""
    cut(pieces)
    mark_kept(pieces, article_lines(tree, url))
    kept, left = _characters(pieces, kept=True), _characters(pieces, kept=False)
    if kept < left and left >= WORTH_ASKING:
        mark_kept(pieces, article_lines(tree, url, thorough=True))
    if kept < LOST and left > 4 * LOST:
        whole = again()
        mark_kept(pieces, article_lines(whole, url) if whole is not None else ())
    _fill_holes(pieces)
    _keep_one_container(pieces)
    too_little = sum(len(piece.text) for piece in pieces if piece.kept) < LEAST
    for piece in pieces:
        piece.kept = piece.kept and not too_little
        if not piece.kept and not piece.reason:
            piece.reason, piece.rule = "outside", "trafilatura"


def drop_standfirst(pieces: Sequence[Piece], description: str | None) -> None:
    """A standfirst above the text's own container is the article's description, not its first paragraph."""
    kept = [piece for piece in pieces if piece.kept]
    if len(kept) < 2:
        return
    first, rest = kept[0], kept[1:]
    main = max(rest, key=lambda piece: len(piece.text)).element.getparent()
    above = first.element.getparent()
    apart = above is not main and (main is None or main not in first.element.iterancestors())
    if apart and ("header" in first.tags or (description and key(first.text) == key(description))):
        first.drop("standfirst", "standfirst")


def key(text: str) -> str:
    """What makes two texts the same: letters and digits."""
    return re.sub(r"[\W_]", "", text).casefold()


def _characters(pieces: Sequence[Piece], kept: bool) -> int:
    return sum(
        len(piece.text) for piece in pieces if piece.kept is kept and not piece.reason and piece.link_density < 0.3
    )


def _fill_holes(pieces: Sequence[Piece]) -> None:
    """Recover what the voter left out between two kept blocks of the same container, and the rest of kept tables."""
    kept = [i for i, piece in enumerate(pieces) if piece.kept]
    for before, after in pairwise(kept):
        hole = [piece for piece in pieces[before + 1 : after] if not piece.reason]
        box = _container(pieces[before])
        if len(hole) <= HOLE and all(
            _container(piece) is box and piece.link_density < 0.5 for piece in (*hole, pieces[after])
        ):
            for piece in hole:
                piece.kept = True
    tables = {_container(piece) for piece in pieces if piece.kept and piece.kind == "table"}
    for piece in pieces:
        if piece.kind == "table" and not piece.reason and _container(piece) in tables:
            piece.kept = True


def _container(piece: Piece) -> Element | None:
    """What holds a block: of list items and table rows, what holds the list or table."""
    element: Element | None = piece.element
    while element is not None and element.tag in ("li", "tr", "tbody", "thead", "dt", "dd"):
        element = element.getparent()
    if element is not None and element.tag in ("p", "ul", "ol", "table", "dl", "h2", "h3", "h4", "blockquote"):
        element = element.getparent()
    return element


def _keep_one_container(pieces: list[Piece]) -> None:
    """On a short article the voter falls back to all that has text. Keep what stands where the most prose stands."""
    kept = [piece for piece in pieces if piece.kept]
    if not kept or sum(len(piece.text) for piece in kept) > SHORT_ARTICLE:
        return
    main = max(kept, key=lambda piece: len(piece.text) * (1 - piece.link_density))
    box = main.element.getparent()
    # A paragraph may have a wrapper of its own; then the box is one further out.
    while box is not None and box.tag not in ("body", "article", "main") and _prose_in(box, kept) < 2:
        box = box.getparent()
    for piece in kept:
        label = piece.words <= LABEL_WORDS or piece.link_density > 0.5
        elsewhere = piece.element.getparent() is not main.element.getparent()
        if (label and elsewhere) or not (_within(piece, box) or (_is_long(piece) and piece.element.tag == "p")):
            piece.drop("outside", "short-article")


def _is_long(piece: Piece) -> bool:
    """Longer than a teaser: no reason to give it up because it stands elsewhere."""
    return len(piece.text) >= TEASER and piece.link_density < 0.1


def _within(piece: Piece, box: Element | None) -> bool:
    return box is None or box in piece.element.iterancestors()


def _prose_in(box: Element, kept: list[Piece]) -> int:
    return sum(piece.link_density < 0.5 and piece.words > LABEL_WORDS and _within(piece, box) for piece in kept)
