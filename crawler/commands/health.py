"""`scrapy health`: what is wrong, the worst first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from crawler import alerts
from crawler.errors import ConfigurationError, UnknownSource
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.health import KINDS, NEEDED, Finding
from crawler.jobs import watching
from crawler.jobs.watching import Judged
from crawler.printing import printer
from crawler.store import health
from crawler.store.engine import Database

FINE, WARNS, FAILS, UNKNOWN = 0, 1, 2, 3  # as monitors in the manner of Nagios expect
HELP = f"""Judges every source against its own past, and the whole, freshly: no scheduler need run.
One line for each finding, the worst first; one line if nothing is wrong.

Ends with {FINE}: nothing is wrong, {WARNS}: warnings only, {FAILS}: something fails, {UNKNOWN}: it could not be told
(no database, an unknown source). So it can be a check of a monitor, or stand in a crontab:

  */15 * * * *  cd /srv/news && .venv/bin/scrapy health --tell > /dev/null

What can be found:

""" + "\n".join(f"  {kind:<17} {meaning}" for kind, meaning in KINDS.items())


class Command(AnsweringCommand):
    """Judges, shows; `--tell` does what a scheduler does."""

    def syntax(self) -> str:
        return "[options] [source ...]"

    def short_desc(self) -> str:
        return "Show which sources are not as usual, and what else is wrong; ends with 0, 1 (warnings) or 2 (failures)"

    def long_desc(self) -> str:
        return HELP

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")
        parser.add_argument(
            "--tell", action="store_true", help="open and close incidents and send alerts, where no scheduler runs"
        )
        parser.add_argument("--test-alert", action="store_true", help="send a test to every receiver that is set")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        end_with_the_reader()
        with self.refusals():
            if opts.test_alert:
                self.exitcode = self.test_alert()
                return
            with self.database() as found:
                self.exitcode = self.health(found, args, opts)

    def status_of(self, why: Exception | str) -> int:
        return UNKNOWN

    def test_alert(self) -> int:
        assert self.settings is not None
        to = watching.receivers_of(self.settings)
        if not to:
            raise ConfigurationError("set ALERT_WEBHOOK, ALERT_EMAIL with SMTP_URL, or ALERT_COMMAND")
        told = alerts.send(alerts.trial(), to)
        for name, wrong in told.items():
            print(f"{name}: {wrong or 'sent'}")
        return UNKNOWN if any(told.values()) else FINE

    def health(self, database: Database, args: Sequence[str], opts: argparse.Namespace) -> int:
        assert self.settings is not None
        with database.engine.connect() as connection:
            names = health.names(connection)
            now = health.now(connection)
        if unknown := sorted(set(args) - set(names)):
            raise UnknownSource(f"no source {unknown[0]!r} was ever crawled; `scrapy list` shows what there is")
        judged = watching.judge_sources(database, sorted(set(args)) or names)
        whole = [] if args else watching.judge_whole(database)
        if opts.tell:
            watching.note(database, judged)
            pause = timedelta(seconds=self.settings.getfloat("ALERT_PAUSE"))
            if to := watching.receivers_of(self.settings):
                for name, wrong in watching.tell(database, to, pause).items():
                    if wrong:
                        print(f"scrapy health: alert by {name}: {wrong}; it is tried again", file=sys.stderr)
        if opts.json:
            print(json.dumps(plain(judged, whole), ensure_ascii=False, indent=2))
        elif not names and not whole:
            print("No source was ever crawled: `scrapy crawl SOURCE` begins, `scrapy list` shows the sources.")
        else:
            show(judged, whole, now)
            for name in sorted(set(args)):
                if judged[name].known < NEEDED:
                    print(f"{name}: {judged[name].so_far}.")
        return status(judged, whole)


def rows(judged: Mapping[str, Judged], whole: Sequence[Finding]) -> list[tuple[str, Finding]]:
    """The worst first: the whole before its sources, failures before warnings."""
    found = [("", one) for one in whole] + [(name, one) for name, its in judged.items() for one in its.findings]
    return sorted(found, key=lambda row: (row[1].severity != "fail", row[0], row[1].kind))


def status(judged: Mapping[str, Judged], whole: Sequence[Finding]) -> int:
    """What the command ends with."""
    severities = {one.severity for _, one in rows(judged, whole)}
    return FAILS if "fail" in severities else WARNS if severities else FINE


def show(judged: Mapping[str, Judged], whole: Sequence[Finding], now: datetime) -> None:
    console = printer()
    found = rows(judged, whole)
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=False)
    for name, one in found:
        style = "bold red" if one.severity == "fail" else "yellow"
        words = (name or "the crawler", one.kind, one.sentence)
        table.add_row(Text(one.severity, style), *map(Text, words))  # data, which may hold brackets, is no markup
    if found and console.is_terminal:
        console.print(table)
    else:  # a line each, however long: somebody else's program reads it
        for name, one in found:
            sentence = "; ".join(one.sentence.splitlines())
            print(f"{one.severity}  {name or 'the crawler'}  {one.kind}  {sentence}")
    print(summary(judged, found))


def summary(judged: Mapping[str, Judged], found: Sequence[tuple[str, Finding]]) -> str:
    """One line of the whole."""
    wrong = {name for name, _ in found if name}
    said = [f"{len(judged)} source{'' if len(judged) == 1 else 's'}"]
    said += list(_counted(judged, wrong))
    return f"{', '.join(said)}." if found else f"Nothing is wrong: {', '.join(said)}."


def _counted(judged: Mapping[str, Judged], wrong: set[str]) -> Iterator[str]:
    learning = sum(1 for one in judged.values() if one.known < NEEDED and not one.present.disabled)
    disabled = sum(1 for one in judged.values() if one.present.disabled)
    if wrong:
        yield f"{len(wrong)} not as usual"
    if learning:
        yield f"{learning} learning (fewer than {NEEDED} days are known)"
    if disabled:
        yield f"{disabled} disabled"


def plain(judged: Mapping[str, Judged], whole: Sequence[Finding]) -> dict[str, Any]:
    """JSON's types."""
    findings = [
        {
            "source": name or None,
            "kind": one.kind,
            "severity": one.severity,
            "detail": one.sentence,
            "since": one.since.isoformat() if one.since else None,
        }
        for name, one in rows(judged, whole)
    ]
    sources = {
        name: {
            "articles_today": one.present.today.fresh,
            "known_days": one.known,
            "learning": one.known < NEEDED,
            "disabled": one.present.disabled,
        }
        for name, one in judged.items()
    }
    return {"status": ("ok", "warn", "fail")[status(judged, whole)], "findings": findings, "sources": sources}
