"""A crawl whose database dies, is stopped, and comes back: nothing is lost, and the log says what goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg

from crawler.store.embedded import EmbeddedServer
from tests.runs import Bench, until
from tests.site import Newspaper

SLOW = ["-s", "DOWNLOAD_DELAY=0.2", "-s", "AUTOTHROTTLE_ENABLED=0", "-s", "EXTRACTION_WORKERS=1"]
GENERATED = 60
NUMBERS = """
SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM revisions),
       (SELECT count(*) - count(DISTINCT url) FROM pages),
       (SELECT count(*) FROM urls WHERE state IN ('queued', 'leased'))
"""


def articles(server: EmbeddedServer) -> int:
    """How many are stored; 0 while the server is down."""
    try:
        with psycopg.connect(server.url) as connection:
            ((number,),) = connection.execute("SELECT count(*) FROM articles").fetchall()
            return int(number)
    except Exception:  # there is no server, no table, or one that starts
        return 0


def test_an_embedded_server_that_dies_is_started_again_and_one_that_is_stopped_is_not(tmp_path: Path) -> None:
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data")
    server = EmbeddedServer(bench.data_dir)
    with Newspaper(many=GENERATED) as paper:
        paper.write_seeds(bench.seeds)
        with bench.start("crawl", "news", *SLOW, "-s", "DATABASE_PATIENCE=5") as process:
            until(lambda: articles(server) >= 5)
            before = articles(server)
            os.kill(int((bench.data_dir / "pgdata" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            until(lambda: articles(server) >= before + 5 or process.poll() is not None)
            assert server.stop() or process.communicate()[1] == ""
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "the database is back after" in err
        (line,) = (line for line in err.splitlines() if " ERROR: " in line)
        assert "the database has been away for " in line and line.endswith("run it again later")
        assert "Ended early (database_unreachable)" in err and "Traceback" not in err
        assert server.status() is None
        assert bench.crawl("news").status == 0
        total = len(paper.articles) + GENERATED
    try:
        assert bench.scrapy("db", "psql", "-AtX", "-c", NUMBERS).out == f"{total}|0|0|0\n"
        checked = bench.scrapy("db", "check")
        assert checked.status == 0, checked.out
    finally:
        server.stop()
