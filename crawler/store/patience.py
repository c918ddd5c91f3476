"""Waiting for a database that went away: a restart must not cost a crawl its pages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from crawler.errors import DatabaseUnreachable

logger = logging.getLogger(__name__)
FIRST_PAUSE, MAX_PAUSE = 0.5, 5.0  # seconds between attempts
# By the start of the SQLSTATE: connection failed, read-only standby, rolled back (deadlock), out of resources, locked,
# shut down, I/O error. OperationalError alone does not tell: a key that is too long for its index is one too.
PASSING = ("08", "25006", "40", "53", "55P03", "57P", "58")
T = TypeVar("T")


def will_pass(error: SQLAlchemyError) -> bool:
    """Whether the same statement may succeed later: the server or the connection failed, not the statement."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))
    return error.connection_invalidated or state.startswith(PASSING)


def patiently(action: Callable[[], T], patience: float, stop: threading.Event) -> T:
    """Do it, again and again for `patience` seconds, or until `stop`, while the database is away.

    Raises DatabaseUnreachable when it does not come back, and at once what waiting does not mend.
    """
    started, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return action()
        except SQLAlchemyError as error:
            if not will_pass(error):
                raise
            waited = time.monotonic() - started
            if waited >= patience or stop.is_set():
                raise DatabaseUnreachable(
                    f"the database has been away for {waited:.0f} s; run the crawl again later"
                ) from error
            reason = str(error).splitlines()[0]
            logger.warning("waiting for the database (%.0f of %.0f s): %s", waited, patience, reason)
        stop.wait(min(pause, max(patience - waited, 0)))
        pause = min(pause * 2, MAX_PAUSE)
