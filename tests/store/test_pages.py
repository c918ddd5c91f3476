"""The raw archive: compressed, partitioned by month."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crawler.store import pages, partitions
from crawler.store.engine import Database
from crawler.store.pages import Archived
from tests.store.rows import a_page, column

PARTITIONS = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname"


def archived(at: datetime, html: bytes = b"<p>") -> Archived:
    return Archived(page=a_page(at=at, html=html), outcome="article")


def test_the_latest_bytes_come_back(database: Database) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with database.engine.begin() as connection:
        assert pages.latest(connection, 1) is None
        pages.store(connection, [archived(at + timedelta(days=1), b"\x00new\xff"), archived(at, b"old")], None)
        assert pages.latest(connection, 1) == b"\x00new\xff"


def test_months(database: Database) -> None:
    """UTC's months; after December comes January."""
    berlin = timezone(timedelta(hours=1))
    given_ = [
        datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 2, 1, 0, 30, tzinfo=berlin),  # still January
    ]
    with database.engine.begin() as connection:
        pages.store(connection, [archived(at) for at in given_], 1)
    assert column(database, PARTITIONS) == ["pages_2026_12", "pages_2027_01"]
    assert column(database, "SELECT count(*) FROM pages GROUP BY tableoid ORDER BY 1") == [1, 2]
    assert column(database, "SELECT fetched_at FROM pages ORDER BY 1") == given_


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_has_an_end(database: Database, month: int) -> None:
    with database.engine.begin() as connection:
        assert partitions.ensure(connection, datetime(2026, month, 1, tzinfo=UTC))


def test_two_writers_need_a_new_month_at_once(database: Database) -> None:
    start = threading.Barrier(4)
    failures: list[Exception] = []

    def run() -> None:
        start.wait()
        try:
            with database.engine.begin() as connection:
                pages.store(connection, [archived(datetime(2031, 5, 5, tzinfo=UTC))], None)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert column(database, PARTITIONS) == ["pages_2031_05"]
    assert column(database, "SELECT count(*) FROM pages") == [4]
