"""Pages in a real headless Chromium, from a real server: what comes of them, and what they cannot reach."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from scrapy import Request
from scrapy.http import TextResponse

from crawler.downloader.browser import PACKAGE_MISSING, PROGRAM_MISSING, PROGRAMS, as_rendered, is_renderable
from crawler.downloader.browser.errors import NotRendered
from crawler.downloader.browser.kept import Answer as Told
from crawler.downloader.browser.kept import Kept, freshness
from crawler.downloader.browser.subresources import is_tracker
from crawler.extraction import extract
from tests.downloader.rendered import render, started
from tests.downloader.server import Answer, Hosts, serve
from tests.runs import command_lines_with, until

PROGRAM = next(filter(None, map(shutil.which, [os.environ.get("CHROMIUM", ""), *PROGRAMS])), None)
LACKING = PROGRAM_MISSING if PROGRAM is None else PACKAGE_MISSING if find_spec("playwright") is None else None
NAMES = {"news.test": "127.0.0.1", "cdn.test": "127.0.0.1"}
OPEN = {"ALLOW_PRIVATE_NETWORKS": True}
PARAGRAPHS = [
    f"Paragraph {number} of the report tells at some length what the harbour council decided on the evening of the "
    f"meeting, who spoke against it, and how the {number} ferries will be paid for in the years to come."
    for number in range(8)
]
HTML, SCRIPT, JSON = ({"Content-Type": kind} for kind in ("text/html", "text/javascript", "application/json"))


@pytest.fixture
def program() -> str:
    """A Chromium's path; where CI is true, there has to be one."""
    if LACKING is not None and os.environ.get("CI", "").lower() == "true":
        pytest.fail(LACKING)
    if PROGRAM is None or LACKING is not None:
        pytest.skip(str(LACKING))
    return PROGRAM


def site(
    pages: Mapping[str, str | Answer], *, robots: str = "", more: Callable[[str, str], Answer | None] | None = None
) -> Callable[[str, str, int], Answer]:
    """A server's script: HTML or a whole answer by path."""

    def script(host: str, path: str, before: int) -> Answer:
        if path == "/robots.txt":
            return Answer(body=robots.encode()) if robots else Answer(status=404)
        found = (more and more(host, path)) or pages.get(path) or Answer(status=404, headers=HTML)
        return found if isinstance(found, Answer) else Answer(headers=HTML, body=found.encode())

    return script


def at(hosts: Hosts, *paths: str) -> list[str]:
    return [f"http://news.test:{hosts.port}{path}" for path in paths]


# -- what a page becomes ------------------------------------------------------------------------------------------

SHELL = """<!doctype html><html><head><meta charset="iso-8859-1"><title>Harbour report</title>
<link rel="stylesheet" href="/style.css"><script src="/app.js" defer></script></head>
<body><div id="app">Loading</div><img src="/photo.jpg"><p id="seen"></p></body></html>"""
APP = """
document.getElementById('seen').textContent = [navigator.userAgent, document.cookie, localStorage.seen].join('|');
document.cookie = 'seen=1'; localStorage.seen = 'stored';
fetch('http://google-analytics.com/collect'); navigator.sendBeacon('/beacon', 'x');
fetch('/api/view', {method: 'POST', body: '{}'});
fetch('/api/article.json').then(answer => answer.json()).then(article => {
  const paragraphs = article.paragraphs.map(text => '<p>' + text + '</p>').join('');
  document.getElementById('app').innerHTML = '<article><h1>' + article.headline + '</h1>' + paragraphs + '</article>';
});
"""
ARTICLE = {"headline": "Hafenrat beschließt neue Fähren", "paragraphs": PARAGRAPHS}


