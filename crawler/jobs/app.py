"""procrastinate's worker on our database: how it speaks to it, and what of it is done our way.

It fetches jobs, listens for new ones and for aborts, and keeps to the number that run at once. But its own connector
gives up when the database is away, which ends the worker; it deletes workers that were away; it counts by this
machine's clock when a job comes again; and a task that it does not know ends with a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

import psycopg
from procrastinate import App, JobContext
from procrastinate.connector import BaseAsyncConnector, Notify
from procrastinate.exceptions import NoResult
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg import sql
from sqlalchemy import Connection

from crawler.store.engine import connect_options
from crawler.store.queue import QUEUE, TASKS

LISTEN_AGAIN = 2.0  # seconds after a lost connection
QUIET = 30.0  # seconds without a notice, after which it is asked whether the connection lives
T = TypeVar("T")

logging.getLogger("procrastinate").setLevel(logging.WARNING)  # the worker tells of each job in its own words


class Work(Protocol):
    """The worker, as it is seen from here."""

    def url(self) -> str: ...
    async def transaction(self, work: Callable[[Connection], T]) -> T: ...
    async def registered(self) -> int: ...
    async def fetched(self, fetch: Callable[[], Awaitable[Job | None]]) -> Job | None: ...
    async def do(self, context: JobContext) -> None: ...
    async def settled(self, job: Job, *, aborted: bool) -> None: ...


class PatientConnector(BaseAsyncConnector):
    """Each statement is a transaction of the worker's, which waits for a database that is away."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        await self.execute_query_all_async(query, **arguments)

    async def execute_query_one_async(self, query: str, **arguments: Any) -> dict[str, Any]:
        rows = await self.execute_query_all_async(query, **arguments)
        if not rows:
            raise NoResult
        return rows[0]

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        def work(connection: Connection) -> list[dict[str, Any]]:
            connection.exec_driver_sql("SET LOCAL search_path = procrastinate, public")
            found = connection.exec_driver_sql(query, arguments or None)
            return [dict(row) for row in found.mappings()] if found.returns_rows else []

        return await self._work.transaction(work)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Until it is cancelled. Whatever came while nobody listened, is looked for at once."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                options = connect_options(self._work.url())
                async with await psycopg.AsyncConnection.connect(autocommit=True, **options) as connection:
                    for channel in channels:
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                        await on_notification(channel=channel, payload='{"type": "job_inserted", "job_id": 0}')
                    while True:
                        async for notice in connection.notifies(timeout=QUIET):
                            await on_notification(channel=notice.channel, payload=notice.payload)
                        await connection.execute("SELECT 1")
            await asyncio.sleep(LISTEN_AGAIN)


class Jobs(JobManager):
    """What procrastinate's worker does to its tables."""

    def __init__(self, work: Work) -> None:
        super().__init__(PatientConnector(work))
        self._work = work

    async def register_worker(self) -> int:
        return await self._work.registered()

    async def unregister_worker(self, worker_id: int) -> None:
        """The worker does it when all is settled."""

    async def update_heartbeat(self, worker_id: int) -> None:
        """Who lives is told by a lock (store/workers.py)."""

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """As above."""
        return []

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        return await self._work.fetched(lambda: super(Jobs, self).fetch_job(queues, worker_id))

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        await self._work.settled(job, aborted=status is Status.ABORTED)


def app_of(work: Work) -> App:
    """An App whose tasks are done by this worker."""
    jobs = Jobs(work)
    app = App(connector=jobs.connector)
    app.job_manager = jobs

    async def do(context: JobContext, /, **_: Any) -> None:
        await work.do(context)

    for name in TASKS:
        app.task(name=name, queue=QUEUE, pass_context=True)(do)
    return app
