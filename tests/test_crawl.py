"""The main job: four crawls of three papers, and what is in the database after each of them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runs import Bench, Outcome, cloned
from tests.site import Newspaper
from tests.site.article import Article, load

SLUGS = [article.slug for article in load()]
EDITED = SLUGS[0]
CREDIT_LABEL = re.compile(r"^(Foto|Photo|Photograph)\s*:\s*")  # is not part of the name
ADDED = "Correction: an earlier version of this article gave the wrong year."


@dataclass(frozen=True)
class Run:
    """One crawl, what it asked the newspaper for and what it left in the tables."""

    outcome: Outcome
    requests: Counter[str]
    articles: list[dict[str, Any]]
    crawl: dict[str, Any]

    @property
    def by_url(self) -> dict[str, dict[str, Any]]:
        return {row["url"]: row for row in self.articles}


@dataclass(frozen=True)
class Story:
    """The crawls in their order."""

    bench: Bench
    written: dict[str, Article]
    edited: Article
    first: Run
    second: Run
    rechecked: Run
    after_edit: Run
    exports: Path


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    room = tmp_path_factory.mktemp("crawl")
    with cloned(server_url, template) as database_url, Newspaper() as paper:
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=database_url)
        paper.write_seeds(bench.seeds)
        written = {article.slug: article for article in paper.articles}
        first = crawl(bench, paper, "-o", str(room / "out.jsonl"), "-o", str(room / "out.csv"))
        second = crawl(bench, paper)
        rechecked = crawl(bench, paper, "-a", "recheck=1")
        edited = paper.edit(EDITED, ADDED)
        after_edit = crawl(bench, paper)
        yield Story(bench, written, edited, first, second, rechecked, after_edit, room)


def crawl(bench: Bench, paper: Newspaper, *arguments: str) -> Run:
    before = len(paper.requests)
    outcome = bench.crawl("news", *arguments)
    asked = Counter(visit.path for visit in paper.requests[before:])
    (row,) = bench.rows("SELECT * FROM crawls ORDER BY id DESC LIMIT 1")
    return Run(outcome, asked, bench.rows("SELECT * FROM articles ORDER BY id"), row)


def stored(story: Story, slug: str) -> dict[str, Any]:
    return story.first.by_url[story.written[slug].url]


def path_of(article: Article) -> str:
    return f"/{article.publication.key}{article.path}"


# -- the first crawl ---------------------------------------------------------------------------------------------


def test_every_article_is_stored_once_and_nothing_else(story: Story) -> None:
    assert story.first.outcome.status == 0
    assert sorted(row["url"] for row in story.first.articles) == sorted(one.url for one in story.written.values())


@pytest.mark.parametrize("slug", SLUGS)
def test_body_is_the_article_and_nothing_else(story: Story, slug: str) -> None:
    assert stored(story, slug)["body"] == story.written[slug].body


@pytest.mark.parametrize("slug", SLUGS)
def test_fields_are_those_of_the_article(story: Story, slug: str) -> None:
    row, article = stored(story, slug), story.written[slug]
    assert row["headline"] == article.headline
    assert tuple(row["authors"]) == article.authors
    assert row["published_at"] == article.published
    assert row["language"] == article.language
    assert row["is_accessible_for_free"] in ((None, True) if article.free else (False,))
    assert row["source"] == article.publication.stem
    assert row["canonical_url"] == article.url
    assert row["revision"] == 1
    assert row["word_count"] == len(article.body.split())


@pytest.mark.parametrize("slug", [article.slug for article in load() if article.image])
def test_the_picture_has_its_caption_and_credit(story: Story, slug: str) -> None:
    article = story.written[slug]
    assert article.image
    (image,) = (one for one in stored(story, slug)["images"] if one["url"].endswith(article.image.path))
    assert image["caption"] == article.image.caption
    assert image["credit"] == CREDIT_LABEL.sub("", article.image.credit)


@pytest.mark.parametrize("slug", SLUGS)
def test_what_begs_and_sells_is_dropped_with_its_reason(story: Story, slug: str) -> None:
    row, article = stored(story, slug), story.written[slug]
    for reason in ("support", "paywall", "newsletter"):
        dropped = "\n".join(block["text"] for block in row["blocks"] if block.get("reason") == reason)
        for text in article.dropped.get(reason, ()):
            assert text not in row["body"]
            assert text in dropped, reason


def test_body_is_the_kept_blocks(story: Story) -> None:
    for row in story.first.articles:
        assert row["body"] == "\n".join(block["text"] for block in row["blocks"] if block["kept"])
        assert all(block["reason"] and block["rule"] for block in row["blocks"] if not block["kept"])


def test_what_robots_txt_forbids_is_not_fetched(story: Story) -> None:
    runs = (story.first, story.second, story.rechecked, story.after_edit)
    assert not [path for run in runs for path in run.requests if "/private/" in path]
    assert story.bench.value("SELECT reason FROM urls WHERE url LIKE '%%/private/%%'") == "robots_forbidden"


def test_no_address_is_fetched_twice(story: Story) -> None:
    assert [path for path, times in story.first.requests.items() if times > 1] == []


def test_every_page_is_archived_with_its_outcome(story: Story) -> None:
    outcomes = story.bench.rows("SELECT outcome, count(*) AS n FROM pages WHERE crawl_id = 1 GROUP BY 1")
    assert {row["outcome"]: row["n"] for row in outcomes} == {"article": len(SLUGS), "no_content": 1}


def test_the_closing_table_is_the_last_thing_said(story: Story) -> None:
    *_, last = story.first.outcome.lines
    assert last.startswith(f"{len(SLUGS)} new and 0 changed articles in ")
    assert "Traceback" not in story.first.outcome.err
    assert len(story.first.outcome.lines) < 30


def test_the_crawl_has_a_row_of_its_own(story: Story) -> None:
    row = story.first.crawl
    assert (row["spider"], row["outcome"], row["reason"]) == ("news", "finished", "finished")
    assert row["sources"] == ["beispiel_kurier", "courrier_exemple", "example_herald"]
    assert row["finished_at"] > row["started_at"]
    assert row["stats"]["news/example_herald/stored"] == sum(
        article.publication.stem == "example_herald" for article in story.written.values()
    )


def test_jsonl_export_holds_the_articles(story: Story) -> None:
    lines = [json.loads(line) for line in (story.exports / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    exported = {line["url"]: line for line in lines}
    assert len(lines) == len(SLUGS)
    for article in story.written.values():
        line = exported[article.url]
        assert (line["headline"], line["body"]) == (article.headline, article.body)
        assert line["authors"] == list(article.authors)
        assert any(not block["kept"] for block in line["blocks"])


def test_csv_export_holds_the_articles(story: Story) -> None:
    with (story.exports / "out.csv").open(encoding="utf-8", newline="") as file:
        exported = {row["url"]: row for row in csv.DictReader(file)}
    assert {url: row["body"] for url, row in exported.items()} == {
        article.url: article.body for article in story.written.values()
    }


# -- the next ones -----------------------------------------------------------------------------------------------


def test_a_second_run_fetches_no_article_and_stores_nothing(story: Story) -> None:
    assert story.second.outcome.status == 0
    assert not story.second.requests.keys() & {path_of(article) for article in story.written.values()}
    assert story.second.articles == story.first.articles
    assert "Nothing new" in story.second.outcome.err


def test_a_recheck_asks_conditionally_and_changes_nothing(story: Story) -> None:
    stats = story.rechecked.crawl["stats"]
    unchanged = sum(number for name, number in stats.items() if name.endswith("/unchanged"))
    assert unchanged == stats["downloader/response_status_count/304"] >= len(SLUGS)
    assert story.rechecked.articles == story.first.articles
    assert story.bench.value("SELECT count(*) FROM pages") == len(SLUGS) + 2  # each once, and the edited one again


def test_an_edited_article_gets_one_revision(story: Story) -> None:
    row = story.after_edit.by_url[story.edited.url]
    assert row["body"] == story.edited.body
    assert row["body"].endswith(ADDED)
    assert row["revision"] == 2
    (revision,) = story.bench.rows("SELECT * FROM revisions")
    assert (revision["article_id"], revision["revision"]) == (row["id"], 1)
    assert (revision["changed"], revision["cause"]) == (["body", "correction"], "publisher")
    assert revision["body"] == story.written[EDITED].body
    assert sum(story.after_edit.requests[path_of(article)] for article in story.written.values()) == 1
