"""Bytes of feeds, sitemaps, robots.txt and home pages in, candidates out: pure, no I/O, no Scrapy."""
