"""From the bytes of a page to what it says: `extract()` is the only entrance. Pure: no I/O, no Scrapy, no database.

The way of a page: parse (`body`), read the fields (`metadata` and what it calls), cut it into blocks (`segment`), find
a live blog's posts and appended articles, let the rules drop what has a name (`rules`, `bylines`, `appeals`, `boxes`:
before any voter sees it, since a short article is outweighed by the letter below it), let trafilatura vote on the
rest, let the model decide block by block (`choice`, `model`, `features`, `density`), rescue a text that only scripts
hold (`rescue`), drop what the source's template taught (`template`), say what kind of page it is (`pagetype`) and
whether all of it is there (`access`).
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
from crawler.extraction.choice import choose, drop_standfirst, vote
from crawler.extraction.images import images
from crawler.extraction.model import agreement
from crawler.extraction.pagetype import Verdict, View, page_type
from crawler.extraction.rules import drop_rules
from crawler.extraction.segment import Piece, segment
from crawler.extraction.template import Template, drop_template
from crawler.items import Access, Block, Extraction, Image, Post
from crawler.text import key

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


def prepared(html: bytes, url: str | None = None, *, source: Source | None = None, appeals: bool = True) -> Work | None:
    """All that comes before the model decides. None for what is not HTML.

    Training starts from here, also without looking for `appeals`: the model is to know a letter that no rule knows.
    """
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
    _drop(pieces, fields, source, appeals=appeals)
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
        return Extraction(page_type="no_content", page_type_confidence=1.0)
    choose(work.pieces, work.voted)
    confidence = agreement(work.pieces, work.voted)
    liveblog.keep(work.pieces)
    drop_standfirst(work.pieces, work.fields.description)
    pieces = _rescued(work, source)
    blocks = drop_template(_ledger(pieces), template, work.fields.headline)
    return _extraction(work, pieces, blocks, confidence, source)


def _extraction(
    work: Work, pieces: list[Piece], blocks: tuple[Block, ...], confidence: float | None, source: Source | None
) -> Extraction:
    """All that is known of a page, put together."""
    fields = work.fields
    access = observed_access(pieces, work.nodes, free=fields.is_accessible_for_free)
    kind = _page_type(work, pieces, access)
    fields.evidence["page_type"] = kind.evidence
    body = "\n".join(block.text for block in blocks if block.kept)
    return Extraction(
        headline=fields.headline,
        authors=fields.authors,
        published_at=fields.published.at if fields.published else None,
        published_raw=fields.published.raw if fields.published else None,
        published_zone_assumed=bool(fields.published and fields.published.zone_assumed),
        modified_at=fields.modified.at if fields.modified else None,
        modified_raw=fields.modified.raw if fields.modified else None,
        language=fields.language or metadata.language_of(body) or (source.language if source else None),
        section=fields.section,
        tags=fields.tags,
        description=fields.description,
        canonical_url=fields.canonical_url,
        images=work.pictures,
        is_accessible_for_free=fields.is_accessible_for_free,
        site_name=fields.site_name,
        page_type=kind.type,
        page_type_confidence=kind.confidence,
        access=access,
        confidence=confidence,
        posts=work.posts,
        blocks=blocks,
        evidence=fields.evidence,
    )


def _page_type(work: Work, pieces: list[Piece], access: Access) -> Verdict:
    return page_type(
        View(
            tree=work.tree,
            pieces=pieces,
            nodes=work.nodes,
            url=work.url,
            headline=work.fields.headline,
            published=work.fields.evidence.get("published_at", ""),
            access=access,
            posts=len(work.posts),
        )
    )


def _drop(pieces: list[Piece], fields: metadata.Fields, source: Source | None, *, appeals: bool = True) -> None:
    titles = {key(title) for title in fields.titles}
    for piece in pieces:
        if piece.level == 1 or (piece.words > 2 and key(piece.text) in titles):
            piece.drop("headline", "headline-repeated")
        elif piece.kind == "caption" or ("figure" in piece.tags and piece.kind == "paragraph" and piece.words < 80):
            piece.drop("caption", "figure-caption")
    site = fields.site_name or (source.name if source else "")
    drop_rules(pieces, site, source.boilerplate if source else ())
    drop_bylines(pieces, fields.authors, site)
    if appeals:
        drop_appeals(pieces, site, fields.headline, fields.language or (source.language if source else None))
    spread(pieces)
    _drop_link_farm(pieces)


def _rescued(work: Work, source: Source | None) -> list[Piece]:
    """The blocks, or those of the page's data when the tree holds next to no text."""
    shown = " ".join(piece.text for piece in work.pieces if piece.kept)
    if len(shown) >= rescue.MIN_TEXT:
        return work.pieces
    found = rescue.pieces(work.tree, work.fields.headline, shown)
    if found is None:
        return work.pieces
    rescued, work.fields.evidence["body"] = found
    _drop(rescued, work.fields, source)
    for piece in rescued:
        piece.kept = not piece.reason
    return [piece for piece in work.pieces if piece.reason != "outside" and not piece.kept] + rescued


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
