"""The queue: what goes in once, what comes out in which order, and what becomes of it by the database's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from crawler import tally
from crawler.errors import SourceTaken, Superseded
from crawler.jobs import tasks
from crawler.jobs.board import Board
from crawler.jobs.following import follow
from crawler.jobs.tasks import Ended, Task, UnreadableJob, judged
from crawler.store import awaited, crawls, guard, health, overview, queue, workers
from crawler.store.engine import Database
from crawler.store.guard import Guard
from crawler.store.patience import Patience, will_pass
from crawler.store.queue import BULK, Ending, Job, crawl_of
from crawler.store.workers import Standing
from tests.runs import until
from tests.store.rows import ask, begun, column, held

NO_GRACE = 0.0


def put(database: Database, *jobs: Job) -> list[int | None]:
    with database.engine.begin() as connection:
        return queue.enqueue(connection, jobs)


def take(connection: Connection, worker: int) -> int | None:
    query = text("SELECT id FROM procrastinate.procrastinate_fetch_job_v2(CAST('{news}' AS varchar[]), :worker)")
    return connection.execute(query, {"worker": worker}).scalar()


def taken(database: Database, worker: int) -> int | None:
    with database.engine.begin() as connection:
        return take(connection, worker)


def settle(database: Database, job: int | None, worker: int | None, ending: Ending) -> str | None:
    assert job is not None
    with database.engine.begin() as connection:
        return queue.settle(connection, job, worker, ending)


def job(database: Database, job_id: int | None) -> Any:
    query = """SELECT CAST(status AS text), attempts, worker_id,
               round(extract(epoch FROM scheduled_at - now())) FROM procrastinate.procrastinate_jobs WHERE id = :id"""
    with database.engine.connect() as connection:
        return tuple(connection.execute(text(query), {"id": job_id}).one())


@dataclass(frozen=True)
class Size:
    crawls: int
    connections: int


def sized(crawls: int) -> Callable[[int], Size]:
    return lambda free: Size(crawls, 2 * crawls)


def dies(database: Database, standing: Standing) -> None:
    """Its connection closes, and the server has noticed."""
    before = held(database, workers.WORKER_LOCK)
    standing.close()
    until(lambda: held(database, workers.WORKER_LOCK) < before)


@pytest.fixture
def worker(database: Database) -> Any:
    standing = Standing(database.engine)
    standing.begin(sized(4))
    yield standing
    standing.close()


def test_who_waits_already_is_not_queued_twice(database: Database, worker: Standing) -> None:
    first, again, other = put(database, crawl_of("herald"), crawl_of("herald"), crawl_of("kurier"))
    assert first and other and again is None
    by_hand = put(database, *[crawl_of("herald", asked="person", arguments={"archives": "1"})] * 2)
    assert None not in by_hand
    # A person's jobs come first; of one source, one runs at a time.
    assert [taken(database, worker.id) for _ in range(3)] == [by_hand[0], other, None]
    assert put(database, crawl_of("herald")) == [None]
    with database.engine.connect() as connection:
        assert queue.counts(connection) == {"due": 2, "later": 0, "running": 2}
        (oldest, _) = queue.running(connection)
        assert (oldest.source, oldest.worker_id, oldest.alive) == ("herald", worker.id, True)
        assert oldest.arguments["arguments"] == {"archives": "1"}
        assert [one.id for one in queue.waiting(connection)] == [by_hand[1], first]
        assert overview.read(connection).running == 2


def test_a_job_that_fails_comes_again_after_1_5_and_30_minutes_and_then_stays(
    database: Database, worker: Standing
) -> None:
    (wanted,) = put(database, crawl_of("herald"))
    for attempts, seconds in enumerate((60, 300, 1800), start=1):
        assert taken(database, worker.id) == wanted
        assert settle(database, wanted, worker.id, Ending(kind="failed", reason="no page")) == "todo"
        assert job(database, wanted) == ("todo", attempts, None, seconds)
        assert taken(database, worker.id) is None
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE procrastinate.procrastinate_jobs SET scheduled_at = now()")
    assert taken(database, worker.id) == wanted
    assert settle(database, wanted, worker.id, Ending(kind="failed", reason="the l\0ast")) == "failed"
    with database.engine.connect() as connection:
        newest, *others = queue.failures(connection)
    assert (newest.reason, newest.status, len(others)) == ("the last", "failed", 3)


def test_a_backfill_that_goes_on_later_lets_the_scheduled_crawl_pass(database: Database, worker: Standing) -> None:
    for ending in (Ending(kind="back", gives_way=True), Ending(kind="failed")):
        (backfill,) = put(database, crawl_of("herald", asked="person", arguments={"archives": "1"}))
        (scheduled,) = put(database, crawl_of("herald"))
        assert taken(database, worker.id) == backfill
        assert backfill and settle(database, backfill, worker.id, ending) == "todo"
        assert taken(database, worker.id) == scheduled
        assert scheduled and settle(database, scheduled, worker.id, Ending(kind="done")) == "succeeded"
        with database.engine.begin() as connection:
            queue.cancel(connection, [backfill])


def test_what_goes_back_is_no_attempt_and_waits_for_nobody(database: Database, worker: Standing) -> None:
    (wanted,) = put(database, crawl_of("herald"))
    for delay in (15.0, 0.0):
        assert taken(database, worker.id) == wanted
        assert settle(database, wanted, worker.id, Ending(kind="back", delay=delay)) == "todo"
        assert job(database, wanted) == ("todo", 0, None, delay)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE procrastinate.procrastinate_jobs SET scheduled_at = NULL")
    assert taken(database, worker.id) == wanted
    (later,) = put(database, crawl_of("herald"))  # it waits already: what was begun need not come back
    assert settle(database, wanted, worker.id, Ending(kind="back")) == "cancelled"
    assert taken(database, worker.id) == later
    assert settle(database, later, worker.id + 1, Ending(kind="done")) is None  # not that worker's
    assert settle(database, later, worker.id, Ending(kind="done")) == "succeeded"
    assert settle(database, later, worker.id, Ending(kind="done")) is None


def test_what_a_dead_worker_had_comes_back_and_what_a_living_one_has_does_not(
    database: Database, worker: Standing
) -> None:
    dead = Standing(database.engine)
    dead.begin(sized(1))
    lost, kept = put(database, crawl_of("herald"), crawl_of("kurier"))
    assert (taken(database, dead.id), taken(database, worker.id)) == (lost, kept)
    dies(database, dead)
    with database.engine.begin() as connection:
        assert queue.requeue_lost(connection, grace=1e6) == []  # the server may have lost all sessions only now
    for number in range(1, queue.MOST_LOST + 1):
        with database.engine.begin() as connection:
            assert workers.alive(connection) == [worker.id]
            assert queue.requeue_lost(connection, NO_GRACE) == [lost]
            assert queue.requeue_lost(connection, NO_GRACE) == []
        assert job(database, lost)[:3] == ("failed" if number == queue.MOST_LOST else "todo", number // 10, None)
        if number < queue.MOST_LOST:
            assert taken(database, dead.id) == lost
    assert ask(database, "SELECT note FROM workers WHERE id = :id", id=dead.id) == "its process is gone"
    with database.engine.begin() as connection:
        silent = "UPDATE workers SET {} = now() - interval '{} minutes' WHERE id = {}"
        for column, minutes, who in (
            ("started_at", 9, worker.id),
            ("started_at", 10, dead.id),
            ("seen_at", 5, dead.id),
        ):
            connection.execute(text(silent.format(column, minutes, who)))
        stands = health.system(connection)
        assert (stands.workers, len(stands.lost)) == (1, 1), "nor who buries it hides it, nor who started beside it"
        connection.execute(text(silent.format("started_at", 4, worker.id)))
        assert health.system(connection).lost == (), "that one took its place"
    assert job(database, kept)[0] == "doing"


def test_a_worker_that_was_taken_for_dead_takes_its_row_back(database: Database, worker: Standing) -> None:
    (wanted,) = put(database, crawl_of("herald"))
    assert taken(database, worker.id) == wanted
    assert worker.say().jobs == {wanted}
    with database.engine.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = :key"), {"key": workers.WORKER_LOCK}
        )
    until(lambda: not held(database, workers.WORKER_LOCK))
    with database.engine.begin() as connection:
        assert queue.requeue_lost(connection, NO_GRACE) == [wanted]
    with pytest.raises(Exception, match=r"terminat|closed"):
        worker.say()
    assert worker.say().jobs == frozenset()
    assert column(database, "SELECT stopped_at FROM workers") == [None]
    with database.engine.begin() as connection:
        assert queue.requeue_lost(connection, NO_GRACE) == []


def test_what_is_over_is_pruned_with_its_failures(database: Database, worker: Standing) -> None:
    old, new = put(database, crawl_of("herald"), Job(task="archive", priority=BULK))
    for wanted in (old, new):
        assert taken(database, worker.id) == wanted
        settle(database, wanted, worker.id, Ending(kind="failed", final=True))
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE procrastinate.procrastinate_events SET at = at - interval '8 days' WHERE job_id = :id"),
            {"id": old},
        )
        assert queue.prune(connection) == 1
        assert [one.job_id for one in queue.failures(connection)] == [new]


def test_a_worker_that_ends_rewrites_no_jobs_and_its_rows_go_when_those_have_gone(
    database: Database, worker: Standing
) -> None:
    ended, killed = Standing(database.engine), Standing(database.engine)
    for one in (ended, killed):
        one.begin(sized(1))
    (done,) = put(database, crawl_of("herald"))
    assert taken(database, ended.id) == done
    settle(database, done, ended.id, Ending(kind="done"))
    ended.end("stopped")
    assert job(database, done)[:3] == ("succeeded", 1, ended.id)
    dies(database, killed)
    with database.engine.begin() as connection:
        queue.requeue_lost(connection, NO_GRACE)
        for table, at in (("workers", "stopped_at"), ("procrastinate.procrastinate_events", "at")):
            connection.exec_driver_sql(f"UPDATE {table} SET {at} = {at} - interval '8 days'")
        assert queue.prune(connection, most=1) == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM workers").scalar() == 3, "there may be more of its jobs"
        assert queue.prune(connection, most=1) == 0
    for table in ("workers", "procrastinate.procrastinate_workers"):
        assert column(database, f"SELECT id FROM {table}") == [worker.id]


def test_a_job_is_cancelled_whether_it_waits_or_runs(database: Database, worker: Standing) -> None:
    runs, waits = put(database, crawl_of("herald"), crawl_of("kurier"))
    assert taken(database, worker.id) == runs
    with database.engine.begin() as connection:
        assert queue.cancel(connection, [runs or 0, waits or 0, 999]) == 2
    assert job(database, waits)[0] == "cancelled"
    assert column(
        database, "SELECT id FROM procrastinate.procrastinate_jobs WHERE abort_requested AND status = 'doing'"
    )
    assert settle(database, runs, worker.id, Ending(kind="dropped", reason="aborted")) == "cancelled"


@pytest.mark.parametrize("ending", [Ending(kind="back"), Ending(kind="failed"), None])
def test_a_job_that_was_cancelled_does_not_come_again(
    database: Database, worker: Standing, ending: Ending | None
) -> None:
    """Its worker was told to stop, lost its host, or died before it heard of it."""
    (wanted,) = put(database, crawl_of("herald"))
    assert wanted and taken(database, worker.id) == wanted
    with database.engine.begin() as connection:
        queue.cancel(connection, [wanted])
    if ending is not None:
        assert settle(database, wanted, worker.id, ending) == "cancelled"
        return
    dies(database, worker)
    with database.engine.begin() as connection:
        assert queue.requeue_lost(connection, NO_GRACE) == [wanted]
    assert job(database, wanted)[0] == "cancelled"


def test_the_lock_of_a_source_fences_off_a_crawl_that_was_away(database: Database) -> None:
    with database.engine.connect() as own, database.engine.connect() as other:
        with own.begin():
            crawl_id = begun(own)
            guard.fence(own, "herald")
        held = Guard(own, crawl_id, "herald")
        held.hold()
        with other.begin(), pytest.raises(SourceTaken):
            guard.fence(other, "herald")
        with database.engine.begin() as connection:
            pid = own.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        while not guard.take(other, "herald"):
            pass
        other.commit()
        with pytest.raises(Exception, match=r"terminat|closed"):
            held.hold()
        with pytest.raises(Superseded):
            held.hold()
        other.invalidate()
        held.close()


def test_a_persons_job_that_meets_its_twin_hands_over_its_place_and_who_waits_for_it(
    database: Database, worker: Standing
) -> None:
    (asked,) = put(database, crawl_of("herald", asked="person"))
    assert asked and taken(database, worker.id) == asked
    scheduled, other = put(database, crawl_of("herald"), crawl_of("kurier", asked="person"))
    assert scheduled and settle(database, asked, worker.id, Ending(kind="back", delay=60)) == "cancelled"
    with database.engine.connect() as connection:
        (ticket,) = awaited.tickets(connection, [asked])
        assert (ticket.reason, ticket.instead) == (f"job {scheduled} waits, and does it", scheduled)
    assert taken(database, worker.id) == scheduled
    settle(database, scheduled, worker.id, Ending(kind="done"))
    (ended,) = follow(database, Patience(10), [asked], None, print)
    assert other and (ended.id, ended.status) == (scheduled, "succeeded")


def test_the_locks_of_many_sources_are_many(database: Database) -> None:
    """source_30472 and source_58390 are one in 32 bits."""
    twins = """SELECT array_agg(name) FROM (SELECT 'source_' || n AS name FROM generate_series(1, 100000) AS n) AS made
               GROUP BY hashtext(name) HAVING count(*) > 1 LIMIT 1"""
    one, other = ask(database, twins)
    with database.engine.connect() as connection:
        assert guard.take(connection, one)
        with database.engine.connect() as second:
            assert not guard.take(second, one)
            assert guard.take(second, other)
            second.invalidate()
        connection.invalidate()


def test_a_run_without_its_lock_does_nothing(database: Database) -> None:
    """Its session is gone, and another has the lock: its own earlier one, as long as the server has not noticed."""
    with database.engine.connect() as own, database.engine.connect() as other:
        with own.begin():
            crawl_id = begun(own)
        held = Guard(own, crawl_id)
        own.invalidate()
        until(lambda: crawls.lock(other, crawl_id))
        with pytest.raises(OperationalError, match="has not ended yet") as caught:
            held.transaction(lambda connection: pytest.fail("it has worked"))
        assert will_pass(caught.value)
        other.invalidate()
        Patience(10).wait_for(held.hold)
        held.close()


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("polish", {}, "no task 'polish'"),
        ("crawl", {}, "names no source"),
        ("crawl", {"source": "herald", "depth": 3}, "knows no depth"),
        ("crawl", {"source": "herald", "arguments": {"colour": "red"}}, "no argument colour"),
        ("crawl", {"source": "herald", "arguments": {"since": 3}}, "no texts"),
    ],
)
def test_a_job_of_another_version_is_refused_with_a_reason(name: str, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(UnreadableJob, match=why):
        tasks.read(1, name, arguments)


def test_what_becomes_of_a_job() -> None:
    plain = Task(job_id=1, name="crawl", arguments={"source": "herald"})
    backfill = Task(job_id=1, name="crawl", arguments={"source": "herald", "arguments": {"archives": "1"}})
    kinds = {
        outcome: judged(plain, Ended(outcome=outcome)).kind
        for outcome in ("finished", "time_max", "shutdown", "taken", "disabled", "host_died", "database_unreachable")
    }
    assert kinds == {
        "finished": "done",
        "time_max": "done",
        "shutdown": "back",
        "taken": "back",
        "disabled": "dropped",
        "host_died": "failed",
        "database_unreachable": "back",
    }
    assert judged(backfill, Ended(outcome="time_max")).kind == "back"
    assert judged(plain, Ended(outcome="unreadable")).final


def test_a_board_does_not_grow_with_the_sources() -> None:
    board = Board(most=3)
    for number in range(50):
        stats = board.begin(number, "crawl", f"s{number}").stats
        stats |= {f"news/s{number}/{what}": 2 for what in ("stored", "answers/longest", "outcome/article")}
        stats |= {"news/outcome/article": 2, f"template/learned/s{number}": 1}
        board.end(number, "finished")
    assert dict(board.totals) == {
        **{f"news/s{number}/stored": 2 for number in range(3)},
        "news//stored": 94,
        "news/outcome/article": 100,
    }
    assert sum(counts["stored"] for counts in tally.by_source(board.summed()).values()) == 100


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 5))))
def test_totals_never_go_down(events: list[tuple[int, bool, int]]) -> None:
    board, before = Board(), 0
    for job_id, ends, pages in events:
        if ends:
            board.end(job_id, "finished")
        else:
            running = board.running.get(job_id) or board.begin(job_id, "crawl", "herald")
            running.stats["news/herald/fetched"] = running.stats.get("news/herald/fetched", 0) + pages
            running.stats["crawl_id"] = 7
        now = board.summed()["news/herald/fetched"]
        assert now >= before and "crawl_id" not in board.summed()
        before = now


def test_workers_that_start_together_share_out_the_connections(database: Database, worker: Standing) -> None:
    """`worker` has four crawls, and has opened none of their eight connections yet."""
    setting = "CAST(current_setting('{}') AS int)".format
    most = ask(database, f"SELECT {setting('max_connections')} - {setting('superuser_reserved_connections')}")
    most -= workers.SPARE
    offered: list[int] = []

    def fitting(free: int) -> Size:
        offered.append(free)
        return Size(1, free // 2)

    second, third = Standing(database.engine), Standing(database.engine)
    second.begin(fitting)
    third.begin(fitting)
    assert offered == [most - 8, most - 8 - (most - 8) // 2]
    second.close()
    third.close()
