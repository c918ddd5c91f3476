"""`scrapy pages`: versions and their bytes, what they take, what is dropped; and what a crawl does of it by itself."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from scrapy.exceptions import UsageError

from crawler.commands import pages as command
from crawler.errors import ConfigurationError, StoreError
from crawler.store import identity, pages, writer
from crawler.store.engine import Database
from crawler.store.frontier import Visit
from crawler.store.pages import Archived
from crawler.store.versions import Version
from crawler.store.writer import Entry
from crawler.web.stored_pages import show_versions
from tests.runs import Bench, cloned
from tests.site import Newspaper
from tests.store.rows import AT, HTML, SITE, a_page, an_entry, leased

OLD = datetime(2024, 5, 6, tzinfo=UTC)
BINARY = b"\x00<p>\xff\r\n"


@pytest.fixture(scope="module")
def bench(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An article in two versions with another address, a page that gave none, and one of long ago."""
    room = tmp_path_factory.mktemp("pages")
    with cloned(server_url, template) as url:
        with Database(url) as database:
            due = leased(database, 2)
            with database.engine.begin() as connection:
                writer.commit(connection, 1, [an_entry(due[0])])
                changed = a_page(url_id=due[0].url_id, html=BINARY, at=AT + timedelta(days=1))
                none = a_page(2, url_id=due[1].url_id, html=b"nothing")
                old = a_page(url_id=due[0].url_id, html=b"old", at=OLD)
                archived = [Archived(page=changed, outcome="article", rights={"robots": "noarchive"})]
                archived += [Archived(page=old, outcome="article")]
                pages.store(connection, archived, 1)
                visit = Visit(url_id=due[1].url_id, source="herald", outcome="no_body")
                dropped = Archived(page=none, outcome="no_body", detail="too short")
                writer.commit(connection, 1, [Entry(visit=visit, archived=dropped)])
                alias = identity.Alias(url_id=due[0].url_id, url=f"{SITE}/alias", how="redirect", headline=None)
                identity.merge(connection, [alias])
        yield Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url)


def test_all_versions_of_a_page_whatever_it_is_called(bench: Bench) -> None:
    calls = [("pages", "show", "--json", name) for name in (f"{SITE}/1", f"{SITE}/alias?utm_source=x", "1")]
    found = [json.loads(outcome.out) for outcome in bench.each(*calls)]
    assert found[0] == found[1] == found[2]
    assert [one["html_bytes"] for one in found[0]] == [len(BINARY), len(HTML), 3]
    newest = found[0][0]
    assert newest["fetched_at"] == (AT + timedelta(days=1)).isoformat()
    assert (newest["source"], newest["article_id"], newest["status"]) == ("herald", 1, 200)
    assert (newest["rights"], newest["headers"]) == ({"robots": "noarchive"}, {"content-type": "text/html"})


def test_what_is_said_of_them(bench: Bench) -> None:
    versions, alone = bench.each(("pages", "show", "1"), ("pages", "show", f"{SITE}/2"))
    assert "rights       robots: noarchive" in versions.out and "header       content-type: text/html" in versions.out
    assert "3 versions" in versions.out
    assert [line.split("\t")[4] for line in versions.out.splitlines()[-3:]] == [str(len(BINARY)), str(len(HTML)), "3"]
    assert "outcome      no_body: too short" in alone.out and "versions" not in alone.out


@pytest.mark.parametrize("terminal", [False, True])
def test_what_a_server_says_steers_no_terminal(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "a\x1b]0;title\x07\x1b[2J\tb\r\nc\x9bm"
    one = Version(
        id=1, url=nasty, source=nasty, article_id=1, fetched_at=AT, status=200, outcome=nasty, detail=nasty,
        html_bytes=1, stored_bytes=1, dictionary_id=None, crawl_id=1, rights={nasty: nasty}, headers={nasty: nasty},
    )  # fmt: skip
    show_versions([one, one], Console(force_terminal=terminal, no_color=True, width=200))
    told = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)  # rich's own
    assert "header       a]0;title[2J b cm: a]0;title[2J b cm\n" in told
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)


def test_the_bytes_as_fetched(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    number = bench.value("SELECT id FROM pages WHERE html_bytes = 3")
    outcomes = bench.each(
        ("pages", "save", f"{SITE}/1", str(path)),
        ("pages", "save", "1", "--at", f"{AT:%Y-%m-%d}", str(tmp_path / "then.html")),
        ("pages", "save", "--at", f"{AT:%Y-%m-%dT%H:%M:%SZ}", "1"),
        ("pages", "save", "--page", str(number), "-"),
    )
    assert [one.status for one in outcomes] == [0, 0, 0, 0]
    assert path.read_bytes() == BINARY
    assert (tmp_path / "then.html").read_bytes() == HTML
    assert [one.out for one in outcomes[2:]] == [HTML.decode(), "old"]


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"page": None, "json": False, "at": None, "older_than": None, "dry_run": False} | given)


