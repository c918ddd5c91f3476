"""RSS, Atom, sitemaps and robots.txt. `base` is always the publication's absolute URL without a slash at its end."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from tests.site.article import Article
from tests.site.publication import Publication

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
SITEMAP = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
NEWS = 'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'


def rss(publication: Publication, base: str, articles: Iterable[Article], extra: Sequence[str] = ()) -> bytes:
    """RSS 2.0. `extra` are paths of what is no article and listed all the same."""
    items = "".join(_rss_item(article, base) for article in articles)
    items += "".join(f"<item><title>{path}</title><link>{base}{path}</link></item>" for path in extra)
    return (
        f'{XML}<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{escape(publication.name)}</title><link>{base}/</link><description>News</description>"
        f"<language>{publication.language}</language>{items}</channel></rss>"
    ).encode()


def _rss_item(article: Article, base: str) -> str:
    link = escape(base + article.path + article.publication.feed_query)
    creators = "".join(f"<dc:creator>{escape(name)}</dc:creator>" for name in article.authors)
    return (
        f"<item><title>{escape(article.headline)}</title><link>{link}</link>"
        f'<guid isPermaLink="false">{article.publication.key}:{article.slug}</guid>{creators}'
        f"<pubDate>{format_datetime(article.published)}</pubDate><category>{escape(article.section)}</category>"
        f"<description>{escape(article.standfirst or '')}</description></item>"
    )


def atom(publication: Publication, base: str, articles: Iterable[Article], updated: datetime) -> bytes:
    """Atom 1.0, with the instant of each article's last change."""
    entries = "".join(
        f'<entry><id>tag:{article.publication.key},2026:{article.slug}</id><link href="{escape(base + article.path)}"/>'
        f"<title>{escape(article.headline)}</title><published>{article.published.isoformat()}</published>"
        f"<updated>{article.updated.isoformat()}</updated></entry>"
        for article in articles
    )
    return (
        f'{XML}<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{publication.language}"><id>{base}/</id>'
        f"<title>{escape(publication.name)}</title><updated>{updated.isoformat()}</updated>"
        f'<link rel="self" href="{base}/atom.xml"/>{entries}</feed>'
    ).encode()


def sitemap_index(base: str, paths: Iterable[str], updated: datetime) -> bytes:
    entries = "".join(
        f"<sitemap><loc>{base}{path}</loc><lastmod>{updated.isoformat()}</lastmod></sitemap>" for path in paths
    )
    return f"{XML}<sitemapindex {SITEMAP}>{entries}</sitemapindex>".encode()


def news_sitemap(base: str, articles: Iterable[Article]) -> bytes:
    """A sitemap with Google's news: fields."""
    entries = "".join(
        f"<url><loc>{escape(base + article.path)}</loc><lastmod>{article.updated.isoformat()}</lastmod><news:news>"
        f"<news:publication><news:name>{escape(article.publication.name)}</news:name>"
        f"<news:language>{article.language}</news:language></news:publication>"
        f"<news:publication_date>{article.published.isoformat()}</news:publication_date>"
        f"<news:title>{escape(article.headline)}</news:title></news:news></url>"
        for article in articles
    )
    return f"{XML}<urlset {SITEMAP} {NEWS}>{entries}</urlset>".encode()


def sitemap(base: str, entries: Iterable[tuple[str, datetime]]) -> bytes:
    """A sitemap of paths and the instants of their last change."""
    urls = "".join(
        f"<url><loc>{escape(base + path)}</loc><lastmod>{changed.isoformat()}</lastmod></url>"
        for path, changed in entries
    )
    return f"{XML}<urlset {SITEMAP}>{urls}</urlset>".encode()


def gzipped_sitemap(base: str, entries: Iterable[tuple[str, datetime]]) -> bytes:
    """The same as sitemap.xml.gz."""
    return gzip.compress(sitemap(base, entries), mtime=0)


def robots(prefixes: Iterable[str], sitemaps: Iterable[str]) -> bytes:
    """robots.txt for the publications below `prefixes` ("" for one that has its host to itself)."""
    rules = "".join(f"Disallow: {prefix}/private/\n" for prefix in prefixes)
    return f"User-agent: *\n{rules}\n{''.join(f'Sitemap: {url}{chr(10)}' for url in sitemaps)}".encode()
