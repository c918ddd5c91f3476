"""The embedded PostgreSQL: used when DATABASE_URL is not set. crawler/store/cluster.py says what its directory holds.

Decisions, 2026-11: every process that uses the server holds a lease (crawler/store/locks.py). The last one out stops
the server. Should that one be killed, the watchdog does (crawler/store/watchdog.py). If the watchdog is killed as well,
the next user starts another. Whoever stops or starts holds `lock`, and a lease is taken only under `lock`, so no server
is stopped under a newcomer.
"""

from __future__ import annotations

import atexit
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from crawler.errors import EmbeddedServerError
from crawler.store.cluster import Cluster
from crawler.store.locks import drop_lease, flocked, is_alone, own_lease, take_lease
from crawler.store.programs import binary
from crawler.store.startup import serve

__all__ = ["EmbeddedServer", "binary"]

ADVICE = {
    errno.EACCES: "let this user write there, or choose another directory",
    errno.EEXIST: "choose a directory, not a file",
    errno.ENOSPC: "free some space",
    errno.ENOENT: "put it back, or set DATABASE_URL to another PostgreSQL",
    errno.ENOTDIR: "choose a directory, not a file",
    errno.EPERM: "root needs the capabilities CHOWN, SETUID, SETGID and KILL for it; or run as another user",
    errno.EROFS: "choose a directory that can be written",
}


class EmbeddedServer:
    """A PostgreSQL in `data_dir` that runs while any process uses it; `with` acquires and releases.

    Every method but `status` may raise EmbeddedServerError.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self._cluster = Cluster(self.data_dir)

    def __enter__(self) -> str:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> str:
        """Start the server if need be and hold a lease on it until `release` or the end of this process.

        Returns the URL of the database, which is created if it is missing. Acquiring twice takes two releases.
        """
        with self._explained():
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with flocked(self._cluster.lock) as lock:
                if take_lease(self._cluster.leases):
                    atexit.register(self._release_at_exit, os.getpid())
                try:
                    return serve(self._cluster, lock)
                except BaseException:
                    drop_lease(self._cluster.leases)
                    raise

    def revive(self) -> str | None:
        """Start the server again, and return its URL, if it has died while this process holds a lease.

        One that was stopped stays so: somebody wants it down.
        """
        if not self._cluster.has_died():
            return None
        with self._explained(), flocked(self._cluster.lock) as lock:
            if own_lease(self._cluster.leases) and self._cluster.has_died():  # nobody else was faster
                serve(self._cluster, lock)
            return self._cluster.url

    def was_stopped(self) -> bool:
        """Whether it is down because somebody wants it so."""
        return self._cluster.postmaster() is None and not self._cluster.has_died()

    def release(self) -> None:
        """Give the lease back; the last one out stops the server. Without a lease, nothing happens."""
        lease = own_lease(self._cluster.leases)
        if lease is None:
            return
        if not self.data_dir.is_dir():  # it was deleted; the server notices by itself
            drop_lease(self._cluster.leases)
            return
        with self._explained(), flocked(self._cluster.lock):
            try:
                if lease.count == 1 and is_alone(lease.fd):
                    self._cluster.shut_down()
            finally:
                drop_lease(self._cluster.leases)

    def stop(self) -> bool:
        """Stop the server although others may use it. Returns whether one ran."""
        if not self._cluster.is_alive():
            return False
        with self._explained(), flocked(self._cluster.lock):
            return self._cluster.shut_down()

    def status(self) -> str | None:
        """The URL of the running server, or None."""
        with suppress(OSError):
            return self._cluster.url if self._cluster.is_ready() else None
        return None

    @property
    def url(self) -> str:
        """The URL of the running server; it is an error if none runs."""
        url = self.status()
        if url is None:
            raise EmbeddedServerError(f"no embedded PostgreSQL runs in {self.data_dir}; acquire() starts it")
        return url

    def _release_at_exit(self, pid: int) -> None:
        while pid == os.getpid() and own_lease(self._cluster.leases):
            self.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = ADVICE.get(error.errno or 0, "or set DATABASE_URL to another PostgreSQL")
            where = error.filename or self.data_dir
            raise EmbeddedServerError(f"the embedded PostgreSQL: {error.strerror}: {where}; {advice}") from error
