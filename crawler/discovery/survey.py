"""What a site offers, judged: each feed, sitemap and section with its use for a seed, a score and the reason in words.

Nothing is left out in silence: a person must be able to see why a list that exists is not in the seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from crawler.discovery.listed import Kind, Listed, taught
from crawler.discovery.measures import measures
from crawler.discovery.shapes import Shapes
from crawler.languages import language_tag, primary
from crawler.urls import host_of

Use = Literal["feeds", "sitemaps", "archives", "listings"]
_NEWS: tuple[Kind, ...] = ("feed", "news sitemap")
IN_INDEX, ADDS_NOTHING = "is read with", "adds nothing to"
_PASSING, _PASSING_NEWS = re.compile(r"\d"), re.compile(r"\d{4}")  # file names that a day or a month will change
_ORDER: dict[Kind, int] = {"news sitemap": 0, "feed": 1, "sitemap": 2, "index": 3, "section": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What a list is compared with."""

    homepage: str
    language: str | None
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A list as it was found: `origin` in words; `parent` is the index that names it."""

    listed: Listed
    origin: str
    parent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A list that is named and cannot be read; `outcome` is a word of `crawler.outcomes`, or `not_a_feed`."""

    url: str
    origin: str
    outcome: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A judged list. `use` is the seed's key that it goes to; None: it is left out, and `why` says for what reason."""

    offer: Offer
    score: float  # 0 to 1
    use: Use | None
    why: str

    @property
    def listed(self) -> Listed:
        return self.offer.listed


def judge(offers: Sequence[Offer], site: Site) -> list[Finding]:
    """All of them, the best of each kind first."""
    found = [_judged(offer, site, _Rest.of(offers)) for offer in offers]
    found.sort(key=lambda one: (_ORDER[one.listed.kind], -one.score, one.listed.url))
    return _with_indexes(_without_doubles(found))


def of_articles(findings: Sequence[Finding]) -> list[Listed]:
    """The lists whose entries are worth a look: those of use, and files that are read with their index."""
    chosen = [one.listed for one in findings if one.use or one.why.startswith(IN_INDEX)]
    return [one for one in chosen if one.entries]


def needs_age_limit(findings: Iterable[Finding]) -> bool:
    """Whether a sitemap of everything is read at each crawl, so that a seed needs `max_age_days`."""
    return any(one.use == "sitemaps" and (one.listed.kind == "index" or not is_current(one.listed)) for one in findings)


def is_current(listed: Listed) -> bool:
    """Whether a sitemap lists what is new rather than all there ever was."""
    if listed.kind == "news sitemap":
        return True
    dates, limits = listed.dates, measures().judging
    if listed.total > limits.current_entries or len(dates) < limits.dated * len(listed.entries) or not dates:
        return False
    return dates[0] - dates[-1] <= timedelta(days=limits.current_days)


