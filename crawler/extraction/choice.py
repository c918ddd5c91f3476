"""Which of the blocks that no rule dropped are the article: trafilatura votes, and the model decides block by block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise

from lxml.etree import _Element as Element

from crawler.extraction.body import article_lines, mark_kept
from crawler.extraction.boxes import cut
from crawler.extraction.density import densest
from crawler.extraction.model import KEEP, scores
from crawler.extraction.places import container
from crawler.extraction.segment import Piece
from crawler.text import key

NEARLY = 0.3  # score of a block that its neighbours pull in
TWICE = 10  # words; a shorter line may well stand twice in an article
MAX_ELEMENTS = 20_000  # of a tree; the largest of 686 real pages had 9,748
MAX_ROWS = 60
LEAST = 20  # characters: a shorter answer is a menu's, not an article


def vote(pieces: Sequence[Piece], tree: Element, url: str | None) -> list[bool]:
    """Which blocks trafilatura takes for the article, once what the rules dropped has left the tree.

    Of a tree that would keep it busy for seconds it is not asked: where the prose is densest has to do.
    """
    cut(pieces)
    if any(True for _ in islice(tree.iter(), MAX_ELEMENTS, None)):
        return densest(pieces)
    mark_kept(pieces, article_lines(tree, url))
    return [piece.kept for piece in pieces]


def choose(pieces: Sequence[Piece], voted: Sequence[bool]) -> None:
    """Mark the article's blocks as kept and the rest as `outside`, by the model's score."""
    for piece, score in zip(pieces, scores(pieces, voted), strict=True):
        piece.score = None if score is None else round(score, 3)
        piece.kept = score is not None and score >= KEEP
    _fill_holes(pieces)
    _keep_tables(pieces)
    _drop_copies(pieces)
    too_little = sum(len(piece.text) for piece in pieces if piece.kept) < LEAST
    for piece in pieces:
        piece.kept = piece.kept and not too_little
        if not piece.kept and not piece.reason:
            piece.reason, piece.rule = "outside", "model"


def _fill_holes(pieces: Sequence[Piece]) -> None:
    """What stands between two kept blocks, in their container, and is nearly kept: a quotation beside a box."""
    kept = [i for i, piece in enumerate(pieces) if piece.kept]
    for before, after in pairwise(kept):
        box = container(pieces[before])
        if box is None or container(pieces[after]) is not box:
            continue
        for piece in pieces[before + 1 : after]:
            inside = container(piece) is box or (piece.kind == "quote" and box in piece.element.iterancestors())
            piece.kept = inside and (piece.score or 0.0) >= NEARLY and piece.link_density < 0.5


def _keep_tables(pieces: Sequence[Piece]) -> None:
    """A table between two kept blocks belongs to them: its rows are no prose, and neither voter likes them."""
    kept = [i for i, piece in enumerate(pieces) if piece.kept]
    for before, after in pairwise(kept):
        hole = [piece for piece in pieces[before + 1 : after] if not piece.reason]
        rows = [piece for piece in hole if piece.kind == "table" and piece.link_density < 0.5]
        box = container(pieces[before])
        if 1 < len(rows) <= MAX_ROWS and len(rows) == len(hole) and container(pieces[after]) is box is not None:
            for piece in rows:
                piece.kept = box in piece.element.iterancestors()


def _drop_copies(pieces: Sequence[Piece]) -> None:
    """A container that holds nothing but copies goes: the text for small screens, a pull quote.

    A question asked of many or a meal of every day has other text beside it, and stays.
    """
    places: dict[str, set[Element | None]] = {}
    held: dict[Element | None, list[Piece]] = {}
    for piece in pieces:
        if piece.kept and piece.words >= TWICE:
            places.setdefault(key(piece.text), set()).add(container(piece))
            held.setdefault(container(piece), []).append(piece)
    for box, inside in sorted(held.items(), key=lambda item: len(item[1])):
        if all(len(places[key(piece.text)]) > 1 for piece in inside):
            for piece in inside:
                piece.drop("duplicate", "stands-twice")
                places[key(piece.text)].discard(box)


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
