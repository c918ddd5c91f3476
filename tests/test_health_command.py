"""`scrapy health` as cron, a monitor and a person run it."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from scrapy.settings import Settings

from crawler.commands import health
from crawler.commands.health import Command
from crawler.health import Finding
from crawler.printing import printer
from tests.runs import Bench

NONE = dict.fromkeys(("ALERT_WEBHOOK", "ALERT_EMAIL", "SMTP_URL", "SMTP_PASSWORD", "ALERT_COMMAND"), "")
WEEKS = """
INSERT INTO sources (id, name, homepage, seed, crawled_at) VALUES
    ('herald', 'Herald', 'x', '{}', now()), ('courier', 'Courier', 'x', '{}', now());
INSERT INTO source_days (source, day, articles, by_hour, stored, fetched, lists, read_at, crawls)
SELECT source, (now() AT TIME ZONE 'UTC')::date - n, 48, array_fill(2, ARRAY[24]), 48, 52, '{"read": 48}',
    now() - n * interval '1 day', 48
FROM generate_series(2, 50) AS n, unnest(ARRAY['herald', 'courier']) AS source;
INSERT INTO source_days (source, day, by_hour, lists, read_at, crawls)
SELECT source, (now() AT TIME ZONE 'UTC')::date - n, array_fill(CASE source WHEN 'herald' THEN 0 ELSE 2 END, ARRAY[24]),
    '{"read": 48}', now(), 48
FROM generate_series(0, 1) AS n, unnest(ARRAY['herald', 'courier']) AS source;
"""


def ended(database_url: str, capsys: pytest.CaptureFixture[str], *arguments: str, **more: str) -> tuple[int, str, str]:
    """`scrapy health ARGUMENTS` in this process: how it ended, and what it printed."""
    command = Command()
    command.settings = Settings(
        {"DATABASE_URL": database_url, "CRAWLER_DATA_DIR": "none", "ALERT_PAUSE": 0, **NONE, **more}
    )
    parser = argparse.ArgumentParser()
    for option in ("--json", "--tell", "--test-alert"):
        parser.add_argument(option, action="store_true")
    options, sources = parser.parse_known_args(arguments)
    command.run(sources, options)
    printed = capsys.readouterr()
    return command.exitcode, printed.out, printed.err


def test_what_looks_like_markup_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "printer", lambda: Console(force_terminal=True, width=100, markup=False))
    sentence = "deny[0]: '[/a-z]+(' is not a regular expression [bold]"
    whole = [Finding(kind="trouble", severity="warn", sentence=sentence, since=None)]
    health.show({}, whole, datetime(2026, 11, 26, tzinfo=UTC))
    assert sentence in capsys.readouterr().out
    monkeypatch.setattr(health, "printer", printer)
    lines = [Finding(kind="trouble", severity="warn", sentence="seeds: two broken\na: x\nb: y", since=None)]
    health.show({}, lines, datetime(2026, 11, 26, tzinfo=UTC))
    told = capsys.readouterr().out.splitlines()[0]
    assert told == "warn  the crawler  trouble  seeds: two broken; a: x; b: y"


def test_health(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty; well; a source that has been silent for two days, which one alert tells of, and it ends with 2."""
    monkeypatch.setattr(health, "end_with_the_reader", lambda: None)
    said = tmp_path / "said.json"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat >> {said}\n")
    program.chmod(0o700)
    status, out, err = ended(database_url, capsys)
    assert (status, err) == (0, "")
    assert "`scrapy crawl SOURCE` begins" in out
    with psycopg.connect(database_url) as connection:
        connection.execute(WEEKS)
    assert ended(database_url, capsys, "courier") == (0, "Nothing is wrong: 1 source.\n", "")
    status, out, _ = ended(database_url, capsys, "--json")
    found = json.loads(out)
    assert (status, found["status"], [one["kind"] for one in found["findings"]]) == (2, "fail", ["silent"])
    assert found["sources"]["courier"] == {
        "articles_today": 48,
        "known_days": 14,
        "learning": False,
        "disabled": False,
    }
    bench = Bench(seeds=tmp_path, data_dir=tmp_path, database_url=database_url, more={"ALERT_COMMAND": str(program)})
    told = bench.scrapy("health", "--tell")
    assert told.status == 2
    line, summary = told.out.splitlines()
    assert line.startswith("fail  herald  silent  0 articles in ") and "; usually " in line
    assert summary == "2 sources, 1 not as usual."
    (opened,) = json.loads(said.read_text())["opened"]
    assert opened["source"] == "herald"
    assert bench.value("SELECT count(*) FROM news.incidents WHERE told_at IS NOT NULL") == 1
    trial = ended(database_url, capsys, "--test-alert", ALERT_COMMAND=str(program))
    assert trial == (0, "command: sent\n", "")
    unknown = "scrapy health: no source 'x' was ever crawled; `scrapy list` shows what there is\n"
    assert ended(database_url, capsys, "x") == (3, "", unknown)
    nobody = "scrapy health: set ALERT_WEBHOOK, ALERT_EMAIL with SMTP_URL, or ALERT_COMMAND\n"
    assert ended(database_url, capsys, "--test-alert") == (3, "", nobody)
