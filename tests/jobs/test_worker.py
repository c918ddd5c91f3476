"""A worker on a good day: what is in the queue is crawled, and what cannot be done is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from scrapy.settings import Settings
from sqlalchemy import text

from crawler.errors import ConfigurationError, DatabaseUnreachable
from crawler.jobs import opening, tasks
from crawler.jobs.worker import OWN, SCHEDULING, Worker, planned
from crawler.store.engine import Database, open_database
from crawler.store.queue import Job, crawl_of
from crawler.store.workers import Standing
from tests.jobs.at_work import COURRIER, HERALD, KURIER, Shift
from tests.jobs.test_queue import dies, job, put, taken
from tests.runs import Bench, until
from tests.site import Newspaper


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


def test_what_the_database_refuses_costs_no_more_than_its_own_job(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings()
    settings.setmodule("crawler.settings")
    dead, standing = Standing(database.engine), Standing(database.engine)
    plan = replace(planned(settings, free=50, processes=1), beat=0.01, lost_grace=0.0)
    for one in (dead, standing):
        one.begin(lambda free: plan)
    ended, lost = put(database, crawl_of(HERALD), crawl_of(KURIER))
    assert (taken(database, standing.id), taken(database, dead.id)) == (ended, lost)
    dies(database, dead)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE job_failures ADD CONSTRAINT none CHECK (false)"))

    async def run() -> None:
        worker = Worker(database, standing, plan)
        assert ended is not None
        worker._held[ended] = tasks.read(ended, "crawl", {"source": HERALD})
        await worker.settled(cast(Any, SimpleNamespace(id=ended)), aborted=False)
        await worker.registered()
        beats = asyncio.create_task(worker._beats())
        while "what dead workers have left stays with them" not in caplog.text or job(database, ended)[0] == "doing":
            assert not beats.done()
            await asyncio.sleep(0.01)
        beats.cancel()
        await worker._say_goodbye()

    asyncio.run(run())
    assert job(database, ended)[:2] == ("todo", 0)
    assert job(database, lost)[0] == "doing"


def test_a_worker_waits_for_a_database_that_comes_later(tmp_path: Path) -> None:
    bench = Bench(seeds=tmp_path, data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:9/news")
    log = tmp_path / "log"
    with log.open("w") as out, bench.start("worker", stderr=out, stdout=out) as worker:
        until(lambda: "waiting for the database: cannot reach" in log.read_text() or worker.poll() is not None)
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()


def test_waiting_for_a_database_leaves_no_tasks_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    async def run() -> None:
        def away(*_: Any, **__: Any) -> Any:
            seen.append(len(asyncio.all_tasks(loop)))
            if len(seen) == 20:
                loop.call_soon_threadsafe(stop.set)
            raise DatabaseUnreachable

        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        monkeypatch.setattr(opening, "open_database", away)
        monkeypatch.setattr(opening, "PAUSE", 0.001)
        assert await opening.opened(Settings({"DATABASE_URL": "", "CRAWLER_DATA_DIR": "."}), stop) is None

    asyncio.run(run())
    assert len(set(seen)) == 1
