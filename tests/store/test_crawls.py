"""Runs, their lock, and the burial of those that were killed."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from crawler.store import crawls, facts, frontier, intake
from crawler.store.engine import Database
from crawler.store.guard import Guard
from tests.runs import until
from tests.store.rows import OTHER, SOURCE, ask, begun, candidates, column, held

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from crawler.store import frontier, intake
from crawler.store.engine import Database
from tests.store.rows import begun, candidates
connection = Database(sys.argv[1]).engine.connect()
crawl_id = begun(connection)
intake.add(connection, "herald", candidates(range(5)))
frontier.take(connection, crawl_id, {"herald": 3}, 3)
connection.commit()
print(crawl_id, flush=True)
sys.stdin.read()
"""
LEASED = "SELECT count(*) FROM urls WHERE state = 'leased'"


class Run:
    """A process with a run that has leased three of five URLs."""

    def __init__(self, url: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", RUN, url], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout
        self.crawl_id = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def bury(database: Database, grace: float = 0.0) -> list[int]:
    with database.engine.begin() as connection:
        return crawls.bury_dead(connection, grace)


def test_only_a_dead_run_is_buried(database: Database, database_url: str) -> None:
    run = Run(database_url)
    assert bury(database) == []
    assert ask(database, LEASED) == 3
    run.kill()
    until(lambda: not held(database, crawls.CRAWL_LOCK))
    assert bury(database, crawls.LOST_GRACE) == [run.crawl_id]  # at once: it was a process of this machine
    assert bury(database) == []
    assert ask(database, LEASED) == 0
    assert column(database, "SELECT DISTINCT attempts FROM urls") == [0]  # an interrupted fetch is none
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT outcome, reason, finished_at IS NULL FROM crawls")).one()
    assert row == ("killed", "its process is gone", False)


def test_what_a_lost_queued_crawl_had_leased_is_the_next_ones_at_once(database: Database, database_url: str) -> None:
    run = Run(database_url)
    run.kill()
    until(lambda: not held(database, crawls.CRAWL_LOCK))
    elsewhere = "UPDATE crawls SET host = 'elsewhere', sources = '{herald}', arguments = '{\"job\": 7}'"
    with database.engine.begin() as connection:
        connection.exec_driver_sql(elsewhere)
    for taken, buried in ((None, []), ("kurier", []), ("herald", [run.crawl_id])):  # its machine may only be cut off
        with database.engine.begin() as connection:
            assert crawls.bury_dead(connection, taken=taken) == buried
    assert ask(database, LEASED) == 0


def test_leases_that_a_closed_run_left_behind_come_back(database: Database) -> None:
    """As from a thread that was still leasing while its run was closed."""
    with database.engine.begin() as connection:
        crawl_id = begun(connection)
        intake.add(connection, "herald", candidates([1]))
        crawls.end(connection, crawl_id, "finished", "finished", {})
        frontier.take(connection, crawl_id, {"herald": 1}, 1)
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
    assert bury(database) == [crawl_id]
    assert ask(database, LEASED) == 0
    assert ask(database, "SELECT outcome FROM crawls") == "finished"


def test_the_end_of_a_run(database: Database) -> None:
    with database.engine.begin() as connection:
        crawl_id = begun(connection)
        intake.add(connection, "herald", candidates([1, 2]))
        frontier.take(connection, crawl_id, {"herald": 1}, 1)
        crawls.end(connection, crawl_id, "finished", "finished", {"pages": 1})
    assert ask(database, LEASED) == 0
    assert ask(database, "SELECT stats FROM crawls WHERE outcome = 'finished'") == {"pages": 1}
    assert ask(database, "SELECT count(*) FROM sources WHERE crawled_at IS NOT NULL") == 2


@pytest.mark.parametrize(
    ("stats", "stored"),
    [
        ({"at": datetime(2026, 1, 2)}, {"at": "2026-01-02 00:00:00"}),
        ({"rate": float("nan"), "what": {1}, "text": "nul\x00"}, {"rate": None, "what": "{1}", "text": "nul"}),
    ],
)
def test_stats_that_are_no_json_do_not_keep_the_row_open(
    database: Database, stats: dict[str, Any], stored: dict[str, Any]
) -> None:
    with database.engine.begin() as connection:
        crawls.end(connection, begun(connection), "failed", "r", stats)
    assert ask(database, "SELECT stats FROM crawls WHERE outcome = 'failed'") == stored


def a_guard(database: Database) -> Guard:
    connection = database.engine.connect()
    with connection.begin():
        crawl_id = begun(connection)
    return Guard(connection, crawl_id)


def test_a_guard_is_idle_but_not_in_a_transaction(database: Database) -> None:
    guard = a_guard(database)
    pid = guard.transaction(lambda connection: connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    guard.hold()
    assert ask(database, "SELECT state FROM pg_stat_activity WHERE pid = :pid", pid=pid) == "idle"
    guard.close()


def test_a_guard_that_lost_its_connection_takes_the_lock_again(database: Database, database_url: str) -> None:
    guard = a_guard(database)
    terminate(database_url)
    database.engine.dispose()
    until(lambda: not held(database, crawls.CRAWL_LOCK))
    with pytest.raises(Exception, match="terminating connection"):
        guard.hold()
    guard.hold()
    assert bury(database) == []
    guard.close()


def test_a_guard_that_was_buried_meanwhile_lives_again(database: Database, database_url: str) -> None:
    guard = a_guard(database)
    terminate(database_url)
    database.engine.dispose()
    until(lambda: not held(database, crawls.CRAWL_LOCK))
    assert bury(database, crawls.LOST_GRACE) == []  # its process lives, and may be back
    assert ask(database, "SELECT lost_at IS NOT NULL FROM crawls")
    assert bury(database) == [guard.crawl_id]
    assert column(database, "SELECT crawls_failed FROM source_days") == [1, 1]
    with pytest.raises(Exception, match="terminating connection"):
        guard.hold()
    guard.hold()
    assert ask(database, "SELECT outcome FROM crawls WHERE lost_at IS NULL") == "running"
    assert column(database, "SELECT crawls + crawls_failed FROM source_days") == [0, 0]  # as if it had not been
    assert bury(database) == []
    guard.close()
    until(lambda: bury(database) == [guard.crawl_id])  # closed, it holds nothing: not in the pool either


def test_a_burial_takes_back_a_failure_of_a_source_that_has_not_failed(database: Database) -> None:
    connection = database.engine.connect()
    with connection.begin():
        crawl_id = crawls.begin(connection, "herald", [SOURCE], {})
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
    assert bury(database) == [crawl_id]
    assert ask(database, "SELECT failures FROM sources") == 1
    with connection.begin():
        assert crawls.lock(connection, crawl_id)
        crawls.revive(connection, crawl_id)
    assert ask(database, "SELECT failures FROM sources") == 0
    connection.invalidate()
    connection.close()


def test_a_run_of_another_machine_is_given_time_and_one_that_was_silent_for_long_is_not(database: Database) -> None:
    added = """INSERT INTO crawls (spider, sources, host, pid, version, started_at)
               SELECT 'herald', '{}', 'far', 1, '', now() - day * interval '1 day' FROM generate_series(0, 1) AS day"""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(added)
    near, old = column(database, "SELECT id FROM crawls ORDER BY id")
    assert bury(database, crawls.LOST_GRACE) == [old]
    assert bury(database, crawls.LOST_GRACE) == []
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crawls SET lost_at = lost_at - interval '16 seconds'")
    assert bury(database, crawls.LOST_GRACE) == [near]


def test_a_burial_and_the_end_of_a_run_do_not_wait_for_each_other(database: Database) -> None:
    """Both write rows of sources, and count."""
    own = database.engine.connect()
    with own.begin():
        dead = crawls.begin(own, "herald", [SOURCE], {})
        own.execute(text("SELECT pg_advisory_unlock_all()"))
        living = crawls.begin(own, "news", [SOURCE, OTHER], {})
    with ThreadPoolExecutor(1) as thread:
        ending = own.begin()
        crawls.give_back(own, [living])
        facts.account(own, living, {})
        burial = thread.submit(bury, database)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: ask(database, waits) > 0)
        crawls.end(own, living, "finished", "finished", {})
        ending.commit()
        assert burial.result() == [dead]
    own.invalidate()
    own.close()


def test_a_burial_asks_once_however_many_run(database: Database) -> None:
    with database.engine.connect() as own:
        for _ in range(20):
            begun(own)
        own.commit()
        with database.engine.begin() as connection:
            said: list[str] = []
            event.listen(connection, "before_cursor_execute", lambda *given: said.append(given[2]))
            assert crawls.bury_dead(connection) == []
        assert len(said) == 1
        own.invalidate()


def terminate(url: str) -> None:
    """End all connections of this database but our own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_old_runs_go_and_those_that_found_nothing_sooner(database: Database) -> None:
    runs = (
        ("new and idle", 1, "finished", "{}"),
        ("idle", 8, "finished", "{}"),
        ("idle, of another source's article", 8, "finished", '{"news/kurier/stored": 1}'),
        ("found", 80, "finished", '{"news/herald/stored": 2}'),
        ("failed", 80, "failed", "{}"),
        ("old", 100, "finished", '{"news/herald/stored": 2}'),
        ("runs", 100, "running", "{}"),
        ("the last", 100, "finished", "{}"),
    )
    added = text(
        "INSERT INTO crawls (spider, sources, host, pid, version, reason, started_at, outcome, stats) VALUES "
        "('herald', '{herald}', '', 1, '', :reason, now() - :age * interval '1 day', :outcome, CAST(:stats AS jsonb))"
    )
    with database.engine.begin() as connection:
        names = ("reason", "age", "outcome", "stats")
        connection.execute(added, [dict(zip(names, run, strict=True)) for run in runs])
        connection.execute(
            text(
                "INSERT INTO sources (id, name, homepage, seed, last_crawl) "
                "SELECT 'herald', 'Herald', 'http://h.example/', '{}', id FROM crawls WHERE reason = 'the last'"
            )
        )
        assert crawls.prune(connection) == 1
        (pruned, last), found = crawls.prune_idle(connection, most=3), 0
        while last is not None:
            pruned, last = crawls.prune_idle(connection, last, most=3)
            found += pruned
        assert (found, crawls.prune_idle(connection)[0]) == (0, 0), "the first three had them all"
    kept = column(database, "SELECT reason FROM crawls ORDER BY id")
    assert kept == ["new and idle", "found", "failed", "runs", "the last"]
