"""Many newspapers on one loopback port, for what runs workers: newsweb's saved pages, or tests.site.street's own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Printed:
    """An article that a paper has or will have, and when it comes out (seconds since 1970)."""

    id: str
    url: str
    released: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Reached as the proxy `url`. `log`: a line for each request."""

    url: str
    hosts: list[str]
    printed: list[Printed]
    log: Path

    def flush(self) -> None:
        """Have the log written up to now."""
        _get(f"{self.url}/_newsweb/stats")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How newsweb is found; without it the tests' street is served."""
    parser.add_argument("--newsweb", type=Path, help="folder that holds the package newsweb; default: pages of our own")
    parser.add_argument("--newsweb-python", default=sys.executable, help="a Python that has httptools")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="newsweb's data folders")
    parser.add_argument("--each", type=int, default=2, help="saved articles of a host that are used")
    parser.add_argument("--mutate", choices=("light", "heavy"), default="light", help="how variants of one differ")


@contextmanager
def served(
    options: argparse.Namespace,
    folder: Path,
    *,
    hosts: int,
    articles: int,
    publish_every: float = 0.0,
    latency: float = 0.0,
) -> Iterator[Served]:
    """So many hosts with about so many articles each; half of them out at the start if `publish_every` is given."""
    start = _newsweb if options.newsweb else _street
    with start(options, folder / "access.jsonl", hosts, articles, publish_every, latency) as made:
        yield made


@contextmanager
def _street(
    _: argparse.Namespace, log: Path, hosts: int, articles: int, every: float, latency: float
) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.site.street", "--papers", str(hosts), "--articles", str(articles)]
    command += ["--publish-every", str(every), "--latency", str(latency), "--log", str(log)]
    with _running(command, PROJECT, {}) as (url, _process):
        rows = [
            Printed(row["id"], row["url"], float(row["released"])) for row in json.loads(_get(f"{url}/printed.json"))
        ]
        yield Served(url=url, hosts=sorted({host_of(row.url) for row in rows}), printed=rows, log=log)


@contextmanager
def _newsweb(
    options: argparse.Namespace, log: Path, hosts: int, articles: int, every: float, latency: float
) -> Iterator[Served]:
    program = Path(__file__).with_name("newsweb_hosts.py")
    command = [options.newsweb_python, str(program), "--hosts", str(hosts), "--each", str(options.each)]
    command += ["--data", *(str(path if path.is_absolute() else options.newsweb / path) for path in options.data)]
    command += ["--port", "0", "--log", str(log), "--multiply", str(-(-articles // options.each))]
    command += ["--mutate", options.mutate]
    command += ["--publish-every", str(every)] if every else []
    command += ["--fault", f"latency:ms={latency * 1e3:g}"] if latency else []
    with _running(command, PROJECT, {"PYTHONPATH": str(options.newsweb)}) as (started, process):
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1].rstrip("/")  # newsweb: N sites, M articles at URL
        by_host: dict[str, list[Any]] = defaultdict(list)
        for row in json.loads(_get(f"{url}/_newsweb/articles")):
            by_host[host_of(row["url"])].append(row)  # in the order in which they come out
        rows = [
            Printed(row["id"], row["url"], float(started) + max(0, place - (len(given) + 1) // 2 + 1) * every)
            for given in by_host.values()
            for place, row in enumerate(given)
        ]
        yield Served(url=url, hosts=sorted(by_host), printed=rows, log=log)


@contextmanager
def _running(
    command: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The first line of a program's output, and the program, which is ended afterwards."""
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline().strip()
            if not first:
                raise SystemExit(f"{command[1]} did not start")
            yield first, process
        finally:
            process.terminate()


def host_of(url: str) -> str:
    """The host of an http URL."""
    return url.split("/")[2].partition(":")[0]


def _get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(100):
        try:
            return bytes(opener.open(url).read())
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")
