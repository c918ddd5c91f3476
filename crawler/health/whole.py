"""Is the whole well: schedulers, workers, the queue, the database? Each finding says what there is to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crawler.health.model import Finding, System
from crawler.health.wording import span

SCHEDULER_LATE, NO_WORKER_LATE, QUEUE_LATE = timedelta(minutes=5), timedelta(minutes=5), timedelta(hours=1)
NAMED = 5  # workers or crawls, of many
CONNECTIONS = 0.9  # of those that the database allows


def judge_system(system: System, now: datetime) -> list[Finding]:
    """What is wrong with the whole."""
    return [*_scheduling(system, now), *_working(system, now), *_traces(system, now), *_limits(system)]


def _scheduling(system: System, now: datetime) -> Iterator[Finding]:
    # One that ticks and does not queue them has its reasons, which `late` and `trouble` tell.
    if system.overdue and system.due_since and system.ticked_at and now - system.ticked_at > SCHEDULER_LATE:
        sentence = (
            f"no scheduler has acted for {span(now - system.ticked_at)}, and {_sources(system.overdue)} due and not "
            f"queued for up to {span(now - system.due_since)}: does a `scrapy scheduler` run?"
        )
        yield Finding(kind="no_scheduler", severity="fail", sentence=sentence, since=system.ticked_at)


def _working(system: System, now: datetime) -> Iterator[Finding]:
    waited = now - system.waiting_since if system.waiting and system.waiting_since else timedelta(0)
    jobs = f"{system.waiting} jobs wait"
    if system.waiting and not system.workers and waited > NO_WORKER_LATE:
        sentence = f"{jobs}, and no worker is alive: start `scrapy worker`, and see the log of the last"
        yield Finding(kind="no_worker", severity="fail", sentence=sentence, since=system.waiting_since)
    elif waited > QUEUE_LATE:
        sentence = (
            f"{jobs}, the first for {span(waited)}; {system.workers} workers are alive: start more, or give these more "
            "--crawls (`scrapy enqueue --list` shows what waits)"
        )
        yield Finding(kind="queue_behind", severity="warn", sentence=sentence, since=system.waiting_since)
    if system.lost:
        yield Finding(kind="worker_lost", severity="warn", sentence=_lost(system, now), since=system.lost_since)


def _traces(system: System, now: datetime) -> Iterator[Finding]:
    """Of what went well in the end."""
    if system.schedulers_lost:
        sentence = (
            f"{', '.join(system.schedulers_lost)} led and vanished; another took over: see that it was started again, "
            "and its log and the machine's"
        )
        yield Finding(kind="scheduler_lost", severity="warn", sentence=sentence, since=system.scheduler_lost_at)
    if system.restarted_at:
        sentence = (
            f"the database was started anew {span(now - system.restarted_at)} ago under workers or a scheduler: what "
            "they were at goes on, and its log says why it ended"
        )
        yield Finding(kind="restarted", severity="warn", sentence=sentence, since=system.restarted_at)


def _limits(system: System) -> Iterator[Finding]:
    if system.trouble:
        yield Finding(kind="trouble", severity="warn", sentence="\n".join(system.trouble[:3]))
    if system.hanging:
        sentence = (
            f"crawls that do nothing: {', '.join(system.hanging[:NAMED])}; their workers' logs say why, and "
            "`scrapy enqueue --cancel` ends one"
        )
        yield Finding(kind="hanging", severity="warn", sentence=sentence, since=system.hanging_since)
    if system.most_connections and system.connections >= CONNECTIONS * system.most_connections:
        sentence = (
            f"{system.connections} of the database's {system.most_connections} connections are taken: raise its "
            "max_connections, or run fewer --crawls"
        )
        yield Finding(kind="connections", severity="fail", sentence=sentence)


def _lost(system: System, now: datetime) -> str:
    more = len(system.lost) - NAMED
    names = ", ".join(system.lost[:NAMED]) + (f" and {more} more" if more > 0 else "")
    since = f" for {span(now - system.lost_since)}" if system.lost_since else ""
    return (
        f"nothing was heard of {names}{since}, and none was started there since: what it did went to others; start "
        "`scrapy worker` again, and see its log and the machine's (out of memory?)"
    )


def _sources(number: int) -> str:
    return f"{number} source is" if number == 1 else f"{number} sources are"
