"""seeds/*.yaml -> Source: what a publication is, as data. A broken seed is a SeedError that names file and key.

`python -m crawler.sources [DIR]` checks every seed and exits with 1 when one is broken.

2026-11: a rule that starts with "Support the Herald" has to keep "Support the Herald received ..., a study says": an
article about the appeal. So `starts_with` and `contains`, which leave the rest of a block open, spare a block that
attributes what it says to somebody; `equals` and `regex` are taken at their word.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from yaml.constructor import ConstructorError

from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.languages import language_tag

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML was built without libyaml; slower, the same answers
    from yaml import SafeLoader  # type: ignore[assignment]

RESERVED_IDS = frozenset({"news", "page"})  # spiders of their own

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

_YAML = "tag:yaml.org,2002:"
_ID = re.compile(r"[a-z0-9_]+")
_RULE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/[1-9]\d?)?")
_CRON_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day of month": (1, 31), "month": (1, 12), "day of week": (0, 7)}
_FOLD = str.maketrans("\u2018\u2019\u201c\u201d\u201e", '\'\'"""')  # curly quotation marks
_ATTRIBUTION = re.compile(
    r"\b(?:said|says|told|according to|sagte?n?|erklärte|laut|zufolge|selon|a déclaré|dijo|dice|según|afirmó|"
    r"ha detto|secondo|disse|segundo|zei|zegt|volgens|sade|säger|enligt|сказала?|заявила?|сообщила?|powiedział)\b"
)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _http_url(value: str) -> str:
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
        _compiled(_text(value))
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


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


@cache
def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


Text = Annotated[str, AfterValidator(_text)]
Url = Annotated[str, AfterValidator(_http_url)]
Regex = Annotated[str, AfterValidator(_regex)]
Language = Annotated[str, AfterValidator(_language)]
OneOrMore = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
BoilerplateKind = Literal[
    "support", "paywall", "newsletter", "consent", "related", "share", "byline", "caption", "legal"
]  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Articles(_Model):
    """Which URLs are articles. Regular expressions, searched anywhere in the URL."""

    allow: tuple[Regex, ...] = ()
    """At least one of these must be found; none given: every URL may be an article."""
    deny: tuple[Regex, ...] = ()
    """None of these may be found; stronger than `allow`."""


class BoilerplateRule(_Model):
    """What drops a block of this source. Every matcher given has to match; of a matcher's texts one is enough.

    Case, runs of whitespace and the shape of quotation marks do not matter. `starts_with` and `contains` match whole
    words, and spare a block that attributes what it says to somebody.
    """

    id: str
    """Lower-case words joined by hyphens, unique in the source; stored with every block it drops."""
    kind: BoilerplateKind
    """What the block is instead of the article."""
    equals: OneOrMore = ()
    """The whole block."""
    starts_with: OneOrMore = ()
    """How the block begins."""
    contains: OneOrMore = ()
    """Words anywhere in the block."""
    regex: Regex | None = None
    """A regular expression, searched in the block."""
    drops: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Examples that the rule must drop, checked when the seed is loaded."""
    keeps: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Examples from an article that the rule must leave alone, checked when the seed is loaded."""

    def matches(self, text: str) -> bool:
        """Whether the rule drops the block `text`."""
        plain = _plain(text)
        folded = plain.casefold()
        if self.equals and folded not in [_plain(value).casefold() for value in self.equals]:
            return False
        if self.starts_with and not any(_words(value).match(folded) for value in self.starts_with):
            return False
        if self.contains and not any(_words(value).search(folded) for value in self.contains):
            return False
        if self.regex and not _compiled(self.regex, re.IGNORECASE).search(plain):
            return False
        return bool(self.equals or self.regex) or not _ATTRIBUTION.search(folded)

    def check(self) -> list[str]:
        """What the rule does to its own examples that it should not; empty when all is well."""
        missed = [f"does not drop its example {text!r}" for text in self.drops if not self.matches(text)]
        return missed + [f"drops {text!r}, which it should keep" for text in self.keeps if self.matches(text)]

    @field_validator("id")
    @classmethod
    def _id_has_hyphens(cls, value: str) -> str:
        if not _RULE_ID.fullmatch(value):
            raise ValueError(f"{value!r} must be lower-case words joined by hyphens")
        return value

    @model_validator(mode="after")
    def _examples_hold(self) -> Self:
        if not (self.equals or self.starts_with or self.contains or self.regex):
            raise ValueError(f"rule {self.id!r} needs one of equals, starts_with, contains, regex")
        if problems := self.check():
            raise ValueError(f"rule {self.id!r} " + "; ".join(problems))
        return self


