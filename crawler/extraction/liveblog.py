"""The posts of a live blog, told apart: by the page's own record, or by the repeated containers that hold a time each.

A page pays for this only when its record, address or title calls it live.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import unescape
from itertools import pairwise

from lxml.etree import _Element as Element

from crawler.dates import parse_instant
from crawler.extraction import jsonld
from crawler.extraction.segment import Piece
from crawler.extraction.signs import calls_itself_live
from crawler.items import Post
from crawler.text import key, without_tags

MAX_POSTS = 1_000
LEAST_POSTS = 3  # without a record that says so, two boxes with a time are no live blog
LEAST_WORDS = 12  # of running text in the middle one of the entries; fewer is a list of headlines
STEM = 40  # letters that make a post's text known again
MAX_DEPTH = 40
LABEL_WORDS = 5
_TIME = re.compile(r"(?:\d{1,2}[.:h]\d{2}(?:[.:]\d{2})?)\s*(?:[ap]\.?m\.?|uhr|h|kl|ч)?\b", re.IGNORECASE)
_KINDS = ("paragraph", "heading", "list", "quote", "table")


@dataclass(frozen=True, kw_only=True)
class Update:
    """A post as the page's JSON-LD has it."""

    headline: str | None
    published_at: datetime | None
    url: str | None
    text: str

    @property
    def anchor(self) -> str:
        return (self.url or "").rpartition("#")[2] if "#" in (self.url or "") else ""

    @cached_property
    def title(self) -> str:
        return key(self.headline or "")

    @cached_property
    def stem(self) -> str:
        return key(self.text)[:STEM]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A post as the tree has it: its element and the indices of its blocks."""

    element: Element
    blocks: range


def posts(tree: Element, pieces: list[Piece], nodes: Sequence[jsonld.Node], url: str | None = None) -> tuple[Post, ...]:
    """The posts in the page's order; gives each block the index of its post.

    Those of a page that shows none are the record's.

    Call it before anything leaves the tree, and `keep` once the voters have spoken.
    """
    updates = _updates(nodes)
    if not updates and not calls_itself_live(tree, nodes, url):
        return ()
    marks = _located(tree, pieces, updates) or _timed(tree, pieces)
    entries = _entries(marks, pieces, least=2 if updates else LEAST_POSTS)
    left = list(updates)
    found = [_post(entry, index, pieces, left) for index, entry in enumerate(entries)]
    return tuple(found or _only_recorded(left, pieces, tree))


def keep(pieces: Sequence[Piece]) -> None:
    """Recover the text of posts that the voters left out; what a rule dropped stays dropped."""
    for piece in pieces:
        if piece.post is None or piece.kept or piece.reason not in (None, "outside") or piece.kind not in _KINDS:
            continue
        if piece.link_density < 0.5 and (piece.words > LABEL_WORDS or (piece.kind == "heading" and piece.words > 1)):
            piece.kept, piece.reason, piece.rule = True, None, None


# -- the record ----------------------------------------------------------------------------------------------------


def _updates(nodes: Sequence[jsonld.Node]) -> list[Update]:
    found: list[Update] = []
    for node in nodes:
        given = node.get("liveBlogUpdate") or ()
        for one in (given if isinstance(given, list) else [given])[:MAX_POSTS]:
            if isinstance(one, dict):
                found.append(_update(one))
    return list(dict.fromkeys(found))


def _update(node: jsonld.Node) -> Update:
    headline, body = jsonld.text(node.get("headline") or node.get("name")), jsonld.text(node.get("articleBody"))
    return Update(
        headline=unescape(headline) if headline else None,
        published_at=_instant(jsonld.text(node.get("datePublished"))),
        url=jsonld.text(node.get("url")) or jsonld.text(node.get("@id")),
        text=unescape(without_tags(body, "\n")) if body else "",
    )


def _instant(raw: str | None) -> datetime | None:
    found = parse_instant(raw) if raw else None
    return found.at if found and not found.day_only else None


def _only_recorded(left: Iterable[Update], pieces: list[Piece], tree: Element) -> list[Post]:
    """All posts of a page that leaves them to a script: their text is the record's, behind what the page shows.

    Where the tree holds some, those are what a reader sees, and the record's hundreds of older ones are not added.
    """
    shown = "".join(key(piece.text) for piece in pieces)
    added: list[Post] = []
    for update in left:
        if not update.stem or update.stem in shown:
            continue
        lines = [("heading", update.headline)] if update.headline else []
        lines += [("paragraph", line.strip()) for line in update.text.split("\n") if line.strip()]
        for kind, text in lines:
            piece = Piece("heading" if kind == "heading" else "paragraph", " ".join(text.split()), tree)
            piece.post, piece.level = len(added), 3 if kind == "heading" else None
            pieces.append(piece)
        added.append(Post(headline=update.headline, published_at=update.published_at, url=update.url))
    return added


# -- the tree ------------------------------------------------------------------------------------------------------


def _located(tree: Element, pieces: Sequence[Piece], updates: Sequence[Update]) -> list[Element]:
    """Where the record's posts stand: by their anchor, their headline or their first words."""
    if not updates:
        return []
    anchors = {update.anchor for update in updates if update.anchor}
    by_id = [element for element in tree.iterfind(".//*[@id]") if element.get("id") in anchors] if anchors else []
    if len(by_id) >= 2 and all(_text_in(element) for element in by_id[:3]):
        return by_id
    headlines = {update.title for update in updates if update.headline}
    stems = {update.stem for update in updates if len(update.stem) > 10}
    titled = [piece.element for piece in pieces if piece.level and key(piece.text) in headlines]
    return titled if len(titled) >= 2 else [piece.element for piece in pieces if key(piece.text)[:STEM] in stems]


