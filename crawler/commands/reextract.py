"""`scrapy reextract`: today's rules over stored pages. It shows what would change, and applies it when that is wanted.

What was found waits in the database (store/reextractions.py): a run that was killed goes on where it was, and nothing
is extracted twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.status import Status
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.settings import BaseSettings
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from crawler.errors import ConfigurationError, CrawlerError, DamagedPage, StoreError
from crawler.extraction.pool import ExtractionPool
from crawler.gains import group
from crawler.period import period
from crawler.pipelines.again import Job, Reading, fingerprint, judged, readings
from crawler.recurrence import Template
from crawler.sources import Source, adhoc_source, find_source, load_sources, source_names
from crawler.store import cleaning, models, reading, reapplying, reextractions, templates
from crawler.store.articles import row_of
from crawler.store.engine import Database, keep_schema, open_database
from crawler.store.patience import Patience
from crawler.store.reapplying import Applied
from crawler.store.reextractions import Asked, Begun, Change, Subject
from crawler.store.taught import is_known
from crawler.web.gains import Report, lines, plain

CHUNK = 100  # pages whose results are committed together
REFRESH = 0.5  # seconds
MOST_REJECTED = 5  # articles of a source that are named as such
HOW = "nothing was applied: --apply applies it, and extracts nothing again; --dry-run only looks"
T = TypeVar("T")


class Command(ScrapyCommand):
    """Looks, reports, asks, applies."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, Any]] = {"LOG_ENABLED": False}

    def syntax(self) -> str:
        return "[options]"

    def short_desc(self) -> str:
        return "Run today's rules over the stored pages: show what would change, then apply it"

    def long_desc(self) -> str:
        return (
            f"{self.short_desc()}. Nothing is fetched. On a terminal it asks before it applies; elsewhere it takes "
            "--apply. Whatever interrupts it, the same command goes on from there. Earlier versions are kept as "
            "revisions that are ours, not the publisher's; articles that would be none any more stay."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add("--source", metavar="A,B", help="only pages of these sources")
        add("--since", metavar="DATE", help="only articles that were published on this day or later")
        add("--until", metavar="DATE", help="only articles that were published on this day or before")
        add("--article", metavar="ID|URL", action="append", help="only this article; may be given more than once")
        add("--articles-only", action="store_true", help="leave out the pages that had given no article")
        add("--anew", action="store_true", help="look at all pages again, whatever an earlier run has found")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--dry-run", action="store_true", help="only show what would change")
        choice.add_argument("--apply", "--yes", action="store_true", help="apply it without asking")
        add("--json", action="store_true", help="print the report as one JSON object")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if args:
            raise UsageError("takes options only: scrapy reextract --source a,b")
        assert self.settings is not None
        try:
            work = Reextract(opts, self.settings)
            with open_database(self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])) as found:
                self.exitcode = work.run(found)
        except SQLAlchemyError as error:
            print(f"scrapy reextract: the database failed: {str(error).splitlines()[0]}", file=sys.stderr)
            self.exitcode = 1
        except CrawlerError as error:
            print(f"scrapy reextract: {error}", file=sys.stderr)
            self.exitcode = 1
        except KeyboardInterrupt:
            print("scrapy reextract: broken off; the same command goes on from here", file=sys.stderr)
            self.exitcode = 1


class Judged(NamedTuple):
    """What is kept of a reading until it is committed: all but its page, which may have megabytes."""

    subject: Subject
    counted: Counter[str]
    change: Change | None


