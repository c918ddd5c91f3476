"""Scripts that are kept for the whole crawl: the pages of a site share them."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from time import monotonic

MOST_BYTES = 64 << 20
HEURISTIC = 600.0  # seconds, when a script's own headers say nothing
KEPT = frozenset((200, 404, 410))  # a script that is not there is asked for by each page as well
_MAX_AGE = re.compile(r"\bmax-age=(\d{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the browser is told. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Kept:
    """Answers by key as long as they are fresh, the last used ones; an answer that is on its way is waited for."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._bytes = 0
        self._fresh: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()
        self._on_its_way: dict[Hashable, asyncio.Task[Answer]] = {}

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to `key`, from `fetch` if need be, with whatever that raises."""
        found = self._fresh.get(key)
        if found is not None and found[0] > monotonic():
            self._fresh.move_to_end(key)
            return found[1]
        task = self._on_its_way.get(key)
        if task is None:
            task = self._on_its_way[key] = asyncio.ensure_future(self._fetched(key, fetch))
        return await asyncio.shield(task)

    async def _fetched(self, key: Hashable, fetch: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await fetch()
        finally:
            del self._on_its_way[key]
        self._put(key, answer)
        return answer

    def _put(self, key: Hashable, answer: Answer) -> None:
        self._drop(key)
        seconds = freshness(answer)
        if not seconds or len(answer.body) > self.most_bytes:
            return
        self._fresh[key] = (monotonic() + seconds, answer)
        self._bytes += len(answer.body)
        while self._bytes > self.most_bytes:
            self._drop(next(iter(self._fresh)))

    def _drop(self, key: Hashable) -> None:
        found = self._fresh.pop(key, None)
        if found is not None:
            self._bytes -= len(found[1].body)


def freshness(answer: Answer) -> float:
    """Seconds that an answer may be used again without asking, RFC 9111; heuristic where the server says nothing."""
    control = answer.headers.get("cache-control", "").lower()
    if answer.status not in KEPT or any(word in control for word in ("no-store", "no-cache", "private")):
        return 0.0
    if age := _MAX_AGE.search(control):
        return float(age[1])
    return HEURISTIC
