"""Is this another version of an article, and what changed? Pure: two versions in, the changes out.

2026-11: what makes a version is what a reader would call an edit. Typography, the order of the authors, seconds, a
zone that is named by now, counters and teasers make none. What the page had before as well, and only our rules see
otherwise, is told as ours and not as the publisher's. In doubt it is an edit: one that is lost is worse than one too
many. A page that shows only the beginning of what is held has lost nothing of the article: see `Cut`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from crawler.editions import fields, noise
from crawler.editions.notes import notes
from crawler.editions.paragraphs import Change, compared
from crawler.editions.typography import folded
from crawler.recurrence import REASON
from crawler.text import count_words

__all__ = [
    "FIELDS",
    "Cause",
    "Change",
    "Comparison",
    "Edition",
    "compare",
    "cut_of",
    "flickers",
    "paragraphs_of",
    "told",
]

FIELDS = ("headline", "body", "correction", "authors", "published_at", "access", "is_accessible_for_free")
Cause = Literal["publisher", "rules"]
Cut = Literal["refused:truncated", "refused:truncated-and-changed"]
GATES = frozenset(("paywall", "registration", "membership"))  # reasons of dropped blocks
NEARBY = frozenset((None, "outside", "legal"))  # reasons for which a note may have been dropped
FROM_IT = 0.5  # share of a cut text's words that stand in the whole one
HALF = 0.5  # of the whole: a cut text with other words under the same headline is a summary of it

_SIGN = r"[\u3001-\u3003\u3008-\u3011\u3040-\u30ff\u3400-\u9fff\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]"
_NO_BLANK = re.compile(rf"(?<={_SIGN}) (?={_SIGN})")


def paragraphs_of(body: str) -> tuple[str, ...]:
    """What a body is made of: its kept blocks."""
    return tuple(body.split("\n")) if body else ()


@dataclass(frozen=True, kw_only=True)
class Edition:
    """A version as far as it is compared. `blocks`: the ledger as it is stored; `names`: what the site is called."""

    headline: str | None
    body: str
    blocks: Sequence[Mapping[str, Any]] = ()
    authors: Sequence[str] = ()
    published_at: datetime | None = None
    published_raw: str | None = None
    published_zone_assumed: bool = False
    access: str = "unknown"
    is_accessible_for_free: bool | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Edition:
        """A row of `articles`, or one that `content` of an earlier version makes up for."""
        published = row.get("published_at")
        return cls(
            headline=row["headline"],
            body=row["body"],
            blocks=row.get("blocks") or (),
            authors=row.get("authors") or (),
            published_at=datetime.fromisoformat(published) if isinstance(published, str) else published,
            published_raw=row.get("published_raw"),
            published_zone_assumed=bool(row.get("published_zone_assumed")),
            access=row.get("access") or "unknown",
            is_accessible_for_free=row.get("is_accessible_for_free"),
            names=fields.names(row.get("source") or "", row.get("url") or ""),
        )

    @cached_property
    def paragraphs(self) -> tuple[str, ...]:
        return paragraphs_of(self.body)

    @cached_property
    def folded(self) -> tuple[str, ...]:
        return tuple(map(folded, self.paragraphs))

    @cached_property
    def dropped(self) -> dict[str, str]:
        """What its page also has: folded text -> reason."""
        return {folded(one["text"]): one.get("reason") or "" for one in self.blocks if not one["kept"]}

    @cached_property
    def kept(self) -> dict[str, Mapping[str, Any]]:
        """Folded text -> block of the body."""
        return {folded(one["text"]): one for one in self.blocks if one["kept"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What the new version changes. `changed`: words of FIELDS; none: it is no other version.

    `text_stays`: the bodies differ, but by nothing that counts: the old text is kept with its blocks. `cut`: so is it,
    since the new one lacks the rest.
    """

    changes: tuple[Change, ...] = ()
    changed: tuple[str, ...] = ()
    cause: Cause = "publisher"
    text_stays: bool = False
    cut: Cut | None = None


def compare(old: Edition, new: Edition, *, ours: bool = False) -> Comparison:
    """`ours`: one page read twice, by other rules: whatever differs is what they make of it."""
    body = _body(old, new, ours)
    counts = [change for change in body if change.cause != "noise"]
    cut = (cut_of(old, new) if ours else _cut(old, new, counts)) if counts else None
    found = [] if ours else _corrections(old, new)
    if cut:
        body, counts = [], []
    elif not counts:
        body = []
    found += _fields(old, new, ours, text_changed=bool(counts), cut=bool(cut)) + body
    names = {change.field for change in found if change.cause != "noise"}
    changed = tuple(name for name in FIELDS if name in names)
    by_rules = bool(changed) and all(change.cause != "publisher" for change in found)
    return Comparison(
        changes=tuple(found),
        changed=changed,
        cause="rules" if by_rules else "publisher",
        text_stays=old.body != new.body and "body" not in changed,
        cut=cut,
    )


def flickers(old: Edition, new: Edition) -> bool:
    """Whether the bodies differ, and only by what differs at every fetch: counters, teasers, the source's template."""
    body = _body(old, new, ours=False)
    return bool(body) and all(change.cause == "noise" for change in body)


def cut_of(old: Edition, new: Edition) -> Cut | None:
    """Whether a stored page that is read again shows but the beginning of what is held, and not another page of it.

    What it has beside its text by today's rules, or in other paragraphs, it does not lack.
    """
    counts = [change for change in _body(old, new, ours=False) if change.cause != "noise"]
    elsewhere = [change for change in counts if change.cause == "publisher"]
    lacks = sum(count_words(change.before or "") - count_words(change.after or "") for change in elsewhere)
    return _cut(old, new, counts) if lacks > 0 else None


