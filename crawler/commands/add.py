"""`scrapy add URL`: a new seed from any address of a site, with the evidence for each of its lines."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from scrapy.exceptions import UsageError

from crawler.discovery.proposal import USES, Proposal, propose
from crawler.discovery.survey import Site
from crawler.errors import CrawlerError, StoreError
from crawler.extensions.quiet import QuietCommand
from crawler.printing import printer
from crawler.seed_writing import Taken, checked, free_id, same_host, seed_text, write_seed
from crawler.sources import RESERVED_IDS
from crawler.spiders.explore import ExploreSpider
from crawler.spiders.survey import Survey, samples_of
from crawler.store import tombstones
from crawler.store.cluster import Cluster
from crawler.store.engine import open_database
from crawler.urls import canonical_url
from crawler.web.steps import Steps
from crawler.web.survey import show_proposal
from crawler.web.survey_plain import plain_proposal

_NAME = re.compile(r"[a-z0-9_]+")
EXIT_CODES = "Ends with 0 when the seed is written, or would be; with 1 when it is not, and says why."


class Command(QuietCommand):
    """Finds feeds, sitemaps, language and country, tries a few articles, and writes the seed."""

    requires_project = True

    def syntax(self) -> str:
        return "[options] <URL>"

    def short_desc(self) -> str:
        return "Make a seed from any page, feed or sitemap of a site, showing what was found and why"

    def long_desc(self) -> str:
        return f"{self.short_desc()}. A seed that exists is never changed. {EXIT_CODES}"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add("--name", metavar="NAME", help="the seed's file name, and leave to add a second source of a host")
        add("--dry-run", action="store_true", help="write nothing: print the seed")
        add("--json", action="store_true", help="print one JSON object instead, the seed in it")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        url = address(args)
        if opts.name is not None and (not _NAME.fullmatch(opts.name) or opts.name in RESERVED_IDS):
            raise UsageError(f"--name {opts.name}: a file name in snake_case, only a-z, 0-9 and _")
        assert self.settings is not None
        self.seeds_dir = Path(self.settings["SEEDS_DIR"])
        try:
            self.refuse(url, opts)
            self.add(url, opts)
        except CrawlerError as error:
            print(f"scrapy add: {error}", file=sys.stderr)
            self.exitcode = 1

    def refuse(self, url: str, opts: argparse.Namespace) -> None:
        """Raises Taken for what would go over a seed, or beside one of the same host without being asked to."""
        if opts.name is not None and (self.seeds_dir / f"{opts.name}.yaml").exists():
            raise Taken(f"{self.seeds_dir / opts.name}.yaml exists already; it is not changed")
        self.refuse_forgotten(url)
        known = None if opts.name else same_host(self.seeds_dir, url)
        if known:
            raise Taken(f"{known} has this host already; give the new source a name of its own: --name OTHER")

    def refuse_forgotten(self, url: str) -> None:
        """Raises Taken for a site whose publisher does not want it here. Without a database nothing was forgotten."""
        assert self.settings is not None
        given, data_dir = self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])
        if given is None and not Cluster(data_dir.absolute()).pgdata.is_dir():
            return
        try:
            with open_database(given, data_dir) as database, database.engine.connect() as connection:
                if tombstones.is_forgotten(connection, url):
                    raise Taken(f"{url} was forgotten (`scrapy forget`): its publisher does not want it here")
        except StoreError:  # a seed needs no database; a crawl of it asks again
            return

    def add(self, url: str, opts: argparse.Namespace) -> None:
        """Raises CrawlerError."""
        now = datetime.now(UTC)
        found = self.found(url, now)
        self.refuse(found.identity.homepage, opts)
        name = opts.name or free_id(self.seeds_dir, found.identity.id, found.identity.country)
        text = seed_of(found)
        path = self.seeds_dir / f"{name}.yaml"
        if opts.json:
            print(
                json.dumps(
                    {**plain_proposal(found, now), "file": str(path), "seed": text}, ensure_ascii=False, indent=2
                )
            )
        else:
            show_proposal(found, str(path), now, printer())
        if found.problem:
            raise CrawlerError(f"nothing is written: {found.problem[0]}: {found.problem[1]}")
        checked(name, text)
        if opts.dry_run:
            if not opts.json:
                print(f"\n{text}", end="")
            return
        write_seed(self.seeds_dir, name, text)
        if not opts.json:
            printer().print(
                f"\nWrote {path} (score {found.score:.2f}). Next: scrapy crawl {name}", style="bold", soft_wrap=True
            )

    def found(self, url: str, now: datetime) -> Proposal:
        """Raises CrawlerError when the site cannot be looked at."""
        assert self.crawler_process is not None
        survey = Survey()
        with Steps() as steps:
            self.crawler_process.crawl(ExploreSpider, url=url, survey=survey, say=steps.say)
            self.crawler_process.start()
        if survey.failure is not None:
            word, detail = survey.failure
            raise CrawlerError(f"nothing is written: {word}: {url}: {detail}")
        if not survey.finished:
            raise CrawlerError("nothing is written: the survey was interrupted")
        site = Site(homepage=survey.homepage, language=None, now=now)
        front = survey.front_page.extraction if survey.front_page else None
        return propose(
            site, survey.fronts, survey.offers, survey.missing, samples_of(survey), front.page_type if front else None
        )


def address(args: Sequence[str]) -> str:
    """Raises UsageError for anything but one http(s) address; `example.com` will do."""
    if len(args) != 1:
        raise UsageError("give one address of the site: a page, a feed or a sitemap")
    found = canonical_url(args[0] if "://" in args[0] else f"https://{args[0]}")
    if found is None:
        raise UsageError(f"{args[0]} is no http(s) address")
    return found


def seed_of(found: Proposal) -> str:
    """The seed file."""
    identity = found.identity
    missing = [f"{key}: {identity.evidence[key]}" for key in ("language", "country") if not getattr(identity, key)]
    text = seed_text(
        [
            ("name", identity.name),
            ("homepage", identity.homepage),
            ("language", identity.language),
            ("country", identity.country),
            *((use, found.urls(use)) for use in USES),
        ],
        missing,
    )
    text += (
        seed_text([("  allow", [found.allow])]).replace("  allow:\n  - ", "articles:\n  allow:\n    - ")
        if found.allow
        else ""
    )
    return text + (seed_text([("max_age_days", found.max_age_days)]) if found.max_age_days else "")
