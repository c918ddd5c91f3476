"""How well are articles, listings and other pages told apart by their links?

    python -m newsweb --data ... --port 8765 &         the local web, in its own folder
    python -m benchmarks.links --newsweb http://127.0.0.1:8765 [--show 20]

Walks the home page and the sections of every host with their further pages, as a crawl would, and classifies each
different link on them twice: cold, and warm with the shapes of the host's feed and news sitemap. Also counted: the
sitemap's entries that are kept (articles must be, /about and /world need not), and the articles that the walk reached.
Not judged: links out of the local web, and /print and /amp of articles that need a query, which newsweb links without.

November 2026, precision / recall, cold and warm alike. The weights were tuned with these hosts in view:

    newsweb                       links   article        listing        other          sitemap articles   reached
    138 hosts of the data sets    2,547   1.000 / 1.000  1.000 / 0.997  0.999 / 1.000  0.969 / 1.000      190 of 190
    --synthetic 500                 880   1.000 / 1.000  1.000 / 1.000  1.000 / 1.000  1.000 / 1.000      500 of 500
    both, --traps                 3,575   1.000 / 1.000  1.000 / 0.997  1.000 / 1.000  0.991 / 1.000      690 of 690

One miss: /weather, a section of one host. Six entries of sitemap-pages.xml are kept for want of a sign, such as
/my-europe and /auto-industry-news: one fetch each, after which the page's type is known.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.error import URLError
from urllib.parse import parse_qsl, unquote, urlsplit

from crawler.discovery.feed import candidates_from_feed
from crawler.discovery.links import KINDS, Kind, classify, is_listing_url, outline
from crawler.discovery.listing import parse_listing
from crawler.discovery.shapes import Shapes
from crawler.discovery.sitemap import parse_sitemap
from crawler.items import Candidate
from crawler.sources import Source
from crawler.urls import canonical_url

PAGES = 60  # of one host
MACHINERY = {"about", "contact", "login", "newsletter", "privacy", "jobs"}  # newsweb's pages of no kind


class Web:
    """The local web, reached as a proxy."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": address}))

    def get(self, url: str) -> bytes:
        try:
            with self._opener.open(url, timeout=60) as answer:
                return bytes(answer.read())
        except (URLError, OSError):
            return b""

    def control(self, name: str) -> list[dict[str, str]] | dict[str, int]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.address}/_newsweb/{name}", timeout=60) as answer:
            found: list[dict[str, str]] | dict[str, int] = json.load(answer)
        return found


@dataclass
class Truth:
    """What each address of a host is."""

    articles: set[str]
    ids: set[str]
    sections: set[str] = field(default_factory=set)

    def kind(self, url: str) -> Kind | None:
        """None for what is no address of the local web, and for an article's without the query that it needs."""
        parts = urlsplit(url)
        if parts.scheme != "http":
            return None
        first, _, rest = parts.path.lstrip("/").partition("/")
        if identity(url) in self.articles or (first == "s" and rest in self.ids):
            return "article"
        if first in ("amp", "print") and identity(f"{parts.scheme}://{parts.netloc}/{rest}") in self.articles:
            return "article"
        paths = {key.partition("?")[0] for key in self.articles}
        if unquote(parts.path) in paths or (first in ("amp", "print") and f"/{unquote(rest)}" in paths):
            return None
        if first in self.sections and (not rest or rest.startswith("page/")):
            return "listing"
        return "other" if first else "listing"


def identity(url: str) -> str:
    parts = urlsplit(url)
    return f"{unquote(parts.path).rstrip('/')}?{sorted(parse_qsl(parts.query, keep_blank_values=True))}"


@dataclass
class Count:
    """Links by what they are and what they were taken for."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    misses: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(self, truth: str, guess: str, host: str, url: str, evidence: str) -> None:
        self.pairs[truth, guess] += 1
        if truth != guess:
            self.misses.append((host, truth, guess, url, evidence))

    def precision(self, kind: str) -> float:
        guessed = sum(number for (_, guess), number in self.pairs.items() if guess == kind)
        return self.pairs[kind, kind] / guessed if guessed else 1.0

    def recall(self, kind: str) -> float:
        there = sum(number for (truth, _), number in self.pairs.items() if truth == kind)
        return self.pairs[kind, kind] / there if there else 1.0


def walk(web: Web, host: str, source: Source, truth: Truth) -> Iterator[tuple[str, bytes]]:
    """The listings that a cold crawl comes by, with their bodies."""
    queue, seen = [f"http://{host}/"], set[str]()
    while queue and len(seen) < PAGES:
        url = queue.pop(0)
        if url in seen:
            continue
        seen.add(url)
        body = web.get(url)
        if truth.kind(url) == "listing":
            yield url, body
        listing = parse_listing(body, url=url, source=source, shapes=Shapes())
        queue += [*filter(None, [listing.next_page]), *listing.sections]


def taught(web: Web, host: str, source: Source) -> Shapes:
    """What the host's feed and news sitemap teach."""
    feed = candidates_from_feed(web.get(f"http://{host}/rss.xml"), url=f"http://{host}/rss.xml", source=source)
    news = parse_sitemap(web.get(f"http://{host}/sitemap-news.xml"), url=f"http://{host}/", source=source)
    listed = {candidate.url for candidate in (*feed, *news) if isinstance(candidate, Candidate)}
    return Shapes.of(articles=sorted(listed))


