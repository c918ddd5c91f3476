"""`scrapy inspect`: what it tells of pages and of stored articles, in the terminal, as JSON, as a page in a browser."""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from scrapy.exceptions import UsageError

from crawler.commands.inspect import check
from crawler.items import Block, Extraction, Image, Post
from crawler.web.inspection import Inspection
from crawler.web.ledger import ledger, sums
from crawler.web.page import html_page
from crawler.web.plain import plain
from crawler.web.reasons import COLOURS
from crawler.web.rule_book import note_of
from crawler.web.terminal import show
from tests.runs import Bench, cloned
from tests.site import Newspaper
from tests.site.pages import article_page

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
SEEN = Extraction(
    headline="Harbour reopens",
    authors=("Ada Example", "Ben Example"),
    published_at=AT,
    published_raw="4 May 2026, 09:30",
    published_zone_assumed=True,
    page_type="live_blog",
    page_type_confidence=0.912,
    access="truncated",
    is_accessible_for_free=True,
    confidence=0.87,
    posts=(Post(headline="First ship", published_at=AT), Post()),
    blocks=(
        Block(kind="heading", text="Harbour reopens", kept=False, reason="headline", rule="headline-repeated", level=1),
        Block(kind="paragraph", text="The first ship came in at noon.", kept=True, score=0.97, post=0),
        Block(kind="quote", text="At last, said the pilot.", kept=True, post=1),
        Block(kind="paragraph", text="Donate now", kept=False, reason="support", rule="support-label", score=0.04),
        Block(kind="list", text="Read more", kept=False, reason="quite-new", rule="rule-of-tomorrow"),
    ),
    evidence={"headline": "og:title", "published_at": "time", "body": "state:json", "elsewhere": "odd"},
)
HOSTILE = (
    '</style><script src="/stolen">document.body.textContent="owned"</script><img src="/beacon" onerror="owned()">'
)


def inspection(seen: Extraction = SEEN, **more: object) -> Inspection:
    return Inspection(**{"seen": seen, "url": "https://herald.example/a"} | more)  # type: ignore[arg-type]


def printed(seen: Inspection, **options: object) -> str:
    out = io.StringIO()
    show(seen, Console(file=out, **options))  # type: ignore[arg-type]
    return out.getvalue()


def hostile() -> Inspection:
    """Every text that a page can set is an attack."""
    seen = Extraction(
        headline=HOSTILE,
        authors=(HOSTILE,),
        published_raw=HOSTILE,
        language=f'en"{HOSTILE}',
        canonical_url="javascript:owned()",
        images=(Image(url=HOSTILE, caption=HOSTILE),),
        posts=(Post(headline=HOSTILE),),
        blocks=(
            Block(kind="paragraph", text=HOSTILE, kept=True, post=0),
            Block(kind="code", text=HOSTILE, kept=False, reason=HOSTILE, rule=HOSTILE),
            Block(kind="paragraph", text="Donate", kept=False, reason="support", rule="support-label"),
        ),
        evidence={"headline": HOSTILE, HOSTILE: HOSTILE},
    )
    return inspection(seen, url="javascript:owned()")


# -- terminal ------------------------------------------------------------------------------------------------------


def test_piped_every_row_and_block_is_one_line_without_control_codes() -> None:
    long = Extraction(blocks=(Block(kind="paragraph", text="word " * 100 + "end", kept=True),), evidence={})
    assert f"✓   1  {'word ' * 100}end\n" in printed(inspection(long))
    assert "\x1b" not in printed(inspection())


def test_what_is_told_of_a_page() -> None:
    lines = [" ".join(line.split()) for line in printed(inspection()).splitlines()]
    for line in (
        "page type live_blog (confidence 91 %)",
        "access truncated (publisher says: free) ≠ what is seen differs from the claim",
        "voters agree 87 %",
        "authors Ada Example, Ben Example",
        "published_at 2026-05-04 09:30:00+00:00 (the page names no zone: UTC assumed) [time] from '4 May 2026, 09:30'",
        "elsewhere – [odd]",
        "-- Post 1 · First ship · 2026-05-04 09:30+00:00",
        "✓ 2 The first ship came in at noon. 0.97",
        "✗ 4 support · support-label · package rule, kind support · score 0.04 Donate now",
        "✗ 5 quite-new · rule-of-tomorrow • Read more",
        "support 1 2 support-label ×1 (asks the reader for money)",
        "kept 2 12",
    ):
        assert line in lines


