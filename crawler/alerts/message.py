"""What an alert says: one message, however many incidents it is about. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NAMED = 8  # incidents that a text names one by one
LISTED = 200  # that are in the JSON
MANY = 5  # sources with the same trouble at once, and a third of all: the cause is hardly theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """An incident, or its end. `source` None: the whole system's."""

    source: str | None
    kind: str
    severity: str
    detail: str
    since: datetime | None
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def line(self) -> str:
        """As a person reads it."""
        name = f"{self.source or 'the crawler'}: {self.kind.replace('_', ' ')}"
        return f"{name} is over" if self.closed_at else f"{name}: {'; '.join(self.detail.splitlines())}"

    @property
    def plain(self) -> dict[str, str | None]:
        """JSON's types."""
        instants = {name: getattr(self, name) for name in ("since", "opened_at", "closed_at")}
        words = {name: getattr(self, name) for name in ("source", "kind", "severity", "detail")}
        return words | {name: value.isoformat() if value else None for name, value in instants.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What every receiver gets: a subject, a text for people, and the same as values for programs."""

    subject: str
    text: str
    values: Mapping[str, Any]


def message(notices: Sequence[Notice], *, watched: int, still: int) -> Message:
    """Of what has begun and what is over. `watched`: all sources; `still`: incidents that are open now."""
    opened = sorted((one for one in notices if not one.closed_at), key=_weight)
    over = sorted((one for one in notices if one.closed_at), key=_weight)
    subject = _subject(opened, over)
    lines = [subject, *_at_once(opened, watched)]
    lines += [f"- {one.line}" for one in opened[:NAMED]] + _rest(opened)
    lines += [f"- {one.line}" for one in over[:NAMED]] + _rest(over)
    lines.append(
        f"{_number(still, 'incident')} open (most are for half an hour after they were last seen); "
        "`scrapy health` shows what is wrong now."
    )
    values = {
        "opened": [one.plain for one in opened[:LISTED]],
        "recovered": [one.plain for one in over[:LISTED]],
        "opened_count": len(opened),
        "recovered_count": len(over),
        "open_count": still,
    }
    return Message(subject=subject, text="\n".join(lines), values=values)


def trial() -> Message:
    """To see whether it arrives."""
    text = "A test: alerts of this news crawler arrive here."
    return Message(subject="news crawler: a test", text=text, values={"opened": [], "recovered": [], "test": True})


def _subject(opened: Sequence[Notice], over: Sequence[Notice]) -> str:
    said = []
    if len(opened) == 1:
        said.append(f"{opened[0].source or 'the crawler'}: {opened[0].kind.replace('_', ' ')}")
    elif opened:
        kinds = Counter(one.kind.replace("_", " ") for one in opened).most_common(3)
        said.append(f"{len(opened)} incidents ({', '.join(f'{kind} {number}' for kind, number in kinds)})")
    if len(over) == 1 and not opened:
        said.append(f"{over[0].source or 'the crawler'}: {over[0].kind.replace('_', ' ')} is over")
    elif over:
        said.append(f"{len(over)} over")
    return " ".join(f"news crawler: {', '.join(said)}".split())


def _at_once(opened: Sequence[Notice], watched: int) -> list[str]:
    for kind, number in Counter(one.kind for one in opened if one.source).most_common(1):
        if number >= MANY and 3 * number >= watched:
            kind = kind.replace("_", " ")
            return [
                f"{number} of {watched} sources at once: {kind}; "
                "look for one cause on this side first (network, DNS, proxy, disk)."
            ]
    return []


def _rest(notices: Sequence[Notice]) -> list[str]:
    rest = notices[NAMED:]
    if not rest:
        return []
    kinds = Counter(one.kind.replace("_", " ") for one in rest).most_common()
    return [f"- and {len(rest)} more: {', '.join(f'{kind} {number}' for kind, number in kinds)}"]


def _number(number: int, what: str) -> str:
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"


def _weight(one: Notice) -> tuple[bool, bool, str, str]:
    """The whole before the sources, failures before warnings."""
    return one.source is not None, one.severity != "fail", one.source or "", one.kind
