"""`render: true`, from a seed to the rows: a paper that is empty without its scripts."""

from __future__ import annotations

import json
from pathlib import Path

from tests.downloader.server import Answer, serve
from tests.downloader.test_browser import ARTICLE, HTML, JSON, PARAGRAPHS, SCRIPT
from tests.downloader.test_browser import program as program
from tests.runs import Bench

SHELL = """<!doctype html><html lang="de"><head><title>Hafenblatt</title><script src="/app.js" defer></script></head>
<body><div id="app">Loading</div></body></html>"""
APP = """
const show = html => { document.getElementById('app').innerHTML = html };
const listed = list => show(list.map(path => `<li><a href="${path}">Was der Hafenrat sagt: ${path}</a></li>`).join(''));
const article = found => show(`<article><h1>${found.headline} ${location.pathname.slice(-1)}</h1>` +
  found.paragraphs.map(text => `<p>${text}</p>`).join('') + '</article>');
fetch('/api' + location.pathname).then(answer => answer.json()).then(location.pathname == '/' ? listed : article);
"""
PATHS = [f"/2026/11/25/bericht-nummer-{number}" for number in range(3)]


def script(host: str, path: str, before: int) -> Answer:
    if path == "/app.js":
        return Answer(headers=SCRIPT, body=APP.encode())
    if path == "/api/":
        return Answer(headers=JSON, body=json.dumps(PATHS).encode())
    if path.startswith("/api/2026/"):
        return Answer(headers=JSON, body=json.dumps(ARTICLE).encode())
    return Answer(headers=HTML, body=SHELL.encode()) if path in ("/", *PATHS) else Answer(status=404)


def test_articles_and_the_home_page_are_rendered(program: str, tmp_path: Path, database_url: str) -> None:
    with serve(script) as hosts:
        seed = f"name: Hafenblatt\nhomepage: http://localhost:{hosts.port}/\nrender: true\nrender_listings: true\n"
        (tmp_path / "hafenblatt.yaml").write_text(seed)
        bench = Bench(seeds=tmp_path, data_dir=tmp_path / "data", database_url=database_url)
        done = bench.crawl("hafenblatt")
    assert done.status == 0, done.err
    rows = bench.rows("SELECT headline, body FROM articles ORDER BY headline")
    assert [row["headline"] for row in rows] == [f"{ARTICLE['headline']} {number}" for number in range(3)]
    assert [row["body"].split("\n") for row in rows] == [PARAGRAPHS] * 3
    assert hosts.paths("localhost").count("/app.js") == 1
