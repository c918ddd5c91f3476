"""The next article, appended below the first one for endless scrolling, is not this page's: it is cut off.

It is another article only when it has a headline of the first one's rank, enough running text, and something that only
an article of its own has: a date, a byline, an address. Sections of one long article have none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from lxml.etree import _Element as Element

from crawler.extraction.places import is_within
from crawler.extraction.segment import Piece
from crawler.text import key

LEAST_WORDS = 80  # of running text in each of the two; a teaser has fewer
SENTENCE_WORDS = 12
ADDRESSES = (
    "data-url", "data-href", "data-permalink", "data-canonical-url", "data-article-url", "data-link", "itemid",
    "data-page-url", "data-canonical", "data-path",
)  # fmt: skip
_BOUNDARIES = ("html", "body", "main")


def drop_appended(pieces: Sequence[Piece], url: str | None, headline: str | None = None) -> bool:
    """Drop the blocks of articles that follow the page's own; whether there were any."""
    titles = [at for at, piece in enumerate(pieces) if piece.level and piece.level <= 2]
    first = _first(pieces, titles, headline)
    if first is None:
        return False
    titles = [at for at in titles if at > first and _of_rank(pieces[at], pieces[first])]
    starts = _starts(pieces, first, titles, url) if titles else []
    for piece in pieces[starts[0].start : starts[-1].stop] if starts else ():
        if not piece.reason:
            piece.drop("related", "appended-article")
    return bool(starts)


def _first(pieces: Sequence[Piece], titles: Sequence[int], headline: str | None) -> int | None:
    """The page's own headline; the first h1 may be the publication's name."""
    ones = [at for at in titles if pieces[at].level == 1]
    own = key(headline or "")
    return next((at for at in ones if key(pieces[at].text) == own), None) if own else next(iter(ones), None)


def _of_rank(title: Piece, first: Piece) -> bool:
    """An h1, or the heading of an `<article>` that looks like the first one's."""
    if title.level == 1:
        return True
    article, own = _article(title.element), _article(first.element)
    if article is None or own is None or article in (own, *own.iterancestors()) or own in article.iterancestors():
        return False
    return bool(own.get("class")) and article.get("class") == own.get("class")


def _article(element: Element) -> Element | None:
    return next(element.iterancestors("article"), None)


def _starts(pieces: Sequence[Piece], first: int, titles: Sequence[int], url: str | None) -> list[range]:
    """The spans of the other articles, each with a title of its own."""
    if _prose(pieces[first : titles[0]]) < LEAST_WORDS:
        return []
    spans = []
    for at, after in zip(titles, [*titles[1:], len(pieces)], strict=True):
        box, span = _box(pieces, at, after)
        if _prose(pieces[at : span.stop]) >= LEAST_WORDS and _is_other(pieces[at], box, pieces[first], url):
            spans.append(span)
    return spans


def _box(pieces: Sequence[Piece], at: int, after: int) -> tuple[Element, range]:
    """The largest element around a title that holds no running text before it, and its blocks.

    When that is the headline alone, the blocks up to the next headline.
    """
    box, low, high = pieces[at].element, at, at + 1
    for parent in (box, *box.iterancestors()):
        start, stop = low, high
        while start > 0 and is_within(pieces[start - 1], parent):
            start -= 1
            if _prose(pieces[start : start + 1]) or pieces[start].level == 1:
                return box, range(low, high if high - low > 1 else after)
        while stop < len(pieces) and is_within(pieces[stop], parent):
            stop += 1
        box, low, high = parent, start, stop
        if parent.tag in _BOUNDARIES:
            break
    return box, range(low, high)


def _prose(pieces: Sequence[Piece]) -> int:
    return sum(
        piece.words
        for piece in pieces
        if piece.words >= SENTENCE_WORDS and piece.link_density < 0.3 and piece.kind in ("paragraph", "quote")
    )


def _is_other(title: Piece, box: Element, first: Piece, url: str | None) -> bool:
    """Whether a headline's surroundings name an article of their own. The same headline again is the same article."""
    if key(title.text) == key(first.text):
        return False
    if _linked_away(title.element, url):
        return True
    if box is title.element:  # a headline in the flow of the first article
        return False
    if any(_is_away(box.get(name), url) for name in ADDRESSES):
        return True
    return _signed(box) and (box.tag == "article" or next(box.iter("article"), None) is not None)


def _linked_away(element: Element, url: str | None) -> bool:
    links = [*element.iter("a"), *(parent for parent in element.iterancestors("a"))]
    return any(_is_away(link.get("href"), url) for link in links)


def _is_away(address: str | None, url: str | None) -> bool:
    if not address or address.startswith(("#", "javascript:", "mailto:")) or "/" not in address:
        return False
    path = urlsplit(address).path.rstrip("/")
    return bool(path) and (url is None or path != urlsplit(url).path.rstrip("/"))


def _signed(box: Element) -> bool:
    """A date or a byline inside."""
    if next(box.iter("time"), None) is not None:
        return True
    for element in box.iter("a", "span", "div", "p", "address"):
        if element.get("rel") == "author" or element.get("itemprop") in ("author", "datePublished"):
            return True
    return False
