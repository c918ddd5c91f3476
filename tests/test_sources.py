from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.sources import (
    Articles,
    BoilerplateRule,
    Source,
    adhoc_source,
    find_source,
    load_source,
    load_sources,
    main,
    source_names,
)

MINIMAL = "name: Example Herald\nhomepage: https://www.herald.example/\n"
FULL = r"""
name: Example Herald
homepage: https://www.herald.example/
language: en
languages: [cy, pt_br]
country: GB
feeds: [https://www.herald.example/rss]
sitemaps: [https://www.herald.example/news-sitemap.xml]
archives: [https://www.herald.example/sitemap.xml]
listings: [https://www.herald.example/world]
articles:
  allow: ['/\d{4}/\d{2}/\d{2}/']
  deny: ['/live/', '/video/']
max_age_days: 7
render: true
render_listings: true
schedule: '*/30 * * * *'
quiet_hours: 23:00-06:00 Europe/Berlin
verify_tls: false
boilerplate:
  - id: herald-support
    kind: support
    starts_with: Support the Herald
    drops: ['Support the Herald from £1 a week.']
    keeps: ['Support the Herald received came from readers, a study says.']
enabled: false
note: An example.
"""


def seed(folder: Path, text: str, name: str = "example_herald") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rule(**keys: object) -> BoilerplateRule:
    return BoilerplateRule.model_validate(
        {"id": "a-rule", "kind": "support", "keeps": ["Nothing of the kind."], **keys}
    )


# -- a good seed


def test_name_and_homepage_are_enough(tmp_path: Path) -> None:
    source = load_source(seed(tmp_path, MINIMAL))
    assert source == Source(id="example_herald", name="Example Herald", homepage="https://www.herald.example/")
    assert source.enabled and source.verify_tls
    assert source.wants("https://www.herald.example/anything")


def test_every_key(tmp_path: Path) -> None:
    source = load_source(seed(tmp_path, FULL))
    assert source.id == "example_herald"
    assert source.languages == ("cy", "pt-BR")
    assert source.archives == ("https://www.herald.example/sitemap.xml",)
    assert (source.max_age_days, source.schedule, source.enabled) == (7, "*/30 * * * *", False)
    assert source.verify_tls is False
    assert source.render and source.render_listings
    assert source.boilerplate[0].matches("support  the Herald!\nEvery pound helps.")
    assert set(Source.model_fields) - {"id"} <= {line.partition(":")[0] for line in FULL.splitlines()}


