"""Texts without a meaning, the same ones every time, for what compares texts."""

from __future__ import annotations

import random

SYLLABLES = ("ba", "ke", "ri", "mo", "tu", "la", "ve", "so", "ni", "da", "pol", "ger", "fin", "ost", "ham", "ter")
HAN = [chr(0x4E00 + number) for number in range(2_000)]


def prose(seed: object, words: int = 120) -> str:
    """So many words, in sentences of ten, a paragraph for every fourth."""
    chance = random.Random(str(seed))
    made = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(words)]
    sentences = [" ".join(made[at : at + 10]).capitalize() + "." for at in range(0, words, 10)]
    return "\n".join(" ".join(sentences[at : at + 4]) for at in range(0, len(sentences), 4))


def chinese(seed: object, signs: int = 300) -> str:
    chance = random.Random(str(seed))
    return "。".join("".join(chance.choices(HAN, k=25)) for _ in range(signs // 25)) + "。"
