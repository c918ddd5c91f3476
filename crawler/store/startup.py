"""Starting the embedded PostgreSQL: its cluster, its settings, its port and its database. Only under the lock.

LC_CTYPE is C.UTF-8 although the builtin provider sorts and lowers: the text search parser still asks libc what a letter
is, and under C takes every character outside ASCII for one, curly quotes too.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg

from crawler.errors import EmbeddedServerError
from crawler.store.account import account_for, reachable, run_options
from crawler.store.cluster import DATABASE, USER, Cluster, until, write
from crawler.store.locks import is_held
from crawler.store.programs import program
from crawler.store.watchdog import leave_behind

BYTES_NEEDED = 100_000_000  # of free disk; a new cluster takes 60 MB
LOG_BYTES = 10_000_000
SECONDS_TO_START = 300.0  # recovery after a crash may have much to read
SECONDS_TO_CLEAR = 30.0  # for the last processes of a killed server to leave

INITDB = [
    *("--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
    *("--lc-ctype", "UTF-8" if sys.platform == "darwin" else "C.UTF-8"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
]

SETTINGS = {
    "fsync": "on",
    "listen_addresses": "127.0.0.1",
    "log_checkpoints": "off",
    "log_min_error_statement": "fatal",  # a statement carries a whole article
    "log_timezone": "UTC",
    "logging_collector": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "unix_socket_directories": "",
}


def serve(cluster: Cluster, lock: int) -> str:
    """Have a server, a watchdog and the database; returns its URL. Raises EmbeddedServerError and OSError.

    `lock` is the descriptor of the cluster's lock.
    """
    if not cluster.pgdata.is_dir():
        _create(cluster)
    for _ in range(3):
        complaint = _start(cluster, lock)
        if complaint is None:
            _ensure_database(cluster.url)
            return cluster.url
        if "create any TCP/IP sockets" not in complaint:  # else somebody was faster: take another port
            break
    raise _failure(cluster, "did not start", complaint or "")


def _create(cluster: Cluster) -> None:
    """Run initdb beside pgdata and rename, so that pgdata is whole or absent."""
    for leftover in cluster.data_dir.glob("new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    write(cluster.password, secrets.token_urlsafe(24))
    new = Path(tempfile.mkdtemp(prefix="new-", dir=cluster.data_dir))
    done = _initdb(new, cluster.password.read_bytes())
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise _failure(cluster, "could not be created", _complaint(done.stderr))
    new.rename(cluster.pgdata)


def _initdb(directory: Path, secret: bytes) -> subprocess.CompletedProcess[str]:
    account = account_for(directory)
    with tempfile.TemporaryFile() as password, reachable(directory, account) as (path, fds):
        password.write(secret)
        password.seek(0)
        if account:
            os.chown(directory, *account)
            os.fchown(password.fileno(), *account)
        command = [program("initdb", account), *INITDB, "-D", path, "--pwfile", f"/dev/fd/{password.fileno()}"]
        fds = [*fds, password.fileno()]
        return subprocess.run(command, **run_options(account), pass_fds=fds, capture_output=True, text=True)


def _start(cluster: Cluster, lock: int) -> str | None:
    """Have a server and a watchdog. Returns what the server said if it did not come up."""
    starts = cluster.postmaster() is None
    if starts:
        _clear_the_way(cluster)
    written = cluster.log.stat().st_size if cluster.log.exists() else 0
    if starts or not is_held(cluster.watched):
        leave_behind(cluster, lock, _command(cluster) if starts else [])
    until(lambda: cluster.is_ready() or not cluster.is_alive(), SECONDS_TO_START)
    if cluster.is_ready():
        return None
    with cluster.log.open(errors="replace") as log:
        log.seek(written)
        return _complaint(log.read())


def _clear_the_way(cluster: Cluster) -> None:
    if not until(lambda: not cluster.is_alive(), SECONDS_TO_CLEAR):
        raise EmbeddedServerError(
            f"processes of an earlier server still hold {cluster.running}; end them, "
            "or use another directory if they belong to another container"
        )
    (cluster.pgdata / "postmaster.pid").unlink(missing_ok=True)  # stale: nothing holds `running`
    if cluster.log.exists() and cluster.log.stat().st_size > LOG_BYTES:
        cluster.log.replace(cluster.log.with_suffix(".log.old"))


def _command(cluster: Cluster) -> list[str]:
    """The server's command line, without its data directory."""
    port = _free_port(int(cluster.port.read_text()) if cluster.port.exists() else 0)
    write(cluster.port, str(port))
    settings = [f"{name}={value}" for name, value in (SETTINGS | {"port": str(port)}).items()]
    options = [part for setting in (*settings, cluster.mark) for part in ("-c", setting)]
    return [program("postgres", account_for(cluster.pgdata)), *options]


def _free_port(wanted: int) -> int:
    """The wanted port if it is free, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError("no port is free on 127.0.0.1")


def _ensure_database(url: str) -> None:
    try:
        with psycopg.connect(url.removesuffix(DATABASE) + "postgres", autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.Error as error:
        raise EmbeddedServerError(f"the embedded PostgreSQL refuses: {_complaint(str(error))}") from error


def _complaint(log: str) -> str:
    """The first line of a log that says why, with its detail; else the last one."""
    found = re.search(r"(?:FATAL|PANIC|error): +(.*)(?:\n.*DETAIL: +(.*))?", log)
    if found:
        return f"{found[1]} ({found[2]})" if found[2] else found[1]
    return (log.strip().splitlines() or ["it said nothing"])[-1]


def _failure(cluster: Cluster, what: str, complaint: str) -> EmbeddedServerError:
    free = shutil.disk_usage(cluster.data_dir).free
    if free < BYTES_NEEDED:  # the complaints about a full disk are many and vague
        advice = f"the disk has only {free // 1_000_000} MB left: free some space"
    elif "effective user ID" in complaint:
        advice = "give this user a line in /etc/passwd"
    else:
        advice = f"see {cluster.log}"
    return EmbeddedServerError(f"the embedded PostgreSQL in {cluster.data_dir} {what}: {complaint}; {advice}")
