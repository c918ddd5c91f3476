"""One publication while it is served: which resource answers at which path."""

from __future__ import annotations

import base64
import dataclasses
import functools
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

from tests.site import feeds, pages
from tests.site.article import Article, TextBlock
from tests.site.faults import pages as fault_pages
from tests.site.generated import NEWEST, VARIANTS, Generated, chrome
from tests.site.publication import FAULTS, Publication
from tests.site.server import Resource

XML_TYPE = "application/xml; charset=utf-8"
CHUNK = 5_000  # URLs in a gzipped sitemap
NEWS = 500  # generated articles in the news sitemap
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# Listed in the RSS feed although no article comes of them.
NOT_ARTICLES = {
    "herald": ("/private/minutes-of-the-board",),  # robots.txt forbids it
    "kurier": ("/region/zurueckgezogen.html",),  # 404
    "courrier": ("/article/2026-06-01/en-images",),  # a page without text
    "faults": ("/many-links", "/no-html", "/empty"),
}


class Edition:
    """A publication's articles and the pages made of them. `base` is its absolute URL, as the client asked for it."""

    def __init__(
        self, publication: Publication, articles: list[Article], generated: range, newest: datetime = NEWEST
    ) -> None:
        self.publication = publication
        self.articles = {article.path: article for article in articles}
        self.generated = Generated(publication, generated, newest)
        self.revision = 0
        self.updated = max((article.updated for article in articles), default=datetime(2026, 5, 1, tzinfo=UTC))
        self._rendered: dict[tuple[str, str], tuple[str, bytes]] = {}

    def edit(self, article: Article, paragraph: str) -> Article:
        """The article with one more paragraph, changed now."""
        now = datetime.now(article.published.tzinfo)
        blocks = (*article.blocks, TextBlock("p", (paragraph,)))
        edited = dataclasses.replace(article, blocks=blocks, modified=now, revision=article.revision + 1)
        self.articles[article.path] = edited
        self.revision, self.updated = self.revision + 1, now
        return edited

    def sitemaps(self) -> list[str]:
        """The paths of the sitemaps in the index."""
        chunks = -(-len(self.generated.numbers[NEWS:]) // CHUNK)
        return ["/news-sitemap.xml", *(f"/sitemaps/articles-{n}.xml.gz" for n in range(chunks + 1))]

    def find(self, path: str, base: str) -> Resource | None:
        """The resource at `path`, or None."""
        if self.publication is FAULTS and path in (faulty := _faults(base)):
            content_type, content = faulty[path]
            return Resource(body=lambda: content, content_type=content_type)
        if article := self.articles.get(path):
            render = functools.partial(_article, article, base)
            return self._resource(path, base, render, revision=article.revision, modified=article.updated)
        if (number := self.generated.find(path)) is not None:
            return self._generated(number, base)
        if render_page := self._pages(path, base):
            return self._resource(path, base, render_page, _content_type(path))
        return None

    def _resource(
        self,
        path: str,
        base: str,
        render: Callable[[], bytes],
        content_type: str = "text/html; charset=utf-8",
        *,
        revision: int | None = None,
        modified: datetime | None = None,
    ) -> Resource:
        revision = self.revision if revision is None else revision
        etag = f'"{zlib.crc32(path.encode()):08x}-{revision}"'
        body = functools.partial(self._render_once, path, base, etag, render)
        return Resource(body=body, content_type=content_type, etag=etag, modified=modified or self.updated)

    def _render_once(self, path: str, base: str, etag: str, render: Callable[[], bytes]) -> bytes:
        known, content = self._rendered.get((base, path), ("", b""))
        if known != etag:
            content = render()
            self._rendered[base, path] = (etag, content)
        return content

    def _generated(self, number: int, base: str) -> Resource:
        """Rendered anew each time: a hundred thousand pages of 70 KB would not fit into memory."""
        return Resource(
            body=lambda: _article(self.generated.article(number), base, number % VARIANTS),
            etag=f'"g{number}"',
            modified=self.generated.published(number),
        )

    def _pages(self, path: str, base: str) -> Callable[[], bytes] | None:
        """What renders the page, feed or sitemap at `path`; None for a path that is none."""
        paper, articles, extra = self.publication, list(self.articles.values()), NOT_ARTICLES[self.publication.key]
        if path.startswith("/sitemaps/") and path in self.sitemaps():
            return lambda: self._archive(int(path.removesuffix(".xml.gz").rpartition("-")[2]), base)
        if path.startswith("/images/"):
            return lambda: PIXEL
        table: dict[str, Callable[[], bytes]] = {
            "/": lambda: self._plain(base, paper.name, pages.teasers(articles, base)),
            "/latest": lambda: self._plain(base, "Latest", pages.teasers(articles, base)),
            "/about": lambda: self._plain(base, "About", f"<p>{paper.name} is printed on loopback.</p>"),
            "/rss.xml": lambda: feeds.rss(paper, base, articles, extra),
            "/pages.xml": lambda: feeds.rss(paper, base, articles, extra),
            "/atom.xml": lambda: feeds.atom(paper, base, articles, self.updated),
            "/sitemap.xml": lambda: feeds.sitemap_index(base, self.sitemaps(), self.updated),
            "/news-sitemap.xml": lambda: self._news(base),
        }
        if paper.key != "kurier":
            table |= dict.fromkeys(extra, lambda: self._plain(base, "Pictures", '<img src="/images/x.png" alt="">'))
        return table.get(path)

    def _plain(self, base: str, title: str, content: str) -> bytes:
        return pages.plain_page(self.publication, base, title, content).encode()

    def _news(self, base: str) -> bytes:
        """The newer half of the written articles and the first of the generated ones."""
        articles = list(self.articles.values())
        written = articles[: len(articles) // 2]
        return feeds.news_sitemap(base, written + [self.generated.article(n) for n in self.generated.numbers[:NEWS]])

    def _archive(self, chunk: int, base: str) -> bytes:
        """Chunk 0 is the older half of the written articles; then come the generated ones."""
        articles = list(self.articles.values())
        if chunk == 0:
            return feeds.gzipped_sitemap(base, ((a.path, a.updated) for a in articles[len(articles) // 2 :]))
        numbers = self.generated.numbers[NEWS:][(chunk - 1) * CHUNK : chunk * CHUNK]
        return feeds.gzipped_sitemap(base, ((self.generated.path(n), self.generated.published(n)) for n in numbers))


_faults = functools.cache(fault_pages)


def _article(article: Article, base: str, variant: int | None = None) -> bytes:
    around = ("", "") if variant is None else chrome(article.language, base, variant)
    return pages.article_page(article, base, around).encode()


def _content_type(path: str) -> str:
    endings = {".gz": "application/gzip", ".png": "image/png", "/rss.xml": "application/rss+xml; charset=utf-8"}
    endings |= {"/atom.xml": "application/atom+xml; charset=utf-8", ".xml": XML_TYPE}
    return next((kind for ending, kind in endings.items() if path.endswith(ending)), "text/html; charset=utf-8")