def test_an_article_that_a_script_fetches_is_there_whole(program: str) -> None:
    validated = {**HTML, "ETag": '"shell"', "Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT", "X-Robots-Tag": "all"}
    shell = Answer(headers=validated, body=SHELL.encode())
    pages: dict[str, str | Answer] = {
        "/1": shell,
        "/2": shell,
        "/old": Answer(status=302, headers={"Location": "/3"}),
        "/3": shell,
        "/app.js": Answer(headers=SCRIPT, body=APP.encode()),
        "/api/article.json": Answer(headers=JSON, body=json.dumps(ARTICLE).encode()),
        "/gone": Answer(status=404, headers=HTML, body=SHELL.encode()),
        "/text": Answer(headers={"Content-Type": "text/plain"}, body=SHELL.encode()),
    }
    with serve(site(pages)) as hosts:
        urls = at(hosts, "/1", "/2", "/old", "/gone", "/text")
        crawled = render(urls, OPEN | {"RENDER_PAGES": 1}, names=NAMES)
    assert crawled.failures == {}
    for url in urls[:3]:
        html = crawled.pages[url]
        found = extract(html.encode(), url)
        assert found.headline == ARTICLE["headline"]
        assert [block.text for block in found.blocks if block.kept and block.kind == "paragraph"] == PARAGRAPHS
        assert '<p id="seen">TestBot/1.0 (+http://bot.test/)||</p>' in html  # our name; nothing kept of another page
        assert "/photo.jpg" in html
        headers = crawled.headers[url]
        assert headers[":status"] == "200" and headers["content-type"] == "text/html; charset=utf-8"
        assert headers["x-robots-tag"] == "all" and not {"etag", "last-modified"} & headers.keys()
    assert "Loading" in crawled.pages[urls[3]] and "Loading" in crawled.pages[urls[4]]  # no answer to be rendered
    paths = hosts.paths("news.test")
    assert paths.count("/app.js") == 1  # kept for the next page
    assert paths.count("/api/article.json") == 3
    assert set(paths) == {*pages, "/app.js", "/api/article.json"}  # no style, no image, no beacon, no POST, no icon
    assert {visit.host for visit in hosts.visits} == {"news.test"}
    assert crawled.stats["render/pages"] == 3


def test_what_did_not_come_today_is_no_page_without_an_article(program: str) -> None:
    def ask(path: str) -> str:
        return f"<p>Loading</p><script>fetch('{path}').catch(() => {{}})</script>"

    pages: dict[str, str | Answer] = {
        "/down": ask("/api/down"),
        "/missing": ask("/api/missing"),
        "/elsewhere": ask("http://cdn.test:1/"),
        "/enough": ask("/api/down") + "<script>document.body.append('word '.repeat(200))</script>",
        "/api/down": Answer(status=503),
    }
    with serve(site(pages)) as hosts:
        urls = at(hosts, "/down", "/missing", "/elsewhere", "/enough")
        crawled = render(urls, OPEN, names=NAMES)
    assert set(crawled.pages) == set(urls[1:])
    assert crawled.failures[urls[0]].startswith("render_failed: what its scripts asked for did not come: http://news")


def test_nothing_is_kept_that_must_not_be() -> None:
    def told(status: int = 200, control: str = "") -> Told:
        return Told(status=status, headers={"cache-control": control}, body=b"x")

    assert freshness(told()) > 0 and freshness(told(control="public, max-age=31536000")) == 31536000
    assert freshness(told(404)) > 0
    for one in (told(503), told(control="no-store"), told(control="max-age=0"), told(control="private, max-age=9")):
        assert freshness(one) == 0


def test_scripts_that_are_kept_take_no_more_room_than_they_may() -> None:
    asked: list[str] = []

    async def ask(kept: Kept, key: str, size: int) -> None:
        async def fetch() -> Told:
            asked.append(key)
            await asyncio.sleep(0)
            return Told(status=200, headers={}, body=b"x" * size)

        await kept.get(key, fetch)

    async def scenario() -> None:
        kept = Kept(most_bytes=100)
        await asyncio.gather(ask(kept, "a", 40), ask(kept, "a", 40))
        await ask(kept, "b", 40)
        await ask(kept, "a", 40)
        await ask(kept, "c", 40)  # b was used longest ago
        await ask(kept, "a", 40)
        await ask(kept, "huge", 101)
        await ask(kept, "b", 40)

    asyncio.run(scenario())
    assert asked == ["a", "b", "c", "huge", "b"]


@pytest.mark.parametrize(
    ("url", "tracker"),
    [
        ("https://www.google-analytics.com/g/collect", True),
        ("https://securepubads.g.doubleclick.net/tag.js", True),
        ("https://herald.example/doubleclick.net.js", False),
        ("https://notdoubleclick.net/", False),
        ("https://[::1]/", False),
    ],
)
def test_trackers(url: str, tracker: bool) -> None:
    assert is_tracker(url) is tracker


