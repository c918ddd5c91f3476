"""One crawl of ours and one of stock Scrapy over hosts that each try one virtue."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.downloader.crawl import OURS, STOCK, Crawled, crawl
from tests.downloader.server import Answer, Hosts, Visit, serve

PATHS = {
    "later.test": [f"/{n}" for n in range(6)],
    "far.test": ["/1", "/2", "/3"],
    "rules.test": ["/private/1", "/private/2", "/public/1", "/private/3", "/private/4"],
    "down.test": ["/1", "/2"],
    "none.test": ["/1"],
    "moved.test": ["/private/1", "/public/1"],
    "loop.test": ["/1"],
    "long.test": ["/1"],
    "slow.test": ["/1", "/2", "/3"],
    "sleepy.test": ["/1", "/2"],
    "flaky.test": ["/1"],
    "busy.test": [f"/{n}" for n in range(12)],
    "asking.test": ["/1"],
    "weary.test": [f"/{n}" for n in range(5)],
}
ROBOTS = {
    "rules.test": b"User-agent: testbot\nDisallow: /private\nSitemap: http://rules.test/news.xml\n",
    "long.test": b"# padding\n" * 60_000 + b"User-agent: *\nDisallow: /\n",
    "slow.test": b"User-agent: *\nCrawl-delay: 0.9\n",
    "sleepy.test": b"User-agent: *\nCrawl-delay: 3600\n",
}


def script(host: str, path: str, before: int) -> Answer:
    if path == "/robots.txt" or path.startswith("/hop"):
        return robots(host, path, before)
    if host == "later.test" and before == 0:
        return Answer(status=429, headers={"Retry-After": "2"})
    if host == "far.test":
        return Answer(status=503, headers={"Retry-After": "3600"})
    if host == "weary.test" and before < 2:
        return Answer(status=503)
    if host == "flaky.test" and before < 2:
        return Answer(status=500)
    return Answer(pause=0.05)


def robots(host: str, path: str, before: int) -> Answer:
    if host == "asking.test" and before == 0:
        return Answer(status=503, headers={"Retry-After": "2"})
    if host in {"moved.test", "loop.test"} and path != "/hop4":
        hop = 0 if path == "/robots.txt" or host == "loop.test" else int(path[-1]) + 1
        return Answer(status=301, headers={"Location": f"/hop{hop}?{path[-1]}"})
    if host == "moved.test":
        return Answer(body=b"User-agent: *\nDisallow: /private\n")
    if host == "down.test":
        return Answer(status=503)
    if host in ROBOTS:
        return Answer(body=ROBOTS[host], pause=0.2)  # long enough for all to wait
    return Answer(status=404)


@dataclass(frozen=True)
class Run:
    crawled: Crawled
    hosts: Hosts

    def outcome(self, host: str, path: str) -> str:
        return self.crawled.outcomes[f"http://{host}:{self.hosts.port}{path}"]


def run(settings: dict[str, object], names: list[str]) -> Run:
    with serve(script) as hosts:
        urls = [f"http://{name}:{hosts.port}{path}" for name in names for path in PATHS[name]]
        return Run(crawl(urls, settings, names=dict.fromkeys(names, "127.0.0.1")), hosts)


@pytest.fixture(scope="module")
def runs() -> Iterator[tuple[Run, Run]]:
    one_at_a_time = {"DOWNLOAD_SLOTS": {name: {"concurrency": 1} for name in ("later.test", "far.test")}}
    ours = {
        **OURS,
        **one_at_a_time,
        "ALLOW_PRIVATE_NETWORKS": True,
        "CONCURRENT_REQUESTS": 4,
        "CRAWL_DELAY_MAX": 1,
        "RETRY_BACKOFF_BASE": 0.4,
    }
    with ThreadPoolExecutor() as pool:
        polite = pool.submit(run, ours, list(PATHS))
        names = ["rules.test", "busy.test", "down.test", "later.test", "slow.test", "weary.test"]
        stock = pool.submit(run, {**STOCK, **one_at_a_time}, names)
        yield polite.result(), stock.result()


@pytest.fixture
def polite(runs: tuple[Run, Run]) -> Run:
    return runs[0]


@pytest.fixture
def stock(runs: tuple[Run, Run]) -> Run:
    return runs[1]


def gaps(visits: list[Visit]) -> list[float]:
    return [later.came - earlier.came for earlier, later in pairwise(visits)]


def test_limit_per_host_is_kept_without_a_delay(polite: Run) -> None:
    assert len(polite.hosts.to("busy.test")) == 12
    assert polite.hosts.most_at_once("busy.test") == 2


def test_retry_after_holds_the_whole_host(polite: Run) -> None:
    first, *rest = polite.hosts.to("later.test")
    assert len(rest) == 6
    assert all(visit.came - first.went >= 2 for visit in rest)
    assert {polite.outcome("later.test", path) for path in PATHS["later.test"]} == {"200"}


def test_retry_after_of_a_robots_txt_holds_the_host_too(polite: Run) -> None:
    first, second, page = polite.hosts.to("asking.test", robots=True)
    assert (second.path, page.path) == ("/robots.txt", "/1")
    assert second.came - first.went >= 2


def test_an_overloaded_host_is_asked_less_often(polite: Run) -> None:
    assert len(polite.hosts.to("weary.test")) == 7
    # Once both of the first have failed: a second or two, less with each success.
    assert min(gaps(polite.hosts.to("weary.test")[1:])[:3]) >= 0.3


def test_a_held_host_stops_no_other(polite: Run) -> None:
    first, second, *_ = polite.hosts.to("later.test")
    others = [visit for visit in polite.hosts.visits if visit.host != "later.test"]
    assert any(first.went < visit.came and visit.went < second.came for visit in others)


def test_too_long_a_retry_after_gives_the_host_up(polite: Run) -> None:
    assert len(polite.hosts.to("far.test")) == 1
    for path in PATHS["far.test"]:
        assert polite.outcome("far.test", path).startswith("GivenUp: host_unavailable: far.test asks for a pause of")


def test_all_who_wait_for_robots_are_judged(polite: Run) -> None:
    assert polite.hosts.paths("rules.test") == ["/public/1"]
    assert len(polite.hosts.to("rules.test", robots=True)) == 2
    assert polite.outcome("rules.test", "/private/4") == "RobotsForbidden: robots_forbidden: Forbidden by robots.txt"


def test_robots_that_fail_forbid_everything(polite: Run) -> None:
    assert polite.hosts.paths("down.test") == []
    outcome = "RobotsUnreachable: robots_unreachable: Forbidden by robots.txt: it answered 503"
    assert polite.outcome("down.test", "/1") == outcome


def test_missing_robots_allow_everything(polite: Run) -> None:
    assert polite.hosts.paths("none.test") == ["/1"]


def test_robots_are_followed_through_five_redirects(polite: Run) -> None:
    assert [path for path in polite.hosts.paths("moved.test") if "hop" not in path] == ["/public/1"]


def test_robots_that_redirect_forever_forbid_everything(polite: Run) -> None:
    assert set(polite.hosts.paths("loop.test")) == {"/hop0"}
    assert len(polite.hosts.to("loop.test", robots=True)) == 6


def test_robots_are_read_up_to_500_kib(polite: Run) -> None:
    assert polite.hosts.paths("long.test") == ["/1"]


def test_crawl_delay_is_kept(polite: Run) -> None:
    visits = polite.hosts.to("slow.test")
    assert len(visits) == 3
    # Of the 0.9 s, since a busy machine lets the server see requests at irregular times.
    assert min(gaps(visits)) >= 0.4


def test_crawl_delay_is_capped(polite: Run) -> None:
    (gap,) = gaps(polite.hosts.to("sleepy.test"))
    assert 0.5 <= gap < 3600
    assert "asks for 3600 s between requests; it gets 1 s" in polite.crawled.log


def test_retries_wait_ever_longer(polite: Run) -> None:
    assert polite.outcome("flaky.test", "/1") == "200"
    first, second = gaps(polite.hosts.to("flaky.test"))
    # Half of 0.4 s and of 0.8 s at least, but for what a request takes longer on its way than the one after it.
    assert first >= 0.15
    assert second >= 0.3


def test_nothing_is_logged_as_an_error(polite: Run) -> None:
    assert "Traceback" not in polite.crawled.log
    assert polite.crawled.stats.get("log_count/ERROR", 0) == polite.crawled.stats.get("retry/max_reached", 0)


class TestStockScrapy:
    """The faults that the components mend. When one of these tests fails, Scrapy has mended it: drop ours."""

    def test_limit_per_host_is_not_kept(self, stock: Run) -> None:
        assert stock.hosts.most_at_once("busy.test") > 2

    def test_who_waits_for_robots_is_not_judged(self, stock: Run) -> None:
        assert "/private/4" in stock.hosts.paths("rules.test")

    def test_robots_that_fail_allow_everything(self, stock: Run) -> None:
        assert stock.hosts.paths("down.test") == ["/1", "/2"]

    def test_retry_after_is_ignored(self, stock: Run) -> None:
        first, second, *_ = stock.hosts.to("later.test")
        assert second.came - first.went < 2

    def test_crawl_delay_is_ignored(self, stock: Run) -> None:
        assert min(gaps(stock.hosts.to("slow.test"))) < 0.3

    def test_an_overloaded_host_is_asked_as_often_as_before(self, stock: Run) -> None:
        assert min(gaps(stock.hosts.to("weary.test")[1:])) < 0.3
