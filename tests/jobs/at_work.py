"""Workers as their users start them, on the sources of the fake newspaper."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from crawler.sources import load_sources
from crawler.store import crawls, queue
from crawler.store.engine import Database
from crawler.store.queue import Job
from tests.runs import QUICK, Bench, until
from tests.site import Newspaper

PROMPT = ["-s", "WORKER_BEAT=0.3", "-s", "WORKER_RETRIES=0.5,0.5,0.5", "-L", "INFO"]
SLOW = ["-s", "DOWNLOAD_DELAY=0.5", "-s", "DOWNLOAD_DELAY_JITTER=0"]
HERALD, KURIER, COURRIER = "example_herald", "beispiel_kurier", "courrier_exemple"


class Shift:
    """A database with the newspaper's sources and a queue, and the workers that are at it."""

    def __init__(self, paper: Newspaper, bench: Bench, database: Database) -> None:
        self.paper, self.bench, self.database = paper, bench, database
        self._numbers = count(1)  # of logs
        paper.write_seeds(bench.seeds)
        with database.engine.begin() as connection:
            crawls.save_sources(connection, load_sources(bench.seeds)[0].values())

    def put(self, *jobs: Job) -> list[int]:
        with self.database.engine.begin() as connection:
            return [one for one in queue.enqueue(connection, jobs) if one is not None]

    @contextlib.contextmanager
    def worker(self, *options: str, command: str = "worker") -> Iterator[At]:
        path = self.bench.seeds.with_name(f"{next(self._numbers)}.log")
        with path.open("w") as log:
            arguments = [command, "--processes", "1", *QUICK, "-s", "EXTRACTION_WORKERS=1", *PROMPT, *options]
            process = self.bench.start(*arguments, stderr=log, stdout=log)
            try:
                yield At(process, path)
            finally:
                process.kill()
                process.wait()

    def rows(self, query: str, **given: Any) -> list[Any]:
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), given)]

    def value(self, query: str, **given: Any) -> Any:
        ((value,),) = self.rows(query, **given)
        return value

    def job(self, job_id: int) -> tuple[str, int]:
        """Its state and how often it was tried."""
        query = "SELECT CAST(status AS text), attempts FROM procrastinate.procrastinate_jobs WHERE id = :id"
        ((status, attempts),) = self.rows(query, id=job_id)
        return status, attempts

    def until_over(self, *job_ids: int) -> None:
        until(lambda: all(self.job(one)[0] not in ("todo", "doing") for one in job_ids))

    def until_stored(self, more: int) -> None:
        """So many articles more than now."""
        before = self.value("SELECT count(*) FROM articles")
        until(lambda: self.value("SELECT count(*) FROM articles") >= before + more)

    def failures(self) -> list[str]:
        return [reason for (reason,) in self.rows("SELECT reason FROM job_failures ORDER BY id")]


class At:
    """A worker's process."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self._log = process, log

    def said(self) -> str:
        return self._log.read_text()

    def hosts(self) -> list[int]:
        """The pids of its crawl hosts."""
        return [pid for pid, parent, line in processes() if parent == self.process.pid and "crawler.jobs.host" in line]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def processes() -> list[tuple[int, int, str]]:
    """Pid, parent and command line of all that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (path / "stat").read_text().rpartition(")")[2].split()
            if stat[0] != "Z":
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(path.name), int(stat[1]), line))
    return found


def alive(pid: int) -> bool:
    return any(pid == one for one, _, _ in processes())
