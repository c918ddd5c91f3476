"""`scrapy <command>`: what Scrapy's own commands do not have."""
