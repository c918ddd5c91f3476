"""`scrapy crawl archive` and `scrapy export-warc`, as their users run them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from tests.archives import AT, HTML, SITE, Kept, stories, write, write_zstd
from tests.runs import QUICK, Bench, cloned, until

HERALD = "name: Example Herald\nhomepage: https://www.herald.example/\nlanguage: en\narticles: {deny: [/about]}\n"
OTHER = "https://other.example"
DAY = timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Bench:
    return made(tmp_path, database_url)


def made(room: Path, database_url: str) -> Bench:
    (room / "seeds").mkdir()
    (room / "seeds" / "example_herald.yaml").write_text(HERALD)
    return Bench(seeds=room / "seeds", data_dir=room / "data", database_url=database_url)


def files(bench: Bench) -> list[dict[str, Any]]:
    return bench.rows("SELECT * FROM archives ORDER BY path")


def articles(bench: Bench) -> list[dict[str, Any]]:
    """All that is the same whichever database it is in."""
    own = ("id", "stored_at", "updated_at", "seen_at", "changed_xid")
    rows = bench.rows("SELECT * FROM articles ORDER BY canonical_url")
    return [{name: value for name, value in row.items() if name not in own} for row in rows]


def test_files_of_every_kind_become_articles_once(bench: Bench, tmp_path: Path) -> None:
    write(tmp_path / "a.warc.gz", [*stories(range(8)), *stories(range(3), OTHER)])
    write(tmp_path / "b.warc", stories(range(5, 12)), gzip=False)
    write_zstd(tmp_path / "c.warc.zst", stories(range(10, 15)))
    packed = [Kept(url=one.url, body=gzip.compress(one.body), headers=[*HTML, ("Content-Encoding", "gzip")])
              for one in stories(range(15, 18))]  # fmt: skip
    about = stories([100])[0]
    write(tmp_path / "d.warc.gz", [*packed, Kept(url=f"{SITE}/about", body=about.body)])
    outcome = bench.crawl("archive", "-a", f"warc={tmp_path}/*.warc*")
    assert outcome.status == 0, outcome.err
    assert outcome.lines[-1].startswith("21 new and 0 changed articles in ")
    assert "Records that are no pages: not_response 4, not_wanted 1" in outcome.err
    sources = bench.rows("SELECT source, count(*) AS n FROM articles GROUP BY 1 ORDER BY 1")
    assert [(row["source"], row["n"]) for row in sources] == [("example_herald", 18), ("other_example", 3)]
    assert bench.value("SELECT array_agg(DISTINCT fetched_at) FROM pages") == [AT]
    assert bench.value("SELECT count(*) FROM pages") == 21
    assert bench.value("SELECT count(*) FROM revisions") == 0
    assert [(row["records"], row["stored"]) for row in files(bench)] == [(12, 11), (8, 4), (6, 3), (5, 3)]
    assert all(row["finished_at"] and not row["error"] for row in files(bench))
    assert all(row["records"] == row["stored"] + sum(row["skipped"].values()) for row in files(bench))
    (crawl,) = bench.rows("SELECT spider, outcome, sources FROM crawls")
    assert crawl == {"spider": "archive", "outcome": "finished", "sources": []}

    again = bench.crawl("archive", "-a", f"warc={tmp_path}/*.warc*")
    assert again.status == 0 and again.err.count("is done already") == 4
    assert "4 files done already; -a again=1 reads what is done again." in again.err
    before = articles(bench)
    forced = bench.crawl("archive", "-a", f"warc={tmp_path}/a.warc.gz", "-a", "again=1")
    assert "done already" not in forced.err and articles(bench) == before
    assert files(bench)[0]["skipped"] == {"not_response": 1, "unchanged": 11}


def test_only_what_is_asked_for_is_stored_and_the_rest_is_not_done(bench: Bench, tmp_path: Path) -> None:
    records = [*stories(range(3)), *stories(range(3), OTHER), *stories(range(10, 12), at=AT - 30 * DAY)]
    write(tmp_path / "a.warc.gz", records)
    file, number = f"warc={tmp_path}/a.warc.gz", "SELECT count(*) FROM articles"
    assert bench.crawl("archive", "-a", file, "-a", f"until={AT - DAY:%Y-%m-%d}").status == 0
    assert bench.value(number) == 2
    assert bench.crawl("archive", "-a", file, "-a", "sources=example_herald").status == 0
    assert bench.value(number) == 5
    assert bench.crawl("archive", "-a", file, "-a", "seeded=1").status == 0
    assert bench.value(number) == 5
    assert bench.crawl("archive", "-a", file).status == 0
    assert bench.value(number) == 8
    assert len(files(bench)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which files: -a warc='archives/*.warc.gz'"),
        (["warc=none/*.warc.gz"], "-a warc=none/*.warc.gz names no file"),
        (["warc=tests"], "tests is a folder; name its files: -a warc='tests/*.warc.gz'"),
        (["warc=README.md", "sources=heralt"], "There is no source 'heralt'"),
        (["warc=README.md", "since=soon"], "since=soon is no date"),
        (["warc=README.md", "url=x"], "archive knows no argument 'url'; it takes -a again=, -a seeded=, "),
    ],
)
def test_a_wrong_argument_is_one_line(bench: Bench, arguments: list[str], message: str) -> None:
    outcome = bench.crawl("archive", *(part for argument in arguments for part in ("-a", argument)))
    assert outcome.status == 1
    (line,) = outcome.lines
    assert line.startswith(f"scrapy crawl: {message}")


def test_broken_files_give_what_they_hold_and_say_where_they_broke(bench: Bench, tmp_path: Path) -> None:
    offsets = write(tmp_path / "a.warc.gz", stories(range(6)))
    data = bytearray((tmp_path / "a.warc.gz").read_bytes())
    data[offsets[2] + 100 : offsets[2] + 150] = bytes(50)
    (tmp_path / "a.warc.gz").write_bytes(data[:-500])
    write(tmp_path / "b.warc.gz", stories(range(6, 8)))
    outcome = bench.crawl("archive", "-a", f"warc={tmp_path}/*.warc.gz")
    assert outcome.status == 0
    assert bench.value("SELECT count(*) FROM articles") == 6
    damaged, whole = files(bench)
    assert re.fullmatch(rf"damaged from byte ({offsets[1]}|{offsets[2]}) on: .+", damaged["error"])
    assert f"a.warc.gz: {damaged['error']}" in outcome.err and whole["error"] is None
    assert "Not fetched: damaged_archive 1" in outcome.err
    assert damaged["skipped"].items() >= {"not_response": 1, "truncated": 1}.items()


def test_what_is_no_archive_fails_the_run_and_hides_no_other(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(b"<html>not found</html>")
    write(tmp_path / "b.warc.gz", stories(range(2)))
    outcome = bench.crawl("archive", "-a", f"warc={tmp_path}/*.warc.gz")
    assert outcome.status == 1
    assert "a.warc.gz: there is no WARC record in it" in outcome.err
    assert bench.value("SELECT count(*) FROM articles") == 2


def test_an_older_capture_is_archived_and_changes_no_newer_version(bench: Bench, tmp_path: Path) -> None:
    write(tmp_path / "new.warc.gz", stories(range(3), at=AT, more="The newest version."))
    write(tmp_path / "old.warc.gz", stories(range(4), at=AT - DAY))
    assert bench.crawl("archive", "-a", f"warc={tmp_path}/new.warc.gz").status == 0
    before = articles(bench)
    assert bench.crawl("archive", "-a", f"warc={tmp_path}/old.warc.gz").status == 0
    after = articles(bench)
    assert [row for row in after if row in before] == before and len(after) == 4
    assert files(bench)[1]["skipped"] == {"not_response": 1, "older": 3}
    assert bench.value("SELECT count(*) FROM pages") == 7


# -- interrupted ------------------------------------------------------------------------------------------------------

SLOW = [*QUICK, "-s", "EXTRACTION_WORKERS=1"]
MANY = 120


@pytest.fixture
def large(tmp_path: Path) -> str:
    write(tmp_path / "a.warc.gz", stories(range(MANY)))
    write(tmp_path / "b.warc.gz", stories(range(MANY, MANY + 20)))
    return f"warc={tmp_path}/*.warc.gz"


def some_are_stored(bench: Bench, least: int) -> bool:
    return bool(bench.value("SELECT coalesce(max(records), 0) >= %s FROM archives", least))


def assert_all_stored_once(bench: Bench) -> None:
    assert bench.value("SELECT count(*) FROM articles") == MANY + 20
    assert bench.value("SELECT count(*) FROM revisions") == 0
    assert bench.value("SELECT max(n) FROM (SELECT count(*) AS n FROM pages GROUP BY url) AS times") == 1
    assert [(row["records"], bool(row["finished_at"])) for row in files(bench)] == [(MANY + 1, True), (21, True)]
    assert all(row["records"] == row["stored"] + sum(row["skipped"].values()) for row in files(bench))


def test_kill_9_again_and_again_loses_nothing_and_stores_nothing_twice(bench: Bench, large: str) -> None:
    for least in (10, 30, 50):  # of 120: however late the kill comes, some are left
        with bench.start("crawl", "archive", *SLOW, "-a", large) as process:
            until(lambda least=least: some_are_stored(bench, least))  # type: ignore[misc]
            process.kill()
            process.communicate(timeout=60)
        assert bench.value("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')") == 0
    done = files(bench)[0]["records"]
    last = bench.crawl("archive", "-a", large)
    assert last.status == 0 and "a.warc.gz: going on behind record" in last.err
    assert_all_stored_once(bench)
    stats = bench.value("SELECT stats FROM crawls ORDER BY id DESC LIMIT 1")
    assert stats["archive/records"] == MANY + 1 - done + 21  # behind the mark, and nothing else
    repeated = sum(row["skipped"].get("unchanged", 0) for row in files(bench))
    assert repeated <= 3 * 24  # what was on its way at the kills, at most


def test_ctrl_c_ends_it_in_order(bench: Bench, large: str) -> None:
    with bench.start("crawl", "archive", *SLOW, "-a", large) as process:
        until(lambda: some_are_stored(bench, 10))
        process.send_signal(2)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err and "never retrieved" not in err and "Ended early (shutdown)" in err
    assert bench.value("SELECT outcome FROM crawls") == "shutdown"
    assert bench.value("SELECT count(*) + 1 FROM articles") == files(bench)[0]["records"]  # all that is done is noted
    assert bench.crawl("archive", "-a", large).status == 0
    assert_all_stored_once(bench)
    assert sum(row["skipped"].get("unchanged", 0) for row in files(bench)) == 0


def test_two_runs_share_the_files(bench: Bench, large: str) -> None:
    runs = [bench.start("crawl", "archive", *SLOW, "-a", large) for _ in range(2)]
    said = [run.communicate(timeout=110)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert not any("Traceback" in err for err in said)
    assert_all_stored_once(bench)
    assert sum(int(err.splitlines()[-1].split()[0]) for err in said) == MANY + 20
    assert bench.value("SELECT sum((stats ->> 'archive/records')::int) FROM crawls") == MANY + 22


# -- out and in again -------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(bench: Bench, tmp_path: Path) -> Bench:
    """Ten articles of two sources, two of them in two versions, and two pages that are no articles."""
    older = [*stories(range(8), at=AT - DAY), *stories(range(2), OTHER, at=AT - DAY)]
    others = [Kept(url=f"{SITE}/empty/{n}", body=b"<html><body></body></html>", at=AT) for n in range(2)]
    write(tmp_path / "in.warc.gz", [*older, *stories(range(2), more="A correction."), *others])
    assert bench.crawl("archive", "-a", f"warc={tmp_path}/in.warc.gz").status == 0
    return bench


@pytest.fixture
def empty(server_url: str, template: str, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "empty").mkdir()
    with cloned(server_url, template) as database_url:
        yield made(tmp_path / "empty", database_url)


def responses(*paths: Path) -> list[tuple[str, str, bytes]]:
    found = []
    for path in paths:
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                if record.rec_type == "response":
                    assert record.rec_headers.get_header("WARC-Payload-Digest").startswith("sha1:")
                    body = record.content_stream().read()
                    assert record.http_headers.get_header("Content-Length") == str(len(body))
                    address, date = (record.rec_headers.get_header(f"WARC-{name}") for name in ("Target-URI", "Date"))
                    found.append((address, date, body))
    return found


def test_what_is_exported_and_imported_gives_the_same_articles(stored: Bench, empty: Bench, tmp_path: Path) -> None:
    outcome = stored.scrapy("export-warc", f"{tmp_path}/out.warc.gz")
    assert (outcome.status, outcome.out) == (0, "")
    (line,) = outcome.lines
    assert line.startswith("14 pages, ") and line.endswith(f": {tmp_path}/out.warc.gz")
    assert len(responses(tmp_path / "out.warc.gz")) == 14
    assert empty.crawl("archive", "-a", f"warc={tmp_path}/out.warc.gz").status == 0
    assert articles(empty) == articles(stored)
    pages = "SELECT url, fetched_at, status, headers, html_bytes, outcome FROM pages ORDER BY fetched_at, url"
    assert empty.rows(pages) == stored.rows(pages)


def test_only_what_is_asked_for_is_exported(stored: Bench, tmp_path: Path) -> None:
    def exported(*options: str) -> int:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.warc"
        assert stored.scrapy("export-warc", *options, str(path)).status == 0
        return len(responses(path))

    assert exported("--articles-only") == 12
    assert exported("--source", "other_example") == 2
    assert exported("--since", f"{AT:%Y-%m-%d}") == 4
    assert exported("--until", f"{AT - DAY:%Y-%m-%d}", "--source", "example_herald") == 8


def test_a_new_file_begins_when_one_is_large(stored: Bench, tmp_path: Path) -> None:
    outcome = stored.scrapy("export-warc", "--max-size", "10kB", f"{tmp_path}/out.warc.gz")
    parts = sorted(tmp_path.glob("out*"))
    assert outcome.status == 0 and f"14 pages in {len(parts)} files" in outcome.err
    assert [path.name for path in parts] == [f"out-{n:05}.warc.gz" for n in range(len(parts))] and len(parts) > 1
    assert len(responses(*parts)) == 14
    again = stored.scrapy("export-warc", "--max-size", "10kB", f"{tmp_path}/out.warc.gz")
    assert again.status == 1 and "out-00000.warc.gz exists already" in again.err
    for path in parts:
        with path.open("rb") as file:
            info = next(iter(ArchiveIterator(file))).content_stream().read().decode()
        assert "software: news-crawler/" in info and "export-warc" in info


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.zip"], "out.zip: name it OUT.warc.gz or OUT.warc"),
        (["none/out.warc"], "none is no folder"),
        (["--max-size", "big", "out.warc"], "--max-size big is no size; write 1GB or 500MB"),
        (["--since", "soon", "out.warc"], "since=soon is no date; write 2026-11-23 or 2026-11-23T10:30Z"),
        (["--source", "nix", "out.warc"], "nothing of a source 'nix' is stored"),
        (["out.warc"], "no stored page is asked for; nothing was written"),
    ],
)
def test_what_cannot_be_exported_is_one_line(bench: Bench, arguments: list[str], message: str) -> None:
    outcome = bench.scrapy("export-warc", *arguments)
    assert (outcome.status, outcome.lines) == (1, [f"scrapy export-warc: {message}"])
    assert not list(Path().glob("out*"))
