"""What a person asks to be queued, checked as if it were done at once, as jobs.

What a job needs is in the database or in its arguments, for it may be done anywhere: the seeds of crawls and archives
are written to `sources`, those of a re-extraction are its run's. A WARC file alone has to be where the worker is: it is
named by its whole path and known by what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from sqlalchemy import Connection, text

from crawler import warc
from crawler.errors import ConfigurationError, UnknownSource
from crawler.reextraction import queued
from crawler.reextraction.question import Question, begin
from crawler.sources import Source, find_source
from crawler.spiders.admission import Admission, admission
from crawler.spiders.arguments import check_arguments
from crawler.spiders.captures import archives_at
from crawler.spiders.selection import chosen_sources, is_yes
from crawler.store import archives, crawls, disabling, reextractions, slices
from crawler.store.queue import BULK, Job, crawl_of

ALL = "news"
_SEEDED = text("UPDATE sources SET seeded_at = now() WHERE id = ANY(:ids) AND seeded_at IS NULL")
_KNOWN = text("SELECT id FROM sources")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Jobs, with a name for each; `said`: what a person should know besides. `run`: of a re-extraction."""

    jobs: Sequence[Job]
    names: Sequence[str]
    said: Sequence[str] = field(default_factory=list)
    run: int | None = None


def crawls_of(connection: Connection, seeds_dir: Path, names: Sequence[str], arguments: Mapping[str, str]) -> Request:
    """A crawl of each; `news`: of all that are enabled. Raises ConfigurationError."""
    check_arguments("a source", arguments)
    known = set(connection.execute(_KNOWN).scalars())
    seeds, said = _seeds(seeds_dir, names, known)
    wanted = list(dict.fromkeys([*seeds, *(name for name in names if name != ALL)]))
    refused = disabling.disabled(connection, wanted) | disabling.barred(connection, seeds.values())
    if asked := [why for name, why in refused.items() if name in names]:
        raise ConfigurationError("; ".join(asked))
    said += [f"left out: {why}" for why in refused.values()]
    chosen = [name for name in wanted if name not in refused]
    plant(connection, [seeds[name] for name in chosen if name in seeds])
    jobs = [crawl_of(name, asked="person", arguments=arguments) for name in chosen]
    return Request(jobs=jobs, names=chosen, said=said)


def _seeds(seeds_dir: Path, names: Sequence[str], known: set[str]) -> tuple[dict[str, Source], list[str]]:
    """The seeds that are here; a source that is known to the database only is crawled with its seed there."""
    found: dict[str, Source] = {}
    said: list[str] = []
    for name in names:
        if name == ALL:
            sources, broken = chosen_sources(seeds_dir, ALL)
            found |= {source.id: source for source in sources}
            said += [f"left out: {error}" for error in broken]
            continue
        try:
            found[name] = find_source(seeds_dir, name)
        except UnknownSource:
            if name not in known:
                raise
        except ConfigurationError:  # no seeds here, or a broken one
            if seeds_dir.is_dir():
                raise
            if name not in known:
                near = get_close_matches(name, known)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise UnknownSource(f"there is no source {name!r} in the database, and no seeds here{hint}") from None
    return found, said


def plant(connection: Connection, sources: Sequence[Source]) -> None:
    """Their seeds are in the database, where workers find them."""
    crawls.save_sources(connection, sources)
    connection.execute(_SEEDED, {"ids": [source.id for source in sources]})


def archives_of(connection: Connection, seeds_dir: Path, arguments: Mapping[str, str]) -> Request:
    """A job for each WARC file that is not done. Raises ConfigurationError."""
    check_arguments("archive", arguments)
    files = archives_at(arguments.get("warc"))
    asked, broken = admission(seeds_dir, arguments)
    again = is_yes("again", arguments.get("again"))
    plant(connection, list(asked.seeds.values()))
    given = {name: value for name, value in arguments.items() if name != "warc"}
    jobs, names, done = [], [], 0
    for path in files:
        try:
            file = warc.identity(path)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from None
        if not again and archives.is_done(connection, file, asked.selection):
            done += 1
            continue
        jobs.append(_archive(file, asked, given))
        names.append(str(path))
    said = [f"left out: {error}" for error in broken]
    if done:
        said.append(f"{done:,} of {len(files):,} files done already; -a again=1 reads them again")
    return Request(jobs=jobs, names=names, said=said)


def _archive(file: warc.Identity, asked: Admission, arguments: Mapping[str, str]) -> Job:
    """One run at a time reads a file for one purpose, as the leases in `archives` have it."""
    key = f"archive:{file.fingerprint[:32]}:{asked.selection}"
    place = {"warc": str(file.path.absolute()), "fingerprint": file.fingerprint}
    return Job(
        task="archive",
        arguments={**place, "arguments": dict(arguments)},
        lock=key,
        queueing_lock=key,
        priority=BULK,
    )


def reextraction_of(connection: Connection, question: Question, *, apply: bool) -> Request:
    """A job for each slice that is not looked at; once all are, and with `apply`, one for each source with changes.

    Raises ConfigurationError, StoreError.
    """
    begun = begin(connection, question)
    said = [f"left out: {name}, whose seed is broken (python -m crawler.sources)" for name in question.broken]
    if apply:
        reextractions.want_applied(connection, begun.id)
    jobs = queued.looking(connection, begun.id)
    names = [f"slice {job.arguments['slice']}" for job in jobs]
    left = slices.extent(connection, begun.id).slices
    if left > len(jobs):
        said.append(f"{left - len(jobs):,} slices are being looked at already")
    if not left and apply:
        jobs = queued.applying(connection, begun.id)
        names = [f"the changes of {job.arguments['apply']}" for job in jobs]
    if not jobs and not left:
        waiting = reextractions.waiting(connection, begun.id)
        pending = sum(waiting[outcome] for outcome in reextractions.APPLICABLE)
        said.append(f"all was looked at already: {pending:,} changes; scrapy reextract --run {begun.id} shows them")
    return Request(jobs=jobs, names=names, said=said, run=begun.id)
