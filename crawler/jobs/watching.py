"""Watches over the sources and the whole: judges, opens and closes incidents, and tells of them.

A round looks at so many sources and the next goes on from there, so that a hundred thousand cost no round more than a
few thousand do. Sources with open incidents are looked at in every round: what is seen or gone is not news of an hour
ago. What is to be told is sent by a thread: no receiver holds the scheduler up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crawler import alerts
from crawler.health import Finding, Present, judge, judge_system, known, so_far
from crawler.store import facts, health, incidents
from crawler.store.engine import Database
from crawler.store.incidents import Told
from crawler.store.patience import Patience

logger = logging.getLogger(__name__)
AT_ONCE = 2_000  # sources of one round, and as many of those with open incidents
BATCH = 500  # that are read at once
NOTING = (incidents.CLAIM - timedelta(minutes=1)).total_seconds()  # after it, what was sent may be another's to tell


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """How a source was found. `known`: days of its past that are known, of those needed; `so_far`: in words."""

    findings: tuple[Finding, ...]
    known: int
    so_far: str
    present: Present


@dataclass
class Watch:
    """Where the rounds of this process stand. Called, it does the next one."""

    after: str = ""  # the source that was judged last; "": the next round begins with the first
    pruned: datetime | None = None
    sender: threading.Thread | None = field(default=None, repr=False)

    def __call__(self, database: Database, settings: Mapping[str, Any]) -> str | None:
        """Returns what there is to say, if there is anything. Raises SQLAlchemyError, ConfigurationError."""
        with database.engine.connect() as connection:
            sources = health.names(connection, self.after, AT_ONCE)
            again = incidents.troubled(connection, AT_ONCE)
        judged = judge_sources(database, sorted({*sources, *again}))
        self.after = sources[-1] if len(sources) == AT_ONCE else ""
        opened, closed = note(database, judged)
        self._prune(database)
        to = receivers_of(settings)
        if to and not (self.sender and self.sender.is_alive()):
            pause = timedelta(seconds=float(settings["ALERT_PAUSE"]))
            self.sender = threading.Thread(target=_send, args=[database, to, pause], name="alerts", daemon=True)
            self.sender.start()
        said = [f"{number} incidents {what}" for number, what in ((opened, "opened"), (closed, "closed")) if number]
        return ", ".join(said) or None

    def _prune(self, database: Database) -> None:
        with database.engine.begin() as connection:
            now = health.now(connection)
            if self.pruned is None or now - self.pruned > timedelta(days=1):
                facts.prune(connection)
                incidents.prune(connection)
                self.pruned = now


def judge_sources(database: Database, sources: Sequence[str]) -> dict[str, Judged]:
    """Of each of these that is there."""
    found: dict[str, Judged] = {}
    for start in range(0, len(sources), BATCH):
        with database.engine.connect() as connection:
            now, records = health.now(connection), health.records(connection, sources[start : start + BATCH])
        for source, one in records.items():
            findings = tuple(judge(one.past, one.present, now))
            found[source] = Judged(
                findings=findings, known=known(one.past), so_far=so_far(one.past, one.present), present=one.present
            )
    return found


def judge_whole(database: Database) -> list[Finding]:
    """The system as such."""
    with database.engine.connect() as connection:
        return judge_system(health.system(connection), health.now(connection))


def note(database: Database, judged: Mapping[str, Judged]) -> tuple[int, int]:
    """Open and close incidents accordingly; returns how many."""
    found: dict[str | None, Sequence[Finding]] = {name: one.findings for name, one in judged.items() if one.findings}
    found[None] = judge_whole(database)
    with database.engine.begin() as connection:
        return incidents.note(connection, list(judged), found, whole=True)


def receivers_of(settings: Mapping[str, Any]) -> list[alerts.Receiver]:
    """Those that the settings name. Raises ConfigurationError."""
    return alerts.receivers(
        webhook=settings["ALERT_WEBHOOK"] or "",
        email=settings["ALERT_EMAIL"] or "",
        smtp_url=settings["SMTP_URL"] or "",
        smtp_password=settings["SMTP_PASSWORD"] or "",
        command=settings["ALERT_COMMAND"] or "",
    )


def tell(
    database: Database, to: Sequence[alerts.Receiver], pause: timedelta, seconds: float = alerts.LONGEST
) -> dict[str, str | None]:
    """Tell what there is to tell, as one message; returns by receiver what went wrong, or None. {}: nothing to tell."""
    with database.engine.begin() as connection:
        claimed = incidents.claim(connection, pause)
        watched, still = incidents.counts(connection) if claimed else (0, 0)
    patience = Patience(NOTING, database.place, database.mend)
    said: dict[str, str | None] = {}
    # Those who have been told all of it already are left out: as a rule there is one group, that nobody has been told.
    for via in sorted({one.via for one in claimed}):
        group = [one for one in claimed if one.via == via]
        message = alerts.message([notice(one) for one in group], watched=watched, still=still)
        sent = alerts.send(message, to, but=via, seconds=seconds)
        reached = [name for name, wrong in sent.items() if wrong is None]
        settle = partial(incidents.settle, told=group, via=reached, done=len(reached) == len(sent))
        patience.transaction(database.engine, settle)  # else what has been sent would be sent again
        said |= sent
    return said


def notice(one: Told) -> alerts.Notice:
    """As the message has it."""
    return alerts.Notice(
        source=one.source,
        kind=one.kind,
        severity=one.severity,
        detail=one.detail,
        since=one.since,
        opened_at=one.opened_at,
        closed_at=one.closed_at,
    )


def _send(database: Database, to: Sequence[alerts.Receiver], pause: timedelta) -> None:
    try:
        for name, wrong in tell(database, to, pause).items():
            if wrong:
                logger.warning("alert by %s: %s; it is tried again", name, wrong)
    except Exception as error:  # the next round tries again
        logger.warning("alerts: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
