"""A worker and its hosts, piece by piece: what goes wrong with one job or one line ends no more than that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from crawler.jobs.board import Board
from crawler.jobs.fleet import Fleet, Limits
from crawler.jobs.fleet import Host as Child
from crawler.jobs.host import Host
from crawler.jobs.tasks import Task

LIMITS = Limits(processes=1, each=2, silence=60, memory_mb=1e6, crawls=1000, time_max=60)


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


def test_figures_that_cannot_be_read_cost_no_other_jobs() -> None:
    class Broken:
        def stats(self) -> Mapping[str, Any]:
            raise RuntimeError("dictionary changed size during iteration")

    host = object.__new__(Host)
    host.doing = cast(Any, {1: Broken(), 2: SimpleNamespace(stats=lambda: {"pages": 3})})
    host.told = {1: {}, 2: {}}
    assert [host.news(1), host.news(2), host.news(2)] == [{}, {"pages": 3}, {}]
