"""Jobs that somebody waits for."""

from __future__ import annotations

from sqlalchemy import text

from crawler.store import awaited
from crawler.store.engine import Database

MANY = """
INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name, args, status)
SELECT 'news', CASE WHEN n % 100 = 0 THEN 'reextract' ELSE 'crawl' END, jsonb_build_object('run', n / 1000),
    'succeeded' FROM generate_series(1, 20000) AS n
"""


def test_the_jobs_of_a_run_are_found_without_reading_all_jobs(database: Database) -> None:
    """Who waits asks every second."""
    with database.engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE procrastinate.procrastinate_jobs"))
        assert len(awaited.of_run(connection, 7)) == 10
        assert awaited.of_run(connection, 7, over=False) == []
        explain = text(f"EXPLAIN {awaited._OF_RUN.text}")
        plan = connection.execute(explain, {"run": 7, "over": True}).scalars().all()
    assert not [line for line in plan if "Seq Scan" in line], plan
