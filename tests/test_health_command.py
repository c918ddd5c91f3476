"""`scrapy health` as cron, a monitor and a person run it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from tests.runs import Bench

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


def test_health(database_url: str, tmp_path: Path) -> None:
    """Empty; well; a source that has been silent for two days, which one alert tells of, and it ends with 2."""
    said = tmp_path / "said.json"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat >> {said}\n")
    program.chmod(0o700)
    bench = Bench(seeds=tmp_path, data_dir=tmp_path, database_url=database_url, more={"ALERT_COMMAND": str(program)})
    empty = bench.scrapy("health")
    assert (empty.status, empty.err) == (0, "")
    assert "`scrapy crawl SOURCE` begins" in empty.out
    with psycopg.connect(database_url) as connection:
        connection.execute(WEEKS)
    well, as_json, told, trial, unknown = bench.each(
        ["health", "courier"], ["health", "--json"], ["health", "--tell"], ["health", "--test-alert"], ["health", "x"]
    )
    assert (well.status, well.out) == (0, "Nothing is wrong: 1 source.\n")
    found = json.loads(as_json.out)
    assert (as_json.status, found["status"], [one["kind"] for one in found["findings"]]) == (2, "fail", ["silent"])
    assert told.status == 2
    line, summary = told.out.splitlines()
    assert line.startswith("fail  herald  silent  0 articles in ") and "; usually " in line
    assert summary == "2 sources, 1 not as usual."
    assert (trial.status, trial.out) == (0, "command: sent\n")
    assert (unknown.status, unknown.err) == (
        3,
        "scrapy health: no source 'x' was ever crawled; `scrapy list` shows what there is\n",
    )
    alert = [one for one in said.read_text().replace("}{", "}\n{").splitlines() if '"opened_count": 1' in one]
    assert [json.loads(one)["opened"][0]["source"] for one in alert] == ["herald"]
    assert bench.value("SELECT count(*) FROM news.incidents WHERE told_at IS NOT NULL") == 1
