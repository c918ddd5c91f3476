"""Full or truncated only where something proves it; the publisher's claim alone is no proof."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import html as lxml_html

from crawler.extraction import extract
from crawler.extraction.access import observed_access
from crawler.extraction.segment import Piece
from crawler.items import Access
from tests.extraction.pages import PARAGRAPHS, URL

DIV = lxml_html.fragment_fromstring("<div></div>")
GATE = "Subscribe to continue reading"


def text(number: int = 6, end: str = "") -> list[Piece]:
    found = [Piece("paragraph", words, DIV, kept=True) for words in PARAGRAPHS[:number]]
    found[-1].text += end
    return found


def gate(words: str = GATE, name: str = "") -> Piece:
    element = lxml_html.fragment_fromstring(f"<div class='{name}'></div>")
    return Piece("paragraph", words, element, reason=None if name else "paywall", rule="x")


def record(**fields: Any) -> list[dict[str, Any]]:
    return [{"@type": "NewsArticle", **fields}]


WORDS = sum(piece.words for piece in text())


@pytest.mark.parametrize(
    ("pieces", "nodes", "free", "expected"),
    [
        (text(), [], None, "unknown"),
        (text(), [], False, "unknown"),
        (text(), [], True, "full"),
        (text(), record(wordCount=WORDS), None, "full"),
        (text(), record(articleBody=" ".join(PARAGRAPHS)), None, "full"),
        (text(), record(wordCount=str(WORDS * 4)), None, "unknown"),
        (text(2), record(wordCount=WORDS * 4), False, "truncated"),
        ([*text(2), gate()], [], None, "truncated"),
        ([*text(2), gate()], [], False, "truncated"),
        ([*text(6), gate()], [], False, "unknown"),
        ([*text(6), gate()], record(wordCount=WORDS * 3), False, "truncated"),
        ([*text(6, " and …"), gate()], [], None, "truncated"),
        ([*text(6), gate("58 % of this article are left to read")], [], None, "truncated"),
        ([*text(2), gate("Join the paper", "regwall-box")], [], None, "truncated"),
        (text(2, " The minister…"), [], False, "truncated"),
        ([gate()], [], False, "truncated"),
        ([], [], None, "unknown"),
    ],
)  # fmt: skip
def test_what_is_seen(pieces: list[Piece], nodes: list[dict[str, Any]], free: bool | None, expected: Access) -> None:
    assert observed_access(pieces, nodes, free=free) == expected


def test_a_gate_far_below_the_text_is_not_the_texts_end() -> None:
    menu = [Piece("paragraph", "Menu", DIV) for _ in range(9)]
    assert observed_access([*text(2), *menu, gate()], [], free=None) == "unknown"


@pytest.mark.parametrize("count", ["", "many", None, [], {"a": 1}, "99999999999", "-5", "١٢٣"])
def test_a_broken_word_count_says_nothing(count: Any) -> None:
    assert observed_access(text(), record(wordCount=count), free=None) == "unknown"


def test_a_stub_is_a_page_type_of_its_own() -> None:
    data = json.dumps(
        {"@type": "NewsArticle", "headline": "Tunnel", "datePublished": "2026-03-05", "isAccessibleForFree": False}
    )
    body = f"<article><h1>Tunnel</h1><div><p>{PARAGRAPHS[0]}</p></div><div class='box'><p>{GATE}</p></div></article>"
    found = extract(f"<html><head><script type='application/ld+json'>{data}</script></head><body>{body}".encode(), URL)
    assert (found.access, found.page_type, found.is_accessible_for_free) == ("truncated", "paywall_stub", False)
    assert found.body == PARAGRAPHS[0]
