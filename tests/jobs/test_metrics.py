"""The endpoint that Prometheus scrapes, scraped."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.error import HTTPError

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from sqlalchemy import text

from crawler import tally
from crawler.errors import ConfigurationError
from crawler.jobs import metrics
from crawler.jobs.board import Board
from crawler.jobs.metrics import Readings, serve
from crawler.jobs.worker import Worker
from crawler.store import figures
from crawler.store.engine import Database
from crawler.store.workers import WORKER_LOCK
from tests.runs import PROJECT, Bench, until

DEPLOY = PROJECT / "deploy"
METRIC = re.compile(r"\b(news_\w+)(\{[^}]*\})?")
HOST = "127.0.0.1"
SOURCES = """
INSERT INTO sources (id, name, homepage, seed, seeded_at, due_at, disabled_at) VALUES
    ('late', 'Late', 'http://a.example/', '{}', now(), now() - interval '1 hour', NULL),
    ('now', 'Now', 'http://b.example/', '{}', now(), now() - interval '1 second', NULL),
    ('soon', 'Soon', 'http://c.example/', '{}', now(), now() + interval '1 hour', NULL),
    ('asked', 'Asked', 'http://d.example/', '{}', now(), NULL, NULL),
    ('off', 'Off', 'http://e.example/', '{}', now(), now() - interval '1 hour', now())
"""
JOBS = """
INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name, status, scheduled_at) VALUES
    ('news', 'crawl', 'todo', NULL), ('news', 'crawl', 'todo', now() - interval '1 minute'),
    ('news', 'crawl', 'todo', now() + interval '1 minute'), ('news', 'crawl', 'doing', NULL),
    ('news', 'reextract', 'todo', NULL), ('news', 'crawl', 'succeeded', NULL)
"""
WAITING = "UPDATE procrastinate.procrastinate_events SET at = at - interval '90 seconds'"
OTHERS = """
INSERT INTO workers (id, host, pid, version, crawls, stopped_at) VALUES
    (1, 'a', 1, '1', 8, NULL), (2, 'b', 1, '1', 8, NULL), (3, 'c', 1, '1', 8, now());
INSERT INTO schedulers (host, pid, version, ticked_at, ended_at) VALUES
    ('a', 1, '1', now() - interval '1 day', now()), ('b', 1, '1', now() - interval '7 seconds', NULL);
INSERT INTO job_failures (job_id, kind, at) VALUES
    (1, 'failed', now()), (2, 'failed', now()), (3, 'lost', now() - interval '2 hours');
INSERT INTO incidents (source, kind, severity, detail, closed_at) VALUES
    ('late', 'silent', 'warn', '', NULL), ('now', 'silent', 'warn', '', NULL), ('off', 'silent', 'warn', '', now());
"""
ALIVE = f"SELECT pg_advisory_lock({WORKER_LOCK}, 1)"  # the second worker was killed
ARTICLE = text("""
INSERT INTO articles (source, url, canonical_url, key, body, authors, published_at, published_raw,
    published_zone_assumed, tags, images, blocks, evidence, word_count, stored_at)
VALUES ('now', :key, :key, :key, 'words', '{}', now() - :age * interval '1 second', :raw, false, '{}', '[]', '[]',
    '{}', 1, now() - :stored * interval '1 second')
""")
ARTICLES = (  # seconds since publication and storage, what the page said
    (100, 10, "2026-11-26T04:00"),  # 90 s
    (1000, 10, "2026-11-26T03:45"),  # 990 s
    (5, 10, "2026-11-26T04:02"),  # published in the future: 0 s
    (40_000, 10, "2026-11-25"),  # a day without an hour
    (400_000, 10, "2026-11-20T00:00"),  # a backfill
    (9000, 8000, "2026-11-26T02:00"),  # stored before the last hour
)


class Tallied(dict[str, float]):
    """What counts, as Scrapy's collector does."""

    def inc_value(self, key: str, count: int = 1) -> None:
        self[key] = self.get(key, 0) + count

    def max_value(self, key: str, value: float) -> None:
        self[key] = max(self.get(key, value), value)


@contextmanager
def served(counted: Board | None, database: Database | None, **more: Any) -> Iterator[str]:
    port = free_port()
    close = serve(port, HOST, counted, database, **more)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def scraped(url: str) -> list[Sample]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return [sample for family in families for sample in family.samples]


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def value(samples: list[Sample], name: str, **labels: str) -> float:
    (found,) = [one.value for one in samples if one.name == name and one.labels == labels]
    return float(found)


def names(samples: list[Sample]) -> set[str]:
    return {one.name for one in samples}


