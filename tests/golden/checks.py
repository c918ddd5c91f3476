"""An extraction against the truth of its page, one kind of check at a time. A check returns what is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from crawler.items import Block, Extraction, Image, Post

Truth = dict[str, Any]
SHORT = 20  # characters; a label is the same text, not the beginning of one
LABEL_WORDS = 8  # the ledger leaves out what is shorter and was nobody's choice
PLAIN_FIELDS = ("headline", "language", "is_accessible_for_free")
INSTANTS = ("published_at", "modified_at")
KEYS = frozenset((
    "url", "note", "page_type", "access", *PLAIN_FIELDS, *INSTANTS, "authors", "images", "posts", "body", "must_drop",
))  # fmt: skip


def body(truth: Truth, found: Extraction) -> list[str]:
    """The article's blocks, all of them, in order and nothing else: the words lost and gained."""
    if "body" not in truth:
        return []
    kept = [block.text for block in found.blocks if block.kept]
    return [] if kept == truth["body"] else list(_difference(truth["body"], kept))


def fields(truth: Truth, found: Extraction) -> list[str]:
    """Headline, authors, instants, language, the publisher's claim, pictures and a live blog's posts."""
    wrong = [_unequal(name, truth[name], getattr(found, name)) for name in PLAIN_FIELDS if name in truth]
    wrong += [_unequal(name, _instant(truth[name]), getattr(found, name)) for name in INSTANTS if name in truth]
    if "authors" in truth:
        wrong.append(_unequal("authors", truth["authors"], list(found.authors)))
    wrong += [_picture(given, found.images) for given in truth.get("images", ())]
    if "posts" in truth:
        wrong += _posts(truth["posts"], found.posts)
    return [line for line in wrong if line]


def page_type(truth: Truth, found: Extraction) -> list[str]:
    """Article, listing, consent wall and so on."""
    return _choice("page_type", truth, found.page_type)


def access(truth: Truth, found: Extraction) -> list[str]:
    """Whether the whole text is there; several values may be right where nothing proves it."""
    return _choice("access", truth, found.access)


def drops(truth: Truth, found: Extraction) -> list[str]:
    """No block of `must_drop` in the body."""
    kept = [block for block in found.blocks if block.kept]
    return [f"kept: {block.text!r}" for entry in _entries(truth) for block in _of(entry["text"], kept)]


def reasons(truth: Truth, found: Extraction) -> list[str]:
    """Each block of `must_drop` stands in the ledger with a right reason; labels need not stand there."""
    dropped = found.dropped
    wrong = []
    for entry in _entries(truth):
        blocks, right = _of(entry["text"], dropped), _list(entry["reason"])
        wrong += [
            f"{block.reason} ({block.rule}) instead of {' or '.join(right)}: {block.text!r}"
            for block in blocks
            if block.reason not in right
        ]
        if (
            not blocks
            and not _is_label(entry["text"])
            and "outside" not in right
            and not _of(entry["text"], found.blocks)
        ):
            wrong.append(f"not in the ledger: {entry['text']!r}")
    return wrong


CHECKS: dict[str, Callable[[Truth, Extraction], list[str]]] = {
    "body": body,
    "fields": fields,
    "page_type": page_type,
    "access": access,
    "drops": drops,
    "reasons": reasons,
}


def _difference(right: Sequence[str], kept: Sequence[str]) -> Iterator[str]:
    ours, theirs = ([word for text in texts for word in (*text.split(), "¶")] for texts in (right, kept))
    for what, low, high, start, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if what in ("delete", "replace"):
            yield f"lost: {' '.join(ours[low:high])}"
        if what in ("insert", "replace"):
            yield f"gained: {' '.join(theirs[start:end])}"


def _unequal(name: str, right: object, found: object) -> str:
    return "" if right == found else f"{name}: {found!r} instead of {right!r}"


def _instant(given: str | None) -> datetime | None:
    return datetime.fromisoformat(given) if given else None


def _posts(given: Sequence[dict[str, str]], found: Sequence[Post]) -> Iterator[str]:
    """Headlines in the page's order, and the instants that the truth names."""
    yield _unequal("posts", [post["headline"] for post in given], [post.headline for post in found])
    for right, post in zip(given, found, strict=False):
        if "published_at" in right:
            yield _unequal(f"post {right['headline']!r}", _instant(right["published_at"]), post.published_at)


def _picture(given: dict[str, str], images: Sequence[Image]) -> str:
    found = next((image for image in images if image.url == given["url"]), None)
    if found is None:
        return f"images: {given['url']} is missing"
    return _unequal("image", given, {"url": found.url, "caption": found.caption, "credit": found.credit})


def _choice(name: str, truth: Truth, found: str) -> list[str]:
    right = _list(truth.get(name, found))
    return [] if found in right else [f"{name}: {found} instead of {' or '.join(right)}"]


def _entries(truth: Truth) -> list[dict[str, Any]]:
    return list(truth.get("must_drop", ()))


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _of(text: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks that begin with a text, or are that text if it is short."""
    if len(text) < SHORT:
        return [block for block in blocks if block.text.strip(" :.") == text.strip(" :.")]
    return [block for block in blocks if block.text.startswith(text)]


def _is_label(text: str) -> bool:
    return len(text.split()) < LABEL_WORDS and len(text) < 60