def test_every_field_is_documented() -> None:
    undocumented = [
        f"{model.__name__}.{name}"
        for model in (Source, Articles, BoilerplateRule)
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert undocumented == []


def test_a_source_is_a_value(tmp_path: Path) -> None:
    source = load_source(seed(tmp_path, FULL))
    source.wants("https://www.herald.example/2026/11/23/x")
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert hash(copy) == hash(source)
    assert copy.wants("https://www.herald.example/2026/11/23/x")
    with pytest.raises(ValidationError, match="frozen"):
        source.name = "Another"


def test_wants(tmp_path: Path) -> None:
    source = load_source(seed(tmp_path, FULL))
    assert source.wants("https://www.herald.example/2026/11/23/floods")
    assert not source.wants("https://www.herald.example/about")
    assert not source.wants("https://www.herald.example/live/2026/11/23/floods")


# -- YAML 1.1 and its traps


@pytest.mark.parametrize("code", ["NO", "no"])
def test_norway_is_not_false(tmp_path: Path, code: str) -> None:
    source = load_source(seed(tmp_path, f"{MINIMAL}country: NO\nlanguage: {code}\n"))
    assert (source.country, source.language) == ("NO", "no")


@pytest.mark.parametrize("text", ["2026-11-23", "12:30:00", "010", "0x1F", "1_000", "1.5", "yes", "off", "<<", "="])
def test_what_looks_like_something_else_stays_text(tmp_path: Path, text: str) -> None:
    assert load_source(seed(tmp_path, f"{MINIMAL}note: {text}\n")).note == text


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert load_source(seed(tmp_path, "\ufeff" + MINIMAL)).name == "Example Herald"


# -- broken seeds: (what is added to a minimal seed, what the message says after the path)

BROKEN = {
    "langauge: en": "unknown key 'langauge'; did you mean 'language'? Allowed: name, homepage, language, languages, "
    "country, feeds, sitemaps, archives, listings, articles, max_age_days, render, render_listings, schedule, "
    "quiet_hours, verify_tls, boilerplate, enabled, note",
    "zzz: 1": "unknown key 'zzz'; Allowed: name, ",
    "id: herald": "unknown key 'id'; Allowed: name, ",
    "articles: {alow: [x]}": "articles: unknown key 'alow'; did you mean 'allow'? Allowed: allow, deny",
    "articles: [x]": "articles: must be a mapping with the keys allow, deny, not a list",
    "articles: {allow: ['(']}": "articles.allow[0]: '(' is not a regular expression: missing )",
    "articles: {allow: x}": "articles.allow: must be a list such as [a, b], not 'x'",
    "feeds: https://a.example/rss": "feeds: must be a list such as [a, b], not 'https://a.example/rss'",
    "feeds:": "feeds: must be a list such as [a, b], not nothing",
    "feeds: [https://a.example/, /rss]": "feeds[1]: '/rss' is not an http:// or https:// URL",
    "feeds: [ftp://a.example/]": "feeds[0]: 'ftp://a.example/' is not an http:// or https:// URL",
    "feeds: ['http://[a.example/']": "feeds[0]: 'http://[a.example/' is not an http:// or https:// URL",
    "feeds: ['https://a.example/ x']": "feeds[0]: 'https://a.example/ x' is not an http:// or https:// URL",
    "feeds: [7]": "feeds[0]: must be text, not 7; quote it",
    "country: UK": "country: 'UK' is not a country; write its two letters of ISO 3166, such as GB; did you mean GB?",
    "country: fr": "country: 'fr' is not a country; write its two letters of ISO 3166, such as GB; did you mean FR?",
    "country: ZZ": "country: 'ZZ' is not a country; write its two letters of ISO 3166, such as GB",
    "country: true": "country: must be text, not true; quote it",
    "language: xx": "language: 'xx' is not a language; write a BCP 47 tag such as en or pt-BR",
    "languages: [en, klingon]": "languages[1]: 'klingon' is not a language",
    "enabled: yes": "enabled: must be true or false, not 'yes'",
    "max_age_days: '3'": "max_age_days: must be a whole number, not '3'",
    "max_age_days: true": "max_age_days: must be a whole number, not true",
    "max_age_days: 0": "max_age_days: must be greater than 0, not 0",
    "schedule: hourly": "schedule: 'hourly' is no schedule; did you mean 1h? Write auto, never, an interval such as "
    "30m, 2h or 1d, or the five fields of cron",
    "schedule: 30": "schedule: must be text, not 30; quote it",
    "schedule: 90d": "schedule: '90d' must be between 1 min and 31 d",
    "schedule: 0 0 31 2 *": "schedule: '0 0 31 2 *': there is no such day",
    "schedule: 0 9 * * * Europe/Berlim": "schedule: 'Europe/Berlim' is not a time zone; write one such as Europe/",
    "quiet_hours: at night": "quiet_hours: 'at night' are no quiet hours; write '23:00-06:00', with a zone if not UTC",
    "quiet_hours: 06:00-06:00": "quiet_hours: '06:00-06:00': start and end are the same",
    "schedule: 60 * * * *": "schedule: '60 * * * *': '60' is not a valid minute (0 to 59, or *)",
    "schedule: 0 5-2 * * *": "schedule: '0 5-2 * * *': '5-2' is not a valid hour (0 to 23, or *)",
    "schedule: 0 0 * * fri-mon": "schedule: '0 0 * * fri-mon': '5-1' is not a valid day of week (0 to 7, or *)",
    "schedule: 0 0 * * mo": "schedule: '0 0 * * mo': 'mo' is not a valid day of week (0 to 7, or *)",
    "boilerplate: [x]": "boilerplate[0]: must be a mapping with the keys id, kind, equals, starts_with",
    "name: Again": "line 3, column 1: key 'name' stands twice",
    "articles: {allow: [a], allow: [b]}": "line 3, column 24: key 'allow' stands twice",
    "7: x": "line 3, column 1: key 7 is not text",
    "? [a]\n: x": "line 3, column 3: key ['a'] is not text",
    "note: [": "line 4, column 1: did not find expected node content",
    "note: a: b": "line 3, column 8: mapping values are not allowed in this context",
    "note: !!python/name:os.system x": "line 3, column 7: tag 'tag:yaml.org,2002:python/name:os.system' is not allowed",
    "note: !!timestamp 2026-11-23": "line 3, column 7: tag 'tag:yaml.org,2002:timestamp' is not allowed",
    "note: *nowhere": "line 3, column 7: found undefined alias",
}


@pytest.mark.parametrize(("added", "message"), BROKEN.items(), ids=BROKEN)
def test_a_broken_seed_names_file_and_key(tmp_path: Path, added: str, message: str) -> None:
    path = seed(tmp_path, f"{MINIMAL}{added}\n")
    with pytest.raises(SeedError) as caught:
        load_source(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


BROKEN_RULES = {
    "begins: x": ": unknown key 'begins'; Allowed: id, kind, equals, ",
    "kind: ad": ".kind: must be one of 'support', 'paywall', 'newsletter', 'membership', 'registration', 'app', "
    "'channel', 'consent', 'related', 'share', 'byline', 'caption', 'legal', 'advertisement' or 'comments', not 'ad'",
    "id: A b": ".id: 'A b' must be lower-case words joined by hyphens",
    "keeps: []": ".keeps: needs at least one entry",
    "drops: []": ".drops: needs at least one entry",
    "drops:": ".drops: must be a list such as [a, b], not nothing",
    "drops: [y]": ": rule 'a' does not drop its example 'y'",
    "keeps: [y, x]": ": rule 'a' drops 'x', which it should keep",
    "contains: ''": ".contains[0]: must not be empty",
    "regex: '['": ".regex: '[' is not a regular expression: unterminated character set",
    "equals: []": ": rule 'a' needs one of equals, starts_with, contains, regex",
}


@pytest.mark.parametrize(("changed", "message"), BROKEN_RULES.items(), ids=BROKEN_RULES)
def test_a_broken_rule_is_found_when_the_seed_is_loaded(tmp_path: Path, changed: str, message: str) -> None:
    key = changed.partition(":")[0]
    good = ["id: a", "kind: support", "equals: x", "drops: [x]", "keeps: [y]"]
    lines = [line for line in good if not line.startswith(f"{key}:")] + [changed]
    path = seed(tmp_path, f"{MINIMAL}boilerplate:\n  - " + "\n    ".join(lines) + "\n")
    with pytest.raises(SeedError) as caught:
        load_source(path)
    assert str(caught.value).startswith(f"{path}: boilerplate[0]{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; name and homepage are required"),
        ("# nothing yet\n", "the file is empty; name and homepage are required"),
        ("- a\n", "must be a mapping of key: value, not a list"),
        ("Example Herald", "must be a mapping of key: value, not 'Example Herald'"),
        ("name: Example Herald\n", "homepage: is required"),
        ("name: 1843\nhomepage: https://a.example/\n", "name: must be text, not 1843; quote it"),
        ("name: ''\nhomepage: https://a.example/\n", "name: must not be empty"),
        ("name: a\nhomepage: https://a.example/\n---\nname: b\n", "line 3, column 1: but found another document"),
        ("name: a\x00b", "control characters are not allowed"),
    ],
)
def test_a_file_that_is_no_seed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SeedError) as caught:
        load_source(seed(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        f"{MINIMAL}note: [{'a' * 10_000}]",
        f"{MINIMAL}{'a' * 900}: x",
        f"{MINIMAL}{'a' * 900}: x\n{'a' * 900}: x",
        f"{MINIMAL}country: {'a' * 10_000}",
        f"{MINIMAL}language: {'a' * 10_000}",
        f"{MINIMAL}schedule: {'a' * 10_000}",
        f"{MINIMAL}feeds: [{'a' * 10_000}]",
        f"{MINIMAL}feeds: [{', '.join(['a' * 90] * 1_000)}]",
        f"{MINIMAL}articles: {{allow: ['({'a' * 10_000}']}}",
    ],
    ids=lambda text: text.removeprefix(MINIMAL)[:12],
)
def test_a_message_never_carries_whole_contents(tmp_path: Path, text: str) -> None:
    with pytest.raises(SeedError) as caught:
        load_source(seed(tmp_path, text))
    lines = str(caught.value).splitlines()
    assert len(lines) <= 21
    assert max(len(line) - len(str(tmp_path)) for line in lines) < 600


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(SeedError, match=r"example\.yaml: 'utf-8' codec can't decode"):
        load_source(path)


