"""`scrapy db`: the database by hand."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from scrapy.exceptions import UsageError

from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.printing import printer
from crawler.store import checks, dump, duplicates, keeper, workers
from crawler.store.embedded import EmbeddedServer, binary
from crawler.store.engine import driver_url, lay_surface, migrate, open_database
from crawler.web import schema

ACTIONS = {
    "url": "print the database's URL for psql and BI tools (an embedded server stays up until unused for 10 minutes)",
    "migrate": "bring the tables up to date; with --drain, workers end their crawls first, and go on afterwards",
    "describe": "print tables, views and columns, or one of them: describe articles; --markdown: as docs/schema.md",
    "psql": "open psql on it; what follows is given to psql",
    "status": "tell whether the embedded server runs",
    "stop": "stop the embedded server",
    "check": "verify what must hold in the tables: a line for each check; ends with 1 if one is broken",
    "compare": "find the copies of what was stored before copies were looked for; crawls do some of it at their end",
    "backup": "FILE: write all of it into one file, with pg_dump",
    "restore": "FILE: bring a backup back into an empty database; with --replace also into one that holds articles",
}
REPLACE = "--replace"
DRAIN_TIME = 180.0  # seconds that workers have to end their crawls in
WITH_ARGUMENTS = ("psql", "describe", "backup", "restore")


class Command(AnsweringCommand):
    """One action a call."""

    def syntax(self) -> str:
        return f"<{' | '.join(ACTIONS)}> [NAME | FILE | psql options]"

    def short_desc(self) -> str:
        return "The database: its URL, migrations, description, psql, checks, backups, stop"

    def long_desc(self) -> str:
        return "\n".join(
            ["The database that crawls write to.", "", *(f"  {name:<8} {text}" for name, text in ACTIONS.items())]
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("--drain", action="store_true", help="with migrate: have workers end their crawls first")
        parser.add_argument("--markdown", action="store_true", help="with describe: print docs/schema.md")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if not args or args[0] not in ACTIONS:
            raise UsageError(f"say what to do: scrapy db {' | '.join(ACTIONS)}")
        if args[0] != "restore":  # it tells of a psql that ended early
            end_with_the_reader()
        if len(args) > 1 and args[0] not in WITH_ARGUMENTS:
            raise UsageError(f"scrapy db {args[0]} takes no arguments")
        if opts.markdown and args != ["describe"]:
            raise UsageError("--markdown goes with scrapy db describe, and with no name")
        if opts.drain and args[0] != "migrate":
            raise UsageError("--drain goes with scrapy db migrate")
        self.markdown: bool = opts.markdown
        self.drain: bool = opts.drain
        assert self.settings is not None
        self.database_url: str | None = self.settings["DATABASE_URL"] or None
        self.data_dir = Path(self.settings["CRAWLER_DATA_DIR"])
        with self.refusals(args[0]):
            self.exitcode = getattr(self, args[0])(list(args[1:])) or 0

    def url(self, _: list[str]) -> None:
        if self.database_url:
            print(plain_url(self.database_url))
            return
        with open_database(None, self.data_dir) as database:
            keeper.start(self.data_dir)
            print(database.url)

    def migrate(self, _: list[str]) -> None:
        with open_database(self.database_url, self.data_dir, migrated=False) as database:
            with workers.drained(database.engine, DRAIN_TIME) if self.drain else nullcontext():
                before, after = migrate(database.engine)
            if before == after:
                lay_surface(database.engine)  # views and comments may have changed without the tables
        print(f"at {after} already" if before == after else f"migrated from {before or 'nothing'} to {after}")

    def describe(self, names: list[str]) -> None:
        if self.markdown:
            print(schema.markdown(), end="")
            return
        found = schema.named(names[0]) if len(names) == 1 else schema.relations() if not names else []
        if not found:
            raise UsageError(f"name one of {', '.join(one.bare for one in schema.relations())}")
        schema.show(found, printer())

    def psql(self, options: list[str]) -> int:
        with open_database(self.database_url, self.data_dir) as database:
            return subprocess.call(
                [binary("psql"), plain_url(database.url), *(option for option in options if option != "--")]
            )

    def status(self, _: list[str]) -> int:
        if self.database_url:
            print(f"DATABASE_URL is set: {driver_url(self.database_url).render_as_string(hide_password=True)}")
            return 0
        url = EmbeddedServer(self.data_dir).status()
        shown = driver_url(url).set(drivername="postgresql").render_as_string(hide_password=True) if url else ""
        print(f"running: {shown} (data in {self.data_dir})" if url else f"not running (data in {self.data_dir})")
        return 0 if url else 3

    def stop(self, _: list[str]) -> int:
        if self.database_url:
            raise UsageError("DATABASE_URL is set: that server is not ours to stop")
        print("stopped" if EmbeddedServer(self.data_dir).stop() else "it was not running")
        return 0

    def check(self, _: list[str]) -> int:
        with open_database(self.database_url, self.data_dir) as database:
            found = 0
            for check in checks.CHECKS:
                finding = checks.run(database.engine, check)
                found += 0 if check.heals else finding.count
                print(checks.line(finding), flush=True)
        return 1 if found else 0

    def compare(self, _: list[str]) -> None:
        console, done = printer(stderr=True), 0
        shown = console.status("comparing ...") if console.is_terminal else nullcontext()
        with open_database(self.database_url, self.data_dir) as database, shown as status:
            while some := duplicates.catch_up(database.engine, seconds=1):
                done += some
                if status:
                    status.update(f"{done:,} articles compared")
        print(f"{done:,} articles compared" if done else "nothing waits to be compared")

    def backup(self, args: list[str]) -> None:
        path = Path(one_file("backup", args))
        with open_database(self.database_url, self.data_dir) as database:
            print(f"{dump.backup(database, path):,} bytes: {path}")

    def restore(self, args: list[str]) -> None:
        path = Path(one_file("restore", [one for one in args if one != REPLACE]))
        with open_database(self.database_url, self.data_dir, migrated=False) as database:
            dump.restore(database, path, replace=REPLACE in args)
        print(f"restored from {path}")


def one_file(action: str, args: list[str]) -> str:
    """Raises UsageError."""
    if len(args) != 1 or args[0].startswith("-"):
        raise UsageError(f"name one file: scrapy db {action} FILE")
    return args[0]


def plain_url(url: str) -> str:
    """As libpq writes it, without SQLAlchemy's driver name."""
    return driver_url(url).set(drivername="postgresql").render_as_string(hide_password=False).replace(" ", "%20")
