"""`scrapy reextract`: what today's rules gain and lose is told exactly, and applied only then; killed, it goes on."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import pty
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import yaml
from scrapy.utils.project import get_project_settings

from crawler.commands.reextract import Command, Reextract
from crawler.items import Page
from crawler.reextraction.looking import Judged, Looking
from crawler.store.engine import open_database
from crawler.store.slices import SLICE_LOCK, Part
from crawler.text import count_words
from tests.runs import Bench, Outcome, cloned, until
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

# Articles with a headline that an earlier version of the rules had found, each with its page.
COPIES = """
WITH given AS MATERIALIZED (SELECT articles.*, urls.id AS url_id FROM articles JOIN urls ON article_id = articles.id
                            WHERE articles.id = %(id)s),
numbers AS (SELECT generate_series(1, 250) AS n),
made AS (
    INSERT INTO articles (source, url, canonical_url, key, headline, body, authors, published_at, published_raw,
        published_zone_assumed, modified_at, modified_raw, language, section, tags, description, images,
        is_accessible_for_free, page_type, page_type_confidence, access, confidence, posts, blocks, evidence,
        word_count)
    SELECT source, url || '/' || n, canonical_url || '/' || n, key || '/' || n, 'An earlier headline', body, authors,
        published_at, published_raw, published_zone_assumed, modified_at, modified_raw, language, section, tags,
        description, images, is_accessible_for_free, page_type, page_type_confidence, access, confidence, posts, blocks,
        evidence, word_count
    FROM given, numbers RETURNING id, key, url, source
), waiting AS (
    INSERT INTO urls (key, url, source, found_in, state, reason, not_before, article_id)
    SELECT key, url, source, 'feed', 'fetched', 'article', NULL, id FROM made RETURNING id
)
INSERT INTO pages (fetched_at, url_id, url, status, headers, html_zstd, html_bytes, outcome)
SELECT pages.fetched_at, waiting.id, pages.url, status, headers, html_zstd, html_bytes, outcome
FROM pages JOIN given USING (url_id), waiting
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
        listener.execute("SELECT 1")  # what waits for us comes before the answer
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
    assert {one["cause"] for one in revisions} == {"rules"}
    assert story.bench.value("SELECT seen_at FROM articles WHERE id = %s", tampered) == seen
    assert story.bench.rows("SELECT * FROM edit_rates") == edits
    checked = story.bench.scrapy("db", "check")
    assert checked.status == 0, checked.out


def test_the_second_time_nothing_would_change(story: Story) -> None:
    outcome = story.reextract("--source", HERALD)
    assert (outcome.status, outcome.lines) == (0, ["nothing would change"])
    assert story.bench.value("SELECT count(*) FROM reextracted") == 0


def test_processes_share_a_run_and_its_report_is_that_of_one(story: Story) -> None:
    """One is killed in the middle of a slice: the other takes it over, and no page is counted twice."""
    bench, options = story.bench, ("--dry-run", "--json", "--source", HERALD, "--articles-only")
    story.execute(COPIES, id=story.id(TAMPERED))
    alone = story.json(*options)
    small = (*options, "-s", "EXTRACTION_WORKERS=1", "-s", "REEXTRACTION_SLICE=60")
    busy = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND CAST(classid AS int) = %s"
    with bench.start("reextract", "--anew", *small) as first:
        until(lambda: bench.value(busy, SLICE_LOCK))
        first.send_signal(signal.SIGSTOP)  # it holds a slice
        with bench.start("reextract", *small) as second:
            until(lambda: bench.value(busy, SLICE_LOCK) == 2)
            first.kill()
            out, err = second.communicate(timeout=100)
    assert second.returncode == 0, err
    shared = json.loads(out)
    assert shared.pop("run") > alone.pop("run") and shared == alone
    assert bench.value("SELECT count(*) FROM reextraction_slices") == 5
    assert bench.value("SELECT sum(pages - looked_at) FROM reextraction_slices") == 0