def test_every_problem_has_a_line(tmp_path: Path) -> None:
    path = seed(tmp_path, "nmae: Example\nhomepage: herald.example\ncountry: UK\n")
    with pytest.raises(SeedError) as caught:
        load_source(path)
    problems = [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]
    assert sorted(problem.partition(" ")[0] for problem in problems) == ["country:", "homepage:", "name:", "unknown"]


@pytest.mark.parametrize("name", ["Example", "example-herald", "example.herald", "zürich"])
def test_a_file_name_is_snake_case(tmp_path: Path, name: str) -> None:
    with pytest.raises(SeedError, match=r"file name: .* must be snake_case: only a-z, 0-9 and _"):
        load_source(seed(tmp_path, MINIMAL, name))


@pytest.mark.parametrize("name", ["news", "page"])
def test_a_file_is_not_named_like_a_spider(tmp_path: Path, name: str) -> None:
    with pytest.raises(SeedError, match=f"file name: '{name}' means something else to the crawler; choose another"):
        load_source(seed(tmp_path, MINIMAL, name))


def test_two_rules_do_not_share_an_id(tmp_path: Path) -> None:
    one = "  - {id: a, kind: support, equals: x, drops: [x], keeps: [y]}\n"
    with pytest.raises(SeedError, match="boilerplate: two rules have the id a"):
        load_source(seed(tmp_path, f"{MINIMAL}boilerplate:\n{one}{one}"))


