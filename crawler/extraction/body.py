"""The only place that knows trafilatura: parsing a page, and asking which of its text is the article."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from lxml.etree import _Element as Element
from lxml.html import HtmlElement
from trafilatura import bare_extraction
from trafilatura.settings import Document
from trafilatura.utils import load_html

from crawler.extraction.segment import Piece
from crawler.text import key as letters

# It logs every page that has no text; we store that as the page's outcome.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
logging.getLogger("htmldate").setLevel(logging.CRITICAL)

_OUTPUT_BLOCKS = frozenset(("p", "head", "quote", "item", "row", "ab", "code", "cell"))
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_SOUND = re.compile(r"[^\x00-\x7f\ufffd]")  # a character of more than one byte
_BREAKS = re.compile(r"(?:<br[ /]*>\s*){3,}", re.IGNORECASE)  # two end a paragraph as well as a million do
MANY_BREAKS = 5_000
SHINGLE = 8  # characters
MAX_COMPARISONS = 300_000  # of lines with blocks on one page: half a second
SEARCH_WINDOW = 60  # blocks; an unmatched line is looked for near the last match before anywhere else


def parse(html: bytes) -> Element | None:
    """The page's tree, or None for what is not HTML. Bytes are UTF-8 if they can be, else what the page declares."""
    text = decode(html.replace(b"\0", b""))
    if text.count("<br") > MANY_BREAKS:
        text = _BREAKS.sub("<br><br>", text)
    return None if not text.strip() else load_html(text)


def decode(html: bytes) -> str:
    """UTF-8 when the bytes allow it: the header and meta of real sites are wrong more often than their bytes."""
    try:
        return html.decode("utf-8-sig")
    except UnicodeDecodeError:
        declared = _CHARSET.search(html[:4096])
    if declared and declared[1].lower() not in (b"utf-8", b"utf8"):
        try:
            return html.decode(declared[1].decode("ascii"), "replace")
        except (LookupError, UnicodeError):  # some codecs of Python are no charsets: "idna", "undefined"
            pass
    text = html.decode("utf-8", "replace")
    # A few broken bytes in UTF-8 stay a few broken characters; where they outnumber the sound ones it was none.
    return text if text.count("\ufffd") <= len(_SOUND.findall(text)) else html.decode("cp1252", "replace")


def article_lines(tree: Element, url: str | None) -> list[str]:
    """The article's text as trafilatura sees it, a line for each block. The tree is left as it was.

    Its comparison with readability and justext is left out: 1.3 times the cost, and the model does better.
    """
    page = cast(HtmlElement, tree)
    document = bare_extraction(page, url=url, with_metadata=False, include_comments=False, fast=True)
    if not isinstance(document, Document) or document.body is None:
        return []
    return list(_lines(document.body))


def _lines(body: Element) -> Iterator[str]:
    for element in body.iter(*_OUTPUT_BLOCKS):
        own = [element.text or ""]
        for child in element.iterdescendants():
            if child.tag in _OUTPUT_BLOCKS or _inside_block(child, element):
                own.append((child.tail or "") if child.getparent() is element else "")
            else:
                own += [child.text or "", " " if child.tag == "lb" else "", child.tail or ""]
        line = "".join(own).strip()
        if line:
            yield line
        if element.tail and element.tail.strip():
            yield element.tail.strip()


def _inside_block(child: Element, element: Element) -> bool:
    parent = child.getparent()
    while parent is not None and parent is not element:
        if parent.tag in _OUTPUT_BLOCKS:
            return True
        parent = parent.getparent()
    return False


def mark_kept(pieces: Sequence[Piece], lines: Iterable[str]) -> None:
    """Map the voter's lines onto the blocks by text and position: what is found is kept.

    An equal block after the last match comes first, then any equal one; a line that is no block's equal keeps the
    blocks that it contains or that contain it (a paragraph split by `<br>`, two cells that became one line).
    """
    keys = [letters(piece.text) for piece in pieces]
    where: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        if key and not pieces[index].reason:
            where.setdefault(key, []).append(index)
    dropped = {key for key, piece in zip(keys, pieces, strict=True) if piece.reason}
    last, budget = -1, [MAX_COMPARISONS]
    for key in filter(None, map(letters, lines)):
        equal = [i for i in where.get(key, ()) if not pieces[i].kept]
        if equal:
            last = next((i for i in equal if i > last), equal[0])
            pieces[last].kept = True
        elif key not in where and key not in dropped:
            last = _keep_parts(pieces, keys, key, last, budget)


def _keep_parts(pieces: Sequence[Piece], keys: list[str], line: str, last: int, budget: list[int]) -> int:
    near = range(max(0, last - SEARCH_WINDOW), min(len(pieces), last + SEARCH_WINDOW))
    for window in (near, range(len(pieces))):
        budget[0] -= len(window)
        if budget[0] < 0:
            return last
        found = [i for i in window if keys[i] and not pieces[i].reason and _overlap(keys[i], line)]
        if found:
            for i in found:
                pieces[i].kept = True
            return found[-1]
    return last


def _overlap(block: str, line: str) -> bool:
    """One holds the other, or they share most of their shingles: ruby, footnotes and tooltips differ."""
    if block in line:
        return len(block) >= 12 or len(block) * 2 >= len(line)
    if line in block:
        return len(line) * 2 >= len(block)
    if not 0.5 < len(block) / len(line) < 2 or len(line) < 2 * SHINGLE:
        return False
    ours, theirs = _shingles(block), _shingles(line)
    return len(ours & theirs) * 2 >= min(len(ours), len(theirs))


def _shingles(key: str) -> set[str]:
    return {key[at : at + SHINGLE] for at in range(len(key) - SHINGLE + 1)}