class Source(_Model):
    """One publication. Immutable, hashable and picklable; only `id`, `name` and `homepage` are required."""

    id: str
    """The seed file's stem, in snake_case; not a key of the file."""
    name: Text
    """As the publication writes itself."""
    homepage: Url
    """Where feeds and sitemaps are discovered when none are given."""
    language: Language | None = None
    """BCP 47; what most of its articles are written in."""
    languages: tuple[Language, ...] = ()
    """Others that it publishes in."""
    country: Annotated[str, AfterValidator(_country)] | None = None
    """ISO 3166 alpha-2; where it is published."""
    feeds: tuple[Url, ...] = ()
    """RSS, RDF or Atom."""
    sitemaps: tuple[Url, ...] = ()
    """Sitemaps that list what is new, read on every crawl."""
    archives: tuple[Url, ...] = ()
    """Sitemaps that list a whole archive: walked only when that is asked for."""
    listings: tuple[Url, ...] = ()
    """Section pages whose links are candidates."""
    articles: Articles = Articles()
    """Which URLs are articles."""
    max_age_days: Annotated[StrictInt, Field(gt=0)] | None = None
    """Candidates whose feed or sitemap says that they are older are not followed; None: no limit."""
    schedule: str | None = None
    """Five cron fields, in UTC: when a scheduled crawl is due; None: only on demand."""
    boilerplate: tuple[BoilerplateRule, ...] = ()
    """Rules for what the general ones cannot know."""
    enabled: StrictBool = True
    """False: left out when all sources are crawled."""
    note: str | None = None
    """For people: why it is disabled, what is odd about it."""

    def wants(self, url: str) -> bool:
        """Whether `url` may be an article, going by the URL alone."""
        if any(_compiled(pattern).search(url) for pattern in self.articles.deny):
            return False
        allow = self.articles.allow
        return not allow or any(_compiled(pattern).search(url) for pattern in allow)

    @field_validator("id")
    @classmethod
    def _id_is_snake_case(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError(f"{value!r} must be snake_case: only a-z, 0-9 and _")
        if value in RESERVED_IDS:
            raise ValueError(f"{value!r} is the name of a spider; choose another")
        return value

    @field_validator("schedule")
    @classmethod
    def _schedule_is_cron(cls, value: str | None) -> str | None:
        fields = (value or "").split()
        if value is not None and len(fields) != len(_CRON_FIELDS):
            raise ValueError(f"{value!r} must have the five fields of cron: {', '.join(_CRON_FIELDS)}")
        for field, (name, (low, high)) in zip(fields, _CRON_FIELDS.items(), strict=False):
            if not all(_is_cron_part(part, low, high) for part in field.split(",")):
                raise ValueError(f"{value!r}: {field!r} is not a valid {name} ({low} to {high}, or *)")
        return value

    @field_validator("boilerplate")
    @classmethod
    def _rule_ids_are_unique(cls, rules: tuple[BoilerplateRule, ...]) -> tuple[BoilerplateRule, ...]:
        ids = [rule.id for rule in rules]
        if twice := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
            raise ValueError(f"two rules have the id {', '.join(twice)}")
        return rules


def load_source(path: Path) -> Source:
    """Read one seed file. Raises SeedError with a line for each problem."""
    data = _read_mapping(path)
    if "id" in data:
        raise SeedError(f"{path}: {_unknown_key('id', Source)}")
    try:
        return Source.model_validate({**data, "id": path.stem})
    except ValidationError as error:
        raise SeedError("\n".join(f"{path}: {line}" for line in _problems(error))) from None


def load_sources(seeds_dir: Path) -> tuple[dict[str, Source], list[SeedError]]:
    """All sources by id, and what is wrong with the seeds that could not be read: a broken one hides no good one."""
    sources: dict[str, Source] = {}
    errors = [SeedError(f"{path}: must end in .yaml") for path in sorted(_seeds_in(seeds_dir).glob("*.yml"))]
    for name in source_names(seeds_dir):
        try:
            sources[name] = load_source(seeds_dir / f"{name}.yaml")
        except SeedError as error:
            errors.append(error)
    return sources, errors


def find_source(seeds_dir: Path, name: str) -> Source:
    """The source `name`, reading only its file. Raises UnknownSource, with names that come close, and SeedError."""
    names = source_names(seeds_dir)
    if name in names:
        return load_source(seeds_dir / f"{name}.yaml")
    close = get_close_matches(_snake_case(Path(name).stem), names)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    raise UnknownSource(f"There is no source {name!r} in {seeds_dir}{hint} `scrapy list` shows all sources.")


def source_names(seeds_dir: Path) -> list[str]:
    """The stems of the seed files, sorted; nothing is opened. Raises ConfigurationError without a folder."""
    return sorted(path.stem for path in _seeds_in(seeds_dir).glob("*.yaml") if not path.name.startswith("."))


def adhoc_source(url: str) -> Source:
    """A source for one page of a site that has no seed, named by the URL's host. Raises ConfigurationError."""
    try:
        parts = urlsplit(_http_url(url))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    host = (parts.hostname or "").removeprefix("www.")
    name = _snake_case(host) or "host"
    return Source(
        id=f"{name}_host" if name in RESERVED_IDS else name,
        name=host,
        homepage=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/",
    )


def main(arguments: list[str]) -> int:
    """Check every seed of a folder, `seeds` by default."""
    problems: list[ConfigurationError] = []
    try:
        sources, broken = load_sources(Path(arguments[0] if arguments else "seeds"))
        problems += broken
    except ConfigurationError as error:
        problems.append(error)
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return 1
    countries = {source.country for source in sources.values() if source.country}
    print(f"{len(sources)} sources in {len(countries)} countries: all valid")
    return 0


class _SeedLoader(SafeLoader):
    """YAML 1.1 without its traps: NO, 12:30, 010 and 2026-01-01 are text, and a key may stand only once."""

    # Emptied, and filled below with text, true and false, whole numbers and null.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the parent declares it so)
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}

    def whole_list(self, node: yaml.SequenceNode) -> list[Any]:
        return self.construct_sequence(node, deep=True)

    def text_keyed(self, node: yaml.MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                wrong = f"key {key!r} stands twice" if isinstance(key, str) else f"key {key!r} is not text"
                raise ConstructorError(None, None, wrong, key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def refused(self, node: yaml.Node) -> None:
        raise ConstructorError(None, None, f"tag {node.tag!r} is not allowed", node.start_mark)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _SeedLoader.add_implicit_resolver(f"{_YAML}{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_SeedLoader.add_constructor(f"{_YAML}str", lambda _, node: node.value)
_SeedLoader.add_constructor(f"{_YAML}bool", lambda _, node: node.value.lower() == "true")
_SeedLoader.add_constructor(f"{_YAML}int", lambda _, node: int(node.value))
_SeedLoader.add_constructor(f"{_YAML}null", lambda _, node: None)
_SeedLoader.add_constructor(f"{_YAML}seq", _SeedLoader.whole_list)
_SeedLoader.add_constructor(f"{_YAML}map", _SeedLoader.text_keyed)
_SeedLoader.add_constructor(None, _SeedLoader.refused)


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_SeedLoader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise SeedError(f"{path}: {_reading_problem(error)}") from None
    if data is None:
        raise SeedError(f"{path}: the file is empty; name and homepage are required")
    if not isinstance(data, dict):
        raise SeedError(f"{path}: must be a mapping of key: value, not {_kind_of(data)}")
    return data


def _reading_problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _problems(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        *parents, key = detail["loc"]
        if detail["type"] == "extra_forbidden":
            model = _NESTED.get(parents[0], Source) if parents else Source
            yield ": ".join(filter(None, [_dotted(parents), _unknown_key(str(key), model)]))
        else:
            name = "file name" if detail["loc"] == ("id",) else _dotted(detail["loc"])
            yield f"{name}: {_meaning(detail, _NESTED.get(detail['loc'][0]))}"


def _meaning(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    given = _kind_of(detail["input"])
    context = detail.get("ctx", {})
    expected = {
        "string_type": f"must be text, not {given}" + ("; quote it" if isinstance(detail["input"], int) else ""),
        "tuple_type": f"must be a list such as [a, b], not {given}",
        "bool_type": f"must be true or false, not {given}",
        "int_type": f"must be a whole number, not {given}",
        "greater_than": f"must be greater than {context.get('gt')}, not {given}",
        "too_short": "needs at least one entry",
        "missing": "is required",
        "literal_error": f"must be one of {context.get('expected')}, not {given}",
        "model_type": f"must be a mapping with the keys {_allowed(model or Source)}, not {given}",
        "value_error": str(context.get("error")),
    }
    return expected.get(detail["type"], detail["msg"])


def _unknown_key(key: str, model: type[BaseModel]) -> str:
    close = get_close_matches(key, _keys(model), 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {key!r}; {hint}Allowed: {_allowed(model)}"


def _keys(model: type[BaseModel]) -> list[str]:
    return [key for key in model.model_fields if model is not Source or key != "id"]


def _allowed(model: type[BaseModel]) -> str:
    return ", ".join(_keys(model))


def _dotted(loc: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    names: dict[type, str] = {list: "a list", dict: "a mapping", type(None): "nothing"}
    return names.get(type(value), repr(value))


def _is_cron_part(part: str, low: int, high: int) -> bool:
    match = _CRON_PART.fullmatch(part)
    numbers = [int(number) for number in match.groups() if number] if match else []
    return match is not None and numbers == sorted(numbers) and all(low <= number <= high for number in numbers)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).translate(_FOLD).split())


@cache
def _words(phrase: str) -> re.Pattern[str]:
    """`phrase` as whole words: "spende" is not in "suspended". From Thai on, scripts have no spaces to go by."""
    folded = _plain(phrase).casefold()
    before, after = (r"\b" if char.isalnum() and char < "\u0e00" else "" for char in (folded[0], folded[-1]))
    return re.compile(before + re.escape(folded) + after)


def _seeds_in(seeds_dir: Path) -> Path:
    if not seeds_dir.is_dir():
        raise ConfigurationError(f"SEEDS_DIR: {seeds_dir} is not a folder; set it to the one that holds the seed files")
    return seeds_dir


def _snake_case(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


_NESTED: dict[int | str, type[BaseModel]] = {"articles": Articles, "boilerplate": BoilerplateRule}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
