"""What was run, found and fetched."""

from __future__ import annotations

from crawler.store.models import Crawl, Listing, Page, Url
from crawler.store.views.view import View, made, own

CRAWLS = View(
    name="crawls",
    comment="The runs of the crawler.",
    columns=(
        *own("c", Crawl, "id spider sources arguments host version started_at finished_at outcome reason stats"),
        made(
            "duration",
            "interval",
            "From start to end, or till now",
            "coalesce(c.finished_at, now()) - c.started_at",
        ),
    ),
    origin="FROM crawls c",
)

URLS = View(
    name="urls",
    comment="Every page that was ever found, and what became of it.",
    columns=(
        *own("u", Url, "id source url state reason detail found_in attempts found_at fetched_at"),
        *own("u", Url, "not_before published_at article_id", not_before="due_at"),
    ),
    origin="FROM urls u",
)

LISTINGS = View(
    name="listings",
    comment="The feeds, sitemaps, sections and home pages in which sources announce articles.",
    columns=(
        *own("l", Listing, "id source url kind parent outcome detail failures entries gave found_at checked_at"),
        *own("l", Listing, "changed_at not_before", not_before="due_at"),
    ),
    origin="FROM listings l",
)

PAGES = View(
    name="pages",
    comment="What was fetched, without the bytes: a row for each version (`scrapy pages save` writes the bytes).",
    columns=(
        *own("p", Page, "id"),
        *own("u", Url, "article_id source"),
        *own("p", Page, "url fetched_at status outcome detail html_bytes"),
        made("stored_bytes", "integer", "Its length in bytes as stored, compressed", "octet_length(p.html_zstd)"),
        *own("p", Page, "rights crawl_id"),
    ),
    origin="FROM pages p LEFT JOIN urls u ON u.id = p.url_id",
)
