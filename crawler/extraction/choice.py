"""Which of the blocks that no rule dropped are the article: trafilatura votes, and the model decides block by block."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml.etree import _Element as Element

from crawler.extraction.body import article_lines, mark_kept
from crawler.extraction.boxes import cut
from crawler.extraction.model import KEEP, scores
from crawler.extraction.segment import Piece

LEAST = 20  # characters: a shorter answer is a menu's, not an article


def vote(pieces: Sequence[Piece], tree: Element, url: str | None) -> list[bool]:
    """Which blocks trafilatura takes for the article, once what the rules dropped has left the tree."""
    cut(pieces)
    mark_kept(pieces, article_lines(tree, url))
    return [piece.kept for piece in pieces]


def choose(pieces: Sequence[Piece], voted: Sequence[bool]) -> None:
    """Mark the article's blocks as kept and the rest as `outside`, by the model's score."""
    for piece, score in zip(pieces, scores(pieces, voted), strict=True):
        piece.score = None if score is None else round(score, 3)
        piece.kept = score is not None and score >= KEEP
    too_little = sum(len(piece.text) for piece in pieces if piece.kept) < LEAST
    for piece in pieces:
        piece.kept = piece.kept and not too_little
        if not piece.kept and not piece.reason:
            piece.reason, piece.rule = "outside", "model"


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
