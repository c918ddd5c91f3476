"""A small HTTP/1.1 server in a background thread: keep-alive, pipelining, GET and HEAD, conditional requests.

It exists because `http.server` spends a thread and most of a millisecond on each request.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self, cast


class Request(NamedTuple):
    """A request's first line and headers; header names are in lower case, the path has no query."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """What is served at a path. `body` is called only when it has to be sent."""

    body: Callable[[], bytes]
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    etag: str | None = None
    modified: datetime | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def unchanged(self, headers: dict[str, str]) -> bool:
        """Whether the client's copy is current. If-None-Match wins over If-Modified-Since (RFC 9110, 13.2.2)."""
        if self.etag and (known := headers.get("if-none-match")):
            return self.etag in known
        if self.modified and (since := headers.get("if-modified-since")):
            return self.modified.replace(microsecond=0) <= _date(since)
        return False


def _date(text: str) -> datetime:
    """An HTTP date; one that is none counts as long ago, so that the client gets the page."""
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


Handler = Callable[[Request], Resource]


class Connection(asyncio.Protocol):
    """One client's connection; requests are answered in the order in which they come."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, version = [*first.split(), "", "", ""][:3]
        headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        if target.startswith("http://"):  # as a proxy is asked
            headers["host"], slash, path = target.removeprefix("http://").partition("/")
            target = slash + path
        request = Request(method, target.partition("?")[0], headers)
        if self.server.latency:
            asyncio.get_running_loop().call_later(self.server.latency, self._send, request, version)
        else:
            self._send(request, version)

    def _send(self, request: Request, version: str) -> None:
        method, _, headers = request
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close" and method in ("GET", "HEAD")
        self.transport.write(respond(request, self.server.handler(request), keep=keep))
        if not keep:
            self.transport.close()


def respond(request: Request, resource: Resource, *, keep: bool) -> bytes:
    """The bytes of the answer."""
    unchanged = resource.status == 200 and resource.unchanged(request.headers)
    status = HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus(resource.status)
    body = b"" if unchanged else resource.body()
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Connection: {'keep-alive' if keep else 'close'}"]
    if not unchanged:
        lines += [f"Content-Type: {resource.content_type}", f"Content-Length: {len(body)}"]
    if resource.etag:
        lines.append(f"ETag: {resource.etag}")
    if resource.modified:
        lines.append(f"Last-Modified: {format_datetime(resource.modified.astimezone(UTC), usegmt=True)}")
    lines += [f"{name}: {text}" for name, text in resource.headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return head if request.method == "HEAD" else head + body


class Server:
    """Serves `handler`, in a thread, while the context is open; each answer comes `latency` seconds late."""

    def __init__(self, handler: Handler, port: int = 0, *, host: str = "127.0.0.1", latency: float = 0.0) -> None:
        self.handler = handler
        self.host, self.port = host, port  # 0 until the kernel has chosen one
        self.latency = latency
        self.connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="newspaper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._end()

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(lambda: Connection(self), self.host, self.port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._listener.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # lets connection_lost run, or the sockets are reported as leaked

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
