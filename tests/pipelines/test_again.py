"""Stored pages through today's rules: in order, each by itself, and under a name for what the rules are."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from crawler.errors import SeedError
from crawler.extraction.pool import ExtractionPool
from crawler.items import Page
from crawler.pipelines.again import Job, Reading, fingerprint, judged, readings
from crawler.reextraction.question import seeds_in, stored_seed
from crawler.sources import Source
from crawler.store import articles, crawls
from crawler.store.engine import Database
from crawler.store.reading import Held
from crawler.store.subjects import Subject
from tests.runs import until
from tests.site.faults import many_links
from tests.spiders.test_spiders import seed
from tests.store.rows import AT, SITE, SOURCE, a_page, an_article
from tests.test_faults import cpu_ticks, workers

RULE = {"id": "one", "kind": "support", "equals": "Give.", "drops": ["Give."], "keeps": ["Take."]}
PROSE = "<p>" + "</p><p>".join(
    f"The bridge of {n} opened on Monday, and nobody crossed it all day long." for n in "abcde"
)


def source(**changes: object) -> Source:
    return Source.model_validate({**SOURCE.model_dump(), **changes})


def a_job(number: int, page: Page | None, *, stored: bool = False) -> Job:
    held = Held(id=number, fetched_at=AT, url_id=number) if page else None
    old = {"id": number, **articles.row_of(an_article(number))} if stored else None
    return Job(subject=Subject(position=number, source="herald", old=old, held=held), page=page)


def read(jobs: Iterator[Job], workers: int = 1) -> list[Reading]:
    pool = ExtractionPool(workers, 30, 2048)

    async def all_of_them() -> list[Reading]:
        return [one async for one in readings(pool, jobs, workers)]

    try:
        return asyncio.run(all_of_them())
    finally:
        pool.close()


def test_what_comes_out_has_the_order_of_what_goes_in_and_is_judged() -> None:
    head = "<html><head><title>A bridge opens</title></head><body><h1>A bridge opens</h1><article>"
    whole = a_page(1, html=f"{head}{PROSE}</article></body></html>".encode())
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(1, 31):
            taken.append(number)
            page = {0: whole, 1: a_page(2, html=b"<html><body>"), 2: None}[number % 3]
            yield a_job(number, page, stored=number != 3)

    found = read(jobs())
    assert [one.job.subject.position for one in found] == taken == list(range(1, 31))
    counted, change = judged(found[0])  # number 1
    assert change is not None and (change.outcome, counted["rejected/no_content"]) == ("rejected", 1)
    counted, change = judged(found[1])
    assert change is None and counted["without_page"] == counted["articles"] == 1
    counted, change = judged(found[2])
    assert change is not None and change.outcome == "new" and change.content["headline"] == "A bridge opens"
    assert (counted["new"], counted["pages"], counted["articles"]) == (1, 1, 0)
    counted, change = judged(found[5])
    assert change is not None and change.outcome == "changed" and counted["readdressed"] == 1
    assert not {"url", "key", "canonical_url", "source"} & set(change.content)
    assert f"{SITE}/1" not in str(change.content["evidence"])


def test_a_page_that_kills_its_worker_costs_itself_and_is_told_of() -> None:
    good = a_page(1, html=f"<html><body><h1>A bridge opens</h1><article>{PROSE}</article>".encode())
    endless = a_page(2, html=many_links(SITE) * 6)
    pool = ExtractionPool(1, 60, 2048)

    async def story() -> list[Reading]:
        found = readings(pool, [a_job(1, good), a_job(2, endless, stored=True), a_job(3, good)], 1)
        first = await anext(found)
        (pid,) = workers()
        before = cpu_ticks(pid)
        await asyncio.to_thread(until, lambda: cpu_ticks(pid) > before + 10)
        os.kill(pid, signal.SIGKILL)
        return [first, *[one async for one in found]]

    try:
        first, killed, last = asyncio.run(story())
    finally:
        pool.close()
    assert first.article and last.article
    counted, change = judged(killed)
    assert change is not None and (change.outcome, change.reason) == ("failed", "extraction_crashed")
    assert (counted["failed/extraction_crashed"], counted["articles"]) == (1, 1)


def test_the_fingerprint_is_that_of_what_articles_depend_on() -> None:
    plain = fingerprint([source()])
    assert plain == fingerprint([source(feeds=[f"{SITE}/rss"], schedule="* * * * *")])
    assert (
        len({plain, fingerprint([]), fingerprint([source(boilerplate=[RULE])]), fingerprint([source(name="X")])}) == 4
    )


def test_a_broken_seed_leaves_its_source_out_or_stops_what_names_it(tmp_path: Path) -> None:
    seed(tmp_path, "herald")
    (tmp_path / "broken.yaml").write_text("feed: []\n")
    seeds, broken = seeds_in(tmp_path, ())
    assert (list(seeds), broken) == (["herald"], ("broken",))
    assert seeds_in(tmp_path, ["herald"])[1] == ()
    with pytest.raises(SeedError):
        seeds_in(tmp_path, ["broken"])


def test_the_rules_of_a_seed_that_is_gone_are_in_the_database(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [source(boilerplate=[RULE])])
        assert stored_seed(connection, "herald") == source(boilerplate=[RULE])
        connection.execute(text("""UPDATE sources SET seed = '{"name": 7}'"""))
        assert stored_seed(connection, "herald") is None