@pytest.mark.parametrize(
    ("status", "content_type", "body", "renderable"),
    [
        (200, "text/html; charset=utf-8", b"x", True),
        (200, "Application/XHTML+XML", b"x", True),
        (200, None, b"x", True),
        (200, "text/html", b"", False),
        (200, "application/rss+xml", b"x", False),
        (304, "text/html", b"x", False),
        (404, "text/html", b"x", False),
    ],
)
def test_what_is_rendered(status: int, content_type: str | None, body: bytes, renderable: bool) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert is_renderable(TextResponse("http://news.test/", status=status, headers=headers, body=body)) is renderable


def test_the_rendered_page_is_utf_8_whatever_the_answer_was() -> None:
    headers = {"Content-Type": "text/html; charset=windows-1251", "ETag": "x", "Vary": "Accept"}
    request = Request("http://news.test/")
    response = TextResponse("http://news.test/", headers=headers, body=b"\xcf", request=request, flags=["a"])
    found = as_rendered(response, "<p>Привет \ud800</p>")
    assert found.body.decode() == "<p>Привет ?</p>" and found.text == found.body.decode()
    assert found.headers.to_unicode_dict() == {"Vary": "Accept", "Content-Type": "text/html; charset=utf-8"}
    assert found.request is request and found.flags == ["a", "rendered"]


# -- what a page cannot do ----------------------------------------------------------------------------------------

ATTEMPTS = """<!doctype html><title>t</title><body><p id="tried"></p><script>
const tried = text => document.getElementById('tried').append(text + ' ');
const add = (name, attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
const safely = attempt => { try { attempt() } catch (error) { tried(error.name) } };
for (const target of TARGETS) {
  fetch(target + 'fetch').then(() => tried('FETCHED'), () => tried('refused'));
  fetch(target + 'post', {method: 'POST', mode: 'no-cors', body: 'x'}).catch(() => {});
  const request = new XMLHttpRequest(); request.open('GET', target + 'xhr'); request.send();
  navigator.sendBeacon(target + 'beacon', 'x');
  add('iframe', {src: target + 'iframe'}); add('img', {src: target + 'img'}); add('script', {src: target + 'script'});
  add('object', {data: target + 'object'}); add('video', {src: target + 'video'});
  for (const rel of ['prefetch', 'preconnect', 'dns-prefetch', 'preload', 'modulepreload', 'manifest', 'icon'])
    add('link', {rel, as: 'script', href: target + rel});
  add('script', {type: 'speculationrules', textContent: JSON.stringify(
    {prefetch: [{source: 'list', urls: [target + 'speculation']}]})});
  safely(() => new WebSocket(target.replace('http', 'ws') + 'socket'));
  safely(() => new EventSource(target + 'events'));
  safely(() => new Worker(URL.createObjectURL(new Blob([
    `fetch('${target}worker'); new WebSocket('${target.replace('http', 'ws')}worker-socket');
     importScripts('${target}import')`]))));
  safely(() => new SharedWorker(URL.createObjectURL(new Blob([`fetch('${target}shared')`]))));
  safely(() => navigator.serviceWorker.register('/worker.js'));
  open(target + 'popup');
  const {host, hostname} = new URL(target);
  safely(() => new WebTransport(`https://${hostname}:UDP/transport`).ready.catch(() => {}));
  safely(() => {
    const peers = new RTCPeerConnection({iceServers: [{urls: `stun:${hostname}:UDP`},
      {urls: `turn:${host}?transport=tcp`, username: 'a', credential: 'b'}]});
    peers.createDataChannel('x'); peers.createOffer().then(offer => peers.setLocalDescription(offer));
  });
}
setTimeout(() => { location = TARGETS[0] + 'navigation' }, 700);
</script>"""
WORKER = "self.oninstall = () => { for (const target of TARGETS) fetch(target + 'service'); skipWaiting() }"


def attempts(text: str, targets: list[str], udp: int = 9) -> str:
    return text.replace("UDP", str(udp)).replace("TARGETS", json.dumps(targets))


