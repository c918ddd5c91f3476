"""What a source did by day: added once however a run ends, and counted anew from the articles."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.health import judge
from crawler.recurrence import block_key
from crawler.store import cleaning, crawls, facts, frontier, health, intake
from crawler.store.engine import Database
from crawler.store.guard import Guard
from crawler.store.writer import commit
from tests.store.rows import an_entry, ask, await_one_day, begun, candidates


@pytest.fixture(autouse=True)
def one_day() -> None:
    await_one_day()


STATS = {
    "news/herald/lists": 2,
    "news/herald/listing/read": 2,
    "news/herald/found": 9,
    "news/herald/known": 4,
    "news/herald/fetched": 3,
    "news/herald/stored": 2,
    "news/herald/rejected": 1,
    "news/herald/outcome/article": 2,
    "news/herald/outcome/no_body": 1,
    "news/herald/answers/number": 5,
    "news/herald/answers/seconds": 2.5,
    "news/herald/answers/longest": 1.5,
    "news/herald/dropped/blocks": 4,
    "news/outcome/article": 2,
    "downloader/response_count": 5,
}
DAY = "SELECT to_jsonb(d) FROM source_days d WHERE source = 'herald' AND day = (now() AT TIME ZONE 'UTC')::date"
COURIER = "SELECT to_jsonb(d) FROM source_days d WHERE source = 'courier'"


def row(database: Database, query: str = DAY) -> dict[str, Any]:
    found: dict[str, Any] = ask(database, query)
    return found


def store(database: Database, numbers: range, **changes: Any) -> None:
    """Articles, as a run stores them."""
    with database.engine.begin() as connection:
        crawl_id = begun(connection)
        intake.add(connection, "herald", candidates(numbers))
        due = frontier.take(connection, crawl_id, {"herald": 100}, 100)
        commit(connection, crawl_id, [an_entry(one, **changes) for one in due])
        connection.execute(text("UPDATE crawls SET outcome = 'finished' WHERE id = :id"), {"id": crawl_id})
        connection.execute(text("SELECT pg_advisory_unlock_all()"))


def test_a_run_counts_once_as_it_goes_on_and_at_its_end(database: Database) -> None:
    store(database, range(1, 4), published_at=None)
    with database.engine.connect() as connection:
        guard = Guard(connection, 0)
        guard.crawl_id = guard.transaction(begun)
        for stats in (STATS, STATS):
            guard.transaction(lambda given, stats=stats: facts.account(given, guard.crawl_id, stats))  # type: ignore[misc]
        more = {**STATS, "news/herald/rejected": 4, "news/herald/outcome/no_body": 4, "downloader/response_count": 9}
        guard.transaction(lambda given: crawls.end(given, guard.crawl_id, "finished", "finished", more))
        guard.close()
    found = row(database)
    expected: dict[str, Any] = {
        "stored": 2,
        "rejected": 4,
        "rejected_row": 3,
        "fetched": 3,
        "announced": 5,
        "dropped_blocks": 4,
    }
    expected |= {"crawls": 1, "crawls_failed": 0, "answers": 5, "answer_seconds": 2.5, "answer_max": 1.5}
    expected |= {"articles": 3, "dated": 0, "signed": 3, "words": 5, "lag": None, "lists_row": 0, "failed_row": 0}
    assert {name: found[name] for name in expected} == expected
    assert found["outcomes"] == {"article": 2, "no_body": 4} and found["lists"] == {"read": 2}
    assert sum(found["by_hour"]) == 3 and len(found["by_hour"]) == 24
    assert found["read_at"] and found["came_at"]
    courier = row(database, COURIER)  # it was to be crawled as well
    assert (courier["crawls"], courier["articles"]) == (1, 0)
    assert ask(
        database,
        "SELECT moved_at IS NOT NULL AND stats ->> 'downloader/response_count' = '9' FROM crawls "
        "ORDER BY id DESC LIMIT 1",
    )


def test_what_a_killed_run_did_is_counted_when_it_is_buried(database: Database) -> None:
    with database.engine.connect() as connection:
        crawl_id = begun(connection)
        facts.account(connection, crawl_id, STATS)
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock_all()"))  # as the server does when its process is killed
        connection.commit()
    store(database, range(1, 3))  # what it stored after it had last told
    with database.engine.begin() as connection:
        assert crawls.bury_dead(connection, 0) == [crawl_id]
        assert crawls.bury_dead(connection, 0) == []
    found = row(database)
    assert (found["stored"], found["articles"], found["crawls"], found["crawls_failed"]) == (2, 2, 1, 1)
    assert found["failed_why"] == crawls.KILLED


@pytest.mark.parametrize("arguments", [{"since": "2020-01-01"}, {"archives": "1"}])
def test_a_backfill_tells_nothing_of_today(database: Database, arguments: dict[str, str]) -> None:
    store(database, range(1, 3))
    with database.engine.begin() as connection:
        old = "UPDATE articles SET published_at = CASE WHEN url LIKE '%1' THEN '2020-01-01' ELSE now() END"
        connection.execute(text(old))
        crawl_id = begun(connection)
        changed = text("UPDATE crawls SET arguments = :given WHERE id = :id").bindparams(
            bindparam("given", type_=JSONB)
        )
        connection.execute(changed, {"given": arguments, "id": crawl_id})
        crawls.end(connection, crawl_id, "finished", "finished", STATS)
    found = row(database)
    assert (found["articles"], sum(found["by_hour"]), found["dated"]) == (2, 1, 1)
    assert (found["stored"], found["crawls"]) == (0, 0)


def test_blocks_that_had_got_in_are_counted_when_they_are_taken_out(database: Database) -> None:
    store(database, range(1, 3))
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE articles SET blocks = blocks || jsonb_build_array(jsonb_build_object(
                'kind', 'paragraph', 'kept', true, 'text', 'Support the Herald from one pound a week now.'))
                || jsonb_build_array(jsonb_build_object('kind', 'paragraph', 'kept', true, 'text',
                    repeat('A long story of bridges that were opened, paragraph ' || id || '. ', 9)))
        """)
        )
        connection.execute(
            text("""INSERT INTO boilerplate_blocks (source, key, state, evidence, decided_at, clean_from)
                    VALUES ('herald', :key, 'learned', '[]', now(), now() - interval '1 day')"""),
            {"key": block_key("Support the Herald from one pound a week now.")},
        )
    assert cleaning.clean(database.engine, "herald") == 2
    assert row(database)["leaked"] == 2
    assert cleaning.clean(database.engine, "herald") == 0
    assert row(database)["leaked"] == 2


