"""Days of a newsroom in minutes: many papers that publish, workers that are killed, and what became of every article.

    python -m benchmarks.days [--sources 200] [--workers 3] [--minutes 10] [--publish-every 60] [--every 1m]
    python -m benchmarks.days --newsweb DIR --data DIR ...     real pages, served by that local web

Everything starts here: the web (half of each paper's articles are out, then one more every PUBLISH-EVERY seconds), an
embedded PostgreSQL, two schedulers and the workers, with seeds that hold the home page and the schedule alone. Every
KILL-EVERY seconds one of them, mostly a worker, is killed with -9 and started again. When the minutes are over the
killing ends, and what came out until then is waited for (at most DRAIN minutes); then the workers are stopped.

Told is, of all that came out until then: stored once, stored twice, taken for no article (and why), missing; the lag
from publication to storage, of what came out after the papers' first articles had been fetched; fetches that gave
nothing; and whether any host was asked more often than politeness allows, by all workers together.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from benchmarks.fleet import Fleet, Usage, environment, peak, until
from benchmarks.served import Printed, Served, add_options, served
from crawler.outcomes import OUTCOMES
from crawler.store import checks
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, migrate
from crawler.urls import url_key
from tests.site.manners import Manners, manners, read
from tests.site.street import write_seeds

GAP = 1.0  # seconds between two requests to a host
SAMPLE = 5.0  # seconds between two looks
SHARE_OF_SCHEDULERS = 0.15  # of the kills
DRAIN = 6  # minutes

_PLACES = text("""
SELECT key, article_id, state, reason FROM urls
UNION ALL SELECT a.key, u.article_id, u.state, u.reason FROM url_aliases a JOIN urls u ON u.id = a.url_id
UNION ALL SELECT key, id, 'fetched', 'article' FROM articles
""")
_ARTICLES = text("SELECT id, extract(epoch FROM stored_at)::float8 FROM articles")
_CRAWLS = text("SELECT outcome, stats FROM crawls")
_LISTS = text("SELECT url FROM listings")
_JOBS = text("SELECT status::text, count(*) FROM procrastinate.procrastinate_jobs GROUP BY 1 ORDER BY 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What became of what was printed. `stored`: id -> when, for those that are stored once."""

    stored: dict[str, float]
    twice: list[Printed]
    merged: list[Printed]
    refused: dict[str, list[Printed]]
    missing: list[Printed]
    extra: int


