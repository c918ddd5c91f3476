"""`scrapy reextract`: what today's rules gain and lose is told exactly, and applied only then; killed, it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import yaml

from crawler.text import count_words
from tests.runs import Bench, Outcome, cloned
from tests.site import Newspaper

HERALD = "example_herald"
STRAY = "A paragraph that an earlier version of the rules had taken for the article's."
RULED, TAMPERED, LOST = "shipyard-order", "library-roof", "storm-names"
TAMPER = """
UPDATE articles SET authors = '{}', headline = 'An earlier headline', body = body || E'\\n' || %(stray)s,
    blocks = blocks || jsonb_build_object('kind', 'paragraph', 'text', %(stray)s::text, 'kept', true),
    word_count = word_count + 14
WHERE id = %(id)s
"""
# As if the rules of that day had found no article on the page.
UNMAKE = """
WITH gone AS (UPDATE urls SET article_id = NULL, reason = 'no_body', published_at = NULL WHERE article_id = %(id)s
              RETURNING id), told AS (UPDATE pages SET outcome = 'no_body' FROM gone WHERE url_id = gone.id)
DELETE FROM boilerplate_blocks WHERE source = 'example_herald'
"""


@dataclass(frozen=True)
class Story:
    bench: Bench
    paper: Newspaper

    def reextract(self, *options: str) -> Outcome:
        return self.bench.scrapy("reextract", *options)

    def json(self, *options: str) -> dict[str, Any]:
        outcome = self.reextract("--json", *options)
        assert outcome.status == 0, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    def id(self, slug: str) -> int:
        return int(self.bench.value("SELECT id FROM articles WHERE url = %s", self.paper.article(slug).url))

    def execute(self, query: str, **values: object) -> None:
        with psycopg.connect(self.bench.database_url) as connection:
            connection.execute(query.encode(), values)

    def paper_is_stored(self) -> None:
        """All is as printed, but for the paragraph that a rule of the seed drops."""
        bodies = {row["url"]: row["body"] for row in self.bench.rows("SELECT url, body FROM articles")}
        printed = {article.url: article.body for article in self.paper.articles}
        ruled = self.paper.article(RULED)
        printed[ruled.url] = "\n".join(block.text for block in ruled.blocks[1:])
        assert bodies == printed

    @property
    def untouched(self) -> int:
        """Grows with every change of an article, whoever makes it."""
        return int(self.bench.value("SELECT sum(changed_xid) FROM articles"))


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    room = tmp_path_factory.mktemp("reextract")
    with cloned(server_url, template) as url, Newspaper() as paper:
        paper.write_seeds(room / "seeds")
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url)
        assert bench.crawl("news").status == 0
        yield Story(bench, paper)


def test_a_crawl_under_todays_rules_leaves_nothing_to_do(story: Story) -> None:
    outcome = story.reextract()
    assert (outcome.status, outcome.lines) == (0, ["nothing would change"])
    assert outcome.out == f"{'All':<20} {len(story.paper.articles)} articles, 0 would change\n"


def test_a_dry_run_tells_exactly_what_would_change(story: Story) -> None:
    ruled, tampered = story.id(RULED), story.id(TAMPERED)
    first = story.paper.article(RULED).blocks[0].text
    seed = story.bench.seeds / f"{HERALD}.yaml"
    rule = {"id": "herald-first", "kind": "support", "equals": [first], "drops": [first], "keeps": ["Other words."]}
    seed.write_text(seed.read_text() + yaml.safe_dump({"boilerplate": [rule]}, allow_unicode=True))
    story.execute(TAMPER, id=tampered, stray=STRAY)
    story.execute(UNMAKE, id=story.id(LOST))
    story.execute("DELETE FROM articles WHERE url = %(url)s", url=story.paper.article(LOST).url)
    before = story.untouched

    told = story.json("--dry-run", "--source", HERALD)
    found = told["sources"][HERALD]
    assert list(told["sources"]) == [HERALD] and found == told["total"]
    assert (found["changed"], found["revised"], found["new"], found["pages"]) == (2, 2, 1, 1)
    assert found["words"]["lost"] == count_words(first) + count_words(STRAY)
    assert found["words"]["gained"] == 0
    assert found["words"]["new"] == count_words(story.paper.article(LOST).body)
    assert found["paragraphs"] == {"lost": 2, "gained": 0}
    assert found["fields"] == {"authors": {"filled": 1}, "headline": {"changed": 1}}
    assert (found["dropped"], found["restored"], found["rejected"], found["failed"]) == ({"support": 1}, {}, {}, {})
    largest = [(one["article"], one["lost"]) for one in told["largest"]]
    assert largest == [(None, []), (ruled, [first]), (tampered, [STRAY])]
    assert (told["applied"], story.untouched) == (0, before)


def test_without_a_word_nothing_is_applied_and_nothing_extracted_again(story: Story) -> None:
    before = story.untouched
    outcome = story.reextract("--source", HERALD)
    assert outcome.status == 1
    first, last = outcome.lines
    assert first.startswith("this is what was found 20") and last.startswith("nothing was applied: --apply applies it")
    number = sum(article.publication.stem == HERALD for article in story.paper.articles) - 1
    assert f"{HERALD:<20} {number} articles, 2 would change (2 with a revision); words -51 +0 of " in outcome.out
    assert "  fields: authors 1 filled; headline 1 changed\n  dropped blocks: support 1\n" in outcome.out
    assert f"    - {STRAY}\n    scrapy inspect {story.id(TAMPERED)} --again\n" in outcome.out
    assert story.untouched == before


def test_it_asks_on_a_terminal(story: Story) -> None:
    before = story.untouched
    ours, theirs = pty.openpty()
    with story.bench.start("reextract", "--source", HERALD, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = read_until(ours, b"[y/N] ")
        os.write(ours, b"\n")
        last = read_until(ours, b"nothing was applied\r\n")
        process.wait(60)
    os.close(ours)
    assert b"apply 3 changes? [y/N] " in said and last
    assert (process.returncode, story.untouched) == (0, before)


def read_until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows up to these words; empty when it shows others, or nothing for a long time."""
    said = b""
    with contextlib.suppress(OSError):  # nobody writes to it any more
        while words not in said and select.select([terminal], [], [], 60)[0]:
            said += os.read(terminal, 4096)
    return said if words in said else b""


