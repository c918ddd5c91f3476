from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.homepage import feeds_and_sitemaps, sitemaps_from_robots

HOME = "https://herald.example/"


def test_links_of_a_home_page() -> None:
    html = b"""<!DOCTYPE html><html><head><meta charset="utf-8">
        <link rel="alternate" type="application/rss+xml" href="/rss?utm_source=home" title="All">
        <LINK REL="Alternate Home" TYPE="application/atom+xml; charset=utf-8" HREF="https://herald.example/atom">
        <link rel="alternate" type="application/feed+json" href="feed.json">
        <link rel="sitemap" type="application/xml" href="/sitemap.xml">
        <link rel="alternate" type="application/rss+xml" href="/rss">
        <link rel="alternate" type="application/rss+xml" href="/comments/feed/">
        <link rel="alternate" type="application/json" href="/wp-json/">
        <link rel="alternate" type="application/json+oembed" href="/oembed">
        <link rel="alternate" hreflang="de" href="/de">
        <link rel="stylesheet" type="text/xml" href="/x.css">
        <link rel="alternate" type="application/rss+xml" href="javascript:x">
        <link rel="alternate" type="application/rss+xml">
        </head><body><p>News</body></html>"""
    assert feeds_and_sitemaps(html, HOME) == [
        "https://herald.example/rss",
        "https://herald.example/atom",
        "https://herald.example/feed.json",
        "https://herald.example/sitemap.xml",
    ]


def test_links_start_at_the_base_element() -> None:
    html = b'<base href="/en/"><link rel=alternate type=application/rss+xml href=rss>'
    assert feeds_and_sitemaps(html, HOME) == ["https://herald.example/en/rss"]


def test_a_page_without_links() -> None:
    for html in (b"", b" ", b"\x00", b"text", b"<!-- x -->", b"<html></html>"):
        assert feeds_and_sitemaps(html, HOME) == []


def test_robots() -> None:
    body = (
        b"\xef\xbb\xbfSitemap: https://herald.example/a.xml\r\nUser-agent: *\r\nDisallow: /x\r\n"
        b"SITEMAP : /b.xml.gz # daily\r  sitemap:https://herald.example/c.xml\n"
        b"Sitemap: https://herald.example/a.xml\n# Sitemap: /no.xml\nSitemap:\nNot-sitemap: /no.xml\n"
    )
    assert sitemaps_from_robots(body, "https://herald.example/robots.txt") == [
        "https://herald.example/a.xml",
        "https://herald.example/b.xml.gz",
        "https://herald.example/c.xml",
    ]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_survived(body: bytes) -> None:
    sitemaps_from_robots(b"Sitemap: " + body, HOME)
    feeds_and_sitemaps(body, HOME)
    feeds_and_sitemaps(b'<link rel=alternate type=text/xml href="' + body, HOME)
