"""What a page says of how it may be used: robots directives, X-Robots-Tag and the TDM Reservation Protocol.

It is recorded with each page as it was fetched, for whoever uses the texts; nothing is decided here.
TDM Reservation Protocol: https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

HEAD = 128 * 1024  # bytes; such tags stand in the head
_META = re.compile(rb"<meta\s[^>]{1,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ROBOTS_NAMES = frozenset(("robots", "googlebot", "googlebot-news", "bingbot", "news-crawler"))
_TDM_NAMES = frozenset(("tdm-reservation", "tdm-policy"))
_MOST = 500  # characters of one value


def rights_of(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Who says it -> what it says; `noarchive` is set to where it was said. Names of `headers` are in lower case."""
    found = {name: headers[name][:_MOST] for name in ("x-robots-tag", *sorted(_TDM_NAMES)) if name in headers}
    for name, value in _metas(body[:HEAD]):
        if name in _ROBOTS_NAMES:
            found.setdefault(f"meta:{name}", value)
        elif name in _TDM_NAMES:
            found.setdefault(name, value)
    said = [name for name, value in found.items() if "noarchive" in value.lower()]
    return found | ({"noarchive": said[0]} if said else {})


def _metas(head: bytes) -> list[tuple[str, str]]:
    pairs = []
    for tag in _META.findall(head):
        attributes = {
            match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "")
            for match in _ATTRIBUTE.finditer(tag.decode("utf-8", "replace"))
        }
        name = attributes.get("name", "").strip().lower()
        if name and attributes.get("content"):
            pairs.append((name, " ".join(attributes["content"].split())[:_MOST]))
    return pairs
