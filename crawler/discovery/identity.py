"""Who publishes a site: name, file name, language and country, each with what it was concluded from."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crawler.discovery.front import Front
from crawler.discovery.listed import Listed
from crawler.discovery.measures import measures
from crawler.languages import language_tag, primary
from crawler.seed_types import COUNTRIES
from crawler.text import key
from crawler.urls import host_of, labels_of

MAX_NAME, MAX_NAME_WORDS = 60, 7
MAX_ID, MAX_ID_WORDS = 32, 4
_SEPARATOR = re.compile(r"\s+[|–—·•:»/-]+\s+|\s*[|»]\s*")
_NO_NAME = re.compile(
    r"^(?:rss|feed|home|homepage|news|start(?:seite)?|accueil|portada|latest.*|all news)$", re.IGNORECASE
)
_LETTERS = str.maketrans({"ı": "i", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_AMERICA = (timedelta(hours=-10), timedelta(hours=-4))  # offsets of the dates of the United States
_DOMAIN_COUNTRIES = {"UK": "GB"}
_NORWEGIAN = frozenset({"no", "nb", "nn"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a site's sample articles say of it."""

    site_names: Sequence[str] = ()
    languages: Sequence[str] = ()  # as the pages claim
    text_languages: Sequence[str] = ()  # as their text reads
    dates: Sequence[datetime] = ()  # in the zone that the publisher writes


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """`evidence`: field -> where its value came from; also why a field is empty."""

    id: str
    name: str
    homepage: str
    language: str | None
    country: str | None
    evidence: dict[str, str] = field(default_factory=dict)


def identity(homepage: str, fronts: Sequence[Front], lists: Sequence[Listed], heard: Heard) -> Identity:
    """`fronts`: the home page first; `lists`: the best first."""
    name, name_from = next(_names(homepage, fronts, lists, heard))
    language, language_from = _language(fronts, lists, heard)
    country, country_from = _country(homepage, fronts, lists, heard)
    return Identity(
        id=id_of(name, homepage, language),
        name=name,
        homepage=homepage,
        language=language,
        country=country,
        evidence={"name": name_from, "language": language_from, "country": country_from},
    )


# -- name -----------------------------------------------------------------------------------------------------------


def _names(homepage: str, fronts: Sequence[Front], lists: Sequence[Listed], heard: Heard) -> Iterator[tuple[str, str]]:
    """Ever weaker ones; the last is the domain."""
    given = [(page.site_name, "og:site_name") for page in fronts]
    given += [(name, "publisher in its JSON-LD") for page in fronts for name in page.publishers]
    given += [(name, "its articles' pages") for name, _ in Counter(heard.site_names).most_common(1)]
    titles = [(one.channel.title, f"title of {one.url}") for one in lists]
    titles += [(page.title, "<title>") for page in fronts]
    parts = [(part, where) for title, where in titles for part in _SEPARATOR.split(title or "")]
    names = [(name, where) for name, where in [*given, *parts] if name and _is_name(name)]
    fitting = [one for one in names if _is_domain(one[0], homepage)]
    yield from (one for one in names if one[1] == "og:site_name" and not _is_host(one[0], homepage))
    yield from (one for one in fitting if not _is_host(one[0], homepage))
    yield from (one for one in names if one[1] != "<title>" and not _is_host(one[0], homepage))
    yield from fitting
    yield host_of(homepage).removeprefix("www."), "the host: no page says a name"


def _is_host(text: str, homepage: str) -> bool:
    return text.lower().removeprefix("www.") == host_of(homepage).removeprefix("www.")


def _is_name(text: str) -> bool:
    return (
        len(text) <= MAX_NAME and len(text.split()) <= MAX_NAME_WORDS and bool(key(text)) and not _NO_NAME.match(text)
    )


def _is_domain(text: str, homepage: str) -> bool:
    squeezed, label = key(_ascii(text, None)), key(_label(homepage))
    return len(squeezed) > 2 and bool(label) and (squeezed in label or label in squeezed)


