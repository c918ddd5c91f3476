"""The database as a worker or a scheduler opens it: it may come up later than they do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from scrapy.settings import BaseSettings

from crawler.errors import DatabaseUnreachable
from crawler.jobs.scheduler import in_thread
from crawler.store.engine import Database, open_database

logger = logging.getLogger(__name__)
PAUSE = 3.0  # seconds between two looks for a database that is not there yet


async def opened(settings: BaseSettings, stop: asyncio.Event, connections: int | None = None) -> Database | None:
    """The database, waited for; None when `stop` comes first. Raises CrawlerError for what waiting does not mend."""
    url, data_dir = settings["DATABASE_URL"] or None, Path(settings["CRAWLER_DATA_DIR"])
    told = False
    while not stop.is_set():
        try:
            return await in_thread(lambda: open_database(url, data_dir, connections=connections))
        except DatabaseUnreachable as error:
            if not told:
                logger.warning("waiting for the database: %s", error)
            told = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE)
    return None
