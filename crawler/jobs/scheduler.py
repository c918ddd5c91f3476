"""The scheduler: every TICK seconds what is due goes into the queue, and beside it the duties are done.

Any number may run, on any machines; one leads (schedulers.py) and the others stand by. Losing the connection is losing
the lead. Work that waits for the database does so in daemon threads: the end of the scheduler waits for none of them,
and what they had begun is rolled back by the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from scrapy.settings import BaseSettings
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import CrawlerError, NewerSchema
from crawler.jobs.duties import Duty, defaults, duties
from crawler.store.engine import Database
from crawler.store.patience import first_line, will_pass
from crawler.store.schedulers import Leadership
from crawler.store.schedules import BATCH, Defaults, Queued, queue_due

logger = logging.getLogger(__name__)
STAND_BY = 2.0  # seconds between two tries of one that stands by to lead
FAREWELL = 2.0  # seconds at the end for telling the database
TRIES = 5  # ticks that fail in a row, after which another may lead
ASIDE = 3 * STAND_BY  # seconds for it to take over
ROUNDS = 50  # batches of one tick
TICK = "tick"  # the name of what is no duty, where trouble is told
T = TypeVar("T")


async def run_scheduler(database: Database, settings: BaseSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set, whatever happens to the database meanwhile.

    Raises NewerSchema when its tables become those of a newer program.
    """
    await Scheduler(database, settings.getfloat("TICK"), defaults(settings), duties(settings)).run(stop)


class Scheduler:
    """One of those that may lead."""

    def __init__(self, database: Database, tick: float, given: Defaults, todo: Sequence[Duty]) -> None:
        self.database, self.tick, self.defaults, self.duties = database, tick, given, todo
        self.leadership = Leadership(database, idle=max(60.0, 6 * tick))
        self.leads = asyncio.Event()
        self.trouble: dict[str, str] = {}  # by duty

    async def run(self, stop: asyncio.Event) -> None:
        leading, stopped = asyncio.create_task(self._lead()), asyncio.create_task(stop.wait())
        tasks = [leading, stopped, *(asyncio.create_task(self._do(duty)) for duty in self.duties)]
        try:
            await asyncio.wait([leading, stopped], return_when=asyncio.FIRST_COMPLETED)
            if leading.done():
                leading.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await in_thread(lambda: self.leadership.give_up(FAREWELL))

    async def _lead(self) -> None:
        """Tick while it leads; else try to lead. A tick that fails again and again is for another to try."""
        failed, leader = 0, ""
        while True:
            ticked = await self._guarded(TICK, self.act) is not None
            leads = self.leadership.leads
            failed = failed + 1 if leads and not ticked else 0
            if failed:
                with contextlib.suppress(SQLAlchemyError, CrawlerError):
                    await in_thread(lambda: self.leadership.tell(self.trouble))
            if failed >= TRIES:
                logger.error("its tick has failed %d times: another may lead", failed)
                await in_thread(lambda: self.leadership.give_up(FAREWELL))
                failed, leads = 0, False
                await asyncio.sleep(ASIDE)
            if leads and not self.leads.is_set():
                logger.info("this scheduler leads")
                self.leads.set()
            elif not leads and self.leads.is_set():
                logger.warning("this scheduler leads no longer")
                self.leads.clear()
            if self.leadership.leader not in ("", leader):
                logger.info("this scheduler stands by: %s leads", self.leadership.leader)
            leader = self.leadership.leader
            await asyncio.sleep(self.tick if leads else min(STAND_BY, self.tick))

    def act(self) -> int | None:
        """One tick: how many crawls it queued; None when another leads."""
        if not self.leadership.take():
            return None
        queued = 0
        for _ in range(ROUNDS):
            done = self.leadership.transaction(self._queue)
            queued += done.queued
            if done.due < BATCH:
                break
        if queued:
            logger.info("%d crawls queued", queued)
        return queued

    def _queue(self, connection: Connection) -> Queued:
        done = queue_due(connection, self.defaults)
        self.leadership.note(connection, done.queued, self.trouble)
        return done

    async def _do(self, duty: Duty) -> None:
        """Again and again, but only while this scheduler leads."""
        while True:
            await self.leads.wait()
            if said := await self._guarded(duty.name, lambda: duty.work(self.database)):
                logger.info("%s: %s", duty.name, said)
            await asyncio.sleep(duty.every_seconds)

    async def _guarded(self, name: str, work: Callable[[], T]) -> T | None:
        """What comes of it; None if it fails: that is told once, and again when it fails otherwise."""
        try:
            done = await in_thread(work)
        except NewerSchema:
            raise
        except SQLAlchemyError as error:
            self._failed(name, first_line(error), passing=will_pass(error))
            with contextlib.suppress(CrawlerError):  # an embedded server that died is started again
                await in_thread(self.database.mend)
        except CrawlerError as error:
            self._failed(name, str(error))
        except Exception as error:
            self._failed(name, f"{type(error).__name__}: {error}", fault=error)
        else:
            if self.trouble.pop(name, None):
                logger.warning("%s: all right again", name)
            return done
        return None

    def _failed(self, name: str, reason: str, *, passing: bool = False, fault: Exception | None = None) -> None:
        if self.trouble.get(name) == reason:
            return
        self.trouble[name] = reason
        if passing:  # the tick says it for all
            level = logging.WARNING if name == TICK else logging.DEBUG
            logger.log(level, "waiting for the database: %s", reason)
        else:
            logger.error("%s: %s", name, reason, exc_info=fault)


async def in_thread(work: Callable[[], T]) -> T:
    """Do it in a daemon thread. One that is waited for no longer ends by itself, or with the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(done: Callable[[], None]) -> None:
        if not future.done():
            done()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            outcome: BaseException = error
            if isinstance(error, StopIteration):  # no future takes it, and who waits would do so for ever
                outcome = RuntimeError(f"StopIteration: {error}")
            tell = lambda: future.set_exception(outcome)  # noqa: E731
        else:
            tell = lambda: future.set_result(result)  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=run, name="scheduler", daemon=True).start()
    return await future
