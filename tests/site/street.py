"""Many papers behind one port, each with a host of its own, for scenarios that need more hosts than loopback has.

    python -m tests.site.street [--papers 40] [--articles 20] [--publish-every 10] [--log FILE] [--seeds DIR]

Reached as a proxy (`http_proxy`), or where *.localhost resolves as http://NAME.localhost:PORT/. A paper is one of the
three layouts of tests/site with generated articles. With `publish_every` half of them are out at the start, then one
more every so many seconds: what is dated later than now is not out yet. A paper that has not changed answers 304.

The log has a line of JSON for each request, with the names that newsweb's has: t, host, path, status, art.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.site import feeds, pages
from tests.site.article import Article
from tests.site.generated import VARIANTS, Generated, chrome
from tests.site.publication import PAPERS
from tests.site.server import Request, Resource, Server

ANNOUNCED = 50  # articles in a feed
XML = "application/xml; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a full crawl must have found, and since when it could."""

    id: str
    url: str
    released: datetime


class Paper:
    """One host. Number 0 is the newest article; `spacing` is the time between two of them."""

    def __init__(self, host: str, turn: int, articles: int, ahead: int, start: datetime, spacing: timedelta) -> None:
        self.host, self.base, self.spacing = host, f"http://{host}", spacing
        self.start = start
        numbers = range(turn * articles, (turn + 1) * articles)  # no two papers print the same
        self.newest = start + ahead * spacing + numbers.start * spacing
        self.generated = Generated(PAPERS[turn % len(PAPERS)], numbers, self.newest, spacing)

    def out(self, now: datetime) -> range:
        """The numbers that are out, the newest first."""
        numbers = self.generated.numbers
        ahead = -((now - self.newest) // self.spacing)  # of those that would have been, had they begun with 0
        return numbers[max(0, ahead - numbers.start) :]

    def printed(self) -> Iterator[Printed]:
        """All of them, whether they are out or not."""
        for number in self.generated.numbers:
            path = self.generated.path(number)
            yield Printed(f"{self.host}/{number}", self.base + path, max(self.start, self.generated.published(number)))

    def find(self, path: str, now: datetime) -> tuple[Resource | None, str]:
        """What is at `path`, and the id of the article that it is."""
        numbers, publication = self.out(now), self.generated.publication
        if (number := self.generated.find(path)) is not None:
            return (self._article(number), f"{self.host}/{number}") if number in numbers else (None, "")
        newest = self.generated.published(numbers[0])

        def recent() -> list[Article]:
            return [self.generated.article(n) for n in numbers[:ANNOUNCED]]

        made = {
            "/": (lambda: self._home(recent()), HTML),
            "/latest": (lambda: self._home(recent()), HTML),
            "/atom.xml": (lambda: feeds.atom(publication, self.base, recent(), newest), "application/atom+xml"),
            "/rss.xml": (lambda: feeds.rss(publication, self.base, recent()), "application/rss+xml; charset=utf-8"),
            "/robots.txt": (lambda: feeds.robots([""], [f"{self.base}/sitemap.xml"]), "text/plain; charset=utf-8"),
            "/sitemap.xml": (lambda: self._sitemap(numbers), XML),
        }.get(path)
        if made is None:
            return None, ""
        body, kind = made
        return Resource(body=body, content_type=kind, etag=f'"{numbers.start}"', modified=newest), ""

    def _article(self, number: int) -> Resource:
        language = self.generated.publication.language

        def body() -> bytes:
            around = chrome(language, self.base, number % VARIANTS)
            return pages.article_page(self.generated.article(number), self.base, around).encode()

        return Resource(body=body, etag=f'"g{number}"', modified=self.generated.published(number))

    def _home(self, articles: list[Article]) -> bytes:
        feed = f'<link rel="alternate" type="application/rss+xml" href="{self.base}/rss.xml">'
        page = pages.plain_page(self.generated.publication, self.base, self.host, pages.teasers(articles, self.base))
        return page.replace("<head>", f"<head>{feed}", 1).encode()

    def _sitemap(self, numbers: range) -> bytes:
        entries = ((self.generated.path(n), self.generated.published(n)) for n in numbers)
        return feeds.sitemap(self.base, entries)


class Street:
    """Serves the papers while the context is open."""

    def __init__(
        self,
        papers: int,
        articles: int,
        *,
        publish_every: float = 0.0,
        latency: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        start, ahead = datetime.now(UTC), articles // 2 if publish_every else 0
        spacing = timedelta(seconds=publish_every or 180)
        made = (Paper(f"paper{n}.test", n, articles, ahead, start, spacing) for n in range(papers))
        self.papers = {paper.host: paper for paper in made}
        self._log = log.open("a", buffering=1) if log else None
        self._server = Server(self._handle, port, host=host, latency=latency)

    @property
    def port(self) -> int:
        return self._server.port

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.__exit__(kind, error, tb)
        if self._log:
            self._log.close()

    def printed(self) -> list[Printed]:
        """All articles of all papers."""
        return [one for paper in self.papers.values() for one in paper.printed()]

    def _handle(self, request: Request) -> Resource:
        host = request.headers.get("host", "").partition(":")[0].replace(".localhost", ".test")
        paper = self.papers.get(host)
        if paper is None and request.path in ("/printed.json", "/_newsweb/stats"):
            return self._told()
        found, art = paper.find(request.path, datetime.now(UTC)) if paper else (None, "")
        resource = found or Resource(body=lambda: b"<h1>Not found</h1>", status=404)
        if self._log:
            status = 304 if resource.status == 200 and resource.unchanged(request.headers) else resource.status
            row = {"t": time.time(), "dur": 0.0, "host": host, "path": request.path, "status": status}
            self._log.write(json.dumps(row | {"ua": request.headers.get("user-agent", ""), "art": art}) + "\n")
        return resource

    def _told(self) -> Resource:
        rows = [{"id": one.id, "url": one.url, "released": one.released.timestamp()} for one in self.printed()]
        return Resource(body=lambda: json.dumps(rows).encode(), content_type="application/json")


def write_seeds(directory: Path, hosts: list[str], more: str = "") -> None:
    """A seed with nothing but the home page for each host, and the lines of `more`."""
    directory.mkdir(parents=True, exist_ok=True)
    for host in hosts:
        name = host.replace(".", "_").replace("-", "_")
        (directory / f"{name}.yaml").write_text(f"name: {host}\nhomepage: http://{host}/\n{more}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.site.street", description="Serve many small papers.")
    parser.add_argument("--papers", type=int, default=40)
    parser.add_argument("--articles", type=int, default=20, help="of each paper")
    parser.add_argument("--publish-every", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before each answer")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--log", type=Path, help="access log, appended to")
    parser.add_argument("--seeds", type=Path, metavar="DIR", help="write a seed for each paper")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Street(
        options.papers,
        options.articles,
        publish_every=options.publish_every,
        latency=options.latency,
        host=options.host,
        port=options.port,
        log=options.log,
    ) as street:
        if options.seeds:
            write_seeds(options.seeds, list(street.papers))
        print(f"http://{options.host}:{street.port}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
