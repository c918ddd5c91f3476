"""Workers, hosts and databases that are stopped, killed, frozen or replaced: the jobs go on elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from crawler.store import queue
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, open_database
from crawler.store.queue import crawl_of
from crawler.store.workers import WORKER_LOCK
from tests.jobs.at_work import HERALD, KURIER, SLOW, Shift, alive
from tests.runs import Bench, until
from tests.site import Newspaper

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND CAST(classid AS bigint) = :key
"""
GENERATED = 240  # more than any of these crawls gets through


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper(many=GENERATED) as newspaper:
        yield newspaper


@pytest.fixture
def shift(paper: Newspaper, tmp_path: Path, database_url: str, database: Database) -> Shift:
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
    return Shift(paper, bench, database)


def assert_nothing_is_twice(shift: Shift) -> None:
    assert shift.value("SELECT count(*) FROM revisions") == 0
    assert shift.value("SELECT count(*) - count(DISTINCT url) FROM pages") == 0
    assert shift.value("SELECT count(*) FROM urls WHERE state = 'leased'") == 0


def cut_and_buried(shift: Shift) -> list[int]:
    """End the session that holds the worker's lock, and take it for dead at once; returns the jobs that it had."""
    with shift.database.engine.begin() as connection:
        connection.execute(text(CUT), {"key": WORKER_LOCK})
    with shift.database.engine.begin() as connection:
        return queue.requeue_lost(connection, 0.0)


def test_a_worker_that_is_stopped_gives_back_and_one_that_is_killed_takes_no_crawl_along(shift: Shift) -> None:
    (job,) = shift.put(crawl_of(HERALD))
    with shift.worker(*SLOW, "-s", "LOG_JSON=1") as first:
        shift.until_stored(2)
        assert first.stop() == 0, first.said()
        lines = [json.loads(line) for line in first.said().splitlines()]
        closing = [line for line in lines if line["message"].startswith(("Closing spider", "Spider closed"))]
        assert closing and all(line["source"] in (HERALD, KURIER) and line["job"] for line in closing)
    assert shift.job(job) == ("todo", 0)
    assert shift.rows("SELECT outcome, reason FROM crawls") == [("shutdown", "shutdown")]
    assert shift.value("SELECT count(*) FROM articles") == shift.value(
        "SELECT count(*) FROM pages WHERE outcome = 'article'"
    )
    with shift.worker(*SLOW) as second, shift.worker(*SLOW) as third:
        until(lambda: shift.job(job)[0] == "doing")
        shift.until_stored(2)
        ((busy,),) = shift.rows(
            "SELECT pid FROM workers WHERE id = (SELECT worker_id FROM procrastinate.procrastinate_jobs)"
        )
        dies, lives = (second, third) if busy == second.process.pid else (third, second)
        (host,) = dies.hosts()
        os.kill(dies.process.pid, signal.SIGKILL)
        until(lambda: not alive(host))
        until(lambda: shift.value("SELECT count(*) FROM job_failures WHERE kind = 'lost'"))
        shift.until_stored(2)
        assert shift.job(job) == ("doing", 0)
        assert lives.stop(signal.SIGINT) == 0, lives.said()
    outcomes = [outcome for (outcome,) in shift.rows("SELECT outcome FROM crawls ORDER BY id")]
    assert outcomes == ["shutdown", "shutdown", "shutdown"]  # it had time to write what it had fetched
    assert_nothing_is_twice(shift)


def test_a_host_that_is_killed_or_hangs_is_replaced_and_its_job_comes_again(shift: Shift) -> None:
    (job,) = shift.put(crawl_of(HERALD))
    with shift.worker(*SLOW, "-s", "HOST_SILENCE=10") as worker:
        shift.until_stored(1)
        (host,) = worker.hosts()
        os.kill(host, signal.SIGKILL)
        until(lambda: shift.job(job) == ("doing", 1) and worker.hosts() not in ([], [host]))
        (host,) = worker.hosts()
        until(lambda: shift.value("SELECT count(*) FROM crawls WHERE pid = :pid AND outcome = 'running'", pid=host))
        os.kill(host, signal.SIGSTOP)
        until(lambda: shift.job(job) == ("doing", 2))
        assert not alive(host)
        first, second = shift.failures()
        assert first == "host_died: signal 9" and re.fullmatch(r"host_died: it had said nothing for \d+ s", second)

        # Taken for dead, it is handed the job that it is still at, and does not begin it a second time.
        shift.until_stored(1)
        until(lambda: cut_and_buried(shift))
        newest = "SELECT outcome, reason FROM crawls ORDER BY id DESC LIMIT 1"
        until(lambda: shift.rows(newest) == [("shutdown", "superseded")])  # which is no failure of the source's
        until(lambda: shift.job(job) == ("todo", 2))
        with shift.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE procrastinate.procrastinate_jobs SET scheduled_at = NULL")

        # Somebody wants it no more.
        shift.until_stored(1)
        with shift.database.engine.begin() as connection:
            queue.cancel(connection, [job])
        until(lambda: shift.job(job)[0] == "cancelled")
        assert shift.rows("SELECT outcome, reason FROM crawls ORDER BY id")[-1] == ("shutdown", "aborted")

        # A migration: all crawls end, and go on afterwards.
        (job,) = shift.put(crawl_of(KURIER))
        until(
            lambda: (
                shift.job(job) == ("doing", 0) and shift.value("SELECT count(*) FROM crawls WHERE outcome = 'running'")
            )
        )
        done = shift.bench.scrapy("db", "migrate", "--drain")
        assert done.status == 0, done.err
        assert (
            shift.value("SELECT reason FROM crawls WHERE sources = ARRAY[:id] ORDER BY id LIMIT 1", id=KURIER)
            == "shutdown"
        )
        until(lambda: shift.job(job) == ("doing", 0))

        # One to tables that this program does not know.
        with shift.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        assert worker.process.wait(60) == 3, worker.said()
        (line,) = (line for line in worker.said().splitlines() if " ERROR: " in line)
        assert line.endswith("it ends, start the new one")
        assert shift.job(job) == ("todo", 0)
    assert "Traceback" not in worker.said()
    assert_nothing_is_twice(shift)


def test_a_source_without_end_ends_and_a_database_that_is_away_stops_nobody(paper: Newspaper, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "server")
    with server as url, Database(url) as database:
        with open_database(url, tmp_path):
            pass
        shift = Shift(paper, Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=url), database)
        first, second = shift.put(crawl_of(HERALD), crawl_of(KURIER))
        with shift.worker(*SLOW, "-s", "DOWNLOAD_DELAY=0.2", "-s", "CRAWL_TIME_MAX=12") as worker:
            shift.until_stored(2)
            server.stop()
            until(lambda: worker.said().count("waiting for the database") >= 2)  # the worker and its host
            server.acquire()
            until(lambda: "the database was started anew" in shift.bench.scrapy("health").out)
            shift.until_over(first, second)
            assert [shift.job(one) for one in (first, second)] == [("succeeded", 1)] * 2
            assert set(shift.rows("SELECT outcome, reason FROM crawls")) == {("shutdown", "time_max")}
            assert shift.value("SELECT count(*) FROM urls WHERE state = 'queued'") > 0
            assert shift.rows("SELECT stopped_at FROM workers") == [(None,)]
            assert worker.stop() == 0, worker.said()
        assert shift.failures() == []
        assert_nothing_is_twice(shift)
        server.release()
