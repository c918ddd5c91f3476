"""How fast is a whole crawl, against trafilatura alone?

    python -m benchmarks.crawl [--pages 2000] [--workers 2]
    python -m benchmarks.crawl --newsweb DIR --data DIR ...     real pages, served by that local web

The same pages in one run: first bare trafilatura over pages in memory in so many processes (the most that anybody can
reach), then `scrapy crawl` of a local server into a fresh embedded PostgreSQL. Printed: pages a second of both, their
ratio, CPU time a page with PostgreSQL's share, and the peak memory (VmHWM) of the crawl's main process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from trafilatura import bare_extraction

from benchmarks import processes
from crawler.store.cluster import Cluster
from crawler.store.dictionaries import unpacked
from crawler.store.engine import open_database

PROJECT = Path(__file__).resolve().parent.parent
UNHURRIED = {  # no politeness: the server is ours
    "AUTOTHROTTLE_ENABLED": "0",
    "CONCURRENT_REQUESTS_PER_DOMAIN": "16",
    "CRAWL_DELAY_MAX": "0",
    "DOWNLOAD_DELAY": "0",
    "LOG_LEVEL": "ERROR",
}


@contextmanager
def synthetic(pages: int, seeds: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The tests' newspaper with generated articles; yields its URL and the crawl's environment."""
    command = [sys.executable, "-m", "tests.site", "--port", "0", "--many", str(pages), "--seeds", str(seeds)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), {}
        finally:
            server.terminate()


@contextmanager
def newsweb(options: argparse.Namespace, seeds: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A local web of saved pages, reached as a proxy."""
    port, folder = options.port, options.newsweb
    command = [sys.executable, "-m", "newsweb", "--data", *map(str, options.data)]
    command += ["--port", str(port), "--multiply", str(options.multiply), "--warm"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            for host in json.loads(_patiently(f"{url}/_newsweb/sites")):
                seed = f"name: {host}\nhomepage: http://{host}/\nsitemaps: [http://{host}/sitemap.xml]\n"
                seed += "articles: {deny: [/(about|contact|login|newsletter|privacy|jobs)$]}\n"
                (seeds / f"{host.replace('.', '_').replace('-', '_')}.yaml").write_text(seed)
            yield url, {"http_proxy": url}
        finally:
            server.terminate()


def _patiently(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(1200):
        try:
            return bytes(opener.open(url).read())
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


@dataclass(frozen=True)
class Run:
    """What a crawl took: seconds, the main process's peak memory in MB, CPU seconds of all of it and of PostgreSQL."""

    seconds: float
    peak: int
    cpu: float
    server_cpu: float


def crawl(environment: dict[str, str], data_dir: Path, workers: int) -> Run:
    """One crawl of everything."""
    options = [part for name, value in UNHURRIED.items() for part in ("-s", f"{name}={value}")]
    started = time.perf_counter()
    command = [sys.executable, "-m", "scrapy", "crawl", "news", "-s", f"EXTRACTION_WORKERS={workers}", *options]
    with subprocess.Popen(command, cwd=PROJECT, env=os.environ | environment) as process:
        peak, ours, servers = 0, 0.0, 0.0
        while process.poll() is None:
            peak = max(peak, _peak_kb(process.pid))
            ours = max(ours, processes.cpu(process.pid) or 0)
            servers = max(servers, processes.cpu(Cluster(data_dir).postmaster()) or 0)
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit("the crawl failed")
    return Run(time.perf_counter() - started, peak // 1024, ours + servers, servers)


def _peak_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def stored_pages(data_dir: Path, most: int) -> tuple[list[bytes], int, float]:
    """The bytes that were crawled (so that both sides see the same pages), how many articles were stored, and the
    seconds that the crawl took by its own row."""
    with open_database(None, data_dir) as database, database.engine.connect() as connection:
        articles = connection.execute(text("SELECT count(*) FROM articles")).scalar_one()
        took = connection.execute(text("SELECT extract(epoch FROM finished_at - started_at) FROM crawls")).scalar_one()
        rows = connection.execute(
            text("SELECT html_zstd, html_bytes, dictionary_id FROM pages ORDER BY id LIMIT :most"), {"most": most}
        )
        return [unpacked(connection, *row) for row in rows], articles, float(took)


def baseline(html: bytes) -> None:
    """What a user of trafilatura alone runs: body and metadata."""
    bare_extraction(html, with_metadata=True)


def bare(pages: list[bytes], workers: int) -> float:
    """Seconds that trafilatura alone takes in so many processes, their start not counted."""
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(baseline, pages[:workers])
        started = time.perf_counter()
        pool.map(baseline, pages, chunksize=8)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2000, help="generated articles (without --newsweb)")
    parser.add_argument("--workers", type=int, default=2, help="extraction processes on both sides")
    parser.add_argument("--newsweb", type=Path, help="folder that holds the package newsweb")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="its data folders")
    parser.add_argument("--multiply", type=int, default=10, help="variants of each of its articles")
    parser.add_argument("--port", type=int, default=48765)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds, data_dir = Path(folder, "seeds"), Path(folder, "data")
        seeds.mkdir()
        served = newsweb(options, seeds) if options.newsweb else synthetic(options.pages, seeds)
        with served as (_, extra):
            environment = {
                "ALLOW_PRIVATE_NETWORKS": "1",
                "CRAWLER_DATA_DIR": str(data_dir),
                "DATABASE_URL": "",
                "SEEDS_DIR": str(seeds),
                **extra,
            }
            run = crawl(environment, data_dir, options.workers)
        pages, articles, took = stored_pages(data_dir, 20_000)
        alone = bare(pages, options.workers)
    ours, theirs = len(pages) / took, len(pages) / alone
    size = sum(map(len, pages)) / max(1, len(pages)) / 1024
    print(f"{len(pages)} pages ({size:.0f} KB on average), {articles} articles, {options.workers} workers")
    print(f"bare trafilatura: {alone:.1f} s, {theirs:.1f} pages/s")
    print(f"full crawl into PostgreSQL: {took:.1f} s, {ours:.1f} pages/s (the whole process: {run.seconds:.1f} s)")
    print(
        f"CPU a page: {run.cpu / len(pages) * 1e3:.1f} ms, {run.server_cpu / len(pages) * 1e3:.1f} of them PostgreSQL's"
    )
    print(f"ratio: {ours / theirs:.2f}   peak memory of the main process: {run.peak} MB")


if __name__ == "__main__":
    main()
