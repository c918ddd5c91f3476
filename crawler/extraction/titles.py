"""The headline: which of the page's titles it is, without the publication's name.

2026-11, 540 pages: where JSON-LD and the printed h1 disagree, JSON-LD is right, unless og:title sides with the h1 and
the title element with JSON-LD. Without JSON-LD the printed one beats the titles that are written for search engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from urllib.parse import unquote, urlsplit

from lxml.etree import _Element as Element

from crawler.extraction.head import Evidence, Head, content, plain
from crawler.text import key as letters

Title = tuple[str, str]  # (where, text)

MIN_REST = 15  # characters of a headline that is left when its kicker is cut
MAX_PRINTED = 8  # h1 elements that are looked at
_SEPARATOR = re.compile(
    r"\s+(?:[|–—•·»«:>~ǀ‹›/-]|::|--|\|\|)\s+|\s*[｜ㅣ丨_]\s*|(?<=[^\W\d_])\s*\|\s*(?=\w)"
    r"|(?<=[\u3040-\u9fff\uac00-\ud7a3”！？…])(?:--?|－|—|・)(?=[^\s\d-])|(?<=\w)[-–—|](?=[A-Z][\w.]*$)"
)
# A title element is written for search engines: what equals it is rather that than what the editors wrote.
_WEIGHTS = {"jsonld:headline": 4.8, "h1": 2.6, "og:title": 2.0, "title": -0.5}
_WIDE_SECTION = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]{2,4}")  # 政治, 사회: what stands between headline and site
_LOGO = re.compile(
    r"logo|brand|site-?(?:title|name)|blog-?(?:title|name)|masthead|sr-only|screen-?reader|visually-?hidden"
)
_ARCHIVE = re.compile(r"blog archive?", re.IGNORECASE)
_MIN_HOST = 4  # letters; a shorter host name is in too many words


def titles(head: Head, site: str | None) -> Iterator[Title]:
    """(where, title), the most trusted first; the h1 that names the article before other ones."""
    title = head.tree.find(".//head/title")
    if title is None:
        title = head.tree.find(".//title")
    written = [
        ("jsonld:headline", head.jsonld("headline", "name")),
        ("og:title", plain(head.first("og:title"))),
        ("twitter:title", plain(head.first("twitter:title"))),
        ("title", content(title) if title is not None else None),
    ]
    given = [(where, text) for where, text in written if text]
    names = [name for name in (site, urlsplit(head.url or "").hostname) if name]
    ones, logos = _printed(head.tree, names, [text for _, text in given])
    sections = [one for one in (head.jsonld("articleSection"), head.first("article:section", "section")) if one]
    told = [(where, without_site(text, [*names, *logos], sections)) for where, text in given]
    slug = max(urlsplit(head.url or "").path.split("/"), key=len)
    ones = _ranked(ones, [text for _, text in told], unquote(slug))
    yield from (one for one in told if one[0].startswith("jsonld"))
    yield from (("h1", text) for text in ones)
    yield from (one for one in told if not one[0].startswith("jsonld"))


def without_site(title: str, names: Sequence[str], sections: Sequence[str] = ()) -> str:
    """A title less the publication's name behind (or before) a separator: "Bridge closed | Example Post"."""
    edges = [match.span() for match in _SEPARATOR.finditer(title)]
    if not edges:
        return title
    keys = {key for name in names for key in _site_keys(name)}
    starts = [0, *(end for _, end in edges)]
    ends = [*(start for start, _ in edges), len(title)]
    parts = [title[start:end] for start, end in zip(starts, ends, strict=True)]
    cut = next((i for i in range(len(parts) - 1, 0, -1) if _is_site(parts[i], keys)), None)
    if cut is None and letters(parts[0]) in keys:
        return title[starts[2 if len(parts) > 2 and _ARCHIVE.match(parts[1]) else 1] :]
    if cut is None:
        return title
    while cut > 1 and (_is_site(parts[cut - 1], keys) or _is_section(parts[cut - 1], sections)):
        cut -= 1
    return title[: ends[cut - 1]].strip()


def _is_section(part: str, sections: Sequence[str]) -> bool:
    return letters(part) in map(letters, sections) or bool(_WIDE_SECTION.fullmatch(part.strip()))