def test_a_page_reaches_no_private_address(program: str) -> None:
    with serve(site({"/secret": "secret"})) as victim, serve(lambda host, path, before: page(host, path)) as proxy:
        literals = ["127.0.0.1", "localhost", "2130706433", "[::1]", "169.254.169.254", "private.test"]
        targets = [f"http://{host}:{victim.port}/" for host in literals]
        redirects = ["http://news.test/away?", "http://news.test/away-by-name?"]

        def page(host: str, path: str) -> Answer:
            if path in ("/away", "/away-by-name"):
                to = "127.0.0.1" if path == "/away" else "private.test"
                return Answer(status=302, headers={"Location": f"http://{to}:{victim.port}/secret"})
            if path == "/worker.js":
                return Answer(headers=SCRIPT, body=attempts(WORKER, targets).encode())
            if path == "/article":
                return Answer(headers=HTML, body=attempts(ATTEMPTS, [*targets, *redirects]).encode())
            return Answer(status=404)

        address = f"http://proxy.test:{proxy.port}"
        crawled = render(
            ["http://news.test/article"],
            {"TRUSTED_PROXIES": [address]},
            names={"proxy.test": "127.0.0.1", "private.test": "127.0.0.1"},
            environment={"http_proxy": address, "no_proxy": "private.test"},  # whose address our resolver judges
        )
    assert crawled.failures == {}
    said = crawled.pages["http://news.test/article"].partition('id="tried">')[2].partition("</p>")[0]
    assert said.count("refused") == len(targets) + len(redirects) and "FETCHED" not in said
    assert victim.visits == []
    assert {visit.host for visit in proxy.visits} == {"news.test"}
    assert crawled.stats["downloader/blocked_addresses"] > 0
    assert "/away" in proxy.paths("news.test")  # the redirect was tried, and its target refused


@pytest.mark.parametrize("cut_off", [True, False])
def test_what_is_not_intercepted_goes_nowhere(program: str, monkeypatch: pytest.MonkeyPatch, cut_off: bool) -> None:
    """A secure page, which may use more, without our interception; and the same in a Chromium that has a network."""
    from crawler.downloader.browser import chromium

    if not cut_off:
        monkeypatch.setattr(chromium, "NO_NETWORK", ())
    with serve(site({})) as victim, packets() as udp:
        targets = [f"http://{host}:{victim.port}/" for host in ("127.0.0.1", "localhost")]

        async def scenario() -> None:
            async with opened(program) as context:
                page = await context.new_page()
                body = attempts(ATTEMPTS, targets, udp.getsockname()[1])
                await page.route("https://news.test/", lambda route: route.fulfill(body=body, content_type="text/html"))
                await page.goto("https://news.test/", wait_until="commit")
                if cut_off:
                    await asyncio.sleep(3)  # nothing to wait for if all is well
                else:  # so the attempts above are some
                    await asyncio.to_thread(until, lambda: "/popup" in victim.paths("127.0.0.1") and received(udp))

        asyncio.run(scenario())
        assert not cut_off or (victim.visits == [] and not received(udp))


def test_what_a_page_may_not_fetch_is_not_fetched(program: str) -> None:
    ask = "".join(f"<script>fetch('{path}')</script>" for path in ("/open/1", "/closed/1", "//cdn.test:PORT/closed/1"))
    pages = {"/open/1": "1", "/closed/1": "1", "/app.js": "1"}

    def more(host: str, path: str) -> Answer | None:
        text = "<p>text</p><script src='/closed/app.js'></script>" + ask.replace("PORT", str(hosts.port))
        return Answer(headers=HTML, body=text.encode()) if path == "/article" else None

    with serve(site(pages, robots="User-agent: *\nDisallow: /closed/", more=more)) as hosts:
        crawled = render(at(hosts, "/article"), OPEN, names=NAMES)
    assert crawled.failures == {}
    assert hosts.paths("news.test") == ["/article", "/open/1"]
    assert hosts.paths("cdn.test") == []
    assert [visit.path for visit in hosts.to("cdn.test", robots=True)] == ["/robots.txt"]


