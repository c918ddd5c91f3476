"""Whatever bytes come, extract() answers; it reads no files and pulls in neither Scrapy nor a database."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from crawler.extraction import extract, jsonld
from crawler.items import Extraction
from tests.extraction.pages import PARAGRAPHS, URL, page

TAGS = [
    b"<p>",
    b"</p>",
    b"<div class=x>",
    b"<table><tr>",
    b"<a href='",
    b"<script type='application/ld+json'>{",
    b"<!--",
]


@given(st.binary(max_size=400))
def test_no_bytes_raise(html: bytes) -> None:
    assert isinstance(extract(html, "https://post.example/"), Extraction)


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(TAGS), st.binary(max_size=20)), max_size=30))
def test_no_broken_markup_raises(parts: list[bytes]) -> None:
    html = b"<html><head><meta charset=latin1></head><body>" + b"".join(parts)
    found = extract(html, None)
    assert found.body == "\n".join(block.text for block in found.blocks if block.kept)


@pytest.mark.parametrize("html", [b"", b" \n", b"\0\0", b"%PDF-1.7 \xff\xfe", b'{"json": true}', b"\x89PNG\r\n", b"<"])
def test_what_is_no_page_has_an_empty_body(html: bytes) -> None:
    assert extract(html, "https://post.example/x").blocks == ()


def test_nul_bytes_are_left_out() -> None:
    html = page(PARAGRAPHS).replace(b"tunnel", b"tun\0nel")
    assert extract(html, URL).body == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize(
    "declared", [b"iso-8859-1", b"utf-16", b"no-such-charset", b"undefined", b"rot13", b"hex", b"idna"]
)
def test_utf8_wins_over_a_wrong_charset(declared: bytes) -> None:
    html = page(PARAGRAPHS).replace(b'charset="utf-8"', b'charset="' + declared + b'"')
    assert extract(html, URL).body == "\n".join(PARAGRAPHS)


def test_a_declared_charset_that_is_right() -> None:
    text = page(PARAGRAPHS).decode().replace("utf-8", "windows-1252")
    assert extract(text.encode("cp1252", "replace"), URL).body == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize("declared", ["undefined", "rot13", "hex", "idna", "punycode", "utf-16", "utf-32", "zip"])
def test_a_charset_that_is_no_charset(declared: str) -> None:
    html = f'<html><head><meta charset="{declared}"></head><body><p>Fünf'.encode("cp1252")
    assert isinstance(extract(html), Extraction)


def test_lone_surrogates_do_not_get_through() -> None:
    html = page(PARAGRAPHS).replace(b"tunnel", b"&#xD800;tunnel\xed\xa0\x80")
    found = extract(html, URL)
    (found.body + (found.headline or "")).encode()


def test_a_page_of_50_000_links_takes_seconds() -> None:
    links = "".join(f'<li><a href="/{n}">Link number {n} of very many</a></li>' for n in range(50_000))
    began = time.process_time()
    extract(f"<html><body><h1>Many</h1><ul>{links}</ul></body></html>".encode(), "https://post.example/many")
    assert time.process_time() - began < 10


def with_record(record: object, paragraphs: Sequence[str] = PARAGRAPHS) -> bytes:
    text = (
        record if isinstance(record, str) else json.dumps({"@type": "NewsArticle", **cast(dict[str, object], record)})
    )
    return page(paragraphs).replace(b"</head>", f'<script type="application/ld+json">{text}</script></head>'.encode())


def nested(opening: str, closing: str, depth: int) -> str:
    return f'{{"@type": "NewsArticle", "headline": {opening * depth}"x"{closing * depth}}}'


def with_state(state: object) -> bytes:
    text = f'<script id="state" type="application/json">{json.dumps(state)}</script></body>'
    return page(()).replace(b"</body>", text.encode())


NESTED = json.loads("[" * 600 + "]" * 600)
# Each takes a moment where time grows with length, minutes where it grows with the square.
AUTHORS = {
    "one word": "a" * 500_000,
    "an endless tail": "Jane" + " on" * 200_000,
    "brackets": "(" * 500_000,
    "blanks": "a" + " " * 500_000 + "b",
    "addresses": "a@" * 200_000,
    "many": ["Jane Doe"] * 20_000,
}
RECORDS: dict[str, object] = {
    "a body of less-than signs": {"articleBody": "<" * 500_000},
    "a body of blanks": {"articleBody": "x" + " " * 500_000 + "y"},
    "a post of less-than signs": {"@type": "LiveBlogPosting", "liveBlogUpdate": [{"articleBody": "<a" * 300_000}] * 2},
    "broken, with blanks": '{"@type":"NewsArticle",' + " " * 500_000 + "x",
    "wrapped": "//<![CDATA[" + " " * 500_000 + "{} //]]>",
    "numbers": "[" + "1," * 400_000 + "1]",
    "lists of lists": "[" + "[1]," * 400_000 + "[1]]",
    "lists 400 deep": nested("[", "]", 400),
    "lists 600 deep": nested("[", "]", 600),
    "lists 900 deep": nested("[", "]", 900),
    "names 600 deep": nested('{"name":', "}", 600),
    "fields of lists": dict.fromkeys(("wordCount", "isAccessibleForFree", "author", "image", "datePublished"), NESTED),
}
STATES: dict[str, object] = {
    "blocks": [{"type": "paragraph", "text": "word " * 20, "children": [{"text": "word"}]} for _ in range(15_000)],
    "too many blocks": [{"type": "paragraph", "text": "word " * 20} for _ in range(40_000)],
    "markup of less-than signs": {"body": "<p>" + "<" * 500_000},
    "tags without an end": {"body": [{"type": "paragraph", "text": text} for text in ("<" + "a" * 500_000, "x")]},
    "small things": {"body": [[1], {}] * 300_000},
}  # fmt: skip


@pytest.mark.parametrize("author", AUTHORS.values(), ids=AUTHORS.keys())
def test_no_author_takes_long(author: object) -> None:
    assert extract(with_record({"author": author}), URL).body
    assert extract(with_record({"author": {"name": author}}), URL).body


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
def test_no_record_takes_long(record: object) -> None:
    assert extract(with_record(record), URL).body
    assert isinstance(extract(with_record(record, ()), URL), Extraction)


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_no_state_takes_long(state: object) -> None:
    assert isinstance(extract(with_state(state), URL), Extraction)


def test_an_element_with_very_many_attributes() -> None:
    marks = " ".join(f"a{number}=1" for number in range(5_000))
    assert isinstance(extract(f"<html><body><p {marks}>{PARAGRAPHS[0]}".encode(), URL), Extraction)


def recorded(text: str) -> list[jsonld.Node]:
    tree = etree.fromstring("<html><script type='application/ld+json'/></html>")
    tree[0].text = text
    return jsonld.nodes(tree)


def test_the_outer_records_come_first() -> None:
    inner = {"@type": "WebPage", "mainEntity": {"@type": "Article"}}
    found = recorded(json.dumps([{"@type": "Organization"}, {"@graph": [[inner], {"@type": "Person"}]}]))
    assert [node.get("@type") for node in found] == ["Organization", None, "WebPage", "Person", "Article"]


@pytest.mark.parametrize("text", ['//<![CDATA[\n{"a": 1}\n//]]>', '<!-- {"a": 1}; -->', '{"a": 1};', '{"a": [1,],}'])
def test_json_in_what_publishers_wrap_it(text: str) -> None:
    assert [list(node) for node in recorded(text)] == [["a"]]


def test_body_is_the_kept_blocks() -> None:
    found = extract(page(PARAGRAPHS), URL)
    assert found.body == "\n".join(block.text for block in found.blocks if block.kept)
    assert all(block.reason and block.rule for block in found.dropped)
    assert all(block.reason is None for block in found.blocks if block.kept)


def test_it_is_deterministic() -> None:
    assert extract(page(PARAGRAPHS), URL) == extract(page(PARAGRAPHS), URL)


def test_it_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    extract(page(PARAGRAPHS), URL)  # rules and lists are read once

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    assert extract(page(PARAGRAPHS), URL).body


def test_importing_it_imports_neither_scrapy_nor_a_database() -> None:
    code = (
        "import sys, crawler.extraction as e; e.extract(b'<p>x');"
        "print({'scrapy', 'sqlalchemy', 'psycopg', 'twisted'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
