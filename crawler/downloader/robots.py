"""robots.txt, after RFC 9309.

Scrapy 2.19's middleware judges only the first two requests that wait for a host's robots.txt, lets everything pass
when the file cannot be read, and does not apply Crawl-delay.

- One request fetches the file of an origin (scheme, host, port); all others wait for its answer. They are parked
  meanwhile, and have not joined the host's queue yet, so the file cannot wait behind them.
- 2xx: its rules count. 4xx: everything is allowed. All else, and no answer at all, means nothing is.
- 2026-11: 429 is not taken for a missing file, as the RFC would permit: a host under load should not get more requests.
- Rules are good for a day; a failure is asked about again after ten minutes. A spider's `hosts` (`Memory`), if it has
  one, keeps both for the next run.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from scrapy import Request, signals
from scrapy.exceptions import IgnoreRequest, NotConfigured
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import ProtegoRobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawler.downloader.resolver import BlockedAddress
from crawler.downloader.robots_rules import rules_for
from crawler.downloader.slots import SOURCE, PoliteDownloader
from crawler.errors import HostUnavailable, PageError
from crawler.items import StoredRobots
from crawler.urls import origin_of

if TYPE_CHECKING:
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.http import Response

JITTER = 0.1  # seconds on top of a Crawl-delay
logger = logging.getLogger(__name__)

MOST_BYTES = 500 * 1024  # what RFC 9309 asks for at least
MOST_REDIRECTS = 5
GOOD_FOR = timedelta(days=1)
FAILURE_GOOD_FOR = timedelta(minutes=10)

DISALLOW_ALL = b"User-agent: *\nDisallow: /"


class RobotsForbidden(PageError, IgnoreRequest):
    """Forbidden by robots.txt"""

    reason = "robots_forbidden"


class RobotsUnreachable(RobotsForbidden):
    """Forbidden by robots.txt: it could not be read"""

    reason = "robots_unreachable"


class Memory(Protocol):
    """Keeps robots.txt files over runs. Neither method raises: what cannot be kept is asked for again."""

    async def known(self, origin: str) -> StoredRobots | None:
        """What is known of an origin and still good."""

    async def learned(self, origin: str, robots: StoredRobots) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Robots:
    """The rules of one origin. `error`: why there are none; `ours`: a decision of ours, which goes for pages too."""

    parser: ProtegoRobotParser
    good_until: datetime
    failure: str | None = None
    error: Exception | None = None
    ours: bool = False


class RobotsMiddleware:
    """Instead of RobotsTxtMiddleware, at its place 100. Needs PoliteDownloader."""

    def __init__(self, crawler: Crawler, *, user_agent: str, crawl_delay_max: float = 30.0) -> None:
        self.crawler = crawler
        self.user_agent = user_agent
        self.crawl_delay_max = crawl_delay_max
        self._robots: dict[tuple[str, bool], asyncio.Task[Robots]] = {}  # by origin, and whether its certificate counts

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        settings = crawler.settings
        if not settings.getbool("ROBOTSTXT_OBEY"):
            raise NotConfigured
        user_agent = product_token(settings.get("ROBOTSTXT_USER_AGENT") or settings["USER_AGENT"])
        return cls(crawler, user_agent=user_agent, crawl_delay_max=settings.getfloat("CRAWL_DELAY_MAX", 30.0))

    async def process_request(self, request: Request) -> None:
        """Raise RobotsForbidden, an IgnoreRequest, for what the host does not want fetched.

        The cause of a RobotsUnreachable is why the file could not be had.
        """
        if request.meta.get("dont_obey_robotstxt") or urlparse_cached(request).scheme not in {"http", "https"}:
            return
        self._downloader.refuse(request)  # its robots.txt is not asked for either
        robots = await self.robots(request)
        if robots.ours and robots.error:
            raise robots.error.with_traceback(None)
        if robots.parser.allowed(request.url, self.user_agent):
            return
        self._count("forbidden")
        if robots.failure:
            raise RobotsUnreachable(f"Forbidden by robots.txt: {robots.failure}") from robots.error
        raise RobotsForbidden

    async def robots(self, request: Request) -> Robots:
        """The rules that govern a request, fetched if need be. Never raises."""
        key = (origin_of(request.url), _verified(request))
        task = self._robots.get(key)
        if task is None or (task.done() and task.result().good_until < datetime.now(UTC)):
            task = self._robots[key] = asyncio.create_task(self._learn(request))
        with self._downloader.parked():
            # Shielded: the request that happens to ask may be cancelled without the others losing their answer.
            return await asyncio.shield(task)

    @property
    def _downloader(self) -> PoliteDownloader:
        assert self.crawler.engine is not None
        downloader = self.crawler.engine.downloader
        assert isinstance(downloader, PoliteDownloader), "RobotsMiddleware needs DOWNLOADER = PoliteDownloader"
        return downloader

    @property
    def _memory(self) -> Memory | None:
        return getattr(self.crawler.spider, "hosts", None)

    async def _learn(self, request: Request) -> Robots:
        stored, error = await self._recalled(request), None
        if stored is None:
            self._count("request_count")
            try:
                stored = self._judged(await self._download(request), request)
            except Exception as problem:  # whatever a download handler or a middleware raises
                if _is_ours(problem, request):
                    return self._refused(problem)
                stored, error = self._failed(problem, request), problem.with_traceback(None)
            if self._memory:
                await self._memory.learned(origin_of(request.url), stored)
        return await self._applied(stored, request, error)

    async def _recalled(self, request: Request) -> StoredRobots | None:
        stored = await self._memory.known(origin_of(request.url)) if self._memory else None
        if stored is None or stored.good_until < datetime.now(UTC):
            return None
        if stored.failure and not _verified(request):  # it may have been the certificate
            return None
        self._count("recalled")
        return stored

    async def _download(self, request: Request) -> Response:
        meta = {"dont_obey_robotstxt": True, "allow_offsite": True, "redirect_ttl": MOST_REDIRECTS}
        if not _verified(request):
            meta["verify_tls"] = False
        if SOURCE in request.meta:
            meta[SOURCE] = request.meta[SOURCE]
        robots_request = Request(f"{origin_of(request.url)}/robots.txt", meta=meta, callback=NO_CALLBACK)
        assert self.crawler.engine is not None
        return await self.crawler.engine.download_async(robots_request)

    def _judged(self, response: Response, request: Request) -> StoredRobots:
        self._count("response_count")
        self._count(f"response_status_count/{response.status}")
        if response.status == 429 or not (200 <= response.status < 300 or 400 <= response.status < 500):
            logger.warning("robots.txt of %s: %d, nothing there is fetched", origin_of(request.url), response.status)
            return _stored(response.status, failure=f"it answered {response.status}")
        return _stored(response.status, body=head(response.body) if response.status < 300 else b"")

    def _failed(self, error: Exception, request: Request) -> StoredRobots:
        self._count(f"exception_count/{type(error).__name__}")
        logger.warning("No robots.txt for %s, nothing there is fetched: %r", origin_of(request.url), error)
        return _stored(None, failure=f"it could not be read ({error!r})")

    def _refused(self, error: Exception) -> Robots:
        parser = ProtegoRobotParser(DISALLOW_ALL, self.crawler.spider)
        is_of_source = getattr(error, "reason", None) == "source_disabled"  # others of this origin may ask at once
        good_until = datetime.now(UTC) + (timedelta(0) if is_of_source else FAILURE_GOOD_FOR)
        return Robots(parser=parser, good_until=good_until, failure=str(error), error=error, ours=True)

    async def _applied(self, stored: StoredRobots, request: Request, error: Exception | None) -> Robots:
        text = rules_for(self.user_agent, stored.body.decode("utf-8-sig", "ignore"))
        parser = ProtegoRobotParser(DISALLOW_ALL if stored.failure else text.encode(), self.crawler.spider)
        if not stored.failure:
            self._apply_crawl_delay(parser, request)
            await self.crawler.signals.send_catch_log_async(signals.robots_parsed, robotparser=parser, request=request)
        return Robots(parser=parser, good_until=stored.good_until, failure=stored.failure, error=error)

    def _apply_crawl_delay(self, parser: ProtegoRobotParser, request: Request) -> None:
        asked = parser.crawl_delay(self.user_agent) or 0.0
        if asked > self.crawl_delay_max:
            logger.warning(
                "%s asks for %g s between requests; it gets %g s", origin_of(request.url), asked, self.crawl_delay_max
            )
        downloader = self._downloader
        delay = min(asked, self.crawl_delay_max)
        # What leaves here at the right moment arrives there a little early or late.
        least = delay + JITTER if delay else 0.0
        downloader.set_least_delay(downloader.get_slot_key(request), least, of=origin_of(request.url))

    def _count(self, key: str) -> None:
        self.crawler.stats.inc_value(f"robotstxt/{key}")


def product_token(user_agent: str) -> str:
    """`NewsCrawler` of `NewsCrawler/1.0 (+https://…)`: what robots.txt files are matched with."""
    return user_agent.split("/")[0].split()[0] if user_agent.strip(" /") else "*"


def head(body: bytes) -> bytes:
    """The first 500 KiB in whole lines: half a rule could mean something else."""
    return body if len(body) <= MOST_BYTES else body[:MOST_BYTES].rpartition(b"\n")[0]


def _stored(status: int | None, *, body: bytes = b"", failure: str | None = None) -> StoredRobots:
    now = datetime.now(UTC)
    good_for = FAILURE_GOOD_FOR if failure else GOOD_FOR
    return StoredRobots(body=body, status=status, failure=failure, fetched_at=now, good_until=now + good_for)


def _is_ours(error: Exception, request: Request) -> bool:
    """Whether we did not ask the host at all. One that redirects its robots.txt to a private address was asked."""
    if isinstance(error, BlockedAddress):
        return error.host == urlparse_cached(request).hostname
    return isinstance(error, HostUnavailable)


def _verified(request: Request) -> bool:
    return request.meta.get("verify_tls") is not False