def test_parts_of_a_page_keep_to_the_hosts_limits(program: str) -> None:
    scripts = "".join(f"<script src='/{number}.js'></script>" for number in range(6))
    pages: dict[str, str | Answer] = {f"/{number}.js": Answer(headers=SCRIPT, pause=0.2) for number in range(6)}
    with serve(site({"/article": "<p>text</p>" + scripts, **pages})) as hosts:
        settings = OPEN | {"DOWNLOAD_DELAY": 2, "DOWNLOAD_DELAY_JITTER": 0}
        crawled = render(at(hosts, "/article", "/article?2"), settings, names=NAMES)
    assert crawled.failures == {}
    assert len(hosts.to("news.test")) == 8
    assert hosts.most_at_once("news.test") == 2
    entered = [delay for what, *_, delay in crawled.calls if what == "enter"]
    assert sorted(entered) == [0] * 6 + [2] * 3  # robots.txt and two pages: other processes keep their distance, too
    assert len([call for call in crawled.calls if call[0] == "leave"]) == 9
    came = [visit.came for visit in hosts.to("news.test") if visit.path == "/article"]
    assert came[1] - came[0] > 1.5  # pages keep their distance
    two = {"/article": "<p>text</p><script src='/1.js'></script><script src='/2.js'></script>", **pages}
    with serve(site(two, robots="User-agent: *\nCrawl-delay: 1")) as hosts:
        crawled = render(at(hosts, "/article"), OPEN, names=NAMES)
    assert crawled.failures == {}
    came = [visit.came for visit in hosts.to("news.test", robots=True)]
    assert len(came) == 4
    assert min(after - before for before, after in pairwise(came[1:])) > 0.4  # at once it would be 0


ENDLESS = {
    "/loop": "<script>for (;;);</script><p>below</p>",
    "/grows": "<p>below</p><script>setInterval(() => document.body.append('more '), 20)</script>",
    "/reloads": "<p>below</p><script>setInterval(() => location.reload(), 20)</script>",
    "/asks": "<p>below</p><script>document.body.append('word '.repeat(99));"
    "const ask = () => fetch('/slow').then(ask, ask); ask()</script>",
    "/closes": "<p>below</p><script>window.close(); alert(1); print(); location = '/loop'</script>",
    "/flood": "<script>let n = 0; setInterval(() => { for (;n++ % 99;) fetch('/n' + n) }, 1)</script>",
    "/leaves": "<p>below</p><script>location = 'about:blank'</script>",
    "/swells": "<script>const all = []; setInterval(() => all.push(new Uint8Array(5e7).fill(1)), 5)</script>",
    "/large": "<p>below</p><script>document.body.append('x'.repeat(3e6))</script>",
    "/loads": "<p>below</p><script src='/huge.js'></script>",
}


def test_endless_and_swelling_pages_are_bounded(program: str) -> None:
    huge = Answer(headers=SCRIPT, body=b"document.body.append('HUGE');" + b" " * 3_000_000)
    with serve(site({**ENDLESS, "/huge.js": huge, "/slow": Answer(pause=0.3)})) as hosts:
        settings = {"RENDER_TIMEOUT": 3, "DOWNLOAD_MAXSIZE": 2_000_000, "RENDER_MEMORY_MB": 500, "RENDER_PAGES": 1}
        paths, pages, told = list(ENDLESS), dict[str, str](), dict[str, str]()
        for _ in range(3):
            crawled = render(at(hosts, *paths), OPEN | settings, names=NAMES)
            pages |= {url.rpartition("/")[2]: html for url, html in crawled.pages.items()}
            told |= {url.rpartition("/")[2]: error for url, error in crawled.failures.items()}
            # What a busy machine did not even open is asked for again.
            paths = [f"/{name}" for name in told if "did not open it" in told[name] and name not in ("flood", "swells")]
            told = {name: error for name, error in told.items() if f"/{name}" not in paths}
            if not paths:
                break
    failures = {name: error.partition(":")[0] for name, error in told.items()}
    either = {failures.pop("flood"), failures.pop("swells")}  # whichever is first: its memory or its time
    assert either <= {"render_failed", "timeout"}, told
    failed = {"leaves": "render_failed", "large": "too_large"}
    assert failures == failed, told
    assert set(pages) == {path[1:] for path in ENDLESS} - failed.keys() - {"flood", "swells"}
    assert all("<p>below</p>" in html for html in pages.values())
    assert "HUGE" not in pages["loads"]


