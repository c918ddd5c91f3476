"""The public surface: the views of the schema `news`, each column with its type, what it means and where it comes from.

A contract: columns keep name, type and place; new ones go to the end. PostgreSQL itself refuses anything else when a
view is replaced, and tests/store/contract.yaml pins it. What stands behind a view may change: a migration that has to
change a column under a view drops that view, and surface.py makes it again.
"""

from __future__ import annotations

from crawler.store.views.articles import ARTICLES, DAILY_COUNTS, DROPPED_BLOCKS, FORGOTTEN, SEARCH_INDEX
from crawler.store.views.crawling import CRAWLS, LISTINGS, PAGES, URLS
from crawler.store.views.editions import DUPLICATES, REVISION_CHANGES, REVISIONS
from crawler.store.views.health import INCIDENTS, SOURCE_HEALTH
from crawler.store.views.sources import SCHEDULE, SOURCES
from crawler.store.views.view import Column, View, type_of

__all__ = ["VIEWS", "Column", "View", "type_of"]

VIEWS = (
    ARTICLES,
    REVISIONS,
    DROPPED_BLOCKS,
    SOURCES,
    CRAWLS,
    URLS,
    LISTINGS,
    DAILY_COUNTS,
    SOURCE_HEALTH,
    SEARCH_INDEX,
    PAGES,
    REVISION_CHANGES,
    DUPLICATES,
    FORGOTTEN,
    SCHEDULE,
    INCIDENTS,
)
