"""How far a re-extraction is, on a terminal: pages, rate, what is left."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.status import Status

from crawler.store.slices import Extent

REFRESH = 0.5  # seconds


class Pace:
    """Of one process at it; what others do is seen with each slice."""

    def __init__(self, status: Status | None) -> None:
        self.status = status
        self.done = self.changed = self.total = self.before = 0
        self.started = self.shown_at = time.monotonic()

    def told(self, extent: Extent) -> None:
        if not self.total:
            self.before = extent.looked_at
        self.done, self.total = max(self.done, extent.looked_at), extent.pages
        self.show()

    def met(self, pages: int, changes: int) -> None:
        self.done, self.changed = self.done + pages, self.changed + changes
        self.show()

    def show(self) -> None:
        now = time.monotonic()
        if self.status is None or now - self.shown_at < REFRESH:
            return
        self.shown_at = now
        rate = max(1, self.done - self.before) / (now - self.started)
        left = timedelta(seconds=round(max(0, self.total - self.done) / rate))
        self.status.update(
            f"{self.done:,} of {self.total:,} pages, {rate:.0f}/s, {left} left; {self.changed:,} would change"
        )
