"""When an article was published and changed: what machines are told first, then what the page prints, then its URL.

The first source that names a moment wins; a bare day only waits for one that names the hour. A moment without a zone
takes the zone of another that the page gives, if both show the same minute or there is only one offset on the page.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from typing import cast

from htmldate import find_date
from lxml.etree import _Element as Element
from lxml.html import HtmlElement

from crawler.dates import Instant, find_instant, parse_instant
from crawler.extraction.head import Head
from crawler.extraction.printed import Line
from crawler.languages import primary

Found = tuple[str, Instant]  # (where, instant)

PUBLISHED = (
    "article:published_time", "og:article:published_time", "datepublished", "date.published", "publishdate",
    "publish-date", "publish_date", "article.published", "pubdate", "sailthru.date", "parsely-pub-date",
    "dc.date.issued", "dcterms.created", "dc.date.created", "dcterms.date", "dc.date", "date", "og:published_time",
    "last-published", "article_date_original", "cxenseparse:recs:publishtime", "originalpublicationdate",
)  # fmt: skip
MODIFIED = (
    "article:modified_time", "og:article:modified_time", "og:updated_time", "datemodified", "last-modified",
    "dcterms.modified", "dc.date.modified", "article:modified", "lastmod", "modified_date",
)  # fmt: skip
WIDEST_OFFSET, QUARTER = timedelta(hours=14), timedelta(minutes=15)  # zones differ by quarters of an hour
NEAR = 12  # lines from the headline; further off a date must be labelled as this article's
OTHER_WORDS = 8  # words that may stand beside a date that nothing labels
MAX_ELEMENTS, MAX_ATTRIBUTES, MAX_TEXT = 20_000, 200, 2_000_000  # of a page that is searched for any date
NO_TIME, A_DAY = timedelta(0), timedelta(days=1)  # how far the URL's day may be from a printed one

_ANY_PUBLISHED = re.compile(
    r"(?:publish|publication|pub|issue|create|original|release)[\w.:-]*(?:date|time|d$)|datetime"
)
_NOT_PUBLISHED = re.compile(
    r"modif|updat|expir|unpublish|event|copyright|index|crawl|server|birth|start|end[._:-]?date"
)
_DATED = re.compile(r"date|time|publi|posted|datum|fecha|data\b|meta\b|info\b|byline|stamp|datel|created|issued")
_LABEL = re.compile(
    r"\b(?:publi|posted|date\b|datum|fecha|data\b|veröffentlicht|erstellt|erschienen|vom\b|on\b|am\b|le\b|opublikowan"
    r"|опубликован|дата|gepubliceerd|publisert|publicerad|julkaistu|yayın|tarih|first\b|created|dated|released|stand\b)"
    r"|发布|發布|公開|掲載|입력|등록",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:updat|modif|aktualisiert|geändert|bearbeitet|actuali[sz]|mis à jour|aggiorna|atualiza|bijgewerkt|gewijzigd"
    r"|oppdatert|opdateret|uppdaterad|päivitetty|güncelle|обновлен|оновлен|zaktualizowan|changed)|更新|수정",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\b(?:until|expires|verfügbar bis|disponible jusqu|hasta el|fino al)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(r"caption|comment|related|teaser|footer|copyright|credit|sidebar|event|figure|latest|recent")
_URL_DAY_FIRST = re.compile(r"[/_-](?P<d>0[1-9]|[12]\d|3[01])-(?P<m>0[1-9]|1[0-2])-(?P<y>(?:19|20)\d\d)(?!\d)")
_URL_DAY = re.compile(
    r"[/_-](?P<y>(?:19|20)\d\d)(?P<mark>[/_-]?)(?P<m>0[1-9]|1[0-2])(?P=mark)(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"
)


def given(head: Head, published: bool) -> list[Found]:
    """All readable instants that JSON-LD and meta elements give, the most trusted first."""
    first = day_first(head)
    keys = ("datePublished", "dateCreated", "uploadDate") if published else ("dateModified",)
    raws = [(f"jsonld:{key}", head.jsonld(key)) for key in keys]
    raws += [(f"meta:{name}", head.first(name)) for name in (PUBLISHED if published else MODIFIED)]
    if published:
        raws += [(f"meta:{name}", values[0]) for name, values in head.meta.items() if _says_published(name)]
    return [(where, found) for where, raw in raws if raw and (found := parse_instant(raw, day_first=first))]


def _says_published(name: str) -> bool:
    return name not in PUBLISHED and bool(_ANY_PUBLISHED.search(name)) and not _NOT_PUBLISHED.search(name)


def day_first(head: Head) -> bool | None:
    """How 03/04/2026 is meant: by the page's language and country. English without a country says nothing."""
    tag = head.language
    if tag is None:
        return None
    if primary(tag) == "en":
        return None if tag == "en" else tag not in ("en-US", "en-CA", "en-PH")
    return primary(tag) not in ("ja", "zh", "ko", "hu", "lt")


