"""Whether anything is published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crawler.health.model import Day, Finding, Present
from crawler.health.past import days_before, up_to_the_last_good
from crawler.health.rhythm import SHORTEST, Rhythm, last_article, rhythm
from crawler.health.wording import rounded, span


def silences(past: Sequence[Day], present: Present, now: datetime) -> list[Finding]:
    """What is told of a source whose lists are read and name nothing new."""
    days = [*past, present.today]
    last = last_article(days)
    opened = present.open.get("silent")
    looked = max((day.read_at for day in days if day.read_at), default=present.crawled_at)
    if last is None or looked is None:
        return [_silence(None, None, now)] if opened and last is None else []
    if looked - last < SHORTEST and not (opened and last < opened):
        return []
    usual = rhythm(up_to_the_last_good(days_before(past, present, "silent"), lambda day: bool(day.fresh)))
    if not (opened and last < opened) and not (usual and usual.is_silence(last, min(looked, now))):
        return []
    return [_silence(usual, last, now)]


def _silence(usual: Rhythm | None, last: datetime | None, now: datetime) -> Finding:
    if usual is None or last is None:
        return Finding(kind="silent", severity="fail", sentence="no new article for weeks", since=last)
    sentence = f"0 articles in {span(now - last)}; usually {rounded(usual.expected(last, now))} in that time"
    midnight_ = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_now = usual.expected(midnight_, now)
    if by_now >= 1 and last <= midnight_:
        sentence += f", {rounded(by_now)} on a {now:%A} by this hour"
    return Finding(kind="silent", severity="fail", sentence=sentence, since=last)
