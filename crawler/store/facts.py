"""What each source did by day (`source_days`), counted where it arises: as crawls go on, and when they end.

Statistics of a crawl are added as it goes on, once a minute: the row in `crawls` has those that are accounted for, and
both are written in one transaction, so nothing counts twice and a kill -9 loses a minute at most. What can be told from
the stored articles is counted anew from them. Crawls of the past (an archive, a backfill) tell nothing about today:
their articles count as stored, and that is all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler import tally
from crawler.text import json_safe

LOCK = 7_305_140  # of pg_advisory_xact_lock: runs with sources in common would wait for each other in a circle
KEPT = timedelta(days=400)  # of days; a year ago is worth a look
PAST = ("since", "until", "archives", "recheck")  # arguments of crawls that look back
GOOD_LISTS = ("read", "not_modified")
BUSY = ("news", "archive", "downloader")  # first parts of the statistics that change while a crawl does something
_OWN = {"updated": "changed", "stored": "stored", "unchanged": "unchanged", "rejected": "rejected"}
_OWN |= {"fetched": "fetched", "failed": "failed"}

# Seconds from an article's publication to its storage. A day without an hour is no instant, and what is published in
# the future is not late.
LAG = """CASE WHEN published_at IS NOT NULL AND published_raw LIKE '%:%'
    THEN greatest(CAST(extract(epoch FROM stored_at - published_at) AS float8), 0) END"""

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_CRAWL = text("""
SELECT spider, arguments, sources, stats, (coalesce(moved_at, started_at) AT TIME ZONE 'UTC')::date AS since,
    (now() AT TIME ZONE 'UTC')::date AS today
FROM crawls WHERE id = :id FOR UPDATE
""")
_NOTE = text("""
UPDATE crawls SET stats = :stats, moved_at = CASE WHEN :moved THEN now() ELSE moved_at END WHERE id = :id
""").bindparams(bindparam("stats", type_=JSONB))

_SUMS = (
    *("stored", "changed", "unchanged", "rejected", "fetched", "failed", "announced", "dropped_blocks"),
    *("dropped_words", "answers", "answer_seconds"),
)
_ROWS = {  # what failed in a row, and what ends it
    "rejected_row": ("rejected", "stored"),
    "failed_row": ("failed", "came"),
    "lists_row": ("lists_failed", "lists_read"),
}


def _merged(name: str) -> str:
    """Two objects of counts added up."""
    return f"""{name} = CASE WHEN excluded.{name} = '{{}}' THEN d.{name} ELSE (
        SELECT jsonb_object_agg(key, n) FROM (
            SELECT key, sum(value::integer) AS n
            FROM (SELECT * FROM jsonb_each_text(d.{name}) UNION ALL SELECT * FROM jsonb_each_text(excluded.{name})) AS e
            GROUP BY key) AS merged) END"""  # noqa: S608 (a name of our own)


_ADD = text(f"""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(source text, {", ".join(f"{name} float8" for name in _SUMS)},
        answer_max float8, outcomes jsonb, lists jsonb, lists_failed int, lists_read int, came int)
    WHERE source IN (SELECT id FROM sources)
)
INSERT INTO source_days AS d (source, day, {", ".join(_SUMS)}, answer_max, outcomes, lists, came_at, read_at,
    {", ".join(_ROWS)})
SELECT source, :day, {", ".join(_SUMS)}, answer_max, outcomes, lists,
    CASE WHEN came > 0 THEN now() END, CASE WHEN lists_read > 0 THEN now() END,
    {", ".join(f"CASE WHEN {good} > 0 THEN 0 ELSE {bad} END" for bad, good in _ROWS.values())}
FROM given ORDER BY source
ON CONFLICT (source, day) DO UPDATE SET
    {", ".join(f"{name} = d.{name} + excluded.{name}" for name in _SUMS)},
    answer_max = greatest(d.answer_max, excluded.answer_max),
    {_merged("outcomes")}, {_merged("lists")},
    came_at = greatest(d.came_at, excluded.came_at), read_at = greatest(d.read_at, excluded.read_at),
    rejected_row = CASE WHEN excluded.stored > 0 THEN 0 ELSE d.rejected_row END + excluded.rejected_row,
    failed_row = CASE WHEN excluded.came_at IS NOT NULL THEN 0 ELSE d.failed_row END + excluded.failed_row,
    lists_row = CASE WHEN excluded.read_at IS NOT NULL THEN 0 ELSE d.lists_row END + excluded.lists_row