def id_of(name: str, homepage: str, language: str | None) -> str:
    """snake_case, short; from the domain when the name is in letters that have no Latin ones."""
    words = re.findall("[a-z0-9]+", _ascii(name, language))
    if len("".join(words)) < len(key(name)) / 2 or _is_host(name, homepage):
        words = re.findall("[a-z0-9]+", _label(homepage))
    while len(words) > 1 and (len(words) > MAX_ID_WORDS or len("_".join(words)) > MAX_ID):
        words.pop()
    return "_".join(words)[:MAX_ID].strip("_") or "source"


def _ascii(text: str, language: str | None) -> str:
    text = unicodedata.normalize("NFC", text.lower()).translate(_LETTERS)
    text = text.translate(_UMLAUTS) if language == "de" else text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _label(homepage: str) -> str:
    return labels_of(homepage)[0] or host_of(homepage)


# -- language -------------------------------------------------------------------------------------------------------


def _language(fronts: Sequence[Front], lists: Sequence[Listed], heard: Heard) -> tuple[str | None, str]:
    """What the articles' text reads as, if most agree; else what pages claim, then feeds."""
    claims = [(tag, "html lang") for page in fronts[:1] if (tag := _primary(page.language))]
    claims += [(tag, "its articles' pages") for tag in _most(map(_primary, heard.languages))]
    claims += [(tag, f"language of {one.url}") for one in lists if (tag := _primary(one.channel.language))]
    read = next(iter(_most(map(_primary, heard.text_languages))), None)
    if read is None:
        return claims[0] if claims else (None, "left out: nothing tells it")
    agreeing = [where for tag, where in claims if tag == read]
    if agreeing:
        return read, f"{agreeing[0]}, and its articles' text"
    against = f", though {claims[0][1]} says {claims[0][0]}" if claims else ""
    return read, f"its articles' text{against}"


def _primary(raw: str | None) -> str | None:
    tag = language_tag(raw)
    found = primary(tag) if tag else None
    return "no" if found in _NORWEGIAN else found


def _most(tags: Iterator[str | None]) -> list[str]:
    """The one that more than half of three and more agree on."""
    counted = Counter(tag for tag in tags if tag)
    return [tag for tag, number in counted.most_common(1) if number >= 2 and 2 * number > counted.total()]


# -- country --------------------------------------------------------------------------------------------------------


def _country(homepage: str, fronts: Sequence[Front], lists: Sequence[Listed], heard: Heard) -> tuple[str | None, str]:
    """The domain's; else the address that the publisher gives; else the region of its language."""
    domain = labels_of(homepage)[1].rpartition(".")[2]
    code = _DOMAIN_COUNTRIES.get(domain.upper(), domain.upper())
    if code in COUNTRIES and domain not in measures().words_not_countries:
        return code, f"its domain ends in .{domain}"
    addressed = [country.upper() for page in fronts for country in page.countries if country.upper() in COUNTRIES]
    if addressed:
        return addressed[0], "address in its JSON-LD"
    return _region(fronts, lists, heard)


def _region(fronts: Sequence[Front], lists: Sequence[Listed], heard: Heard) -> tuple[str | None, str]:
    """en-US counts only with dates to match: it is what blog software says of itself."""
    claims = [(region, "html lang") for page in fronts if (region := _region_of(page.language))]
    claims += [(region, "its articles' pages") for tag in _most(iter(heard.languages)) if (region := _region_of(tag))]
    claims += [(region, "og:locale") for page in fronts if (region := _region_of(page.locale))]
    claims += [(region, f"language of {one.url}") for one in lists if (region := _region_of(one.channel.language))]
    american = sum(_AMERICA[0] <= (at.utcoffset() or timedelta()) <= _AMERICA[1] for at in heard.dates)
    for region, where in claims:
        if region != "US":
            return region, where
        if heard.dates and 2 * american > len(heard.dates):
            return region, f"{where}, and the zone of its dates"
    language = _language(fronts, lists, heard)[0]
    if country := measures().countries_of_languages.get(language or ""):
        return country, f"most of what is in {language} is published there"
    doubt = "; en-US alone says nothing" if claims else ""
    return None, f"left out: neither its domain nor its pages tell it{doubt}"


def _region_of(raw: str | None) -> str | None:
    tag = language_tag(raw)
    return next((part for part in (tag or "").split("-")[1:] if part in COUNTRIES), None)