def _text_in(element: Element) -> bool:
    return any(text.strip() for text in map(str, element.itertext()))


def _timed(tree: Element, pieces: Sequence[Piece]) -> list[Element]:
    labels = [piece.element for piece in pieces if _TIME.match(piece.text) and (piece.words < 9 or piece.level)]
    return list(tree.iter("time")) + labels


def _entries(marks: Sequence[Element], pieces: Sequence[Piece], least: int) -> list[Entry]:
    """The elements of one list that hold a mark each, of all lists those with the most text."""
    lists: dict[Element, dict[Element, None]] = defaultdict(dict)
    for mark in marks[: 4 * MAX_POSTS]:
        child = mark
        for _, parent in zip(range(MAX_DEPTH), mark.iterancestors(), strict=False):
            if "comment" in f"{parent.get('class') or ''} {parent.get('id') or ''}".lower():
                break
            lists[parent][child] = None
            child = parent
    spans = _spans(pieces)
    best: list[Entry] = []
    for parent, children in lists.items():
        if len(children) >= max(least, len(best) // 2):
            entries = _of_list(parent, list(children), spans)
            if _is_live(entries, pieces, least) and _words(entries, pieces) > _words(best, pieces):
                best = entries
    return best


def _spans(pieces: Sequence[Piece]) -> dict[Element, range]:
    """Element -> the blocks inside it."""
    first: dict[Element, int] = {}
    last: dict[Element, int] = {}
    for index, piece in enumerate(pieces):
        for element in (piece.element, *piece.element.iterancestors()):
            first.setdefault(element, index)
            last[element] = index
    return {element: range(first[element], last[element] + 1) for element in first}


def _of_list(parent: Element, children: list[Element], spans: dict[Element, range]) -> list[Entry]:
    """Containers, or in a flat list all that stands between one mark and the next."""
    own = [(spans[child].start, child) for child in children if child in spans]
    own.sort(key=lambda pair: pair[0])
    ends = [start for start, _ in own[1:]] + [spans[parent].stop] if own else []
    flat = all(len(spans[child]) < 2 for _, child in own)
    return [
        Entry(element=child, blocks=range(start, end) if flat else spans[child])
        for (start, child), end in zip(own, ends, strict=True)
    ]


def _is_live(entries: Sequence[Entry], pieces: Sequence[Piece], least: int) -> bool:
    if len(entries) < least or any(a.blocks.stop > b.blocks.start for a, b in pairwise(entries)):
        return False
    words = sorted(_words([entry], pieces) for entry in entries)
    return words[len(words) // 2] >= LEAST_WORDS


def _words(entries: Iterable[Entry], pieces: Sequence[Piece]) -> int:
    return sum(
        pieces[at].words
        for entry in entries
        for at in entry.blocks
        if pieces[at].link_density < 0.5 and not pieces[at].level and pieces[at].words > LABEL_WORDS
    )


def _post(entry: Entry, index: int, pieces: Sequence[Piece], left: list[Update]) -> Post:
    inside = [pieces[at] for at in entry.blocks]
    for piece in inside:
        piece.post = index
    title = next((piece.text for piece in inside if piece.level), None)
    known = _match(entry, inside, left)
    if known:
        left.remove(known)
        return Post(headline=known.headline or title, published_at=known.published_at, url=known.url)
    times = (_instant(element.get("datetime")) for element in entry.element.iter("time"))
    return Post(headline=title, published_at=next((at for at in times if at), None))


def _match(entry: Entry, inside: Sequence[Piece], left: Sequence[Update]) -> Update | None:
    ids = {element.get("id") for element in entry.element.iterfind(".//*[@id]")} | {entry.element.get("id")}
    keys = {key(piece.text) for piece in inside}
    stems = {text[:STEM] for text in keys}
    for update in left:
        if (update.anchor and update.anchor in ids) or (update.headline and update.title in keys):
            return update
    return next((update for update in left if update.stem and update.stem in stems), None)
