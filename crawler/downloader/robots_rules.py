"""What a robots.txt says to one crawler: the groups of RFC 9309, read as it says.

2026-11: protego 0.7 matches paths as the RFC has it, but takes `User-agent: news` for a `news-crawler`, knows no
version behind a name, and lets a Crawl-delay end a group's list of names. So the lines that concern us are picked out
here and handed to it as one group for everyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_LINE_END = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")  # to the RFC, but one to str.splitlines
# With the slips that protego forgives: a blank for a hyphen or for the colon, letters doubled or swapped.
_LINE = re.compile(
    r"(?P<agent>user[ -]?agent)|(?P<rule>allow|(?:diss?all?ow|diasllow|disallaw))|(?P<delay>crawl[ -]delay)"
    r"|(?P<site>sitemaps?|site-map|host)",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\s*:\s*|\s+")
_NAME = re.compile(r"[^\s/]+")


@dataclass(slots=True)
class _Group:
    """`rules`: lines as they stand. `delay`: seconds, the longest of several."""

    rules: list[str] = field(default_factory=list)
    delay: float = 0.0


def rules_for(token: str, text: str) -> str:
    """A robots.txt whose only group, `*`, holds what `text` says to the crawler `token`; and its sitemaps.

    Groups of one name are one, in any case of letters; if no group has the name, those for `*` count.
    """
    groups: dict[str, _Group] = {}
    site: list[str] = []
    current: list[_Group] = []
    names_end = False  # a rule closes a group's list of names; other records do not
    for kind, value, line in _records(text):
        if kind == "site":
            site.append(line)
        elif kind == "agent":
            current = [] if names_end else current
            names_end = False
            current.append(groups.setdefault(_name(value), _Group()))
        elif kind == "rule":
            names_end = True
            for group in current:
                group.rules.append(line)
        else:
            for group in current:
                group.delay = max(group.delay, _seconds(value))
    ours = groups.get(token.lower()) or groups.get("*") or _Group()
    delay = [f"Crawl-delay: {ours.delay}"] if ours.delay else []
    return "\n".join([*site, "User-agent: *", *delay, *ours.rules])


def _records(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, value and line of each line that means something."""
    for raw in _LINE_END.split(_NO_LINE_END.sub(lambda found: quote(found[0]), text)):
        line = raw.partition("#")[0].strip()
        found = _LINE.match(line)
        if found is None:
            continue
        separator = _VALUE.match(line, found.end())
        if separator is not None or found.end() == len(line):
            yield str(found.lastgroup), line[separator.end() if separator else len(line) :], line


def _name(value: str) -> str:
    """`newsbot` of `NewsBot/2.1 (news)`; an asterisk behind a name says nothing."""
    found = _NAME.match(value)
    name = found[0].lower() if found else ""
    return name.rstrip("*") or name[:1]


def _seconds(value: str) -> float:
    """0 for what is no time."""
    try:
        seconds = float(value)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0
