"""What Prometheus is told, and under which names. The only import of prometheus-client, which is the extra `[metrics]`.

Labels are words of closed sets: outcomes, reasons, tasks, states. The one exception is `source`, in counters that a
worker tells for as long as it has crawled no more sources than METRICS_SOURCES: three series a source and worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from crawler import __version__, tally
from crawler.jobs.board import OTHERS, Board
from crawler.store.figures import LAG_BOUNDS, Figures

TASKS = ("crawl", "reextract", "archive")
CHANGES = {"stored": "new", "updated": "changed", "unchanged": "unchanged"}
PASSED_ON = {  # of Scrapy's counters
    "news_requests": ("downloader/request_count", "Requests sent, robots.txt and lists included"),
    "news_download_bytes": ("downloader/response_bytes", "Bytes received, headers included"),
    "news_download_errors": ("downloader/exception_count", "Requests without an answer"),
}
TIMES = {
    "news_extraction_seconds": ("extraction", "From a page to its article, waiting for a free process included"),
    "news_download_seconds": ("download", "From a request to the first byte of its answer"),
}
REASONS = {
    "news_fetches": ("outcome", "outcome", "Pages asked for, by how that ended (docs/crawling.md)"),
    "news_listings_read": ("listing", "outcome", "Feeds, sitemaps and sections asked for, by how that ended"),
    "news_blocks_dropped": ("dropped", "reason", "Blocks of stored articles that are not the article"),
    "news_pages_rejected": ("rejected", "reason", "Pages that are no articles"),
}
STATUS = "downloader/response_status_count/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A board at one moment: jobs at hand by task, ended ones by outcome, and the sums of Scrapy's stats."""

    running: Mapping[str, int]
    ended: Mapping[str, int]
    stats: Mapping[str, Any]


def counted(board: Board) -> Counted:
    """In the thread that writes the board."""
    running = Counter(one.task for one in board.running.values())
    return Counted(running={**dict.fromkeys(TASKS, 0), **running}, ended=dict(board.ended), stats=board.summed())


class Series:
    """prometheus-client asks what there is to be described when it registers a collector: nothing, for ours."""

    def describe(self) -> list[Metric]:
        return []


class WorkerSeries(Series):
    """What the crawls of this process have counted, those that run included."""

    def __init__(self, count: Callable[[], Counted | None], most_sources: int) -> None:
        self.count, self.most_sources = count, most_sources

    def collect(self) -> Iterator[Metric]:
        yield _gauge("news_build_info", "Version of the crawler", "version", {__version__: 1})
        if (known := self.count()) is None:
            return
        stats = known.stats
        yield _gauge("news_worker_running", "Jobs that this worker is at", "task", known.running)
        yield _counter("news_worker_jobs", "Jobs that this worker has ended", "outcome", known.ended)
        for name, (group, label, said) in REASONS.items():
            yield _counter(name, said, label, tally.reasons(stats, group))
        sources = tally.by_source(stats)
        changes = {change: sum(counts.get(what, 0) for counts in sources.values()) for what, change in CHANGES.items()}
        yield _counter(
            "news_articles_seen", "Articles stored, changed, or fetched and found unchanged", "change", changes
        )
        yield _counter("news_responses", "Answers, by class of their status", "status", _classes(stats))
        for name, (key, said) in PASSED_ON.items():
            yield CounterMetricFamily(name, said, value=stats.get(key, 0))
        for name, (what, said) in TIMES.items():
            buckets, seconds = tally.times(stats, what)
            yield HistogramMetricFamily(name, said, buckets=buckets, sum_value=seconds)
        if 0 < len(sources) <= self.most_sources and OTHERS not in sources:
            yield _by_source(sources)


class DatabaseSeries(Series):
    """What the database knows; only `news_database_up 0` while it is away."""

    def __init__(self, newest: Callable[[], Figures | None]) -> None:
        self.newest = newest

    def collect(self) -> Iterator[Metric]:
        figures = self.newest()
        yield GaugeMetricFamily("news_database_up", "1 if the database answers", value=int(figures is not None))
        if figures is None:
            return
        jobs = GaugeMetricFamily("news_jobs", "Jobs that are not done", labels=["task", "state"])
        incidents = GaugeMetricFamily("news_incidents", "Incidents that are open", labels=["kind", "severity"])
        for family, numbers in ((jobs, figures.jobs), (incidents, figures.incidents)):
            for labels, number in sorted(numbers.items()):
                family.add_metric(labels, number)
            yield family
        failures = {"failed": 0, "lost": 0, "dropped": 0} | dict(figures.failures)
        yield _gauge("news_jobs_failures", "Attempts at jobs that came to nothing in the last hour", "kind", failures)
        if figures.tick is not None:
            tick = "Since a scheduler last looked for what is due; absent: there is none"
            yield GaugeMetricFamily("news_scheduler_tick_age_seconds", tick, value=figures.tick)
        yield _gauge(
            "news_jobs_oldest_seconds", "For how long the oldest waiting job has been waiting", "task", figures.oldest
        )
        yield _gauge("news_sources", "Sources", "state", figures.sources)
        lag = [(str(float(bound)), number) for bound, number in zip(LAG_BOUNDS, figures.lag, strict=False)]
        yield GaugeHistogramMetricFamily(
            "news_publication_lag_seconds",
            "From publication to storage, of articles stored in the last hour",
            buckets=[*lag, ("+Inf", figures.lag[-1])],
            gsum_value=figures.lag_seconds,
        )
        for name, value, said in (
            ("news_workers", figures.workers, "Workers that live"),
            ("news_workers_places", figures.places, "Jobs that these do at once"),
            ("news_crawls_running", figures.crawls, "Crawls whose process lives, those by hand included"),
            ("news_sources_due", figures.due, "Sources that are due and not queued yet"),
            (
                "news_sources_overdue",
                figures.overdue,
                "Sources that have been due for 5 minutes: does a scheduler run?",
            ),
            ("news_articles", figures.articles, "Articles stored, as the planner estimates"),
            ("news_database_size_bytes", figures.bytes, "Size of the database on disk"),
            ("news_database_connections", figures.connections, "Connections to the server, of all its databases"),
            ("news_database_connections_max", figures.connections_most, "How many connections the server takes"),
        ):
            yield GaugeMetricFamily(name, said, value=value)


def _classes(stats: Mapping[str, Any]) -> dict[str, int]:
    """2xx, 3xx, …: how many answers."""
    found: dict[str, int] = {}
    for key, number in stats.items():
        if key.startswith(STATUS):
            kind = f"{key[len(STATUS)]}xx"
            found[kind] = found.get(kind, 0) + number
    return found


def _by_source(sources: Mapping[str, Mapping[str, int]]) -> Metric:
    family = CounterMetricFamily(
        "news_source_articles", "The same of each source (METRICS_SOURCES)", labels=["source", "change"]
    )
    for source, counts in sorted(sources.items()):
        for what, change in CHANGES.items():
            family.add_metric([source, change], counts.get(what, 0))
    return family


def _gauge(name: str, said: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(name, said, labels=[label]), values)


def _counter(name: str, said: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(name, said, labels=[label]), values)


def _labelled(family: Any, values: Mapping[str, float]) -> Metric:
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family  # type: ignore[no-any-return]
