"""The months' names as the world writes them, by their first letters without accents.

Left out: names that two languages use for different months (Croatian with Polish and Czech).
"""

from __future__ import annotations

import unicodedata

_LONGEST = 7  # letters of the longest prefix below

# English, German, French, Spanish, Catalan, Italian, Portuguese, Dutch, Nordic, Finnish, Romanian, Hungarian, Turkish,
# Indonesian, Polish, Czech, Russian, Ukrainian, Bulgarian, Greek, Arabic, Hebrew.
_PREFIXES = (
    "jan gen ene ian oca sty led tam янв січ яну ιαν يناير ינו",
    "feb fev fevr sub lut uno hel фев лют φεβ فبراير פבר",
    "mar mrt maa marc bre мар бер μαρ مارس מרץ",
    "apr avr abr nis kwi dub huh апр кві απρ أبريل ابريل אפר",
    "may mai mei mag maj maio kve tou май маи мая тра μαι مايو מאי",
    "jun juin giu iun haz czerwca czerwie cervna cerven kes июн чер юни ιουν يونيو יונ",
    "jul juil lug iul tem lip cervenc hei июл лип юли ιουλ يوليو יול",
    "aug aou ago agu agt sie srp elo авг сер αυγ أغسطس اغسطس אוג",
    "sep set sze eyl wrz zar syy сен вер сеп σεπ سبتمبر ספט",
    "oct okt ott out eki paz rij lok окт жов οκτ أكتوبر اكتوبر אוק",
    "nov noi kas listopa marr ноя лис ное νοε نوفمبر נוב",
    "dec dez dic des ara gru pro jou дек гру δεκ ديسمبر דצמ",
)
_MONTHS = {prefix: number for number, prefixes in enumerate(_PREFIXES, start=1) for prefix in prefixes.split()}


def month(name: str) -> int | None:
    """1 to 12, or None when it is no month's name."""
    letters = unicodedata.normalize("NFD", name.casefold())
    plain = "".join(char for char in letters if not unicodedata.combining(char))
    return next((_MONTHS[plain[:n]] for n in range(_LONGEST, 2, -1) if plain[:n] in _MONTHS), None)
