"""Connections that notice when nobody answers: a frozen server and a network that swallows packets raise no error."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
# Seconds, and milliseconds for the last: a peer that is not there any more is known after half a minute.
OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    # The same for the server, which holds our locks until it knows that we are gone; and days are those of UTC.
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4 "
    "-c tcp_user_timeout=30000 -c timezone=UTC",
}


def with_options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """OPTIONS, but what is asked for goes before."""
    given = {**OPTIONS, "application_name": "news-crawler", **asked}
    if asked.get("options"):  # the last of them is the one that holds
        given["options"] = f"{OPTIONS['options']} {asked['options']}"
    return given


class HeedfulConnection(psycopg.Connection[Any]):
    """Tells `heed`, several times a second, for how many seconds the server has been silent; 0 when it no longer is.

    What `heed` raises ends the statement and the connection.
    """

    heed: Callable[[float], None] | None = None

    def wait(self, gen: Generator[Any, Any, T], *how: Any, **more: Any) -> T:
        return super().wait(self._heeded(gen) if self.heed else gen, *how, **more)

    def _heeded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """psycopg resumes its generators with what the socket is ready for: nothing, every 0.1 s that it is not."""
        since, silent, ready = time.monotonic(), False, None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            ready = yield wanted
            assert self.heed
            if ready:
                if silent:
                    self.heed(0.0)
                since, silent = time.monotonic(), False
                continue
            silent = True
            try:
                self.heed(time.monotonic() - since)
            except psycopg.Error:
                self.pgconn.finish()  # an answer that comes now would be taken for another statement's
                raise
