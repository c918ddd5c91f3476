"""Which of the articles that tell one text is its probable original, and what the others are to it.

Pure. A cluster is a star: every copy is like its original, so that a chain of texts that were changed a little each
time does not end as one story. Articles have places: an agency's own page before the texts that credit an agency,
these before the others, each by time. An article is an original if it is like no original before it, and a copy of the
first that it is like otherwise. That says nothing of the order in which articles come, and neither do the clusters.

Texts that are alike are still two stories if they are one form with other numbers and names in it (a robot's reports of
earthquakes, results of a draw), or if they were published more than WITHIN apart: papers print a text within days, and
what a year later reads alike is a form too. The very same text has no such limit, nor one with the same headline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from crawler.agencies import agency_of, credited
from crawler.likeness import SAME, Likeness, Text, one_form
from crawler.recurrence import plain_text

WHOLE = frozenset(("paywall_stub", "live_blog", "video", "gallery"))  # page types: little text, or text of every hour
WITHIN = timedelta(days=14)  # of one another copies are published
Why = Literal["agency_page", "agency_credit", "published_first", "stored_first", "settled"]
Place = tuple[bool, int, datetime, datetime, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An article as it is held against others.

    `whole`: a short text, a paywall's stub, a live blog. Such texts share their prompts and their templates, so it
    takes all of the text, and the headline, for two of them to be one. `at`: published, else stored; a date without a
    time is that day's end, as it says no more. `settled`: so many are copies of it that it stays their original.
    """

    id: int
    text: Text = field(repr=False)
    headline: str
    whole: bool
    agency: str | None
    is_agencys: bool
    at: datetime
    dated: bool
    stored_at: datetime
    settled: bool = False

    @classmethod
    def of(
        cls,
        *,
        id: int,
        homepage: str,
        headline: str | None,
        body: str,
        authors: Iterable[str],
        page_type: str,
        published_at: datetime | None,
        published_raw: str | None,
        stored_at: datetime,
        settled: bool = False,
    ) -> Told:
        """As the table `articles` has it; `homepage` is its source's."""
        told, own = Text.of(body), agency_of(homepage)
        return cls(
            id=id,
            text=told,
            headline=plain_text(headline),
            whole=told.is_short or page_type in WHOLE,
            agency=own or credited(authors, body),
            is_agencys=own is not None,
            at=_instant(published_at, published_raw, stored_at),
            dated=published_at is not None,
            stored_at=stored_at,
            settled=settled,
        )

    @property
    def place(self) -> Place:
        """The lowest is the original."""
        rank = 0 if self.is_agencys else 1 if self.agency else 2
        return (not self.settled, rank, self.at, self.stored_at, self.id)


def _instant(published_at: datetime | None, raw: str | None, stored_at: datetime) -> datetime:
    if published_at is None:
        return stored_at
    utc = published_at.astimezone(UTC)  # whatever zone the session has that read it
    if raw and ":" not in raw and (utc.hour, utc.minute) == (0, 0):
        return max(published_at, min(published_at + timedelta(days=1, seconds=-1), stored_at))
    return published_at


def likeness(copy: Told, original: Told) -> Likeness | None:
    """What one article is to another, if they tell one text."""
    if copy.whole or original.whole:
        equal = copy.text.words == original.text.words and copy.headline == original.headline
        return Likeness(1.0, 1.0, longer=False) if equal and copy.text.words else None
    found = Likeness.of(copy.text, original.text)
    if found.kind is None or (_far_apart(copy, original) and not _same(copy, original, found)):
        return None
    return None if one_form(copy.text, original.text) else found


def _far_apart(one: Told, other: Told) -> bool:
    return one.dated and other.dated and abs(one.at - other.at) > WITHIN


def _same(one: Told, other: Told, found: Likeness) -> bool:
    headline = one.headline if one.headline == other.headline else ""
    return one.text.words == other.text.words or bool(headline and found.jaccard >= SAME)


def why(original: Told, copy: Told) -> Why:
    """Why the one comes before the other."""
    if original.place[1:] > copy.place[1:]:
        return "settled"
    if original.place[1] != copy.place[1]:
        return "agency_page" if original.is_agencys else "agency_credit"
    return "published_first" if original.dated and original.at != copy.at else "stored_first"


def originals(told: Iterable[Told]) -> dict[int, int]:
    """Article -> its original, of those that are copies: every one held against every original before it."""
    firsts: list[Told] = []
    found: dict[int, int] = {}
    for one in sorted(told, key=lambda one: one.place):
        original = next((first for first in firsts if likeness(one, first)), None)
        if original:
            found[one.id] = original.id
        else:
            firsts.append(one)
    return found