""").bindparams(bindparam("rows", type_=JSONB))  # noqa: S608 (names of our own)

_HOURS = ", ".join(f"count(*) FILTER (WHERE fresh AND hour = {hour})" for hour in range(24))
# By the index on (source, updated_at): what was stored since then cannot have been changed before.
_RECOUNT = text(f"""
INSERT INTO source_days AS d (source, day, articles, by_hour, dated, signed, words, lag)
SELECT s.source, s.day, c.*
FROM (SELECT source, day, day::timestamp AT TIME ZONE 'UTC' AS since
      FROM unnest(CAST(:sources AS text[])) AS source, unnest(CAST(:days AS date[])) AS day
      WHERE source IN (SELECT id FROM sources)) AS s
CROSS JOIN LATERAL (
    SELECT count(*) AS articles, ARRAY[{_HOURS}]::integer[],
        count(*) FILTER (WHERE fresh AND published_at IS NOT NULL), count(*) FILTER (WHERE fresh AND authors <> '{{}}'),
        percentile_disc(0.5) WITHIN GROUP (ORDER BY word_count) FILTER (WHERE fresh),
        percentile_disc(0.5) WITHIN GROUP (ORDER BY lag) FILTER (WHERE fresh)
    FROM (
        SELECT published_at, authors, word_count, {LAG} AS lag, extract(hour FROM stored_at AT TIME ZONE 'UTC') AS hour,
            published_at IS NULL OR published_at > stored_at - interval '3 days' AS fresh
        FROM articles a
        WHERE a.source = s.source AND a.updated_at >= s.since AND a.stored_at >= s.since
            AND a.stored_at < s.since + interval '1 day'
    ) AS a
) AS c
WHERE c.articles > 0 OR EXISTS (SELECT FROM source_days x WHERE x.source = s.source AND x.day = s.day)
ORDER BY s.source, s.day
ON CONFLICT (source, day) DO UPDATE SET articles = excluded.articles, by_hour = excluded.by_hour,
    dated = excluded.dated, signed = excluded.signed, words = excluded.words, lag = excluded.lag
""")  # noqa: S608 (numbers of our own)

_ENDED = text("""
INSERT INTO source_days AS d (source, day, crawls, crawls_failed, failed_why)
SELECT source, (now() AT TIME ZONE 'UTC')::date, 1, :failed, :why
FROM unnest(CAST(:sources AS text[])) AS source WHERE source IN (SELECT id FROM sources) ORDER BY source
ON CONFLICT (source, day) DO UPDATE SET crawls = d.crawls + 1, crawls_failed = d.crawls_failed + excluded.crawls_failed,
    failed_why = coalesce(excluded.failed_why, d.failed_why)
""")
# Of a run that was buried and lives: it ends once more.
_NOT_ENDED = text("""
UPDATE source_days AS d SET crawls = greatest(crawls - 1, 0), crawls_failed = greatest(crawls_failed - 1, 0),
    failed_why = CASE WHEN crawls_failed > 1 THEN failed_why END
FROM crawls WHERE crawls.id = :id AND d.source = ANY(crawls.sources)
    AND d.day = (crawls.finished_at AT TIME ZONE 'UTC')::date
