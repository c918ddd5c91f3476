"""`scrapy up`: a scheduler and a worker in one, which is all that one machine needs."""

from __future__ import annotations

from crawler.commands import scheduler, worker


class Command(worker.Command):
    """On the embedded server, or on DATABASE_URL."""

    name = "up"
    scheduling = True

    def check(self) -> None:
        assert self.settings is not None
        scheduler.check(self.settings)

    def short_desc(self) -> str:
        return "Crawl every source when it is due, for as long as this runs: scheduler and worker in one"

    def long_desc(self) -> str:
        return (
            "Scheduler and worker in one process, on the embedded database or on DATABASE_URL. A terminal shows what "
            f"runs, what is due next, and what failed; elsewhere a log line does, every 15 s. {worker.STOPPING}"
        )
