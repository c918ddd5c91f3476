"""What a link shows that tells its kind: each sign a figure, mostly from 0 (not seen) to 1, for `links` to weigh."""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.discovery.outline import Link
from crawler.discovery.pagination import page_number
from crawler.discovery.segments import Path, Segment, path_of, split
from crawler.discovery.shapes import Shapes
from crawler.discovery.vocabulary import folded, listed, queries, words
from crawler.text import count_words
from crawler.urls import host_of, same_site

Signs = dict[str, float]
TAUGHT = 20  # articles after which a shape that was never seen tells something
SENTENCE = 6  # words of a headline
LONG_SLUG = 5  # words
TAIL = 3  # segments at the end among which the article's own is looked for
MAX_NAME = 3  # words of a segment that is compared with the vocabulary
_VOCABULARY = {
    "video_word": "videos",
    "picture_word": "pictures",
    "leisure_word": "leisure",
}  # fmt: skip
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[a-z]{2})?", re.ASCII)


def signs(link: Link, shapes: Shapes, homepage: str) -> Signs:
    """Every sign of a link that is not 0."""
    found = {**signs_of_url(link.url, shapes, homepage), **_of_place(link)}
    return {name: value for name, value in found.items() if value}


def signs_of_url(url: str, shapes: Shapes, homepage: str) -> Signs:
    """Every sign that needs nothing but the address."""
    found: Signs = {
        "bias": 1.0,
        "off_site": float(not same_site(url, homepage)),
        **_generic(url),
        **_taught(url, shapes),
    }
    elsewhere = host_of(url).removeprefix("www.") != host_of(homepage).removeprefix("www.")
    found["off_site"] = float(not is_own(url, shapes, homepage))
    found["other_host"] = float(elsewhere)
    found["account_host"] = found["account_host"] * elsewhere
    if _bare(url) == _bare(homepage):
        found["root"] = 1.0
    elif elsewhere and "root" in found:
        found["root"], found["other_root"] = 0.0, found["root"]
    return {name: value for name, value in found.items() if value}


def is_own(url: str, shapes: Shapes, homepage: str) -> bool:
    """Whether an address is the source's: on its site, or on one where its feeds have their articles."""
    host = host_of(url).removeprefix("www.")
    return host == host_of(homepage).removeprefix("www.") or same_site(url, homepage) or host in shapes.hosts


def _bare(url: str) -> tuple[str, str, str]:
    parts = split(url)
    return host_of(url).removeprefix("www."), parts.path.rstrip("/"), parts.query


def _taught(url: str, shapes: Shapes) -> Signs:
    if not shapes.rows:
        return {}
    unlike = shapes.articles >= TAUGHT and not shapes.knows(url)
    return {"learned": 2 * shapes.chance(url) - 1, "unlike": float(unlike)}


# -- the address ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4_096)
def _generic(url: str) -> Signs:
    path = path_of(url)
    found = {**_named(path), **_shaped(path), **_asked(path)}
    number = page_number(url)
    found["page_number"] = float(number is not None and not _is_own(path))
    found["file"] = float(path.extension in listed("files"))
    return found


def _shaped(path: Path) -> Signs:
    tail = path.segments[-TAIL:]
    own = max((segment.words for segment in tail if segment.label in ("{slug}", "{slug-id}")), default=0)
    number = max((segment.number for segment in path.segments[-TAIL:]), default=0)
    number = max(number, max((_digits(value) for _, value in path.parameters), default=0))
    last = path.segments[-1] if path.segments else None
    dates = path.dated
    only_dates = dates and all(segment.dated and segment.label in _TIMES for segment in tail[-1:]) and own == 0
    names = [segment for segment in path.segments if not _is_language(segment)]
    return {
        "root": float(not names and not path.parameters),
        "dated_path": float(dates and not only_dates),
        "period": float(only_dates and not number),
        "slug": min(1.0, max(0, own - 1) / (LONG_SLUG - 1)) if own >= 3 else 0.0,
        "long_slug": float(own >= 2 * LONG_SLUG - 2),
        "number": float(number >= 5),
        "short_number": float(3 <= number < 5),
        "extension": float(path.extension in listed("pages")),
        "deep": min(1.0, max(0, len(path.segments) - 1) / 3),
        "section_like": _section_like(last, path, own, number, dates),
    }


_TIMES = ("{year}", "{month}", "{day}", "{date}")


def _section_like(last: Segment | None, path: Path, own: int, number: int, dates: bool) -> float:
    """A short name at the end, and nothing before it that an article would have."""
    if last is None or own > 3 or number or dates or path.parameters:
        return 0.0
    if "{" not in last.label:
        return 1.0 if "-" not in last.label else 0.8
    return 0.4 if last.label == "{words}" or (last.label == "{slug}" and last.words <= 3) else 0.0


def _is_own(path: Path) -> bool:
    """Whether the address has what only an article's has, so that a page's number in it is the article's page."""
    tail = path.segments[-TAIL:]
    return (
        path.dated
        or any(segment.number >= 5 or segment.words >= LONG_SLUG for segment in tail)
        or any(_digits(value) >= 4 for name, value in path.parameters if name not in queries("number"))
    )


def _digits(value: str) -> int:
    return len(value) if value.isascii() and value.isdigit() else 0


def _is_language(segment: Segment) -> bool:
    return bool(_LANGUAGE.fullmatch(segment.text.lower()))


def _named(path: Path) -> Signs:
    """Which words of the vocabulary the segments are. The last counts for itself, those before for the folder."""
    names = [segment.name for segment in path.segments if segment.words <= MAX_NAME]
    keeps_none = not any(segment.number or segment.words > MAX_NAME for segment in path.segments)
    found = {sign: float(any(name in words(kind) for name in names)) for sign, kind in _VOCABULARY.items()}
    last = path.segments[-1].name if path.segments else ""
    found["account_word"] = float(last in words("account"))
    found["account_folder"] = float(any(name in words("account") for name in names[:-1]))
    found["index"] = float(any(name in words("indexes") for name in names))
    archive = keeps_none and any(name in words("archives") for name in names)
    found["list_folder"] = float(archive or any(name in words("lists") for name in names[:-1]))
    found["list_name"] = float(last in words("lists"))
    found["variant"] = float(
        any(name in words("variants") for name in (*names[:1], *names[-1:]) if len(path.segments) > 1)
    )
    found["section_name"] = float(last in words("sections") and not found["list_folder"] and not found["index"])
    found["article_word"] = float(any(name in words("articles") for name in names[:-1]))
    found["account_host"] = float(path.host.count(".") > 1 and path.host.partition(".")[0] in words("hosts"))
    return found


def _asked(path: Path) -> Signs:
    """What the parameters ask for."""
    account = any(name in queries("account") and ("/" in value or "." in value) for name, value in path.parameters)
    search = any(name in queries("search") and not value.isdigit() for name, value in path.parameters)
    action = any(name in queries("action") for name, _ in path.parameters)
    return {"search": float(search or account or action)}


# -- where the link stands ------------------------------------------------------------------------------------------


def _of_place(link: Link) -> Signs:
    count = count_words(link.text)
    return {
        "headline": float(link.heading),
        "words": min(1.0, max(0, count - 2) / (SENTENCE - 2)),
        "short_text": float(count <= 2),
        "account_text": float(folded(link.text) in words("account")),
        "dated": float(link.dated),
        "main": float(link.region == "main"),
        "aside": float(link.region == "aside"),
        "menu": float(link.region in ("nav", "header", "footer")),
    }


__all__ = ["Signs", "is_own", "signs", "signs_of_url"]
