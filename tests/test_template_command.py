"""A box on every page, in no language: the crawl learns it, `scrapy template` tells of it and forgives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crawler.recurrence import block_key
from tests.runs import Bench, Outcome, cloned
from tests.site import Newspaper
from tests.site.article import Article

BOX = "Vilu sed karmo lint, vaton helu prim sodare kel nomi."
KEY = block_key(BOX)
ADDED = "Correction: an earlier version of this article gave the wrong year."
SOURCE = "example_herald"
BODIES = "SELECT url, body FROM articles WHERE source = 'example_herald'"


@dataclass(frozen=True)
class Story:
    """What was printed without the box, and what the first crawl made of it with the box."""

    bench: Bench
    paper: Newspaper
    printed: dict[str, Article]
    first: Outcome

    def bodies(self) -> dict[str, str]:
        return {row["url"]: row["body"] for row in self.bench.rows(BODIES)}


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    room = tmp_path_factory.mktemp("template")
    with cloned(server_url, template) as database_url, Newspaper() as paper:
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=database_url)
        paper.write_seeds(bench.seeds)
        printed = {article.url: article for article in paper.articles if article.publication.stem == SOURCE}
        for article in printed.values():
            paper.edit(article.slug, BOX)
        yield Story(bench, paper, printed, bench.crawl(SOURCE))


def test_a_crawl_learns_the_box_and_cleans_what_it_had_stored(story: Story) -> None:
    assert story.first.status == 0
    assert story.bodies() == {url: article.body for url, article in story.printed.items()}
    assert f"its template cleaned {len(story.printed)} stored articles" in story.first.err
    assert story.bench.value("SELECT count(*) FROM revisions") == 0
    (row,) = story.bench.rows("SELECT * FROM boilerplate_blocks WHERE key = %s", KEY)
    assert (row["state"], row["articles"], row["cleaned"]) == ("learned", len(story.printed), len(story.printed))


def test_the_next_crawl_drops_it_at_once(story: Story) -> None:
    article = next(iter(story.printed.values()))
    story.paper.edit(article.slug, ADDED)
    assert story.bench.crawl(SOURCE).status == 0
    assert story.bodies()[article.url] == f"{article.body}\n{ADDED}"
    (revision,) = story.bench.rows("SELECT * FROM revisions")
    assert revision["body"] == article.body
    assert story.bench.value("SELECT cleaned FROM boilerplate_blocks WHERE key = %s", KEY) == len(story.printed)


def test_the_command_tells_what_was_learned_and_why(story: Story) -> None:
    shown = story.bench.scrapy("template", SOURCE)
    assert shown.status == 0 and shown.err == ""
    first, text, *articles = shown.out.splitlines()
    assert first.startswith(f"{KEY}  learned  seen in {len(story.printed)} articles, since 20")
    assert text.strip() == BOX
    assert all(any(url in line for url in story.printed) for line in articles[:3])


def test_json(story: Story) -> None:
    shown = json.loads(story.bench.scrapy("template", SOURCE, "--json").out)
    (block,) = (one for one in shown["blocks"] if one["key"] == KEY)
    assert (shown["source"], shown["articles"]) == (SOURCE, len(story.printed))
    assert (block["rule"], block["text"], block["state"]) == (f"template:{KEY}", BOX, "learned")
    assert {one["url"] for one in block["evidence"]} <= story.printed.keys()


def test_learning_anew_finds_the_same(story: Story) -> None:
    before = story.bodies()
    shown = story.bench.scrapy("template", SOURCE, "--learn")
    assert f"Learned from {len(story.printed)} stored articles; 0 stored articles changed." in shown.out
    assert story.bodies() == before


def test_wrong_calls(story: Story, tmp_path: Path) -> None:
    misspelt, nothing, unknown_hash, *usage = story.bench.each(
        ["template", "exampel_herald"],
        ["template", "beispiel_kurier"],
        ["template", SOURCE, "--forgive", "ffffffff"],
        ["template"],
        ["template", SOURCE, "--learn", "--forgive", KEY],
    )
    assert misspelt.status == 1 and "did you mean example_herald" in misspelt.err
    assert nothing.status == 0 and "has taught nothing yet" in nothing.out
    assert unknown_hash.status == 1 and "has learned no block 'ffffffff'" in unknown_hash.err
    assert [outcome.status for outcome in usage] == [2, 2]
    assert not any("Traceback" in one.err for one in (misspelt, nothing, unknown_hash, *usage))


def test_forgiving_is_for_good(story: Story) -> None:
    """The last one: it changes what the others look at."""
    forgiven = story.bench.scrapy("template", SOURCE, "--forgive", KEY[:8])
    assert forgiven.status == 0
    assert f"{KEY} is forgiven for good; it went back into {len(story.printed)} stored articles." in forgiven.out
    assert all(BOX in body for body in story.bodies().values())
    assert story.bench.crawl(SOURCE, "-a", "recheck=1").status == 0
    assert story.bench.scrapy("template", SOURCE, "--learn").status == 0
    assert all(BOX in body for body in story.bodies().values())
    assert story.bench.value("SELECT state FROM boilerplate_blocks WHERE key = %s", KEY) == "forgiven"