# -- a folder of seeds


def test_a_broken_seed_hides_no_good_one(tmp_path: Path) -> None:
    seed(tmp_path, MINIMAL, "good")
    seed(tmp_path, "name: [", "bad")
    (tmp_path / "other.yml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / ".hidden.yaml").write_text("", encoding="utf-8")
    (tmp_path / "README.md").write_text("", encoding="utf-8")
    sources, errors = load_sources(tmp_path)
    assert list(sources) == ["good"]
    assert [str(error).partition(":")[0] for error in errors] == [f"{tmp_path}/other.yml", f"{tmp_path}/bad.yaml"]
    assert "must end in .yaml" in str(errors[0])


def test_names_are_sorted_and_nothing_is_opened(tmp_path: Path) -> None:
    for name in ("b", "a"):
        seed(tmp_path, "name: [", name)
    assert source_names(tmp_path) == ["a", "b"]


def test_find_source_reads_one_file_only(tmp_path: Path) -> None:
    seed(tmp_path, MINIMAL)
    seed(tmp_path, "name: [", "broken")
    assert find_source(tmp_path, "example_herald").name == "Example Herald"
    with pytest.raises(SeedError):
        find_source(tmp_path, "broken")


@pytest.mark.parametrize(
    "name", ["exampel_herald", "Example Herald", "example_herald.yaml", "../x/example_herald.yaml"]
)
def test_an_unknown_source_suggests_a_known_one(tmp_path: Path, name: str) -> None:
    seed(tmp_path, MINIMAL)
    with pytest.raises(UnknownSource, match=r"There is no source .*; did you mean example_herald\? `scrapy list`"):
        find_source(tmp_path, name)


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/passwd", "../example", "\x00"])
def test_a_path_is_no_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "seeds").mkdir()
    seed(tmp_path, MINIMAL, "example")
    with pytest.raises(UnknownSource, match="There is no source"):
        find_source(tmp_path / "seeds", name)


