"""One spelling of what is set in different types: quotes, dashes, dots, blanks."""

from __future__ import annotations

import re
from functools import lru_cache

_PLAIN = dict.fromkeys("’‘‚‛ʼ`´", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‐‑‒–—―−", "-")
_TABLE = str.maketrans(_PLAIN | {"…": "..."} | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""))
_WITHIN = re.compile(r"«\s+|\s+»|\s+(?=[;:!?])")  # the French set a blank there, some of the time


@lru_cache(maxsize=4_096)  # a paragraph is asked for in its body and in its ledger
def folded(text: str) -> str:
    """A text as every type-setter would have it; letters, case and punctuation stay."""
    if text.isascii() and "`" not in text:
        return " ".join(_WITHIN.sub("", text).split())
    return " ".join(_WITHIN.sub(lambda found: found[0].strip(), text).translate(_TABLE).split())
