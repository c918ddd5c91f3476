"""Scrapy's download side: polite to hosts, safe for the network it runs in."""