@pytest.mark.parametrize("call", [load_sources, source_names, lambda folder: find_source(folder, "x")])
def test_a_missing_folder_names_the_setting(tmp_path: Path, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError, match=r"SEEDS_DIR: .*/nowhere is not a folder"):
        call(tmp_path / "nowhere")


# -- one page without a seed


@pytest.mark.parametrize(
    ("url", "name", "homepage"),
    [
        ("https://www.herald.example/2026/x?y=1#z", "herald_example", "https://www.herald.example/"),
        ("http://127.0.0.1:8765/a", "127_0_0_1", "http://127.0.0.1:8765/"),
        ("https://user:secret@News-Site.example", "news_site_example", "https://News-Site.example/"),
        ("http://news/a", "news_host", "http://news/"),
        ("http://новости.example/a", "example", "http://новости.example/"),
    ],
)
def test_adhoc_source_is_named_by_its_host(url: str, name: str, homepage: str) -> None:
    source = adhoc_source(url)
    assert (source.id, source.homepage) == (name, homepage)
    assert source.wants(url)


@pytest.mark.parametrize("url", ["", "herald.example", "file:///etc/passwd", "https://", "http://a.example:x/"])
def test_adhoc_source_wants_a_web_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an http:// or https:// URL"):
        adhoc_source(url)


# -- boilerplate rules


@pytest.mark.parametrize(
    ("matcher", "drops", "keeps"),
    [
        ({"equals": "Read more"}, " READ\u00a0 more", "Read more books"),
        ({"equals": ["Read more", "Don't go"]}, "Don\u2019t go", "Don't"),
        ({"starts_with": "Support the Herald"}, "Support the Herald!", "Support the Heraldry Society."),
        ({"contains": "spende"}, "Jetzt Spende geben", "He was suspended."),
        ({"contains": "£1"}, "From £1 a week", "From £12 a week"),
        ({"contains": "購読"}, "今すぐ購読する", "今すぐ"),
        ({"contains": "Straße"}, "Eine STRASSE", "Strasbourg"),
        ({"contains": "join us"}, "Join us today", "Join us, the minister said."),
        ({"regex": "^from .\\d+ a week$"}, "From £1 a week", "From £1 a weekend"),
        ({"regex": "join us"}, "Join us, said nobody.", "Joined us"),
        ({"starts_with": "Join", "contains": "today"}, "Join us today", "Join us"),
        ({"starts_with": "Join", "regex": "today$"}, "Join us today", "Join us today, please"),
    ],
)
def test_matchers(matcher: dict[str, object], drops: str, keeps: str) -> None:
    checked = rule(**matcher, drops=[drops], keeps=[keeps])
    assert checked.check() == []
    assert checked.matches(drops)
    assert not checked.matches(keeps)


# -- python -m crawler.sources


def test_check_of_a_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(tmp_path, FULL)
    seed(tmp_path, f"{MINIMAL}country: NO\n", "another")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 2 sources in 2 countries: all valid\n"


def test_check_tells_of_two_seeds_for_one_home_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, homepage in (
        ("a", "https://www.herald.example/"),
        ("b", "http://herald.example"),
        ("c", "https://c.example/"),
    ):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nhomepage: {homepage}\n")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().err == "a, b have the same home page, herald.example/: each is crawled\n"


def test_check_prints_every_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(tmp_path, "name: [", "bad")
    seed(tmp_path, "", "empty")
    assert main([str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{tmp_path}/bad.yaml", f"{tmp_path}/empty.yaml"]


def test_check_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "crawler.sources", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("SEEDS_DIR: ")


def test_sources_stay_light() -> None:
    code = "import crawler.sources, sys; print(sorted({'scrapy', 'sqlalchemy', 'lxml', 'twisted'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
