"""`scrapy add` and `scrapy check-source`, as their users start them, against the fake newspaper and what befalls it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.sources import load_source
from tests.runs import QUICK, Bench, Outcome
from tests.site import Newspaper
from tests.site.server import Resource

CHALLENGE = (
    "<!DOCTYPE html><html lang=en><head><title>Just a moment...</title></head><body><h1>One moment</h1>"
    "<p>Verify you are human by completing the action below. The site needs to review the security of your "
    'connection.</p><script src="/cdn-cgi/challenge-platform/h/b/orchestrate"></script></body></html>'
)
SLOGAN = "Tide tables and the picture of the harbour camera are on page nine of the printed paper."
Alter = Callable[[str, Resource], Resource]


@pytest.fixture(scope="module")
def house() -> Iterator[Newspaper]:
    """Three papers that have published a moment ago."""
    newest = datetime.now(UTC) - timedelta(minutes=5)
    with Newspaper(many=60, newest=newest.replace(microsecond=0)) as newspaper:
        yield newspaper


@pytest.fixture
def paper(house: Newspaper) -> Iterator[Newspaper]:
    yield house
    house.altered = None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Without a database: neither command needs one, and nothing could start one here."""
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url="postgresql://nobody@127.0.0.1:9/x")


def add(bench: Bench, *arguments: str) -> Outcome:
    return bench.scrapy("add", *arguments, *QUICK)


def check(bench: Bench, *arguments: str) -> Outcome:
    return bench.scrapy("check-source", *arguments, *QUICK)


def page(html: str, status: int = 200) -> Resource:
    return Resource(body=html.encode, status=status)


def rewritten(resource: Resource, pattern: str, instead: str) -> Resource:
    """The same with other bytes and no validators."""
    text = resource.body().decode("utf-8", "replace")
    body = re.sub(pattern, instead, text, flags=re.DOTALL).encode()
    return dataclasses.replace(resource, body=lambda: body, etag=None, modified=None)


def is_page(resource: Resource) -> bool:
    return resource.status == 200 and resource.content_type.startswith("text/html")


# -- add ------------------------------------------------------------------------------------------------------------


def test_a_home_page_an_article_a_feed_and_a_sitemap_give_the_same_seed(paper: Newspaper, bench: Bench) -> None:
    base = f"{paper.url}/herald"
    given = [f"{base}/", paper.article("library-roof").url, f"{base}/atom.xml", f"{base}/sitemap.xml"]
    outcomes = bench.each(*(["add", url, "--json", "--dry-run", *QUICK] for url in given))
    for url, outcome in zip(given, outcomes, strict=True):
        assert (url, outcome.status, outcome.err) == (url, 0, "")
        found = json.loads(outcome.out)
        assert (found["id"], found["name"], found["language"]) == ("example_herald", "Example Herald", "en")
        assert (
            found["homepage"] == f"{base}/" and found["country"] is None and "left out" in found["evidence"]["country"]
        )
        uses = {(one["url"].removeprefix(base), one["use"]) for one in found["lists"] if one["use"]}
        # The written articles of the Atom feed are months older than the generated ones of the news sitemap.
        assert uses == {("/news-sitemap.xml", "sitemaps"), ("/sitemap.xml", "archives")}
        assert all(one["why"] and one["found"] for one in found["lists"])
        assert [one["verdict"] for one in found["samples"]] == ["article"] * 8
        assert all(one["published_at"] and one["words"] for one in found["samples"])
        assert found["leaks"] == [] and found["problem"] is None and found["score"] > 0.8
    assert not bench.seeds.exists()


def test_a_seed_is_written_once(paper: Newspaper, bench: Bench) -> None:
    url = f"{paper.url}/kurier/"
    outcome = add(bench, url)
    path = bench.seeds / "beispiel_kurier.yaml"
    assert outcome.status == 0, outcome.err
    assert f"Wrote {path}" in outcome.out and "[og:site_name]" in outcome.out
    source, text = load_source(path), path.read_text(encoding="utf-8")
    assert (source.name, source.language, source.homepage) == ("Beispiel-Kurier", "de", url)
    assert [line.partition(":")[0] for line in text.splitlines() if line[0] not in "# "] == [
        "name", "homepage", "language", "sitemaps", "archives",
    ]  # fmt: skip
    assert "# country: left out" in text
    again, elsewhere, over, other = bench.each(
        ["add", url, *QUICK],
        ["add", f"{paper.url}/herald/", *QUICK],
        ["add", url, "--name", "beispiel_kurier", *QUICK],
        ["add", f"{paper.url}/herald/", "--name", "other", *QUICK],
    )
    for refused in (again, elsewhere):
        assert refused.status == 1 and refused.out == "" and len(refused.lines) == 1
        assert "beispiel_kurier has this host already" in refused.err
    assert over.status == 1 and "exists already" in over.err
    assert path.read_text(encoding="utf-8") == text
    assert other.status == 0 and load_source(bench.seeds / "other.yaml").name == "Example Herald"
    assert sorted(one.name for one in bench.seeds.iterdir()) == ["beispiel_kurier.yaml", "other.yaml"]