def headline(given: list[Title], evidence: Evidence) -> str | None:
    """Of `titles()` the one for which most speaks; of equals the most trusted place."""
    if not given:
        return None
    keys = [letters(title) for _, title in given]
    seen: set[str] = set()
    support = dict.fromkeys(keys, 0.0)
    for (where, _), key in zip(given, keys, strict=True):
        if where not in seen:
            support[key] += _WEIGHTS.get(where, 0.0)
        seen.add(where)
    best = max(range(len(given)), key=lambda i: (support[keys[i]], -i))
    if given[best][1].endswith(("...", "…")):  # cut for a card; the whole one stands elsewhere
        stem = keys[best]
        best = next((i for i, key in enumerate(keys) if key.startswith(stem) and len(key) > len(stem)), best)
    evidence["headline"] = given[best][0]
    return given[best][1]


# -- which h1 -----------------------------------------------------------------------------------------------------


def _printed(tree: Element, names: Sequence[str], given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The h1 elements' texts: those that may be the headline, and those that name the publication."""
    keys = {key for name in names for key in _site_keys(name)}
    ones: list[str] = []
    logos: list[str] = []
    for element in islice(tree.iter("h1"), MAX_PRINTED):
        text = content(element)
        if text and len(text) > 2:
            logo = (_is_site(text, keys) or _is_logo(element) or _is_tail(text, given)) and text not in given
            (logos if logo else ones).append(text)
    return ones, logos


def _ranked(ones: list[str], told: Sequence[str], slug: str) -> list[str]:
    """The h1 that shares most words with the other titles and the URL first; none that shares nothing."""
    if not told:
        return ones[:3]
    known = _words(" ".join(told)) | _words(slug)
    shortest = min(len(_words(text)) for text in told)
    ranked: list[tuple[float, int, str]] = []
    for index, text in enumerate(ones):
        words = _words(text)
        shared = len(words & known)
        if text in told or shared > 1 or (shared and shortest < 4):
            ranked.append((-shared / (len(words) or 1) * min(len(words), 4), index, text))
    if not ranked and len(known) < 4:
        return ones[:3]
    return [_without_kicker(text, told) for _, _, text in sorted(ranked)[:3]]


def _without_kicker(text: str, told: Sequence[str]) -> str:
    """Less a kicker or a date that stands in the same h1, if another title is the rest of it."""
    key = letters(text)
    return next((t for t in told if len(t) >= MIN_REST and key.endswith(letters(t)) and letters(t) != key), text)


def _is_tail(text: str, raw: Sequence[str]) -> bool:
    """Whether another, longer title ends with it behind a separator, as titles end with the site's name."""
    key = letters(text)
    for title in raw:
        parts = _SEPARATOR.split(title)
        if len(parts) > 1 and letters(parts[-1]) == key and len(letters(parts[0])) > len(key) / 2:
            return True
    return False


def _is_logo(element: Element) -> bool:
    near = (element, *element.iterancestors())[:3]
    return any(_LOGO.search(f"{e.get('class') or ''} {e.get('id') or ''}".lower()) for e in near)


def _words(text: str) -> set[str]:
    """Words; of scripts without blanks, pairs of characters."""
    words = {word for word in re.findall(r"[^\W_]+", text.casefold()) if len(word) > 2 and not word.isdigit()}
    wide = re.findall(r"[\u3040-\u9fff]{2,}", text)
    return words | {run[i : i + 2] for run in wide for i in range(len(run) - 1)}


# -- the publication's name ---------------------------------------------------------------------------------------


def _site_keys(name: str) -> Iterator[str]:
    """The name as letters only; of a host name its own part as well."""
    yield letters(name)
    if "." in name and " " not in name:
        labels = [label for label in name.casefold().split(".") if label not in ("www", "co", "com", "org", "net")]
        own = max(labels[:-1] or labels, key=len, default="")
        if len(own) >= _MIN_HOST:
            yield letters(own)


def _is_site(part: str, keys: set[str]) -> bool:
    key = letters(part)
    if not key or len(part.split()) > 8:
        return False
    return any(
        name == key or (len(key) <= 3 * len(name) and _begins_or_ends(key, name)) or _begins_or_ends(name, key)
        for name in keys
    )


def _begins_or_ends(text: str, part: str) -> bool:
    return len(part) >= _MIN_HOST and (text.startswith(part) or text.endswith(part))
