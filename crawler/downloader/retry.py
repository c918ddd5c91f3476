"""Retries wait, ever longer, before they go out again.

Scrapy's own middleware retries at once. This one only says how long to wait; the waiting is done by
`slots.PoliteDownloader`, where it holds up no other request. A Retry-After of the host is waited for on top.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from scrapy.downloadermiddlewares.retry import RetryMiddleware

from crawler.downloader.slots import PAUSE
from crawler.failures import outcome_of

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.http import Response
    from scrapy.settings import BaseSettings


class BackoffRetryMiddleware(RetryMiddleware):
    """RetryMiddleware with exponential back-off: RETRY_BACKOFF_BASE doubles with each retry up to RETRY_BACKOFF_MAX."""

    def __init__(self, settings: BaseSettings) -> None:
        super().__init__(settings)
        self.base = settings.getfloat("RETRY_BACKOFF_BASE", 1.0)
        self.longest = settings.getfloat("RETRY_BACKOFF_MAX", 60.0)

    def process_exception(
        self, request: Request, exception: Exception, spider: object = None
    ) -> Request | Response | None:
        """A certificate is no better a few seconds later."""
        return None if outcome_of(exception) == "tls" else super().process_exception(request, exception)

    def _retry(self, request: Request, reason: str | Exception | type[Exception]) -> Request | None:
        retried = super()._retry(request, reason)
        if retried is not None:
            retried.meta[PAUSE] = backoff(retried.meta["retry_times"], base=self.base, longest=self.longest)
        return retried


def backoff(attempt: int, *, base: float, longest: float) -> float:
    """Seconds to wait before the retry number `attempt` (from 1): half fixed, half random.

    The random half keeps requests that failed together from coming back together.
    """
    # min() on the exponent: a float overflows at 2 ** 1024.
    ceiling = min(longest, base * 2.0 ** min(attempt - 1, 64))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, keeps no secret)
