"""A newspaper that edits, and pages that only flicker: three crawls, what is kept of them, and `scrapy diff`."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.runs import Bench, Outcome, cloned
from tests.site import Newspaper
from tests.site.article import Article
from tests.site.server import Resource

SOURCE = "example_herald"
COUNTED, TEASED, EDITED, MOVED, METERED = (
    "library-roof", "tide-tables-wrong", "bakery-night", "storm-names", "council-budget",
)  # fmt: skip
NOTE = "Correction: an earlier version of this article gave the wrong hour."
TEASERS = ("Ten gardens you have to see", "Why cats never want to swim")
GATE = "<div class='gate'><p>This article is for subscribers only.</p><p>Subscribe to continue reading.</p></div>"
Change = Callable[[str, Article], str]


@dataclass
class Press:
    """What is done to the articles' pages, which are then new at each look."""

    paper: Newspaper
    changes: dict[str, list[Change]] = field(default_factory=dict)

    def print(self, path: str, resource: Resource) -> Resource:
        for article in self.paper.articles:
            if path == f"/{article.publication.key}{article.path}" and article.slug in self.changes:
                body = functools.partial(self.page, article, resource)
                return dataclasses.replace(resource, body=body, etag=None, modified=None)
        return resource

    def page(self, article: Article, resource: Resource) -> bytes:
        html = resource.body().decode()
        for change in self.changes[article.slug]:
            html = change(html, article)
        return html.encode()


@dataclass(frozen=True)
class Story:
    """The crawls in their order, and the articles as they were printed at first."""

    bench: Bench
    printed: dict[str, Article]
    flickered: Outcome
    edited: Outcome

    def row(self, slug: str) -> dict[str, object]:
        (row,) = self.bench.rows("SELECT * FROM articles WHERE url = %s", self.printed[slug].url)
        return row

    def told(self, slug: str) -> list[tuple[object, ...]]:
        query = (
            "SELECT field, change, before, after FROM news.revision_changes WHERE url = %s ORDER BY revision, number"
        )
        return [tuple(row.values()) for row in self.bench.rows(query, self.printed[slug].url)]

    def diff(self, slug: str, *options: str) -> Outcome:
        return self.bench.scrapy("diff", self.printed[slug].url, *options)


def paragraphs(article: Article) -> list[str]:
    return article.body.split("\n")


def behind(html: str, text: str, added: str) -> str:
    """The page with more HTML behind the paragraph that has this text."""
    at = html.index("</p>", html.index(text)) + len("</p>")
    return html[:at] + added + html[at:]


def counter(number: int) -> Change:
    """Within the text, where extraction keeps it."""
    return lambda html, article: behind(html, paragraphs(article)[0][:20], f"<p>Read {number} times</p>")


def teaser(text: str) -> Change:
    """Behind the text, in a place where extraction keeps it, though not without doubt."""

    def added(html: str, article: Article) -> str:
        at = html.rindex("</p>", 0, html.index("</div></div></div>")) + len("</p>")
        return f"{html[:at]}<p>{text}</p>{html[at:]}"

    return added


def in_text(before: str, after: str) -> Change:
    return lambda html, article: html.replace(before, after)


def swapped(html: str, article: Article) -> str:
    first, second = (f"<p>{text}</p>" for text in paragraphs(article)[:2])
    return html.replace(first, "@").replace(second, first).replace("@", second)


def gated(html: str, article: Article) -> str:
    """What a metered paywall leaves of it: the first paragraph and the gate; the last ones are not on the page."""
    for text in paragraphs(article)[1:]:
        at = html.index(text[:20])
        start, end = html.rindex("<", 0, at), html.index("</", at)
        html = html[:start] + html[html.index(">", end) + 1 :]
    return behind(html, paragraphs(article)[0][:20], GATE).replace("</head>", NOT_FREE + "</head>")


NOT_FREE = '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    room = tmp_path_factory.mktemp("revisions")
    with cloned(server_url, template) as database_url, Newspaper() as paper:
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=database_url)
        paper.write_seeds(bench.seeds)
        printed = {article.slug: article for article in paper.articles}
        press = Press(paper)
        paper.altered = press.print
        press.changes = {COUNTED: [counter(56)], TEASED: [teaser(TEASERS[0])]}
        assert bench.crawl(SOURCE).status == 0
        press.changes = {COUNTED: [counter(1_057)], TEASED: [teaser(TEASERS[1])]}
        flickered = bench.crawl(SOURCE, "-a", "recheck=1")
        paper.edit(EDITED, NOTE)
        press.changes |= {
            EDITED: [in_text("The lights go on at eleven", "The lights go on at twelve")],
            MOVED: [swapped],
            METERED: [gated],
        }
        edited = bench.crawl(SOURCE, "-a", "recheck=1")
        yield Story(bench, printed, flickered, edited)


