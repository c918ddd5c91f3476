"""The examination examined: metrics, readers and injection on tiny invented pages, and the held-out wordings' form."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import accuracy, days, duplicates, scores, trial
from benchmarks.corpora import MissingData, Sample, load
from benchmarks.hosts import Host, cut, invented, parse, real_host, slots
from benchmarks.injection import PLACES, STYLES, left, make_case, own_words_lost, with_paragraphs
from benchmarks.served import Printed
from benchmarks.wordings import KINDS, MAIN, REPORTS, SITE, TAGS, Appeal, Reporting, Text, appeals, reporting
from crawler.items import Candidate
from crawler.sources import Source
from crawler.store import articles, crawls, frontier, intake
from crawler.store.engine import Database
from crawler.store.frontier import Visit
from tests.prose import prose
from tests.site.manners import manners
from tests.store.rows import an_article

TEXTS = (
    "The harbour master counted forty-one boats on Monday morning, two more than a year ago.",
    "Most of them had come from the islands, where the storm had torn away a good part of the pier.",
    "Nobody was hurt, but three crews spent the night in the gymnasium of the village school.",
    "A crane will be brought over by ferry before the end of the month, the county promised.",
)
LETTER = Appeal(
    "en",
    "main",
    "support",
    (Text("Read by many", "h3"), Text("Readers like you keep {site} afloat."), Text("Monthly", "button")),
)


def report() -> Reporting:
    return Reporting("en", "Storm fills the harbour", TEXTS, (Text("The fund raised nine thousand.", "news"),))


@pytest.fixture
def host() -> Host:
    return invented(report(), 1)


def paragraphs(html: bytes) -> list[str]:
    return [
        " ".join(str(element.xpath("string()")).split())
        for element in parse(html).iter("p", "h3", "button", "div")
        if not len(element)
    ]


def test_overlap_and_f1() -> None:
    same = scores.overlap("one two three four five", "one, two three; four five!")
    assert (same.hit, same.extra, same.lost, same.f1) == (2, 0, 0, 1.0)
    assert scores.overlap("one two three four five", "one two three four").f1 == pytest.approx(2 / 3)
    assert scores.overlap("", "").f1 == 1.0
    assert scores.overlap("one", "").f1 == 0.0


def test_corpus_f1_leaves_out_pages_without_output_or_truth() -> None:
    pages = [scores.Overlap(2, 2, 0), scores.Overlap(0, 0, 3)]
    assert scores.corpus_f1(pages) == pytest.approx(2 * 0.5 * 0.5 / 1.0)


def test_the_nearest_reference_counts() -> None:
    body, found = scores.best_reference(["a b c d e f", "b c d e f"], "b c d e f")
    assert body == "b c d e f"
    assert found.f1 == 1.0
    assert scores.exact(body, "b c d – e f")


def test_words_lost_counts_repetitions() -> None:
    assert scores.words_lost("a b b c", "b c d") == (2, 4)


def test_segments_do_not_mind_line_breaks() -> None:
    assert scores.segments(["one two"], ["menu"], "one\ntwo menu") == scores.Overlap(1, 1, 0)
    assert scores.segments(["one two"], ["menu"], "") == scores.Overlap(0, 0, 1)


def test_fields() -> None:
    assert scores.same_headline("“Now” – or never", '"now" - or  never')
    assert scores.authors_f1(["Ann Lee", "Bo Ek"], ["By Ann Lee"]) == pytest.approx(2 / 3)
    assert scores.same_instant("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, 0, 30, tzinfo=UTC))
    assert not scores.same_instant("2026-05-01T10:00:00+02:00", "2026-05-01")
    assert scores.same_day("2026-05-01T23:30:00-05:00", "2026-05-01")
    assert not scores.same_day("2026-05-01", None)


def write_corpora(root: Path, host: Host) -> None:
    """Three clones as small as can be: one page each."""
    page = gzip.compress(host.html)
    zyte = root / "scrapinghub+article-extraction-benchmark"
    fundus = root / "flairNLP+fundus/tests/resources/parser/test_data/xx"
    segments = root / "adbar+trafilatura/tests"
    for folder in (zyte / "html", fundus, segments / "cache"):
        folder.mkdir(parents=True)
    (zyte / "ground-truth.json").write_text(json.dumps({"k": {"articleBody": "\n\n".join(TEXTS), "url": host.url}}))
    (zyte / "html/k.html.gz").write_bytes(page)
    body = {"summary": [TEXTS[0]], "sections": [{"headline": [], "paragraphs": list(TEXTS[1:])}]}
    truth = {"body": body, "title": "Storm fills the harbour", "publishing_date": "2026-05-02T06:15:00+00:00"}
    (fundus / "Gazette.json").write_text(json.dumps({"V1": truth}))
    (fundus / "Gazette_2026_05_02.html.gz").write_bytes(page)
    entry = {"file": "page.html", "with": ["forty-one boats"], "without": ["© 2026"]}
    (segments / "evaldata.json").write_text(json.dumps({host.url: entry}))
    (segments / "cache/page.html").write_bytes(host.html)


def test_readers(tmp_path: Path, host: Host) -> None:
    write_corpora(tmp_path, host)
    assert load("zyte", tmp_path)[0].bodies == ("\n".join(TEXTS),)
    fundus = load("fundus", tmp_path)[0]
    assert fundus.bodies == ("\n".join(TEXTS), "\n".join(TEXTS[1:]))
    assert (fundus.language, fundus.title) == ("en", "Storm fills the harbour")
    assert load("segments", tmp_path)[0].wanted == ("forty-one boats",)
    with pytest.raises(MissingData, match="--data-root"):
        load("zyte", tmp_path / "nowhere")


def test_a_run_over_small_corpora(tmp_path: Path, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    write_corpora(tmp_path, host)
    figures = tmp_path / "figures.json"
    lines = "zyte,fundus,segments,dates,fields,cpu"
    accuracy.main(["--data-root", str(tmp_path), "--only", lines, "--no-peers", "--json", str(figures)])
    printed = capsys.readouterr().out
    assert "scrapinghub F1 / exact" in printed
    assert "appeals left" not in printed
    ours = json.loads(figures.read_text())["figures"]["ours"]
    assert ours["zyte_exact"] == ours["instant"] == ours["headline"] == 1.0
    assert ours["cpu"] > 0


def test_what_is_asked_for_wrongly_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="--data-root"):
        accuracy.main(["--data-root", str(tmp_path), "--only", "zyte", "--no-peers"])
    with pytest.raises(SystemExit):
        accuracy.main(["--only", "nonsense"])
    assert "no line is called nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("layout", range(3))
def test_the_run_of_paragraphs_is_found(layout: int) -> None:
    made = invented(report(), layout)
    assert len(slots(parse(made.html), made.own)) == len(TEXTS)
    found = real_host(Sample(id="k", corpus="zyte", html=made.html, url=made.url, bodies=("\n".join(TEXTS),)))
    assert found is not None
    assert (found.own, found.site) == (TEXTS, made.site)


def test_paragraphs_in_wrappers_are_found_and_copied() -> None:
    rows = "".join(f'<div class="row"><div class="x"><p class="t">{text}</p></div></div>' for text in TEXTS)
    html = f"<html><body><main>{rows}</main></body></html>".encode()
    wrapped = real_host(Sample(id="k", corpus="zyte", html=html, bodies=("\n".join(TEXTS),)))
    assert wrapped is not None
    case = make_case(wrapped, LETTER, "bare", "end", 1)
    assert b'<div class="row"><div class="x"><p class="t">Monthly</p></div></div>' in case.html


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("place", PLACES)
def test_an_appeal_stands_where_it_should(host: Host, style: str, place: str) -> None:
    case = make_case(host, LETTER, style, place, 1)
    found = paragraphs(case.html)
    letter = [block.text for block in case.appeal.blocks]
    assert letter[1] == f"Readers like you keep {host.site} afloat."
    start, own = found.index(letter[0]), case.host.own
    assert found[start : start + len(letter)] == letter
    before = sum(text in own for text in found[:start])
    assert before == {"top": 0, "middle": (len(own) + 1) // 2, "end": len(own)}[place]
    assert [text for text in found if text in TEXTS] == list(own)
    assert len(own) == len(TEXTS) if style != "short" else 1 <= len(own) <= 3


def test_styles_differ_in_markup(host: Host) -> None:
    pages = {style: make_case(host, LETTER, style, "end", 1).html.decode() for style in STYLES}
    assert "<button>Monthly</button>" in pages["styled"]
    assert 'class="css-' in pages["hashed"]
    assert "donat" not in pages["hashed"]
    assert '<p class="text-m">Monthly</p>' in pages["bare"]
    assert pages == {style: make_case(host, LETTER, style, "end", 1).html.decode() for style in STYLES}


def test_a_page_is_cut_with_its_data(host: Host) -> None:
    data = f'<script type="application/json">{json.dumps({"text": TEXTS[3]})}</script></body>'
    page = Host("h", "en", host.site, host.html.replace(b"</body>", data.encode()), host.url, host.own)
    short = cut(page, 2)
    assert short.own == TEXTS[:2]
    assert TEXTS[2] not in short.html.decode()
    assert TEXTS[3] not in short.html.decode()


def test_reporting_and_service_information(host: Host) -> None:
    texts = [Text("The fund raised nine thousand.", "news"), Text("Account 12-34, Harbour Fund.", "service")]
    found = paragraphs(with_paragraphs(host, texts, LETTER))
    order = [found.index(text) for text in (TEXTS[1], texts[0].text, TEXTS[3], texts[1].text, "Monthly")]
    assert order == sorted(order)


def test_what_is_left_is_counted_block_by_block() -> None:
    texts = ["Monthly", "Give monthly, or give once.", "Once"]
    assert left(texts, "News.\nGive monthly, or give once.", "News.") == [False, True, False]
    assert left(texts, "A monthly paper.", "A monthly paper.") == [False, False, False]
    assert left(texts, "News. Once Monthly", "News.") == [True, False, True]
    assert own_words_lost(["one two", "three"], "three", "one two three") == (2, 3)


def test_a_trial_without_real_pages() -> None:
    hosts = trial.gather([])
    cases = list(trial.cases(hosts))
    assert len(cases) == len(appeals()) * sum(trial.TURNS.values())
    nothing = trial.Before(lambda html, url: "")
    everything = trial.judge(cases[0], lambda html, url: " ".join(map(str, parse(html).itertext())), nothing)
    assert trial.share_left([everything]) == 1.0
    sheet = next(trial.sheets(hosts))
    assert all(one.lost for one in trial.judge_sheet(sheet, lambda html, url: ""))


def test_the_appeals_are_well_formed() -> None:
    found = appeals()
    assert {one.language for one in found if one.tier == "main"} == set(MAIN)
    for language in {one.language for one in found}:
        group = [one for one in found if one.language == language]
        assert len(group) >= (12 if language == "en" else 6 if language in MAIN else 3), language
        assert 2 * sum(any(SITE in block.text for block in one.blocks) for one in group) <= len(group), language
        assert any(one.kind == "support" and len(one.blocks) > 5 for one in group), language
    for one in found:
        assert one.tier in ("main", "rare")
        assert one.kind in KINDS
        assert one.blocks
        assert all(block.tag in TAGS and block.text.strip() for block in one.blocks)


def test_no_appeal_is_told_twice() -> None:
    long = [block.text for one in appeals() for block in one.blocks if len(block.text) > 60]
    assert len(long) == len(set(long))


def test_the_reporting_is_well_formed() -> None:
    found = reporting()
    assert set(found) == {one.language for one in appeals()}
    for language, one in found.items():
        assert one.headline
        assert len(one.article) >= 3, language
        assert len(one.about) >= (8 if language in MAIN else 3), language
        kinds = {text.tag for text in one.about}
        assert kinds <= set(REPORTS)
        assert {"quote", "column"} <= kinds


def test_copies_are_held_against_the_truth() -> None:
    tellings = [
        duplicates.Telling(article=an_article(number, body=prose(number, 60)), story=story, original=number in (0, 2))
        for number, story in enumerate("aabbc")
    ]
    found = duplicates.Found(tellings=tellings, cluster={0: 0, 1: 0, 3: 3, 4: 3})
    cells = duplicates.scores("", found).columns[1].cells
    assert [str(cell).partition("  ")[2] for cell in cells] == ["(1 of 2)"] * 4  # precision, recall, whole, original


def test_the_fate_of_what_was_printed(database: Database) -> None:
    urls = [f"http://www.herald.test/{number}" for number in range(5)]
    with database.engine.begin() as connection:
        crawl = crawls.begin(
            connection, "news", [Source(id="herald", name="Herald", homepage="http://herald.test/")], {}
        )
        found = [Candidate(url=url, source="herald", found_in="feed") for url in urls[:4]]
        intake.add(connection, "herald", found)
        due = {one.candidate.url: one.url_id for one in frontier.take(connection, crawl, {"herald": 3}, 3)}
        held = due.keys() - {urls[3]}
        first, *others = sorted(held)
        article = an_article(1, url=first, canonical_url=first, source="herald")
        visits = [Visit(url_id=due[url], source="herald", outcome="soft_404") for url in others]
        frontier.finish(connection, visits)
        [saved] = articles.save(connection, [article], [None])
        frontier.finish(connection, [Visit(url_id=due[first], source="herald", outcome="article", article_id=saved.id)])
        fate = days.fate_of(connection, [Printed(url[-1], url, 0.0) for url in urls])
    assert list(fate.stored) == [first[-1]]
    assert {one.url for one in fate.refused["soft_404"]} == set(others)
    assert {one.url for one in fate.missing} == set(urls) - held
    assert not fate.twice and not fate.merged and not fate.extra


def test_requests_are_told_apart() -> None:
    def row(t: int, path: str, status: int = 200, art: str = "") -> dict[str, object]:
        return {"t": t, "dur": 0.0, "host": "a.test", "path": path, "status": status, "art": art}

    rows = [
        row(1, "/robots.txt"), row(2, "/rss.xml"), row(3, "/1", art="1"), row(4, "/rss.xml", 304),
        row(5, "/1", art="1"), row(6, "/1", 304, "1"), row(7, "/about"),
    ]  # fmt: skip
    asked = days.requests_of(rows, {"http://a.test/rss.xml"})
    assert asked.of == {
        "robots.txt": 1, "lists, read": 1, "lists, not modified": 1, "articles, first": 1, "articles, again": 1,
        "articles, not modified": 1, "other pages": 1,
    }  # fmt: skip
    assert asked.pages == 3 and asked.useless == pytest.approx(2 / 3)
    seen = manners(rows, 1.5)
    assert (seen.requests, seen.hosts, seen.min_gap, seen.too_soon) == (7, 1, 1, 5)
    assert not seen.before_robots and not seen.forbidden
