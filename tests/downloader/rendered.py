"""A crawl that renders, in a process of its own: a job comes in as JSON on stdin, the pages go out on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response
from twisted.python.failure import Failure

from tests.downloader.crawl import OURS, ROOT
from tests.downloader.subject import Gate, play_dns


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What came of the crawl; pages and failures are by the address that was asked for."""

    pages: dict[str, str]
    headers: dict[str, dict[str, str]]
    failures: dict[str, str]  # outcome: message
    calls: list[list[Any]]  # of the gate
    stats: dict[str, int]
    log: str


class RenderingSpider(Spider):
    name = "rendering"
    job: dict[str, Any]
    found: dict[str, Any]
    hosts: Gate

    async def start(self) -> AsyncIterator[Request]:
        for url in self.job["urls"]:
            yield Request(
                url,
                callback=self.parse,
                errback=self.fail,
                dont_filter=True,
                cb_kwargs={"asked": url},
                meta={"render": not url.endswith("/plain"), "handle_httpstatus_list": [304, 404, 500]},
            )

    def parse(self, response: Response, asked: str) -> None:
        headers = {str(name).lower(): value for name, value in response.headers.to_unicode_dict().items()}
        self.found["pages"][asked] = response.body.decode()
        self.found["headers"][asked] = headers | {":status": str(response.status)}

    def fail(self, failure: Failure) -> None:
        error = failure.value
        asked = failure.request.cb_kwargs["asked"]  # type: ignore[attr-defined]  # Scrapy puts it there
        self.found["failures"][asked] = f"{getattr(error, 'reason', type(error).__name__)}: {error}"


def render(
    urls: Iterable[str],
    settings: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    without: Iterable[str] = (),
) -> Rendered:
    """Crawl in a new process. `names` are its DNS, `without` the packages that it does not find."""
    with started(urls, settings, names=names, environment=environment, without=without) as process:
        out, log = process.communicate(timeout=100)
    assert process.returncode == 0, log
    return Rendered(**json.loads(out), log=log)


def started(
    urls: Iterable[str],
    settings: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    without: Iterable[str] = (),
) -> subprocess.Popen[str]:
    """The same, not waited for."""
    clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    job = {
        "urls": list(urls),
        "settings": {**OURS, **settings},
        "names": {name: [address] for name, address in (names or {}).items()},
        "without": list(without),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.downloader.rendered"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**clean, **(environment or {})},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(job))
    process.stdin.close()
    process.stdin = None  # so that communicate() leaves it alone
    return process


def main() -> None:
    job = json.load(sys.stdin)
    play_dns(job["names"], ())
    for package in job["without"]:
        sys.modules[package] = None  # type: ignore[assignment]  # an import of it fails
    found: dict[str, Any] = {"pages": {}, "headers": {}, "failures": {}, "calls": []}
    process = AsyncCrawlerProcess(job["settings"])
    crawler = process.create_crawler(RenderingSpider)
    process.crawl(crawler, job=job, found=found, hosts=Gate({}, found["calls"]))
    process.start()
    stats = {key: value for key, value in crawler.stats.get_stats().items() if isinstance(value, int)}
    json.dump({**found, "stats": stats}, sys.stdout)


if __name__ == "__main__":
    main()
