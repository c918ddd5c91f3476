"""A real crawl in a process of its own: a job comes in as JSON on stdin, what became of each URL goes out on stdout."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler.downloader import resolver
from crawler.errors import HostUnavailable
from crawler.items import StoredRobots
from crawler.spiders import fetches

LISTENING = "0A"  # a socket's state in /proc/net/tcp


class HopMiddleware:
    """Plays a host on the public internet, which a test cannot have: `http://public.test/?<url>` redirects to <url>."""

    def process_request(self, request: Request) -> Response | None:
        if not request.url.startswith("http://public.test/"):
            return None
        target = request.url.partition("?")[2]
        return Response(request.url, status=302 if target else 404, headers={"Location": target})


class SubjectSpider(Spider):
    name = "subject"
    job: dict[str, Any]
    found: dict[str, Any]
    hosts: Any = None

    async def start(self) -> AsyncIterator[Request]:
        for url in self.job["urls"]:
            yield Request(
                url,
                callback=self.parse,
                errback=self.fail,
                dont_filter=True,
                cb_kwargs={"asked": url},
                meta={"handle_httpstatus_list": fetches.HANDLED_STATUSES, **self.job["meta"].get(url, {})},
            )

    def parse(self, response: Response, asked: str) -> None:
        lost = fetches.judged(response)
        self.found["listening"] = max(self.found["listening"], listening())
        self.found["outcomes"][asked] = str(response.status)
        self.found["words"][asked] = lost.outcome if lost else "page"
        self.found["bodies"][asked] = response.body[:200].decode("latin-1")

    def fail(self, failure: Failure) -> None:
        error = failure.value
        request: Request = failure.request  # type: ignore[attr-defined]  # Scrapy puts it there
        asked = request.cb_kwargs["asked"]
        lost = fetches.lost(failure)
        self.found["outcomes"][asked] = f"{type(error).__name__}: {getattr(error, 'reason', '')}: {error}"
        self.found["words"][asked] = lost.outcome
        self.found["bodies"][asked] = lost.detail


class Gate:
    """A spider's `hosts` that notes how it is called. `shut.test` it lets nobody in to, `full.test` it refuses."""

    def __init__(self, known: Mapping[str, Mapping[str, Any]], calls: list[list[Any]]) -> None:
        self.stored, self.calls = known, calls

    async def enter(self, host: str, *, slots: int, delay: float) -> str:
        self.calls.append(["enter", host, slots, delay])
        if host == "shut.test":
            await asyncio.Event().wait()
        if host == "full.test":
            raise HostUnavailable("full.test is busy")
        await asyncio.sleep(0.01)
        return host

    def leave(self, host: Hashable) -> None:
        self.calls.append(["leave", host])

    def held(self, host: str, seconds: float) -> None:
        self.calls.append(["held", host, seconds])

    async def known(self, origin: str) -> StoredRobots | None:
        given = self.stored.get(origin)
        if given is None:
            return None
        return StoredRobots(
            body=given["body"].encode(),
            status=given["status"],
            failure=given["failure"],
            fetched_at=datetime.fromisoformat(given["fetched_at"]),
            good_until=datetime.fromisoformat(given["good_until"]),
        )

    async def learned(self, origin: str, robots: StoredRobots) -> None:
        self.calls.append(["learned", origin, {name: str(value) for name, value in asdict(robots).items()}])


def listening() -> int:
    """How many of this process' sockets take connections."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    waiting = {columns[9] for table in tables for line in table if (columns := line.split())[3] == LISTENING}
    ours = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own is closed by now
            ours.add(str(link.readlink()))
    return sum(f"socket:[{inode}]" in ours for inode in waiting)


def play_dns(names: dict[str, list[str]], turning: Sequence[str]) -> None:
    """Let the C library know `names`; the rest is as ever. Those `turning` have another address at each look."""
    ask = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = (host.decode() if isinstance(host, bytes) else host or "").rstrip(".").lower()
        if name not in names:
            return ask(host, *args, **kwargs)
        addresses = names[name]
        if name in turning:
            addresses, names[name] = addresses[:1], addresses[1:] or addresses
        return [answer for address in addresses for answer in ask(address, *args, **kwargs)]

    def gethostbyname(host: str) -> str:
        return str(getaddrinfo(host, None, socket.AF_INET)[0][4][0])

    socket.getaddrinfo = getaddrinfo
    socket.gethostbyname = gethostbyname


def play_internet(public: Sequence[str]) -> None:
    """Let these addresses count as public, and no answer of the DNS be kept."""
    judge = resolver.is_public
    resolver.is_public = lambda address: str(address) in public or judge(address)
    resolver.GOOD_FOR = 0.0


def main() -> None:
    job = json.load(sys.stdin)
    play_dns(job["names"], job["turning"])
    if job["public"]:
        play_internet(job["public"])
    found: dict[str, Any] = {"outcomes": {}, "words": {}, "bodies": {}, "listening": 0, "calls": []}
    hosts = None if job["known"] is None else Gate(job["known"], found["calls"])
    process = AsyncCrawlerProcess(job["settings"])
    crawler = process.create_crawler(SubjectSpider)
    process.crawl(crawler, job=job, found=found, hosts=hosts)
    process.start()
    stats = {key: value for key, value in crawler.stats.get_stats().items() if isinstance(value, int)}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump({**found, "stats": stats, "memory": memory}, sys.stdout)


if __name__ == "__main__":
    main()
