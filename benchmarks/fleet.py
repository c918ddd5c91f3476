"""Workers and schedulers as processes on one database, and what they take: CPU, memory, connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import text

from benchmarks import processes
from crawler.store.engine import Database

PROJECT = Path(__file__).resolve().parent.parent
GRACE = 90.0  # seconds that a stopped process may take
_CONNECTIONS = text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
_OPEN_JOBS = text("SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status IN ('todo', 'doing')")


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """At one moment: seconds of CPU so far of the fleet and of PostgreSQL, MB of memory, connections of the database.

    `processes`: of the fleet, extraction workers included.
    """

    at: float
    cpu: float
    server_cpu: float
    memory: float
    processes: int
    connections: int


@dataclass
class Fleet:
    """Programs of this project on one database; those that are left when the context closes are ended."""

    database: Database
    folder: Path  # of their logs
    environment: Mapping[str, str]
    settings: Mapping[str, object] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    spent: float = 0.0  # CPU of those that have ended
    seen: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.running):
            self.kill(name)

    def start(self, name: str, command: str, *arguments: str) -> None:
        """`scrapy COMMAND` under a name of ours; its log is NAME.log."""
        given = [part for key, value in self.settings.items() for part in ("-s", f"{key}={value}")]
        line = [sys.executable, "-m", "scrapy", command, *arguments, *given]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                line, cwd=PROJECT, env=os.environ | dict(self.environment), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """kill -9 of the process that was started; what it has started has to end by itself."""
        process = self.running.pop(name)
        self.spent += self.seen.pop(name, 0.0)
        process.kill()
        process.wait()

    def stop(self, name: str) -> tuple[int, float]:
        """SIGTERM; the exit status, and the seconds that it took."""
        process, began = self.running.pop(name), time.monotonic()
        self.spent += self.seen.pop(name, 0.0)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(GRACE), time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(), time.monotonic() - began

    def ended(self) -> list[str]:
        """Those that have ended although nobody asked them to."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def usage(self) -> Usage:
        """What they take now."""
        families = [process.pid for process in self.running.values()]
        for name, process in self.running.items():
            self.seen[name] = max(self.seen.get(name, 0.0), processes.cpu(process.pid) or 0.0)
        members = [pid for root in families for pid in processes.family(root)]
        with self.database.engine.connect() as connection:
            server = processes.cpu(processes.postmaster_of(connection)) or 0.0
            connections = int(connection.execute(_CONNECTIONS).scalar_one())
        return Usage(
            at=time.monotonic(),
            cpu=self.spent + sum(self.seen.values()),
            server_cpu=server,
            memory=sum(map(proportional_mb, members)),
            processes=len(members),
            connections=connections,
        )

    def value(self, query: str, **given: Any) -> Any:
        """The only value of a query."""
        with self.database.engine.connect() as connection:
            return connection.execute(text(query), given).scalar_one()

    def open_jobs(self) -> int:
        """Jobs that wait or run."""
        with self.database.engine.connect() as connection:
            return int(connection.execute(_OPEN_JOBS).scalar_one())


def proportional_mb(pid: int) -> float:
    """Memory of a process, with its share of what it has in common with others."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def until(condition: Callable[[], object], seconds: float, every: float = 0.2) -> bool:
    """Wait for the condition; whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def environment(database_url: str, seeds: Path, data_dir: Path, proxy: str) -> dict[str, str]:
    """In which the program finds our seeds, database and web, and nothing of the user's."""
    return {
        "ALLOW_PRIVATE_NETWORKS": "1",
        "CRAWLER_DATA_DIR": str(data_dir),
        "DATABASE_URL": database_url,
        "SEEDS_DIR": str(seeds),
        "http_proxy": proxy,
    }


def peak(usages: Sequence[Usage], what: str) -> float:
    """The highest of one figure."""
    return max((float(getattr(one, what)) for one in usages), default=0.0)
