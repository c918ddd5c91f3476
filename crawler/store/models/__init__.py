"""The tables. Instants are `timestamptz`; a page's bytes are kept apart from what was made of them."""

from __future__ import annotations

from crawler.store.models.articles import Article, BoilerplateBlock, Revision
from crawler.store.models.base import THIS_TRANSACTION, Base
from crawler.store.models.crawling import Crawl, Source
from crawler.store.models.duplicates import COPY_KINDS, COPY_REASONS, Band, Duplicate
from crawler.store.models.frontier import LISTING_KINDS, URL_STATES, EditRate, Listing, Url, UrlAlias, UrlShape
from crawler.store.models.hosts import Host, Robots
from crawler.store.models.queueing import JobFailure, Worker
from crawler.store.models.raw import Archive, Page, PageDictionary
from crawler.store.models.reextraction import REEXTRACTED, Reextracted, ReextractedSource, Reextraction
from crawler.store.models.scheduling import Rhythm, Scheduler

__all__ = [
    "COPY_KINDS",
    "COPY_REASONS",
    "LISTING_KINDS",
    "REEXTRACTED",
    "THIS_TRANSACTION",
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
    "JobFailure",
    "Listing",
    "Page",
    "PageDictionary",
    "Reextracted",
    "ReextractedSource",
    "Reextraction",
    "Revision",
    "Rhythm",
    "Robots",
    "Scheduler",
    "Source",
    "Url",
    "UrlAlias",
    "UrlShape",
    "Worker",
]
