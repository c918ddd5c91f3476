"""What processes cost: CPU time of a PostgreSQL server, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, text

TICK = os.sysconf("SC_CLK_TCK")
_PID = text("SELECT pg_backend_pid()")


def postmaster_of(connection: Connection) -> int | None:
    """The process whose children serve this connection; None on another machine or system."""
    pid = int(connection.execute(_PID).scalar_one())
    stat = _stat(pid)
    parent = int(stat[1]) if stat else None
    name = Path(f"/proc/{parent}/comm")
    return parent if parent and name.exists() and name.read_text().startswith("postgres") else None


def cpu(postmaster: int | None) -> float | None:
    """Seconds of CPU that a server and its processes have used so far, those that have ended included."""
    if postmaster is None:
        return None
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat and (int(entry.name) == postmaster or int(stat[1]) == postmaster):
            total += sum(map(int, stat[11:15] if int(entry.name) == postmaster else stat[11:13]))
    return total / TICK


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on: state, parent, …; utime, stime, cutime, cstime are 11 to 14."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
