"""How many pages may be on their way through the pipelines at once, by their number and by their size."""

from __future__ import annotations

import asyncio


class Room:
    """Enter with a page's bytes, leave with as many. One page may always enter, however large it is."""

    def __init__(self, *, pages: int, size: int) -> None:
        self._most_pages, self._most_bytes = pages, size
        self._pages = self._bytes = 0
        self._left = asyncio.Event()

    async def enter(self, size: int) -> None:
        while self._pages and (self._pages >= self._most_pages or self._bytes + size > self._most_bytes):
            self._left.clear()
            await self._left.wait()
        self._pages += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        self._pages -= 1
        self._bytes -= size
        self._left.set()
