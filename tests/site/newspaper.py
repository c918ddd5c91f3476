"""The newspaper house: a context manager that serves its publications on loopback.

    with Newspaper() as paper:
        paper.write_seeds(Path("seeds"))
        paper.articles[0].url, paper.articles[0].body

Every publication has its path prefix, http://127.0.0.1:PORT/herald/, and where *.localhost resolves its own host too,
http://herald.localhost:PORT/. robots.txt names the sitemaps only below a publication's own host: the shared one of
127.0.0.1 would offer every paper's articles to every source (`robots_sitemaps=True` asks for just that).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.site import feeds
from tests.site.article import Article, load
from tests.site.edition import Edition
from tests.site.faults import NUL_BYTES, WRONG_CHARSET
from tests.site.generated import NEWEST, Generated
from tests.site.publication import FAULTS, PAPERS, Publication
from tests.site.server import Request, Resource, Server


class Visit(NamedTuple):
    """A request that was answered; `time` is in seconds since 1970."""

    time: float
    path: str
    user_agent: str


class Newspaper:
    """Serves the publications; `many` adds that many generated articles, in turn to each of the three papers.

    The newest of them is of `newest`. `altered`, when it is set, makes of what a path would give what it gives instead.
    """

    def __init__(
        self,
        *,
        faults: bool = False,
        many: int = 0,
        port: int = 0,
        robots_sitemaps: bool = False,
        newest: datetime = NEWEST,
    ) -> None:
        self.requests: list[Visit] = []
        self.altered: Callable[[str, Resource], Resource] | None = None
        self.robots_sitemaps = robots_sitemaps
        self._server = Server(self._handle, port)
        written = load()
        self._editions = {
            paper.key: Edition(
                paper, [a for a in written if a.publication is paper], range(n, many, len(PAPERS)), newest
            )
            for n, paper in enumerate(PAPERS)
        }
        if faults:
            self._editions[FAULTS.key] = Edition(FAULTS, [NUL_BYTES, WRONG_CHARSET], range(0))

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.__exit__(kind, error, tb)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def publications(self) -> list[Publication]:
        return [edition.publication for edition in self._editions.values()]

    @property
    def articles(self) -> list[Article]:
        """The written articles as they stand now, with their URLs; neither generated nor faulty ones."""
        return [self._served(a) for paper in PAPERS for a in self._editions[paper.key].articles.values()]

    @property
    def generated(self) -> dict[str, Generated]:
        """Publication's key -> its generated articles, by number."""
        return {paper.key: self._editions[paper.key].generated for paper in PAPERS}

    def base(self, publication: Publication) -> str:
        """A publication's URL, without a slash at its end."""
        return f"{self.url}/{publication.key}"

    def article(self, slug: str) -> Article:
        """One written article. Raises KeyError for a slug that there is none of."""
        for article in self.articles:
            if article.slug == slug:
                return article
        raise KeyError(slug)

    def edit(self, slug: str, new_paragraph: str) -> Article:
        """Add a paragraph to an article: its ETag, `modified`, the feeds and the sitemaps change with it."""
        article = self.article(slug)
        edited = self._editions[article.publication.key].edit(dataclasses.replace(article, url=""), new_paragraph)
        return self._served(edited)

    def write_seeds(self, directory: Path) -> list[Path]:
        """One seed file for each publication that is served."""
        directory.mkdir(parents=True, exist_ok=True)
        return [self._write_seed(directory, publication) for publication in self.publications]

    def _write_seed(self, directory: Path, publication: Publication) -> Path:
        base = self.base(publication)
        seed = {
            "name": publication.name,
            "homepage": f"{base}/",
            "language": publication.language,
            "country": publication.country,
            "feeds": [base + feed for feed in publication.feeds],
            "sitemaps": [f"{base}/sitemap.xml"],
            "articles": {"deny": list(publication.deny)},
        }
        path = directory / f"{publication.stem}.yaml"
        lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in seed.items()]  # JSON is YAML
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def _served(self, article: Article) -> Article:
        return dataclasses.replace(article, url=self.base(article.publication) + article.path)

    def _handle(self, request: Request) -> Resource:
        resource = self._answer(request)
        return self.altered(request.path, resource) if self.altered else resource

    def _answer(self, request: Request) -> Resource:
        self.requests.append(Visit(time.time(), request.path, request.headers.get("user-agent", "")))
        if request.method not in ("GET", "HEAD"):
            return _error(405, "Method not allowed")
        host = request.headers.get("host", "")
        key = host.partition(".localhost")[0]
        if ".localhost" in host and key in self._editions:
            return self._find(key, request.path, f"http://{host}") or _error(404, "Not found")
        if request.path == "/robots.txt":
            return _text(feeds.robots((f"/{name}" for name in self._editions), self._shared_sitemaps()))
        _, _, rest = request.path.partition("/")
        key, slash, path = rest.partition("/")
        found = self._find(key, f"/{path}", f"{self.url}/{key}") if slash and key in self._editions else None
        return found or _error(404, "Not found")

    def _find(self, key: str, path: str, base: str) -> Resource | None:
        if path == "/robots.txt":
            return _text(feeds.robots([""], [f"{base}/sitemap.xml"]))
        return self._editions[key].find(path, base)

    def _shared_sitemaps(self) -> list[str]:
        return [f"{self.base(p)}/sitemap.xml" for p in self.publications] if self.robots_sitemaps else []


def _text(content: bytes) -> Resource:
    return Resource(body=lambda: content, content_type="text/plain; charset=utf-8")


def _error(status: int, message: str) -> Resource:
    content = f"<!DOCTYPE html><html><body><h1>{message}</h1></body></html>".encode()
    return Resource(body=lambda: content, status=status)
