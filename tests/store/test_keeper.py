"""The keeper: the server outlives `scrapy db url` for as long as somebody uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crawler.store import keeper
from crawler.store.embedded import EmbeddedServer
from crawler.store.keeper import NAME


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "data")
    yield server
    server.release()
    server.stop()


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_it_stays_for_a_client_and_then_leaves(server: EmbeddedServer) -> None:
    with psycopg.connect(server.acquire(), autocommit=True) as client:
        keeper.start(server.data_dir, 1.0)
        keeper.start(server.data_dir, 1.0)
        server.release()
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        assert eventually(lambda: client.execute(query, [NAME]).fetchone() == (2,))
        time.sleep(1.5)  # longer than they would wait
        assert client.execute(query, [NAME]).fetchone() == (2,)
    assert eventually(lambda: server.status() is None)  # two keepers do not keep each other


def test_stop_ends_it(server: EmbeddedServer) -> None:
    server.acquire()
    keeper.start(server.data_dir)
    server.release()
    assert server.status() is not None
    assert server.stop()
    assert server.status() is None
    assert eventually(lambda: not keepers_of(server.data_dir))
    assert server.status() is None


def keepers_of(data_dir: Path) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_text(errors="replace").split("\0")
        except OSError:  # gone meanwhile
            continue
        if "crawler.store.keeper" in words and str(data_dir) in words:
            found.append(file.parent.name)
    return found
