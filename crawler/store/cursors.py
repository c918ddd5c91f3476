"""What changed since the last time, without a gap: a cursor is the snapshot in which an export read.

PostgreSQL's snapshot says of every transaction whether its writes were seen. The next export reads the rows whose last
writer its own snapshot sees and the cursor's did not: a transaction that began before an export and commits after it
is in the next one, however long it takes, and no row comes twice. No clock and no waiting is involved. A number from a
sequence, or `updated_at`, would skip such rows, since both are given out before the commit.

Transaction ids mean something in one cluster only, so a cursor also names that, its timeline and the table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, text

from crawler.errors import ConfigurationError
from crawler.store import models

VERSION = 1
_STANDBY = text("SELECT pg_is_in_recovery()")
_NOW = text("""
SELECT CAST(pg_current_snapshot() AS text) AS snapshot,
    concat_ws('-', (SELECT system_identifier FROM pg_control_system()),
              left(pg_walfile_name(pg_current_wal_lsn()), 8), CAST('articles' AS regclass)::oid) AS place
""")
# The second condition says it all; the first finds the rows by the index. The third leaves out what was written in
# another cluster and came here by a restore: the first export with a new cursor had it.
_SINCE = """
articles.changed_xid >= CAST(CAST(pg_snapshot_xmin(CAST(:snapshot AS pg_snapshot)) AS text) AS bigint)
AND NOT pg_visible_in_snapshot(CAST(CAST(articles.changed_xid AS text) AS xid8), CAST(:snapshot AS pg_snapshot))
AND articles.changed_xid < CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)
"""
# Articles that were forgotten since, whoever exported them.
_GONE = text(f"""
SELECT article_id AS id, source, forgotten_at FROM tombstones
WHERE article_id IS NOT NULL AND (CAST(:sources AS text[]) IS NULL OR source = ANY(:sources))
    AND {_SINCE.replace("articles.", "tombstones.")} ORDER BY article_id
""")  # noqa: S608 (names of our own)
# After a restore: what bears the id of a transaction that this cluster has yet to see bears this one's.
_ADOPT, _ADOPT_TOMBSTONES = (
    text(f"UPDATE {table} SET changed_xid = DEFAULT WHERE changed_xid > {models.THIS_TRANSACTION}")  # noqa: S608
    for table in ("articles", "tombstones")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far an export has come. `place`: the cluster and the table; `asked`: what it selects, which must not change.

    `snapshot` is PostgreSQL's `xmin:xmax:running`.
    """

    place: str
    snapshot: str
    asked: Mapping[str, Any]


def current(connection: Connection, asked: Mapping[str, Any]) -> Cursor:
    """The cursor of what this transaction sees, which must be REPEATABLE READ. Raises ConfigurationError on a standby.

    A standby's snapshot does not tell which transactions were running.
    """
    if connection.execute(_STANDBY).scalar_one():
        raise ConfigurationError("this server is a standby, which cannot give a cursor: export from the primary")
    now = connection.execute(_NOW).one()
    return Cursor(place=now.place, snapshot=now.snapshot, asked=asked)


def since(cursor: Cursor) -> ColumnElement[bool]:
    """The articles that are new or changed since."""
    return text(_SINCE).bindparams(snapshot=cursor.snapshot)  # type: ignore[return-value]


def forgotten(connection: Connection, cursor: Cursor) -> list[RowMapping]:
    """The articles of the cursor's selection that were forgotten since: their id, source and when."""
    given = {"snapshot": cursor.snapshot, "sources": cursor.asked.get("source")}
    return list(connection.execute(_GONE, given).mappings())


def adopt(connection: Connection) -> int:
    """Give articles that were restored out of another cluster ids of this one; returns how many."""
    connection.execute(_ADOPT_TOMBSTONES)
    return connection.execute(_ADOPT).rowcount


def read(path: Path, now: Cursor) -> Cursor | None:
    """The cursor of a file; None when there is none yet. Raises ConfigurationError when it does not fit `now`."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        cursor = Cursor(place=stored["place"], snapshot=stored["snapshot"], asked=stored["asked"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(f"{path} is no cursor of `scrapy export`: {error}") from None
    if cursor.asked != now.asked:
        raise ConfigurationError(f"{path} is the cursor of another selection: {_said(cursor.asked)}")
    if cursor.place != now.place:
        raise ConfigurationError(
            f"{path} is the cursor of another database, or it was restored since; delete it to export everything anew"
        )
    return cursor


def _said(asked: Mapping[str, Any]) -> str:
    words = [f"--{name} {','.join(value) if isinstance(value, list) else value}" for name, value in asked.items()]
    return " ".join(words) or "all articles"


def write(path: Path, cursor: Cursor) -> None:
    """All of it or nothing."""
    values = {"version": VERSION, "place": cursor.place, "snapshot": cursor.snapshot, "asked": dict(cursor.asked)}
    new = path.with_name(f"{path.name}.part")
    with new.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