def judge_links(pages: Iterable[tuple[str, bytes]], host: str, truth: Truth, shapes: Shapes, count: Count) -> set[str]:
    """Judge each different link once, as it stands where it looks most like an article; returns the articles' keys."""
    found: dict[str, tuple[Kind, str]] = {}
    for url, body in pages:
        for link in outline(body, url).links:
            verdict = classify(link, shapes, f"http://{host}/")
            if link.url not in found or KINDS.index(verdict.kind) < KINDS.index(found[link.url][0]):
                found[link.url] = verdict.kind, verdict.evidence
    for url, (kind, evidence) in found.items():
        if is_known := truth.kind(url):
            count.add(is_known, kind, host, url, evidence)
    return {identity(url) for url, (kind, _) in found.items() if kind == "article"}


def judge_sitemaps(web: Web, host: str, truth: Truth, source: Source, shapes: Shapes, count: Count) -> None:
    """Whether entries of the sitemaps are kept: as "article", or dropped as "other"."""
    urls = {article.url for name in ("pages.xml", "articles-1.xml.gz") for article in _entries(web, host, name, source)}
    for url in sorted(urls):
        dropped = is_listing_url(url, shapes, f"http://{host}/")
        is_article = truth.kind(url) == "article"
        count.add("article" if is_article else "other", "other" if dropped else "article", host, url, "sitemap")


def _entries(web: Web, host: str, name: str, source: Source) -> Iterator[Candidate]:
    url = f"http://{host}/sitemap-{name}"
    body = web.get(url)
    return (entry for entry in parse_sitemap(body, url=url, source=source) if isinstance(entry, Candidate))


def run(web: Web) -> dict[str, Count]:
    """Counts for links and sitemaps, cold and warm, and for the articles that a cold walk reaches."""
    articles = web.control("articles")
    assert isinstance(articles, list)
    counts = {name: Count() for name in ("cold", "warm", "sitemaps cold", "sitemaps warm", "reached cold")}
    for host in web.control("sites"):
        own = [article for article in articles if urlsplit(article["url"]).hostname == host]
        truth = Truth({identity(canonical_url(article["url"]) or "") for article in own}, {a["id"] for a in own})
        source = Source(id="newsweb", name=str(host), homepage=f"http://{host}/")
        pages = {entry.url for entry in _entries(web, str(host), "pages.xml", source)}
        truth.sections = {urlsplit(url).path.strip("/") for url in pages} - MACHINERY
        shapes = taught(web, str(host), source)
        seen = list(walk(web, str(host), source, truth))
        reached = judge_links(seen, str(host), truth, Shapes(), counts["cold"])
        judge_links(seen, str(host), truth, shapes, counts["warm"])
        judge_sitemaps(web, str(host), truth, source, Shapes(), counts["sitemaps cold"])
        judge_sitemaps(web, str(host), truth, source, shapes, counts["sitemaps warm"])
        for key in truth.articles:
            counts["reached cold"].add("article", "article" if key in reached else "missed", str(host), key, "")
    return counts


def _gravity(miss: tuple[str, str, str, str, str]) -> tuple[bool, tuple[str, ...]]:
    return "article" not in miss[1:3], miss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--newsweb", required=True, metavar="URL", help="address of a running newsweb")
    parser.add_argument("--show", type=int, default=20, metavar="N", help="the first N misses of each count")
    options = parser.parse_args()
    for name, count in run(Web(options.newsweb)).items():
        print(f"\n{name}: {sum(count.pairs.values())}")
        for kind in KINDS:
            precision, recall = count.precision(kind), count.recall(kind)
            total = sum(number for (truth, _), number in count.pairs.items() if truth == kind)
            if total:
                print(f"  {kind:8} {total:6}  precision {precision:.4f}  recall {recall:.4f}")
        for host, truth, guess, url, evidence in sorted(count.misses, key=_gravity)[: options.show]:
            print(f"    {host}: {truth} taken for {guess}: {url}  ({evidence})")


if __name__ == "__main__":
    main()
