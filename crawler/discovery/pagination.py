"""Which page of a listing an address is, and which link of a listing leads to the next one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlunsplit

from crawler.discovery.segments import split
from crawler.discovery.vocabulary import folded, listed, next_words, queries

_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_NAMED = re.compile(r"(?P<before>.*?)(?P<name>[^\W\d_]{1,12})[-_,=.]?(?P<number>\d{1,4})(?P<after>\.\w{2,5})?")
_TAIL = re.compile(r"(?P<before>.+?)[-_,](?P<number>\d{1,4})(?P<after>\.\w{2,5})?", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_ARROWS = frozenset("›»>→⟩❯▶►⇒≫≻⏵＞ ")


class Numbered(NamedTuple):
    """An address without the number of its page, and that number; `offset`: it counts entries, not pages."""

    base: str
    number: int
    offset: bool = False


@lru_cache(maxsize=8_192)
def page_number(url: str) -> Numbered | None:
    """What `?page=2`, `/page/2/`, `/seite-2.html` or `?start=20` say; None where nothing is called a page."""
    parts = split(url)
    for at, pair in enumerate(pairs := parts.query.split("&")):
        name, _, value = pair.partition("=")
        name = folded(unquote(name))
        kind = name in queries("number") or (name == "p" and parts.path not in ("", "/"))  # `/?p=123` is an article
        if (kind or name in queries("offset")) and _NUMBER.fullmatch(value):
            rest = "&".join(pairs[:at] + pairs[at + 1 :])
            return Numbered(_base(parts.netloc, parts.path, rest), int(value), not kind)
    segments = parts.path.rstrip("/").split("/")
    if len(segments) > 2 and _NUMBER.fullmatch(segments[-1]) and folded(unquote(segments[-2])) in listed("numbers"):
        return Numbered(_base(parts.netloc, "/".join(segments[:-2]), parts.query), int(segments[-1]))
    match = _NAMED.fullmatch(unquote(segments[-1])) if len(segments[-1]) < 60 else None
    # `article-p2` may be a name, `seite-2` and `world-page-2` are none.
    if match and folded(match["name"]) in listed("numbers") and (not match["before"] or len(match["name"]) > 3):
        stem = "/".join([*segments[:-1], match["before"].rstrip("-_,.")])
        return Numbered(_base(parts.netloc, stem, parts.query), int(match["number"]))
    return None


def next_page(url: str, declared: Sequence[str], links: Iterable[tuple[str, str]]) -> str | None:
    """The listing's next page: what is declared as such (`rel=next`), the next number, a word for "next" or "older".

    `links` are addresses with their text. An address counts only if it carries the listing on: the next article, a
    carousel's button and a section called Next do not.
    """
    for target in declared:
        if _continues(url, target):
            return target
    spoken: str | None = None
    best: tuple[int, str] | None = None
    here = page_number(url)
    for target, text in links:
        says_next = _says_next(text)
        number = _following(url, here, target, text, says_next)
        if number is not None and (best is None or number < best[0]):
            best = number, target
        if spoken is None and says_next and _continues(url, target):
            spoken = target
    return best[1] if best else spoken


def _following(url: str, here: Numbered | None, target: str, text: str, says_next: bool) -> int | None:
    """The number of the page behind `target` if it is one of the same listing, after this one."""
    there = page_number(target)
    current = here.number if here else 1
    base = here.base if here else _base(*split(url)[1:4])
    if there is None:
        there = _loose(target, text)
        if there is None or there.base != base:
            return None
        return there.number if there.number == current + 1 else None
    if there.base != base:
        return None
    if there.offset:
        return there.number if there.number > (here.number if here else 0) else None
    if there.number == current + 1:
        return there.number
    first = here is None and there.number == 1  # they count from 0
    return 1 if first and (text.strip() == "2" or says_next) else None


def _loose(url: str, text: str) -> Numbered | None:
    """`/world/2` and `/world-2.html` are the second page where the link's text is 2."""
    parts = split(url)
    path = parts.path.rstrip("/")
    if not _NUMBER.fullmatch(text.strip()):
        return None
    stem, _, last = path.rpartition("/")
    if last == text.strip():
        return Numbered(_base(parts.netloc, stem, parts.query), int(last))
    match = _TAIL.fullmatch(path)
    if match and match["number"] == text.strip():
        return Numbered(
            _base(parts.netloc, match["before"] + (match["after"] or ""), parts.query), int(match["number"])
        )
    return None


def _says_next(text: str) -> bool:
    if not text or len(text) > 60:
        return False
    return folded(text) in next_words() or _ARROWS.issuperset(text)


def _continues(url: str, target: str) -> bool:
    """Whether two addresses differ in nothing but a number, a parameter or a page's part at the end."""
    here, there = split(url), split(target)
    if target == url or here.netloc.removeprefix("www.") != there.netloc.removeprefix("www."):
        return False
    one, two = here.path.rstrip("/"), there.path.rstrip("/")
    if one == two:
        return here.query != there.query
    numbered, current = page_number(target), page_number(url)
    if numbered and numbered.base == (current.base if current else _base(*here[1:4])):
        return True
    if _DIGITS.sub("0", one) == _DIGITS.sub("0", two):
        return one != two
    return two.startswith(f"{one}/") and bool(_DIGITS.search(two[len(one) :])) and two.count("/") - one.count("/") <= 2


def _base(netloc: str, path: str, query: str) -> str:
    stem = re.sub(r"/(?:index|default)(?:\.\w{2,5})?$", "", path.rstrip("/"))
    return urlunsplit(("", netloc.removeprefix("www."), stem, query, ""))
