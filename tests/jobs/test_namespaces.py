"""Three hosts with addresses of their own: one worker's is cut off in the middle of its crawls, and comes back."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from crawler.store import checks, startup
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, migrate
from crawler.store.queue import crawl_of, enqueue
from crawler.urls import url_key
from tests.jobs.network import Network, impossible
from tests.runs import PROJECT, SCRAPY, Bench, until
from tests.site.manners import manners, read
from tests.site.street import Street, write_seeds

PAPERS, ARTICLES, DELAY = 8, 12, 0.3
HUB, ONE, OTHER = "hub", "one", "other"
# As in operation, but in seconds rather than half-minutes: when either side knows that the other is gone.
SERVER = "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2 -c tcp_user_timeout=3000"
SOON = f"keepalives_idle=1&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=3000&options={quote(SERVER)}"
SETTINGS = {
    "AUTOTHROTTLE_ENABLED": 0,
    "DOWNLOAD_DELAY": DELAY,
    "DOWNLOAD_TIMEOUT": 5,
    "EXTRACTION_WORKERS": 1,
    "LOST_GRACE": 1,
    "TICK": 1,
    "WORKER_BEAT": 1,
    "WORKER_CRAWLS": 4,
    "WORKER_PROCESSES": 1,
}
GIVEN = [part for name, value in SETTINGS.items() for part in ("-s", f"{name}={value}")]

RUNNING = """
SELECT crawls.id, sources[1] AS source FROM crawls
JOIN procrastinate.procrastinate_jobs AS jobs ON jobs.id = CAST(arguments ->> 'job' AS bigint)
WHERE outcome = 'running' AND status = 'doing' AND worker_id = %s
"""
BUSY = "SELECT FROM pg_stat_activity WHERE client_addr = CAST(%s AS inet) AND state = 'active'"
DONE = "SELECT worker_id FROM procrastinate.procrastinate_jobs WHERE id = ANY(%s) AND status = 'succeeded'"

reason = impossible()
pytestmark = [
    pytest.mark.skipif(reason is not None, reason=reason or ""),
]


@dataclass
class Hosts:
    """The network, the newspapers on its first host, and what runs."""

    network: Network
    street: Street
    bench: Bench
    log: Path
    folder: Path
    stack: ExitStack

    def start(self, command: str, host: str) -> subprocess.Popen[bytes]:
        """`scrapy COMMAND` on a host."""
        line = [*self.network.on(host), *SCRAPY, command, *GIVEN]
        with (self.folder / f"{host}-{command}.log").open("wb") as log:
            process = subprocess.Popen(line, cwd=PROJECT, env=self.bench.environment, stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def worker(self, process: subprocess.Popen[bytes]) -> int:
        """The id of a worker that is up."""
        until(lambda: self.bench.rows("SELECT FROM workers WHERE pid = %s", process.pid))
        return int(self.bench.value("SELECT id FROM workers WHERE pid = %s", process.pid))

    def told(self, command: str, host: str) -> str:
        """What it has said."""
        return (self.folder / f"{host}-{command}.log").read_text()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    monkeypatch.setitem(startup.SETTINGS, "listen_addresses", "*")
    log = tmp_path / "access.jsonl"
    with ExitStack() as stack:
        network = stack.enter_context(Network([HUB, ONE, OTHER]))
        stack.enter_context(network.inside())
        url = stack.enter_context(EmbeddedServer(tmp_path / "data"))
        with (tmp_path / "data" / "pgdata" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 scram-sha-256\n")
        with psycopg.connect(url) as connection:
            connection.execute("SELECT pg_reload_conf()")
        with Database(url) as database:
            migrate(database.engine)
        street = stack.enter_context(Street(PAPERS, ARTICLES, host=network.address(HUB), log=log))
        write_seeds(tmp_path / "seeds", list(street.papers), "schedule: 1d\n")
        bench = Bench(
            seeds=tmp_path / "seeds",
            data_dir=tmp_path / "none",
            database_url=f"{url.replace('127.0.0.1', network.address(HUB))}?{SOON}",
            more={"http_proxy": f"http://{network.address(HUB)}:{street.port}"},
        )
        yield Hosts(network, street, bench, log, tmp_path, stack)


def test_a_host_that_is_cut_off_loses_its_crawls_to_another_and_works_again_when_it_is_back(hosts: Hosts) -> None:
    bench, printed = hosts.bench, {url_key(one.url) for one in hosts.street.printed()}
    one, other = hosts.start("worker", ONE), hosts.start("worker", OTHER)
    here, there = hosts.worker(one), hosts.worker(other)
    hosts.start("scheduler", HUB)  # last: there is work when both are up

    def held(worker: int) -> int:
        return int(bench.value(
            "SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status = 'doing' AND worker_id = %s", worker
        ))  # fmt: skip

    def crawling(worker: int) -> dict[int, str]:
        return {row["id"]: row["source"] for row in bench.rows(RUNNING, worker)}

    # Both are in the middle of their crawls.
    until(lambda: crawling(here) and crawling(there) and bench.value("SELECT count(*) >= %s FROM articles", PAPERS * 2))
    hosts.network.cut(OTHER)
    until(lambda: not bench.rows(BUSY, hosts.network.address(OTHER)))  # what it had said before is done
    lost = crawling(there)
    # The one on the host that is still there does it all; nobody waits for the other.
    until(lambda: not held(there))
    until(lambda: bench.value("SELECT count(*) FROM articles") == len(printed))
    until(lambda: not held(here))
    assert lost and other.poll() is None
    assert {row["id"] for row in bench.rows("SELECT id FROM crawls WHERE outcome = 'killed'")} == lost.keys()

    hosts.network.join(OTHER)
    until(lambda: bench.value("SELECT stopped_at IS NULL FROM workers WHERE id = %s", there))
    for source in lost.values():
        until(lambda ended=f"{source}: superseded|{source}: finished": re.search(ended, hosts.told("worker", OTHER)))  # type: ignore[misc]

    def crawled_by() -> set[int]:
        """Whoever did a crawl when somebody has asked for all papers."""
        papers = [crawl_of(name.replace(".", "_"), asked="person") for name in hosts.street.papers]
        with Database(bench.database_url) as database, database.engine.begin() as connection:
            asked = enqueue(connection, papers)
        until(lambda: len(bench.rows(DONE, asked)) == PAPERS)
        return {row["worker_id"] for row in bench.rows(DONE, asked)}

    until(lambda: there in crawled_by())  # one that is quick may have them all

    # Nothing is lost or stored twice, and the papers have seen one polite crawler.
    assert {row["key"] for row in bench.rows("SELECT key FROM articles")} == printed
    assert bench.value("SELECT count(*) FROM articles") == len(printed)
    assert bench.value("SELECT count(*) FROM revisions") == 0
    assert bench.value("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')") == 0
    with Database(bench.database_url) as database:
        assert [
            found.check.name for found in (checks.run(database.engine, c) for c in checks.CHECKS) if found.count
        ] == []
    # Half of it, since a busy machine may deliver one request later than the next; two that knew nothing of each other
    # would have been closer, and more than one at a time.
    seen = manners(read(hosts.log), DELAY / 2)
    assert seen.too_soon == 0 and seen.concurrency == 1 and seen.before_robots == (), seen

    for process in (one, other):
        process.send_signal(signal.SIGTERM)
    assert [one.wait(60), other.wait(60)] == [0, 0]
    for host in (ONE, OTHER):
        assert "Traceback" not in hosts.told("worker", host), hosts.told("worker", host)
