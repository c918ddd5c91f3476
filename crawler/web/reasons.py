"""Reasons for which blocks are dropped, in families that share a colour.

The colours are Okabe and Ito's, which people with any kind of colour vision tell apart. The reason's word always stands
beside its colour.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["money", "gate", "prompt", "links", "parts", "other"]

COLOURS: dict[Family, str] = {
    "money": "#d55e00",
    "gate": "#e69f00",
    "prompt": "#cc79a7",
    "links": "#0072b2",
    "parts": "#009e73",
    "other": "#808080",
}
_REASONS: dict[str, tuple[Family, str]] = {
    "support": ("money", "asks the reader for money"),
    "membership": ("money", "offers membership"),
    "advertisement": ("money", "advertising"),
    "paywall": ("gate", "stands before a gate"),
    "registration": ("gate", "wants the reader to register"),
    "consent": ("gate", "asks for consent to tracking"),
    "newsletter": ("prompt", "offers a newsletter"),
    "app": ("prompt", "offers an app"),
    "channel": ("prompt", "points to a channel elsewhere"),
    "share": ("prompt", "buttons to share"),
    "comments": ("prompt", "readers' comments, or a call for them"),
    "related": ("links", "points to other articles"),
    "next-article": ("links", "the article after this one"),
    "link-farm": ("links", "one of thousands of links"),
    "template": ("links", "recurs over the source's articles"),
    "headline": ("parts", "is in the field headline"),
    "standfirst": ("parts", "is in the field description"),
    "byline": ("parts", "is in the field authors"),
    "caption": ("parts", "belongs to a picture"),
    "legal": ("parts", "small print"),
    "duplicate": ("parts", "repeats another block"),
    "outside": ("other", "neither a rule nor the article: the model left it out"),
}


def family(reason: str | None) -> Family:
    """The family of a reason; one that is not known is of the family `other`."""
    return _REASONS.get(reason or "", ("other", ""))[0]


def gloss(reason: str | None) -> str:
    """What a reason means, in a few words."""
    return _REASONS.get(reason or "", ("", ""))[1]
