"""The spiders: `news` for sources, one per seed file, and `page` for a single address."""
