"""A worker and its hosts, piece by piece: what goes wrong with one job or one line ends no more than that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crawler.jobs import fleet
from crawler.jobs.board import Board
from crawler.jobs.fleet import Fleet, Limits
from crawler.jobs.fleet import Host as Child
from crawler.jobs.host import Host
from crawler.jobs.tasks import Task

LIMITS = Limits(processes=1, each=2, silence=60, memory_mb=1e6, crawls=1000, time_max=60)

# A host that ends a job only when it is told to.
CHILD = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in map(json.loads, sys.stdin):
    if "close" in line:
        ended = {"ended": line["close"], "outcome": "told", "detail": "", "crawl_id": None, "stats": {}}
        print(json.dumps(ended), flush=True)
"""


def test_a_log_goes_on_after_a_line_beyond_all_measure_and_when_nobody_reads_it() -> None:
    shown: list[str] = []

    def show(line: str) -> None:
        shown.append(line)
        if line == "one":
            raise BrokenPipeError

    async def run() -> None:
        pipe = asyncio.StreamReader(limit=100)
        child = Child(cast(Any, SimpleNamespace(stderr=pipe)))
        relay = asyncio.ensure_future(Fleet(LIMITS, {}, Board(), show)._relay(child))
        for part in (b"one\n", b"x" * 300, b"\ntwo\n"):
            pipe.feed_data(part)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        pipe.feed_eof()
        await relay

    asyncio.run(run())
    assert (shown[0], shown[-1]) == ("one", "two")


def test_the_host_of_a_job_that_does_not_end_is_ended() -> None:
    killed: list[bool] = []

    async def run() -> None:
        hosts = Fleet(LIMITS, {}, Board())
        pipe = SimpleNamespace(write=lambda line: None)
        child = Child(cast(Any, SimpleNamespace(kill=lambda: killed.append(True), stdin=pipe)))
        child.ready = True
        hosts._hosts.add(child)
        doing = asyncio.ensure_future(hosts.do(Task(job_id=7, name="crawl", arguments={"source": "herald"})))
        while 7 not in child.jobs:
            await asyncio.sleep(0)
        doing.cancel()
        hosts.give_up(8, "it is not here")
        assert not killed
        hosts.give_up(7, "it did not end")
        assert killed and child.fate == "it did not end"

    asyncio.run(run())


def test_a_host_that_cannot_be_started_is_tried_again_and_what_waits_for_it_can_be_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, refused = asyncio.create_subprocess_exec, [BlockingIOError(11, "Resource temporarily unavailable")]

    async def start(*words: Any, **options: Any) -> Any:
        if refused:
            raise refused.pop()
        return await real(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(fleet, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(fleet, "LAUNCHER", CHILD)

    async def run() -> None:
        hosts = Fleet(replace(LIMITS, each=1), {}, Board())
        running = asyncio.ensure_future(hosts.run())
        first, second, third = (
            asyncio.ensure_future(hosts.do(Task(job_id=number, name="crawl", arguments={}))) for number in (1, 2, 3)
        )
        await asyncio.sleep(0)
        hosts.close(2, "aborted")  # no host is there yet
        assert (await asyncio.wait_for(second, 10)).outcome == "aborted"
        while not any(host.jobs for host in hosts._hosts):
            await asyncio.sleep(0.01)
        hosts.close_all("shutdown")  # one has the first job, and no room for the third
        assert [(await asyncio.wait_for(one, 10)).outcome for one in (first, third)] == ["told", "shutdown"]
        assert not running.done() and not hosts._waiting
        await hosts.end(10)
        running.cancel()

    asyncio.run(run())
    assert "no crawl host can be started: [Errno 11] Resource temporarily unavailable" in caplog.text


def test_figures_that_cannot_be_read_cost_no_other_jobs() -> None:
    class Broken:
        def stats(self) -> Mapping[str, Any]:
            raise RuntimeError("dictionary changed size during iteration")

    host = object.__new__(Host)
    host.doing = cast(Any, {1: Broken(), 2: SimpleNamespace(stats=lambda: {"pages": 3})})
    host.told = {1: {}, 2: {}}
    assert [host.news(1), host.news(2), host.news(2)] == [{}, {"pages": 3}, {}]