def fate_of(connection: Connection, printed: Sequence[Printed]) -> Fate:
    """Look every article up by its address and by those that lead to it."""
    stored_at = {row[0]: row[1] for row in connection.execute(_ARTICLES)}
    articles: dict[str, set[int]] = defaultdict(set)
    ends: dict[str, str] = {}
    for key, article, state, reason in connection.execute(_PLACES):
        if article is not None:
            articles[key].add(article)
        else:
            ends[key] = reason or state
    stored: dict[str, float] = {}
    twice, merged, missing = list[Printed](), list[Printed](), list[Printed]()
    refused, taken = dict[str, list[Printed]](), dict[int, str]()
    for one in printed:
        key = url_key(one.url) or ""
        found = articles.get(key, set())
        if len(found) > 1:
            twice.append(one)
        elif found:
            (number,) = found
            if number in taken:
                merged.append(one)
            else:
                taken[number] = one.id
                stored[one.id] = stored_at[number]
        elif key in ends and ends[key] not in ("queued", "leased"):
            refused.setdefault(ends[key], []).append(one)
        else:
            missing.append(one)
    known = {number for one in printed for number in articles.get(url_key(one.url) or "", ())}
    return Fate(
        stored=stored, twice=twice, merged=merged, refused=refused, missing=missing, extra=len(stored_at.keys() - known)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """What was asked for: lists are feeds, sitemaps, sections and home pages."""

    of: Counter[str]

    @property
    def pages(self) -> int:
        return sum(self.of[kind] for kind in ("articles, first", "articles, again", "other pages"))

    @property
    def useless(self) -> float:
        """Share of the pages that were sent whole and were nothing new."""
        return 1 - self.of["articles, first"] / max(1, self.pages)


def requests_of(rows: Sequence[Mapping[str, Any]], lists: set[str]) -> Requests:
    """By kind."""
    seen, of = set[str](), Counter[str]()
    for row in sorted(rows, key=lambda row: float(row["t"])):
        path, status, art = row["path"], row["status"], row.get("art") or ""
        if path.startswith("/_newsweb"):
            continue
        if path == "/robots.txt":
            kind = "robots.txt"
        elif f"http://{row['host']}{path}" in lists:
            kind = "lists, not modified" if status == 304 else "lists, read" if status == 200 else "lists, failed"
        elif status == 304:
            kind = "articles, not modified"
        elif art and status == 200:
            kind = "articles, again" if art in seen else "articles, first"
            seen.add(art)
        elif status in (301, 302, 307, 308):
            kind = "redirects"
        else:
            kind = "other pages" if status == 200 else f"status {status}"
        of[kind] += 1
    return Requests(of=of)


def found_something(stats: Mapping[str, Any]) -> bool:
    """Whether a crawl stored or changed an article."""
    return any(key.startswith("news/") and key.rpartition("/")[2] in ("stored", "updated") for key in stats)


# -- the run ----------------------------------------------------------------------------------------------------------


class Days:
    """One run."""

    def __init__(self, options: argparse.Namespace, fleet: Fleet, web: Served, console: Console) -> None:
        self.options, self.fleet, self.web, self.console = options, fleet, web, console
        self.dice = random.Random(options.seed)  # noqa: S311
        self.usages = list[Usage]()
        self.kills, self.faults = Counter[str](), list[str]()
        self.began = time.time()
        self.settled: float | None = None  # when the first articles of all papers had been fetched

    def start(self, name: str) -> None:
        """A worker or a scheduler, by its name."""
        self.fleet.start(name, name.partition("-")[0])

    def run(self) -> float:
        """Until the minutes are over; returns when (seconds since 1970)."""
        names = [f"scheduler-{n}" for n in range(2)] + [f"worker-{n}" for n in range(self.options.workers)]
        for name in names:
            self.start(name)
        began, next_kill = time.monotonic(), time.monotonic() + self.options.kill_every
        while (passed := time.monotonic() - began) < self.options.minutes * 60:
            time.sleep(SAMPLE)
            self.look()
            for name in self.fleet.ended():
                self.faults.append(f"{name} ended by itself after {passed:.0f} s")
                self.fleet.kill(name)
                self.start(name)
            if self.options.kill_every and time.monotonic() > next_kill:
                next_kill = time.monotonic() + self.options.kill_every * self.dice.uniform(0.7, 1.3)
                kind = "scheduler" if self.dice.random() < SHARE_OF_SCHEDULERS else "worker"
                name = self.dice.choice([one for one in names if one.startswith(kind)])
                self.fleet.kill(name)
                self.kills[kind] += 1
                self.start(name)
        return time.time()

    def look(self) -> None:
        """Note what it takes and how far it is."""
        self.usages.append(self.fleet.usage())
        done = self.fleet.value("SELECT count(*) FROM articles")
        waiting = self.fleet.value("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')")
        first = sum(one.released <= self.began for one in self.web.printed)
        if self.settled is None and done >= 0.97 * first:
            self.settled = time.time()
        use = self.usages[-1]
        self.console.print(
            f"{time.strftime('%H:%M:%S')}  {done:,} articles, {waiting:,} pages wait, {self.fleet.open_jobs()} jobs, "
            f"{use.connections} connections, {use.memory:,.0f} MB in {use.processes} processes",
            highlight=False,
        )

    def drain(self, cut: float) -> float:
        """Wait for what was out at `cut`; the seconds that it took."""
        due = [one for one in self.web.printed if one.released <= cut]
        began = time.monotonic()

        def is_done() -> bool:
            self.look()
            with self.fleet.database.engine.connect() as connection:
                return not fate_of(connection, due).missing

        until(is_done, DRAIN * 60, SAMPLE)
        return time.monotonic() - began

    def stop(self) -> Iterator[str]:
        """End all in order; a line for each."""
        for name in list(self.fleet.running):
            status, seconds = self.fleet.stop(name)
            yield f"{name}: exit status {status} after {seconds:.1f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--articles", type=int, default=20, help="of each source, half of them out at the start")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--publish-every", type=float, default=60.0, metavar="SECONDS", help="by each source")
    parser.add_argument("--every", default="1m", help="the seeds' schedule")
    parser.add_argument("--kill-every", type=float, default=40.0, metavar="SECONDS", help="0: nobody is killed")
    parser.add_argument("--latency", type=float, default=0.1, metavar="SECONDS", help="of the web")
    parser.add_argument("--seed", type=int, default=6, help="of the dice")
    parser.add_argument("-s", dest="set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all")
    parser.add_argument("--keep", type=Path, help="a folder for logs and database; default: gone afterwards")
    add_options(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as room:
        folder = options.keep or Path(room)
        folder.mkdir(parents=True, exist_ok=True)
        measure(options, folder)


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Everything, in `folder`."""
    console = Console() if sys.stdout.isatty() else Console(width=160)
    settings = {"EXTRACTION_WORKERS": 1, "LOG_LEVEL": "INFO", "TICK": 1}
    settings |= dict(one.partition("=")[::2] for one in options.set)
    with EmbeddedServer(folder / "data") as url, Database(url) as database:
        migrate(database.engine)
        with served(
            options, folder, hosts=options.sources, articles=options.articles,
            publish_every=options.publish_every, latency=options.latency,
        ) as web:  # fmt: skip
            write_seeds(folder / "seeds", web.hosts, f"schedule: {options.every}\n")
            given = environment(url, folder / "seeds", folder / "data", web.url)
            with Fleet(database=database, folder=folder, environment=given, settings=settings) as fleet:
                days = Days(options, fleet, web, console)
                cut = days.run()
                drained = days.drain(cut)
                leftover = fleet.usage()
                for line in days.stop():
                    console.print(line, highlight=False)
                web.flush()
                time.sleep(1)
                report(days, cut, drained, leftover)


def report(days: Days, cut: float, drained: float, last: Usage) -> None:
    """The tables."""
    web, console = days.web, days.console
    with days.fleet.database.engine.connect() as connection:
        due = [one for one in web.printed if one.released <= cut]
        fate = fate_of(connection, due)
        extra = fate_of(connection, web.printed).extra
        later = sum(one.released > cut for one in web.printed)
        crawled = connection.execute(_CRAWLS).all()
        lists = set(connection.execute(_LISTS).scalars())
        jobs = {row[0]: row[1] for row in connection.execute(_JOBS)}
        refetched = int(
            connection.execute(text("SELECT count(*) - count(DISTINCT url) FROM pages")).scalar_one()
        )  # fmt: skip
        revisions = int(connection.execute(text("SELECT count(*) FROM revisions")).scalar_one())
    broken = [f"{one.check.name} ({one.count})" for one in _checked(days) if one.count]
    rows = read(web.log)
    asked = requests_of(rows, lists)
    polite: Manners = manners(rows, GAP)
    settled = days.settled or cut
    lags = sorted(
        fate.stored[one.id] - one.released for one in due if one.id in fate.stored and one.released > settled
    )  # fmt: skip
    everything = sorted(
        fate.stored[one.id] - one.released for one in due if one.id in fate.stored and one.released > days.began
    )
    outcomes = Counter(outcome for outcome, _ in crawled)
    finished = [stats for outcome, stats in crawled if outcome == "finished"]
    idle = sum(not found_something(stats) for stats in finished)
    seconds = last.at - days.usages[0].at if days.usages else 0.0
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column()

    def row(what: str, told: object) -> None:
        table.add_row(what, str(told))

    row("printed until the end", f"{len(due):,} of {len(web.hosts)} sources ({later:,} came or come later)")
    row("stored once", f"{len(fate.stored):,}")
    row("stored twice / merged with another", f"{len(fate.twice)} / {len(fate.merged)}")
    told = ", ".join(f"{why} {len(those)}" for why, those in sorted(fate.refused.items()))
    row("taken for no article", told or 0)
    row("missing", f"{len(fate.missing)} {[one.url for one in fate.missing[:3]] or ''}")
    row("articles of what is not printed", extra)
    row("revisions / pages kept twice", f"{revisions} / {refetched}")
    row("lag, publication to storage", _lags(lags) + f"  (after the first {settled - days.began:.0f} s)")
    row("… from the start on", _lags(everything))
    row("crawls", ", ".join(f"{name} {number:,}" for name, number in outcomes.most_common()))
    row("jobs", ", ".join(f"{name} {number:,}" for name, number in jobs.items()))
    row("crawls that found nothing", f"{idle:,} of {len(finished):,} finished ({idle / max(1, len(finished)):.0%})")
    row("requests", ", ".join(f"{name} {number:,}" for name, number in asked.of.most_common()))
    row("pages that gave nothing new", f"{asked.useless:.1%} of {asked.pages:,} sent whole (304s apart)")
    gap = f"{polite.min_gap:.3f} s at {polite.worst_host}" if polite.min_gap is not None else "none"
    row("shortest gap at a host", f"{gap}; below {GAP:g} s: {polite.too_soon} of {polite.requests:,}")
    row("concurrency / forbidden / before robots.txt", f"{polite.concurrency} / {polite.forbidden} / "
        f"{len(polite.before_robots)}")  # fmt: skip
    row("killed with -9", ", ".join(f"{name} {number}" for name, number in days.kills.items()) or 0)
    row("ended by themselves", days.faults or 0)
    row("checks of the database", broken or "all hold")
    row("drained in", f"{drained:.0f} s")
    row("CPU", f"{last.cpu / seconds:.2f} cores of workers, {last.server_cpu / seconds:.2f} of PostgreSQL")
    row("at most", f"{peak(days.usages, 'memory'):,.0f} MB, {peak(days.usages, 'connections'):.0f} connections")
    console.print(table)
    failed = [why for why in fate.refused if why not in OUTCOMES or OUTCOMES[why].state == "failed"]
    is_whole = not (fate.missing or failed or fate.twice or polite.too_soon or polite.forbidden or broken)
    console.print("whole and polite" if is_whole else "[red]NOT whole and polite[/red]")
    if not is_whole:
        raise SystemExit(1)


def _checked(days: Days) -> Iterator[checks.Finding]:
    for one in checks.CHECKS:
        yield checks.run(days.fleet.database.engine, one)


def _lags(lags: Sequence[float]) -> str:
    if len(lags) < 2:
        return "too few"
    ninth = statistics.quantiles(lags, n=10)[-1]
    return (
        f"median {statistics.median(lags):.0f} s, 90 % {ninth:.0f} s, longest {lags[-1]:.0f} s, {len(lags):,} articles"
    )


if __name__ == "__main__":
    main()
