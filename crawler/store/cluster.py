"""A data directory of the embedded PostgreSQL, and the server that may be running in it.

    pgdata/       the cluster, owned by the user under which the server runs
    password      of the superuser `crawler`, mode 0600
    port          the last one, taken again if it is free, so that URLs stay the same
    server.log    of the server and its watchdog, moved to server.log.old at a start beyond 10 MB
    lock          flock, held while somebody starts or stops the server
    running       flock, inherited by every process of the server: held means that one is alive, whatever its pid
    watched       flock of the watchdog: held means that it is on duty
    leases        POSIX locks, a shared one for each process that uses the server

A pid is believed only if the command line of that process names this cluster (by device and inode of pgdata), so a
stale postmaster.pid or a recycled pid harms nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crawler.errors import EmbeddedServerError
from crawler.store.account import ENVIRONMENT
from crawler.store.locks import is_held, opened
from crawler.store.programs import binary

DATABASE = "news"
USER = "crawler"
SIGNALS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))  # fast, immediate, the end; seconds


class Cluster:
    """The files of `data_dir`, which is absolute, and what they tell of the server."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.pgdata = data_dir / "pgdata"
        self.password = data_dir / "password"
        self.port = data_dir / "port"
        self.log = data_dir / "server.log"
        self.lock = data_dir / "lock"
        self.running = data_dir / "running"
        self.watched = data_dir / "watched"
        self.leases = data_dir / "leases"

    @property
    def url(self) -> str:
        """The URL of the database, whether the server runs or not."""
        return f"postgresql://{USER}:{self.password.read_text()}@127.0.0.1:{self.port.read_text()}/{DATABASE}"

    @property
    def mark(self) -> str:
        """The setting of the server by which its command line is known."""
        status = self.pgdata.stat()
        return f"crawler.cluster={status.st_dev}-{status.st_ino}"

    def postmaster(self) -> int | None:
        """The pid of the living server."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        return pid if self.mark in _command_line(pid) else None

    def is_ready(self) -> bool:
        """Whether the server takes connections."""
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and self.postmaster() is not None

    def has_died(self) -> bool:
        """Whether the server is gone without having been shut down."""
        if self.postmaster() is not None or not self.pgdata.is_dir():
            return False
        told = subprocess.run(
            [binary("pg_controldata"), self.pgdata], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True
        )
        return b"shut down\n" not in told.stdout

    def is_alive(self) -> bool:
        """Whether any process of a server is left."""
        return is_held(self.running)

    def shut_down(self) -> bool:
        """Stop the server, gently first; only under the lock. Returns whether one ran."""
        ran = self.is_alive()
        for number, seconds in SIGNALS:
            pid = self.postmaster()
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if until(lambda: not self.is_alive(), seconds):
                return ran
        raise EmbeddedServerError(f"the embedded PostgreSQL in {self.data_dir} does not stop; see {self.log}")

    def _pid_file(self) -> list[str]:
        """postmaster.pid: pid, directory, start, port, socket, address, memory, status."""
        try:
            return (self.pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []


def write(path: Path, text: str) -> None:
    """Write a file of mode 0600 that is never half there; only under the lock."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(opened(new), "w") as file:
        file.truncate()
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for the condition; whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def _command_line(pid: int) -> str:
    """The command line of a process; empty for a zombie and for none."""
    if not Path("/proc/self/cmdline").exists():  # macOS
        ps = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
        return ps.stdout
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    return ""