def test_killed_while_it_looks_and_while_it_applies_it_goes_on(story: Story) -> None:
    """As if nothing had happened: no page is counted twice, no change lost, none made twice."""
    bench, options = story.bench, ("--source", HERALD)
    looking = "SELECT coalesce(sum(looked_at), 0) FROM reextraction_slices WHERE finished_at IS NULL"
    applying = "SELECT coalesce(sum(applied), 0) FROM reextractions WHERE applied_at IS NULL"
    revisions = bench.value("SELECT count(*) FROM revisions")
    begun = "SELECT id FROM reextractions WHERE id > %s FOR NO KEY UPDATE"
    before = bench.value("SELECT max(id) FROM reextractions")
    with (
        psycopg.connect(bench.database_url) as held,  # however late the kill comes, the slice has not ended
        bench.start("reextract", *options, "--dry-run", "-s", "EXTRACTION_WORKERS=1") as process,
    ):
        until(lambda: held.execute(begun, [before]).fetchone())
        until(lambda: bench.value(looking))
        process.kill()
    assert bench.value(looking)
    last = bench.value("SELECT max(id) FROM articles")
    with psycopg.connect(bench.database_url) as held:
        held.execute("SELECT FROM articles WHERE id = %s FOR UPDATE", [last])
        with bench.start("reextract", *options, "--apply") as process:
            until(lambda: bench.value(applying) == 200)
            process.kill()
            assert "going on with what was begun" in process.communicate()[1]
    story.execute(f"ALTER TABLE articles ADD CONSTRAINT no CHECK (id <> {last} OR revision = 1) NOT VALID")
    outcome = story.reextract(*options, "--apply", "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, told["applied"], told["refused"]) == (1, 49, 1), outcome.err
    assert outcome.lines[-1] == "applied 49 changes, 49 with a revision; 1 refused by the database"
    number = bench.value("SELECT count(*) FROM articles WHERE source = %s", HERALD)
    assert (told["total"]["articles"], told["total"]["changed"]) == (number, 250)
    story.execute("ALTER TABLE articles DROP CONSTRAINT no")
    assert story.json(*options, "--apply")["applied"] == 1
    assert bench.value("SELECT count(*) FROM revisions") == revisions + 250
    assert bench.value("SELECT count(*) FROM articles WHERE headline = 'An earlier headline'") == 0
    checked = bench.scrapy("db", "check")
    assert checked.status == 0, checked.out


def test_single_articles(story: Story) -> None:
    address = story.paper.article(RULED).url
    told = story.json("--dry-run", "--article", address, "--article", str(story.id(LOST)))
    assert (told["total"]["articles"], told["total"]["pages"], told["total"]["changed"]) == (2, 0, 0)


def test_a_page_is_let_go_once_it_is_judged(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits to be committed with it."""
    held: list[tuple[int, int]] = []

    def note(work: Looking, part: Part, reached: int, batch: Sequence[Judged]) -> int:
        gc.collect()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(60)  # get_objects() has tuples that another thread is still filling, which must not go on
        held.append((len(batch), sum(isinstance(one, Page) for one in gc.get_objects())))
        sys.setswitchinterval(interval)
        return 0

    monkeypatch.setattr(Looking, "note", note)
    ids = [str(row["id"]) for row in story.bench.rows("SELECT id FROM articles ORDER BY id LIMIT 12")]
    settings = get_project_settings()
    settings.set("SEEDS_DIR", str(story.bench.seeds))
    command, parser = Command(), argparse.ArgumentParser()
    command.settings = settings
    command.add_options(parser)
    options = parser.parse_args(["--dry-run", "--json", *(f"--article={one}" for one in ids)])
    settings.set("EXTRACTION_WORKERS", 1)
    before = sum(isinstance(one, Page) for one in gc.get_objects())
    with open_database(story.bench.database_url, story.bench.data_dir) as database:
        Reextract(options, settings).run(database)
    [(number, pages)] = held
    assert number == len(ids) and pages - before <= 2


def test_damaged_pages_are_told_of_and_the_others_looked_at(story: Story) -> None:
    damaged, undone, whole = (story.id(slug) for slug in (RULED, TAMPERED, LOST))
    of = "(SELECT max(pages.id) FROM pages JOIN urls ON urls.id = url_id WHERE article_id = %(id)s)"
    page = story.bench.value(of.replace("%(id)s", str(damaged)))
    story.execute(f"UPDATE pages SET html_zstd = '\\x00' WHERE id = {of}", id=damaged)
    story.execute(f"UPDATE pages SET dictionary_id = 4711 WHERE id = {of}", id=undone)
    told = story.json("--dry-run", *(f"--article={one}" for one in (damaged, undone, whole)))
    assert (told["total"]["articles"], told["total"]["failed"]) == (3, {"page_damaged": 2})
    reasons = {one["article"]: one["reason"] for one in told["stay"]}
    assert reasons.keys() == {damaged, undone}
    assert reasons[damaged].startswith(f"page_damaged: page {page}: a stored page is damaged: ")
    assert reasons[undone].endswith("the dictionary 4711 of stored pages is missing")


WRONG = {
    ("--source", "gazette"): "nothing of a source 'gazette' is stored",
    ("--article", "999999"): "--article 999999: there is no such stored article",
    ("--since", "someday"): "is no date",
}


def test_what_cannot_be_done_is_one_line(story: Story) -> None:
    outcomes = story.bench.each(*(["reextract", *arguments] for arguments in WRONG))
    for outcome, words in zip(outcomes, WRONG.values(), strict=True):
        assert (outcome.status, len(outcome.lines)) == (1, 1)
        assert outcome.err.startswith("scrapy reextract: ") and words in outcome.err
