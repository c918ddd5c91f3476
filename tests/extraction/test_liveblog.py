"""Live blogs keep their posts apart: by the record, by containers, or by headings in a flat list."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from crawler.extraction import extract
from crawler.items import Extraction
from tests.extraction.pages import PARAGRAPHS, URL, page

LIVE = "https://post.example/live/storm-reaches-the-coast"
TITLE = "Storm reaches the coast: live updates"
TIMES = ("14:10", "13:45", "13:20", "12:55")
HEADLINES = ("Bridge closed to lorries", "Ferries stay in port", "First trees fall in Karst", "Schools close at noon")
TEXTS = (
    ("The road authority closed the bridge at two in the afternoon, and nobody knows for how long it will stay so.",
     "Cars may still cross, at thirty kilometres an hour, police told reporters at the southern ramp."),
    ("The ferry company keeps all of its ships in port until the wind is below eight again, a speaker said.",),
    ("Firefighters in Karst were called to four trees that had fallen on to the railway within twenty minutes.",),
    ("Pupils were sent home at noon. The council expects that schools will be open again on Thursday morning.",
     "Parents who cannot be at home may leave their children in the gym, where teachers look after them."),
)  # fmt: skip


def entry(index: int, style: str) -> str:
    text = "".join(f"<p>{words}</p>" for words in TEXTS[index])
    stamp = f"<time datetime='2026-03-05T{TIMES[index]}:00Z'>{TIMES[index]}</time>"
    if style == "flat":
        return f"<h3>{TIMES[index]} {HEADLINES[index]}</h3>{text}"
    tag = "article" if style == "article" else "div"
    share = "<div class='share'><a href='#'>Share</a></div>"
    return f"<{tag} class='entry' id='post-{index}'>{stamp}<h3>{HEADLINES[index]}</h3><div>{text}</div>{share}</{tag}>"


def read(style: str, head: str = "", url: str = LIVE, numbers: range = range(4)) -> Extraction:
    entries = "".join(entry(index, style) for index in numbers)
    body = (
        f"<header><nav><a href='/'>News</a></nav></header><main><h1>{TITLE}</h1>"
        f"<p>By Ilse Marrow, <time datetime='2026-03-05T12:00Z'>5 March</time></p>"
        f"<div class='list'>{entries}</div></main>"
        "<section class='comments'>"
        + "".join(
            f"<div><time>13:0{n}</time><p>I have seen the wind take my neighbour's roof away.</p></div>"
            for n in range(6)
        )
        + "</section>"
    )
    return extract(f"<html><head><title>{TITLE}</title>{head}</head><body>{body}</body></html>".encode(), url)


def record(numbers: range = range(4), **more: str) -> str:
    updates = [
        {
            "@type": "BlogPosting",
            "headline": HEADLINES[n],
            "datePublished": f"2026-03-05T{TIMES[n]}:00Z",
            "url": f"{LIVE}#post-{n}",
            "articleBody": "\n".join(TEXTS[n]),
        }
        for n in numbers
    ]
    data = {"@type": "LiveBlogPosting", "headline": TITLE, "liveBlogUpdate": updates, **more}
    return f"<script type='application/ld+json'>{json.dumps(data)}</script>"


def texts_of(found: Extraction, index: int) -> list[str]:
    return [block.text for block in found.blocks if block.post == index and block.kept and block.kind == "paragraph"]


@pytest.mark.parametrize("style", ["article", "div", "flat"])
@pytest.mark.parametrize("head", ["", record()])
def test_posts_are_told_apart(style: str, head: str) -> None:
    found = read(style, head)
    assert found.page_type == "live_blog"
    assert len(found.posts) == 4
    for index in range(4):
        assert (found.posts[index].headline or "").endswith(HEADLINES[index])
        assert texts_of(found, index) == list(TEXTS[index])
    if head or style != "flat":
        assert found.posts[0].published_at == datetime(2026, 3, 5, 14, 10, tzinfo=UTC)


def test_all_text_of_the_posts_is_in_the_body_and_comments_are_not() -> None:
    found = read("article", record())
    assert all(words in found.body for texts in TEXTS for words in texts)
    assert "neighbour" not in found.body
    assert found.posts[1].url == f"{LIVE}#post-1"


def test_posts_that_only_the_record_has() -> None:
    found = read("div", record(), numbers=range(0))
    assert [post.headline for post in found.posts] == list(HEADLINES)
    assert [texts_of(found, index) for index in range(4)] == [list(texts) for texts in TEXTS]


def test_of_posts_shown_in_part_those_are_kept_that_are_shown() -> None:
    found = read("div", record(), numbers=range(2))
    assert [post.headline for post in found.posts] == list(HEADLINES[:2])


def test_an_article_has_no_posts() -> None:
    found = extract(page(PARAGRAPHS), URL)
    assert found.posts == ()
    assert all(block.post is None for block in found.blocks)


def test_a_list_of_headlines_with_times_is_no_live_blog() -> None:
    rows = "".join(
        f"<li><time datetime='2026-03-05T10:0{n}Z'></time><a href='/{n}'>{HEADLINES[n]}</a></li>" for n in range(4)
    )
    html = f"<html><head><title>Live</title></head><body><h1>Live</h1><ul>{rows}</ul></body></html>"
    assert extract(html.encode(), LIVE).posts == ()


@pytest.mark.parametrize(
    "broken", ["x", 5, [None, 1, "x"], {"headline": ["a", {"b": 1}]}, [{"datePublished": "never"}]]
)
def test_a_broken_record_is_no_error(broken: object) -> None:
    data = json.dumps({"@type": "LiveBlogPosting", "liveBlogUpdate": broken})
    head = f"<script type='application/ld+json'>{data}</script>"
    assert isinstance(read("div", head), Extraction)
