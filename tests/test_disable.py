"""A source is disabled while crawls run: they send it nothing more, and what they had leased is free."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs import Bench, until
from tests.site import Newspaper

HERALD = "example_herald"
SLOW = ["-s", "DOWNLOAD_DELAY=3", "-s", "DISABLED_CHECK=0.2", "-s", "AUTOTHROTTLE_ENABLED=0"]
LEASED = "SELECT count(*) FROM urls WHERE state = 'leased' AND source = %s"


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Bench:
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)


def asked(paper: Newspaper, path: str = "/herald/") -> int:
    return sum(visit.path.startswith(path) for visit in paper.requests)


def test_a_crawl_of_a_source_that_is_disabled_ends(bench: Bench, tmp_path: Path) -> None:
    with Newspaper(many=60) as paper:
        paper.write_seeds(bench.seeds)
        path = tmp_path / "log"
        with path.open("w") as log:
            crawl = bench.start("crawl", HERALD, *SLOW, "-s", "EXTRACTION_WORKERS=1", stderr=log)
        try:
            until(lambda: bench.value(LEASED, HERALD) > 2)  # they wait for the host's turn, and in Scrapy's scheduler
            done = bench.scrapy("disable", HERALD, "--why", "they asked us to")
            assert (done.status, done.out.startswith(f"{HERALD} is disabled: ")) == (0, True), done.err
            until(lambda: f"{HERALD} was disabled" in path.read_text())
            before = asked(paper)
            crawl.communicate(timeout=60)
        finally:
            crawl.kill()
            crawl.wait()
        assert asked(paper) - before <= 1  # what was on its way
    said = path.read_text()
    assert "Ended early (source_disabled)" in said and "Traceback" not in said
    (row,) = bench.rows("SELECT outcome, reason FROM crawls")
    assert row == {"outcome": "shutdown", "reason": "source_disabled"}
    assert bench.value(LEASED, HERALD) == 0
    assert bench.value("SELECT count(*) FROM listings WHERE lease_crawl IS NOT NULL") == 0
    assert bench.value("SELECT count(*) FROM urls WHERE state = 'queued' AND (attempts > 0 OR reason <> '')") == 0
    assert bench.rows("SELECT count(*) AS n FROM urls WHERE state = 'queued'")[0]["n"] > 2

    refused = bench.crawl(HERALD)
    assert (refused.status, refused.lines) == (
        1,
        [f"scrapy crawl: {HERALD} is disabled (they asked us to): `scrapy enable {HERALD}` lets it be crawled again"],
    )


def test_the_other_sources_of_a_crawl_go_on(bench: Bench) -> None:
    with Newspaper() as paper:
        paper.write_seeds(bench.seeds)
        assert bench.scrapy("disable", HERALD).status == 0
        done = bench.crawl("news")
        assert done.status == 0
        assert f"left out: {HERALD} is disabled" in done.err
        assert asked(paper) == 0 and asked(paper, "/courrier/") > 0
        assert bench.value("SELECT sources FROM crawls") == ["beispiel_kurier", "courrier_exemple"]
        assert bench.value("SELECT disabled_at IS NOT NULL FROM sources WHERE id = %s", HERALD)
        off = "UPDATE sources SET seed = seed || '{\"enabled\": false}' WHERE id = 'courrier_exemple' RETURNING id"
        assert bench.value(off)
        found, missing, other = bench.each(
            ["enable", HERALD], ["disable", "no_such_source"], ["enable", "courrier_exemple"]
        )
        assert other.out == (
            "courrier_exemple was not disabled, but its seed says `enabled: false`, and is to be changed\n"
        )
        assert (found.out, missing.status) == (f"{HERALD} is enabled\n", 1)
        assert missing.err.startswith("scrapy disable: There is no source 'no_such_source' in")
        assert bench.crawl(HERALD).status == 0
        assert asked(paper) > 0