def score(listed: Listed, site: Site, shapes: Shapes) -> float:
    """The weighted mean of what a list is good for, from 0 to 1; of a section, which has no dates, without these."""
    if not listed.entries:
        return 0.0
    age = (site.now - listed.dates[0]).total_seconds() / 86_400 if listed.dates else measures().judging.stale_days
    parts = {
        "own": listed.own(site.homepage),
        "articles": listed.articles(shapes, site.homepage),
        "dated": listed.share(len(listed.dates)),
        "new": max(0.0, min(1.0, 1 - age / measures().judging.stale_days)),
        "size": min(1.0, listed.total / 10),
    }
    asked = ("own", "articles", "size") if listed.kind == "section" else parts
    weights = {name: measures().weights[name] for name in asked}
    return round(sum(weight * parts[name] for name, weight in weights.items()) / sum(weights.values()), 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rest:
    """What the other lists of the site are like: a list is behind, or foreign, only beside them."""

    newest: datetime | None
    shapes: Shapes
    language: str | None  # that most titles are in, as far as can be read: a guess that errs, errs for all of them

    @classmethod
    def of(cls, offers: Sequence[Offer]) -> _Rest:
        news = [one.listed.dates[0] for one in offers if one.listed.kind in _NEWS and one.listed.dates]
        languages = Counter(one.listed.title_language for one in offers if one.listed.title_language)
        return cls(
            newest=max(news, default=None),
            shapes=taught(one.listed for one in offers),
            language=next((tag for tag, _ in languages.most_common(1)), None),
        )


# -- one list -------------------------------------------------------------------------------------------------------


def _judged(offer: Offer, site: Site, rest: _Rest) -> Finding:
    against = _objection(offer.listed, site, rest)
    use, why = (None, against) if against else _use(offer.listed, rest.newest)
    return Finding(offer=offer, score=score(offer.listed, site, rest.shapes), use=use, why=why)


def _objection(listed: Listed, site: Site, rest: _Rest) -> str | None:
    """Why a list is no use, if it is not."""
    limits, said = measures().judging, listed.channel
    if listed.kind == "index":
        return None
    if not listed.entries:
        return "lists nothing"
    if listed.own(site.homepage) < limits.own:
        return f"lists another site: {host_of(listed.entries[0].url)}"
    if said.comments >= 0.5 or measures().comments.search(said.title or ""):
        return "lists readers' comments"
    if said.recordings >= limits.recordings:
        return "lists recordings: a podcast"
    if _differs(listed.title_language, site.language) and listed.title_language != rest.language:
        return f"its titles are in another language: {listed.title_language}"
    if listed.articles(rest.shapes, site.homepage) < limits.articles:
        return f"lists pages that are no articles, such as {listed.entries[0].url}"
    if listed.kind in _NEWS and _is_behind(listed, rest.newest):
        return f"nothing new since {listed.dates[0]:%Y-%m-%d}, while others have {rest.newest:%Y-%m-%d}"
    return None


def _is_behind(listed: Listed, newest: datetime | None) -> bool:
    limit = timedelta(days=measures().judging.stale_days)
    return newest is not None and bool(listed.dates) and newest - listed.dates[0] > limit


def _differs(one: str | None, other: str | None) -> bool:
    tags = [language_tag(one), language_tag(other)]
    return all(tags) and len({primary(tag) for tag in tags if tag}) > 1


def _use(listed: Listed, newest: datetime | None) -> tuple[Use | None, str]:
    match listed.kind:
        case "feed":
            return "feeds", "a feed of articles"
        case "section":
            return "listings", "a section page"
        case "index":
            return None, "nothing in it was looked at"
    if is_current(listed) and not _is_behind(listed, newest):
        return "sitemaps", "news with dates and titles" if listed.kind == "news sitemap" else "lists what is new"
    return "archives", "lists what was ever published"


# -- lists together -------------------------------------------------------------------------------------------------


def _without_doubles(findings: Sequence[Finding]) -> list[Finding]:
    """Those that better ones of the same use cover are left out; a section that feeds and sitemaps cover, too."""
    covered: dict[Use, dict[str, str]] = {}
    judged = []
    has_news = any(one.use == "sitemaps" and one.listed.kind == "news sitemap" for one in findings)
    for one in findings:
        if one.use == "listings" and has_news:
            one = replace(one, use=None, why="not needed beside a sitemap of all news")
        elif one.use is not None:
            use, known = one.use, covered.setdefault(one.use, {})
            if one.use == "listings":
                known = {**covered.get("feeds", {}), **covered.get("sitemaps", {}), **known}
            holders = [known[entry.url] for entry in one.listed.entries if entry.url in known]
            if one.listed.entries and len(holders) >= measures().judging.covered * len(one.listed.entries):
                one = replace(one, use=None, why=f"{ADDS_NOTHING} {max(set(holders), key=holders.count)}")
            else:
                covered[use].update((entry.url, one.listed.url) for entry in one.listed.entries)
        judged.append(one)
    return judged


def _with_indexes(findings: Sequence[Finding]) -> list[Finding]:
    """A file of an index that will have another name next month is not written; the index itself goes by its files."""
    files = [_file(one) for one in findings]
    lacks_news = not any(one.use in ("feeds", "sitemaps") for one in files)
    judged = []
    for one in files:
        if one.listed.kind == "index":
            inside = [other for other in files if other.offer.parent == one.listed.url]
            judged.append(_index(one, inside, lacks_news))
        elif one.use == "archives" and lacks_news:
            judged.append(replace(one, use="sitemaps", why=f"{one.why}; there is no list of what is new"))
        else:
            judged.append(one)
    return judged


def _file(one: Finding) -> Finding:
    """What is current in an index is written by itself only if its name promises to stay."""
    passing = _PASSING_NEWS if one.listed.kind == "news sitemap" else _PASSING
    if one.offer.parent is None or one.use is None:
        return one
    if one.use == "archives" or passing.search(one.listed.url.rpartition("/")[2]):
        return replace(one, use=None, why=f"{IN_INDEX} {one.offer.parent}")
    return one


def _index(index: Finding, inside: Sequence[Finding], lacks_news: bool) -> Finding:
    good = [one for one in inside if one.use is not None or one.why.startswith((IN_INDEX, ADDS_NOTHING))]
    if not inside:
        return index
    best = max(one.score for one in inside)
    if not good:
        return replace(index, score=0.0, why=f"none of the files looked at lists articles: {inside[0].why}")
    if all(one.use == "sitemaps" for one in good) and len(good) == index.listed.total:
        return replace(index, score=best, why="its files are written themselves")
    looked = f"{len(good)} of the {len(inside)} files looked at list articles"
    if lacks_news and index.listed.total <= measures().judging.small_index:
        return replace(index, score=best, use="sitemaps", why=f"{looked}; there is no list of what is new")
    return replace(index, score=best, use="archives", why=looked)