# -- the browser itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "without", "message"),
    [
        ({"CHROMIUM": "/nowhere/chromium"}, [], PROGRAM_MISSING),
        ({"CHROMIUM": "true"}, ["playwright"], PACKAGE_MISSING),
        ({"CHROMIUM": "false"}, [], "false does not start: "),
    ],
)
def test_without_a_browser_such_pages_are_left_out(settings: dict[str, str], without: list[str], message: str) -> None:
    if "does not start" in message and find_spec("playwright") is None:
        pytest.skip(PACKAGE_MISSING)
    with serve(site({"/1": "1", "/2": "2", "/plain": "plain"})) as hosts:
        urls = at(hosts, "/1", "/2", "/plain")
        crawled = render(urls, OPEN | settings, names=NAMES, without=without)
    assert set(crawled.failures) == set(urls[:2])
    assert all(error.startswith("browser_missing: ") and message in error for error in crawled.failures.values())
    assert crawled.pages == {urls[2]: "plain"}
    (line,) = [line for line in crawled.log.splitlines() if " WARNING: " in line]
    assert message in line


def test_no_chromium_outlives_a_killed_crawl(program: str, tmp_path: Path) -> None:
    with serve(site({"/asks": ENDLESS["/asks"], "/slow": Answer(pause=0.3)})) as hosts:
        crawl = started(at(hosts, "/asks"), OPEN, names=NAMES, environment={"TMPDIR": str(tmp_path)})
        with crawl as process:
            until(lambda: "/slow" in hosts.paths("news.test"))
            assert command_lines_with(str(tmp_path))
            process.kill()
            process.communicate()
        until(lambda: not command_lines_with(str(tmp_path)))
        until(lambda: not list(tmp_path.iterdir()))


def test_a_crawl_that_is_stopped_lets_go_of_its_pages(program: str) -> None:
    with serve(site({"/asks": ENDLESS["/asks"], "/slow": Answer(pause=0.3)})) as hosts:
        settings = OPEN | {"RENDER_TIMEOUT": 300, "CLOSESPIDER_TIMEOUT": 3}
        crawled = render(at(hosts, "/asks"), settings, names=NAMES)
    (failure,) = crawled.failures.values()
    assert failure.startswith("crawl_closing: ")


def test_a_new_chromium_takes_over_and_the_old_one_goes(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from crawler.downloader.browser import chromium

    monkeypatch.setattr(chromium, "PAGES_EACH", 2)

    async def scenario() -> list[int]:
        browser = chromium.Chromium(program, user_agent="x", most_memory=1 << 30)
        pids = []
        async with browser.context():
            for _ in range(4):
                async with browser.context():
                    pids.append(only(browser).pid)
            assert len(browser._all) == 2  # the first is still in use
        assert len(browser._all) == 1
        os.kill(only(browser).pid, 9)
        while only(browser).browser.is_connected():
            await asyncio.sleep(0.02)
        async with browser.context():
            pids.append(only(browser).pid)
        await browser.close()
        return pids

    def only(browser: Any) -> Any:
        return browser._current

    pids = asyncio.run(scenario())
    assert pids[0] != pids[1] == pids[2] != pids[3] != pids[4]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_browser_that_hangs_is_killed_and_replaced(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from crawler.downloader.browser import chromium

    async def scenario() -> None:
        browser = chromium.Chromium(program, user_agent="x", most_memory=1 << 30)
        async with browser.context():
            hung = browser._current
            assert hung is not None
            os.kill(hung.pid, 19)
            monkeypatch.setattr(chromium, "PATIENCE", 0.5)
            with pytest.raises(NotRendered, match="opens no page"):
                async with browser.context():
                    pass
        monkeypatch.undo()
        async with browser.context() as context:
            await context.new_page()
        assert not Path(f"/proc/{hung.pid}").exists()
        await browser.close()

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def opened(program: str) -> AsyncIterator[Any]:
    """A context of a Chromium, without anything of ours that looks at its requests."""
    from crawler.downloader.browser.chromium import Chromium

    browser = Chromium(program, user_agent="TestBot/1.0", most_memory=1 << 30)
    try:
        async with browser.context() as context:
            yield context
    finally:
        await browser.close()


@contextlib.contextmanager
def packets() -> Iterator[socket.socket]:
    """A UDP port on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield listening


def received(listening: socket.socket) -> bool:
    """Whether something has come there."""
    with contextlib.suppress(BlockingIOError):
        return bool(listening.recv(4096, socket.MSG_PEEK))
    return False
