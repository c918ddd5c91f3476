"""Pages that are little more than a head, for the tests of single fields."""

from __future__ import annotations

import json

from crawler.extraction import metadata
from crawler.extraction.body import parse
from crawler.extraction.metadata import Fields

URL = "https://post.example/news/bridge"
TEXT = (
    "<p>" + "The bridge over the lower river was shut on Thursday after a barge had hit one of its piers. " * 2 + "</p>"
)


def fields(head: str = "", body: str = "", record: object = None, url: str = URL, lang: str = "") -> Fields:
    ld = f'<script type="application/ld+json">{json.dumps(record)}</script>' if record is not None else ""
    html = f"<html{f' lang={lang}' if lang else ''}><head>{head}{ld}</head><body>{body}</body></html>"
    tree = parse(html.encode())
    assert tree is not None
    return metadata.read(tree, url)


def article(**values: object) -> dict[str, object]:
    return {"@type": "NewsArticle", **values}


def meta(name: str, content: str) -> str:
    return f'<meta property="{name}" content="{content}">'
