"""robots.txt, after RFC 9309.

Scrapy 2.19's middleware judges only the first two requests that wait for a host's robots.txt, lets everything pass
when the file cannot be read, and does not apply Crawl-delay.

- One request fetches the file of a host and port; all others wait for its answer. They are parked meanwhile, and have
  not joined the host's queue yet, so the file cannot wait behind them.
- 2xx: its rules count. 4xx: everything is allowed. All else, and no answer at all, means nothing is.
- 2026-11: 429 is not taken for a missing file, as the RFC would permit: a host under load should not get more requests.
- Rules are good for a day; a failure is asked about again after ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from scrapy import Request, signals
from scrapy.exceptions import IgnoreRequest, NotConfigured
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import ProtegoRobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawler.downloader.resolver import BlockedAddress
from crawler.downloader.slots import GivenUp, PoliteDownloader
from crawler.errors import PageError

if TYPE_CHECKING:
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.http import Response

JITTER = 0.1  # seconds on top of a Crawl-delay
logger = logging.getLogger(__name__)

MOST_BYTES = 500 * 1024  # what RFC 9309 asks for at least
MOST_REDIRECTS = 5
GOOD_FOR = 24 * 3600.0  # seconds
FAILURE_GOOD_FOR = 600.0

ALLOW_ALL = b""
DISALLOW_ALL = b"User-agent: *\nDisallow: /"


class RobotsForbidden(PageError, IgnoreRequest):
    """Forbidden by robots.txt"""

    reason = "robots_forbidden"


class RobotsUnreachable(RobotsForbidden):
    """Forbidden by robots.txt: it could not be read"""

    reason = "robots_unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Robots:
    """The rules of one host and port; `failure` says why there are none and everything is refused."""

    parser: ProtegoRobotParser
    good_until: float  # monotonic seconds
    failure: str | None = None
    cause: BlockedAddress | GivenUp | None = None  # an error of ours, which concerns the pages just as much

    @property
    def sitemaps(self) -> tuple[str, ...]:
        return tuple(self.parser.rp.sitemaps)


class RobotsMiddleware:
    """Instead of RobotsTxtMiddleware, at its place 100. Needs PoliteDownloader."""

    def __init__(self, crawler: Crawler, *, user_agent: str, crawl_delay_max: float = 30.0) -> None:
        self.crawler = crawler
        self.user_agent = user_agent
        self.crawl_delay_max = crawl_delay_max
        self._robots: dict[str, asyncio.Task[Robots]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        settings = crawler.settings
        if not settings.getbool("ROBOTSTXT_OBEY"):
            raise NotConfigured
        user_agent = product_token(settings.get("ROBOTSTXT_USER_AGENT") or settings["USER_AGENT"])
        return cls(crawler, user_agent=user_agent, crawl_delay_max=settings.getfloat("CRAWL_DELAY_MAX", 30.0))

    async def process_request(self, request: Request) -> None:
        """Raise RobotsForbidden, an IgnoreRequest, for what the host does not want fetched."""
        if request.meta.get("dont_obey_robotstxt") or urlparse_cached(request).scheme not in {"http", "https"}:
            return
        robots = await self.robots(request)
        if robots.cause:
            raise robots.cause.with_traceback(None)
        if not robots.parser.allowed(request.url, self.user_agent):
            self._count("forbidden")
            raise (
                RobotsUnreachable(f"Forbidden by robots.txt: {robots.failure}") if robots.failure else RobotsForbidden()
            )

    async def robots(self, request: Request) -> Robots:
        """The rules that govern a request, fetched if need be. Never raises."""
        netloc = _netloc(request)
        task = self._robots.get(netloc)
        if task is None or (task.done() and task.result().good_until < monotonic()):
            task = self._robots[netloc] = asyncio.create_task(self._ask(request))
        with self._downloader.parked():
            # Shielded: the request that happens to ask may be cancelled without the others losing their answer.
            return await asyncio.shield(task)

    def sitemaps(self, netloc: str) -> tuple[str, ...]:
        """Sitemap URLs that a host's robots.txt names; empty as long as it has not been fetched."""
        task = self._robots.get(netloc.lower())
        return task.result().sitemaps if task and task.done() else ()

    @property
    def _downloader(self) -> PoliteDownloader:
        assert self.crawler.engine is not None
        downloader = self.crawler.engine.downloader
        assert isinstance(downloader, PoliteDownloader), "RobotsMiddleware needs DOWNLOADER = PoliteDownloader"
        return downloader

    async def _ask(self, request: Request) -> Robots:
        self._count("request_count")
        try:
            return await self._judge(await self._download(request), request)
        except (BlockedAddress, GivenUp) as error:
            return self._unreachable(str(error), cause=error)
        except Exception as error:  # whatever a download handler or a middleware raises
            self._count(f"exception_count/{type(error).__name__}")
            logger.warning("No robots.txt for %s, nothing there is fetched: %r", _netloc(request), error)
            return self._unreachable(f"it could not be read ({error!r})")

    async def _download(self, request: Request) -> Response:
        url = urlparse_cached(request)
        meta = {"dont_obey_robotstxt": True, "allow_offsite": True, "redirect_ttl": MOST_REDIRECTS}
        robots_request = Request(f"{url.scheme}://{_netloc(request)}/robots.txt", meta=meta, callback=NO_CALLBACK)
        assert self.crawler.engine is not None
        return await self.crawler.engine.download_async(robots_request)

    async def _judge(self, response: Response, request: Request) -> Robots:
        self._count("response_count")
        self._count(f"response_status_count/{response.status}")
        if response.status == 429 or not (200 <= response.status < 300 or 400 <= response.status < 500):
            logger.warning("robots.txt of %s: %d, nothing there is fetched", _netloc(request), response.status)
            return self._unreachable(f"it answered {response.status}")
        body = head(response.body) if response.status < 300 else ALLOW_ALL
        parser = ProtegoRobotParser(body, self.crawler.spider)
        self._apply_crawl_delay(parser, request)
        await self.crawler.signals.send_catch_log_async(signals.robots_parsed, robotparser=parser, request=request)
        return Robots(parser=parser, good_until=monotonic() + GOOD_FOR)

    def _unreachable(self, failure: str, *, cause: BlockedAddress | GivenUp | None = None) -> Robots:
        parser = ProtegoRobotParser(DISALLOW_ALL, self.crawler.spider)
        good_until = monotonic() + FAILURE_GOOD_FOR
        return Robots(parser=parser, good_until=good_until, failure=failure, cause=cause)

    def _apply_crawl_delay(self, parser: ProtegoRobotParser, request: Request) -> None:
        asked = parser.crawl_delay(self.user_agent) or 0.0
        if not asked > 0:  # NaN as well
            asked = 0.0
        if asked > self.crawl_delay_max:
            logger.warning(
                "%s asks for %g s between requests; it gets %g s", _netloc(request), asked, self.crawl_delay_max
            )
        downloader = self._downloader
        delay = min(asked, self.crawl_delay_max)
        # What leaves here at the right moment arrives there a little early or late.
        downloader.set_least_delay(downloader.get_slot_key(request), delay + JITTER if delay else 0.0)

    def _count(self, key: str) -> None:
        self.crawler.stats.inc_value(f"robotstxt/{key}")


def product_token(user_agent: str) -> str:
    """`NewsCrawler` of `NewsCrawler/1.0 (+https://…)`: what robots.txt files are matched with."""
    return user_agent.split("/")[0].split()[0] if user_agent.strip(" /") else "*"


def head(body: bytes) -> bytes:
    """The first 500 KiB in whole lines: half a rule could mean something else."""
    return body if len(body) <= MOST_BYTES else body[:MOST_BYTES].rpartition(b"\n")[0]


def _netloc(request: Request) -> str:
    return urlparse_cached(request).netloc.rpartition("@")[2].lower()
