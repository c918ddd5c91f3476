"""The spiders: `news` for sources, one per seed file, `page` for a single address, `archive` for WARC files."""
