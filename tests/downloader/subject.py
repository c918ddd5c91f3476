"""A real crawl in a process of its own: a job comes in as JSON on stdin, what became of each URL goes out on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response
from scrapy.resolver import dnscache
from twisted.python.failure import Failure


class HopMiddleware:
    """Plays a host on the public internet, which a test cannot have: `http://public.test/?<url>` redirects to <url>."""

    def process_request(self, request: Request) -> Response | None:
        if not request.url.startswith("http://public.test/"):
            return None
        target = request.url.partition("?")[2]
        return Response(request.url, status=302 if target else 404, headers={"Location": target})


class SubjectSpider(Spider):
    name = "subject"
    job: dict[str, Any]
    outcomes: dict[str, str]

    async def start(self) -> AsyncIterator[Request]:
        for url in self.job["urls"]:
            yield Request(
                url,
                callback=self.parse,
                errback=self.fail,
                dont_filter=True,
                cb_kwargs={"asked": url},
                meta={"handle_httpstatus_list": [404, 429, 500, 503]},
            )

    def parse(self, response: Response, asked: str) -> None:
        self.outcomes[asked] = str(response.status)

    def fail(self, failure: Failure) -> None:
        error = failure.value
        request: Request = failure.request  # type: ignore[attr-defined]  # Scrapy puts it there
        asked = request.cb_kwargs["asked"]
        self.outcomes[asked] = f"{type(error).__name__}: {getattr(error, 'reason', '')}: {error}"


def main() -> None:
    job = json.load(sys.stdin)
    dnscache.update(job["names"])  # our DNS: the resolver looks here first
    outcomes: dict[str, str] = {}
    process = AsyncCrawlerProcess(job["settings"])
    crawler = process.create_crawler(SubjectSpider)
    process.crawl(crawler, job=job, outcomes=outcomes)
    process.start()
    stats = {key: value for key, value in crawler.stats.get_stats().items() if isinstance(value, int)}
    json.dump({"outcomes": outcomes, "stats": stats}, sys.stdout)


if __name__ == "__main__":
    main()
