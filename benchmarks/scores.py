"""How right is an extraction? Small pure functions; every figure of the table is a mean or a sum of these."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import fmean

from dateutil import parser as dates

SHINGLE = 4  # words
_WORD = re.compile(r"\w+")
_BY = re.compile(r"^(?:by|von|par|por|di|av|af|door)\s+")
_CLOCK = re.compile(r"\d[T ]?\d{1,2}:\d\d")
_PLAIN = str.maketrans(dict.fromkeys("‘’‚`", "'") | dict.fromkeys("“”„«»", '"') | dict.fromkeys("–—−‐‑", "-"))


@dataclass(frozen=True)
class Overlap:
    """Of the shingles of a reference and a text: in both, only in the text, only in the reference."""

    hit: int
    extra: int
    lost: int

    @property
    def f1(self) -> float:
        return 2 * self.hit / (2 * self.hit + self.extra + self.lost) if self.hit else float(not self.extra + self.lost)


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    found = words(text)
    return Counter(tuple(found[i : i + SHINGLE]) for i in range(max(bool(found), len(found) - SHINGLE + 1)))


def overlap(reference: str, text: str) -> Overlap:
    wanted, given = _shingles(reference), _shingles(text)
    hit = (wanted & given).total()
    return Overlap(hit, given.total() - hit, wanted.total() - hit)


def best_reference(references: Sequence[str], text: str) -> tuple[str, Overlap]:
    """The acceptable body that is nearest to the text (the first of equals)."""
    return max(((reference, overlap(reference, text)) for reference in references), key=lambda pair: pair[1].f1)


def corpus_f1(pages: Sequence[Overlap]) -> float:
    """F1 of the mean precision (of pages with output) and the mean recall (of pages with truth)."""
    precision = mean(page.hit / (page.hit + page.extra) for page in pages if page.hit + page.extra)
    recall = mean(page.hit / (page.hit + page.lost) for page in pages if page.hit + page.lost)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def exact(reference: str, text: str) -> bool:
    return words(reference) == words(text)


def words_lost(reference: str, text: str) -> tuple[int, int]:
    """Words of the reference that the text lacks, and all words of the reference."""
    wanted = Counter(words(reference))
    return (wanted - Counter(words(text))).total(), wanted.total()


def squeeze(text: str) -> str:
    return " ".join(text.split())


def segments(wanted: Iterable[str], unwanted: Iterable[str], text: str) -> Overlap:
    flat = squeeze(text)
    there = [squeeze(piece) in flat for piece in wanted]
    wrong = sum(bool(flat) and squeeze(piece) in flat for piece in unwanted)
    found = sum(there) if flat else 0
    return Overlap(found, wrong, len(there) - found)


def segments_f1(pages: Iterable[Overlap]) -> float:
    """F1 over all segments of all pages."""
    hit, extra, lost = (sum(column) for column in zip(*((p.hit, p.extra, p.lost) for p in pages), strict=True))
    return Overlap(hit, extra, lost).f1


def fold(text: str | None) -> str:
    """Without regard to case, kinds of quotes, dashes and space."""
    plain = unicodedata.normalize("NFKC", html.unescape(text or "")).translate(_PLAIN).replace("…", "...")
    return squeeze(plain.casefold())


def same_headline(reference: str, headline: str | None) -> bool:
    return fold(reference) == fold(headline)


def _names(authors: Iterable[str]) -> set[str]:
    return {" ".join(words(_BY.sub("", fold(author)))) for author in authors} - {""}


def authors_f1(reference: Iterable[str], authors: Iterable[str]) -> float:
    wanted, given = _names(reference), _names(authors)
    hit = len(wanted & given)
    return Overlap(hit, len(given) - hit, len(wanted) - hit).f1


def moment(value: object) -> tuple[datetime | None, bool]:
    """The moment and whether it has a clock time; a naive one stays naive."""
    if isinstance(value, datetime):
        return value, True
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day), False
    text = str(value or "").strip()
    try:
        return (datetime.fromisoformat(text) if text[:1].isdigit() else dates.parse(text)), bool(_CLOCK.search(text))
    except (ValueError, OverflowError):
        return None, False


def same_instant(reference: object, value: object) -> bool:
    """The same minute; a day without a clock time is never right, a time without zone is taken as UTC."""
    (wanted, clock), (given, given_clock) = moment(reference), moment(value)
    return bool(wanted and given and clock and given_clock and _minute(wanted) == _minute(given))


def same_day(reference: object, value: object) -> bool:
    """The same day as written, each in its own zone, or the same minute in another zone."""
    wanted, given = moment(reference)[0], moment(value)[0]
    return bool(wanted and given and wanted.date() == given.date()) or same_instant(reference, value)


def _minute(value: datetime) -> datetime:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).replace(second=0, microsecond=0)


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return fmean(found) if found else 0.0
