"""One spelling of what is set in different types: quotes, dashes, dots, blanks."""

from __future__ import annotations

from functools import lru_cache

_PLAIN = dict.fromkeys("’‘‚‛ʼ`´", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‐‑‒–—―−", "-")
_TABLE = str.maketrans(_PLAIN | {"…": "..."} | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""))
_WITHIN = (("« ", "«"), (" »", "»"), (" ;", ";"), (" :", ":"), (" !", "!"), (" ?", "?"))  # the French, some of the time


@lru_cache(maxsize=4_096)  # a paragraph is asked for in its body and in its ledger
def folded(text: str) -> str:
    """A text as every type-setter would have it; letters, case and punctuation stay."""
    plain = " ".join(text.split())
    for spaced, tight in _WITHIN:
        plain = plain.replace(spaced, tight)
    return plain if plain.isascii() and "`" not in plain else " ".join(plain.translate(_TABLE).split())
