"""A source is crawled by one crawl of its own at a time, whoever started it."""

from __future__ import annotations

from pathlib import Path

from crawler.store.engine import Database
from crawler.store.queue import crawl_of
from tests.jobs.at_work import HERALD, SLOW, Shift
from tests.runs import Bench, until
from tests.site import Newspaper

RUNS = "SELECT spider, arguments ? 'job', outcome FROM crawls ORDER BY id"


def test_one_by_hand_and_one_of_a_worker(database_url: str, database: Database, tmp_path: Path) -> None:
    with Newspaper(many=90) as paper:
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
        shift = Shift(paper, bench, database)
        by_hand = bench.start("crawl", HERALD, *SLOW, "-s", "AUTOTHROTTLE_ENABLED=0", "-s", "EXTRACTION_WORKERS=1")
        try:
            until(lambda: shift.rows(RUNS))
            second, alone = bench.each(["crawl", HERALD], ["crawl", "news", "-a", f"sources={HERALD}"])
            who = f"scrapy crawl: {HERALD} is being crawled by process {by_hand.pid} on "
            for refused in (second, alone):
                assert refused.status == 1 and refused.lines[0].startswith(who), refused.err
                assert refused.lines[0].endswith(f"; `scrapy enqueue crawl {HERALD}` crawls it after that")
            (job,) = shift.put(crawl_of(HERALD))
            with shift.worker(*SLOW) as worker:
                until(lambda: shift.value("SELECT scheduled_at > now() FROM procrastinate.procrastinate_jobs"))
                assert shift.job(job) == ("todo", 0)
                assert f"{HERALD}: no crawl now: {HERALD} is being crawled by process {by_hand.pid} on" in worker.said()
                by_hand.terminate()
                by_hand.communicate(timeout=60)
                assert shift.rows(RUNS) == [(HERALD, False, "shutdown")]
                with database.engine.begin() as connection:
                    connection.exec_driver_sql("UPDATE procrastinate.procrastinate_jobs SET scheduled_at = NULL")
                until(lambda: len(shift.rows(RUNS)) == 2)  # the fence is free
        finally:
            by_hand.kill()
            by_hand.wait()
