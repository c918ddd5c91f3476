"""A worker's crawl hosts: child processes that are started, given jobs, watched, replaced and ended (see host.py)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.jobs.board import Board
from crawler.jobs.tasks import Ended, Task

logger = logging.getLogger(__name__)
PACKAGE = Path(__file__).resolve().parents[2]
# Not -m: what is run so, each extraction worker would import once more.
LAUNCHER = "import sys; sys.path.insert(0, sys.argv[1]); from crawler.jobs.host import main; sys.exit(main())"
QUIET = "ignore:resource_tracker:UserWarning"  # of a host that is killed, its semaphores are all that is left
LOOK_EVERY = 1.0  # seconds
LONGEST_LINE = 1 << 24  # bytes
FIRST_PAUSE, MAX_PAUSE = 1.0, 30.0  # seconds before another host is started, when one did not come up
START_LIMIT = 60.0  # seconds in which a host has to be up; a busy machine takes long
TO_CLOSE = 600.0  # seconds in which a crawl that has taken too long has to end: it may clean what is stored
SHARED = 4  # connections that a host's jobs share, besides the two that each holds
FAREWELL = 10.0  # seconds in which an idle host ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`each`: jobs at once in a host. The others: see HOST_SILENCE, … and CRAWL_TIME_MAX in settings.py."""

    processes: int
    each: int
    silence: float
    memory_mb: float
    crawls: int
    time_max: float

    @property
    def connections(self) -> int:
        """What each host takes at most."""
        return SHARED + 2 * self.each


@dataclass(eq=False, slots=True)
class Host:
    """A child process as the worker sees it."""

    process: Process
    jobs: dict[int, asyncio.Future[Ended]] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)
    ready: bool = False
    retiring: asyncio.Event = field(default_factory=asyncio.Event)
    done: int = 0
    memory: float = 0.0
    fate: str = ""  # why the worker ended it

    def say(self, line: Mapping[str, Any]) -> None:
        assert self.process.stdin
        with contextlib.suppress(OSError, RuntimeError):  # it is gone: its end tells
            self.process.stdin.write(json.dumps(line).encode() + b"\n")

    def kill(self, why: str) -> None:
        self.fate = self.fate or why
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def dismiss(self) -> None:
        """Let it end: it closes what it has, and then itself."""
        assert self.process.stdin
        self.process.stdin.close()


