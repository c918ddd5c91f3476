"""Starts subject.py and reads what it says; the settings that a crawl of ours needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler import settings as project

ROOT = Path(__file__).parents[2]

STOCK: dict[str, Any] = {
    "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
    "LOG_LEVEL": "INFO",
    "REMOTE_CONTROL_ENABLED": False,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
    "USER_AGENT": "TestBot/1.0 (+http://bot.test/)",
}

# Of the project's settings what makes its download side; what else it sets (delays, AutoThrottle) makes tests slow.
OURS: dict[str, Any] = {
    **STOCK,
    "DOWNLOADER": project.DOWNLOADER,
    "DOWNLOADER_MIDDLEWARES": {**project.DOWNLOADER_MIDDLEWARES, "tests.downloader.subject.HopMiddleware": 990},
    "DOWNLOAD_DELAY_JITTER": project.DOWNLOAD_DELAY_JITTER,
    "DOWNLOAD_HANDLERS": project.DOWNLOAD_HANDLERS,
    "DOWNLOAD_MAXSIZE": project.DOWNLOAD_MAXSIZE,
    "METAREFRESH_ENABLED": project.METAREFRESH_ENABLED,
    "REDIRECT_MAX_TIMES": project.REDIRECT_MAX_TIMES,
    "TWISTED_DNS_RESOLVER": project.TWISTED_DNS_RESOLVER,
}


@dataclass(frozen=True, kw_only=True)
class Crawled:
    """By URL as asked for. `words`: of OUTCOMES, or "page". `bodies`: how one begins, or what went wrong."""

    outcomes: dict[str, str]  # status, or "error: reason: message"
    words: dict[str, str]
    bodies: dict[str, str]
    stats: dict[str, int]
    memory: int  # KiB of resident memory at most
    listening: int  # sockets that took connections
    calls: list[list[Any]]  # of the gate
    log: str


def crawl(
    urls: Iterable[str],
    settings: Mapping[str, Any],
    *,
    names: Mapping[str, str | list[str]],
    environment: Mapping[str, str] | None = None,
    meta: Mapping[str, Mapping[str, Any]] | None = None,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    turning: Iterable[str] = (),
    public: Iterable[str] = (),
) -> Crawled:
    """Crawl in a new process, since a reactor cannot be started twice.

    names: its DNS; those `turning` have one address after the other. meta: of requests, by URL. known: the spider gets
    a gate (`Hosts`) that knows the robots.txt of these origins. public: addresses that count as such.
    """
    clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    answers = {name: [given] if isinstance(given, str) else given for name, given in names.items()}
    job: dict[str, Any] = {"urls": list(urls), "settings": dict(settings), "names": answers, "meta": meta or {}}
    job.update({"known": known, "turning": list(turning), "public": list(public)})
    done = subprocess.run(
        [sys.executable, "-m", "tests.downloader.subject"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**clean, **(environment or {})},
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return Crawled(**json.loads(done.stdout), log=done.stderr)