def test_unknown_values_are_a_dash() -> None:
    shown = printed(inspection(Extraction()))
    assert "confidence –" in shown and re.search(r"^voters agree +–$", shown, re.M)


def test_a_wide_terminal_has_kept_beside_dropped() -> None:
    wide = printed(inspection(), force_terminal=True, width=140, color_system=None)
    kept = next(line for line in wide.splitlines() if "first ship came" in line)
    dropped = next(line for line in wide.splitlines() if "support · support-label" in line)
    assert kept.index("The first") < 20 and dropped.index("support") > 60
    assert "✓ kept" in wide and "✗ dropped" in wide


def test_a_narrow_terminal_has_one_column_with_marks() -> None:
    narrow = printed(inspection(), force_terminal=True, width=80, color_system=None)
    assert "✗   4  support" in narrow and "✗ dropped" not in narrow


def test_colours_are_left_out_when_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    red, green, blue = bytes.fromhex(COLOURS["money"][1:])
    colour = f"38;2;{red};{green};{blue}"
    assert colour in printed(inspection(), force_terminal=True, color_system="truecolor")
    monkeypatch.setenv("NO_COLOR", "1")
    assert colour not in printed(inspection(), force_terminal=True, color_system="truecolor")


def test_a_page_cannot_steer_the_terminal() -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J\x9b2J\r"
    seen = Extraction(headline=nasty, published_raw=nasty, evidence={"headline": nasty, nasty: nasty})
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed(inspection(seen)))


# -- ledger --------------------------------------------------------------------------------------------------------


def test_two_readings_are_laid_side_by_side() -> None:
    one, two, three = (Block(kind="paragraph", text=text, kept=True) for text in ("One.", "Two.", "Three."))
    dropped = Block(kind="paragraph", text="Two.", kept=False, reason="support", rule="appeal")
    lines = ledger(inspection(Extraction(blocks=(one, two)), today=Extraction(blocks=(dropped, three))))
    assert [(line.block.text, line.change_words) for line in lines] == [
        ("One.", "only stored"),
        ("Two.", "decided otherwise: today dropped, support (appeal)"),
        ("Three.", "only today"),
    ]
    assert [(one.reason, one.blocks) for one in sums(lines)] == [(None, 2)]


def test_json_names_the_differences() -> None:
    found = plain(inspection(today=Extraction(headline="Harbour open", blocks=SEEN.blocks[:2], access="full")))
    assert found["differences"]["fields"]["headline"] == {"stored": "Harbour reopens", "today": "Harbour open"}
    assert found["differences"]["fields"]["access"] == {"stored": "truncated", "today": "full"}
    assert [block["change"] for block in found["differences"]["blocks"]] == ["only stored"] * 3
    assert json.dumps(found)


def test_a_rule_is_looked_up() -> None:
    known = note_of("support-label", None)
    assert (known.origin, known.kind) == ("package", "support") and known.example
    assert note_of("rule-of-tomorrow", None).words == "built in"


# -- page ----------------------------------------------------------------------------------------------------------


def test_the_page_forbids_scripts_and_requests() -> None:
    page = html_page(hostile())
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page.replace("&#39;", "'")
    assert not re.search(
        r"<(script|img|link|iframe|object|form)\b|\son\w+=[^&]|url\(|@import", page.replace("&#34;", "&")
    )
    assert 'href="javascript' not in page


def test_the_page_links_only_to_itself_and_the_address() -> None:
    links = re.findall(r'href="(.*?)"', html_page(inspection()))
    assert {link for link in links if not link.startswith("#")} == {"https://herald.example/a"}


def test_every_link_inside_the_page_has_its_place() -> None:
    page = html_page(hostile())
    assert set(re.findall(r'href="#(.*?)"', page)) <= set(re.findall(r'\sid="(.*?)"', page))


def test_the_page_shows_both_readings() -> None:
    page = html_page(inspection(today=Extraction(headline="Harbour open", blocks=SEEN.blocks[:4])))
    assert "Harbour open" in page and "only stored" in page and "only differences" in page
    assert "only differences" not in html_page(inspection())


