"""`scrapy forget` as its users run it, on a newspaper that goes on announcing what was forgotten."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.runs import QUICK, Bench
from tests.site import Newspaper

HERALD = "example_herald"


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Bench:
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)


def test_an_article_and_a_source(bench: Bench, tmp_path: Path) -> None:
    out, cursor = tmp_path / "out.jsonl", tmp_path / "cursor"
    with Newspaper() as paper:
        paper.write_seeds(bench.seeds)
        assert bench.crawl("news").status == 0
        assert bench.scrapy("export", str(out), "--cursor", str(cursor)).status == 0
        article = next(one for one in paper.articles if one.publication.stem == HERALD)
        number = bench.value("SELECT id FROM articles WHERE url = %s", article.url)

        shown, asked = bench.each(["forget", article.url, "--dry-run"], ["forget", str(number)])
        assert (shown.status, asked.status) == (0, 1)
        assert f"article {number}, 0 earlier versions, 1 raw pages" in shown.out
        assert asked.err.strip() == "nothing was removed: --yes removes it; --dry-run only looks"
        assert bench.value("SELECT count(*) FROM tombstones") == 0

        done = bench.scrapy("forget", article.url, "--yes", "--why", "a court said so")
        assert done.status == 0, done.err
        assert "Removed 1 articles with 0 earlier versions, 1 raw pages" in done.out
        assert "VACUUM" in done.out and "scrapy db backup" in done.out
        before = len(paper.requests)
        again = bench.crawl("news", "-a", "recheck=1")
        path = f"/{article.publication.key}{article.path}"
        assert again.status == 0
        assert path not in [visit.path for visit in paper.requests[before:]]
        assert bench.value("SELECT (stats ->> 'news/outcome/forgotten')::int FROM crawls ORDER BY id DESC LIMIT 1") > 0
        assert bench.value("SELECT count(*) FROM articles WHERE url = %s", article.url) == 0
        page, exported, listed = bench.each(
            ["crawl", "page", "-a", f"url={article.url}"],
            ["export", str(out), "--cursor", str(cursor)],
            ["forget", "--list"],
        )
        assert page.status == 1 and page.err.startswith("scrapy crawl: this page was forgotten")
        assert page.err.endswith(f"scrapy forget --undo {article.url}\n")
        (gone,) = (json.loads(one) for one in Path(f"{out}.forgotten").read_text().splitlines())
        assert (gone["id"], gone["source"]) == (number, HERALD)
        assert "1 articles were forgotten" in exported.err and out.read_text() == ""
        told = json.loads(listed.out)
        assert (told["why"], datetime.fromisoformat(told["forgotten_at"]).tzinfo) == ("a court said so", UTC)
        assert "T" in told["forgotten_at"]

        # The whole source: the others on its host are not touched.
        whole = bench.scrapy("forget", HERALD, "--yes")
        assert whole.status == 0 and f"/{article.publication.key}: nothing below it is let in again" in whole.out
        before = len(paper.requests)
        refused, others, added, enabled, second = bench.each(
            ["crawl", HERALD],
            ["crawl", "news", *QUICK],
            ["add", f"{paper.url}/herald/", "--name", "another"],
            ["enable", HERALD],
            ["export", str(out), "--cursor", str(cursor)],
        )
        assert refused.status == 1 and "was forgotten" in refused.err
        assert others.status == 0 and f"left out: {HERALD} was forgotten" in others.err
        assert (added.status, enabled.status, second.status) == (1, 1, 0)
        assert "its publisher does not want it here" in added.err and "scrapy forget --undo" in enabled.err
        assert not [visit.path for visit in paper.requests[before:] if visit.path.startswith("/herald/")]
        forgotten = [json.loads(one)["id"] for one in Path(f"{out}.forgotten").read_text().splitlines()]
        assert len(forgotten) == bench.value("SELECT count(*) FROM news.forgotten") - 1
        assert bench.value("SELECT count(*) FROM articles WHERE source = %s", HERALD) == 0
        assert bench.value("SELECT count(*) FROM articles") > 0

        assert bench.scrapy("forget", "--undo", HERALD).status == 0
        assert bench.value("SELECT disabled_at IS NULL FROM sources WHERE id = %s", HERALD)
        assert bench.value("SELECT count(*) FROM tombstones WHERE digest IS NOT NULL AND kind <> 'page'") == 0

        # An older backup has brought one back.
        laid = """INSERT INTO tombstones (act, kind, digest, by_whom)
            SELECT 99, 'page', sha256(convert_to(min(key), 'UTF8')), 'x' FROM articles RETURNING act"""
        assert bench.value(laid) == 99
        looked, odd = bench.each(["forget", "--again", "--dry-run"], ["forget", "--undo", HERALD, "--dry-run"])
        again, nothing = bench.scrapy("forget", "--again", "--yes"), bench.scrapy("forget", "--again")
        assert looked.out.endswith(": it has come back\n") and "Removed 1 articles" in again.out
        assert (nothing.status, nothing.out) == (0, "nothing that was forgotten is stored\n")
        assert (odd.status, "--undo takes no --dry-run" in odd.err) == (2, True)


def test_wrong_names(bench: Bench) -> None:
    bench.seeds.mkdir()
    unknown, number, never = bench.each(
        ["forget", "no_such_source", "--yes"],
        ["forget", "77", "--yes"],
        ["forget", "https://herald.example/never", "--yes"],
    )
    assert unknown.err.startswith("scrapy forget: There is no source 'no_such_source' in")
    assert number.err == "scrapy forget: there is no stored article with the id 77\n"
    assert never.status == 0 and "nothing is stored of it (is the address right?), and nothing will be" in never.out
    assert never.out.splitlines()[-1].startswith("Nothing was removed, since nothing of it was stored")
