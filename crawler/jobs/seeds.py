"""The folder of the seeds, followed while it changes. A file that is as it was is not opened again."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import ConfigurationError, SeedError
from crawler.seed_errors import short
from crawler.sources import Source, load_source
from crawler.store import disabling, schedules
from crawler.store.engine import Database
from crawler.store.patience import first_line, will_pass
from crawler.store.schedules import Defaults

logger = logging.getLogger(__name__)
BATCH = 200  # seeds of one transaction
COMPARE_EVERY = 600.0  # seconds, after which also rows are looked at whose files have not changed
SHOWN = 3  # seeds that are listed by name; of more, their number
NAMED, PROBLEM = 10, 120  # broken seeds that have a line of their own, and characters of what is wrong with each

Signature = tuple[int, int, int, int] | None  # None: it is listed, and cannot be looked at


class SeedsFolder:
    """What the folder held when it was last looked at."""

    def __init__(self, folder: Path, defaults: Defaults) -> None:
        self.folder, self.defaults = folder, defaults
        self.sources: dict[str, Source] = {}
        self.broken: dict[str, str] = {}
        self._signatures: dict[str, Signature] = {}
        self._compare_at = 0.0  # monotonic

    def follow(self, database: Database) -> str | None:
        """Make the rows say what the seeds say; returns what was changed.

        Raises SeedError for broken seeds, when all else is done, and ConfigurationError for a folder that is gone or
        empty: then no source is touched.
        """
        found = dict(self._scan())
        if not found:
            with database.engine.connect() as connection:
                kept = schedules.seeded(connection)
            self._compare_at = 0.0
            raise ConfigurationError(
                f"SEEDS_DIR: {self.folder} is gone or holds no seed; "
                + (f"the {kept} sources that are known go on as they are" if kept else "there is nothing to schedule")
            )
        everything = time.monotonic() >= self._compare_at
        names = self._read(found)
        try:
            changed = self._sow(database, list(self.sources) if everything else [n for n in names if n in self.sources])
            with database.engine.begin() as connection:
                schedules.mark_broken(connection, self.broken)
                good = schedules.seeded_of(connection, self.broken)
                gone = schedules.uproot(connection, found) if names or everything else []
        except BaseException:
            self._compare_at = 0.0
            raise
        if everything:
            self._compare_at = time.monotonic() + COMPARE_EVERY
        if self.broken:
            raise SeedError(_told(self.broken, good))
        said = [f"{_listed(changed)} taken up" if changed else "", f"{_listed(gone)} gone" if gone else ""]
        return "; ".join(filter(None, said)) or None

    def _scan(self) -> Iterator[tuple[str, Signature]]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return
        for name in names:
            if name.endswith(".yaml") and not name.startswith("."):
                try:
                    seen = (self.folder / name).stat()
                except OSError:  # it leads nowhere, may not be looked at, or has gone since: the next look tells
                    signature = None
                else:
                    signature = (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino)
                yield name.removesuffix(".yaml"), signature

    def _read(self, found: dict[str, Signature]) -> set[str]:
        """Read what is new or changed; returns the names of these and of those that are gone."""
        gone = set(self._signatures) - set(found)
        changed = {name for name, now in found.items() if now is None or self._signatures.get(name) != now}
        for name in changed | gone:
            self.sources.pop(name, None)
            self.broken.pop(name, None)
        for name in changed:
            try:
                self.sources[name] = load_source(self.folder / f"{name}.yaml")
            except SeedError as error:
                self.broken[name] = str(error)
                if isinstance(error.__context__, OSError):  # the file may be as it was when it can be read again
                    found[name] = None
        self._signatures = found
        return changed | gone

    def _sow(self, database: Database, names: Sequence[str]) -> list[str]:
        changed: list[str] = []
        ordered = sorted(names)
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            try:
                changed += self._sow_batch(database, batch)
            except SQLAlchemyError as error:
                if will_pass(error):
                    raise
                changed += self._sow_each(database, batch)
        return changed

    def _sow_each(self, database: Database, names: Sequence[str]) -> list[str]:
        """One that the database refuses must not keep the others out."""
        changed: list[str] = []
        for name in names:
            try:
                changed += self._sow_batch(database, [name])
            except SQLAlchemyError as error:
                if will_pass(error):
                    raise
                self.sources.pop(name)
                self.broken[name] = f"{self.folder / name}.yaml: the database refuses it: {first_line(error)}"
        return changed

    def _sow_batch(self, database: Database, names: Sequence[str]) -> list[str]:
        given = [self.sources[name] for name in names]
        with database.engine.begin() as connection:
            forgotten = disabling.forgotten(connection, {one.id: str(one.homepage) for one in given})
            changed = schedules.sow(connection, self.defaults, given, forgotten)
        for name in changed:
            if name in forgotten:
                logger.warning("%s", disabling.said_of(name, forgotten[name]))
        return [name for name in changed if name not in forgotten]


def _told(broken: Mapping[str, str], good: Collection[str]) -> str:
    """A line for each seed. `good`: those that were so before."""
    lines = [f"{_listed(sorted(broken))} broken"]
    for name in sorted(broken)[:NAMED]:
        problem = short(broken[name].partition("\n")[0].rpartition(f"{name}.yaml: ")[2], PROBLEM)
        lines.append(f"{name}: {problem} ({'goes on as it last was' if name in good else 'not crawled: never good'})")
    if len(broken) > NAMED:
        lines.append(f"and {len(broken) - NAMED} more: `python -m crawler.sources` shows all")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return (
        f"{len(names)} seeds"
        if len(names) > SHOWN
        else f"seed {' '.join(names)}"
        if len(names) == 1
        else (f"seeds {', '.join(names)}")
    )
