"""Crawls that are interrupted, killed or run beside each other: nothing is lost, nothing is stored or fetched twice."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.store import checks
from crawler.store.engine import Database
from tests.runs import QUICK, Bench, command_lines_with, until
from tests.site import Newspaper

GENERATED = 30
SLOW = [*QUICK, "-s", "EXTRACTION_WORKERS=1"]
SLOWER = [*SLOW, "-s", "DOWNLOAD_DELAY=0.1"]  # when some are stored, the others take some seconds yet


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper(many=GENERATED) as newspaper:
        yield newspaper


@pytest.fixture
def bench(paper: Newspaper, tmp_path: Path, database_url: str) -> Bench:
    paper.write_seeds(tmp_path / "seeds")
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)


def articles(paper: Newspaper) -> int:
    return len(paper.articles) + GENERATED


def article_requests(paper: Newspaper) -> Counter[str]:
    paths = {f"/{one.publication.key}{one.path}" for one in paper.articles}
    for key, generated in paper.generated.items():
        paths |= {f"/{key}{generated.path(number)}" for number in generated.numbers}
    return Counter(visit.path for visit in paper.requests if visit.path in paths)


def some_are_stored(bench: Bench) -> bool:
    return bool(bench.value("SELECT count(*) >= 5 FROM articles"))


# Articles without their page or frontier state, pages and frontier states without their article.
HALVES = """
SELECT count(*) FROM articles FULL JOIN urls ON urls.article_id = articles.id
FULL JOIN (SELECT DISTINCT url_id FROM pages WHERE outcome = 'article') AS page ON page.url_id = urls.id
WHERE (articles.id IS NULL) <> (page.url_id IS NULL)
   OR articles.id IS NOT NULL AND (urls.state IS DISTINCT FROM 'fetched'
       OR NOT EXISTS (SELECT FROM jsonb_array_elements(blocks) AS block WHERE block -> 'kept' = 'true'))
"""


def broken(bench: Bench) -> list[str]:
    """The names of the checks that fail."""
    with Database(bench.database_url) as database:
        found = [checks.run(database.engine, one) for one in checks.CHECKS]
    return [one.check.name for one in found if one.count]


def assert_all_stored_once(bench: Bench, paper: Newspaper) -> None:
    assert bench.value("SELECT count(*) FROM articles") == articles(paper)
    assert bench.value("SELECT count(*) FROM revisions") == 0
    assert bench.value("SELECT max(n) FROM (SELECT count(*) AS n FROM pages GROUP BY url) AS times") == 1
    assert bench.value("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')") == 0


def test_ctrl_c_ends_a_crawl_in_order_and_the_next_one_finishes_it(bench: Bench, paper: Newspaper) -> None:
    with bench.start("crawl", "news", *SLOWER) as process:
        until(lambda: some_are_stored(bench))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err and "Ended early (shutdown)" in err
    (row,) = bench.rows("SELECT outcome, finished_at FROM crawls")
    assert row["outcome"] == "shutdown" and row["finished_at"]
    assert bench.value("SELECT count(*) FROM urls WHERE state = 'leased'") == 0
    assert 5 <= bench.value("SELECT count(*) FROM articles") < articles(paper)
    assert bench.crawl("news").status == 0
    assert_all_stored_once(bench, paper)


def test_after_kill_9_the_next_crawl_finishes_it(bench: Bench, paper: Newspaper) -> None:
    mark = f"kill-9-{os.getpid()}"
    with dataclasses.replace(bench, more={"MARK": mark}).start("crawl", "news", *SLOWER) as process:
        until(lambda: some_are_stored(bench))
        assert len(processes_of(mark)) > 1
        process.kill()
        process.communicate(timeout=60)
    until(lambda: not processes_of(mark))  # its workers went with it
    assert bench.value("SELECT outcome FROM crawls") == "running"
    assert bench.value(HALVES) == 0
    assert broken(bench) in ([], ["dead_leases"])
    next_one = bench.crawl("news")
    assert next_one.status == 0 and "had been killed" in next_one.err
    outcomes = bench.rows("SELECT outcome, finished_at FROM crawls ORDER BY id")
    assert [row["outcome"] for row in outcomes] == ["killed", "finished"]
    assert all(row["finished_at"] for row in outcomes)
    assert_all_stored_once(bench, paper)
    assert broken(bench) == []


def test_two_crawls_at_once_share_the_work_and_the_embedded_server(paper: Newspaper, tmp_path: Path) -> None:
    paper.write_seeds(tmp_path / "seeds")
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data")
    runs = [bench.start("crawl", "news", *SLOW) for _ in range(2)]
    said = [run.communicate(timeout=110)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert not any("Traceback" in err for err in said)
    requests = article_requests(paper)
    assert len(requests) == articles(paper)
    assert set(requests.values()) == {1}
    new = [int(err.splitlines()[-1].split()[0]) for err in said]
    assert sum(new) == articles(paper)
    until(lambda: not command_lines_with(str(bench.data_dir)))
    count = bench.scrapy("db", "psql", "-AtX", "-c", "SELECT count(*) FROM articles")
    assert count.out == f"{articles(paper)}\n"
    until(lambda: not command_lines_with(str(bench.data_dir)))


def processes_of(mark: str) -> list[str]:
    """The processes that have inherited the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if f"MARK={mark}".encode() in path.read_bytes():
                found.append(path.parent.name)
    return found
