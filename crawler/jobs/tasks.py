"""The tasks, and what they read out of a job: the words between the queue, a worker and its hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.errors import CrawlerError
from crawler.extensions.ending import IN_VAIN, NO_ANSWER, STALLED
from crawler.store.queue import TASKS, Ending

CRAWL_ARGUMENTS = frozenset(("archives", "recheck", "since", "until"))
BUSY_DELAY = 15.0  # seconds until a source is tried again whose last crawl has not ended everywhere
ELSEWHERE_DELAY = 5.0  # seconds until a job that one host cannot do is offered again
REST_DELAY = 600.0  # seconds until a backfill is gone on with that only waited for its source
AWAY_DELAY = 60.0  # seconds until a job is tried again that has lost the database
AWAY = frozenset(("database", "database_unreachable", "database_full"))


class UnreadableJob(CrawlerError):
    """The job cannot be read: it may come from a newer version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A job as a host does it. `arguments` are the task's own."""

    job_id: int
    name: str
    arguments: Mapping[str, Any]

    @property
    def source(self) -> str:
        """What it is about, to be shown."""
        given = self.arguments
        if self.name == "archive":
            return Path(str(given.get("warc"))).name
        if self.name == "reextract":
            what = f"slice {given['slice']}" if "slice" in given else str(given.get("apply"))
            return f"re-extraction {given.get('run')}, {what}"
        return str(given.get("source") or self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What a host tells of a job's end. `outcome`: `finished`, or why not."""

    outcome: str
    detail: str = ""
    crawl_id: int | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)


def read(job_id: int, name: str, arguments: Mapping[str, Any]) -> Task:
    """Raises UnreadableJob with the reason."""
    if name not in TASKS:
        raise UnreadableJob(f"there is no task {name!r}; this program knows {', '.join(TASKS)}")
    CHECKS[name](arguments)
    return Task(job_id=job_id, name=name, arguments=arguments)


def _check_crawl(given: Mapping[str, Any]) -> None:
    if unknown := given.keys() - {"source", "asked", "arguments"}:
        raise UnreadableJob(f"crawl knows no {', '.join(sorted(unknown))}")
    if not isinstance(given.get("source"), str) or not given["source"]:
        raise UnreadableJob("crawl names no source")
    arguments = given.get("arguments") or {}
    if not isinstance(arguments, Mapping) or not all(isinstance(value, str) for value in arguments.values()):
        raise UnreadableJob("crawl's arguments are no texts")
    if unknown := arguments.keys() - CRAWL_ARGUMENTS:
        raise UnreadableJob(f"crawl takes no argument {', '.join(sorted(unknown))}")


def _check_archive(given: Mapping[str, Any]) -> None:
    if unknown := given.keys() - {"warc", "fingerprint", "arguments", "refused"}:
        raise UnreadableJob(f"archive knows no {', '.join(sorted(unknown))}")
    if not isinstance(given.get("warc"), str) or not given["warc"]:
        raise UnreadableJob("archive names no file")
    arguments = given.get("arguments") or {}
    if not isinstance(arguments, Mapping) or not all(isinstance(value, str) for value in arguments.values()):
        raise UnreadableJob("archive's arguments are no texts")


def _check_reextract(given: Mapping[str, Any]) -> None:
    if unknown := given.keys() - {"run", "slice", "apply", "refused"}:
        raise UnreadableJob(f"reextract knows no {', '.join(sorted(unknown))}")
    whole = isinstance(given.get("run"), int) and isinstance(given.get("slice", 0), int)
    if not whole or not isinstance(given.get("apply", ""), str) or ("slice" in given) == ("apply" in given):
        raise UnreadableJob("reextract names no run with either a slice or a source")


CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "archive": _check_archive,
    "crawl": _check_crawl,
    "reextract": _check_reextract,
}


def judged(task: Task, ended: Ended) -> Ending:
    """What becomes of the job."""
    said = f"{ended.outcome}: {ended.detail}" if ended.detail else ended.outcome
    back = {
        "shutdown": 0.0,
        "newer": 0.0,
        "taken": BUSY_DELAY,
        "superseded": BUSY_DELAY,
        "elsewhere": ELSEWHERE_DELAY,
        **dict.fromkeys(AWAY, AWAY_DELAY),
    }
    if ended.outcome == "finished":
        return Ending(kind="done", crawl_id=ended.crawl_id)
    if ended.outcome in (NO_ANSWER, STALLED) and task.arguments.get("arguments"):  # a backfill goes on
        return Ending(kind="back", reason=said, delay=REST_DELAY, gives_way=True, crawl_id=ended.crawl_id)
    if ended.outcome in IN_VAIN:  # not tried again for that: when its source is asked again, its schedule says
        return Ending(kind="done", reason=said, crawl_id=ended.crawl_id)
    if ended.outcome == "time_max":  # what is left is in the frontier; only a walk through archives has to go on
        goes_on = bool(task.arguments.get("arguments"))
        return Ending(kind="back" if goes_on else "done", gives_way=True, crawl_id=ended.crawl_id)
    if ended.outcome in back:
        return Ending(kind="back", reason=said, delay=back[ended.outcome], crawl_id=ended.crawl_id)
    if ended.outcome in ("disabled", "source_disabled", "aborted", "gone"):
        return Ending(kind="dropped", reason=said, crawl_id=ended.crawl_id)
    return Ending(kind="failed", reason=said, final=ended.outcome in ("unreadable", "nowhere"), crawl_id=ended.crawl_id)
