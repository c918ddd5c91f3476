"""Runs of the program as its users start it: `scrapy ...` in a process of its own, against the fake newspaper."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests import zygote
from tests.conftest import administer, named

PROJECT = zygote.PROJECT
SCRAPY = [sys.executable, "-m", "scrapy"]
QUICK = ["-s", "DOWNLOAD_DELAY=0", "-s", "AUTOTHROTTLE_ENABLED=0", "-s", "EXTRACTION_WORKERS=2"]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the program runs: its seeds, and its database: an embedded one in `data_dir` without `database_url`."""

    seeds: Path
    data_dir: Path
    database_url: str = ""
    more: dict[str, str] = field(default_factory=dict)  # of the environment

    @property
    def environment(self) -> dict[str, str]:
        ours = {"SEEDS_DIR": str(self.seeds), "CRAWLER_DATA_DIR": str(self.data_dir), "ALLOW_PRIVATE_NETWORKS": "1"}
        return zygote.passed_on() | ours | {"DATABASE_URL": self.database_url, "COLUMNS": "200"} | self.more

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """`scrapy ARGUMENTS`, not waited for."""
        piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen([*SCRAPY, *arguments], cwd=PROJECT, env=self.environment, text=True, **piped)

    def scrapy(self, *arguments: str, given: bytes | None = None) -> Outcome:
        """`scrapy ARGUMENTS` to its end, `given` on its standard input; forked (zygote.py), unless `more` is given."""
        if self.more:  # it may be for Python itself
            done = subprocess.run(
                [*SCRAPY, *arguments], cwd=PROJECT, env=self.environment, input=given, capture_output=True, timeout=100
            )
            return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
        status, out, err = zygote.run(arguments, self.environment, given, timeout=100)
        return Outcome(status, out.decode(), err.decode())

    def crawl(self, name: str, *arguments: str) -> Outcome:
        return self.scrapy("crawl", name, *QUICK, *arguments)

    def each(self, *calls: Sequence[str]) -> list[Outcome]:
        """`scrapy` with each of the argument lists, at the same time."""
        with ThreadPoolExecutor(3) as threads:
            return list(threads.map(lambda arguments: self.scrapy(*arguments), calls))

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query gives on the bench's own DATABASE_URL."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def value(self, query: str, *values: object) -> Any:
        """The single value of a query."""
        ((value,),) = (row.values() for row in self.rows(query, *values))
        return value


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Of standard error, without empty ones."""
        return [line for line in self.err.splitlines() if line.strip()]


@contextlib.contextmanager
def cloned(server_url: str, template: str) -> Iterator[str]:
    """The URL of an empty database with today's tables, for the runs of a whole module."""
    name = f"runs_{uuid.uuid4().hex}"
    administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield named(server_url, name)
    finally:
        administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Wait for what another process is about to do. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.02)


def command_lines_with(text: str) -> list[str]:
    """The command lines of the processes that name `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in line:
                found.append(line)
    return found
