"""Sources that never worked, crawled for real: a person is told why within the hour, and until then what is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from tests.post import serving
from tests.runs import Bench, cloned

PAGES = 8
FEED = "<rss version='2.0'><channel><title>x</title>{}</channel></rss>"
ITEM = "<item><title>Story {0}</title><link>{1}/{2}/2026/11/story-{0}</link></item>"
HOME = "<html><body><a href='/sound/2026/11/24/story-0'>The harbour bridge is closed until spring</a></body></html>"
ARTICLE = (
    "<html lang=en><head><title>Bridge</title></head><body><article><h1>Bridge</h1>"
    + "<p>The harbour bridge was closed on Monday for repairs that will take until the spring of next year.</p>" * 8
    + "</article></body></html>"
)
SOURCES = {  # name -> what of its seed is not the home page
    "mistyped": "",
    "walled": "feeds: [{url}/walled/rss]",
    "broken": "feeds: [{url}/broken/rss]",
    "unreadable": "feeds: [{url}/unreadable/rss]",
    "barren": "feeds: [{url}/barren/rss]",
    "dead": "",
}
LATER = """
UPDATE listings SET found_at = found_at - interval '55 min', not_before = now();
UPDATE source_days SET crawls = 3;
"""


class Site(BaseHTTPRequestHandler):
    """One host with a source of each kind below its paths."""

    def do_GET(self) -> None:
        url = f"http://{self.headers['Host']}"
        _, name, *rest = self.path.split("/")
        answers = {
            "walled": (403, "text/html", "Access denied"),
            "broken": (500, "text/html", "Oops"),
            "unreadable": (200, "text/html", "<html><body><p>Our feeds have moved.</p></body></html>"),
            "barren": (200, "text/html", "<html><head><title>x</title></head><body><div id=app></div></body></html>"),
        }
        status, kind, text = answers.get(name, (404, "text/html", "Not found"))
        if name == "sound":
            status, text = (200, ARTICLE) if rest[-1] == "story-0" else (200, HOME)
        if name == "barren" and rest == ["rss"]:
            items = "".join(ITEM.format(number, url, name) for number in range(PAGES))
            kind, text = "application/rss+xml", FEED.format(items)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """All sources ask at the same time."""

    request_queue_size = 64


@pytest.fixture(scope="module")
def bench(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    room = tmp_path_factory.mktemp("beginning")
    with cloned(server_url, template) as url, serving(Server(("127.0.0.1", 0), Site)) as server:
        bench = Bench(seeds=room, data_dir=room / "data", database_url=url)
        write_seeds(room, f"http://127.0.0.1:{server.server_port}")
        assert bench.crawl("news", "-s", "RETRY_BACKOFF_BASE=0.05").status == 0
        yield bench


def write_seeds(room: Path, url: str) -> None:
    for name, lists in SOURCES.items():
        home = "http://127.0.0.1:9/" if name == "dead" else f"{url}/{name}/"
        (room / f"{name}.yaml").write_text(f"name: {name}\nhomepage: {home}\n{lists.format(url=url)}\n")


def test_sources_that_never_worked(bench: Bench) -> None:
    """Crawled once, a minute ago: nothing is wrong, and what is known is said. After three crawls: why."""
    early = bench.scrapy("health", "barren", "dead")
    assert early.status == 0
    said = "learning: 0 of 14 days; 0 articles in 1 crawl; its lists:"
    barren, dead = early.out.splitlines()[1:]
    assert barren.startswith(f"barren: {said} read 1; its pages: no_content "), barren
    assert dead == f"dead: {said} connection 1; its pages: none was asked for.", dead
    with psycopg.connect(bench.database_url) as connection:
        connection.execute(LATER)
    late = bench.scrapy("health", "--json")
    found = {one["source"]: one for one in json.loads(late.out)["findings"]}
    assert late.status == 2
    assert found.keys() == SOURCES.keys()
    assert {one["kind"] for one in found.values()} == {"never_worked"}
    told = {name: one["detail"].partition(": ")[2] for name, one in found.items()}
    for name, word in (("walled", "forbidden"), ("broken", "server_error"), ("unreadable", "not_a_feed")):
        assert told[name].startswith("none of its lists can be read (feed http://127.0.0.1:")
        assert told[name].endswith(f"/{name}/rss: {word})")
    assert told["dead"] == "none of its lists can be read (homepage http://127.0.0.1:9/: connection)"
    assert told["mistyped"].endswith("/mistyped/: not_found)")
    assert told["barren"].startswith(f"no page of {PAGES} became an article (no_content "), told

    (seed,) = bench.seeds.glob("mistyped.yaml")
    seed.write_text(seed.read_text().replace("/mistyped/", "/sound/"))
    assert bench.crawl("mistyped").status == 0
    assert bench.scrapy("health", "mistyped").status == 0, "its first article is stored"
