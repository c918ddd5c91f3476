"""A newspaper whose articles have to be found: it names no feed but what a test wants, and links as real sites do.

    with Gazette(feeds=False, sitemaps=False) as paper:
        paper.url, paper.paths, paper.requests

The home page links tracked, short, AMP and print addresses beside the articles' own; sections have further pages; what
is no article (tags, authors, a login, an endless calendar) is linked like everywhere else.
"""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from tests.site.article import Article
from tests.site.generated import Generated
from tests.site.publication import PAPERS
from tests.site.server import Request, Resource, Server

SECTIONS = ("region", "business", "culture")
NEWEST = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
PAGE = 8  # articles on one page of a section
SITEMAP = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
OTHERS = ("/tag/harbour", "/author/nora-quill", "/login?next=%2F", "/about", "/search?q=latest", "/calendar/2026/9/")


class Gazette:
    """Serves `number` articles; `after` maps a path to what is answered there instead."""

    def __init__(
        self,
        number: int = 40,
        *,
        feeds: bool = False,
        sitemaps: bool = False,
        sections: bool = True,
        feed_size: int = 1_000,
    ) -> None:
        self.feeds, self.sitemaps, self.sections, self.feed_size = feeds, sitemaps, sections, feed_size
        self.requests: Counter[str] = Counter()
        self.conditional: Counter[str] = Counter()
        self.after: dict[str, Resource] = {}
        self._made = Generated(PAPERS[0], range(number))
        self._number = number
        self._server = Server(self._handle)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.__exit__(kind, error, tb)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def paths(self) -> list[str]:
        """Of the articles, the newest first."""
        return [self.path(number) for number in range(self._number)]

    def publish(self, number: int) -> None:
        """So many more articles, which are older than the others."""
        self._made = Generated(PAPERS[0], range(self._number + number))
        self._number += number

    def path(self, number: int) -> str:
        return f"/{self.section(number)}/{self.at(number):%Y/%m/%d}/{self.slug(number)}"

    def at(self, number: int) -> datetime:
        return NEWEST - timedelta(hours=7 * number)

    def section(self, number: int) -> str:
        return SECTIONS[number % len(SECTIONS)]

    def slug(self, number: int) -> str:
        return f"{'-'.join(self.article(number).headline.lower().split()[:6])}-{number}".replace("(", "").replace(
            ")", ""
        )

    def article(self, number: int) -> Article:
        return self._made.article(number)

    def article_requests(self) -> Counter[str]:
        """Answers with an article's page, under whatever address."""
        return Counter({path: n for path, n in self.requests.items() if self._number_at(path) is not None})

    # -- answers ------------------------------------------------------------------------------------------------------

    def _handle(self, request: Request) -> Resource:
        path = request.path
        found = self.after.get(path) or self._find(path)
        if found.unchanged(request.headers):
            self.conditional[path] += 1
        else:
            self.requests[path] += 1
        return found

    def _find(self, path: str) -> Resource:
        kind, _, rest = path[1:].partition("/")
        if path == "/robots.txt":
            sitemap = f"Sitemap: {self.url}/sitemap.xml\n" if self.sitemaps else ""
            return text(f"User-agent: *\nDisallow: /print/\nDisallow: /search\n{sitemap}", "text/plain")
        if path == "/":
            return text(self._home())
        if path == "/feed.xml" and self.feeds:
            return text(self._rss(), "application/rss+xml")
        if path == "/sitemap.xml" and self.sitemaps:
            return text(f"<sitemapindex {SITEMAP}><sitemap><loc>{self.url}/all.xml.gz</loc></sitemap></sitemapindex>")
        if path == "/all.xml.gz" and self.sitemaps:
            return packed(self._sitemap())
        if kind == "s" and rest.isdigit():
            return redirect(f"/r/{rest}")
        if kind == "r" and rest.isdigit():
            return redirect(self.path(int(rest)))
        if kind == "loop":
            return redirect(f"/loop/{int(rest) + 1}", 302)
        if kind in SECTIONS and rest in ("", *(f"page/{n}" for n in range(2, 99))):
            return text(self._section(kind, int(rest.rpartition("/")[2] or 1)))
        if kind == "calendar":
            month = int(rest.split("/")[1])
            return text(page("Calendar", f'<a href="/calendar/2026/{month + 1}/" rel="next">next</a>'))
        if f"/{kind}/" in ("/tag/", "/author/") or path in ("/login", "/about", "/search"):
            return text(page(kind, f"<h1>{kind}</h1>{self._teasers(range(3))}"))
        number = self._number_at(path)
        return text(self._article(number)) if number is not None else Resource(body=lambda: b"?", status=404)

    def _number_at(self, path: str) -> int | None:
        own = path.removeprefix("/amp").removeprefix("/print").rstrip("/")
        return next((n for n in range(self._number) if self.path(n) == own), None)

    def _home(self) -> str:
        head = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">' if self.feeds else ""
        nav = "".join(f'<li><a href="/{name}">{name.title()}</a></li>' for name in SECTIONS if self.sections)
        more = "".join(f'<a href="{path}">{path.strip("/")}</a> ' for path in OTHERS)
        top = self.path(0)
        dressed = (
            f'<li><a href="/print{top}">Print</a> <a href="/amp{top}">AMP</a> '
            f'<a href="{top}?utm_source=home#comments">Most read</a> <a href="/s/1">{self.article(1).headline}</a></li>'
        )
        body = f"<h1>Gazette</h1>{self._teasers(range(min(6, self._number)))}<ul>{dressed}</ul>{more}"
        return page("Gazette", f"<header><nav><ul>{nav}</ul></nav></header><main>{body}</main>", head)

    def _section(self, name: str, number: int) -> str:
        own = [n for n in range(self._number) if self.section(n) == name]
        shown = own[(number - 1) * PAGE : number * PAGE]
        older = f'<a rel="next" href="/{name}/page/{number + 1}">Older</a>' if number * PAGE < len(own) else ""
        return page(name, f"<main><h1>{name.title()}</h1>{self._teasers(shown)}<p>{older}</p></main>")

    def _teasers(self, numbers: range | list[int]) -> str:
        return "".join(
            f'<article><h2><a href="{self.path(n)}">{self.article(n).headline}</a></h2>'
            f'<time datetime="{self.at(n).isoformat()}"></time></article>'
            for n in numbers
        )

    def _article(self, number: int) -> str:
        made = self.article(number)
        paragraphs = "".join(f"<p>{block.text}</p>" for block in made.blocks if hasattr(block, "text"))
        head = (
            f'<meta property="og:type" content="article"><meta property="og:title" content="{made.headline}">'
            f'<meta property="article:published_time" content="{self.at(number).isoformat()}">'
            f'<link rel="canonical" href="{self.url}{self.path(number)}">'
        )
        return page(made.headline, f"<article><h1>{made.headline}</h1>{paragraphs}</article>", head)

    def _rss(self) -> str:
        items = "".join(
            f"<item><title>{self.article(n).headline}</title><link>{self.url}{self.path(n)}?utm_source=rss</link>"
            f"<pubDate>{self.at(n):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
            for n in range(min(self._number, self.feed_size))
        )
        return f'<rss version="2.0"><channel><title>Gazette</title>{items}</channel></rss>'

    def _sitemap(self) -> str:
        urls = [f"{self.url}{path}" for path in (*self.paths, "/about", *(f"/{name}" for name in SECTIONS))]
        return f"<urlset {SITEMAP}>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>"


def page(title: str, body: str, head: str = "") -> str:
    return f'<!doctype html><html lang="en"><head><title>{title}</title>{head}</head><body>{body}</body></html>'


def text(content: str, content_type: str = "text/html") -> Resource:
    """An answer whose ETag changes with it."""
    data = content.encode()
    return Resource(body=lambda: data, content_type=f"{content_type}; charset=utf-8", etag=f'"{hash(data):x}"')


def packed(content: str) -> Resource:
    data = gzip.compress(content.encode(), mtime=0)
    return Resource(body=lambda: data, content_type="application/gzip", etag=f'"{hash(data):x}"')


def redirect(to: str, status: int = 301) -> Resource:
    return Resource(body=lambda: b"moved", status=status, headers={"Location": to})
