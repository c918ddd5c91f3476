"""What an article gains and loses when its page is read anew: paragraphs, words, fields, kinds of boilerplate. Pure.

Everything is counted under flat names, so that sums over articles are sums of counters and go into JSON as they are:

articles, changed, revised               looked at; that differ; of these, what a reader would call another version
pages, new, words/new                    pages without an article; those that give one now, and its words
without_page                             articles, the page of whose version is not stored; they stay
readdressed                              that would name another address as the canonical one, and stay where they are
words, words/lost, words/gained          of the bodies looked at; that go; that come
paragraphs/lost, paragraphs/gained
field/<name>/<filled|emptied|changed>    one of FIELDS
dropped/<kind>, restored/<kind>          blocks that go for that reason, and that come back
rejected/<reason>, failed/<reason>       articles that would be none any more, which stay; pages that cannot be read
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.text import count_words

Row = Mapping[Any, Any]  # an article's columns
Ledger = Sequence[Mapping[str, Any]]
FIELDS = (
    "headline", "authors", "published_at", "modified_at", "language", "section", "tags", "description", "images",
    "is_accessible_for_free", "access", "page_type", "posts",
)  # fmt: skip
LOST_TOO_MUCH = 0.05  # of a source's words
_DENSE = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces: as text.count_words has it
_TOKEN = re.compile(rf"[{_DENSE}]|[^\W{_DENSE}]+")
_DENSE_SIGN = re.compile(rf"[{_DENSE}]")


@dataclass(frozen=True, slots=True)
class Difference:
    """The paragraphs of two bodies that are not in both, in their order, and the words that are not."""

    lost: tuple[str, ...]
    gained: tuple[str, ...]
    words_lost: int
    words_gained: int

    @property
    def weight(self) -> int:
        return self.words_lost + self.words_gained


def difference(old: Ledger, new: Ledger) -> Difference:
    """A paragraph that was moved is neither lost nor gained; of one that was cut, only the words that are gone."""
    lost, gained = _without(_kept(old), _kept(new)), _without(_kept(new), _kept(old))
    before, after = _tokens(lost), _tokens(gained)
    return Difference(tuple(lost), tuple(gained), _number(before - after), _number(after - before))


def _kept(blocks: Ledger) -> list[str]:
    return [block["text"] for block in blocks if block["kept"]]


def _without(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those that the others lack, as often as they do."""
    spare, found = Counter(others), []
    for text in texts:
        if spare[text] > 0:
            spare[text] -= 1
        else:
            found.append(text)
    return found


def _tokens(texts: Iterable[str]) -> Counter[str]:
    return Counter(token for text in texts for token in _TOKEN.findall(text))


def _number(tokens: Counter[str]) -> int:
    """Words; in dense scripts two characters are one."""
    dense = sum(number for token, number in tokens.items() if _DENSE_SIGN.match(token))
    return tokens.total() - dense + (dense + 1) // 2


def looked_at(old: Row) -> Counter[str]:
    """An article, whatever becomes of it."""
    return Counter({"articles": 1, "words": count_words(old["body"])})


def change(old: Row, values: Row, told: Difference, *, revised: bool) -> Counter[str]:
    """An article of which `values` differ."""
    found = Counter(
        {
            "changed": 1,
            "revised": int(revised),
            "words/lost": told.words_lost,
            "words/gained": told.words_gained,
            "paragraphs/lost": len(told.lost),
            "paragraphs/gained": len(told.gained),
        }
    )
    for name in FIELDS:
        if name in values:
            found[f"field/{name}/{_how(old[name], values[name])}"] += 1
    if "blocks" in values:
        found += _moved("dropped", values["blocks"], told.lost)
        found += _moved("restored", old["blocks"], told.gained)
    return +found


def birth(told: Difference) -> Counter[str]:
    """An article where there was none."""
    return Counter({"new": 1, "words/new": told.words_gained})


def _how(old: Any, new: Any) -> str:
    def is_empty(value: Any) -> bool:
        return value is None or value in ("", [], ())

    return "filled" if is_empty(old) else "emptied" if is_empty(new) else "changed"


def _moved(word: str, blocks: Ledger, texts: Iterable[str]) -> Counter[str]:
    """The reasons for which these texts are dropped in the other ledger."""
    wanted, found = Counter(texts), Counter[str]()
    for block in blocks:
        if not block["kept"] and wanted[block["text"]] > 0:
            wanted[block["text"]] -= 1
            found[f"{word}/{block.get('reason') or 'unknown'}"] += 1
    return found


def loses_much(found: Mapping[str, int]) -> bool:
    """Whether so many of a source's words go, whatever comes, that somebody should look."""
    return found.get("words/lost", 0) > LOST_TOO_MUCH * found.get("words", 0)


def group(found: Mapping[str, int], name: str) -> dict[str, int]:
    """`dropped` -> {kind: number}, the most frequent first."""
    prefix = f"{name}/"
    inside = {key.removeprefix(prefix): number for key, number in found.items() if key.startswith(prefix)}
    return dict(sorted(inside.items(), key=lambda pair: (-pair[1], pair[0])))