class Reextract:
    """What was asked for. Raises ConfigurationError for what cannot be done, before a database is opened."""

    def __init__(self, opts: argparse.Namespace, settings: BaseSettings) -> None:
        self.opts, self.settings = opts, settings
        self.sources = tuple(name.strip() for name in (opts.source or "").split(",") if name.strip())
        self.period = period(opts.since, opts.until)
        self.seeds, self.broken = seeds_in(Path(settings["SEEDS_DIR"]), self.sources)
        self.patience = Patience(settings.getfloat("DATABASE_PATIENCE"))
        self.steps = [float(step) for step in settings.getlist("RECHECK_STEPS")]
        self.console = Console(stderr=True)
        self.templates: dict[str, Template] = {}
        self.stored_seeds: dict[str, Source | None] = {}

    def run(self, database: Database) -> int:
        """Returns the exit status. Raises StoreError, ConfigurationError."""
        self.database = database
        self.patience = Patience(self.patience.seconds, database.place, database.mend)
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        asked = self.transaction(self.asked)
        with engine.connect() as holder:
            if not reextractions.lock(holder):
                raise StoreError("another `scrapy reextract` runs on this database")
            self.transaction(keep_schema)  # with the lock: nobody migrates from now on
            rules = fingerprint(self.seeds[name] for name in self.sources or self.seeds if name in self.seeds)
            begun = self.transaction(lambda given: reextractions.begin(given, asked, rules, anew=self.opts.anew))
            self.say_how(begun)
            self.look(asked, begun)
            return self.conclude(asked, begun)

    # -- what is asked ------------------------------------------------------------------------------------------------

    def asked(self, connection: Connection) -> Asked:
        for source in self.sources:
            if not is_known(connection, source):
                raise ConfigurationError(f"nothing of a source {source!r} is stored")
        return Asked(
            sources=self.sources,
            period=self.period,
            articles=tuple(article_id(connection, one) for one in self.opts.article or ()),
            articles_only=self.opts.articles_only,
            left_out=self.broken,
        )

    def say_how(self, begun: Begun) -> None:
        at = f"{begun.started_at:%Y-%m-%d %H:%M}"
        if begun.how == "resumed":
            self.say(f"going on with what was begun {at}")
        elif begun.how == "found":
            self.say(f"this is what was found {at}; --anew looks again")
        for name in self.broken:
            self.say(f"left out: {name}, whose seed is broken (python -m crawler.sources)")

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self, asked: Asked, begun: Begun) -> None:
        """Finds what would change, as far as that was not found before."""
        if begun.how == "found":
            return
        with self.database.engine.connect() as connection:
            articles = reextractions.article_ids(connection, asked, begun.articles_done)
            urls = reextractions.url_ids(connection, asked, begun.urls_done)
        workers = self.settings.getint("EXTRACTION_WORKERS")
        pool = ExtractionPool(
            workers, self.settings.getfloat("EXTRACTION_TIMEOUT"), self.settings.getint("EXTRACTION_MEMORY_MB")
        )
        try:
            with self.shown() as status:
                progress = Progress(status, len(articles) + len(urls))
                asyncio.run(self.read(pool, self.jobs(articles, urls), workers, begun, progress))
        finally:
            pool.close()
        self.transaction(lambda connection: reextractions.finish(connection, begun.id))

    async def read(
        self, pool: ExtractionPool, jobs: Iterator[Job], workers: int, begun: Begun, progress: Progress
    ) -> None:
        batch: list[Judged] = []
        async for one in readings(pool, jobs, workers):
            batch.append(self.judged(one))
            progress.step()
            if len(batch) >= CHUNK:
                progress.changed += self.note(begun, batch)
                batch.clear()
        self.note(begun, batch)

    def jobs(self, articles: array[int], urls: array[int]) -> Iterator[Job]:
        """The pages in their order; each is read when its turn comes."""
        for ids, find in ((articles, reextractions.of_articles), (urls, reextractions.of_urls)):
            for at in range(0, len(ids), CHUNK):
                chosen = ids[at : at + CHUNK]
                for subject in self.transaction(lambda connection, f=find, c=chosen: f(connection, c)):  # type: ignore[misc]
                    yield self.transaction(lambda connection, one=subject: self.job(connection, one))  # type: ignore[misc]

    def job(self, connection: Connection, subject: Subject) -> Job:
        try:
            page = reading.page(connection, subject.held) if subject.held else None
        except DamagedPage as error:
            return Job(subject=subject, damage=str(error))
        if page is None:
            return Job(subject=subject)
        source = self.source_of(connection, page.source, page.url)
        if page.source not in self.templates:
            self.templates[page.source] = templates.learned(connection, page.source)
        return Job(subject=subject, page=page, source=source, template=self.templates[page.source])

    def source_of(self, connection: Connection, name: str, url: str) -> Source:
        """The seed as it is today; where there is none any more, as it was when it was last crawled."""
        if name in self.seeds:
            return self.seeds[name]
        if name not in self.stored_seeds:
            self.stored_seeds[name] = stored_seed(connection, name)
        return self.stored_seeds[name] or adhoc_source(url)

    def judged(self, one: Reading) -> Judged:
        counted, change = judged(self.known(one))
        return Judged(one.job.subject, counted, change)

    def note(self, begun: Begun, batch: Sequence[Judged]) -> int:
        """Commits what was found; returns how many changes that are."""
        if not batch:
            return 0
        done: dict[str, int] = {}
        met: dict[str, Counter[str]] = {}
        for subject, counted, _ in batch:
            done["urls_done" if subject.old is None else "articles_done"] = subject.position
            met[subject.source] = begun.found[subject.source] = begun.found.get(subject.source, Counter()) + counted
        changes = [change for *_, change in batch if change]
        self.transaction(lambda connection: reextractions.note(connection, begun.id, changes, met, **done))
        return sum(change.outcome in ("changed", "new") for change in changes)

    def known(self, one: Reading) -> Reading:
        """A page whose article is stored from another address, or whose address its seed denies, gives no new one."""
        if one.job.subject.old is not None or one.article is None or one.job.page is None:
            return one
        key, url, source = row_of(one.article)["key"], one.job.page.url, one.job.source
        if source is not None and not source.wants(url):
            return Reading(job=one.job, reason="not_wanted")
        is_stored = self.transaction(lambda connection: reextractions.is_stored(connection, key))
        return Reading(job=one.job, reason="duplicate") if is_stored else one

    # -- applying -----------------------------------------------------------------------------------------------------

    def conclude(self, asked: Asked, begun: Begun) -> int:
        """The report, and what becomes of it."""
        report, waiting = self.transaction(lambda connection: self.report(connection, asked, begun))
        pending = waiting["changed"] + waiting["new"]
        if not self.opts.json:
            show(report)
        if not pending:
            self.transaction(lambda connection: reapplying.finish(connection, begun.id))
            self.end(report, "nothing would change", Applied())
            return 0
        if self.opts.dry_run or not (self.opts.apply or self.confirmed(pending)):
            self.end(report, "nothing was applied" if self.opts.dry_run or self.asks else HOW, Applied())
            return 0 if self.opts.dry_run or self.asks else 1
        applied = self.apply(begun, pending)
        self.end(report, sentence(applied), applied)
        return 1 if applied.refused else 0

    def report(self, connection: Connection, asked: Asked, begun: Begun) -> tuple[Report, Counter[str]]:
        named = [name for name, found in begun.found.items() if group(found, "rejected") or group(found, "failed")]
        report = Report(
            run=begun.id,
            asked=asked.plain,
            sources=begun.found,
            largest=reextractions.largest(connection, begun.id),
            rejected={name: reextractions.rejected(connection, begun.id, name, MOST_REJECTED) for name in named},
        )
        return report, reextractions.waiting(connection, begun.id)

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.opts.json

    def confirmed(self, pending: int) -> bool:
        try:
            return self.asks and input(f"apply {pending:,} changes? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:  # Ctrl-D
            print()
            return False

    def apply(self, begun: Begun, pending: int) -> Applied:
        done = Applied()
        with self.shown() as status:
            for outcome in ("changed", "new"):
                while batch := self.transaction(lambda given, o=outcome: reapplying.next_batch(given, begun.id, o)):  # type: ignore[misc]
                    done += self.apply_batch(begun.id, batch)
                    if isinstance(status, Status):
                        status.update(f"applied {done.applied:,} of {pending:,} changes")
            for source in sorted(name for name, found in begun.found.items() if found["changed"] or found["new"]):
                cleaning.clean(self.database.engine, source)  # as a crawl does at its end
        self.transaction(lambda connection: reapplying.finish(connection, begun.id))
        return done

    def apply_batch(self, run_id: int, batch: Sequence[Any]) -> Applied:
        """In one transaction; what the database refuses is found by halving, and the rest is applied."""
        try:
            return self.transaction(lambda connection: reapplying.apply(connection, run_id, batch, self.steps))
        except DBAPIError as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return self.apply_batch(run_id, batch[:half]) + self.apply_batch(run_id, batch[half:])
            [row], refusal = batch, error
            return self.transaction(lambda connection: reapplying.refuse(connection, row, refusal))

    # -- small things -------------------------------------------------------------------------------------------------

    def transaction(self, work: Callable[[Connection], T]) -> T:
        def action() -> T:
            with self.database.engine.begin() as connection:
                return work(connection)

        return self.patience.wait_for(action)

    def shown(self) -> Any:
        """How far it is, on a terminal."""
        return self.console.status("reading ...") if self.console.is_terminal else nullcontext()

    def say(self, words: str) -> None:
        self.console.print(words, highlight=False, soft_wrap=True)

    def end(self, report: Report, words: str, applied: Applied) -> None:
        """The last words; as JSON, the report with what was applied."""
        if self.opts.json:
            print(json.dumps({**plain(report), **asdict(applied)}, ensure_ascii=False, indent=2))
        self.say(words)


class Progress:
    """How far it is, with the rate and what is left."""

    def __init__(self, status: Status | None, total: int) -> None:
        self.status, self.total = status, total
        self.done = self.changed = 0
        self.started = self.shown_at = time.monotonic()

    def step(self) -> None:
        self.done += 1
        now = time.monotonic()
        if self.status is not None and now - self.shown_at >= REFRESH:
            self.shown_at = now
            rate = self.done / (now - self.started)
            left = timedelta(seconds=round((self.total - self.done) / rate))
            self.status.update(
                f"{self.done:,} of {self.total:,} pages, {rate:.0f}/s, {left} left; {self.changed:,} would change"
            )


def seeds_in(directory: Path, named: Sequence[str]) -> tuple[dict[str, Source], tuple[str, ...]]:
    """The seeds, and the names of those that are broken. Raises SeedError for one that is asked for by name."""
    seeds, _ = load_sources(directory)
    broken = tuple(name for name in source_names(directory) if name not in seeds)
    for name in named:
        if name in broken:
            find_source(directory, name)
    return seeds, () if named else broken


def stored_seed(connection: Connection, name: str) -> Source | None:
    """A seed that is in the database only."""
    seed = connection.execute(select(models.Source.seed).where(models.Source.id == name)).scalar()
    try:
        return Source.model_validate({**seed, "id": name}) if seed else None
    except ValidationError:  # of another version of this program
        return None


def article_id(connection: Connection, named: str) -> int:
    """Of an id or an address. Raises ConfigurationError."""
    if named.isascii() and named.isdigit():
        found = reading.article(connection, int(named))
    else:
        found = reading.article_at(connection, named)
    if found is None:
        raise ConfigurationError(f"--article {named}: there is no such stored article")
    return found.id


def show(report: Report) -> None:
    console = Console()
    for line in lines(report):
        console.print(line, soft_wrap=not console.is_terminal)


def sentence(applied: Applied) -> str:
    """What was done."""
    said = f"applied {applied.applied:,} changes, {applied.revised:,} with a revision"
    if applied.skipped:
        said += f"; {applied.skipped:,} not, since their pages were fetched again meanwhile: run it again"
    if applied.refused:
        said += f"; {applied.refused:,} refused by the database"
    return said
