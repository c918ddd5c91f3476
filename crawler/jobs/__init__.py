"""Scheduled crawls, on one machine and on many."""