def test_what_there_is_not_is_one_line(bench: Bench) -> None:
    unknown, late = bench.each(("pages", "show", "https://x.example/"), ("pages", "save", "1", "--at", "2001-01-01"))
    assert (unknown.status, unknown.out) == (late.status, late.out) == (1, "")
    assert unknown.err == "scrapy pages show: there is no stored page from https://x.example/\n"
    assert late.err == "scrapy pages save: no version of it was stored by 2001-01-01\n"
    with Database(bench.database_url) as database, database.engine.connect() as connection:
        with pytest.raises(StoreError, match=r"^there is no stored page of an article with the id 9{20}$"):
            command.stored(connection, ["9" * 20], options())
        with pytest.raises(StoreError, match=r"^there is no stored page with the number 99$"):
            command.stored(connection, [], options(page=99))


def test_months_that_cannot_be_dropped() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert command.first_kept(None, 2, now) == datetime(2026, 9, 1, tzinfo=UTC)
    assert command.first_kept("2026-11", 0, now) == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="PAGES_KEEP_MONTHS keeps all; say what is old: --older-than 2026-03"):
        command.first_kept(None, 0, now)
    with pytest.raises(ConfigurationError, match="--older-than 2026-12: this month's pages are always kept"):
        command.first_kept("2026-12", 0, now)


@pytest.mark.parametrize(
    ("action", "args", "given"),
    [
        ("show", [], {}),
        ("show", ["1", "2"], {}),
        ("show", ["1"], {"page": 1}),
        ("show", ["1"], {"at": "2026-01-01"}),
        ("save", ["1", "a", "b"], {}),
        ("stats", ["1"], {}),
        ("prune", [], {"json": True}),
    ],
)
def test_what_does_not_go_together(action: str, args: list[str], given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        command.check(action, args, options(**given))


def test_what_they_take_and_what_goes(bench: Bench) -> None:
    stats, rehearsal = bench.each(
        ("pages", "stats", "--json"), ("pages", "prune", "--older-than", "2024-06", "--dry-run")
    )
    months = json.loads(stats.out)
    assert [(one["name"], one["pages"]) for one in months] == [("pages_2024_05", 1), ("pages_2026_11", 3)]
    assert months[1]["html_bytes"] == len(HTML) + len(BINARY) + len(b"nothing")
    assert rehearsal.out.startswith("would drop 2024-05: ")
    assert bench.value("SELECT count(*) FROM pages") == 4
    with psycopg.connect(bench.database_url, autocommit=True) as connection:
        connection.execute("CREATE VIEW mine AS SELECT * FROM pages_2024_05")
        held = bench.scrapy("pages", "prune", "--older-than", "2024-06")
        connection.execute("DROP VIEW mine")
    assert (held.status, held.out, len(held.lines)) == (1, "", 1)
    assert held.err.startswith(
        "scrapy pages prune: 2024-05 cannot be dropped: view mine depends on table pages_2024_05;"
    )
    done = bench.scrapy("pages", "prune", "--older-than", "2024-06")
    assert (done.status, done.out.partition(":")[0]) == (0, "dropped 2024-05")
    after = bench.scrapy("pages", "stats")
    assert [line.split("\t")[:2] for line in after.out.splitlines()] == [
        ["month", "pages"],
        ["2026-11", "3"],
        ["all", "3"],
    ]


def test_a_crawl_trains_and_drops(server_url: str, template: str, tmp_path: Path) -> None:
    with cloned(server_url, template) as url, Newspaper(many=60) as paper:
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=url)
        paper.write_seeds(bench.seeds)
        with Database(url) as database, database.engine.begin() as connection:
            pages.store(connection, [Archived(page=a_page(at=OLD), outcome="article")], None)
        first = bench.crawl("news", "-s", "PAGES_KEEP_MONTHS=2")
        assert first.status == 0
        assert "raw pages: 2024-05 is dropped" in first.err
        assert "a dictionary packs its raw pages into" in first.err
        assert bench.value("SELECT count(*) FROM pages WHERE fetched_at < '2026-01-01'") == 0
        assert bench.value("SELECT min(bytes_after::float / bytes_before) FROM page_dictionaries") < 0.9
