"""The fake newspaper keeps its promises: what it lists it serves, and what it serves is what its articles say."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.site import Article, Newspaper
from tests.site.head import json_ld

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ATOM = "{http://www.w3.org/2005/Atom}"
PAPERS = ("herald", "kurier", "courrier")


@pytest.fixture(scope="module")
def paper() -> Iterator[Newspaper]:
    with Newspaper(faults=True, many=40) as newspaper:
        yield newspaper


def get(url: str, **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body; header names with _ for -."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def sitemap_urls(base: str) -> list[str]:
    found = []
    for sitemap in ET.fromstring(get(f"{base}/sitemap.xml")[2]).iter(f"{SITEMAP}loc"):
        content = get(sitemap.text or "")[2]
        content = gzip.decompress(content) if (sitemap.text or "").endswith(".gz") else content
        found += [location.text or "" for location in ET.fromstring(content).iter(f"{SITEMAP}loc")]
    return found


def squeezed(html: bytes) -> str:
    """The page's words without tags, entities and white space, as far as these tests need it."""
    text = re.sub(r"<[^>]+>", "", html.decode()).replace("&amp;", "&").replace("&#x27;", "'").replace("&quot;", '"')
    return re.sub(r"\s", "", text)


def test_there_is_a_variety_of_articles(paper: Newspaper) -> None:
    articles = paper.articles
    assert len(articles) >= 24
    assert {article.language for article in articles} >= {"en", "de", "fr", "es", "ru", "ja"}
    assert len({article.published.utcoffset() for article in articles}) >= 5
    short = ("harbour-bridge-closed", "ferry-crews-vote", "library-roof")
    assert [len(paper.article(slug).body) for slug in short] == [139, 299, 442]  # where trafilatura leaks the letter
    assert max(len(article.blocks) for article in articles) >= 20
    assert len({article.url for article in articles}) == len(articles)


def test_every_page_holds_the_body_and_what_is_to_be_dropped(paper: Newspaper) -> None:
    for article in paper.articles:
        status, _, html = get(article.url)
        words = squeezed(html)
        assert status == 200
        for block in article.blocks:
            assert re.sub(r"\s|\|", "", block.text) in words
        for texts in article.dropped.values():
            assert all(re.sub(r"\s", "", text) in words for text in texts), article.slug


def test_boilerplate_is_no_part_of_any_body(paper: Newspaper) -> None:
    for article in paper.articles:
        lines = set(article.body.split("\n"))
        assert article.headline not in lines
        assert not any(lines & set(texts) for texts in article.dropped.values())


def test_json_ld_has_the_dates_with_their_zone(paper: Newspaper) -> None:
    for article in paper.articles:
        html = get(article.url)[2].decode()
        data = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)[0])
        news = next(thing for thing in data.get("@graph", [data]) if thing["@type"] == "NewsArticle")
        assert news["datePublished"] == article.published.isoformat()
        assert news["isAccessibleForFree"] is article.free
        assert f'<link rel="canonical" href="{article.url}">' in html


def test_feeds_list_every_article(paper: Newspaper) -> None:
    for key in PAPERS:
        urls = {article.url for article in paper.articles if article.publication.key == key}
        items = list(ET.fromstring(get(f"{paper.url}/{key}/rss.xml")[2]).iter("item"))
        links = {(item.findtext("link") or "").partition("?")[0] for item in items}
        assert urls < links and len(links) == len(urls) + 1  # one item is no article
        dated = [item.findtext("pubDate") for item in items if item.findtext("pubDate")]
        assert all(parsedate_to_datetime(text or "").tzinfo for text in dated)
        atom = ET.fromstring(get(f"{paper.url}/{key}/atom.xml")[2])
        assert {link.get("href") for link in atom.iterfind(f"{ATOM}entry/{ATOM}link")} == urls


def test_sitemaps_list_every_article_once(paper: Newspaper) -> None:
    for key in PAPERS:
        urls = sitemap_urls(f"{paper.url}/{key}")
        written = {article.url for article in paper.articles if article.publication.key == key}
        generated = paper.generated[key]
        assert len(urls) == len(set(urls))
        assert set(urls) == written | {f"{paper.url}/{key}{generated.path(n)}" for n in generated.numbers}


def test_many_articles_come_in_chunks() -> None:
    with Newspaper(many=18_000) as paper:
        urls = sitemap_urls(f"{paper.url}/herald")
        index = ET.fromstring(get(f"{paper.url}/herald/sitemap.xml")[2])
        assert len(list(index)) == 4  # the news, the older written ones, 5,000 and 500 generated ones
        assert len(urls) == len(set(urls)) == 6_000 + sum(a.publication.key == "herald" for a in paper.articles)
        status, _, html = get(urls[-1])
        assert status == 200 and 30_000 < len(html) < 110_000


def test_generated_articles_are_the_same_each_time(paper: Newspaper) -> None:
    generated = paper.generated["kurier"]
    article = generated.article(generated.numbers[3])
    assert article == generated.article(generated.numbers[3])
    html = get(f"{paper.url}/kurier{article.path}")[2]
    assert re.sub(r"\s", "", article.blocks[-1].text) in squeezed(html)


def test_robots_and_what_is_no_article(paper: Newspaper) -> None:
    assert b"Disallow: /herald/private/" in get(f"{paper.url}/robots.txt")[2]
    assert b"/private/" in get(f"{paper.url}/herald/rss.xml")[2]
    assert get(f"{paper.url}/herald/private/minutes-of-the-board")[0] == 200
    assert get(f"{paper.url}/kurier/region/zurueckgezogen.html")[0] == 404
    assert [get(f"{paper.url}/herald{path}")[0] for path in ("/", "/about", "/latest", "/nowhere")] == [200] * 3 + [404]


