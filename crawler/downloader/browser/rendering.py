"""One page in the browser: what it may ask for, when it is finished, and what has become of it.

It is looked at from a script world of its own (CDP), where nothing that the page redefines is seen.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from crawler.downloader.browser.chromium import reason
from crawler.downloader.browser.errors import NotRendered
from crawler.downloader.browser.routing import Routing

if TYPE_CHECKING:
    from scrapy.http import TextResponse

    from crawler.downloader.browser.subresources import Subresources

LOOK_EVERY = 0.25  # seconds
QUIET = 1.0  # seconds without an answer and without new text, nothing being under way: the page is finished
STALLED = 15.0  # seconds of the same although something is under way: nothing more is waited for
GRACE = 5.0  # seconds to hand the page over
GROWTH = 200  # characters of text; less is "Loading" or "Something went wrong"
EVERYTHING = re.compile("")
# What would end the page, or open a way that has no use here.
TAMED = """
window.close = window.print = () => {};
for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport']) delete window[name];
"""
_STATE = "[document.readyState, document.documentElement?.textContent.length ?? 0]"
_DOCUMENT = """(() => {
    const root = document.documentElement, html = root ? root.outerHTML : '';
    const type = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : '';
    return html.length > %d ? null : type + html;
})()"""


class Rendering:
    """An answer of ours on its way through a page. `check` is called now and then and may raise."""

    def __init__(
        self,
        document: TextResponse,
        subresources: Subresources,
        *,
        seconds: float,
        most_bytes: int,
        check: Callable[[], None],
    ) -> None:
        self.document = document
        self._limit = asyncio.timeout(seconds)
        self.most_bytes = most_bytes
        self.check = check
        self.routing = Routing(document, subresources, lambda: self._lose("it asks for too much"))
        self._gone: str | None = None
        self._length = 0

    async def html(self, context: BrowserContext) -> str:
        """The page once it is finished, or after `seconds` as it is then. Raises NotRendered."""
        session: CDPSession | None = None
        try:
            with suppress(TimeoutError):
                async with self._limit:
                    page, session = await self._opened(context)
                    await page.goto(self.document.url, wait_until="commit", timeout=0)
                    await self._finished(session)
            async with asyncio.timeout(GRACE):
                return await self._handed_over(session)
        except TimeoutError:
            raise NotRendered("its scripts do not come to an end", reason="timeout") from None
        except PlaywrightError as error:
            raise NotRendered(self._gone or reason(error)) from error
        finally:
            self.routing.over = True

    async def _opened(self, context: BrowserContext) -> tuple[Page, CDPSession]:
        await context.add_init_script(TAMED)
        await context.route(EVERYTHING, self.routing.answer)
        page = await context.new_page()
        page.on("crash", lambda _: self._lose("its page crashed"))
        page.on("close", lambda _: self._lose("its page was closed"))
        context.on("page", lambda popup: asyncio.ensure_future(_closed(popup)))
        return page, await context.new_cdp_session(page)

    def _lose(self, why: str) -> None:
        """Such a page gives no answer any more, or hardly one."""
        self._gone = self._gone or why
        with suppress(RuntimeError):  # it is not waited for any more
            self._limit.reschedule(0)

    async def _finished(self, session: CDPSession) -> None:
        changed = monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.check()
            state, length = await self._evaluated(session, _STATE)
            if length > self.most_bytes:
                return
            if length != self._length:
                self._length, changed = length, monotonic()
            idle = monotonic() - max(changed, self.routing.answered)
            busy = self.routing.open or state == "loading"
            if idle >= (STALLED if busy else QUIET):
                return

    async def _handed_over(self, session: CDPSession | None) -> str:
        if self._gone:
            raise NotRendered(self._gone)
        if session is None or not self.routing.given:
            raise NotRendered("the browser did not open it in time", reason="timeout")
        # Both reach a script that never ends, and nothing else does.
        await session.send("Emulation.setScriptExecutionDisabled", {"value": True})
        await session.send("Runtime.terminateExecution")
        await asyncio.sleep(LOOK_EVERY)  # what stands below such a script is read only now
        self._length = (await self._evaluated(session, _STATE))[1]
        html = await self._evaluated(session, _DOCUMENT % self.most_bytes)
        if html is None or len(html.encode("utf-8", "replace")) > self.most_bytes:
            raise NotRendered("its scripts made it larger than DOWNLOAD_MAXSIZE", reason="too_large")
        self._complain_if_incomplete()
        return str(html)

    async def _evaluated(self, session: CDPSession, expression: str) -> Any:
        frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]
        if not frame["url"].startswith("http"):  # what needs no request cannot be refused
            raise NotRendered(f"it went away to {frame['url'][:100]}")
        world = await session.send("Page.createIsolatedWorld", {"frameId": frame["id"], "worldName": "crawler"})
        asked = {"expression": expression, "contextId": world["executionContextId"], "returnByValue": True}
        answer = await session.send("Runtime.evaluate", asked)
        if "exceptionDetails" in answer:
            raise NotRendered(f"its page cannot be read: {answer['exceptionDetails'].get('text')}")
        return answer["result"].get("value")

    def _complain_if_incomplete(self) -> None:
        """An article whose data did not come today must not be taken for a page without an article."""
        late, failure = bool(self.routing.open), self.routing.failure
        if not late and failure is None:
            return
        before = len(self.document.xpath("string(/*)").get() or "")
        if self._length < before + GROWTH:
            why = failure or "it takes too long"
            raise NotRendered(f"what its scripts asked for did not come: {why}", reason=None if failure else "timeout")


async def _closed(popup: Page) -> None:
    with suppress(PlaywrightError):
        await popup.close()
