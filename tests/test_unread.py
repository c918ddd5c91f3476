"""A crawl that could read no list says so, wherever its end is told: it has not found that there is nothing new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crawler import tally
from crawler.extensions.progress import NOTHING_NEW, NOTHING_NEW_IN_PART, closing
from crawler.store.engine import Database
from crawler.store.queue import crawl_of
from tests.jobs.at_work import COURRIER, HERALD, KURIER, Shift
from tests.runs import Bench
from tests.site import Newspaper
from tests.site.server import Resource

SCHEDULE = "SELECT last_outcome, last_reason, failures FROM news.schedule WHERE source = :id"


def broken(path: str, resource: Resource) -> Resource:
    """The Herald and the Kurier answer 500, but for their robots.txt."""
    return replace(resource, status=500) if path.startswith(("/herald/", "/kurier/")) else resource


def test_a_source_whose_lists_cannot_be_read(database_url: str, database: Database, tmp_path: Path) -> None:
    quick = ("-s", "RETRY_TIMES=0")
    with Newspaper() as paper:
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
        shift = Shift(paper, bench, database)
        paper.altered = broken

        one = bench.crawl(HERALD, *quick)
        assert (one.status, "Nothing new" in one.err) == (1, False), one.err
        assert f"No list of {HERALD} (server_error 3) could be read" in one.err
        assert shift.rows("SELECT outcome, reason FROM crawls") == [("finished", "no_list_read: server_error 3")]
        assert shift.rows(SCHEDULE, id=HERALD) == [("finished", "no_list_read: server_error 3", 1)]

        some = bench.crawl("news", *quick)
        assert some.status == 0
        failed = f"{KURIER} (server_error 3), {HERALD} (resting after server_error 3)"
        assert f"No list of {failed} could be read" in some.err
        assert shift.rows(SCHEDULE, id=COURRIER) == [("finished", None, 0)]
        assert shift.rows("SELECT failures FROM sources WHERE id = :id", id=HERALD) == [(1,)]  # it was not asked

        with shift.worker(*quick) as worker:
            waited = bench.scrapy("enqueue", "crawl", KURIER, COURRIER, "--wait")
            assert waited.status == 1, waited.err
            assert "1 of 2 jobs came to nothing" in waited.err and f"{KURIER}: no_list_read: resting" in waited.err
            assert worker.stop() == 0
        assert f"{KURIER}: no_list_read (resting after server_error 3)" in worker.said()
        assert "no_list_read" in bench.scrapy("schedule", KURIER).out

        paper.altered = None
        assert bench.scrapy("crawl", HERALD, "-a", "recheck=1", *quick).status == 0  # its lists need not be due
        assert shift.rows(SCHEDULE, id=HERALD) == [("finished", None, 0)]


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({"news/a/lists": 2, "news/listing/read": 2, "news/a/listing/read": 2}, NOTHING_NEW),
        (
            {"news/a/lists": 2, "news/a/feed_errors": 1, "news/a/listing/not_modified": 1, "news/a/listing/gone": 1},
            NOTHING_NEW_IN_PART,
        ),
        ({"news/a/lists": 1, "news/a/listing/dns": 1}, "No list of a (dns 1) could be read: what is new there"),
    ],
)
def test_nothing_new_is_said_of_what_was_read(stats: dict[str, Any], said: str) -> None:
    assert any(str(part).startswith(said) for part in closing(stats, 1.0, "finished"))


def test_a_crawl_is_blind_that_asked_and_read_nothing() -> None:
    failed = {"news/a/listing/forbidden": 2, "news/a/listing/timeout": 3, "news/a/listing/crawl_closing": 9}
    rests = {"news/b/resting/timeout": 1}
    assert tally.blind(failed) == {"timeout": 3, "forbidden": 2}
    assert tally.blind(failed | rests) == {"timeout": 3, "forbidden": 2, "resting after timeout": 1}
    assert tally.blind(failed | rests | {"news/c/listing/not_modified": 1}) == {}
    assert tally.blind({"news/a/listing/crawl_closing": 2}) == {} == tally.blind({})


def later(path: str, resource: Resource) -> Resource:
    """The Herald wants to be asked later, always."""
    headers = {"Retry-After": "30"}
    return replace(resource, status=429, headers=headers) if path.startswith("/herald/") else resource


def test_a_queued_crawl_that_only_waits_gives_its_place_back(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    with Newspaper() as paper:
        paper.altered = later
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
        shift = Shift(paper, bench, database)
        (job,) = shift.put(crawl_of(HERALD))
        with shift.worker("-s", "CRAWL_WAIT_MAX=1.5") as worker:
            shift.until_over(job)
            assert shift.job(job) == ("succeeded", 1)
            assert worker.stop() == 0, worker.said()
        assert "nothing has come for 2 s (429 " in worker.said() and "Traceback" not in worker.said()
        ((outcome, reason, failures),) = shift.rows(SCHEDULE, id=HERALD)
        assert (outcome, reason.rpartition(" ")[0], failures) == ("failed", "no_answer: 429", 1)
        assert shift.failures() == [reason]
        assert shift.value("SELECT count(*) FROM listings WHERE lease_crawl IS NOT NULL") == 0


def test_what_counts_as_coming() -> None:
    status = "downloader/response_status_count/"
    waits = {f"{status}429": 3, f"{status}503": 1, "downloader/exception_type_count/x.DownloadTimeoutError": 2}
    waits["downloader/exception_type_count/crawler.downloader.slots.GivenUp"] = 9
    assert tally.came(waits) == 0 and tally.put_off(waits) == {"429": 3, "timeout": 2, "503": 1}
    assert tally.came(waits | {f"{status}404": 1}) == 1 == tally.came(waits | {"news/a/found": 1})
    assert tally.has_read({"news/listing/not_modified": 1}) and not tally.has_read({"news/listing/timeout": 1})