def test_what_is_announced_nowhere_is_found_at_the_usual_places(paper: Newspaper, bench: Bench) -> None:
    def silent(path: str, resource: Resource) -> Resource:
        return rewritten(resource, '<link rel="alternate"[^>]*>', "") if is_page(resource) else resource

    paper.altered = silent
    found = json.loads(add(bench, f"{paper.url}/courrier/", "--json", "--dry-run").out)
    assert {one["url"].rpartition("/")[2] for one in found["lists"] if one["found"] == "found at a usual place"} == {
        "rss.xml",
        "sitemap.xml",
    }
    assert (found["id"], found["language"]) == ("courrier_exemple", "fr")


def test_without_feeds_and_sitemaps_there_are_sections(paper: Newspaper, bench: Bench) -> None:
    def bare(path: str, resource: Resource) -> Resource:
        return page("Not found", 404) if ".xml" in path else resource

    paper.altered = bare
    outcome = add(bench, f"{paper.url}/herald/", "--json", "--dry-run")
    found = json.loads(outcome.out)
    assert outcome.status == 0
    assert f"listings:\n  - {paper.url}/herald/" in found["seed"]
    assert {one["reason"] for one in found["missing"]} == {"not_found"}


def test_a_block_of_the_template_in_the_articles_is_named(paper: Newspaper, bench: Bench) -> None:
    paper.altered = with_slogan
    outcome = add(bench, f"{paper.url}/herald/", "--dry-run")
    assert outcome.status == 0
    assert re.search(rf"! in the text of \d samples: {re.escape(SLOGAN)}", outcome.out)


def with_slogan(path: str, resource: Resource) -> Resource:
    if not (is_page(resource) and re.search(r"/20\d\d/|/\w+/[\w-]+\.html$", path)):
        return resource
    # After the third paragraph of the text: where no rule and no model looks for a template.
    parts = resource.body().decode().split("</p>")
    middle = len(parts) // 2
    text = "</p>".join([*parts[:middle], f"\n<p>{SLOGAN}", *parts[middle:]])
    return dataclasses.replace(resource, body=text.encode, etag=None, modified=None)


def wall(path: str, resource: Resource) -> Resource:
    return resource if path == "/robots.txt" else page(CHALLENGE)


def forbidding(path: str, resource: Resource) -> Resource:
    return page("User-agent: *\nDisallow: /\n") if path == "/robots.txt" else resource


def refusing(path: str, resource: Resource) -> Resource:
    return resource if path == "/robots.txt" else page("<h1>Forbidden</h1>", 403)


def wordless(path: str, resource: Resource) -> Resource:
    """Articles without a word."""
    if not is_page(resource) or path.endswith(("/", "/latest")):
        return resource
    return rewritten(resource, r"<body.*</body>", "<body></body>")


@pytest.mark.parametrize(
    ("alter", "word"),
    [(wall, "bot_challenge"), (forbidding, "robots_forbidden"), (refusing, "forbidden"), (wordless, "no_")],
)
def test_a_site_that_gives_nothing_is_told_in_one_typed_line(
    paper: Newspaper, bench: Bench, alter: Alter, word: str
) -> None:
    paper.altered = alter
    outcome = add(bench, f"{paper.url}/herald/")
    assert outcome.status == 1
    (line,) = outcome.lines
    assert line.startswith(f"scrapy add: nothing is written: {word}")
    assert not bench.seeds.exists()


def test_a_dead_host(bench: Bench) -> None:
    outcome = add(bench, "http://127.0.0.1:9/", "-s", "RETRY_TIMES=0")
    assert outcome.status == 1 and outcome.out == ""
    (line,) = outcome.lines
    assert re.match(r"scrapy add: nothing is written: (connection|robots_unreachable): http://127.0.0.1:9/", line)


def test_a_private_address_is_not_asked(paper: Newspaper, bench: Bench) -> None:
    outcome = add(dataclasses.replace(bench, more={"ALLOW_PRIVATE_NETWORKS": "0"}), f"{paper.url}/herald/")
    assert outcome.status == 1
    assert outcome.lines[0].startswith("scrapy add: nothing is written: blocked_address: ")