def test_the_past_is_read_as_it_was_written(database: Database) -> None:
    """Eight weeks of a source, then a day of pages that are no articles: as `scrapy health` finds it."""
    store(database, range(1, 3), published_at=None)
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO source_days (source, day, articles, by_hour, stored, rejected, fetched, lists, read_at, crawls)
            SELECT 'herald', (now() AT TIME ZONE 'UTC')::date - n, 48, array_fill(2, ARRAY[24]), 48, 4, 52,
                '{"read": 48}', now() - n * interval '1 day', 48
            FROM generate_series(1, 50) AS n
        """)
        )
        connection.execute(
            text("""
            INSERT INTO source_days (source, day, rejected, rejected_row, fetched, outcomes, lists, read_at, crawls)
            VALUES ('herald', (now() AT TIME ZONE 'UTC')::date, 30, 30, 30, '{"no_body": 30}', '{"read": 9}', now(), 9)
        """)
        )
        connection.execute(text("UPDATE sources SET crawled_at = now()"))
        found = health.records(connection, health.names(connection))
        now = health.now(connection)
    assert len(found["herald"].past) == 50 and found["courier"].past == ()
    assert len(found["herald"].present.recent) == 2
    (finding,) = judge(found["herald"].past, found["herald"].present, now)
    assert (finding.kind, finding.sentence) == (
        "template_changed",
        "30 pages in a row were no articles (no_body 30); usually 8 % are none",
    )
    assert judge(found["courier"].past, found["courier"].present, now) == []
