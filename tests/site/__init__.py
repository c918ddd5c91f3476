"""A small newspaper on loopback, invented from front to back, for tests, benchmarks and the demo to crawl.

It needs nothing but the standard library. `python -m tests.site --seeds DIR` serves it in the foreground.
"""

from __future__ import annotations

from tests.site.article import Article, Picture, TextBlock
from tests.site.newspaper import Newspaper, Visit
from tests.site.publication import Publication

__all__ = ["Article", "Newspaper", "Picture", "Publication", "TextBlock", "Visit"]
