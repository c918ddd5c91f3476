"""What the downloader asks and tells a spider's `hosts`, and that nothing changes for others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crawler.downloader.slots import UpwardSlot
from tests.downloader.crawl import OURS, Crawled, crawl
from tests.downloader.server import Answer, Hosts, serve

NAMES = dict.fromkeys(["news.test", "shut.test", "full.test", "tired.test"], "127.0.0.1")
SETTINGS = {**OURS, "ALLOW_PRIVATE_NETWORKS": True, "CONCURRENT_REQUESTS": 2, "RETRY_ENABLED": False}
PRIVATE = "User-agent: *\nDisallow: /private\nCrawl-delay: 0.2\n"


def script(host: str, path: str, before: int) -> Answer:
    if host == "tired.test":
        return Answer(status=503, headers={"Retry-After": "99999999"})
    return Answer(body=PRIVATE.encode()) if path == "/robots.txt" else Answer()


def run(hosts: Hosts, paths: list[str], known: dict[str, Any] | None = None, **settings: object) -> Crawled:
    urls = [f"http://{path.replace('/', f':{hosts.port}/', 1)}" for path in paths]
    return crawl(urls, {**SETTINGS, **settings}, names=NAMES, known=known or {})


def remembered(hosts: Hosts, *, hours: float, **robots: object) -> dict[str, Any]:
    """What is known of news.test, good for so many hours from now."""
    now = datetime.now(UTC)
    dates = {"fetched_at": now.isoformat(), "good_until": (now + timedelta(hours=hours)).isoformat()}
    return {f"http://news.test:{hosts.port}": {"body": PRIVATE, "status": 200, "failure": None, **robots, **dates}}


def test_every_request_enters_and_leaves() -> None:
    with serve(script) as hosts:
        crawled = run(hosts, ["news.test/1", "news.test/2", "news.test/3"])
    assert set(crawled.words.values()) == {"page"}
    enters = [call for call in crawled.calls if call[0] == "enter"]
    assert [(host, slots) for _, host, slots, _ in enters] == [("news.test", 2)] * 4  # its robots.txt as well
    assert [delay for *_, delay in enters][1:] == [0.2 + 0.1] * 3
    assert len([call for call in crawled.calls if call[0] == "leave"]) == 4


def test_a_pause_that_a_host_asks_for_is_told() -> None:
    with serve(script) as hosts:
        crawled = run(hosts, ["tired.test/1"])
    assert ["held", "tired.test", 7 * 24 * 3600] in crawled.calls  # a longer one is a mistake
    assert len(hosts.to("tired.test", robots=True)) == 1


def test_who_waits_at_the_gate_stops_nobody_and_leaves_when_the_crawl_closes() -> None:
    with serve(script) as hosts:
        shut = [f"shut.test/{n}" for n in range(5)]
        free = remembered(hosts, hours=1, body="")  # no delay: there is time for all
        crawled = run(hosts, [*shut, *[f"news.test/{n}" for n in range(5)]], free, CLOSESPIDER_TIMEOUT=4)
    assert len(hosts.to("news.test")) == 5
    assert hosts.to("shut.test", robots=True) == []
    assert [word for url, word in crawled.words.items() if "shut" in url] == ["crawl_closing"] * 5
    assert ["leave", "shut.test"] not in crawled.calls


def test_a_host_that_the_gate_refuses_is_given_up() -> None:
    with serve(script) as hosts:
        crawled = run(hosts, ["full.test/1", "news.test/1"], ROBOTSTXT_OBEY=False)
    assert sorted(crawled.words.values()) == ["host_unavailable", "page"]
    assert ["leave", "full.test"] not in crawled.calls


def test_robots_txt_is_remembered() -> None:
    with serve(script) as hosts:
        crawled = run(hosts, ["news.test/1", "news.test/private/1"])
    (learned,) = [call for call in crawled.calls if call[0] == "learned"]
    assert learned[1] == f"http://news.test:{hosts.port}"
    assert learned[2]["body"] == str(PRIVATE.encode())
    good_for = datetime.fromisoformat(learned[2]["good_until"]) - datetime.fromisoformat(learned[2]["fetched_at"])
    assert good_for == timedelta(days=1)


def test_a_robots_txt_that_is_remembered_is_not_asked_for() -> None:
    with serve(script) as hosts:
        crawled = run(hosts, ["news.test/1", "news.test/private/1"], remembered(hosts, hours=1))
    assert [visit.path for visit in hosts.to("news.test", robots=True)] == ["/1"]
    assert sorted(crawled.words.values()) == ["page", "robots_forbidden"]
    assert next(call for call in crawled.calls if call[0] == "enter")[3] == 0.2 + 0.1  # its Crawl-delay holds


def test_a_failure_that_is_remembered_forbids_everything() -> None:
    with serve(script) as hosts:
        known = remembered(hosts, hours=1, body="", status=503, failure="it answered 503")
        crawled = run(hosts, ["news.test/1"], known)
    assert hosts.visits == []
    assert list(crawled.words.values()) == ["robots_unreachable"]


def test_what_is_too_old_is_asked_for_again() -> None:
    with serve(script) as hosts:
        run(hosts, ["news.test/private/1"], remembered(hosts, hours=-1, body="User-agent: *\nDisallow: /"))
    assert [visit.path for visit in hosts.to("news.test", robots=True)] == ["/robots.txt"]


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1), st.floats(0, 1e9))
def test_a_delay_is_never_shorter_than_promised(delay: float, least: float, jitter: float, seen: float) -> None:
    slot = UpwardSlot(2, delay, jitter)
    slot.least, slot.lastseen = least, seen
    waits = slot.download_delay()
    assert max(delay, least) <= waits <= max(delay, least) * (1 + jitter)
    assert slot.download_delay() == waits
