"""Where a source keeps its feeds and sitemaps, from its home page and its robots.txt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lxml import etree

from crawler.urls import canonical_url

MAX_ROBOTS = 500 * 1024  # bytes; RFC 9309 asks for as many at least

# application/json is not among them: WordPress announces its own interface so.
_FEED_TYPES = frozenset(
    {
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
        "application/rss+xml",
        "application/xml",
        "text/xml",
    }
)
_COMMENTS = re.compile(r"/comments/(?:feed|default)/?$")
_SITEMAP = re.compile(r"^[ \t]*sitemap[ \t]*:[ \t]*([^\s#]+)", re.IGNORECASE | re.MULTILINE)


def feeds_and_sitemaps(html: bytes, url: str) -> list[str]:
    """URLs of the feeds and sitemaps that a page's <link> elements name, in its order, each once; of comments none."""
    tree = _tree(html)
    if tree is None:
        return []
    base = next((canonical_url(element.get("href"), url) for element in tree.iter("base")), None) or url
    return lists_among((dict(element.attrib) for element in tree.iter("link")), base)


def lists_among(links: Iterable[Mapping[str, str]], base: str) -> list[str]:
    """The same of <link> elements that were read already, by their attributes."""
    named = (link.get("href") or "" for link in links if _names_a_list(link))
    return _canonical((link for link in named if not _COMMENTS.search(link)), base)


def sitemaps_from_robots(body: bytes, url: str) -> list[str]:
    """URLs of the sitemaps that a robots.txt names, in its order, each once."""
    text = body[:MAX_ROBOTS].decode("utf-8-sig", "replace").replace("\r", "\n")
    return _canonical(_SITEMAP.findall(text), url)


def _tree(html: bytes) -> etree._Element | None:
    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        return etree.fromstring(html.replace(b"\0", b""), parser)
    except etree.XMLSyntaxError:  # an empty page
        return None


def _names_a_list(link: Mapping[str, str]) -> bool:
    relations = (link.get("rel") or "").lower().split()
    kind = (link.get("type") or "").partition(";")[0].strip().lower()
    return "sitemap" in relations or ("alternate" in relations and kind in _FEED_TYPES)


def _canonical(urls: Iterable[str], base: str) -> list[str]:
    found = (canonical_url(url, base) for url in urls)
    return list(dict.fromkeys(url for url in found if url))
