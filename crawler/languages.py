"""Language tags as the world writes them -> BCP 47, in one spelling.

Two-letter codes are checked against ISO 639-1, since pages say "xx" and "zz"; three-letter codes only by their shape,
for there are 7,900 of them.
"""

from __future__ import annotations

import re

_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
ISO_639_1 = frozenset(_ISO_639_1.split())

# Codes that were withdrawn, and three-letter codes of languages that have a two-letter one.
_CANONICAL = {
    "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro",
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "por": "pt",
    "rus": "ru", "ukr": "uk", "pol": "pl", "nld": "nl", "dut": "nl", "swe": "sv", "nor": "no", "dan": "da",
    "fin": "fi", "tur": "tr", "ara": "ar", "heb": "he", "hin": "hi", "jpn": "ja", "kor": "ko", "zho": "zh",
    "chi": "zh", "cmn": "zh", "ell": "el", "gre": "el", "ces": "cs", "cze": "cs", "vie": "vi", "ind": "id",
}  # fmt: skip

_NAMES = {
    **dict.fromkeys(("english",), "en"),
    **dict.fromkeys(("german", "deutsch"), "de"),
    **dict.fromkeys(("french", "français", "francais"), "fr"),
    **dict.fromkeys(("spanish", "español", "espanol", "castellano"), "es"),
    **dict.fromkeys(("italian", "italiano"), "it"),
    **dict.fromkeys(("portuguese", "português", "portugues"), "pt"),
    **dict.fromkeys(("dutch", "nederlands"), "nl"),
    **dict.fromkeys(("polish", "polski"), "pl"),
    **dict.fromkeys(("swedish", "svenska"), "sv"),
    **dict.fromkeys(("turkish", "türkçe", "turkce"), "tr"),
    **dict.fromkeys(("russian", "русский"), "ru"),
    **dict.fromkeys(("ukrainian", "українська"), "uk"),
    **dict.fromkeys(("arabic", "العربية"), "ar"),
    **dict.fromkeys(("chinese", "中文"), "zh"),
    **dict.fromkeys(("japanese", "日本語"), "ja"),
    **dict.fromkeys(("korean", "한국어"), "ko"),
}

_NO_LANGUAGE = frozenset({"mis", "mul", "nul", "und", "utf", "zxx"})

_TAG = re.compile(
    r"(?P<primary>[a-z]{2,3})(?:-(?P<extlang>[a-z]{3}))?(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?:-[a-z0-9](?:-[a-z0-9]{2,8})+)*",  # extensions and private use: well-formed, and nothing we keep
)


def language_tag(raw: str | None) -> str | None:
    """The BCP 47 tag that `raw` means (a tag, a POSIX locale, a language's name), or None.

    Of several, separated by commas, the first counts: that is how pages write a Content-Language. Idempotent.
    """
    text = re.split(r"[,;.@]", raw or "", maxsplit=1)[0].strip().casefold()
    if text in _NAMES:
        return _NAMES[text]
    match = _TAG.fullmatch(text.replace("_", "-").strip("-"))
    if match is None:
        return None
    language = _language(match["extlang"] or match["primary"])
    return language and language + _subtags(match)


def primary(tag: str) -> str:
    """The language alone: 'pt' of 'pt-BR'."""
    return tag.partition("-")[0]


def _language(code: str) -> str | None:
    code = _CANONICAL.get(code, code)
    known = code in ISO_639_1 if len(code) == 2 else code not in _NO_LANGUAGE
    return code if known else None


def _subtags(match: re.Match[str]) -> str:
    script = f"-{match['script'].title()}" if match["script"] else ""
    region = f"-{match['region'].upper()}" if match["region"] else ""
    return script + region.replace("-UK", "-GB") + match["variants"]
