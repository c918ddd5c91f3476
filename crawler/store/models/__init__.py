"""The tables. Instants are `timestamptz`; a page's bytes are kept apart from what was made of them."""

from __future__ import annotations

from crawler.store.models.articles import Article, BoilerplateBlock, Revision
from crawler.store.models.base import THIS_TRANSACTION, Base
from crawler.store.models.crawling import Crawl, Source
from crawler.store.models.duplicates import COPY_KINDS, COPY_REASONS, Band, Duplicate
from crawler.store.models.frontier import LISTING_KINDS, URL_STATES, EditRate, Listing, Url, UrlAlias, UrlShape
from crawler.store.models.health import SEVERITIES, Incident, SourceDay
from crawler.store.models.hosts import Host, Robots
from crawler.store.models.queueing import JobFailure, Worker
from crawler.store.models.raw import Archive, Page, PageDictionary
from crawler.store.models.reextraction import (
    REEXTRACTED,
    Reextracted,
    ReextractedSource,
    Reextraction,
    ReextractionSlice,
)
from crawler.store.models.scheduling import Rhythm, Scheduler
from crawler.store.models.tombstones import TOMBSTONES, Tombstone

__all__ = [
    "COPY_KINDS",
    "COPY_REASONS",
    "LISTING_KINDS",
    "REEXTRACTED",
    "SEVERITIES",
    "THIS_TRANSACTION",
    "TOMBSTONES",
    "URL_STATES",
    "Archive",
    "Article",
    "Band",
    "Base",
    "BoilerplateBlock",
    "Crawl",
    "Duplicate",
    "EditRate",
    "Host",
    "Incident",
    "JobFailure",
    "Listing",
    "Page",
    "PageDictionary",
    "Reextracted",
    "ReextractedSource",
    "Reextraction",
    "ReextractionSlice",
    "Revision",
    "Rhythm",
    "Robots",
    "Scheduler",
    "Source",
    "SourceDay",
    "Tombstone",
    "Url",
    "UrlAlias",
    "UrlShape",
    "Worker",
]