def told(old: Edition, new: Edition) -> tuple[Change, ...]:
    """All that sets two versions apart which were stored as two when more was taken for an edit."""
    found = compare(old, new)
    known = {change.field for change in found.changes}
    more = [change for change in _fields(old, new, True, text_changed=False, cut=False) if change.field not in known]
    if "body" not in known:
        more += _body(old, new, ours=True)
    return (*found.changes, *(change.by("publisher" if found.cut else "noise") for change in more))


def _body(old: Edition, new: Edition, ours: bool) -> list[Change]:
    """The paragraphs that differ, each with who or what made it differ."""
    if old.body == new.body:
        return []
    before, after = (old.paragraphs, new.paragraphs) if ours else (old.folded, new.folded)
    if not ours and _run_on(before) == _run_on(after):
        return []  # other breaks between the same words
    learned = _learned(old, new), _learned(new, old)
    changes = compared(old.paragraphs, new.paragraphs, before, after, alone=learned)
    teasers = set() if ours else noise.rotating(changes, old.paragraphs, new.paragraphs, old.kept, new.kept)
    return [change.by(_cause(change, old, new, ours, at in teasers)) for at, change in enumerate(changes)]


def _learned(one: Edition, other: Edition) -> frozenset[int]:
    """Which paragraphs are the source's template by what is known for the other version: nothing becomes of them."""
    if REASON not in other.dropped.values():
        return frozenset()
    return frozenset(at for at, text in enumerate(one.folded) if other.dropped.get(text) == REASON)


def _run_on(texts: Sequence[str]) -> str:
    """Words keep apart: "the rapist" is no therapist. Where a script has no blanks, a break between signs is none."""
    return _NO_BLANK.sub("", " ".join(filter(None, texts)))


def _cause(change: Change, old: Edition, new: Edition, ours: bool, rotates: bool) -> str:
    gone, came = _dropped(change.before, old, new), _dropped(change.after, new, old)
    if change.change != "moved":
        if REASON in (gone, came):
            return "noise"
        if rotates or (not ours and noise.counts(change, old.kept, new.kept)):
            return "noise"
        whole = change.before is None or gone is not None, change.after is None or came is not None
        if all(whole):
            return "rules"
    return "rules" if ours else "publisher"


def _dropped(text: str | None, kept: Edition, dropped: Edition) -> str | None:
    """Why one version drops what another keeps. What both drop as well, a standfirst, is the publisher's to repeat."""
    if text is None:
        return None
    reason = dropped.dropped.get(folded(text))
    return reason if reason == REASON or folded(text) not in kept.dropped else None


def _corrections(old: Edition, new: Edition) -> list[Change]:
    """Notes that the page has now, in the body or beside it."""
    if old.body == new.body and old.blocks == new.blocks:
        return []
    had = {*old.folded, *old.kept, *old.dropped}
    beside = [block["text"] for block in new.blocks if not block["kept"] and block.get("reason") in NEARBY]
    inside = (text for text, key in zip(new.paragraphs, new.folded, strict=True) if key not in had)
    fresh = dict.fromkeys((*inside, *(text for text in beside if folded(text) not in had)))
    return [Change(field="correction", change="added", after=text) for text in notes(fresh)]


def _fields(old: Edition, new: Edition, ours: bool, *, text_changed: bool, cut: bool) -> list[Change]:
    found = []
    for name in ("headline", "authors", "published_at", "access", "is_accessible_for_free"):
        before, after = getattr(old, name), getattr(new, name)
        if name == "access" and cut:
            continue
        if before == after or (name == "authors" and list(before) == list(after)):
            continue
        if ours or fields.is_edit(name, old, new, text_changed=text_changed):
            found.append(
                Change(
                    field=name,
                    change="changed",
                    cause="rules" if ours else "publisher",
                    before=fields.as_text(before),
                    after=fields.as_text(after),
                )
            )
    return found


def _cut(old: Edition, new: Edition, changes: Sequence[Change]) -> Cut | None:
    """Whether a page shows but a part of the text that is held: by its own account, or behind a gate that is new.

    A text that is mostly not in the held one is another version, cut or not; unless it is a few words under the same
    headline, which stand for the text that is not shown. What is held cut off already has to begin with the new text.
    """
    if not (new.access == "truncated" or (new.access == "unknown" and _is_gated(new) and not _is_gated(old))):
        return None
    had, has = count_words(old.body), count_words(new.body)
    if has >= had:
        return None
    if old.access == "truncated":
        return "refused:truncated" if _is_broken_off(new.body, (folded(old.body),)) else None
    wholes = sorted(old.folded)
    other = [
        change
        for change in changes
        if change.after and change.change != "moved" and not _is_broken_off(change.after, wholes)
    ]
    added = sum(count_words(change.after or "") for change in other if change.change == "added")
    if has - added < FROM_IT * has and not (
        has < HALF * had and not fields.is_edit("headline", old, new, text_changed=False)
    ):
        return None
    return "refused:truncated-and-changed" if any(one.cause == "publisher" for one in other) else "refused:truncated"


def _is_gated(edition: Edition) -> bool:
    return not GATES.isdisjoint(edition.dropped.values())


def _is_broken_off(text: str, wholes: Sequence[str]) -> bool:
    """Whether it is one of these that stops where the gate stands. `wholes`: sorted, so what begins so is next."""
    start = folded(text).rstrip(". ]").removesuffix("[").rstrip("-, ")
    at = bisect_left(wholes, start)
    return bool(start) and at < len(wholes) and wholes[at].startswith(start)
