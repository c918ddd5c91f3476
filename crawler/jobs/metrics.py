"""The HTTP endpoint that Prometheus scrapes: METRICS_PORT of workers and schedulers.

What a worker has counted is in its memory. What the database knows is read for a scrape and kept for some seconds, by
one thread at a time: however many monitors ask, the database is asked once, and when it is away they are told so
(`news_database_up 0`) instead of waiting for it.

`/health` is for health checks of containers: 200, or 503 with a line that says what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from scrapy.settings import BaseSettings
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import ConfigurationError, CrawlerError
from crawler.jobs.board import Board
from crawler.store import figures
from crawler.store.engine import Database
from crawler.store.figures import Figures

logger = logging.getLogger(__name__)
KEPT = 15.0  # seconds that a reading serves: Prometheus' own interval
PATIENCE = 3.0  # seconds that a scrape waits for one; Prometheus gives up after 10
HEALTH = "/health"
MISSING = "METRICS_PORT needs prometheus-client: pip install 'news-crawler[metrics]'"
T = TypeVar("T")
Start = Callable[[str, list[tuple[str, str]]], Any]


class Readings:
    """The newest figures: at most `kept` seconds old, and None while there are none to be had."""

    def __init__(self, read: Callable[[], Figures], kept: float = KEPT, patience: float = PATIENCE) -> None:
        self._read, self._kept, self._patience = read, kept, patience
        self._alone = threading.Lock()
        self._reading: Future[Figures | None] = Future()
        self._reading.set_result(None)
        self._started = -kept

    def newest(self) -> Figures | None:
        """May be called from any thread. Waits for no longer than the patience."""
        with self._alone:
            if self._reading.done() and time.monotonic() - self._started >= self._kept:
                self._reading, self._started = Future(), time.monotonic()
                threading.Thread(target=self._fill, args=[self._reading], name="metrics", daemon=True).start()
            reading, left = self._reading, self._started + self._patience - time.monotonic()
        wait([reading], timeout=max(0.0, left))
        return reading.result() if reading.done() else None

    def _fill(self, reading: Future[Figures | None]) -> None:
        try:
            reading.set_result(self._read())
        except (SQLAlchemyError, CrawlerError) as error:
            logger.debug("no figures: %s", str(error).splitlines()[0])
            reading.set_result(None)
        except BaseException as error:
            reading.set_exception(error)


def serve_as_set(
    settings: BaseSettings,
    board: Board | None,
    database: Database | None,
    loop: asyncio.AbstractEventLoop,
    wrong: Callable[[], str] = lambda: "",
) -> Callable[[], None]:
    """What METRICS_PORT and its like ask for, of a process that lives in this loop. Raises ConfigurationError."""
    numbers = []
    for name in ("METRICS_PORT", "METRICS_SOURCES"):
        try:
            numbers.append(settings.getint(name))
        except ValueError:
            raise ConfigurationError(f"{name}={settings[name]}: it has to be a whole number") from None
    return serve(numbers[0], settings["METRICS_HOST"], board, database, sources=numbers[1], loop=loop, wrong=wrong)


def serve(
    port: int,
    host: str,
    board: Board | None,
    database: Database | None,
    *,
    sources: int = 0,
    loop: asyncio.AbstractEventLoop | None = None,
    wrong: Callable[[], str] = lambda: "",
) -> Callable[[], None]:
    """Answer scrapes until what is returned is called. With port 0 nothing is served.

    `sources`: how many sources at most are counted one by one. `loop`: where the board is written, and read. `wrong`:
    what a health check is to be told, asked in the loop. Raises ConfigurationError.
    """
    if not port:
        return lambda: None
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, exposition
    except ImportError:
        raise ConfigurationError(MISSING) from None
    from crawler.jobs.series import DatabaseSeries, WorkerSeries, counted

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    readings = Readings(lambda: _figures(database), KEPT, PATIENCE) if database is not None else None
    if board is not None:
        registry.register(WorkerSeries(lambda: _in_loop(loop, lambda: counted(board)), sources))
    if readings is not None:
        registry.register(DatabaseSeries(readings.newest))
    try:
        server, thread = exposition.start_wsgi_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"METRICS_PORT={port}: {error}; is it another worker's?") from None
    server.set_app(_with_health(exposition.make_wsgi_app(registry), readings, loop, wrong))

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close


def _in_loop(loop: asyncio.AbstractEventLoop | None, work: Callable[[], T]) -> T | None:
    """What work gives in the thread of the loop; None if that stands still."""
    if loop is None:
        return work()
    done: Future[T] = Future()
    try:
        loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done.result(PATIENCE)
    except (RuntimeError, TimeoutError):  # RuntimeError: it is closed
        return None


def _figures(database: Database) -> Figures:
    with database.engine.begin() as connection:
        return figures.read(connection)


def _with_health(
    app: Callable[[dict[str, Any], Start], Iterable[bytes]],
    readings: Readings | None,
    loop: asyncio.AbstractEventLoop | None,
    wrong: Callable[[], str],
) -> Any:
    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != HEALTH:
            return app(environ, start)
        told = _in_loop(loop, wrong)
        if told is None:
            told = "its loop stands still"
        elif not told and readings is not None and readings.newest() is None:
            told = "the database is away"
        start("503 Service Unavailable" if told else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{told or 'ok'}\n".encode()]

    return answer
