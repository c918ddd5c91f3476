"""The locks of a data directory: flocks for one at a time, POSIX record locks as leases.

Decisions, 2026-11:

Leases are POSIX record locks. The kernel frees them when a process dies, however it dies, and a forked worker does not
inherit them, as it would a flock or a connection. Their price: a process that opens and closes the file of the leases
by itself loses its lease, so it is opened here only, once per process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Lease:
    """This process's shared lock on a file of leases, taken `count` times."""

    fd: int
    count: int = 0


_leases: dict[tuple[int, Path], Lease] = {}  # by pid, since a forked child inherits this dict but not the locks


def own_lease(file: Path) -> Lease | None:
    """The lease that this process holds."""
    return _leases.get((os.getpid(), file))


def take_lease(file: Path) -> bool:
    """Take the lease once more, which waits while it is exclusive. Returns whether it is this process's first."""
    lease = own_lease(file)
    first = lease is None
    if lease is None:
        fd = opened(file)
        fcntl.lockf(fd, fcntl.LOCK_SH)
        lease = _leases[os.getpid(), file] = Lease(fd)
    lease.count += 1
    return first


def drop_lease(file: Path) -> None:
    """Give back what `take_lease` took, once."""
    lease = _leases[os.getpid(), file]
    lease.count -= 1
    if not lease.count:
        os.close(_leases.pop((os.getpid(), file)).fd)


def is_alone(leases: int) -> bool:
    """Whether no other process holds a lease. Makes a lease of our own exclusive if so."""
    try:
        fcntl.lockf(leases, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        return False
    return True


def wait_for_leases(leases: int) -> None:
    """Sleep in the kernel until no other process holds a lease."""
    fcntl.lockf(leases, fcntl.LOCK_EX)
    fcntl.lockf(leases, fcntl.LOCK_UN)


@contextmanager
def flocked(path: Path) -> Iterator[int]:
    """Hold the flock; gives its descriptor."""
    fd = opened(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough: a child forked meanwhile has a copy
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether somebody holds the flock."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def opened(path: Path) -> int:
    """The descriptor of a file for this user only, created if need be."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