""")
_LEAKED = text("""
INSERT INTO source_days AS d (source, day, leaked) VALUES (:source, (now() AT TIME ZONE 'UTC')::date, :number)
ON CONFLICT (source, day) DO UPDATE SET leaked = d.leaked + excluded.leaked
""")
_PRUNE = text("DELETE FROM source_days WHERE day < now() - :kept")


def account(connection: Connection, crawl_id: int, stats: Mapping[str, Any]) -> None:
    """Add what a run has done since it was last asked, and note its statistics."""
    alone(connection)
    row = connection.execute(_CRAWL, {"id": crawl_id}).mappings().one_or_none()
    if row is None:
        return
    plain: dict[str, Any] = json_safe(json.loads(json.dumps(stats, default=str)))
    moved = _busy(plain) != _busy(row["stats"])
    if moved and not looks_back(row["spider"], row["arguments"]):
        rows = added(row["stats"], plain)
        if rows:
            connection.execute(_ADD, {"rows": rows, "day": row["today"]})
        recount(
            connection,
            [one["source"] for one in rows if one["stored"] or one["changed"]],
            {row["today"], max(row["since"], row["today"] - timedelta(days=1))},
        )
    connection.execute(_NOTE, {"id": crawl_id, "stats": plain, "moved": moved})


def ended(connection: Connection, crawl_id: int, failed: str | None = None) -> None:
    """A run is over; `failed`: why, if it failed or was killed. What it stored last is counted."""
    alone(connection)
    row = connection.execute(_CRAWL, {"id": crawl_id}).mappings().one()
    if not looks_back(row["spider"], row["arguments"]):
        given = {"sources": sorted(row["sources"]), "failed": int(failed is not None), "why": failed}
        connection.execute(_ENDED, given)
    first = max(row["since"], row["today"] - timedelta(days=1))
    recount(connection, row["sources"], {first, min(first + timedelta(days=1), row["today"])})


def not_ended(connection: Connection, crawl_id: int) -> None:
    """A run was thought to be over, as failed, and is not."""
    row = connection.execute(_CRAWL, {"id": crawl_id}).mappings().one()
    if not looks_back(row["spider"], row["arguments"]):
        connection.execute(_NOT_ENDED, {"id": crawl_id})


def alone(connection: Connection) -> None:
    """Be the only one who counts until this transaction ends. To be asked for before any row is written."""
    connection.execute(_LOCK, {"key": LOCK})


def recount(connection: Connection, sources: Iterable[str], days: Iterable[date]) -> None:
    """Count the stored articles of these days anew."""
    given = {"sources": sorted(set(sources)), "days": sorted(set(days))}
    if given["sources"]:
        connection.execute(_RECOUNT, given)


def leaked(connection: Connection, source: str, number: int) -> None:
    """So many blocks had got into stored articles of the source and were taken out."""
    if number > 0:
        connection.execute(_LEAKED, {"source": source, "number": number})


def prune(connection: Connection) -> int:
    """Forget days that nobody looks back to; returns how many."""
    return connection.execute(_PRUNE, {"kept": KEPT}).rowcount


def looks_back(spider: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a crawl is about the past: what it meets is no sign of how its sources do today."""
    return spider in ("archive", "page") or any(arguments.get(name) for name in PAST)


def added(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What statistics have gained, as rows by source; a source that did nothing has none."""
    old, rows = tally.own(before), []
    for source, counts in sorted(tally.own(now).items()):
        was = old.get(source, {})
        gained = {key: value - was.get(key, 0) for key, value in counts.items() if value != was.get(key, 0)}
        if gained:
            rows.append({"source": source, **_row(gained, counts)})
    return rows


def _row(gained: Mapping[tuple[str, str], Any], counts: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    def group(name: str) -> dict[str, int]:
        return {word: number for (kind, word), number in gained.items() if kind == name and number > 0}

    row: dict[str, Any] = {column: gained.get(("", what), 0) for what, column in _OWN.items()}
    lists = group("listing")
    read = sum(lists.get(word, 0) for word in GOOD_LISTS)
    return {
        **row,
        "announced": max(0, gained.get(("", "found"), 0) - gained.get(("", "known"), 0)),
        "dropped_blocks": gained.get(("dropped", "blocks"), 0),
        "dropped_words": gained.get(("dropped", "words"), 0),
        "answers": gained.get(("answers", "number"), 0),
        "answer_seconds": gained.get(("answers", "seconds"), 0),
        "answer_max": counts[("answers", "longest")] if ("answers", "longest") in gained else 0,
        "outcomes": group("outcome"),
        "lists": lists,
        "lists_read": read,
        "lists_failed": gained.get(("", "feed_errors"), 0),
        "came": row["fetched"] + row["unchanged"],
    }


def _busy(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stats.items() if key.partition("/")[0] in BUSY}