def board() -> Board:
    stats = Tallied({"downloader/response_bytes": 12_345, "downloader/response_status_count/200": 7})
    stats |= {"downloader/response_status_count/206": 1, "downloader/response_status_count/503": 2, "finish_reason": 1}
    tally.count(stats, "herald", "stored", 5)
    tally.count(stats, "kurier", "updated", 2)
    tally.count(stats, "outcome", "article", 7)
    tally.count(stats, "outcome", "timeout", 1)
    tally.count(stats, "dropped", "paywall", 4)
    tally.count(stats, "listing", "read", 3)
    tally.count(stats, "rejected", "listing", 1)
    for seconds in (0.01, 0.05, 0.3, 99.0):
        tally.count_time(stats, "extraction", seconds)
    made = Board(ended=Counter(finished=2))
    made.begin(17, "crawl", "herald").stats.update(stats)
    return made


@pytest.fixture
def stocked(database: Database) -> Database:
    with database.engine.begin() as connection:
        for statement in (SOURCES, JOBS, WAITING, *OTHERS.split(";")[:-1]):
            connection.execute(text(statement))
        for age, stored, raw in ARTICLES:
            connection.execute(ARTICLE, {"key": f"{age}", "age": age, "stored": stored, "raw": raw})
    return database


def test_what_a_worker_has_board() -> None:
    with served(board(), None, sources=2) as url:
        samples = scraped(url)
        assert status(url) == 200

    assert value(samples, "news_worker_running", task="crawl") == 1
    assert value(samples, "news_worker_running", task="reextract") == 0
    assert value(samples, "news_worker_jobs_total", outcome="finished") == 2
    assert value(samples, "news_fetches_total", outcome="timeout") == 1
    assert value(samples, "news_articles_seen_total", change="new") == 5
    assert value(samples, "news_articles_seen_total", change="changed") == 2
    assert value(samples, "news_blocks_dropped_total", reason="paywall") == 4
    assert value(samples, "news_responses_total", status="2xx") == 8
    assert value(samples, "news_responses_total", status="5xx") == 2
    assert value(samples, "news_download_bytes_total") == 12_345
    assert value(samples, "news_extraction_seconds_bucket", le="0.05") == 2
    assert value(samples, "news_extraction_seconds_bucket", le="30") == 3
    assert value(samples, "news_extraction_seconds_count") == 4
    assert value(samples, "news_extraction_seconds_sum") == pytest.approx(99.36)
    assert value(samples, "news_source_articles_total", source="herald", change="new") == 5
    assert "news_database_up" not in names(samples)


def test_the_board_is_read_in_the_loop_and_a_loop_that_stands_still_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "PATIENCE", 0.5)
    loop = asyncio.new_event_loop()
    turning = threading.Thread(target=loop.run_forever)
    turning.start()
    with served(board(), None, loop=loop) as url:
        assert value(scraped(url), "news_worker_running", task="crawl") == 1
        assert status(url) == 200
        loop.call_soon_threadsafe(loop.stop)
        turning.join()
        assert status(url) == 503
        assert names(scraped(url)) >= {"news_build_info"}
    loop.close()


def test_a_health_check_is_told_what_the_worker_says() -> None:
    said = [""]
    with served(board(), None, wrong=lambda: said[0]) as url:
        assert status(url) == 200
        said[0] = "no crawl host has been there for 70 s"
        assert status(url) == 503


def test_a_worker_is_well_while_the_database_is_away_and_ill_without_beats_or_hosts() -> None:
    now = time.monotonic()
    patience, hosts, plan = SimpleNamespace(waited=None), SimpleNamespace(ready_at=now - 90), SimpleNamespace(beat=5)
    worker = SimpleNamespace(patience=patience, plan=plan, fleet=hosts, _seen=now - 90)
    wrong = partial(Worker.wrong, cast(Worker, worker))
    assert "told the database" in wrong()
    worker._seen = now
    assert "no crawl host" in wrong()
    patience.waited = 3.0
    assert wrong() == ""
    patience.waited, hosts.ready_at = None, now
    assert wrong() == ""


def test_single_sources_are_told_up_to_a_limit() -> None:
    with served(board(), None, sources=1) as url:
        assert "news_source_articles_total" not in names(scraped(url))


def test_what_the_database_knows(stocked: Database) -> None:
    with stocked.engine.connect() as worker, served(None, stocked) as url:
        worker.execute(text(ALIVE))
        samples = scraped(url)
        assert status(url) == 200

    assert value(samples, "news_database_up") == 1
    assert value(samples, "news_workers") == 1
    assert value(samples, "news_workers_places") == 8
    assert 7 <= value(samples, "news_scheduler_tick_age_seconds") < 60
    assert value(samples, "news_jobs_failures", kind="failed") == 2
    assert value(samples, "news_jobs_failures", kind="lost") == 0
    assert value(samples, "news_incidents", kind="silent", severity="warn") == 2
    assert value(samples, "news_jobs", task="crawl", state="waiting") == 2
    assert value(samples, "news_jobs", task="crawl", state="postponed") == 1
    assert value(samples, "news_jobs", task="crawl", state="running") == 1
    assert 90 <= value(samples, "news_jobs_oldest_seconds", task="reextract") < 150
    assert value(samples, "news_sources", state="scheduled") == 3
    assert value(samples, "news_sources", state="on_demand") == 1
    assert value(samples, "news_sources", state="disabled") == 1
    assert value(samples, "news_sources_due") == 2
    assert value(samples, "news_sources_overdue") == 1
    lag = [value(samples, "news_publication_lag_seconds_bucket", le=le) for le in ("60.0", "300.0", "900.0", "1800.0")]
    assert lag == [1, 2, 2, 3]
    assert value(samples, "news_publication_lag_seconds_bucket", le="+Inf") == 3
    assert value(samples, "news_publication_lag_seconds_gsum") == pytest.approx(1080)
    assert value(samples, "news_articles") == len(ARTICLES)
    assert value(samples, "news_database_size_bytes") > 1_000_000
    assert 0 < value(samples, "news_database_connections") < value(samples, "news_database_connections_max")


