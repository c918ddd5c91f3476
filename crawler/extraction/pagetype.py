"""Is the page one article, or a list of them?

A page that declares itself an article (JSON-LD, og:type, a date in its metadata) is one. Of the others those are
listings that have linked headlines and no paragraph of a length that teasers do not reach.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml.etree import _Element as Element

from crawler.extraction.segment import Piece
from crawler.items import PageType

TEASER = 200  # characters; teasers are shorter, and nearly every article has a paragraph that is longer
DECLARED = ("jsonld:", "meta:", "microdata")


def page_type(tree: Element, pieces: Sequence[Piece], published_evidence: str) -> PageType:
    """`article` or `listing`."""
    if published_evidence.startswith(DECLARED) or _declares_article(tree):
        return "article"
    if any(piece.kept and len(piece.text) >= TEASER and piece.link_density < 0.5 for piece in pieces):
        return "article"
    linked = sum(piece.level is not None and piece.level > 1 and piece.link_density > 0.8 for piece in pieces)
    return "listing" if linked else "article"


def _declares_article(tree: Element) -> bool:
    return any(
        (meta.get("content") or "").lower() == "article" for meta in tree.iterfind(".//meta[@property='og:type']")
    )
