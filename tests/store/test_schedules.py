"""Seeds become rows with a time, what is due becomes jobs: once each, whatever waits, runs or is disabled."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from crawler.schedule import HOURS, Due, next_due
from crawler.sources import Source
from crawler.store import crawls, health, queue, rhythms, schedules
from crawler.store.articles import save
from crawler.store.engine import Database
from crawler.store.schedules import Defaults, Queued
from tests.runs import until
from tests.store.rows import WAITS, an_article, ask, column, leased

AUTO = Defaults()
JOBS = "SELECT lock FROM procrastinate.procrastinate_jobs WHERE status = 'todo' ORDER BY id"


def a_source(name: str, **seed: Any) -> Source:
    return Source.model_validate({"id": name, "name": name.title(), "homepage": f"https://{name}.example/", **seed})


def sow(database: Database, *sources: Source, defaults: Defaults = AUTO) -> list[str]:
    with database.engine.begin() as connection:
        return schedules.sow(connection, defaults, sources)


def tick(database: Database, most: int = 1000) -> Queued:
    with database.engine.begin() as connection:
        return schedules.queue_due(connection, AUTO, most)


def do(database: Database, statement: str, **values: Any) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(statement), values)


def row(database: Database, name: str) -> Any:
    with database.engine.connect() as connection:
        query = "SELECT *, due_at - now() AS rest, due_at <= now() AS is_due FROM sources WHERE id = :id"
        return connection.execute(text(query), {"id": name}).one()


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_a_seed_becomes_a_row_with_a_time(database: Database) -> None:
    seeds = [
        a_source("new"),
        a_source("often", schedule="30m"),
        a_source("early", schedule="0 5 * * * Europe/Berlin"),
        a_source("asked", schedule="never"),
        a_source("off", enabled=False, note="It is gone."),
    ]
    assert sow(database, *seeds) == ["new", "often", "early", "asked", "off"]
    assert sow(database, *seeds) == [], "nothing is news"
    assert [row(database, name).is_due for name in ("new", "often", "early", "asked", "off")] == [
        *(True, True, False, None, None)
    ]
    assert row(database, "often").schedule == "30m" and row(database, "new").schedule == "auto"
    assert row(database, "off").due_why == "enabled: false in its seed"
    assert tick(database) == Queued(2, 2)
    # another default is another schedule for who names none; a changed name is none
    assert sow(database, *seeds, defaults=Defaults("never")) == ["new", "off"]
    assert row(database, "new").due_at is None
    before = row(database, "often").due_at
    assert sow(database, a_source("often", schedule="30m", country="GB")) == ["often"]
    assert (row(database, "often").country, row(database, "often").due_at) == ("GB", before)
    assert sow(database, a_source("often", schedule="2h")) == ["often"]
    assert timedelta(hours=1) <= row(database, "often").rest <= timedelta(hours=3)


def test_a_seed_that_breaks_or_goes(database: Database) -> None:
    sow(database, a_source("a"), a_source("b"))
    with database.engine.begin() as connection:
        assert schedules.mark_broken(connection, {"a": "a.yaml: no", "unknown": "x"}) == ["a"]
        assert schedules.mark_broken(connection, {"a": "a.yaml: no"}) == []
        assert schedules.uproot(connection, ["a"]) == ["b"]
    assert (row(database, "a").seed_error, row(database, "a").is_due) == ("a.yaml: no", True)
    assert (row(database, "b").seeded_at, row(database, "b").due_at) == (None, None)
    assert sow(database, a_source("a"), a_source("b")) == ["a", "b"], "mended, and back"
    assert (row(database, "a").seed_error, row(database, "b").is_due) == (None, True)


# -- the tick ----------------------------------------------------------------------------------------------------------


def test_what_is_due_is_queued_once_the_latest_first(database: Database) -> None:
    sow(database, *(a_source(name, schedule="1d") for name in "abcde"))
    do(database, "UPDATE sources SET due_at = now() - CAST(:late AS interval) * ascii(id)", late="1 hour")
    assert tick(database, most=2) == Queued(2, 2)
    assert column(database, JOBS) == ["e", "d"], "e is the latest"
    assert tick(database) == Queued(3, 3)
    assert column(database, JOBS) == ["e", "d", "c", "b", "a"]
    assert tick(database) == Queued(0, 0), "days of downtime are one crawl"
    assert ask(database, "SELECT min(due_at) > now() + interval '11 hours' FROM sources")
    queued = "SELECT args, queue_name, task_name, priority, queueing_lock FROM procrastinate.procrastinate_jobs"
    with database.engine.connect() as connection:
        assert tuple(connection.execute(text(f"{queued} ORDER BY id LIMIT 1")).one()) == (
            {"source": "e", "asked": "schedule", "arguments": {}},
            *("news", "crawl", 0, "e"),
        )


def test_what_waits_is_not_queued_again_and_what_runs_stays_due(database: Database) -> None:
    sow(database, *(a_source(name, schedule="1h") for name in ("waits", "runs", "disabled")))
    do(database, "UPDATE sources SET disabled_at = now() WHERE id = 'disabled'")
    assert tick(database) == Queued(2, 2)
    queued_at = row(database, "waits").queued_at
    do(database, "UPDATE procrastinate.procrastinate_jobs SET status = 'doing' WHERE lock = 'runs'")
    do(database, "UPDATE sources SET due_at = now() - interval '1 minute'")
    assert tick(database) == Queued(1, 0)
    assert column(database, JOBS) == ["waits"]
    assert row(database, "waits").is_due is False and row(database, "waits").queued_at == queued_at
    assert row(database, "runs").is_due and row(database, "disabled").is_due
    do(database, "UPDATE procrastinate.procrastinate_jobs SET status = 'succeeded' WHERE lock = 'runs'")
    do(database, "UPDATE sources SET disabled_at = NULL")
    assert tick(database) == Queued(2, 2)


def test_a_schedule_that_is_not_understood_stops_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sow(database, a_source("a"), a_source("b"))
    do(database, "UPDATE sources SET schedule = 'by the moon' WHERE id = 'a'")
    assert tick(database) == Queued(2, 2)
    assert "not understood: 'by the moon'" in row(database, "a").due_why

    def errs(rhythm: Any, quiet: Any, source: str, *more: Any) -> Due:
        if source == "a":
            raise StopIteration
        return next_due(rhythm, quiet, source, *more)

    monkeypatch.setattr(schedules, "next_due", errs)
    do(database, "DELETE FROM procrastinate.procrastinate_jobs")
    do(database, "UPDATE sources SET due_at = now(), schedule = '1h'")
    assert tick(database) == Queued(2, 2)
    assert row(database, "a").due_why == "not understood: StopIteration"
    assert row(database, "b").due_why != row(database, "a").due_why


def test_runs_that_fail_make_auto_rarer(database: Database) -> None:
    source = a_source("herald")
    sow(database, source)
    for number, ends in enumerate(["failed", "failed", "killed", "failed", "finished"], 1):
        with database.engine.begin() as connection:
            crawl_id = crawls.begin(connection, "herald", [source], {})
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
        assert ask(database, "SELECT last_crawl FROM sources") == crawl_id
        with database.engine.begin() as connection:
            if ends == "killed":
                assert crawls.bury_dead(connection, 0) == [crawl_id]
            else:
                crawls.end(connection, crawl_id, ends, "why", {})
        if number == 4:
            do(database, "UPDATE sources SET due_at = now()")
            tick(database)
            assert row(database, "herald").due_why == "auto: failed 4 times in a row"
            assert row(database, "herald").rest >= timedelta(minutes=59)
    assert row(database, "herald").failures == 0


# -- rhythms -----------------------------------------------------------------------------------------------------------


def learned(database: Database, *, days: int) -> tuple[Sequence[int], int, timedelta]:
    """Learn as if the source were crawled for so many days: counts, undated, when again."""
    since = "UPDATE rhythms SET since = now() - make_interval(days => :days), learn_at = now()"
    do(database, since, days=days)
    with database.engine.begin() as connection:
        assert rhythms.learn(connection) == 1
        assert rhythms.learn(connection) == 0
        query = "SELECT counts, undated, learn_at - now() AS again FROM rhythms"
        found = connection.execute(text(query)).one()
        return found.counts, found.undated, found.again


def test_a_rhythm_is_learned_from_articles(database: Database) -> None:
    leased(database, 8)
    sow(database, a_source("herald"))
    with database.engine.begin() as connection:
        assert rhythms.learn(connection) == 1
    assert ask(database, "SELECT since FROM rhythms") is None, "it was never crawled"
    now = ask(database, "SELECT date_trunc('hour', now())")
    monday = now - timedelta(days=now.weekday() + 7, hours=now.hour)
    nine = monday + timedelta(hours=9)
    given = [
        (nine, nine.isoformat()),
        (nine + timedelta(minutes=59), nine.isoformat()),
        (monday + timedelta(days=6, hours=23), "Sun, 23:00"),
        (monday, monday.isoformat()),  # a date for which midnight stands
        (monday, "2026-11-23"),
        (None, None),
        (nine - timedelta(days=40), nine.isoformat()),  # too long ago
    ]
    with database.engine.begin() as connection:
        save(connection, [an_article(n, published_at=at, published_raw=raw) for n, (at, raw) in enumerate(given, 1)])
    counts, undated, again = learned(database, days=20)
    assert {hour: count for hour, count in enumerate(counts) if count} == {9: 2, 167: 1}
    assert (len(counts), undated, again) == (HOURS, 3, timedelta(hours=12))
    assert learned(database, days=0) == ([0] * HOURS, 0, timedelta(minutes=15))
    do(database, "UPDATE sources SET crawled_at = now(), due_at = now()")
    learned(database, days=28)
    tick(database)
    assert row(database, "herald").due_why == "auto: about 0.4 a day"
    sow(database, a_source("herald", schedule="1h"))
    assert ask(database, "SELECT learn_at FROM rhythms") is None


def test_what_something_else_crawls_is_not_overdue(database: Database) -> None:
    sow(database, a_source("by_cron"), a_source("runs"), a_source("left"))
    do(database, "UPDATE sources SET due_at = now() - interval '1 hour'")
    do(database, "UPDATE sources SET crawled_at = now() WHERE id = 'by_cron'")
    its = "INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name, lock, status) VALUES "
    do(database, its + "('news', 'crawl', 'runs', 'doing')")
    with database.engine.connect() as connection:
        stands = health.system(connection)
    assert (stands.overdue, stands.ticked_at) == (1, None)


def test_a_scheduled_job_is_the_one_that_is_queued_otherwise(database: Database) -> None:
    """It is written by a statement of its own, for a hundred thousand sources."""
    sow(database, a_source("herald"), a_source("kurier"))
    do(database, "UPDATE sources SET due_at = now() WHERE id = 'herald'")
    do(database, "UPDATE sources SET due_at = NULL WHERE id = 'kurier'")
    tick(database)
    with database.engine.begin() as connection:
        queue.enqueue(connection, [queue.crawl_of("kurier")])
    made = (
        "SELECT replace(CAST(to_jsonb(job) - 'id' AS text), lock, 'SOURCE') FROM procrastinate.procrastinate_jobs job"
    )
    scheduled, other = column(database, f"{made} ORDER BY id")
    assert scheduled == other and "SOURCE" in scheduled


@pytest.mark.parametrize("ticks", [True, False], ids=["scheduler", "person"])
def test_whoever_queues_many_does_so_in_one_order(database: Database, ticks: bool) -> None:
    """One has the job of a, and then wants that of b; the other would have begun with b."""
    sow(database, a_source("a"), a_source("b"))
    do(database, "UPDATE sources SET due_at = now() - CASE id WHEN 'b' THEN 2 ELSE 1 END * interval '1 hour'")

    def other() -> None:
        with database.engine.begin() as connection:
            if ticks:
                schedules.queue_due(connection, AUTO)
            else:
                queue.enqueue(connection, [queue.crawl_of("b"), queue.crawl_of("a")])

    with ThreadPoolExecutor(1) as thread:
        with database.engine.begin() as connection:
            queue.enqueue(connection, [queue.crawl_of("a")])
            queueing = thread.submit(other)
            until(lambda: ask(database, WAITS) > 0)
            queue.enqueue(connection, [queue.crawl_of("b")])
        queueing.result()
    assert column(database, JOBS) == ["a", "b"]
