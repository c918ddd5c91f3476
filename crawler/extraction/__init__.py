"""From the bytes of a page to what it says: `extract()` is the only entrance. Pure: no I/O, no Scrapy, no database.

The way of a page: parse, read the fields, cut it into blocks, let the rules drop what is boilerplate (before any voter
sees it: a short article is otherwise outweighed by the letter below it), ask trafilatura which of the rest is the
article, map its answer onto the blocks, and drop what repeats the headline or is a caption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml.etree import _Element as Element

from crawler.extraction import metadata, rescue
from crawler.extraction.appeals import drop_appeals
from crawler.extraction.body import parse
from crawler.extraction.boxes import spread
from crawler.extraction.bylines import drop_bylines
from crawler.extraction.choice import choose, drop_standfirst, key
from crawler.extraction.images import images
from crawler.extraction.pagetype import page_type
from crawler.extraction.rules import drop_rules
from crawler.extraction.segment import Piece, segment
from crawler.items import Block, Extraction

if TYPE_CHECKING:
    from crawler.sources import Source

__all__ = ["extract"]

MIN_LEDGER_WORDS = 8  # what no voter chose and is shorter is menus and buttons, not a paragraph anyone could miss
MAX_LEDGER_LINKS = 0.5  # share of link text above which the same holds
MAX_DROPPED = 400  # blocks kept in the ledger of one page
LINK_FARM = 2_000  # link-only blocks; a page with more keeps trafilatura busy for 20 s and longer


def extract(html: bytes, url: str | None = None, *, source: Source | None = None) -> Extraction:
    """Extract a page. `url` resolves relative links; `source` adds its own boilerplate rules and its language.

    A page without an article gives an `Extraction` with an empty body, never an error.
    """
    tree = parse(html)
    if tree is None:
        return Extraction()
    proxies = list(tree.iter())  # kept, or lxml makes each element's Python object anew at each of a dozen walks
    fields = metadata.read(tree, url)
    pictures = images(tree, url, fields.picture_urls)
    pieces = segment(tree)
    _drop(pieces, fields, source)
    choose(pieces, tree, url, again=lambda: parse(html))
    drop_standfirst(pieces, fields.description)
    pieces = _rescued(pieces, tree, fields)
    blocks = tuple(_ledger(pieces))
    body = "\n".join(block.text for block in blocks if block.kept)
    del proxies
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
        page_type=page_type(tree, pieces, fields.evidence.get("published_at", "")),
        blocks=blocks,
        evidence=fields.evidence,
    )


def _drop(pieces: list[Piece], fields: metadata.Fields, source: Source | None) -> None:
    titles = {key(title) for title in fields.titles}
    for piece in pieces:
        if piece.level == 1 or (piece.words > 2 and key(piece.text) in titles):
            piece.drop("headline", "headline-repeated")
        elif piece.kind == "caption" or ("figure" in piece.tags and piece.kind == "paragraph" and piece.words < 80):
            piece.drop("caption", "figure-caption")
    site = fields.site_name or (source.name if source else "")
    drop_rules(pieces, site, source.boilerplate if source else ())
    drop_appeals(pieces, site, fields.headline)
    drop_bylines(pieces, fields.authors, site)
    spread(pieces)
    _drop_link_farm(pieces)


def _rescued(pieces: list[Piece], tree: Element, fields: metadata.Fields) -> list[Piece]:
    """The blocks, or those of the page's data when the tree holds next to no text."""
    if sum(len(piece.text) for piece in pieces if piece.kept) >= rescue.MIN_TEXT:
        return pieces
    found = rescue.pieces(tree)
    if found is None:
        return pieces
    rescued, fields.evidence["body"] = found
    drop_rules(rescued, fields.site_name or "")
    drop_appeals(rescued, fields.site_name or "", fields.headline)
    for piece in rescued:
        piece.kept = not piece.reason
    return [piece for piece in pieces if piece.reason != "outside" and not piece.kept] + rescued


def _drop_link_farm(pieces: list[Piece]) -> None:
    farm = [piece for piece in pieces if not piece.reason and piece.link_density > 0.9]
    if len(farm) > LINK_FARM:
        for piece in farm:
            piece.drop("link-farm", "link-farm")


def _is_menu(piece: Piece) -> bool:
    short, linked = piece.words < MIN_LEDGER_WORDS, piece.link_density > MAX_LEDGER_LINKS
    if piece.reason in ("outside", "link-farm"):
        return short or linked
    return short and linked and piece.rule == "box" and piece.reason == "newsletter"


def _ledger(pieces: list[Piece]) -> list[Block]:
    """Kept blocks, and of the others those that somebody could look for."""
    blocks: list[Block] = []
    dropped = 0
    for piece in pieces:
        if not piece.kept:
            if _is_menu(piece):
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
