"""The tasks `archive` and `reextract` in a host: a WARC file, a slice of a re-extraction, a source's changes.

A job that cannot be done here, since the file is not here or the program is another, goes back for other hosts; when
none is left to try, it fails and names them all.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from crawler import warc
from crawler.errors import ConfigurationError, NewerSchema
from crawler.jobs.tasks import Ended, Task, UnreadableJob
from crawler.reextraction.applying import Applying
from crawler.reextraction.looking import Holder, Looking, Stopped
from crawler.reextraction.question import NoSuchRun, OtherRules, joined, seed_of
from crawler.sources import Source
from crawler.spiders.arguments import check_arguments
from crawler.spiders.loader import queued_archive
from crawler.store import awaited
from crawler.store.reapplying import Applied

if TYPE_CHECKING:
    from crawler.jobs.host import Host

_SEEDS = text("SELECT id, seed FROM sources WHERE seeded_at IS NOT NULL ORDER BY id")


async def archive(host: Host, task: Task) -> Ended:
    """A WARC file, as `scrapy crawl archive` reads it."""
    path, given = Path(task.arguments["warc"]), task.arguments.get("arguments") or {}
    try:
        check_arguments("archive", given)
    except ConfigurationError as error:
        raise UnreadableJob(str(error)) from None
    if why := await asyncio.to_thread(unreadable, path, task.arguments.get("fingerprint")):
        return await elsewhere(host, task, why)
    seeds = await host.transaction(stored_seeds)
    ended = await host.crawled(task, queued_archive(seeds, {"job": task.job_id}), {**given, "warc": str(path)})
    if ended.stats.get("archive/files_taken"):
        return Ended(outcome="taken", detail="another crawl reads it", crawl_id=ended.crawl_id, stats=ended.stats)
    # What is no archive will be none; it counts as done, so that another attempt would come to a good end.
    for failed, outcome in {"unreadable_archive": "failed", "no_warc": "unreadable"}.items():
        if ended.stats.get(f"news/failed/{failed}"):
            return Ended(outcome=outcome, detail=f"{failed}: {path}", crawl_id=ended.crawl_id, stats=ended.stats)
    return ended


def unreadable(path: Path, fingerprint: str | None) -> str | None:
    """Why a file cannot be read here."""
    try:
        found = warc.identity(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{path}: another file of that name" if fingerprint and fingerprint != found.fingerprint else None


def stored_seeds(connection: Connection) -> dict[str, Source]:
    """The sources that have a seed, as the database has it."""
    return {row.id: seed for row in connection.execute(_SEEDS) if (seed := seed_of(row.id, row.seed)) is not None}


class Share:
    """A part of a re-extraction, in a thread of its own: it reads and writes without waiting for the reactor."""

    def __init__(self, host: Host, task: Task) -> None:
        self.host, self.task = host, task
        self.counted: Counter[str] = Counter()
        self.reason = ""  # why it is to stop
        self._started = time.monotonic()
        self._stopped = threading.Event()

    def stats(self) -> Mapping[str, Any]:
        return {**self.counted, "elapsed_time_seconds": time.monotonic() - self._started}

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._stopped.set()

    def met(self, pages: int, changes: int) -> None:
        self.counted["reextract/pages"] += pages
        self.counted["reextract/changes"] += changes

    def applied(self, done: Applied) -> None:
        self.counted["reextract/applied"] += done.applied

    def work(self) -> Ended:
        host, given = self.host, self.task.arguments
        holder = Holder(host.database, host.patience)
        try:
            begun = holder.transaction(lambda connection: joined(connection, given["run"]))
            if "apply" in given:
                applying = Applying(host.database, begun.id, host.patience, host.steps, self.applied)
                refused = applying.of(given["apply"]).refused
                applying.finish()
                said = f"the database refused {refused:,} changes: scrapy reextract --run {begun.id}" if refused else ""
                return Ended(outcome="finished", detail=said, stats=self.stats())
            looking = Looking(host.database, begun, holder, host.pool, host.patience, self.met, self._stopped.is_set)
            done = looking.one(given["slice"])
            return Ended(outcome="finished" if done else "taken", stats=self.stats())
        except Stopped:
            return Ended(outcome=self.reason, stats=self.stats())
        except NewerSchema as error:
            return Ended(outcome="newer", detail=str(error))
        except NoSuchRun as error:
            return Ended(outcome="gone", detail=str(error))
        finally:
            holder.close()


async def reextract(host: Host, task: Task) -> Ended:
    """A slice, or the changes of a source."""
    share = Share(host, task)
    host.doing[task.job_id] = share
    thread = ThreadPoolExecutor(1, thread_name_prefix="reextract")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, copy_context().run, share.work)
    except OtherRules as error:
        return await elsewhere(host, task, str(error))
    finally:
        del host.doing[task.job_id]
        thread.shutdown(wait=False)


async def elsewhere(host: Host, task: Task, why: str) -> Ended:
    """It cannot be done on this host."""
    name = socket.gethostname()
    refused = await host.transaction(lambda connection: awaited.refuse(connection, task.job_id, name, why))
    if refused is None:
        return Ended(outcome="elsewhere", detail=f"{name}: {why}")
    return Ended(outcome="nowhere", detail="; ".join(f"{one}: {said}" for one, said in sorted(refused.items())))