def test_what_is_no_address_or_name_is_a_usage_error(bench: Bench) -> None:
    for call in (
        ["add"],
        ["add", "ftp://herald.example/"],
        ["add", "http://a.example", "--name", "news"],
        ["check-source"],
    ):
        assert bench.scrapy(*call).status == 2


# -- check-source ---------------------------------------------------------------------------------------------------

NAMES = ("example_herald", "beispiel_kurier", "courrier_exemple")


@pytest.fixture
def seeded(paper: Newspaper, bench: Bench) -> Bench:
    for path in paper.write_seeds(bench.seeds):
        path.write_text(f"{path.read_text(encoding='utf-8')}enabled: false\n", encoding="utf-8")
    return bench


def reasons(outcome: Outcome) -> dict[str, set[str]]:
    """Source -> the words of the lines that say why it fails."""
    found: dict[str, set[str]] = {}
    for name, word in re.findall(r"^✗ (\w+): (\w+): ", outcome.out, re.MULTILINE):
        found.setdefault(name, set()).add(word)
    return found


def by_paper(alters: dict[str, Alter]) -> Alter:
    def altered(path: str, resource: Resource) -> Resource:
        alter = alters.get(path.split("/")[1])
        return alter(path, resource) if alter else resource

    return altered


def test_sources_that_give_what_they_should(seeded: Bench) -> None:
    outcome = check(seeded, *NAMES)
    assert (outcome.status, outcome.err, reasons(outcome)) == (0, "", {})
    assert all(f"✓ {name}: gives what it should" in outcome.out for name in NAMES)


def test_gone_empty_and_undated(paper: Newspaper, seeded: Bench) -> None:
    def gone(path: str, resource: Resource) -> Resource:
        return page("Not found", 404) if path.endswith("/rss.xml") else resource

    def undated(path: str, resource: Resource) -> Resource:
        dates = r"\d{4}-\d\d-\d\d(?:T[\d:.+Z-]*)?|\d\d\.\d\d\.\d{4}(?: \d\d:\d\d)?|<pubDate>.*?</pubDate>"
        return resource if path.endswith(".gz") else rewritten(resource, dates, "")

    paper.altered = by_paper({"herald": gone, "kurier": undated, "courrier": wordless})
    outcome = check(seeded, *NAMES)
    found = reasons(outcome)
    assert outcome.status == 1 and outcome.err == ""
    assert found == {
        "example_herald": {"not_found"},
        "beispiel_kurier": {"missing_dates"},
        "courrier_exemple": {"empty_bodies"},
    }


def test_moved_leaking_and_walled(paper: Newspaper, seeded: Bench) -> None:
    def moved(path: str, resource: Resource) -> Resource:
        return (
            page("<!DOCTYPE html><html><h1>Our feeds have moved</h1></html>") if path.endswith("rss.xml") else resource
        )

    def walled(path: str, resource: Resource) -> Resource:
        return page(CHALLENGE) if is_page(resource) else resource

    paper.altered = by_paper({"herald": with_slogan, "kurier": moved, "courrier": walled})
    outcome = check(seeded, "--json", *NAMES)
    assert outcome.status == 1
    found: dict[str, Any] = {one["source"]: one for one in json.loads(outcome.out)}
    words = {name: {reason["reason"] for reason in one["reasons"]} for name, one in found.items()}
    assert words == {
        "example_herald": {"template_leak"},
        "beispiel_kurier": {"not_a_feed"},
        "courrier_exemple": {"bot_challenge"},
    }
    assert found["example_herald"]["leaks"][0]["text"] == SLOGAN
    assert not any(one["ok"] for one in found.values())


def test_a_source_that_forbids_all(paper: Newspaper, seeded: Bench) -> None:
    paper.altered = forbidding
    outcome = check(seeded, "example_herald")
    assert outcome.status == 1
    assert reasons(outcome) == {"example_herald": {"robots_forbidden", "no_samples"}}


def test_a_source_that_has_fallen_silent(bench: Bench) -> None:
    with Newspaper(many=300, newest=datetime.now(UTC) - timedelta(days=100)) as old:
        old.write_seeds(bench.seeds)
        outcome = check(bench, "example_herald")
    assert outcome.status == 1 and reasons(outcome) == {"example_herald": {"no_new_urls"}}
    assert "though it published about every 9 minutes" in outcome.out


def test_an_unknown_source(seeded: Bench) -> None:
    outcome = check(seeded, "example_heralt")
    assert outcome.status == 1 and len(outcome.lines) == 1 and "did you mean example_herald?" in outcome.err
