"""What pages carry besides the article, worded in `boilerplate.toml`, and which kind of boilerplate it is."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

# What an article's head may list under `carries` -> (kind of boilerplate, keys of its wording).
CARRIED: dict[str, tuple[str, tuple[str, ...]]] = {
    "support-teaser": ("support", ("teaser",)),  # in the page's header
    "support-banner": ("support", ("banner",)),  # above the headline
    "support-letter": ("support", ("letter", "letter_buttons")),  # a styled container after the text
    "support-bare": ("support", ("letter",)),  # plain paragraphs after the article's last
    "support-bare-middle": ("support", ("letter",)),  # plain paragraphs among the article's own
    "support-bare-top": ("support", ("letter",)),  # plain paragraphs before the article's first
    "related": ("related", ("see_also",)),  # a pointer between the paragraphs
    "newsletter": ("newsletter", ("newsletter",)),  # in the middle of the text
    "paywall": ("paywall", ("paywall",)),  # after the text
    "share": ("share", ("share",)),
    "cookie": ("consent", ("consent",)),
    "legal": ("legal", ("legal",)),
    "bio": ("byline", ("bio",)),
}


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "boilerplate.toml").read_text(encoding="utf-8"))


def wording(key: str, language: str, name: str, author: str = "") -> tuple[str, ...]:
    """The texts of `key`, such as `letter`, as the publication `name` prints them."""
    texts = _table()[language][key]
    texts = [texts] if isinstance(texts, str) else texts
    return tuple(text.format(name=name, author=author) for text in texts)


def carried(carries: tuple[str, ...], language: str, name: str, authors: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Kind -> texts of everything in `carries`."""
    found: dict[str, tuple[str, ...]] = {}
    for item in carries:
        kind, keys = CARRIED[item]
        for key in keys:
            texts = wording(key, language, name, authors[0] if authors else name)
            found[kind] = found.get(kind, ()) + tuple(text for text in texts if text not in found.get(kind, ()))
    return found
