"""Makes a dump of what a release leaves in its database: see README.md beside this file.

Run in a checkout of that release, whose own newspaper and crawler fill the database. Of the tests it uses only what
every release has: Newspaper and Bench.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

import psycopg

from crawler.store.embedded import EmbeddedServer, binary
from tests.runs import Bench
from tests.site import Newspaper

PORT = 48099  # part of every address in a dump; the test puts its own in its place


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as name, Newspaper(port=PORT) as paper:
        room = Path(name)
        with EmbeddedServer(room / "data") as url:
            bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url)
            paper.write_seeds(bench.seeds)
            crawl(bench)
            edited = paper.edit(paper.articles[0].slug, "A correction: the tender was for six boats, not for five.")
            with psycopg.connect(url) as connection:  # due now, and not in an hour
                connection.execute("UPDATE urls SET not_before = now(), state = 'queued' WHERE url = %s", [edited.url])
            crawl(bench)
            dumped = subprocess.run(
                [binary("pg_dump"), "--no-owner", "--no-privileges", url], capture_output=True, check=True
            )
    path.write_bytes(gzip.compress(dumped.stdout, 9, mtime=0))
    print(f"{path}: {path.stat().st_size:,} bytes")


def crawl(bench: Bench) -> None:
    outcome = bench.crawl("news")
    if outcome.status:
        sys.exit(outcome.err)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else sys.exit("name the file: make.py FILE.sql.gz"))
