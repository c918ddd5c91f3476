"""Whatever bytes come, extract() answers; it reads no files and pulls in neither Scrapy nor a database."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.extraction import extract
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
