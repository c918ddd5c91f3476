"""Every error this project raises on purpose.

    CrawlerError
    ├── ConfigurationError      stops the run at its start; names the file and the key
    │   ├── SeedError           a seed file is broken
    │   └── UnknownSource       no seed file has this name
    ├── StoreError
    │   ├── DatabaseUnreachable no connection; says what to check
    │   │   ├── DatabaseFull    its disk is full; waiting does not help
    │   │   └── Superseded      another crawl has taken this one's source over: it has no business there any more
    │   ├── NewerSchema         the tables are of a newer program
    │   ├── SourceTaken         another crawl of the source alone runs
    │   ├── EmbeddedServerError the embedded PostgreSQL did not start or stop
    │   └── DamagedPage         the bytes of a stored page cannot be had
    │       └── MissingDictionary   what it was compressed with is gone
    └── PageError               one page is given up with a reason; the crawl goes on
        ├── FeedError           a feed or sitemap that is none
        ├── PayloadError        the body of a response cannot be decoded
        ├── HostUnavailable     the host rests for longer than this run waits
        └── ExtractionError     the worker crashed, hung or ran out of memory

A docstring is the default message.
"""

from __future__ import annotations

import inspect


class CrawlerError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)))


class ConfigurationError(CrawlerError):
    """A setting or a file is wrong."""


class SeedError(ConfigurationError):
    """A seed file is broken."""


class UnknownSource(ConfigurationError):
    """There is no such source; `scrapy list` shows them."""


class StoreError(CrawlerError):
    """The database refused."""


class DatabaseUnreachable(StoreError):
    """The database cannot be reached; check DATABASE_URL and that the server is up."""

    reason = "database_unreachable"  # why a crawl was closed


class DatabaseFull(DatabaseUnreachable):
    """The disk of the database is full; free some space."""

    reason = "database_full"


class Superseded(DatabaseUnreachable):
    """Another crawl of this source has begun while the database was away: this one ends."""

    reason = "superseded"


class NewerSchema(StoreError):
    """The tables are of a newer program: upgrade this one."""


class SourceTaken(StoreError):
    """Another crawl of this source runs."""


class EmbeddedServerError(StoreError):
    """The embedded PostgreSQL did not start; its log is in the data directory."""


class DamagedPage(StoreError):
    """A stored page is damaged."""


class MissingDictionary(DamagedPage):
    """A stored page was compressed with a dictionary that is not there."""


class PageError(CrawlerError):
    """The page is given up."""

    reason = "page_error"


class FeedError(PageError):
    """The answer is neither a feed nor a sitemap."""

    reason = "not_a_feed"


class PayloadError(PageError):
    """The body cannot be decoded."""

    def __init__(self, *, reason: str) -> None:
        super().__init__()
        self.reason = reason


class HostUnavailable(PageError):
    """The host has asked for a longer pause than this run waits."""

    reason = "host_unavailable"


class ExtractionError(PageError):
    """Extraction failed."""

    reason = "extraction_failed"

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason
