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

ROOT = Path(__file__).parents[2]

STOCK: dict[str, Any] = {
    "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
    "LOG_LEVEL": "INFO",
    "REMOTE_CONTROL_ENABLED": False,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
    "USER_AGENT": "TestBot/1.0 (+http://bot.test/)",
}

OURS: dict[str, Any] = {
    **STOCK,
    "DOWNLOADER": "crawler.downloader.slots.PoliteDownloader",
    "DOWNLOADER_MIDDLEWARES": {
        "crawler.downloader.guard.AddressGuard": 760,
        "crawler.downloader.retry.BackoffRetryMiddleware": 550,
        "crawler.downloader.robots.RobotsMiddleware": 100,
        "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
        "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
        "tests.downloader.subject.HopMiddleware": 990,
    },
    "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
    "TWISTED_DNS_RESOLVER": "crawler.downloader.resolver.PublicResolver",
}


@dataclass(frozen=True, kw_only=True)
class Crawled:
    outcomes: dict[str, str]  # URL as asked for -> status, or "error: reason: message"
    stats: dict[str, int]
    log: str


def crawl(
    urls: Iterable[str],
    settings: Mapping[str, Any],
    *,
    names: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
) -> Crawled:
    """Crawl in a new process, since a reactor cannot be started twice. `names` are its DNS."""
    clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.downloader.subject"],
        input=json.dumps({"urls": list(urls), "settings": dict(settings), "names": dict(names)}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**clean, **(environment or {})},
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return Crawled(**json.loads(done.stdout), log=done.stderr)
