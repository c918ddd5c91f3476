"""Text that sits only in a page's data is found, keeps its kinds, and never replaces what the page shows."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from crawler.extraction import extract
from crawler.items import Extraction
from tests.extraction.pages import HEADLINE, PARAGRAPHS, URL

MARKUP = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)
TITLED = {"headline": HEADLINE, "id": 7}
RICH = {
    "nodeType": "document",
    "content": [
        {"nodeType": "paragraph", "content": [{"nodeType": "text", "value": text}]}  # a document's nodes hold nodes
        for text in PARAGRAPHS
    ],
}
SPANS = [
    {
        "_type": "block",
        "style": "normal",
        "children": [{"_type": "span", "text": part} for part in (text[:9], text[9:])],
    }
    for text in PARAGRAPHS
]
DATA = [{"type": "paragraph", "data": {"text": text}} for text in PARAGRAPHS]
ELEMENTS = [["$", "p", str(n), {"children": text}] for n, text in enumerate(PARAGRAPHS)]
PROPS = {"props": {"pageProps": {"article": {**TITLED, "body": MARKUP}}}}
TEASERS = [{"type": "teaser", "text": "Something else that happened far away. " * 9}] * 9


def page(script: str, body: str = "<div id='root'></div>") -> Extraction:
    head = f"<title>{HEADLINE}</title><meta property='og:title' content='{HEADLINE}'>"
    return extract(f"<html><head>{head}</head><body>{body}{script}</body></html>".encode(), URL)


def script(code: str, kind: str = "") -> str:
    return f"<script {kind}>{code}</script>"


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def streamed(value: Any) -> str:
    row = f"1:null\n2a:{json.dumps(value)}\n"
    parts = [row[at : at + 700] for at in range(0, len(row), 700)]
    return "".join(script(f"self.__next_f.push({dumped([1, part])})") for part in parts)


BLOCKS = [{"type": "paragraph", "text": text} for text in PARAGRAPHS]
STATES = [
    script(dumped(PROPS), "id='__NEXT_DATA__' type='application/json'"),
    script(f"window.__STATE__ = {dumped({'a': {**TITLED, 'content': BLOCKS}, 'more': TEASERS})};"),
    script(f"window.__STATE__=JSON.parse({dumped(json.dumps({**TITLED, 'content': BLOCKS}))});"),
    script(f"var config = {{}}, x = {dumped([1, 2])}; load({dumped({**TITLED, 'doc': RICH})})"),
    script(f"window.data = {dumped({**TITLED, 'portable': SPANS})}"),
    script(f"window.data = {dumped({**TITLED, 'paragraphs': list(PARAGRAPHS)})}"),
    script(f"window.data = {dumped({**TITLED, 'articleText': chr(10).join(PARAGRAPHS)})}"),
    script(f"window.data = {dumped({**TITLED, 'blocks': DATA})}"),
    streamed({**TITLED, "content": BLOCKS}),
    streamed(["$", "div", None, {"children": ELEMENTS}]),
    script(dumped({"@type": "NewsArticle", "articleBody": "\n".join(PARAGRAPHS)}), "type='application/ld+json'"),
    f"<noscript><article><h2>Tunnel</h2>{MARKUP}</article></noscript>",
    f"<template><article>{MARKUP}</article></template>",
]  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_the_text_is_found(state: str) -> None:
    found = page(state)
    assert [block.text for block in found.blocks if block.kept and block.kind == "paragraph"] == list(PARAGRAPHS)
    assert found.evidence["body"] in ("page-state", "jsonld:articleBody", "noscript", "template")


def test_kinds_are_kept() -> None:
    blocks = [
        *BLOCKS[:2],
        {"type": "heading", "text": "What it costs"},
        {"type": "list", "items": [{"text": "Eleven kilometres of tunnel"}, {"text": "Two portals in the rock"}]},
        {"type": "image", "text": "Chief engineer Odile Varn at the northern portal."},
        *BLOCKS[2:],
    ]
    found = page(script(f"window.data = {dumped({**TITLED, 'content': blocks})}"))
    kinds = [block.kind for block in found.blocks if block.kept]
    assert kinds == ["paragraph"] * 2 + ["heading"] + ["list"] * 2 + ["paragraph"] * 4
    assert "northern portal." not in found.body


def test_the_record_with_the_pages_headline_wins_over_a_longer_one() -> None:
    other = {"headline": "Ferries are sold", "body": "".join(f"<p>{text * 2} Ferry.</p>" for text in PARAGRAPHS)}
    found = page(script(f"window.data = {dumped([other, {**TITLED, 'body': MARKUP}])}"))
    assert found.body == "\n".join(PARAGRAPHS)


def test_a_short_article_is_not_replaced_by_anothers_text() -> None:
    other = {"headline": "Ferries are sold", "body": MARKUP}
    short = "The ferry at Karst stays in port today because of the wind, the company said this morning."
    found = page(
        script(f"window.data = {dumped(other)}"), f"<article><h1>Ferry stays in port</h1><p>{short}</p></article>"
    )
    assert found.body == short


def test_an_article_in_the_tree_is_left_alone() -> None:
    found = page(STATES[0].replace("tunnel", "TUNNEL"), f"<article><h1>{HEADLINE}</h1>{MARKUP}</article>")
    assert found.body == "\n".join(PARAGRAPHS)
    assert "body" not in found.evidence


@pytest.mark.parametrize(
    "code",
    [
        "x=" + "[" * 200_000,
        "x=" + '{"a":' * 50_000 + "1" + "}" * 50_000,
        "x=[" + ",".join('{"type":"paragraph","text":"a"}' for _ in range(60_000)) + "]",
        "([" * 50_000,
        '__next_f.push([1,"' + "0:T" * 30_000 + '"])',
        '__next_f.push([1,"0:T99999999,x"])' * 200,
        "JSON.parse('{" * 20_000,
    ],
)
def test_hostile_state_is_bounded(code: str) -> None:
    began = time.process_time()
    page(script(code))
    assert time.process_time() - began < 3
