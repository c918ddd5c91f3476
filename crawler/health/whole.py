"""Is the whole well: schedulers, workers, the queue, the database? Each finding says what there is to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from crawler.health.model import Finding, Severity, System
from crawler.health.wording import span

SCHEDULER_LATE, NO_WORKER_LATE, QUEUE_LATE = timedelta(minutes=5), timedelta(minutes=5), timedelta(hours=1)
NAMED = 5  # workers or crawls, of many
CONNECTIONS = 0.9  # of those that the database allows


def judge_system(system: System, now: datetime) -> list[Finding]:
    """What is wrong with the whole."""
    found = []

    def add(kind: str, severity: Severity, sentence: str, since: datetime | None) -> None:
        found.append(Finding(kind=kind, severity=severity, sentence=sentence, since=since))

    # One that ticks and does not queue them has its reasons, which `late` and `trouble` tell.
    if system.overdue and system.due_since and system.ticked_at and now - system.ticked_at > SCHEDULER_LATE:
        sentence = (
            f"no scheduler has acted for {span(now - system.ticked_at)}, and {_sources(system.overdue)} due and not "
            f"queued for up to {span(now - system.due_since)}: does a `scrapy scheduler` run?"
        )
        add("no_scheduler", "fail", sentence, system.ticked_at)
    waited = now - system.waiting_since if system.waiting and system.waiting_since else timedelta(0)
    if system.waiting and not system.workers and waited > NO_WORKER_LATE:
        sentence = (
            f"{system.waiting} jobs wait, and no worker is alive: start `scrapy worker`, and see the log of the last"
        )
        add("no_worker", "fail", sentence, system.waiting_since)
    elif waited > QUEUE_LATE:
        sentence = (
            f"{system.waiting} jobs wait, the first for {span(waited)}; {system.workers} workers are alive: "
            "start more, or give these more --crawls (`scrapy enqueue --list` shows what waits)"
        )
        add("queue_behind", "warn", sentence, system.waiting_since)
    if system.lost:
        add("worker_lost", "warn", _lost(system, now), system.lost_since)
    if system.schedulers_lost:
        sentence = (
            f"{', '.join(system.schedulers_lost)} led and vanished; another took over: see that it was started again, "
            "and its log and the machine's"
        )
        add("scheduler_lost", "warn", sentence, system.scheduler_lost_at)
    if system.restarted_at:
        sentence = (
            f"the database was started anew {span(now - system.restarted_at)} ago while crawls ran: they went on, and "
            "its log says why it ended"
        )
        add("restarted", "warn", sentence, system.restarted_at)
    if system.trouble:
        add("trouble", "warn", "\n".join(system.trouble[:3]), None)
    if system.hanging:
        sentence = (
            f"crawls that do nothing: {', '.join(system.hanging[:NAMED])}; their workers' logs say why, and "
            "`scrapy enqueue --cancel` ends one"
        )
        add("hanging", "warn", sentence, system.hanging_since)
    if system.most_connections and system.connections >= CONNECTIONS * system.most_connections:
        sentence = (
            f"{system.connections} of the database's {system.most_connections} connections are taken: raise its "
            "max_connections, or run fewer --crawls"
        )
        add("connections", "fail", sentence, None)
    return found


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
