"""`make demo`: the main job on a fake newspaper, from the feed to the table.

Everything is real but the newspaper: the spider, the workers, the embedded PostgreSQL in .data/demo. The port is fixed,
so that a second run finds the same addresses again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, text

from crawler.store.engine import open_database
from tests.site import Newspaper

PROJECT = Path(__file__).resolve().parent.parent
DATA_DIR = PROJECT / ".data" / "demo"
SCRAPY = [sys.executable, "-m", "scrapy"]
QUICK = ["-s", "DOWNLOAD_DELAY=0", "-s", "AUTOTHROTTLE_ENABLED=0"]  # the newspaper is ours: no need to be gentle

ARTICLES = """
SELECT source, language, to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS published, headline,
       word_count AS words,
       (SELECT count(*) FROM jsonb_array_elements(blocks) b WHERE NOT (b->>'kept')::boolean) AS dropped
FROM articles ORDER BY published_at DESC, headline
"""
DROPPED = """
SELECT b->>'reason' AS reason, b->>'rule' AS rule, count(*) AS blocks, min(left(b->>'text', 60)) AS example
FROM articles, jsonb_array_elements(blocks) b
WHERE NOT (b->>'kept')::boolean
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
TRY = "SELECT headline, published_at, left(body, 60) AS body FROM articles WHERE language = 'de'"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=48080, help="of the fake newspaper (make demo DEMO_PORT=...)")
    port = parser.parse_args().port
    console = Console(width=None if sys.stdout.isatty() else 140)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.lower().endswith("_proxy")}
    with tempfile.TemporaryDirectory() as seeds:
        environment |= {"ALLOW_PRIVATE_NETWORKS": "1", "CRAWLER_DATA_DIR": str(DATA_DIR), "SEEDS_DIR": seeds}
        try:
            newspaper = Newspaper(port=port)
            newspaper.__enter__()
        except OSError as error:
            console.print(
                f"make demo: port {port} is taken ({error}); choose another: make demo DEMO_PORT=48081", style="red"
            )
            return 1
        try:
            newspaper.write_seeds(Path(seeds))
            console.print(f"A small newspaper is at {newspaper.url}. Crawling it into the embedded PostgreSQL ...\n")
            crawl = [*SCRAPY, "crawl", "news", *QUICK, "-s", "LOG_LEVEL=ERROR"]
            status = subprocess.run(crawl, cwd=PROJECT, env=environment, check=False).returncode
        finally:
            newspaper.__exit__(None, None, None)
    return status or show(console, environment)


def show(console: Console, environment: dict[str, str]) -> int:
    """What a person wants to see afterwards."""
    with open_database(None, DATA_DIR) as database:
        with database.engine.connect() as connection:
            articles = connection.execute(text(ARTICLES))
            console.print(picture("\nStored articles", list(articles.keys()), articles.all()))
            dropped = connection.execute(text(DROPPED))
            console.print(picture("\nDropped blocks, and what dropped them", list(dropped.keys()), dropped.all()))
        url = subprocess.run(
            [*SCRAPY, "db", "url"], cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
    console.print("\nThe database, for psql or a BI tool (it stays up until nobody has used it for 10 minutes):")
    console.print(f"  {url}", soft_wrap=True, highlight=False)
    console.print("\nTry:")
    command = f'  CRAWLER_DATA_DIR=.data/demo .venv/bin/scrapy db psql -c "{TRY}"'
    console.print(command, soft_wrap=True, highlight=False, markup=False)
    return 0


def picture(title: str, columns: Sequence[str], rows: Sequence[Row[tuple[object, ...]]]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        numbers = bool(rows) and isinstance(rows[0][list(columns).index(column)], int)
        made.add_column(column, justify="right" if numbers else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        made.add_row(*(str(value) if value is not None else "" for value in row))
    return made


if __name__ == "__main__":
    sys.exit(main())