def test_pages_that_flicker_were_kept_as_they_were_first_seen(story: Story) -> None:
    """Extraction kept counter and teaser: it is not for want of them that there is no revision."""
    assert "Read 56 times" in str(story.row(COUNTED)["body"])
    assert TEASERS[0] in str(story.row(TEASED)["body"])
    assert story.flickered.status == story.edited.status == 0
    assert "0 changed articles" in story.flickered.err
    for slug in (COUNTED, TEASED):
        assert story.row(slug)["revision"] == 1
        looks = "SELECT count(*) FROM pages JOIN urls ON urls.id = url_id WHERE urls.url = %s"
        assert story.bench.value(looks, story.printed[slug].url) == 2


def test_edits_are_revisions_with_what_they_changed(story: Story) -> None:
    first = paragraphs(story.printed[EDITED])[0]
    assert story.told(EDITED) == [
        ("correction", "added", None, NOTE),
        ("body", "changed", first, first.replace("eleven", "twelve", 1)),
        ("body", "added", None, NOTE),
    ]
    assert [one[:2] for one in story.told(MOVED)] == [("body", "moved")]
    changed = story.bench.rows("SELECT changed, cause FROM news.revisions WHERE url = %s", story.printed[EDITED].url)
    assert changed == [{"changed": ["body", "correction"], "cause": "publisher"}]


def test_a_metered_paywall_takes_nothing_away(story: Story) -> None:
    row = story.row(METERED)
    assert row["body"] == story.printed[METERED].body
    assert row["evidence"]["access"] == "refused:truncated"  # type: ignore[index]
    assert [one[0] for one in story.told(METERED)] in ([], ["is_accessible_for_free"])


def test_only_edits_count_as_such(story: Story) -> None:
    assert story.bench.scrapy("db", "check").status == 0
    assert story.bench.value("SELECT count(DISTINCT article_id) FROM revisions") == len({EDITED, MOVED}) + len(
        story.told(METERED)
    )


# -- scrapy diff -----------------------------------------------------------------------------------------------------


def test_piped_every_change_is_a_line(story: Story) -> None:
    shown = story.diff(EDITED)
    assert (shown.status, shown.err) == (0, "")
    headline, about, title, *lines = shown.out.splitlines()
    first = paragraphs(story.printed[EDITED])[0]
    assert headline == story.printed[EDITED].headline
    assert about.startswith("article ") and story.printed[EDITED].url in about
    assert title.startswith("1 → 2  20") and title.endswith(" UTC  publisher  body, correction")
    assert lines == [
        f"+ correction  {NOTE}",
        f"- paragraph 1  {first}",
        f"+ paragraph 1  {first.replace('eleven', 'twelve', 1)}",
        "  3 paragraphs unchanged",
        f"+ paragraph 5  {NOTE}",
    ]


def test_json(story: Story) -> None:
    shown = json.loads(story.diff(MOVED, "--json").out)
    [edit] = shown["edits"]
    [change] = edit["changes"]
    assert (shown["revision"], edit["revision"], edit["cause"], edit["changed"]) == (2, 1, "publisher", ["body"])
    assert (change["change"], change["position_before"], change["position_after"]) == ("moved", 2, 1)


def test_other_calls(story: Story) -> None:
    number = str(story.row(EDITED)["id"])
    url = story.printed[EDITED].url
    by_id, aliased, never, unknown, nowhere, chosen, too_far, usage = story.bench.each(
        ["diff", number],
        ["diff", f"{url}?utm_source=mail"],
        ["diff", story.printed[COUNTED].url],
        ["diff", "987654321"],
        ["diff", "https://www.nowhere.example/a"],
        ["diff", number, "--revision", "1"],
        ["diff", number, "--revision", "2"],
        ["diff"],
    )
    assert by_id.status == 0 and by_id.out == aliased.out == chosen.out
    assert never.status == 0 and "was never changed since 20" in never.out and len(never.out.splitlines()) == 1
    assert unknown.status == 1 and unknown.err == "scrapy diff: there is no stored article with the id 987654321\n"
    assert nowhere.status == 1 and "from https://www.nowhere.example/a" in nowhere.err
    assert too_far.status == 1 and "it has versions 1 to 2" in too_far.err
    assert usage.status == 2