class Fleet:
    """`settings`: what hosts are started with. `show` is given each line of their logs."""

    def __init__(
        self, limits: Limits, settings: Mapping[str, Any], board: Board, show: Callable[[str], None] | None = None
    ) -> None:
        self.limits, self.board = limits, board
        self._settings = dict(settings)
        self._show = show or (lambda line: print(line, file=sys.stderr, flush=True))
        self._hosts: set[Host] = set()
        self._waiting: dict[int, tuple[Task, asyncio.Future[Ended]]] = {}  # jobs for which no host has room
        self._closing = ""  # why no job is begun any more
        self._leaving = False
        self.ready_at = time.monotonic()  # when a host was last there that takes jobs

    @property
    def pids(self) -> list[int]:
        return [host.process.pid for host in self._hosts]

    async def run(self) -> None:
        """Keep as many hosts as there are to be, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.limits.processes):
                group.create_task(self._keep(group))
            group.create_task(self._watch())

    async def do(self, task: Task) -> Ended:
        """Have a job done by the least busy host; waits until one is there."""
        if self._closing:
            return Ended(outcome=self._closing)
        future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting[task.job_id] = task, future
        self._hand_out()
        try:
            return await future
        finally:
            self._waiting.pop(task.job_id, None)

    def _hand_out(self) -> None:
        """Give what waits to the hosts that have room, the first that came first."""
        while self._waiting and (host := self._free()):
            job_id = next(iter(self._waiting))
            task, host.jobs[job_id] = self._waiting.pop(job_id)
            host.say({"do": job_id, "task": task.name, "arguments": task.arguments})

    def close(self, job_id: int, reason: str) -> None:
        """Have a job end in order; one that waits for a host ends now."""
        if job_id in self._waiting:
            _, future = self._waiting.pop(job_id)
            if not future.done():
                future.set_result(Ended(outcome=reason))
        for host in self._hosts:
            if job_id in host.jobs:
                host.say({"close": job_id, "reason": reason})

    def give_up(self, job_id: int, why: str) -> None:
        """End a host that does not end a job; its other jobs come again."""
        for host in self._hosts:
            if job_id in host.jobs:
                host.kill(why)

    def close_all(self, reason: str) -> None:
        for job_id in [*self._waiting, *(job_id for host in self._hosts for job_id in host.jobs)]:
            self.close(job_id, reason)

    def close_for_good(self, reason: str) -> None:
        """As `close_all`; no other job is begun."""
        self._closing = reason
        self.close_all(reason)

    async def end(self, seconds: float) -> None:
        """Dismiss all hosts; those that do not end in time are killed."""
        self._leaving = True
        for host in self._hosts:
            host.dismiss()
        if waiting := [asyncio.ensure_future(host.process.wait()) for host in self._hosts]:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            if late:
                self.kill("the worker ends")
                await asyncio.wait(late)

    def kill(self, why: str) -> None:
        """All of them, now."""
        self._leaving = True
        for host in self._hosts:
            host.kill(why)

    # -- hosts --------------------------------------------------------------------------------------------------------

    def _free(self) -> Host | None:
        ready = [one for one in self._hosts if one.ready and not one.retiring.is_set() and not one.fate]
        host = min(ready, key=lambda one: len(one.jobs), default=None)
        return host if host and len(host.jobs) < self.limits.each else None

    async def _keep(self, group: asyncio.TaskGroup) -> None:
        """One place in the fleet: whenever its host ends, or is to be replaced, another is started."""
        pause = FIRST_PAUSE
        while not self._leaving:
            try:
                came_up = await self._kept(await self._start(), group)
            except OSError as error:  # no memory, no process, no file is left, for a moment
                logger.warning("no crawl host can be started: %s", error)
                came_up = False
            if came_up:
                pause = FIRST_PAUSE
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE)

    async def _kept(self, host: Host, group: asyncio.TaskGroup) -> bool:
        """Until it ends or is to be replaced; returns whether it came up."""
        ended = group.create_task(self._serve(host))
        retired = asyncio.ensure_future(host.retiring.wait())
        await asyncio.wait([ended, retired], return_when=asyncio.FIRST_COMPLETED)
        retired.cancel()
        return host.ready

    async def _start(self) -> Host:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", QUIET, "-c", LAUNCHER, str(PACKAGE)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is for the worker
        )
        host = Host(process)
        host.say({"settings": self._settings, "connections": self.limits.connections})
        self._hosts.add(host)
        return host

    async def _serve(self, host: Host) -> None:
        """Listen to a host until it ends; what it had not ended then, it never will."""
        log = asyncio.ensure_future(self._relay(host))
        assert host.process.stdout
        try:
            async for line in host.process.stdout:
                self._heard(host, line)
        except ValueError:  # a line beyond all measure
            host.kill("it said what nobody understands")
        status = await host.process.wait()
        with contextlib.suppress(TimeoutError):  # its own children may have the other end
            await asyncio.wait_for(log, 1.0)
        self._hosts.discard(host)
        told = host.fate or ended_by(status)
        if host.jobs or not (self._leaving or host.retiring.is_set()):
            logger.warning("crawl host %d has ended: %s", host.process.pid, told)
        for future in host.jobs.values():
            if not future.done():
                future.set_result(Ended(outcome="shutdown" if self._leaving else "host_died", detail=told))
        host.jobs.clear()

    def _heard(self, host: Host, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:  # half a line, of one that was killed
            return
        host.heard = time.monotonic()
        if "ready" in told:
            host.ready = True
        for job_id, stats in told.get("jobs", {}).items():
            if running := self.board.running.get(int(job_id)):
                running.stats.update(stats)
        host.memory = told.get("memory", host.memory)
        if "ended" in told:
            self._ended(host, told)
        worn = host.done and (host.memory > self.limits.memory_mb or host.done >= self.limits.crawls)
        if worn or told.get("leaving"):
            host.retiring.set()
        if host.retiring.is_set() and not host.jobs:
            host.dismiss()
        if "ready" in told or "ended" in told:
            self._hand_out()

    def _ended(self, host: Host, told: Mapping[str, Any]) -> None:
        job_id = told["ended"]
        host.done += 1
        if running := self.board.running.get(job_id):
            running.stats.update(told["stats"])
        future = host.jobs.pop(job_id, None)
        if future is not None and not future.done():
            future.set_result(
                Ended(outcome=told["outcome"], detail=told["detail"], crawl_id=told["crawl_id"], stats=told["stats"])
            )

    async def _relay(self, host: Host) -> None:
        """Whatever comes, and whoever does not want to see it: a host whose log nobody reads stands still."""
        assert host.process.stderr
        while True:
            try:
                line = await host.process.stderr.readline()
            except ValueError:  # a line beyond all measure
                continue
            if not line:
                return
            with contextlib.suppress(OSError, ValueError):  # nobody reads ours
                self._show(line.decode(errors="replace").rstrip())

    async def _watch(self) -> None:
        """A host that has not spoken for long, hangs."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if any(host.ready for host in self._hosts):
                self.ready_at = time.monotonic()
            for host in self._hosts:
                silent = time.monotonic() - host.heard
                if silent > (self.limits.silence if host.ready else max(self.limits.silence, START_LIMIT)):
                    host.kill(f"it had said nothing for {silent:.0f} s")
                for job in [self.board.running[job_id] for job_id in host.jobs if job_id in self.board.running]:
                    taken = time.monotonic() - job.started
                    if job.task == "crawl" and taken > self.limits.time_max + TO_CLOSE:
                        host.kill(f"the crawl of {job.source} did not end")


def ended_by(status: int) -> str:
    """A process's status in words."""
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def cores() -> int:
    """Those that this process may use."""
    with contextlib.suppress(AttributeError):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
