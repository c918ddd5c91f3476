"""What people type: each command's answer to right and wrong questions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from crawler.store.embedded import binary
from tests.runs import PROJECT, Bench, command_lines_with, until
from tests.site import Newspaper
from tests.site.pages import article_page

SECRET = "hunter2secret"


@pytest.fixture(scope="module")
def paper() -> Iterator[Newspaper]:
    with Newspaper() as newspaper:
        yield newspaper


@pytest.fixture
def bench(paper: Newspaper, tmp_path: Path, database_url: str) -> Bench:
    paper.write_seeds(tmp_path / "seeds")
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
def own_server(paper: Newspaper, tmp_path: Path) -> Iterator[Bench]:
    """With the embedded server of its own data directory."""
    paper.write_seeds(tmp_path / "seeds")
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data")
    yield bench
    bench.scrapy("db", "stop")


# -- crawl -------------------------------------------------------------------------------------------------------


def test_list_shows_the_sources(bench: Bench) -> None:
    assert bench.scrapy("list").out.split() == ["beispiel_kurier", "courrier_exemple", "example_herald"]


def test_some_sources(bench: Bench) -> None:
    assert bench.crawl("news", "-a", "sources=beispiel_kurier, courrier_exemple").status == 0
    sources = bench.rows("SELECT DISTINCT source FROM articles ORDER BY 1")
    assert [row["source"] for row in sources] == ["beispiel_kurier", "courrier_exemple"]
    assert bench.value("SELECT sources FROM crawls") == ["beispiel_kurier", "courrier_exemple"]


def test_one_source(bench: Bench) -> None:
    assert bench.crawl("beispiel_kurier").status == 0
    assert bench.value("SELECT DISTINCT source FROM articles") == "beispiel_kurier"
    assert bench.value("SELECT spider FROM crawls") == "beispiel_kurier"


def test_one_page_is_stored_once_however_often_it_is_asked_for(bench: Bench, paper: Newspaper) -> None:
    article = paper.articles[0]
    assert bench.crawl("page", "-a", f"url={article.url}").status == 0
    again = bench.crawl("page", "-a", f"url={article.url}")
    assert again.status == 0
    (row,) = bench.rows("SELECT url, body, revision FROM articles")
    assert row == {"url": article.url, "body": article.body, "revision": 1}
    assert bench.value("SELECT count(*) FROM pages") >= 1


def test_what_cannot_be_crawled_is_told_in_one_line(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "example_herald.yaml").write_text("name: Herald\nhomepage: https://herald.example/\n")
    told = {
        ("example_heralt",): "did you mean example_herald?",
        ("quite_another",): "scrapy list",
        ("news", "-a", "sources=example_herald,kurier"): "'kurier'",
        ("news", "-a", "source=example_herald"): "knows no argument 'source'",
        ("news", "-a", "sources="): "names no source",
        ("news", "-s", "PAGES_KEEP_MONTHS=abc"): "PAGES_KEEP_MONTHS=abc: it has to be a number",
        ("page",): "-a url=",
        ("page", "-a", "url=ftp://example.com/a"): "-a url=",
    }
    outcomes = Bench(seeds=seeds, data_dir=tmp_path / "data").each(*(["crawl", *arguments] for arguments in told))
    for outcome, words in zip(outcomes, told.values(), strict=True):
        assert outcome.status == 1
        assert outcome.err.startswith("scrapy crawl: ") and len(outcome.lines) == 1
        assert words in outcome.err
    assert not (tmp_path / "data").exists()


def test_no_seeds_at_all_is_told(tmp_path: Path) -> None:
    outcome = Bench(seeds=tmp_path / "nowhere", data_dir=tmp_path / "data").crawl("news")
    assert outcome.status == 1
    assert len(outcome.lines) == 1 and "nowhere" in outcome.err


def wrong_databases(url: str) -> dict[str, str]:
    right = make_url(url)
    secret = right.set(password=SECRET)
    wrong = {
        "scheme": secret.set(drivername="mysql"),
        "port": secret.set(port=9),  # where nobody listens
        "password": secret,
        "database": right.set(database="nowhere"),
    }
    return {name: one.render_as_string(hide_password=False) for name, one in wrong.items()}


def test_a_wrong_database_is_told_in_one_line_without_its_password(
    server_url: str, paper: Newspaper, tmp_path: Path
) -> None:
    paper.write_seeds(tmp_path / "seeds")
    told = {"scheme": "mysql", "port": "refused", "password": "password", "database": "nowhere"}
    urls = wrong_databases(server_url)
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data")
    outcomes = bench.each(*(["crawl", "news", "-s", f"DATABASE_URL={url}"] for url in urls.values()))
    for outcome, (what, url) in zip(outcomes, urls.items(), strict=True):
        assert outcome.status == 1
        assert outcome.err.startswith("scrapy crawl: ") and len(outcome.lines) == 1
        assert told[what] in outcome.err
        assert str(make_url(url).password) not in outcome.out + outcome.err


# -- inspect -----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(paper: Newspaper, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(article_page(paper.articles[0], "https://herald.example"), encoding="utf-8")
    return path


def test_inspect_shows_kept_and_dropped_blocks(bench: Bench, paper: Newspaper, page: Path) -> None:
    outcome = bench.scrapy("inspect", str(page))
    assert outcome.status == 0 and outcome.err == ""
    assert paper.articles[0].headline in outcome.out
    assert "✓" in outcome.out and "✗" in outcome.out
    assert "\nkept " in outcome.out


def test_inspect_prints_json_of_a_file_and_of_standard_input(bench: Bench, paper: Newspaper, page: Path) -> None:
    url = "https://herald.example/a"
    of_file = bench.scrapy("inspect", str(page), "--json", "--url", url)
    of_input = bench.scrapy("inspect", "-", "--json", "--url", url, given=page.read_bytes())
    assert of_file.out == of_input.out
    found = json.loads(of_file.out)
    assert (found["headline"], found["body"]) == (paper.articles[0].headline, paper.articles[0].body)
    assert any(block["reason"] for block in found["blocks"])


def test_inspect_fetches_an_address(bench: Bench, paper: Newspaper) -> None:
    article = paper.articles[1]
    outcome = bench.scrapy("inspect", article.url, "--json")
    assert outcome.status == 0 and outcome.err == ""
    assert json.loads(outcome.out)["body"] == article.body


def test_inspect_obeys_robots_txt(bench: Bench, paper: Newspaper) -> None:
    outcome = bench.scrapy("inspect", f"{paper.url}/herald/private/minutes-of-the-board")
    assert outcome.status == 1
    assert len(outcome.lines) == 1 and "robots.txt" in outcome.err


def test_inspect_of_a_missing_file_is_told_in_one_line(bench: Bench, tmp_path: Path) -> None:
    outcome = bench.scrapy("inspect", str(tmp_path / "missing.html"))
    assert outcome.status == 1
    assert outcome.lines == [f"scrapy inspect: cannot read {tmp_path / 'missing.html'}: No such file or directory"]


def test_inspect_of_a_page_without_article_exits_with_2(bench: Bench) -> None:
    assert bench.scrapy("inspect", "-", given=b"<html><body><nav>Menu</nav></body></html>").status == 2


# -- db ----------------------------------------------------------------------------------------------------------


def psql(url: str, *options: str) -> str:
    command = [str(binary("psql")), url, "-AtX", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_db_on_the_embedded_server(own_server: Bench) -> None:
    assert own_server.scrapy("db", "status").status == 3
    assert own_server.scrapy("db", "migrate").out.startswith("migrated from nothing to ")
    assert "already" in own_server.scrapy("db", "migrate").out
    assert own_server.scrapy("db", "psql", "-AtX", "-c", "SELECT count(*) FROM articles").out == "0\n"
    url = own_server.scrapy("db", "url").out.strip()
    assert psql(url, "-c", "SELECT 1 + 1") == "2"  # after the command has ended
    status = own_server.scrapy("db", "status")
    assert status.status == 0 and status.out.startswith("running: ")
    assert own_server.scrapy("db", "stop").out == "stopped\n"
    assert own_server.scrapy("db", "stop").out == "it was not running\n"
    until(lambda: not command_lines_with(str(own_server.data_dir)))  # the keeper looks every 2 s


def test_db_with_a_database_url(bench: Bench) -> None:
    assert psql(bench.scrapy("db", "url").out.strip(), "-c", "SELECT count(*) FROM crawls") == "0"
    password = make_url(bench.database_url).password
    assert password
    status = bench.scrapy("db", "status")
    assert status.status == 0 and password not in status.out
    assert bench.scrapy("db", "stop").status == 2


def test_db_describe_needs_no_database(tmp_path: Path) -> None:
    calls = [["describe"], ["describe", "articles"], ["describe", "news.search"], ["describe", "--markdown"]]
    calls += [["describe", "nothing"], ["describe", "articles", "--markdown"]]
    bench = Bench(seeds=tmp_path, data_dir=tmp_path / "data")
    whole, both, search, page, unknown, wrong = bench.each(*(["db", *call] for call in calls))
    lines = [line.split("\t") for line in whole.out.splitlines()]
    assert {len(line) for line in lines} == {4} and all(line[0] and line[2] and line[3] for line in lines)
    assert ["news.articles", "headline", "text", "Headline"] in lines
    assert {line.split("\t")[0] for line in both.out.splitlines()} == {"news.articles", "articles"}
    assert search.out.startswith("news.search(query text, language text DEFAULT NULL")
    assert page.out == (PROJECT / "docs/schema.md").read_text()
    assert (unknown.status, wrong.status) == (2, 2) and "news.daily_counts" in unknown.err + unknown.out
    assert not (tmp_path / "data").exists()


def test_a_wrong_call_is_told_how_to_call(tmp_path: Path) -> None:
    calls = [["db"], ["db", "drop"], ["db", "url", "more"], ["inspect"], ["crawl"]]
    for outcome in Bench(seeds=tmp_path, data_dir=tmp_path).each(*calls):
        assert outcome.status == 2
        assert "Traceback" not in outcome.err and "usage" in (outcome.err + outcome.out).lower()


def test_every_command_explains_itself(tmp_path: Path) -> None:
    commands = ["crawl", "db", "inspect"]
    overview, *shown = Bench(seeds=tmp_path, data_dir=tmp_path).each(
        ["--help"], *([name, "--help"] for name in commands)
    )
    for name, outcome in zip(commands, shown, strict=True):
        assert outcome.status == 0
        assert f"scrapy {name} " in outcome.out
        (line,) = (line for line in overview.out.splitlines() if line.startswith(f"  {name} "))
        assert len(line.split()) > 3
