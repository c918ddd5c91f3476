"""A web server on loopback that plays many hosts and writes down when each request came and went."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.post import serving


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html>ok</html>"
    pause: float = 0.0  # seconds before it is sent


@dataclass(frozen=True, kw_only=True)
class Visit:
    host: str
    path: str
    came: float  # monotonic seconds
    went: float


Script = Callable[[str, str, int], Answer]  # host, path, how many came to this host before


@dataclass
class Hosts:
    """The running server. Visits are in the order in which they came."""

    port: int = 0
    visits: list[Visit] = field(default_factory=list)

    def to(self, host: str, *, robots: bool = False) -> list[Visit]:
        found = [v for v in self.visits if v.host == host and (robots or v.path != "/robots.txt")]
        return sorted(found, key=lambda visit: visit.came)

    def paths(self, host: str) -> list[str]:
        return sorted(visit.path for visit in self.to(host))

    def most_at_once(self, host: str) -> int:
        visits = self.to(host)
        return max((sum(v.came <= one.came < v.went for v in visits) for one in visits), default=0)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # a refused connection would cost a request one of its retries


@contextmanager
def serve(script: Script) -> Iterator[Hosts]:
    hosts = Hosts()
    with serving(_Server(("127.0.0.1", 0), _handler(script, hosts))) as server:
        hosts.port = server.server_port
        yield hosts


def _handler(script: Script, hosts: Hosts) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()
    seen: dict[tuple[str, bool], int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came = time.monotonic()
            url = urlsplit(self.path)  # absolute if we are asked as a proxy
            host = url.hostname or urlsplit(f"//{self.headers['Host']}").hostname or ""
            with lock:
                before = seen.get(key := (host, url.path == "/robots.txt"), 0)
                seen[key] = before + 1
            answer = script(host, url.path, before)
            time.sleep(answer.pause)
            with lock:  # before it is sent: whoever reads the answer finds the visit noted
                hosts.visits.append(Visit(host=host, path=url.path, came=came, went=time.monotonic()))
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
