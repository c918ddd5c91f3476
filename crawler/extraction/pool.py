"""Extraction in worker processes: a page that hangs or kills its worker costs that page and nothing else.

pebble, not ProcessPoolExecutor: on a worker's segfault the latter fails every submitted job, and it cannot end a loop
that is stuck in C code.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import resource
import signal
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from pebble import ProcessExpired, ProcessPool

from crawler import json_log
from crawler.errors import ExtractionError
from crawler.extraction import extract
from crawler.items import Extraction
from crawler.likeness import bands_of
from crawler.recurrence import Template
from crawler.sources import Source

MEBIBYTE = 1 << 20
PR_SET_PDEATHSIG = 1
START_LIMIT = 60.0  # seconds until the first worker has to be up
TASKS_PER_WORKER = 2_000  # then a fresh one: trafilatura's and lxml's caches grow


class ExtractionPool:
    """`workers` processes; `timeout` (seconds) and `memory_mb` (address space) limit each page. `json`: so they log."""

    def __init__(
        self, workers: int, timeout: float, memory_mb: int, start_limit: float = START_LIMIT, json: bool = False
    ) -> None:
        self.workers, self.timeout, self.start_limit = max(1, workers), timeout, start_limit
        self._proven = False  # a worker has answered
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["crawler.extraction", "numpy.random"])
        self._pool = ProcessPool(
            max_workers=self.workers,
            max_tasks=TASKS_PER_WORKER,
            initializer=_limit,
            initargs=[memory_mb, json],
            context=context,
        )

    async def extract(
        self, html: bytes, url: str, source: Source | None, template: Template | None = None
    ) -> Extraction:
        """Raises ExtractionError with the reason extraction_timeout, _memory, _crashed, _no_worker or _failed."""
        future: Future[Extraction] = self._pool.schedule(
            _extract, args=[html, url, source, template], timeout=self.timeout
        )
        # pebble counts a page's time from when a worker takes it, and restarts dying workers for ever.
        limit = None if self._proven else self.start_limit + self.timeout
        try:
            found = await asyncio.wait_for(asyncio.wrap_future(future), limit)
            self._proven = True
            return found
        except (TimeoutError, FutureTimeout):
            if future.cancelled() and not self._proven:
                message = (
                    f"no worker process has answered for {limit:g} s; see the lines above, and EXTRACTION_MEMORY_MB"
                )
                raise ExtractionError(message, reason="extraction_no_worker") from None
            raise ExtractionError(f"no result after {self.timeout:g} s", reason="extraction_timeout") from None
        except ProcessExpired as error:
            raise ExtractionError(f"the worker died: {error}", reason="extraction_crashed") from None
        except MemoryError:
            raise ExtractionError("the worker ran out of memory", reason="extraction_memory") from None
        except Exception as error:  # whatever a library raises on one page must not end the crawl
            raise ExtractionError(f"{type(error).__name__}: {error}"[:500]) from error

    def close(self) -> None:
        """End the workers, also those that are busy."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _extract(html: bytes, url: str, source: Source | None, template: Template | None) -> Extraction:
    """With the bands of its body, which are this process's work and not the crawl's."""
    extraction = extract(html, url, source=source, template=template)
    return replace(extraction, bands=bands_of(extraction.body))


def _limit(memory_mb: int, json: bool) -> None:
    """In each worker: no more memory than this, no part in Ctrl-C, and no life after the crawl's."""
    if json:
        json_log.install("WARNING")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * MEBIBYTE, memory_mb * MEBIBYTE))
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere pebble's pipe tells
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
