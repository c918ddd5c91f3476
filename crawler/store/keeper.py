"""Keeps the embedded server up for those who only have its URL: psql, a BI tool, a notebook.

`scrapy db url` starts one, detached. It holds a lease like any other user of the server, looks every few seconds
whether anybody else is connected, and leaves when nobody has been for LINGER seconds, or when the server was stopped.
Other keepers are nobody: two would keep each other for ever.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg

from crawler.store.embedded import EmbeddedServer

LINGER = 600.0  # seconds
LOOK_EVERY = 2.0
NAME = "news-crawler keeper"
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> %s"


def start(data_dir: Path, linger: float = LINGER) -> None:
    """Leave a keeper behind; returns at once. The caller holds a lease until the keeper has its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "crawler.store.keeper", str(data_dir.resolve()), str(linger)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # "ready"
        process.returncode = 0  # it outlives us on purpose; nothing to wait for


def keep(data_dir: Path, linger: float) -> None:
    """Hold the server until it has been unused for `linger` seconds, or is gone."""
    server = EmbeddedServer(data_dir)
    url = server.acquire()
    print("ready", flush=True)
    unused_since = time.monotonic()
    try:
        with psycopg.connect(url, autocommit=True, application_name=NAME) as connection:
            while time.monotonic() - unused_since < linger:
                row = connection.execute(_OTHERS, [NAME]).fetchone()
                if row and row[0]:
                    unused_since = time.monotonic()
                time.sleep(min(LOOK_EVERY, linger / 4))
    except psycopg.Error:
        pass  # it was stopped: nothing to keep
    finally:
        server.release()


if __name__ == "__main__":
    keep(Path(sys.argv[1]), float(sys.argv[2]))
