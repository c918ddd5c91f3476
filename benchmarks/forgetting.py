"""What it costs to forget a source, and pages that came back with a backup, while a crawl goes on storing.

    python -m benchmarks.forgetting [--articles 100000] [--returned 10000] [--database-url URL]

One source has so many articles beside as many of another (filling.py), each of its with a raw page of 8 KB, every tenth
with a second address, every tenth with an earlier version. `scrapy forget` removes it, then `--again` so many pages of
the other, which have their tombstones as after a restore. Beside it a writer takes the lock that stores take, twenty
times a second: how long it waits is what a crawl waits. Memory is that of the command, and of the server's process
that serves it. CPU is the command's and all of the server's: on a busy machine it tells more than the time.

November 2026, two cores, other work on them (load 13). A source of 100,000 articles: 102 s, a writer waited 293 ms at
most, the command took 130 MB, its server's process 26. 10,000 pages that came back: 43 s, 547 ms, 124 MB. When each
batch of a source looked for its articles anew it was 208 s and 462 ms; when pages came one by one, 1154 s and 1079 ms.
A thousand of these took 18.3 s of CPU, in batches 2.6 (2 of them to start the command).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from sqlalchemy import text

from benchmarks import processes
from benchmarks.filling import fill, vacuum
from benchmarks.frontier import own_database, server
from crawler.store import tombstones
from crawler.store.engine import Database

PROJECT = Path(__file__).parent.parent
SOURCE = "s0"
PAUSE = 0.05  # seconds between two looks
_GROW = (
    """UPDATE pages SET html_bytes = 8192, html_zstd = decode(repeat(md5(CAST(id AS text)), 512), 'hex')
    WHERE url_id IN (SELECT id FROM urls WHERE source = 's0')""",
    """INSERT INTO url_aliases (url, key, url_id, how) SELECT url || '/more', key || '/more', id, 'redirect'
    FROM urls WHERE id % 10 = 0""",
    """INSERT INTO revisions (article_id, revision, body, content, changed, stored_at, replaced_at, cause, diff)
    SELECT id, 1, body, jsonb_build_object('url', url, 'blocks', blocks), '{body}', stored_at, now(), 'publisher', '[]'
    FROM articles WHERE id % 10 = 0""",
)
_FORGOTTEN = text("""
INSERT INTO tombstones (act, kind, digest, article_id, source, by_whom)
SELECT article, 'page', sha256(convert_to(own.key, 'UTF8')), CASE WHEN own.n = 1 THEN article END, source, 'benchmark'
FROM (SELECT id AS article, key, source FROM articles WHERE source <> :source ORDER BY id LIMIT :most) AS gone,
    LATERAL (VALUES (1, key), (2, key || '/more')) AS own(n, key)
""")
_SERVERS = text("""
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name NOT LIKE 'benchmark%'
""")


class Writer(threading.Thread):
    """Wants to store something, again and again."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database, self.over, self.longest, self.looks, self.servers = database, threading.Event(), 0.0, 0, 0

    def run(self) -> None:
        with self.database.engine.connect() as connection:
            connection.execute(text("SET application_name = 'benchmark'"))
            connection.commit()
            while not self.over.wait(PAUSE):
                began = time.perf_counter()
                tombstones.respect(connection)
                self.longest = max(self.longest, time.perf_counter() - began)
                self.looks += 1
                connection.commit()
                self.servers = max([self.servers, *map(_resident, connection.execute(_SERVERS).scalars())])
                connection.commit()


def _resident(pid: int) -> int:
    """MB of a process that are no other's."""
    try:
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return 0
    return int(told["RssAnon"].split()[0]) // 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, forget and print."""
    parser = argparse.ArgumentParser(description="What it costs to forget a source, and pages that came back")
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--returned", type=int, default=10_000)
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console = Console(highlight=False)
    with server(given.database_url) as url, own_database(url) as database:
        with console.status("filling"):
            fill(database, 2 * given.articles, sources=2)
            with database.engine.begin() as connection:
                for statement in _GROW:
                    connection.execute(text(statement))
            vacuum(database)
        report(console, database, f"a source of {given.articles:,} articles", SOURCE)
        with database.engine.begin() as connection:
            connection.execute(_FORGOTTEN, {"source": SOURCE, "most": given.returned})
        vacuum(database)
        report(console, database, f"{given.returned:,} pages that came back", "--again")


def report(console: Console, database: Database, what: str, asked: str) -> None:
    """Run the command beside a writer."""
    writer = Writer(database)
    with database.engine.connect() as connection:
        postmaster = processes.postmaster_of(connection)
    writer.start()
    began, before = time.perf_counter(), processes.cpu(postmaster) or 0.0
    command = [sys.executable, "-m", "scrapy", "forget", asked, "--yes"]
    process = subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, "DATABASE_URL": database.url}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took, servers = time.perf_counter() - began, (processes.cpu(postmaster) or 0.0) - before
    writer.over.set()
    writer.join()
    memory = f"memory {usage.ru_maxrss / 1024:.0f} MB, its server {writer.servers} MB"
    cpu = f"CPU: own {usage.ru_utime + usage.ru_stime:.1f} s, server {servers:.1f} s"
    done = next((line for line in said if line.startswith("Removed")), f"exit status {process.returncode}")
    console.print(
        f"{what}: {took:.1f} s; a writer waited {writer.longest * 1e3:.0f} ms at most ({writer.looks:,} looks); "
        f"{cpu}; {memory}; load {os.getloadavg()[0]:.1f}\n  {done}"
    )


if __name__ == "__main__":
    main()
