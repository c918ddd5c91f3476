"""The people in what a page gives as its author: without "By", roles, agencies beside people, the publication."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crawler.extraction.head import plain

MAX_NAME = 60  # characters
MAX_WORDS = 6
MAX_RAW = 400  # characters of what may name authors; longer is no byline, and costs patterns too much
_BY = re.compile(
    r"^[\s–—|/•·-]*(?:(?:(?:written|reported|story|article|text|texte|texto|testo|words|posted|published|created|edited"
    r"|geschrieben|verfasst|erstellt|ein (?:artikel|beitrag|gastbeitrag|kommentar|bericht)|publié|écrit"
    r"|propos recueillis|escrito|publicado|scritto|escrito|geschreven|skrevet|skriven|napisał|opracował)\s+)?"
    r"(?:by|von|vom|par|por|di|da|door|av|af|od|przez|ad)"
    r"|автор(?:ы|и)?|текст|text|texte|texto|testo|tekst|words|author|authors?\s*:|auteure?s?|autor(?:in|innen|en|a|es)?"
    r"|autore|redacteur|skribent|journalist|yazar|yazan|haber|penulis|oleh|kirjoittaja|szerző|(?:責任)?編集|文|記者|作者|记者|责编|撰文|編輯)"
    r"(?:\s*[:：/／|｜]\s*|\s+(?=\S))",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"\s*(?:;|\||｜|、|，|•|·(?=\s)|\n|\s/\s|(?<=\w)/(?=\w)|\s[-–—]\s"
    r"|\s(?:and|und|et|y|e|en|og|och|ja|i|и|та|ve|dan|és|with|mit|avec|con|met|med|&|\+)\s)\s*",
    re.IGNORECASE,
)
_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}|(?:https?:|www\.)\S+|(?<!\w)@\w+", re.IGNORECASE)
_BRACKET = re.compile(r"\s*[(\[（<【][^)\]）>】]*[)\]）>】]?")
_DATE = re.compile(r"\s+[^\W\d_]{3,12}\.?\s+\d{1,2}(?:,?\s+\d{4}\b.*)?$")  # "A. Person Feb. 10, 2022"
_TAIL = re.compile(
    r"\s+(?:for|für|pour|para|per|voor|from|of|at|in)\s+(?:the\s+)?(?-i:[A-Z\d«\"“]).*$"
    r"|\s+(?:staff|contributor|reporter|editor|correspondent|columnist|wire services?"
    r"|기자|특파원|記者|记者|编辑|報道|撮影|摄)"
    r"(?:\s+(?:writer|reporter|editor))?$"
    r"|\s+(?:updated|published|posted|last)\b.*$|\s+(?:on|am|le|il)\s(?=.*\d).*$|\s+\d.*$",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"(?:^|\b)(?:(?:chief|senior|staff|deputy|managing|political|special|guest|foreign|sports?|news|science|business)\b"
    r"|report(?:er|ing|ers)?\b|editor(?:s|ial)?\b|correspond\w*|korrespond\w*|corresponsal|corrispondente|columnist\w*"
    r"|journalist\w*|giornalista|periodista|jornalista|journaliste|redakt\w+|redac\w+|rédact\w+|redazion\w+|redaç\w+"
    r"|redattore|toimit\w+|editor\w*|contribut\w+|photograph\w*|fotograf\w*|photos?\b|images?\b|foto\b|writer|staff|team|desk|newsroom"
    r"|agenc\w*|agentur\w*|agenz\w*|press\b|presse\w*|prensa|media\b|medien|news\b|nachrichten\w*|online\b|tv\b|radio\b"
    r"|magazin\w*|zeitung\w*|verlag|gmbh|ltd|inc\b|llc|e\.\s?v\b|admin\w*|webmaster|author\b|authors\b|autor(?:in|en)?\b"
    r"|director|professor\b|ph\.?d\b|m\.?d\b|comment\w*|read\b|min(?:utes)?\b|services?|редакц\w+|корреспондент\w*|агентств\w*"
    r"|редакц\w*|記者|記事|編集部|本报|综合|기자|뉴스)",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"https?:|www\.|[@/<>{}=_#?!\"„“”]|\d{2}|\.(?:com|org|net|de|at|ch|co|uk|info|fr|es|it|ru|eu|tv|io)\b"
    r"|^(?:admin|editor|staff|unknown|null|none|undefined|anonymous|gast|guest|user|n/?a)$",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"https?:|/|^(?:admin|null|none|unknown|undefined)$|^[\W\d_]*$", re.IGNORECASE)
_PARTICLES = frozenset((
    "von", "van", "der", "den", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "el", "al",
    "bin", "ibn", "ter", "ten", "zu", "y", "e", "i", "af",
))  # fmt: skip
_CAPITAL = re.compile(r"[^\W\d_a-z][\w.'’-]*$")
_PLACES = frozenset((
    "new york", "los angeles", "san francisco", "new delhi", "hong kong", "tel aviv", "buenos aires", "são paulo",
    "rio de janeiro", "cape town", "abu dhabi", "kuala lumpur", "mexico city", "the hague", "den haag",
))  # fmt: skip
_WIDE = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]")


def people(raw: str, site: str | None = None, host: str = "") -> Iterator[str]:
    """The names in a byline: joined names taken apart, without "By", roles, addresses, places and the publication."""
    if len(raw) > MAX_RAW:
        return
    text = plain(raw) or ""
    if host and host.removeprefix("www.") in _MAIL.sub(" ", text):
        return
    text = _DATE.sub("", _BY.sub("", _BRACKET.sub(" ", _ADDRESS.sub(" ", text)).strip()))
    for part in _JOINED.split(text):
        yield from (name for piece in _by_commas(part) if (name := _name(piece, site, host)))


def organisation(raw: str) -> str | None:
    """What signs when no person does: an agency, an editorial office, the publication."""
    if len(raw) > MAX_RAW:
        return None
    text = _BY.sub("", _BRACKET.sub(" ", _ADDRESS.sub(" ", plain(raw) or ""))).strip(" ,;|-")
    return text if 2 <= len(text) <= MAX_NAME and not _NOBODY.search(text) else None


def is_agency(name: str) -> bool:
    """One short word in one case (AFP, dpa, jd): an agency or initials, no author beside people with full names."""
    return " " not in name and not _WIDE.search(name) and (len(name) < 4 or name.isupper() or name.islower())


def looks_like_a_person(text: str) -> bool:
    """Two to five words with capitals, but for particles; a short name in a script without case."""
    if len(text) > 50:
        return False
    if _WIDE.search(text):
        return 2 <= len(text.replace(" ", "")) <= 6
    words = text.split()
    if not 2 <= len(words) <= 5 or not (words[0][0].isupper() or words[0][0].isalpha()):
        return False
    return all(word.casefold() in _PARTICLES or _CAPITAL.match(word) for word in words) and bool(
        _CAPITAL.match(words[-1])
    )


def _by_commas(part: str) -> Sequence[str]:
    """Names behind commas are names if they have two words: "Nora Quill, Emil Varga", not "Nora Quill, Berlin"."""
    first, *others = [piece.strip() for piece in part.split(",")]
    return [first, *(name for name in others if len(name.split()) > 1 and name.casefold() not in _PLACES)]


def _name(piece: str, site: str | None, host: str) -> str | None:
    name = _BY.sub("", piece).strip(" .:–—-|/·•*'")
    if site and name.casefold().endswith((" " + site.casefold(), " " + site.casefold() + " staff")):
        name = name[: name.casefold().rfind(site.casefold())].strip()
    whole, name = name, _TAIL.sub("", name).strip(" .:–—-|/·•*'") if " " in name else name
    if name != whole and is_agency(name):
        return None
    if not 2 <= len(name) <= MAX_NAME or len(name.split()) > MAX_WORDS or _NO_NAME.search(name):
        return None
    if _ROLE.search(name) or is_publication(name, site, host):
        return None
    return _cased(name)


def is_publication(name: str, site: str | None, host: str) -> bool:
    """Whether it is the site's name, or its host's."""
    key = re.sub(r"\W", "", name).casefold()
    own = re.sub(r"\W", "", site or "").casefold()
    labels = [re.sub(r"\W", "", label) for label in host.casefold().split(".")]
    hosted = key in labels or key == "".join(labels).removeprefix("www")
    return not key or hosted or key == own or (len(own) > 5 and key.startswith(own))


def _cased(name: str) -> str:
    """NORA QUILL is Nora Quill; a single word in capitals may be an agency."""
    if name.isupper() and " " in name:
        return re.sub(r"[^\W\d_]+", lambda word: word[0].capitalize() if len(word[0]) > 1 else word[0], name)
    return name
