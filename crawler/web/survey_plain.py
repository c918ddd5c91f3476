"""A survey as JSON's types."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crawler.discovery.measures import measures
from crawler.discovery.proposal import Proposal
from crawler.discovery.samples import Leak, Sample
from crawler.discovery.survey import Finding, Missing


def plain_proposal(found: Proposal, now: datetime) -> dict[str, Any]:
    """All that a terminal shows, and what it leaves out."""
    identity = found.identity
    return {
        "id": identity.id,
        "name": identity.name,
        "homepage": identity.homepage,
        "language": identity.language,
        "country": identity.country,
        "evidence": identity.evidence,
        "score": found.score,
        "problem": {"reason": found.problem[0], "detail": found.problem[1]} if found.problem else None,
        "lists": [plain_finding(one, now) for one in found.findings],
        "missing": [plain_missing(one) for one in found.missing],
        "samples": [plain_sample(one) for one in found.samples],
        "leaks": [plain_leak(one) for one in found.leaks],
    }


def plain_finding(one: Finding, now: datetime) -> dict[str, Any]:
    listed = one.listed
    return {
        "url": listed.url,
        "kind": listed.kind,
        "use": one.use,
        "score": one.score,
        "why": one.why,
        "found": one.offer.origin,
        "entries": listed.total,
        "dated": listed.share(len(listed.dates)),
        "new": listed.new(now, measures().judging.new_days),
        "newest": listed.dates[0].isoformat() if listed.dates else None,
        "language": listed.channel.language,
    }


def plain_missing(one: Missing) -> dict[str, Any]:
    return {"url": one.url, "found": one.origin, "reason": one.outcome, "detail": one.detail}


def plain_sample(one: Sample) -> dict[str, Any]:
    return {
        "url": one.url,
        "found_at": one.found_at,
        "verdict": one.verdict,
        "detail": one.detail,
        "headline": one.headline,
        "published_at": one.published_at.isoformat() if one.published_at else None,
        "dated_by": one.dated_by,
        "authors": one.authors,
        "words": one.words,
        "language": one.language,
        "page_type": one.page_type,
        "access": one.access,
        "dropped": one.dropped,
    }


def plain_leak(one: Leak) -> dict[str, Any]:
    return {"text": one.text, "articles": one.articles}
