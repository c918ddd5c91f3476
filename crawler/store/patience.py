"""Waiting for a database that went away: a restart must not cost a crawl its pages."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from crawler.errors import DatabaseFull, DatabaseUnreachable, StoreError

logger = logging.getLogger(__name__)
FIRST_PAUSE, MAX_PAUSE = 0.5, 5.0  # seconds between attempts
TELL_EVERY = 30.0  # seconds; the progress display says it all the time
SILENCE = 5.0  # seconds without an answer, from which on the database counts as away
FULL_PATIENCE = 5.0  # seconds for a full disk: a query that sorts may fill one for a moment
FAREWELL = 2.0  # seconds that any answer may take once the run has given up
# By the start of the SQLSTATE: connection failed, read-only standby, rolled back (deadlock), out of resources, locked,
# shut down, I/O error. OperationalError alone does not tell: a key that is too long for its index is one too.
PASSING = ("08", "25006", "40", "53", "55P03", "57P", "58")
DISK_FULL = "53100"
T = TypeVar("T")


def will_pass(error: SQLAlchemyError) -> bool:
    """Whether the same statement may succeed later: the server or the connection failed, not the statement."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError)
    state = sqlstate(error)
    if state is None:
        return error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))
    return error.connection_invalidated or state.startswith(PASSING)


def sqlstate(error: SQLAlchemyError) -> str | None:
    """The server's word for what went wrong."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def first_line(error: Exception) -> str:
    """What a person is told of it: the driver's words, without the statement, which may carry whole articles."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


class Patience:
    """How long a run waits for its database. All its threads share it: they wait together and say so once.

    `place`: where the database's files are. `mend` is called after each failure; what it raises ends the wait.
    """

    def __init__(self, seconds: float, place: str = "", mend: Callable[[], None] = lambda: None) -> None:
        self.seconds, self._place, self._mend = seconds, place, mend
        self._given_up = threading.Event()
        self._alone = threading.Lock()
        self._waiting: dict[int, float] = {}  # the threads that wait, and since when
        self._told_at = -math.inf
        self._full: str | None = None  # what the server said of its disk; then it may go down, and say no more
        self._verdict: DatabaseUnreachable | None = None

    @property
    def waited(self) -> float | None:
        """For how long the database has been away; None while it is there."""
        since = min([*self._waiting.values()], default=None)
        return None if since is None else time.monotonic() - since

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any longer, or should not."""
        return self._given_up.is_set()

    def give_up(self) -> None:
        """Nobody waits any longer: the run ends."""
        self._given_up.set()

    def wait_for(self, action: Callable[[], T], unless: threading.Event | None = None) -> T:
        """Do it, again and again while the database is away, but no second time once `unless` is set.

        Raises DatabaseUnreachable when it does not come back, and at once what waiting does not mend.
        """
        stop = unless or self._given_up
        started, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                done = action()
            except SQLAlchemyError as error:
                if not will_pass(error):
                    self._met()
                    raise
                self._missed(started, first_line(error), full=sqlstate(error) == DISK_FULL)
                waited = time.monotonic() - started
                left = (self.seconds if self._full is None else min(self.seconds, FULL_PATIENCE)) - waited
                if left <= 0 or stop.is_set() or self._given_up.is_set():
                    raise self._judged(waited, first_line(error)) from error
            except Exception:  # a fault of ours
                self._met()
                raise
            else:
                self._met()
                return done
            begun = time.monotonic()
            try:
                self._mend()
            except StoreError as error:
                raise self._settled(DatabaseUnreachable(str(error))) from error
            started += time.monotonic() - begun  # a server on its way up is no reason to give up
            stop.wait(min(pause, left))
            pause = min(pause * 2, MAX_PAUSE)

    def transaction(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction of its own, again and again as above."""

        def action() -> T:
            with engine.begin() as connection:
                return work(connection)

        return self.wait_for(action)

    def heed(self, seconds: float) -> None:
        """A statement has had no answer for so long (connection.py); 0: it has one now.

        Raises OperationalError when that is too long.
        """
        if not seconds:
            self._met()
        elif seconds >= SILENCE:
            self._missed(time.monotonic() - seconds, f"no answer for {seconds:.0f} s")
        if seconds >= (FAREWELL if self._given_up.is_set() else self.seconds):
            raise psycopg.OperationalError(f"no answer for {seconds:.0f} s")

    def _missed(self, since: float, reason: str, *, full: bool = False) -> None:
        with self._alone:
            if full:
                self._full = reason
            self._waiting.setdefault(threading.get_ident(), since)
            now = time.monotonic()
            if self._given_up.is_set() or now - self._told_at < TELL_EVERY:
                return
            self._told_at = now
            waited = now - min(self._waiting.values())
        limit = "" if math.isinf(self.seconds) else f" of {self.seconds:.0f}"
        logger.warning("waiting for the database (%.0f%s s): %s", waited, limit, reason)

    def _met(self) -> None:
        if not self._waiting:
            return
        with self._alone:
            since = self._waiting.pop(threading.get_ident(), None)
            if since is None or self._waiting:
                return
            self._full, self._told_at = None, -math.inf
        if not self._given_up.is_set():
            logger.warning("the database is back after %.0f s", time.monotonic() - since)

    def _judged(self, waited: float, reason: str) -> DatabaseUnreachable:
        if self._full is None:
            return self._settled(
                DatabaseUnreachable(f"the database has been away for {waited:.0f} s ({reason}); run it again later")
            )
        where = f" ({self._place})" if self._place else ""
        return self._settled(
            DatabaseFull(f"the disk of the database is full{where}: {self._full}; free some space, then run it again")
        )

    def _settled(self, verdict: DatabaseUnreachable) -> DatabaseUnreachable:
        """Why it is given up: one reason for all threads, that of the first."""
        with self._alone:
            self._verdict = self._verdict or verdict
            return type(self._verdict)(str(self._verdict))
