"""What processes cost: CPU time of a PostgreSQL server, or of any process with its descendants, as Linux counts it."""

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


def cpu(root: int | None) -> float | None:
    """Seconds of CPU that a process and its descendants have used so far, those that were waited for included."""
    if root is None:
        return None
    stats = _family(root)
    return sum(int(ticks) for stat in stats.values() for ticks in stat[11:15]) / TICK


def family(root: int) -> list[int]:
    """A process and its descendants."""
    return list(_family(root))


def _family(root: int) -> dict[int, list[str]]:
    stats = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(int(path.name)))}
    found, more = set[int](), {root} & stats.keys()
    while more:
        found |= more
        more = {pid for pid, stat in stats.items() if int(stat[1]) in more}
    return {pid: stats[pid] for pid in found}


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on: state, parent, …; utime, stime, cutime, cstime are 11 to 14."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
