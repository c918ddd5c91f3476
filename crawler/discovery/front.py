"""What a page tells of the publication that it belongs to: its head, its JSON-LD, the feeds that it links to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree

from crawler.discovery.measures import measures
from crawler.text import one_line
from crawler.urls import canonical_url, same_site

MAX_NODES = 2_000  # of a page's JSON-LD
MAX_LINKS = 5_000
_PUBLISHERS = frozenset({"NewsMediaOrganization", "Organization", "Newspaper", "Periodical", "WebSite"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """All as the page writes it."""

    url: str
    title: str | None = None
    site_name: str | None = None
    publishers: tuple[str, ...] = ()  # of its JSON-LD
    language: str | None = None
    locale: str | None = None
    countries: tuple[str, ...] = ()  # of addresses in its JSON-LD
    feed_links: tuple[str, ...] = ()
    links: tuple[str, ...] = ()  # on the same site, in its order, each once


def front(html: bytes, url: str) -> Front:
    """Read a page; an empty one for what is not HTML."""
    tree = _tree(html)
    if tree is None:
        return Front(url=url)
    links = _links(tree, url)
    nodes = list(islice(_nodes(tree), MAX_NODES))
    root = tree.getroottree().getroot()
    return Front(
        url=url,
        title=one_line("".join(tree.xpath("string((//title)[1])"))),
        site_name=_meta(tree, "og:site_name") or _meta(tree, "application-name"),
        publishers=tuple(dict.fromkeys(_publishers(nodes))),
        language=root.get("lang") or root.get("xml:lang"),
        locale=_meta(tree, "og:locale"),
        countries=tuple(country for node in nodes if isinstance(country := node.get("addressCountry"), str)),
        feed_links=tuple(link for link in links if measures().feed.search(urlsplit(link).path)),
        links=tuple(link for link in links if same_site(link, url)),
    )


def homepages(page: Front) -> list[str]:
    """Where the page's publication may have its home page, the likeliest first: the root, or a folder above the page
    that the page links to, for publications that share a host."""
    above = [link for link in page.links if link.endswith("/") and page.url.startswith(link)]
    return list(dict.fromkeys([urljoin(page.url, "/"), *sorted(above, key=len)]))


def _tree(html: bytes) -> etree._Element | None:
    encoding = "utf-8" if _is_utf8(html) else None  # else what the page declares
    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, encoding=encoding)
    try:
        return etree.fromstring(html.replace(b"\0", b""), parser)
    except etree.XMLSyntaxError:  # an empty page
        return None


def _is_utf8(html: bytes) -> bool:
    try:
        html.decode()
    except UnicodeDecodeError:
        return False
    return True


def _meta(tree: etree._Element, name: str) -> str | None:
    return next(
        (
            found
            for one in tree.iter("meta")
            if name in (one.get("property"), one.get("name")) and (found := one_line(one.get("content")))
        ),
        None,
    )


def _links(tree: etree._Element, url: str) -> list[str]:
    given = (element.get("href") for element in islice(tree.iter("a"), MAX_LINKS))
    return list(dict.fromkeys(link for href in given if (link := canonical_url(href, url))))


def _nodes(tree: etree._Element) -> Iterator[dict[str, Any]]:
    """Every object of the page's JSON-LD, however deep."""
    pending: list[Any] = []
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or ""):
            try:
                pending.append(json.loads(script.text or "", strict=False))
            except (ValueError, RecursionError):
                continue
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
        pending += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _publishers(nodes: list[dict[str, Any]]) -> Iterator[str]:
    """Names of publishers first, then of organisations that nothing calls a publisher."""
    given = [node["publisher"] for node in nodes if isinstance(node.get("publisher"), dict)]
    for node in [*given, *(node for node in nodes if node.get("@type") in _PUBLISHERS or _is_one(node))]:
        if isinstance(node.get("name"), str) and (name := one_line(node["name"])):
            yield name


def _is_one(node: dict[str, Any]) -> bool:
    kinds = node.get("@type")
    return isinstance(kinds, list) and any(kind in _PUBLISHERS for kind in kinds if isinstance(kind, str))
