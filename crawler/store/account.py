"""The account under which the embedded server runs, which for root has to be another one.

PostgreSQL refuses to run as root, so root's server runs as the owner of pgdata: `postgres`, else `nobody`. That user
reaches pgdata through an inherited descriptor, /proc/self/fd/N, because the parents may be closed to it (/root,
pytest's tmp_path).
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crawler.errors import EmbeddedServerError

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}  # and no PG* variable or secret of the caller's

Account = tuple[int, int]  # user and group


def account_for(directory: Path) -> Account | None:
    """As whom the server runs when we are root: who owns the directory, or else a user without rights."""
    if os.geteuid():
        return None
    owner = directory.stat()
    if owner.st_uid:
        return owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise EmbeddedServerError("PostgreSQL does not run as root and there is no user postgres or nobody: create one")


def run_options(account: Account | None) -> dict[str, Any]:
    """How `subprocess` is to run a program of the server."""
    options: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT, "stdin": subprocess.DEVNULL}
    if account:
        options |= {"user": account[0], "group": account[1], "extra_groups": []}
    return options


@contextmanager
def reachable(directory: Path, account: Account | None) -> Iterator[tuple[str, list[int]]]:
    """The directory's name for the server's user, and the descriptors that its process must inherit."""
    if account is None or not Path("/proc/self/fd").exists():
        yield str(directory), []
        return
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}", [fd]
    finally:
        os.close(fd)
