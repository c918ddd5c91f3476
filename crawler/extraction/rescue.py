"""The text of pages that hold it only as data: JSON-LD's articleBody, the state that the page's script would render,
or the content of a `<noscript>` or `<template>`.

Used only when the tree itself has next to no article: articleBody is there on a quarter of pages and usable on half of
those, so it is a rescue and not a source. `state` reads the scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from lxml.etree import _Element as Element

from crawler.extraction import jsonld, state
from crawler.extraction.body import parse
from crawler.extraction.segment import Piece, segment
from crawler.text import key

MIN_TEXT = 200  # characters; a shorter string is a teaser
LABEL = 8  # words; fewer in a paragraph are a label
SENTENCE = 60  # characters of a kept text that the data must hold too: else it is another article's
_MARKUP = re.compile(r"<(?:p|div|br|h[1-6]|li)\b", re.IGNORECASE)


def pieces(tree: Element, headline: str | None = None, shown: str = "") -> tuple[list[Piece], str] | None:
    """The blocks of the article's text found as data, all kept, and where it was; None when there is none.

    headline: what the article's data should name too. shown: what the tree has of the text.
    """
    stem = key(shown)[:SENTENCE] if len(shown) >= SENTENCE else ""
    for where, sure, found in _candidates(tree, headline):
        length = sum(len(piece.text) for piece in found if piece.link_density < 0.5)
        if length >= MIN_TEXT and (sure or stem in key("".join(piece.text for piece in found))):
            for piece in found:
                piece.kept = True
            return found, where
    return None


def _candidates(tree: Element, headline: str | None) -> Iterator[tuple[str, bool, list[Piece]]]:
    """(where, whether it is surely this page's, blocks), most trusted first; made only when asked for."""
    bodies = [text for node in jsonld.nodes(tree) if (text := _body(node))]
    if bodies:
        yield "jsonld:articleBody", True, _blocks(max(bodies, key=len))
    for tag in ("noscript", "template"):
        yield tag, False, [piece for element in tree.iterfind(f".//{tag}") for piece in _prose(element)]
    for one in state.texts(tree, headline):
        yield "page-state", one.named, _blocks(one.text)


def _body(node: jsonld.Node) -> str | None:
    return jsonld.text(node.get("articleBody")) if jsonld.types(node) & jsonld.ARTICLE_TYPES else None


def _prose(element: Element) -> list[Piece]:
    """Without what menus and labels are made of: no voter has looked at it."""
    found = [piece for piece in segment(element) if piece.link_density < 0.3 and (piece.level or piece.words >= LABEL)]
    return found if sum(len(piece.text) for piece in found) >= MIN_TEXT else []


def _blocks(text: str) -> list[Piece]:
    markup = text if _MARKUP.search(text) else "".join(f"<p>{escape(line.strip())}</p>" for line in text.splitlines())
    tree = parse(f"<html><body><div>{markup}</div></body></html>".encode("utf-8", "replace"))
    return [] if tree is None else segment(tree)
