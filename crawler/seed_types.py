"""The types of a seed's keys. Whoever breaks one is told by a ValueError what to write instead."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from crawler.languages import language_tag
from crawler.schedule import parse_quiet, parse_schedule

# ISO 3166-1 alpha-2, and XK, which everybody uses for Kosovo.
_COUNTRY_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_COUNTRY_CODES.split())


class SeedModel(BaseModel):
    """Part of a seed: immutable, without unknown keys; the texts under its fields document them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The regular expression, compiled once."""
    return re.compile(pattern, flags)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def http_url(value: str) -> str:
    """The URL as it is, if it is one of the web."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", value):
        raise ValueError(f"{value!r} is not an http:// or https:// URL")
    return value


def _regex(value: str) -> str:
    try:
        compiled(_text(value))
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


def _language(value: str) -> str:
    tag = language_tag(value)
    if tag is None:
        raise ValueError(f"{value!r} is not a language; write a BCP 47 tag such as en or pt-BR")
    return tag


def _country(value: str) -> str:
    if value in COUNTRIES:
        return value
    guess = {"UK": "GB"}.get(value.upper(), value.upper())
    hint = f"; did you mean {guess}?" if guess in COUNTRIES else ""
    raise ValueError(f"{value!r} is not a country; write its two letters of ISO 3166, such as GB{hint}")


def _schedule(value: str) -> str:
    parse_schedule(value)
    return value


def _quiet_hours(value: str) -> str:
    parse_quiet(value)
    return value


Text = Annotated[str, AfterValidator(_text)]
Url = Annotated[str, AfterValidator(http_url)]
Regex = Annotated[str, AfterValidator(_regex)]
Language = Annotated[str, AfterValidator(_language)]
Country = Annotated[str, AfterValidator(_country)]
Schedule = Annotated[str, AfterValidator(_schedule)]
QuietHours = Annotated[str, AfterValidator(_quiet_hours)]
