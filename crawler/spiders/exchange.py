"""What goes out with a request, and what of an answer's head is kept."""

from __future__ import annotations

from typing import Any

from scrapy.http import Response

from crawler.sources import Source
from crawler.spiders import fetches
from crawler.spiders.fetches import Lost

_ENDS = (b"</rss>", b"</feed>", b"</rdf:RDF>", b"</urlset>", b"</sitemapindex>", b"</html>", b"}")


def validators(response: Response) -> tuple[str | None, str | None]:
    """ETag and Last-Modified of an answer; none of one whose end may be missing: the next one would be a 304."""
    if "partial" in response.flags and not response.body.rstrip().endswith(_ENDS):
        return None, None
    found = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
    etag, last_modified = (value.decode("latin-1") if value else None for value in found)
    return etag, last_modified


def options(source: Source, *, listing: bool = False) -> dict[str, Any]:
    """What a seed asks of whoever downloads an article or, `listing`, a section, as Request.meta."""
    wanted: dict[str, Any] = {"source": source.id} | ({} if source.verify_tls else {"verify_tls": False})
    return wanted | ({"render": True} if (source.render_listings if listing else source.render) else {})


def judged_listing(response: Response) -> Lost | None:
    """None for a feed, sitemap or section page that can be read: what it is, its reader says."""
    lost = fetches.judged(response)
    return None if lost is not None and lost.outcome == "not_html" else lost
