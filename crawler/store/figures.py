"""What the database tells a monitor: a handful of numbers, from indexes and from statistics, whatever it holds.

Nothing here grows with the articles stored or the jobs done. The queue is read by what is open, how many articles
there are is the planner's estimate, the lag is that of the newest articles. `sources` alone is read whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from crawler.store.checks import alive
from crawler.store.facts import LAG
from crawler.store.schedules import LATE, OVERDUE
from crawler.store.workers import LIVING

LAG_BOUNDS = (60, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)  # seconds
LAG_ARTICLES = 10_000  # so many of the last hour's, at most
PATIENCE_MS = 5_000  # for each statement: a monitor's questions wait for nobody's lock

_JOBS = text("""
SELECT task_name AS task,
    CASE WHEN status = 'doing' THEN 'running' WHEN scheduled_at > now() THEN 'postponed' ELSE 'waiting' END AS state,
    count(*) AS jobs, min(id) AS first
FROM procrastinate.procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY 1, 2
""")
_SINCE = text("""
SELECT extract(epoch FROM now() - greatest(max(e.at), max(j.scheduled_at)))::float
FROM procrastinate.procrastinate_jobs j JOIN procrastinate.procrastinate_events e ON e.job_id = j.id
WHERE j.id = :job AND e.type IN ('deferred', 'deferred_for_retry')
""")
_SOURCES = text(f"""
SELECT count(*) FILTER (WHERE disabled_at IS NULL AND due_at IS NOT NULL) AS scheduled,
    count(*) FILTER (WHERE disabled_at IS NULL AND due_at IS NULL AND NOT gone) AS on_demand,
    count(*) FILTER (WHERE disabled_at IS NULL AND due_at IS NULL AND gone) AS gone,
    count(*) FILTER (WHERE disabled_at IS NOT NULL) AS disabled,
    count(*) FILTER (WHERE disabled_at IS NULL AND due_at <= now()) AS due,
    count(*) FILTER (WHERE {OVERDUE}) AS overdue
FROM (SELECT *, seeded_at IS NULL AND due_why IS NOT NULL AS gone FROM sources) AS sources
""")  # noqa: S608 (conditions of our own)
# What was published days ago was not late but asked for (a backfill).
_LAG = text(f"""
SELECT width_bucket(lag, CAST(:bounds AS float[])) AS bucket, count(*) AS articles, sum(lag) AS seconds FROM (
    SELECT {LAG} AS lag FROM (
        SELECT stored_at, published_at, published_raw FROM articles ORDER BY id DESC LIMIT :most
    ) AS newest
    WHERE stored_at > now() - interval '1 hour' AND published_at > stored_at - interval '2 days'
) AS lags WHERE lag IS NOT NULL GROUP BY 1
""")  # noqa: S608
_WORKERS = text(f"""
SELECT count(*) AS alive, coalesce(sum(crawls), 0) AS places FROM workers WHERE stopped_at IS NULL AND id IN ({LIVING})
""")  # noqa: S608
_TICK = text("SELECT extract(epoch FROM now() - max(ticked_at))::float FROM schedulers WHERE ended_at IS NULL")
_FAILURES = text("SELECT kind, count(*) AS n FROM job_failures WHERE at > now() - interval '1 hour' GROUP BY kind")
_INCIDENTS = text("SELECT kind, severity, count(*) AS n FROM incidents WHERE closed_at IS NULL GROUP BY 1, 2")
_ARTICLES = text("SELECT reltuples::bigint FROM pg_class WHERE oid = 'articles'::regclass")
_COUNTED = text("SELECT count(*) FROM articles")  # of a table that nobody has looked at yet
_SERVER = text("""
SELECT pg_database_size(current_database()) AS bytes, current_setting('max_connections')::int AS most,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """How things stand. `jobs`: by task and state (waiting, postponed, running); ages and lags in seconds.

    `places`: how many jobs the workers that live do at once. `tick`: None while nobody schedules.
    """

    jobs: Mapping[tuple[str, str], int]
    oldest: Mapping[str, float]  # by task: how long its oldest job has been waiting
    failures: Mapping[str, int]  # attempts at jobs in the last hour, by kind
    workers: int
    places: int
    tick: float | None
    incidents: Mapping[tuple[str, str], int]  # open ones, by kind and severity
    crawls: int  # runs whose process lives, also those by hand
    sources: Mapping[str, int]  # by state: scheduled, on_demand, disabled, gone (it has no seed)
    due: int
    overdue: int
    lag: tuple[int, ...]  # articles of the last hour up to each of LAG_BOUNDS, and all of them
    lag_seconds: float
    articles: int
    bytes: int
    connections: int
    connections_most: int


def read(connection: Connection) -> Figures:
    """In the connection's transaction. Raises SQLAlchemyError."""
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
    jobs = connection.execute(_JOBS).all()
    waiting = {row.task: row.first for row in jobs if row.state == "waiting"}
    sources = connection.execute(_SOURCES, {"late": LATE}).one()
    buckets = connection.execute(_LAG, {"bounds": list(LAG_BOUNDS), "most": LAG_ARTICLES}).all()
    lag = [0] * (len(LAG_BOUNDS) + 1)
    for row in buckets:
        for bound in range(row.bucket, len(lag)):
            lag[bound] += row.articles
    workers = connection.execute(_WORKERS).one()
    articles = connection.execute(_ARTICLES).scalar_one()
    server = connection.execute(_SERVER).one()
    return Figures(
        jobs={(row.task, row.state): row.jobs for row in jobs},
        oldest={task: connection.execute(_SINCE, {"job": job}).scalar_one() or 0.0 for task, job in waiting.items()},
        failures={row.kind: row.n for row in connection.execute(_FAILURES)},
        workers=workers.alive,
        places=workers.places,
        tick=connection.execute(_TICK).scalar_one(),
        incidents={(row.kind, row.severity): row.n for row in connection.execute(_INCIDENTS)},
        crawls=len(alive(connection)),
        sources={state: getattr(sources, state) for state in ("scheduled", "on_demand", "disabled", "gone")},
        due=sources.due,
        overdue=sources.overdue,
        lag=tuple(lag),
        lag_seconds=sum(row.seconds for row in buckets),
        articles=articles if articles >= 0 else connection.execute(_COUNTED).scalar_one(),
        bytes=server.bytes,
        connections=server.connections,
        connections_most=server.most,
    )