def best(found: Sequence[Found], others: Sequence[Found] = ()) -> Found | None:
    """The first that names a moment, else the first day; `others` may know its zone."""
    if not found:
        return None
    where, instant = next((one for one in found if not one[1].day_only), found[0])
    if instant.zone_assumed and not instant.day_only:
        instant = _proven(instant, found) or _suggested(instant, [*found, *others])
    return where, instant


def _proven(naive: Instant, found: Sequence[Found]) -> Instant | None:
    """The same minute of publication, given elsewhere with its zone."""
    for _, other in found:
        apart = abs(other.at - naive.at)
        if not other.zone_assumed and apart <= WIDEST_OFFSET and apart % QUARTER == timedelta(0):
            return replace(other, raw=naive.raw)
    return None


def _suggested(naive: Instant, found: Sequence[Found]) -> Instant:
    """The moment in the only zone that the page names at all: still assumed."""
    offsets = {one.at.utcoffset() for _, one in found if not one.zone_assumed} - {timedelta(0)}
    if len(offsets) == 1 and (offset := offsets.pop()):
        return replace(naive, at=naive.at.replace(tzinfo=timezone(offset)))
    return naive


# -- what is printed ----------------------------------------------------------------------------------------------


def printed(lines: Sequence[Line], head: Head) -> Found | None:
    """The date that stands nearest to the headline: in markup (`<time>`, microdata) or in words."""
    if not lines:
        return _marked(head.tree)
    first = day_first(head)
    ranked = [(cost, where, found) for line in lines for cost, where, found in _dates(line, first)]
    if not ranked:
        return None
    _, where, found = min(ranked, key=lambda one: one[0])
    same = (one for _, _, one in ranked if not one.day_only and one.at.date() == found.at.date())
    return where, (next(same, found) if found.day_only else found)


def _marked(tree: Element) -> Found | None:
    """The first date in markup, of a page that does not print its headline."""
    for where, path in (("microdata", ".//*[@itemprop='datePublished']"), ("time", ".//article//time[@datetime]")):
        for element in tree.iterfind(path):
            if found := parse_instant(element.get("datetime") or element.get("content") or element.text):
                return where, found
    return None


def _dates(line: Line, first: bool | None) -> Iterator[tuple[int, str, Instant]]:
    """The dates of a line with the distance at which they stand; what says "updated" or belongs to others is left."""
    far = line.at if line.at > 0 else -2 * line.at
    if _CHANGED.search(line.text) and not _LABEL.search(line.text):
        return
    for marks, stamp in line.stamps:
        kind = "microdata" if "datepublished" in marks else "time" if marks.startswith("time") else ""
        if kind and not _foreign(marks) and (found := parse_instant(stamp, day_first=first)):
            yield far, kind, found
    found = find_instant(line.text, day_first=first)
    if found is None or line.at == 0 or len(line.text) > 300 or _ENDS.search(line.text):
        return
    labelled = _DATED.search(_marks_of(line, found.raw)) or _LABEL.search(line.text[:40])
    beside = len(line.text.replace(found.raw, " ").split())
    if _foreign(_marks_of(line, found.raw)) or (line.level and line.at) or beside > (20 if labelled else OTHER_WORDS):
        return
    if labelled or far <= NEAR:
        yield far + (1 if labelled else 4 + 5 * beside), "printed", found


def _foreign(marks: str) -> bool:
    return bool(_ELSEWHERE.search(marks) or "modified" in marks or "updated" in marks)


def _marks_of(line: Line, raw: str) -> str:
    return next((marks for marks, text in line.parts if raw[:6] in text), line.parts[0][0] if line.parts else "")


# -- the last resorts ---------------------------------------------------------------------------------------------


def of_url(url: str | None) -> Found | None:
    """The day in an address like /2026/03/05/bridge."""
    for match in itertools.chain(_URL_DAY.finditer(url or ""), _URL_DAY_FIRST.finditer(url or "")):
        if found := parse_instant(f"{match['y']}-{match['m']}-{match['d']}"):
            return "url", replace(found, raw=match[0].strip("/_-"))
    return None


def agreed(by_url: Found | None, shown: Found | None) -> Found | None:
    """The printed date, unless the URL names quite another day."""
    if by_url and shown:
        apart = abs(by_url[1].at.date() - shown[1].at.date())
        return by_url if apart > (NO_TIME if shown[1].day_only else A_DAY) else shown
    return shown or by_url


def guessed(tree: Element, url: str | None) -> Found | None:
    """What htmldate finds in the rest of the page: a bare day. Huge pages are not searched: it would take minutes."""
    if _is_huge(tree):
        return None
    page = cast(HtmlElement, tree)
    try:
        day = find_date(page, url=url, original_date=True, extensive_search=False, outputformat="%Y-%m-%d")
    except (ValueError, TypeError, AttributeError):
        return None
    found = parse_instant(day)
    return ("htmldate", found) if found else None


def _is_huge(tree: Element) -> bool:
    length = 0
    for number, element in enumerate(tree.iter()):
        length += len(element.text or "") + len(element.tail or "")
        if number >= MAX_ELEMENTS or length > MAX_TEXT or len(element.attrib) > MAX_ATTRIBUTES:
            return True
    return False
