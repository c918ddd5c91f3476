"""The Chromium that renders: how it is started, cut off from every network, kept small, and never left behind.

A page is a context of its own, so no cookie and no storage outlives it.

The driver of Playwright is a child of this process, Chromium hangs on a pipe of the driver: whichever is killed, the
rest goes with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, CDPSession, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from crawler.downloader.browser.errors import BrowserMissing, NotRendered

PAGES_EACH = 200  # then a new Chromium takes over: what leaks is given back
START_WITHIN = 30.0  # seconds
PATIENCE = 5.0  # seconds for what should take none
WATCH_EVERY = 0.5  # seconds

# Playwright 1.65 lets redirects, requests of shared workers and some others pass unasked. Tried 2026-11 with Chromium
# 156: with these arguments no fetch, frame, popup, worker, socket, beacon, prefetch, WebRTC or WebTransport sent a
# packet to a port that listened on loopback; without them popups and STUN did.
NO_NETWORK = (
    "--proxy-server=http://nowhere.invalid:9",
    "--proxy-bypass-list=<-loopback>",  # otherwise loopback is asked without the proxy
    "--host-resolver-rules=MAP * ~NOTFOUND",  # names and literal addresses, and the proxy itself
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # its name of old
    "--disable-quic",
)
SMALL = (
    "--blink-settings=imagesEnabled=false",
    "--disable-gpu",
    "--js-flags=--max-old-space-size=512",  # MB
)
# Chromium gets nothing of our own environment, which may hold passwords.
ENVIRONMENT: dict[str, str | float | bool] = {"PATH": os.defpath, "HOME": "/nonexistent", "LANG": "C.UTF-8"}

logger = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True, slots=True)
class Running:
    """One Chromium with its driver."""

    driver: Playwright
    browser: Browser
    control: CDPSession
    pid: int
    watch: asyncio.Task[None] | None = None
    given: int = 0
    open: int = 0


class Chromium:
    """Starts with the first page, anew after PAGES_EACH pages and whenever it is gone."""

    def __init__(self, program: str, *, user_agent: str, most_memory: int) -> None:
        self.program = program
        self.user_agent = user_agent
        self.most_memory = most_memory  # bytes of one renderer
        self._lock = asyncio.Lock()
        self._current: Running | None = None
        self._all: set[Running] = set()

    @asynccontextmanager
    async def context(self) -> AsyncIterator[BrowserContext]:
        """A context for one page. Raises BrowserMissing if no browser starts, NotRendered if it has just died."""
        running = await self._one()
        try:
            context = await self._new_context(running)
            try:
                yield context
            finally:
                await self._close_context(running, context)
        finally:
            running.open -= 1
            if running is not self._current and not running.open:
                await self._end(running)

    async def close(self) -> None:
        """End every Chromium, whatever it does."""
        async with self._lock:
            self._current = None
            for running in list(self._all):
                await self._end(running)

    async def _one(self) -> Running:
        async with self._lock:
            now = self._current
            if now is None or now.given >= PAGES_EACH or not now.browser.is_connected():
                self._current = await self._launched()
                if now is not None and not now.open:
                    await self._end(now)
                now = self._current
            now.given += 1
            now.open += 1
            return now

    async def _launched(self) -> Running:
        driver = await async_playwright().start()
        try:
            async with asyncio.timeout(START_WITHIN):
                browser = await self._launched_by(driver)
                control = await browser.new_browser_cdp_session()
                (pid,) = await _pids(control, "browser")
        except (PlaywrightError, TimeoutError) as error:
            await _stopped(driver)
            why = reason(error) if isinstance(error, PlaywrightError) else f"it says nothing for {START_WITHIN:g} s"
            raise BrowserMissing(f"{self.program} does not start: {why}") from error
        running = Running(driver=driver, browser=browser, control=control, pid=pid)
        running.watch = asyncio.create_task(self._watch(running))
        self._all.add(running)
        return running

    async def _launched_by(self, driver: Playwright) -> Browser:
        return await driver.chromium.launch(
            executable_path=self.program,
            args=[*NO_NETWORK, *SMALL],
            chromium_sandbox=os.geteuid() != 0,  # as root Chromium refuses to start with it
            env=ENVIRONMENT,
            handle_sighup=False,
            handle_sigint=False,  # Ctrl-C ends the crawl, and the crawl the browser
            handle_sigterm=False,
        )

    async def _new_context(self, running: Running) -> BrowserContext:
        try:
            async with asyncio.timeout(PATIENCE):
                return await running.browser.new_context(
                    user_agent=self.user_agent, service_workers="block", accept_downloads=False
                )
        except TimeoutError:
            self._kill(running)
            raise NotRendered("the browser opens no page") from None
        except PlaywrightError as error:
            self._discard(running)
            raise NotRendered(reason(error)) from error

    async def _close_context(self, running: Running, context: BrowserContext) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await context.close()
        except TimeoutError:
            self._kill(running)
        except PlaywrightError:  # gone already
            return

    def _kill(self, running: Running) -> None:
        logger.warning("the browser does not answer and is ended")
        self._discard(running)
        _kill_group(running.pid)

    def _discard(self, running: Running) -> None:
        """Give it no more pages; it is ended when its last one is closed."""
        if running is self._current:
            self._current = None

    async def _watch(self, running: Running) -> None:
        """Kill renderers that have grown too big; their pages crash, the rest goes on."""
        with suppress(PlaywrightError):
            while True:
                await asyncio.sleep(WATCH_EVERY)
                for pid in await _pids(running.control, "renderer"):
                    if _memory(pid) > self.most_memory:
                        logger.warning("a page took more than %d MB and is closed", self.most_memory >> 20)
                        _kill(pid)

    async def _end(self, running: Running) -> None:
        if running not in self._all:
            return
        self._all.discard(running)
        if running.watch is not None:
            running.watch.cancel()
        try:
            async with asyncio.timeout(PATIENCE):
                await running.browser.close()
        except TimeoutError:
            _kill_group(running.pid)
        except PlaywrightError:
            pass
        await _stopped(running.driver)


def reason(error: PlaywrightError) -> str:
    """What a person needs of an error of Playwright: its first line, or Chromium's own complaint."""
    lines = [line.strip(" -") for line in error.message.splitlines() if line.strip(" -")]
    complaints = [line for line in lines if "FATAL" in line or "No usable sandbox" in line]
    return next(iter(complaints or lines), "no reason given")[:300]


async def _stopped(driver: Playwright) -> None:
    with suppress(Exception):  # it may have died, and Playwright tells that by various errors
        async with asyncio.timeout(PATIENCE):
            await driver.stop()


async def _pids(control: CDPSession, kind: str) -> list[int]:
    found = await control.send("SystemInfo.getProcessInfo")
    return [process["id"] for process in found["processInfo"] if process["type"] == kind]


def _memory(pid: int) -> int:
    """Bytes of it that are in memory; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        group = os.getpgid(pid)
        if group != os.getpgrp():  # Playwright starts it in a group of its own
            os.killpg(group, signal.SIGKILL)
