"""`scrapy check-source NAME`: does a source still give what its seed promises?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from scrapy.exceptions import UsageError

from crawler.discovery.expectations import Reason, reasons
from crawler.discovery.samples import Sample, leaks
from crawler.discovery.survey import Finding, Site, judge
from crawler.errors import CrawlerError
from crawler.extensions.quiet import QuietCommand
from crawler.printing import printer
from crawler.sources import Source, find_source
from crawler.spiders.checkup import CheckupSpider
from crawler.spiders.survey import Survey, samples_of
from crawler.web.steps import Steps
from crawler.web.survey import NO, YES, shares, show_lists, show_samples
from crawler.web.survey_plain import plain_finding, plain_leak, plain_missing, plain_sample

# A command is called what its module is, and a module's file cannot have a hyphen.
__name__ = __name__.replace("_", "-")

EXIT_CODES = "Ends with 0 when all is well, with 1 and a line for each reason when it is not."


class Command(QuietCommand):
    """Fetches what a seed names and a few articles, and compares them with what a source should give."""

    requires_project = True

    def syntax(self) -> str:
        return "[options] <source> [<source> ...]"

    def short_desc(self) -> str:
        return "Try a source's feeds, sitemaps and a few articles: fails with reasons when it has changed"

    def long_desc(self) -> str:
        return f"{self.short_desc()}. Disabled sources can be checked too; nothing is stored. {EXIT_CODES}"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="print a JSON array instead, an object for each source")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if not args:
            raise UsageError("name the sources to check; `scrapy list` shows them")
        assert self.settings is not None
        seeds_dir = Path(self.settings["SEEDS_DIR"])
        try:
            sources = [find_source(seeds_dir, name) for name in dict.fromkeys(args)]
            self.check(sources, as_json=opts.json)
        except CrawlerError as error:
            print(f"scrapy check-source: {error}", file=sys.stderr)
            self.exitcode = 1

    def check(self, sources: Sequence[Source], *, as_json: bool) -> None:
        """Raises CrawlerError when it is interrupted."""
        now = datetime.now(UTC)
        surveys = {source.id: Survey() for source in sources}
        assert self.crawler_process is not None
        with Steps() as steps:
            self.crawler_process.crawl(CheckupSpider, sources=sources, surveys=surveys, say=steps.say)
            self.crawler_process.start()
        if not all(survey.finished for survey in surveys.values()):
            raise CrawlerError("interrupted")
        checks = [Check.of(source, surveys[source.id], now) for source in sources]
        if as_json:
            print(json.dumps([check.plain() for check in checks], ensure_ascii=False, indent=2))
        else:
            for check in checks:
                check.show(printer())
        self.exitcode = 1 if any(check.reasons for check in checks) else 0


class Check:
    """What became of one source."""

    def __init__(self, source: Source, survey: Survey, findings: list[Finding], samples: list[Sample], now: datetime):
        self.source, self.survey, self.findings, self.samples, self.now = source, survey, findings, samples, now
        self.reasons: list[Reason] = reasons(survey.offers, survey.missing, samples, now)

    @classmethod
    def of(cls, source: Source, survey: Survey, now: datetime) -> Check:
        site = Site(homepage=survey.homepage, language=source.language, now=now)
        return cls(source, survey, judge(survey.offers, site), samples_of(survey), now)

    def show(self, console: Console) -> None:
        console.print(Text(f"{self.source.id}  {self.source.homepage}", style="bold"))
        show_lists(self.findings, self.survey.missing, self.now, console)
        show_samples(self.samples, console)
        for reason in self.reasons:
            line = Text.assemble((f"{NO} {self.source.id}: {reason.word}: ", "bold red"), reason.text)
            console.print(line, soft_wrap=True)
        if not self.reasons:
            console.print(Text(f"{YES} {self.source.id}: gives what it should", style="bold green"))

    def plain(self) -> dict[str, Any]:
        return {
            "source": self.source.id,
            "ok": not self.reasons,
            "reasons": [{"reason": one.word, "text": one.text} for one in self.reasons],
            "summary": shares(self.samples),
            "lists": [plain_finding(one, self.now) for one in self.findings],
            "missing": [plain_missing(one) for one in self.survey.missing],
            "samples": [plain_sample(one) for one in self.samples],
            "leaks": [plain_leak(one) for one in leaks(self.samples)],
        }
