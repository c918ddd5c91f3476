"""The embedded PostgreSQL, with real servers and real kills."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from crawler.errors import EmbeddedServerError
from crawler.store.embedded import EmbeddedServer, binary
from crawler.store.engine import Database

ROOT = Path(__file__).parents[2]
USER = """
import sys
from pathlib import Path
from crawler.store.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


class User:
    """Another process that uses the server until it is told to leave, or killed."""

    def __init__(self, data_dir: Path) -> None:
        command = [sys.executable, "-c", USER, str(data_dir)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def url(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        assert self.process.communicate()[1] == ""
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster has been created; the tests share it, each starts with the server down."""
    data_dir = tmp_path_factory.mktemp("embedded") / "data"
    with EmbeddedServer(data_dir):
        pass
    return data_dir


@pytest.fixture
def server(cluster: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(cluster)
    assert server.status() is None
    yield server
    server.release()
    server.stop()


def ask(url: str, query: str = "SELECT 1") -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def execute(url: str, statement: str, database: str = "news") -> None:
    with psycopg.connect(url, dbname=database, autocommit=True) as connection:
        connection.execute(statement.encode())


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def watchdogs(data_dir: Path) -> list[int]:
    """The pids of the watchdogs of this directory."""
    found = []
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # gone meanwhile
            if f'"data_dir": "{data_dir}"' in command_line.read_text(errors="replace"):
                found.append(int(command_line.parent.name))
    return found


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "pgdata" / "postmaster.pid").read_text().split()[0])


def test_five_at_once_on_a_fresh_directory_share_one_server(tmp_path: Path) -> None:
    users = [User(tmp_path / "deep" / "data") for _ in range(5)]
    urls = {user.url() for user in users}
    assert len(urls) == 1
    url = urls.pop()
    assert url.startswith("postgresql://crawler:") and url.endswith("/news")
    assert ask(url) == 1
    for user in users:
        user.leave()
    assert EmbeddedServer(tmp_path / "deep" / "data").status() is None


def test_acquire_and_release(server: EmbeddedServer) -> None:
    with pytest.raises(EmbeddedServerError, match="no embedded PostgreSQL runs"):
        _ = server.url
    url = server.acquire()
    assert server.status() == server.url == url
    server.release()
    assert server.status() is None
    server.release()  # without a lease, nothing happens
    assert server.acquire() == url  # same port, same password
    assert server.acquire() == url
    server.release()
    assert server.status() == url  # acquired twice, released once


def test_two_servers_of_one_process_do_not_lose_each_others_lease(server: EmbeddedServer) -> None:
    url = server.acquire()
    with EmbeddedServer(server.data_dir):
        pass
    assert ask(url) == 1


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SHOW server_encoding", "UTF8"),
        ("SHOW fsync", "on"),
        ("SHOW timezone", "UTC"),
        ("SHOW unix_socket_directories", ""),
        ("SHOW listen_addresses", "127.0.0.1"),
        ("SHOW password_encryption", "scram-sha-256"),
        ("SELECT lower('ÉÄΣ')", "éäσ"),
        ("SELECT to_tsvector('english', '“Running”')::text", "'run':1"),
    ],
)
def test_settings(shared_url: str, query: str, answer: str) -> None:
    assert ask(shared_url, query) == answer


@pytest.fixture(scope="module")
def shared_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServer(tmp_path_factory.mktemp("settings")) as url:
        yield url


def test_only_the_password_opens_the_door(shared_url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(shared_url, password="wrong")


def test_what_is_private_stays_private(cluster: Path) -> None:
    assert stat.S_IMODE((cluster / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.stat().st_mode) == 0o700
    assert (cluster / "pgdata").stat().st_uid != 0


def test_data_and_a_dropped_database_come_back(server: EmbeddedServer) -> None:
    with server as url:
        execute(url, "CREATE TABLE kept AS SELECT 7 AS n")
    with server as url:
        assert ask(url, "SELECT n FROM kept") == 7
        execute(url, "DROP DATABASE news", database="postgres")
    with server as url:
        assert ask(url) == 1


def test_kill_of_one_user_leaves_the_other_working(server: EmbeddedServer) -> None:
    other = User(server.data_dir)
    assert server.acquire() == other.url()
    other.kill()
    assert ask(server.url) == 1


def test_kill_of_the_last_user_stops_the_server(server: EmbeddedServer) -> None:
    users = [User(server.data_dir) for _ in range(2)]
    assert len({user.url() for user in users}) == 1
    for user in users:
        user.kill()
    assert eventually(lambda: server.status() is None)
    assert eventually(lambda: not watchdogs(server.data_dir))


def test_kill_of_the_watchdog_is_healed_by_the_next_user(server: EmbeddedServer) -> None:
    first = User(server.data_dir)
    first.url()
    [watchdog] = watchdogs(server.data_dir)
    os.kill(watchdog, signal.SIGKILL)
    second = User(server.data_dir)
    assert ask(second.url()) == 1
    assert eventually(lambda: len(watchdogs(server.data_dir)) == 1)
    first.kill()
    second.kill()
    assert eventually(lambda: server.status() is None)


def test_kill_of_the_server_is_healed_by_the_next_user(server: EmbeddedServer) -> None:
    execute(server.acquire(), "CREATE TABLE survivors AS SELECT 1")
    os.kill(postmaster(server.data_dir), signal.SIGKILL)
    assert eventually(lambda: server.status() is None)
    other = User(server.data_dir)
    assert ask(other.url(), "SELECT count(*) FROM survivors") == 1
    other.leave()
    assert ask(server.url) == 1  # this process's lease still counts


def test_a_recycled_pid_is_not_believed(server: EmbeddedServer) -> None:
    server.acquire()
    file = server.data_dir / "pgdata" / "postmaster.pid"
    _, *rest = file.read_text().splitlines()
    server.stop()
    file.write_text("\n".join([str(os.getpid()), *rest, ""]))
    assert server.status() is None
    assert ask(server.acquire()) == 1


def test_stop_although_others_use_it(server: EmbeddedServer) -> None:
    user = User(server.data_dir)
    user.url()
    assert server.stop() is True
    assert server.status() is None
    assert server.stop() is False
    user.leave()


def test_a_forked_child_does_not_hold_the_lease(server: EmbeddedServer) -> None:
    server.acquire()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    server.release()
    assert server.status() is None
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


def test_a_taken_port_is_given_up_for_another(server: EmbeddedServer) -> None:
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        port = thief.getsockname()[1]
        (server.data_dir / "port").write_text(str(port))
        url = server.acquire()
        assert f":{port}/" not in url
        assert ask(url) == 1


def test_a_big_log_is_moved_away(server: EmbeddedServer) -> None:
    log = server.data_dir / "server.log"
    log.write_bytes(b"x" * 10_000_001)
    server.acquire()
    assert log.stat().st_size < 10_000
    (server.data_dir / "server.log.old").unlink()


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    server = EmbeddedServer(file)
    assert server.status() is None
    assert server.stop() is False
    with pytest.raises(EmbeddedServerError, match="choose a directory, not a file"):
        server.acquire()
    with pytest.raises(EmbeddedServerError, match="choose a directory, not a file"):
        EmbeddedServer(file / "below").acquire()


def test_the_error_says_what_the_server_said(server: EmbeddedServer) -> None:
    version = server.data_dir / "pgdata" / "PG_VERSION"
    kept = version.read_bytes()
    version.write_text("16\n")
    try:
        with pytest.raises(EmbeddedServerError, match=r"incompatible.*version 16.*see .*server\.log") as caught:
            server.acquire()
    finally:
        version.write_bytes(kept)
    assert "\n" not in str(caught.value)
    assert ask(server.acquire()) == 1


def test_binary() -> None:
    version = subprocess.run([binary("psql"), "--version"], capture_output=True, text=True, check=True).stdout
    assert "(PostgreSQL) 18" in version
    with pytest.raises(EmbeddedServerError, match="no program 'oracle'"):
        binary("oracle")


def test_a_server_that_was_stopped_stays_so_and_it_is_told_once(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(server.acquire(), server)
    try:
        assert EmbeddedServer(server.data_dir).stop()
        for _ in range(2):
            database.mend()
        (told,) = caplog.messages
        assert "stopped by hand" in told and "`scrapy db migrate`" in told
        server.acquire()  # any other command
        server.release()
        database.mend()
        assert len(caplog.messages) == 1
        assert EmbeddedServer(server.data_dir).stop()
        database.mend()
        assert len(caplog.messages) == 2
    finally:
        database.close()