def test_dashboard_alerts_and_documentation_name_what_is_told(stocked: Database) -> None:
    dashboard = json.loads((DEPLOY / "grafana/news.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    (group,) = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    asked += [rule["expr"] for rule in group["rules"]]
    with served(board(), stocked, sources=2) as url:
        told = {one.name: one.labels.keys() for one in scraped(url)}

    for expression in asked:
        for name, wanted in METRIC.findall(expression):
            assert name in told, expression
            assert set(re.findall(r"(\w+)=", wanted)) <= told[name], expression
        labels = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")}
        assert labels <= set().union(*(told[name] for name, _ in METRIC.findall(expression))), expression
    rows = re.findall(
        r"^\| (.*) \| (?:worker|scheduler) \|", (PROJECT / "docs/operations.md").read_text(), re.MULTILINE
    )
    described = {name: wanted for row in rows for name, wanted in METRIC.findall(row)}
    assert len(described) > 25
    for name, wanted in described.items():
        assert set(re.findall(r"\w+", wanted)) <= told[name if name in told else f"{name}_bucket"], name
    ends = re.compile(r"_(bucket|g?count|g?sum)$")
    assert {ends.sub("", name) for name in told if name.startswith("news_")} - described.keys() == set()
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_a_database_that_is_away_is_told_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "PATIENCE", 0.5)
    with (
        socket.create_server((HOST, 0)) as silent,  # it takes the connection, and says nothing
        Database(f"postgresql://me@{HOST}:{silent.getsockname()[1]}/news") as frozen,
        Database(f"postgresql://me@{HOST}:{free_port()}/news") as gone,
    ):
        for database in (gone, frozen):
            with served(board(), database) as url:
                samples = scraped(url)
                assert value(samples, "news_database_up") == 0
                assert "news_sources" not in names(samples)
                assert value(samples, "news_articles_seen_total", change="new") == 5
                assert status(url) == 503


def test_many_monitors_ask_the_database_once(stocked: Database) -> None:
    asked, go = [], threading.Event()

    def read() -> figures.Figures:
        asked.append(1)
        go.wait(10)
        with stocked.engine.begin() as connection:
            return figures.read(connection)

    readings = Readings(read, kept=60, patience=20)
    found: list[figures.Figures | None] = []
    monitors = [threading.Thread(target=lambda: found.append(readings.newest())) for _ in range(20)]
    for monitor in monitors:
        monitor.start()
    go.set()
    for monitor in monitors:
        monitor.join()

    assert len(asked) == 1
    assert len(found) == 20 and None not in found


def test_a_reading_is_made_anew_when_it_is_old_and_an_error_is_no_end() -> None:
    answers: Iterator[figures.Figures | Exception] = iter([ConfigurationError("away"), ConfigurationError("still")])

    def read() -> figures.Figures:
        answer = next(answers)
        assert isinstance(answer, Exception)
        raise answer

    readings = Readings(read, kept=0, patience=10)
    assert readings.newest() is None
    assert readings.newest() is None
    assert list(answers) == []


def test_port_0_serves_nothing() -> None:
    threads = threading.active_count()
    serve(0, HOST, board(), None)()
    assert threading.active_count() == threads


def test_a_port_that_is_taken_is_one_line() -> None:
    with served(board(), None) as url, pytest.raises(ConfigurationError, match=r"METRICS_PORT=\d+: .* another"):
        serve(int(url.rpartition(":")[2]), HOST, board(), None)


def test_without_the_extra_it_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'news-crawler\[metrics\]'"):
        serve(free_port(), HOST, board(), None)


def test_a_scheduler_serves_them_and_logs_in_json(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    more = {"METRICS_PORT": str(port), "LOG_JSON": "1"}
    (tmp_path / "seeds").mkdir()
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url, more=more)
    with bench.start("scheduler") as scheduler:
        try:
            until(lambda: answers(port))
            until(lambda: bench.value("SELECT count(*) FROM schedulers WHERE ticked_at IS NOT NULL"))  # it says that
            assert "news_database_up" in names(scraped(f"http://{HOST}:{port}"))
        finally:
            scheduler.terminate()
        _, log = scheduler.communicate(timeout=60)
    assert scheduler.returncode == 0
    assert {json.loads(line)["level"] for line in log.splitlines()} >= {"INFO"}


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
