"""From the bytes of a page to what it says: `extract()` is the only entrance. Pure: no I/O, no Scrapy, no database.

The way of a page: parse, read the fields, cut it into blocks, let the rules drop what is boilerplate (before any voter
sees it: a short article is otherwise outweighed by the letter below it), ask trafilatura which of the rest is the
article, map its answer onto the blocks, and drop what repeats the headline or is a caption.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml.etree import _Element as Element

from crawler.extraction import boilerplate, metadata
from crawler.extraction.body import article_lines, mark_kept, parse
from crawler.extraction.images import images
from crawler.extraction.segment import Piece, segment
from crawler.items import Block, Extraction

if TYPE_CHECKING:
    from crawler.sources import Source

__all__ = ["extract"]

MIN_LEDGER_WORDS = 8  # what no voter chose and is shorter is menus and buttons, not a paragraph anyone could miss
MAX_LEDGER_LINKS = 0.5  # share of link text above which the same holds
MAX_DROPPED = 400  # blocks kept in the ledger of one page
SHORT_ARTICLE = 600  # characters; below, the voter's answer is often the whole page
LABEL_WORDS = 7  # a byline, a date line, a label
LINK_FARM = 2_000  # link-only blocks; a page with more keeps trafilatura busy for 20 s and longer


def extract(html: bytes, url: str | None = None, *, source: Source | None = None) -> Extraction:
    """Extract a page. `url` resolves relative links; `source` adds its own boilerplate rules and its language.

    A page without an article gives an `Extraction` with an empty body, never an error.
    """
    tree = parse(html)
    if tree is None:
        return Extraction()
    fields = metadata.read(tree, url)
    pictures = images(tree, url, fields.picture_urls)
    pieces = segment(tree)
    _drop(pieces, fields, source)
    _drop_link_farm(pieces)
    boilerplate.cut(pieces)
    _keep(pieces, tree, url)
    blocks = tuple(_ledger(pieces))
    body = "\n".join(block.text for block in blocks if block.kept)
    language = fields.language or metadata.language_of(body) or (source.language if source else None)
    return Extraction(
        headline=fields.headline,
        authors=fields.authors,
        published_at=fields.published.at if fields.published else None,
        published_raw=fields.published.raw if fields.published else None,
        published_zone_assumed=bool(fields.published and fields.published.zone_assumed),
        modified_at=fields.modified.at if fields.modified else None,
        modified_raw=fields.modified.raw if fields.modified else None,
        language=language,
        section=fields.section,
        tags=fields.tags,
        description=fields.description,
        canonical_url=fields.canonical_url,
        images=pictures,
        is_accessible_for_free=fields.is_accessible_for_free,
        site_name=fields.site_name,
        blocks=blocks,
        evidence=fields.evidence,
    )


def _drop(pieces: list[Piece], fields: metadata.Fields, source: Source | None) -> None:
    titles = {_key(title) for title in fields.titles}
    for piece in pieces:
        if piece.level == 1 or (piece.words > 2 and _key(piece.text) in titles):
            piece.drop("headline", "headline-repeated")
        elif piece.kind == "caption" or ("figure" in piece.tags and piece.kind == "paragraph" and piece.words < 80):
            piece.drop("caption", "figure-caption")
    site = fields.site_name or (source.name if source else "")
    boilerplate.drop_rules(pieces, site, source.boilerplate if source else ())
    boilerplate.drop_appeals(pieces, fields.headline)


def _key(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _drop_link_farm(pieces: list[Piece]) -> None:
    farm = [piece for piece in pieces if not piece.reason and piece.link_density > 0.9]
    if len(farm) > LINK_FARM:
        for piece in farm:
            piece.drop("link-farm", "link-farm")


def _keep(pieces: list[Piece], tree: Element, url: str | None) -> None:
    mark_kept(pieces, article_lines(tree, url))
    _keep_one_container(pieces)
    for piece in pieces:
        if not piece.kept and not piece.reason:
            piece.reason, piece.rule = "outside", "trafilatura"


def _keep_one_container(pieces: list[Piece]) -> None:
    """On a short article the voter falls back to everything that has text. Keep what stands where the most prose stands."""
    kept = [piece for piece in pieces if piece.kept]
    if not kept or sum(len(piece.text) for piece in kept) > SHORT_ARTICLE:
        return
    main = max(kept, key=lambda piece: len(piece.text) * (1 - piece.link_density))
    box = main.element.getparent()
    # A paragraph may have a wrapper of its own; then the box is one further out.
    while box is not None and box.tag not in ("body", "article", "main") and _prose_in(box, kept) < 2:
        box = box.getparent()
    for piece in kept:
        elsewhere = piece.element.getparent() is not main.element.getparent()
        if (elsewhere and (piece.words <= LABEL_WORDS or piece.link_density > 0.5)) or not _within(piece, box):
            piece.drop("outside", "short-article")


def _within(piece: Piece, box: Element | None) -> bool:
    return box is None or box in piece.element.iterancestors()


def _prose_in(box: Element, kept: list[Piece]) -> int:
    return sum(piece.link_density < 0.5 and piece.words > LABEL_WORDS and _within(piece, box) for piece in kept)


def _ledger(pieces: list[Piece]) -> list[Block]:
    """Kept blocks, and of the others those that somebody could look for."""
    blocks: list[Block] = []
    dropped = 0
    for piece in pieces:
        if not piece.kept:
            if piece.reason in ("outside", "link-farm") and (
                piece.words < MIN_LEDGER_WORDS or piece.link_density > MAX_LEDGER_LINKS
            ):
                continue
            dropped += 1
            if dropped > MAX_DROPPED:
                continue
        blocks.append(
            Block(
                kind=piece.kind,
                text=piece.text,
                kept=piece.kept,
                reason=piece.reason,
                rule=piece.rule,
                level=piece.level,
            )
        )
    return blocks