def schemes() -> dict[str, dict[str, str]]:
    """The style sheet's own variables: `light`, and `dark` with what it overrides."""
    sheet = files("crawler.web").joinpath("templates", "inspection.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): ([^;]+);", one)) for one in re.findall(r":root \{(.*?)\}", sheet, re.S)[:2]
    )
    return {"light": light, "dark": light | dark}


def luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(part / 255 for part in bytes.fromhex(colour.removeprefix("#")))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_every_ground(scheme: str) -> None:
    colours = schemes()[scheme]
    paper, tint = rgb(colours["paper"]), float(colours["tint"].rstrip("%")) / 100
    tinted = [
        tuple(tint * one + (1 - tint) * other for one, other in zip(rgb(hue), paper, strict=True))
        for hue in COLOURS.values()
    ]
    for ground in (paper, rgb(colours["raised"]), *tinted):
        for name in ("ink", "soft", "link", "warn"):
            dark, light = sorted((luminance(ground), luminance(rgb(colours[name]))))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_the_page_and_the_terminal_share_their_colours() -> None:
    sheet = files("crawler.web").joinpath("templates", "inspection.css").read_text(encoding="utf-8")
    assert dict(re.findall(r"\.family-(\w+) \{ --hue: (#\w+);", sheet)) == COLOURS


# -- browser -------------------------------------------------------------------------------------------------------

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# A page around ours that looks into it, as ours runs no script: what is shown before and after a switch is flipped.
ONLOOKER = """<!DOCTYPE html><title>onlooker</title><pre id="told"></pre><iframe src="/page.html" onload="
  const page = this.contentDocument, style = (it) => this.contentWindow.getComputedStyle(page.querySelector(it));
  const told = {text: page.body.textContent, before: style('.run').display, grid: style('.verdicts').display};
  for (const one of page.querySelectorAll('.legend input')) one.click();
  told.after = style('.run').display; told.kept = style('.line').display;
  told.scripts = page.scripts.length; told.images = page.images.length;
  document.getElementById('told').textContent = JSON.stringify(told)"></iframe>"""


class Desk(SimpleHTTPRequestHandler):
    """Serves a folder and notes what it is asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("NotingDesk", (Desk,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def dom(address: str, profile: Path) -> str:
    assert BROWSER
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    command = [BROWSER, *QUIET, nowhere, f"--user-data-dir={profile}", "--dump-dom", address]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=90).stdout


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
def test_a_browser_shows_the_page_runs_no_script_and_asks_for_nothing(
    desk: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = desk
    (tmp_path / "page.html").write_text(html_page(hostile()), encoding="utf-8")
    (tmp_path / "onlooker.html").write_text(ONLOOKER, encoding="utf-8")
    shown = dom(f"{address}/onlooker.html", tmp_path / "profile")
    (told,) = re.findall(r'<pre id="told">(.*?)</pre>', shown, re.S)
    found = json.loads(told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert HOSTILE in found["text"] and "Rules that dropped something" in found["text"]
    assert (found["scripts"], found["images"]) == (0, 0)
    assert (found["grid"], found["before"]) == ("grid", "block")
    assert (found["after"], found["kept"]) == ("none", "none")
    assert set(asked) <= {"/onlooker.html", "/page.html", "/favicon.ico"}


# -- command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper() -> Iterator[Newspaper]:
    with Newspaper() as newspaper:
        yield newspaper


@pytest.fixture(scope="module")
def crawled(
    paper: Newspaper, server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A database with one article of the newspaper in it, whose id is 1."""
    home = tmp_path_factory.mktemp("inspect")
    paper.write_seeds(home / "seeds")
    with cloned(server_url, template) as url:
        bench = Bench(seeds=home / "seeds", data_dir=home / "data", database_url=url)
        assert bench.crawl("page", "-a", f"url={paper.articles[0].url}").status == 0
        yield bench


