"""What goes wrong on real sites costs the one page or feed that is wrong; and a worker's death costs one page."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ExtractionError
from crawler.extraction.pool import ExtractionPool
from tests.runs import Bench, Outcome, cloned, until
from tests.site import Newspaper
from tests.site.faults import NUL_BYTES, WRONG_CHARSET, many_links

PAGE = (
    "<html lang=en><head><title>Bridge</title></head><body><article><h1>Bridge</h1>"
    + "<p>The harbour bridge was closed on Monday for repairs that will take until the spring of next year.</p>" * 8
    + "</article></body></html>"
).encode()
BROKEN = "name: Broken\nhomepage: https://broken.example/\nfeed: [https://broken.example/rss]\n"


@dataclass(frozen=True)
class Faulty:
    """A crawl of a source where everything is wrong, beside a broken seed and three sound sources."""

    bench: Bench
    base: str
    outcome: Outcome
    stats: dict[str, Any]


@pytest.fixture(scope="module")
def faulty(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    room = tmp_path_factory.mktemp("faults")
    with cloned(server_url, template) as database_url, Newspaper(faults=True) as paper:
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=database_url)
        paper.write_seeds(bench.seeds)
        (bench.seeds / "broken.yaml").write_text(BROKEN, encoding="utf-8")
        outcome = bench.crawl("news")
        yield Faulty(bench, f"{paper.url}/faults", outcome, bench.value("SELECT stats FROM crawls"))


def told(faulty: Faulty, words: str) -> list[str]:
    return [line for line in faulty.outcome.lines if words in line]


def test_the_rest_of_the_crawl_goes_on(faulty: Faulty) -> None:
    assert faulty.outcome.status == 0
    assert "Traceback" not in faulty.outcome.err
    counted = faulty.bench.rows("SELECT source, count(*) AS n FROM articles GROUP BY source")
    assert {row["source"]: row["n"] for row in counted}.keys() == {
        "beispiel_kurier",
        "courrier_exemple",
        "example_faults",
        "example_herald",
    }


def test_a_broken_seed_is_named_with_its_key(faulty: Faulty) -> None:
    (line,) = told(faulty, "broken.yaml")
    assert "left out" in line and "feed" in line
    assert faulty.stats["news/failed/broken_seed"] == 1


def test_a_broken_seed_asked_for_by_name_is_an_error(faulty: Faulty) -> None:
    outcome = faulty.bench.crawl("broken")
    assert outcome.status == 1
    assert len(outcome.lines) == 1
    assert "broken.yaml" in outcome.err and "feed" in outcome.err


def test_a_feed_that_is_none_is_told_in_one_line(faulty: Faulty) -> None:
    (line,) = told(faulty, "/faults/rss.xml")
    assert "WARNING" in line
    assert faulty.stats["news/example_faults/feed_errors"] >= 1


def test_entities_of_a_sitemap_are_not_expanded(faulty: Faulty) -> None:
    assert faulty.bench.value("SELECT max(length(url)) FROM urls") < 200
    assert faulty.stats["memusage/max"] < 1 << 30


@pytest.mark.parametrize("path", ["/many-links", "/no-html", "/empty"])
def test_a_page_without_article_is_archived_with_the_reason(faulty: Faulty, path: str) -> None:
    (page,) = faulty.bench.rows("SELECT outcome, html_bytes FROM pages WHERE url = %s", faulty.base + path)
    assert page["outcome"] in ("no_body", "no_content", "listing", "extraction_timeout")
    assert faulty.bench.value("SELECT reason FROM urls WHERE url = %s", faulty.base + path) == page["outcome"]
    (line,) = told(faulty, faulty.base + path)
    assert page["outcome"] in line


def test_rejected_pages_are_counted_by_reason(faulty: Faulty) -> None:
    rejected = faulty.bench.rows("SELECT outcome, count(*) AS n FROM pages WHERE outcome <> 'article' GROUP BY 1")
    for row in rejected:
        assert faulty.stats[f"news/rejected/{row['outcome']}"] == row["n"]
        assert f"{row['outcome']} {row['n']}" in faulty.outcome.err


def test_a_wrong_charset_is_seen_through(faulty: Faulty) -> None:
    url = faulty.base + WRONG_CHARSET.path
    (row,) = faulty.bench.rows("SELECT headline, body, authors FROM articles WHERE url = %s", url)
    assert (row["headline"], row["body"]) == (WRONG_CHARSET.headline, WRONG_CHARSET.body)
    assert tuple(row["authors"]) == WRONG_CHARSET.authors


def test_nul_bytes_and_surrogates_are_taken_out(faulty: Faulty) -> None:
    (row,) = faulty.bench.rows("SELECT headline, body FROM articles WHERE url = %s", faulty.base + NUL_BYTES.path)
    assert row["headline"] == NUL_BYTES.headline
    assert [line.rstrip(" �") for line in row["body"].splitlines()] == NUL_BYTES.body.splitlines()


# -- the workers ---------------------------------------------------------------------------------------------


@pytest.fixture
def pools() -> Iterator[list[ExtractionPool]]:
    made: list[ExtractionPool] = []
    yield made
    for pool in made:
        pool.close()


async def reasons(pool: ExtractionPool, *pages: bytes) -> list[str]:
    """`article`, or the reason why there is none, of each page; all at once."""

    async def reason(html: bytes) -> str:
        try:
            found = await pool.extract(html, "https://example.com/a", None)
        except ExtractionError as error:
            return error.reason
        return "article" if found.body else "empty"

    return list(await asyncio.gather(*map(reason, pages)))


def test_a_page_that_takes_too_long_is_given_up(pools: list[ExtractionPool]) -> None:
    pools.append(pool := ExtractionPool(1, 1.0, 2048))
    slow = many_links("https://example.com") * 12

    def reads_pages() -> bool:
        """The first page of a worker may take too long itself, on a busy machine."""
        return asyncio.run(reasons(pool, PAGE)) == ["article"]

    until(reads_pages)
    first, second, third = asyncio.run(reasons(pool, PAGE, slow, PAGE))
    assert (first, second) == ("article", "extraction_timeout") and third in ("article", "extraction_timeout")
    until(reads_pages)


def test_a_page_that_takes_too_much_memory_is_given_up(pools: list[ExtractionPool]) -> None:
    pools.append(pool := ExtractionPool(1, 60, 700))
    huge = b"<html><body>" + b"<p>x</p>" * 4_000_000
    first, second, third = asyncio.run(reasons(pool, PAGE, huge, PAGE))
    assert (first, third) == ("article", "article")
    assert second in ("extraction_memory", "extraction_crashed", "extraction_failed", "empty")


def test_workers_that_never_answer_are_no_reason_to_wait_for_ever(pools: list[ExtractionPool]) -> None:
    pools.append(pool := ExtractionPool(1, 0.01, 2048, start_limit=0.0))  # no process starts in 10 ms
    assert asyncio.run(reasons(pool, PAGE)) == ["extraction_no_worker"]


def test_a_killed_worker_costs_its_page_only(pools: list[ExtractionPool]) -> None:
    pools.append(pool := ExtractionPool(1, 60, 2048))

    async def story() -> list[str]:
        assert await reasons(pool, PAGE) == ["article"]
        (pid,) = workers()
        work = asyncio.create_task(reasons(pool, many_links("https://example.com") * 12, PAGE))
        before = cpu_ticks(pid)
        await asyncio.to_thread(until, lambda: cpu_ticks(pid) > before + 10)
        os.kill(pid, signal.SIGKILL)
        return await work

    assert asyncio.run(story()) == ["extraction_crashed", "article"]


def workers() -> list[int]:
    """The processes that the fork server has started: children of our children."""
    ours = [status.parent.name for status in Path("/proc").glob("[0-9]*/stat") if parent(status) == os.getpid()]
    return [int(s.parent.name) for s in Path("/proc").glob("[0-9]*/stat") if str(parent(s)) in ours]


def parent(status: Path) -> int:
    try:
        return int(status.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def cpu_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
