"""A worker on a good day: what is in the queue is crawled, and what cannot be done is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from crawler.errors import ConfigurationError
from crawler.jobs.worker import OWN, SCHEDULING, planned
from crawler.store.engine import open_database
from crawler.store.queue import Job, crawl_of
from tests.jobs.at_work import COURRIER, HERALD, KURIER, Shift
from tests.runs import Bench, until
from tests.site import Newspaper

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other: a busy machine takes long


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper(many=6) as newspaper:
        yield newspaper


SCHEDULED = """
SELECT count(DISTINCT sources) FROM crawls WHERE arguments ->> 'asked' = 'schedule' AND outcome = 'finished'
"""


def test_up_crawls_what_is_due_and_what_else_is_in_the_queue_on_the_embedded_server(
    paper: Newspaper, tmp_path: Path
) -> None:
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data")
    with open_database(None, bench.data_dir) as database:
        shift = Shift(paper, bench, database)
        backfill = crawl_of(HERALD, asked="person", arguments={"since": "2020-01-01"})
        (good,) = shift.put(backfill)
        bad = shift.put(Job(task="crawl", arguments={"source": "nobody"}), Job(task="crawl", arguments={"moon": 1}))
        with database.engine.begin() as connection:
            connection.execute(
                text("UPDATE sources SET disabled_at = now(), disabled_why = 'asked to' WHERE id = :id"),
                {"id": COURRIER},
            )
        (disabled,) = shift.put(crawl_of(COURRIER))
        with shift.worker("-s", "TICK=0.5", "-s", "HOST_CRAWLS=3", command="up") as worker:
            until(worker.hosts)
            first = worker.hosts()
            shift.until_over(good, *bad, disabled)
            until(lambda: shift.value(SCHEDULED) == 2)  # those that nobody has asked for by hand
            until(lambda: not set(first) & set(worker.hosts()))  # replaced by a fresh one
            assert worker.stop() == 0, worker.said()
        assert shift.job(good) == ("succeeded", 1)
        assert [shift.job(one) for one in bad] == [("failed", 1)] * 2
        assert shift.job(disabled) == ("cancelled", 0)
        assert sorted(shift.failures()) == [
            "disabled: asked to",
            "unreadable: crawl knows no moon",
            "unreadable: there is no source 'nobody'",
        ]
        arguments = dict(shift.rows("SELECT arguments ->> 'job', arguments FROM crawls"))
        assert arguments[str(good)] == {"job": good, "asked": "person", "since": "2020-01-01"}
        assert {outcome for (outcome,) in shift.rows("SELECT outcome FROM crawls")} == {"finished"}
        paths = Counter(visit.path for visit in paper.requests if "private" not in visit.path)
        wanted = {f"/{one.publication.key}{one.path}" for one in paper.articles}
        wanted -= {path for path in wanted if path.startswith("/courrier/")}
        assert {paths[path] for path in wanted} == {1}
        assert shift.rows("SELECT crawls, stopped_at IS NULL, note FROM workers") == [(4, False, "stopped")]
        said = worker.said()
        assert "Traceback" not in said and f"{KURIER}: finished after " in said


def test_a_worker_asks_for_no_more_connections_than_there_are() -> None:
    from scrapy.settings import Settings

    settings = Settings()
    settings.setmodule("crawler.settings")
    plan = planned(settings, free=97, processes=2)
    assert (plan.crawls, plan.connections) == (8, 28)
    assert planned(settings, free=20, processes=2).crawls == 4  # fewer, unless they are asked for
    with pytest.raises(ConfigurationError, match=r"^8 crawls in 2 processes take 28 connections.*ask for --crawls 4"):
        planned(settings, free=20, processes=2, crawls=8)
    assert planned(settings, free=97, processes=2, own=OWN + SCHEDULING).connections == 32  # `scrapy up`
    with pytest.raises(ConfigurationError, match="ask for fewer --processes"):
        planned(settings, free=20, processes=16)


def test_a_worker_waits_for_a_database_that_comes_later(tmp_path: Path) -> None:
    bench = Bench(seeds=tmp_path, data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:9/news")
    log = tmp_path / "log"
    with log.open("w") as out, bench.start("worker", stderr=out, stdout=out) as worker:
        until(lambda: "waiting for the database: cannot reach" in log.read_text() or worker.poll() is not None)
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()
