"""From the bytes of a page to what it says: `extract()` is the only entrance. Pure: no I/O, no Scrapy, no database.

The way of a page: parse, read the fields, cut it into blocks, let the rules drop what is boilerplate (before any voter
sees it: a short article is otherwise outweighed by the letter below it), ask trafilatura which of the rest is the
article, map its answer onto the blocks, and drop what repeats the headline or is a caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml.etree import _Element as Element

from crawler.extraction import jsonld, liveblog, metadata, rescue
from crawler.extraction.access import observed_access
from crawler.extraction.appeals import drop_appeals
from crawler.extraction.appended import drop_appended
from crawler.extraction.body import parse
from crawler.extraction.boxes import spread
from crawler.extraction.bylines import drop_bylines
from crawler.extraction.choice import choose, drop_standfirst, key, vote
from crawler.extraction.images import images
from crawler.extraction.model import agreement
from crawler.extraction.pagetype import View, page_type
from crawler.extraction.rules import drop_rules
from crawler.extraction.segment import Piece, segment
from crawler.extraction.template import Template, drop_template
from crawler.items import Block, Extraction, Image, Post

if TYPE_CHECKING:
    from crawler.sources import Source

__all__ = ["extract", "prepared"]

MIN_LEDGER_WORDS = 8  # what no voter chose and is shorter is menus and buttons, not a paragraph anyone could miss
MAX_LEDGER_LINKS = 0.5  # share of link text above which the same holds
MAX_DROPPED = 400  # blocks kept in the ledger of one page
LINK_FARM = 2_000  # link-only blocks; a page with more keeps trafilatura busy for 20 s and longer


@dataclass(kw_only=True)
class Work:
    """A page on its way: parsed, its fields read, its blocks judged by the rules and voted on by trafilatura."""

    tree: Element
    url: str | None
    fields: metadata.Fields
    pictures: tuple[Image, ...]
    pieces: list[Piece]
    nodes: list[jsonld.Node]
    posts: tuple[Post, ...]
    voted: list[bool]


def prepared(html: bytes, url: str | None = None, *, source: Source | None = None) -> Work | None:
    """All that comes before the model decides; training starts from here too. None for what is not HTML."""
    tree = parse(html)
    if tree is None:
        return None
    proxies = list(tree.iter())  # kept, or lxml makes each element's Python object anew at each of a dozen walks
    fields = metadata.read(tree, url)
    pictures = images(tree, url, fields.picture_urls)
    pieces = segment(tree)
    nodes = fields.nodes
    posts = liveblog.posts(tree, pieces, nodes, url)
    if not posts:
        drop_appended(pieces, url, fields.headline)
    _drop(pieces, fields, source)
    voted = vote(pieces, tree, url)
    del proxies
    return Work(
        tree=tree, url=url, fields=fields, pictures=pictures, pieces=pieces, nodes=nodes, posts=posts, voted=voted
    )


def extract(
    html: bytes, url: str | None = None, *, source: Source | None = None, template: Template | None = None
) -> Extraction:
    """Extract a page. `url` resolves relative links; `source` adds its own boilerplate rules and its language.

    `template`: what the source's other articles have taught to be no article's.

    A page without an article gives an `Extraction` with an empty body, never an error.
    """
    work = prepared(html, url, source=source)
    if work is None:
        return Extraction()
    tree, fields, nodes, posts = work.tree, work.fields, work.nodes, work.posts
    choose(work.pieces, work.voted)
    confidence = agreement(work.pieces, work.voted)
    liveblog.keep(work.pieces)
    drop_standfirst(work.pieces, fields.description)
    pieces = _rescued(work.pieces, tree, fields)
    blocks = drop_template(_ledger(pieces), template, fields.headline)
    body = "\n".join(block.text for block in blocks if block.kept)
    seen = observed_access(pieces, nodes, free=fields.is_accessible_for_free)
    verdict = page_type(
        View(
            tree=tree,
            pieces=pieces,
            nodes=nodes,
            url=url,
            headline=fields.headline,
            published=fields.evidence.get("published_at", ""),
            access=seen,
            posts=len(posts),
        )
    )
    fields.evidence["page_type"] = verdict.evidence
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
        images=work.pictures,
        is_accessible_for_free=fields.is_accessible_for_free,
        site_name=fields.site_name,
        page_type=verdict.type,
        page_type_confidence=verdict.confidence,
        access=seen,
        confidence=confidence,
        posts=posts,
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
    drop_bylines(pieces, fields.authors, site)
    drop_appeals(pieces, site, fields.headline, fields.language or (source.language if source else None))
    spread(pieces)
    _drop_link_farm(pieces)


def _rescued(pieces: list[Piece], tree: Element, fields: metadata.Fields) -> list[Piece]:
    """The blocks, or those of the page's data when the tree holds next to no text."""
    shown = " ".join(piece.text for piece in pieces if piece.kept)
    if len(shown) >= rescue.MIN_TEXT:
        return pieces
    found = rescue.pieces(tree, fields.headline, shown)
    if found is None:
        return pieces
    rescued, fields.evidence["body"] = found
    drop_rules(rescued, fields.site_name or "")
    drop_appeals(rescued, fields.site_name or "", fields.headline, fields.language)
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
                score=piece.score,
                post=piece.post,
            )
        )
    return blocks