def test_applying_makes_it_so_and_the_revisions_are_ours(story: Story) -> None:
    ruled, tampered = story.id(RULED), story.id(TAMPERED)
    seen = story.bench.value("SELECT seen_at FROM articles WHERE id = %s", tampered)
    edits = story.bench.rows("SELECT * FROM edit_rates")
    with psycopg.connect(story.bench.database_url, autocommit=True) as listener:
        listener.execute("LISTEN news_articles")
        outcome = story.reextract("--source", HERALD, "--apply")
        notices = [json.loads(one.payload) for one in listener.notifies(timeout=0)]
    assert (outcome.status, outcome.lines[-1]) == (0, "applied 3 changes, 2 with a revision")
    story.paper_is_stored()
    lost = story.id(LOST)
    heard = {(one["id"], one["outcome"]) for one in notices}
    assert heard == {(ruled, "updated"), (tampered, "updated"), (lost, "new")}
    (url,) = story.bench.rows("SELECT * FROM urls WHERE article_id = %s", lost)
    assert (url["state"], url["reason"], url["detail"]) == ("fetched", "article", None)
    revisions = story.bench.rows("SELECT * FROM revisions ORDER BY article_id")
    assert {one["article_id"] for one in revisions} == {ruled, tampered}
    assert {one.get("cause", "rules") for one in revisions} == {"rules"}  # the column comes with the revisions' part
    assert story.bench.value("SELECT seen_at FROM articles WHERE id = %s", tampered) == seen
    assert story.bench.rows("SELECT * FROM edit_rates") == edits
    checked = story.bench.scrapy("db", "check")
    assert checked.status == 0, checked.out


def test_the_second_time_nothing_would_change(story: Story) -> None:
    outcome = story.reextract("--source", HERALD)
    assert (outcome.status, outcome.lines) == (0, ["nothing would change"])
    assert story.bench.value("SELECT count(*) FROM reextracted") == 0