def test_a_stored_article_by_its_id_and_by_its_address(crawled: Bench, paper: Newspaper) -> None:
    by_id, by_url, shown = crawled.each(
        ["inspect", "1", "--json"], ["inspect", paper.articles[0].url, "--stored", "--json"], ["inspect", "1"]
    )
    assert by_id.status == 0 and by_id.err == "" and by_id.out == by_url.out
    found = json.loads(by_id.out)
    assert (found["body"], found["stored"]["id"]) == (paper.articles[0].body, 1)
    assert found["stored"]["page_fetched_at"] and found["evidence"]["headline"]
    assert re.search(r"^stored article +1  \(revision 1 of ", shown.out, re.M)
    assert re.search(r"^raw page +20\d\d-.*bytes, status 200", shown.out, re.M)


def test_today_beside_stored(crawled: Bench, paper: Newspaper) -> None:
    same = json.loads(crawled.scrapy("inspect", "1", "--again", "--json").out)
    assert same["differences"] == {"fields": {}, "blocks": []}
    with psycopg.connect(crawled.database_url) as connection:
        connection.execute("UPDATE articles SET headline = 'As it was', blocks = blocks - 0")
    as_json, shown = crawled.each(["inspect", "1", "--again", "--json"], ["inspect", "1", "--again"])
    found = json.loads(as_json.out)
    assert found["differences"]["fields"]["headline"] == {"stored": "As it was", "today": paper.articles[0].headline}
    assert [block["change"] for block in found["differences"]["blocks"]] == ["only today"]
    assert f"≠ today: {paper.articles[0].headline}" in shown.out
    assert "blocks that today's reading changes: 1" in shown.out


def test_what_is_not_stored_is_told_in_one_line(crawled: Bench, paper: Newspaper) -> None:
    told = {
        ("4711",): "there is no stored article with the id 4711",
        ("9" * 30,): "there is no stored article with the id 999",
        (f"{paper.url}/nothing", "--stored"): f"there is no stored article from {paper.url}/nothing",
        ("1", "--source", "example_heralt"): "did you mean example_herald?",
        ("1", "--html", "/nowhere/at/all.html"): "cannot write /nowhere/at/all.html: No such file or directory",
    }
    for outcome, words in zip(crawled.each(*(["inspect", *call] for call in told)), told.values(), strict=True):
        assert outcome.status == 1 and words in outcome.err
        assert len(outcome.lines) == 1 and outcome.err.startswith("scrapy inspect: ")


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("1", {"json": True, "html": "-"}),
        ("page.html", {"again": True}),
        ("page.html", {"stored": True}),
        ("https://herald.example/a", {"again": True}),
        ("1", {"url": "https://herald.example/a"}),
    ],
)
def test_options_that_do_not_go_together_are_refused(target: str, options: dict[str, object]) -> None:
    given = {"json": False, "html": None, "again": False, "stored": False, "url": None} | options
    with pytest.raises(UsageError):
        check(target, argparse.Namespace(**given))


def test_a_page_of_html_to_a_file_and_to_standard_output(crawled: Bench, paper: Newspaper, tmp_path: Path) -> None:
    html = article_page(paper.articles[0], "https://herald.example").encode()
    to_file = crawled.scrapy("inspect", "-", "--html", str(tmp_path / "seen.html"), given=html)
    to_output = crawled.scrapy("inspect", "-", "--html", "-", given=html)
    assert to_file.status == to_output.status == 0 and to_file.out == to_file.err == ""
    assert (tmp_path / "seen.html").read_text(encoding="utf-8") == to_output.out
    assert to_output.out.startswith("<!DOCTYPE html>") and paper.articles[0].headline in to_output.out


def test_a_seeds_own_rules(crawled: Bench, tmp_path: Path) -> None:
    (crawled.seeds / "own_rules.yaml").write_text(
        "name: Own\nhomepage: https://own.example/\nboilerplate:\n"
        "  - {id: own-slogan, kind: support, equals: [Fair winds], drops: [Fair winds], keeps: [Winds were fair]}\n"
    )
    text = "".join(f"<p>The {n}th ship came into the harbour at noon, with grain from the south.</p>" for n in range(9))
    html = f"<html><body><article><h1>Ships</h1>{text}<p>Fair winds</p></article></body></html>".encode()
    shown = crawled.scrapy("inspect", "-", "--source", "own_rules", given=html).out
    assert "support · own-slogan · seed rule, kind support  Fair winds" in shown
    assert re.search(r"^source +own_rules  \(its own rules: 1\)", shown, re.M)
