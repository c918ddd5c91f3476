"""The second voter: where the page's prose is densest. Costs next to nothing and fails on other pages than the first.

Every paragraph gives its characters to its container and, fading, to those around it; the container with the most
wins (the idea of Readability's scoring, Arc90 2009, on our blocks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lxml.etree import _Element as Element

from crawler.extraction.places import container, ends_sentence, is_within
from crawler.extraction.segment import Piece

MIN_WORDS = 8
MAX_LINKS = 0.3
LEVELS = 4  # containers that a paragraph counts for
FADE = 0.8  # from one to the next


def densest(pieces: Sequence[Piece]) -> list[bool]:
    """For each block whether it is prose inside the winning container."""
    holders = {i: container(piece) for i, piece in enumerate(pieces) if _is_prose(piece)}
    weights: Counter[Element] = Counter()
    for i, holder in holders.items():
        piece = pieces[i]
        share = len(piece.text) * (1 - piece.link_density) * (1.0 if ends_sentence(piece.text) else 0.5)
        for _ in range(LEVELS):
            if holder is None or holder.tag in ("body", "html"):
                break
            weights[holder] += share  # type: ignore[assignment]
            holder, share = holder.getparent(), share * FADE
    if not weights:
        return [False] * len(pieces)
    best = max(weights, key=lambda element: weights[element])
    return [i in holders and is_within(pieces[i], best) for i in range(len(pieces))]


def _is_prose(piece: Piece) -> bool:
    return not piece.reason and piece.words >= MIN_WORDS and piece.link_density <= MAX_LINKS
