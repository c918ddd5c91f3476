"""How rendering fails."""

from __future__ import annotations

from scrapy.exceptions import IgnoreRequest

from crawler.errors import PageError


class NotRendered(PageError, IgnoreRequest):
    """The browser made no page of it."""

    reason = "render_failed"

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class BrowserMissing(NotRendered):
    """The source is to be rendered, and there is no browser."""

    reason = "browser_missing"
