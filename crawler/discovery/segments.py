"""The parts of a URL's path, each told by what it looks like: a year, a number, a slug, a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from crawler.discovery.vocabulary import folded, listed
from crawler.months import month
from crawler.text import count_words

MAX_SEGMENTS = 12
MAX_SEGMENT = 400  # characters
MAX_PARAMETERS = 6
SHORT = 24  # characters of a section's name

CLASS = re.compile(r"\{[a-z-]{1,12}\}")
_TOKEN = re.compile(r"[^\W_]+")
_EXTENSION = re.compile(r"(?<=.)\.([A-Za-z][A-Za-z0-9]{1,4})$")
_YEAR = re.compile(r"(?:19|20)\d\d", re.ASCII)
_DATE = re.compile(r"(?:(?:19|20)\d\d([-_.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
                   r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
                   r"|(?:0?[1-9]|[12]\d|3[01])([-_.])(?:0?[1-9]|1[0-2])\2(?:19|20)\d\d"
                   r"|\d\d_[^\W\d_]{3,10}_\d\d)", re.ASCII)  # fmt: skip
_YEAR_MONTH = re.compile(r"(?:19|20)\d\d[-_.](?:0?[1-9]|1[0-2])", re.ASCII)
_MONTH_DAY = re.compile(r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_DATE_FIRST = re.compile(r"(?:(?:19|20)\d\d-\d\d-\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d)(?=[-_][^\W_])", re.ASCII)
_DATED_TAIL = re.compile(r"(?<!\d)20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d)", re.ASCII)
_SECTION_ID = re.compile(r"(?:[stc]-|![tp])\d+", re.ASCII)  # `nato/t-17339192`, `Politik/!p4616`
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True, slots=True)
class Segment:
    """`label` is a class in braces or a section's folded name; `text` is decoded, without extension."""

    text: str
    label: str
    words: int = 0
    number: int = 0  # digits of the longest number that is no date; a hash counts 9
    dated: bool = False

    @property
    def name(self) -> str:
        return folded(self.text)

    @property
    def is_short(self) -> bool:
        """Three words that may still be a section's name: `sunday-times-daily`."""
        return self.label == "{slug}" and 0 < self.words <= 3 and len(self.text) <= SHORT


@dataclass(frozen=True, slots=True)
class Path:
    """A URL taken apart."""

    host: str  # without www
    segments: tuple[Segment, ...]
    extension: str  # of a page or file, in lower case; empty if there is none
    parameters: tuple[tuple[str, str], ...]  # folded name, value

    @property
    def dated(self) -> bool:
        return any(segment.dated for segment in self.segments)


def split(url: str) -> SplitResult:
    """`urlsplit`; all parts are empty for what is no URL."""
    try:
        return urlsplit(url)
    except ValueError:  # a bracket that opens no IPv6 address
        return SplitResult("", "", "", "", "")


@lru_cache(maxsize=4_096)
def path_of(url: str) -> Path:
    """Take an http(s) URL apart, as far as MAX_SEGMENTS and MAX_PARAMETERS. Raises nothing."""
    parts = split(url)
    host = (parts.hostname or "").removeprefix("www.")
    raw = [unquote(part)[:MAX_SEGMENT] for part in parts.path.split("/", 4 * MAX_SEGMENTS) if part][:MAX_SEGMENTS]
    extension = ""
    if raw and (match := _EXTENSION.search(raw[-1])) and _is_extension(match[1]):
        extension, raw[-1] = match[1].lower(), raw[-1][: match.start()]
    if raw and len(raw) < MAX_SEGMENTS and folded(raw[-1]) in listed("editions") and (extension or len(raw) == 1):
        raw.pop()
        extension = ""
    return Path(host, tuple(_labelled(raw)), extension, _parameters(parts.query))


def _is_extension(ending: str) -> bool:
    return ending.lower() in listed("pages") or ending.lower() in listed("files")


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("=") for pair in query.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS] if pair)
    return tuple((folded(unquote(name)[:SHORT]), unquote(value)[:MAX_SEGMENT]) for name, _, value in pairs)


def _labelled(raw: list[str]) -> list[Segment]:
    found: list[Segment] = []
    for text in raw:
        found.append(_segment(text, found[-1].label if found else ""))
    return found


def _segment(text: str, before: str) -> Segment:
    if CLASS.fullmatch(text):
        return Segment(text, text, dated=text in ("{year}", "{month}", "{day}", "{date}"))
    if label := _time(text, before):
        return Segment(text, label, dated=True)
    tokens = _TOKEN.findall(text)
    if not tokens:
        return Segment(text, "{other}")
    ids = [token for token in tokens if _is_id(token)]
    names = [token for token in tokens if token not in ids and not token.isdigit()]
    count = sum(count_words(name) if not name.isascii() else 1 for name in names)
    dated = bool(_DATE_FIRST.match(text) or _DATED_TAIL.search(text))
    number = 0 if _SECTION_ID.fullmatch(text) else max((_weight(token) for token in ids), default=0)
    return Segment(text, _label(tokens, names, ids, count), words=count, number=number, dated=dated)


def _time(text: str, before: str) -> str | None:
    if _YEAR.fullmatch(text):
        return "{year}"
    if _DATE.fullmatch(text):
        return "{date}"
    if before in ("{year}", "{month}") and text.isascii() and text.isdigit():
        limit, label = (12, "{month}") if before == "{year}" else (31, "{day}")
        if len(text) <= 2 and 1 <= int(text) <= limit:
            return label
        return "{day}" if before == "{year}" and _MONTH_DAY.fullmatch(text) else None
    if before == "{year}" and len(text) == 3 and month(text):
        return "{month}"
    return "{month}" if _YEAR_MONTH.fullmatch(text) else None


def _is_id(token: str) -> bool:
    """A number that counts something or a key, not a year, a word or G20."""
    if token.isdigit():
        return len(token) >= 3 and not _YEAR.fullmatch(token)
    digits = sum(char.isdigit() for char in token)
    if digits:
        return digits >= 3 or (len(token) >= 6 and not token.isalpha() and not token[:-2].isalpha())
    return len(token) <= 12 and token.isascii() and _is_scrambled(token)


def _is_scrambled(token: str) -> bool:
    """`dRwWqB`, but not `LifeStyle` or `WorldTV`."""
    parts = _CAMEL.findall(token)
    return len(parts) > 1 and any(len(part) < 3 and not (part.isupper() and len(part) == 2) for part in parts)


def _weight(token: str) -> int:
    if token.isdigit():
        return len(token)
    digits = sum(char.isdigit() for char in token)
    return max(digits, 9) if len(token) >= 6 else digits


def _label(tokens: list[str], names: list[str], ids: list[str], count: int) -> str:
    if not names:
        if all(token.isdigit() for token in tokens):
            return "{id}" if ids else "{n}"
        return "{hash}"
    letters = sum(map(len, names))
    if count >= 3 or letters > SHORT:
        return "{slug-id}" if ids else "{slug}"
    if ids:
        if count > 1:
            return "{slug-id}"
        # `a-65464327` is an article where `s-101259` is a section.
        return f"{{{names[0].lower()}-id}}" if letters <= 2 and names[0].isascii() else "{word-id}"
    if any(token.isdigit() for token in tokens):
        return "{words}"
    return "-".join(names).lower()
