"""Scheduled crawls and workers on many machines.

    scheduler -> sources.due_at -> store/queue.py (procrastinate's tables) -> worker.py -> fleet.py -> host.py

A worker (worker.py) takes jobs out of the queue and gives each to one of its hosts (fleet.py): child processes
(host.py) that live long, each with a reactor in which several crawls run. The worker itself imports no reactor: what
blocks or dies, does so in a host.
"""
