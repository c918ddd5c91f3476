"""What stays behind when a user of the embedded PostgreSQL is gone: the server, and a watchdog that stops it.

The watchdog is a detached process that sleeps in the kernel until nobody holds a lease. It is run by a bare
interpreter, without site-packages, so that it stays small: this module and what it imports need only the standard
library.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from crawler.store.account import ENVIRONMENT, account_for, reachable, run_options
from crawler.store.cluster import Cluster
from crawler.store.locks import flocked, is_alone, opened, wait_for_leases

LAUNCHER = "import sys; sys.path.insert(0, sys.argv[1]); from crawler.store.watchdog import launch; launch(sys.argv[2])"


def leave_behind(cluster: Cluster, lock: int, command: list[str]) -> None:
    """Start the watchdog unless there is one, and `command` if there is any, detached from this process.

    They come from a process of their own: this one may have threads that fork, and their children would inherit the
    flocks. It inherits `lock`, so that nobody comes between if this process is killed now.
    """
    plan = json.dumps({"data_dir": str(cluster.data_dir), "lock": lock, "command": command})
    package = Path(__file__).resolve().parents[2]
    with cluster.log.open("a") as log:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, str(package), plan],
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C is for the user of the server
            stderr=log,
            stdin=subprocess.DEVNULL,
            stdout=log,
        )


def launch(plan: str) -> None:
    """The short process between a user and the server: leaves the watchdog and the server behind."""
    wanted = json.loads(plan)
    cluster = Cluster(Path(wanted["data_dir"]))
    _leave_watchdog(cluster, wanted["lock"])
    if wanted["command"]:
        _leave_server(cluster, wanted["command"])


def _leave_watchdog(cluster: Cluster, lock: int) -> None:
    watched = opened(cluster.watched)
    try:
        fcntl.flock(watched, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # one is on duty
        return
    if os.fork():
        os.close(watched)
        return
    os.close(lock)  # this process's copy would keep it held
    _watch(cluster)


def _watch(cluster: Cluster) -> None:
    """Sleep until no process holds a lease, then stop the server and end."""
    leases = opened(cluster.leases)
    while True:
        wait_for_leases(leases)
        with flocked(cluster.lock):
            if is_alone(leases):
                cluster.shut_down()
                os._exit(0)  # frees `watched` and `lock` at once


def _leave_server(cluster: Cluster, command: list[str]) -> None:
    running = opened(cluster.running)
    fcntl.flock(running, fcntl.LOCK_EX)  # waits for nobody but a passing look at it
    account = account_for(cluster.pgdata)
    with reachable(cluster.pgdata, account) as (path, fds):
        subprocess.Popen(
            [*command, "-D", path], **run_options(account), pass_fds=[*fds, running], start_new_session=True
        )