def test_a_publication_has_a_host_of_its_own(paper: Newspaper) -> None:
    host = f"herald.localhost:{paper.url.rpartition(':')[2]}"
    robots = get(f"{paper.url}/robots.txt", Host=host)[2].decode()
    assert "Disallow: /private/" in robots and f"Sitemap: http://{host}/sitemap.xml" in robots
    assert f'href="http://{host}/2026/'.encode() in get(f"{paper.url}/", Host=host)[2]


def test_shared_robots_name_the_sitemaps_on_request() -> None:
    with Newspaper(robots_sitemaps=True) as paper:
        assert f"Sitemap: {paper.url}/kurier/sitemap.xml" in get(f"{paper.url}/robots.txt")[2].decode()


@pytest.mark.parametrize("path", ["/herald/", "/herald/rss.xml", "/herald/sitemap.xml", "/herald/news-sitemap.xml"])
def test_an_unchanged_resource_is_answered_with_304(paper: Newspaper, path: str) -> None:
    _, headers, _ = get(paper.url + path)
    assert get(paper.url + path, If_None_Match=headers["ETag"])[0] == 304
    assert get(paper.url + path, If_Modified_Since=headers["Last-Modified"])[0] == 304
    assert get(paper.url + path, If_None_Match='"other"', If_Modified_Since=headers["Last-Modified"])[0] == 200
    assert get(paper.url + path, If_Modified_Since="yesterday or so")[0] == 200


def test_an_edit_changes_the_article_and_what_lists_it() -> None:
    with Newspaper() as paper:
        before = paper.article("ferry-crews-vote")
        lists = [f"{paper.url}/herald/{name}" for name in ("atom.xml", "rss.xml", "sitemap.xml", "news-sitemap.xml")]
        tags = {url: get(url)[1]["ETag"] for url in [before.url, *lists]}
        after = paper.edit("ferry-crews-vote", "The talks began again on Wednesday.")
        assert after == paper.article("ferry-crews-vote")
        assert after.body == f"{before.body}\nThe talks began again on Wednesday."
        assert after.url == before.url and after.updated > before.updated
        assert all(get(url, If_None_Match=tag)[0] == 200 for url, tag in tags.items())
        assert b"began again" in get(after.url)[2]
        for name in ("atom.xml", "news-sitemap.xml"):
            assert after.updated.isoformat() in get(f"{paper.url}/herald/{name}")[2].decode()


def test_requests_are_recorded_and_connections_kept() -> None:
    with Newspaper() as paper:
        client = http.client.HTTPConnection("127.0.0.1", int(paper.url.rpartition(":")[2]), timeout=60)
        client.request("GET", "/herald/about", headers={"User-Agent": "tester"})
        length = len(client.getresponse().read())
        kept = client.sock
        client.request("HEAD", "/herald/about?x=1")
        answer = client.getresponse()
        assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, str(length), b"")
        assert client.sock is kept
        client.close()
        assert [(visit.path, visit.user_agent) for visit in paper.requests] == [
            ("/herald/about", "tester"),
            ("/herald/about", ""),
        ]


def test_seeds_name_what_is_served(paper: Newspaper, tmp_path: Path) -> None:
    paths = paper.write_seeds(tmp_path)
    assert [path.stem for path in paths] == ["example_herald", "beispiel_kurier", "courrier_exemple", "example_faults"]
    for path in paths:
        seed = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(seed) == {"name", "homepage", "language", "country", "feeds", "sitemaps", "articles"}
        assert all(get(url)[0] == 200 for url in [seed["homepage"], *seed["feeds"], *seed["sitemaps"]])
        assert not any(re.search(deny, a.url) for deny in seed["articles"]["deny"] for a in paper.articles)


def test_faults_are_faulty(paper: Newspaper) -> None:
    base = f"{paper.url}/faults"
    with pytest.raises(ET.ParseError):
        ET.fromstring(get(f"{base}/rss.xml")[2])
    assert b"&l9;" in get(f"{base}/sitemap.xml")[2]
    assert get(f"{base}/many-links")[2].count(b"<a ") == 50_000
    assert b"\0" in get(f"{base}/nul-bytes")[2]
    with pytest.raises(UnicodeDecodeError):
        get(f"{base}/wrong-charset")[2].decode()
    with Newspaper() as healthy:
        assert get(f"{healthy.url}/faults/rss.xml")[0] == 404


def test_json_ld_of_an_article_without_picture(paper: Newspaper) -> None:
    article: Article = paper.article("correction-of-a-map")
    assert "image" not in json_ld(article, paper.base(article.publication))


def test_it_runs_as_a_program_until_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.site", "--many", "3", "--seeds", str(tmp_path)]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert get(f"{url}/kurier/")[0] == 200
        assert url in (tmp_path / "beispiel_kurier.yaml").read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_taken_port_is_an_error(paper: Newspaper) -> None:
    with pytest.raises(OSError), Newspaper(port=int(paper.url.rpartition(":")[2])):
        pass


@pytest.mark.parametrize(
    "sent", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"POST /herald/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"]
)
def test_what_it_does_not_understand_is_refused(paper: Newspaper, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(paper.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(sent)
        assert connection.recv(1000).startswith(b"HTTP/1.1 405 ")
