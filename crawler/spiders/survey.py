"""A look at a whole site: its front page, its lists, a few articles. Nothing is stored, and no database is needed.

Everything goes through the downloader of a crawl: robots.txt, delays and the address guard hold here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scrapy import Request, Spider
from scrapy.http.request import NO_CALLBACK
from twisted.python.failure import Failure

from crawler.discovery import samples
from crawler.discovery.front import Front
from crawler.discovery.listed import Listed, read, section, taught
from crawler.discovery.listing import Listing
from crawler.discovery.measures import measures
from crawler.discovery.survey import Missing, Offer
from crawler.errors import FeedError
from crawler.extraction.metadata import language_of
from crawler.items import Candidate, Page, Record
from crawler.sources import Source
from crawler.spiders import fetches
from crawler.urls import canonical_url

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request gave: `body`, or the word of `crawler.outcomes` for why there is none."""

    url: str  # after redirects
    requested_url: str
    body: bytes = b""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str | None = None
    detail: str = ""


@dataclass(kw_only=True, slots=True)
class Survey:
    """What was found of one site. `failure` is why it could not be looked at: a word of the outcomes and a detail."""

    homepage: str = ""
    fronts: list[Front] = field(default_factory=list)  # the home page's first
    offers: list[Offer] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    front_page: Record | None = None
    samples: list[Record] = field(default_factory=list)
    unfetched: list[tuple[Candidate, Answer]] = field(default_factory=list)  # of the samples
    opened: set[str] = field(default_factory=set)  # sitemap indexes
    failure: tuple[str, str] | None = None
    requests: int = 0
    finished: bool = False

    @property
    def records(self) -> list[Record]:
        return [*([self.front_page] if self.front_page else []), *self.samples]


class SurveySpider(Spider):
    """What the two ways of looking share. `look` is the way."""

    name = "survey"
    custom_settings = {  # noqa: RUF012 (Scrapy declares it so)
        "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None},
        "ITEM_PIPELINES": {
            "crawler.pipelines.extract.ExtractPipeline": 100,
            "crawler.pipelines.normalise.NormalisePipeline": 200,
            "crawler.pipelines.validate.ValidatePipeline": 300,
        },
    }

    def __init__(self, *, say: Say, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.say = say
        self.chosen: dict[str, Source] = {}  # for the pipelines
        self.asked: dict[str, asyncio.Task[Answer]] = {}
        self.now = datetime.now(UTC)

    async def look(self) -> AsyncIterator[Survey]:
        """Each survey when all of its pages are fetched."""
        raise NotImplementedError
        yield  # what makes it an iterator

    async def start(self) -> AsyncIterator[Any]:
        async for survey in self.look():
            survey.finished = True
            if survey.samples:
                self.say(f"extracting articles: {len(survey.samples)}")
            for record in survey.records:
                yield record

    # -- fetching -----------------------------------------------------------------------------------------------------

    async def fetch(self, url: str, survey: Survey, *, obey: bool = True, sample: bool = False) -> Answer:
        """Each address once, and no more of them than a survey may ask for; so many are kept for the samples."""
        if url not in self.asked:
            kept = 0 if sample else measures().bounds.samples
            if survey.requests >= measures().bounds.requests - kept:
                return Answer(url=url, requested_url=url, outcome="ignored", detail="enough was asked for")
            survey.requests += 1
            self.asked[url] = asyncio.ensure_future(self._fetch(url, obey))
        return await self.asked[url]

    async def fetch_all(self, urls: Iterable[str], survey: Survey, *, sample: bool = False) -> list[Answer]:
        return list(await asyncio.gather(*(self.fetch(url, survey, sample=sample) for url in urls)))

    async def _fetch(self, url: str, obey: bool) -> Answer:
        # robots.txt itself is not under its own rules (RFC 9309, 2.2.2).
        meta = {} if obey else {"dont_obey_robotstxt": True}
        request = Request(url, meta=meta, callback=NO_CALLBACK, dont_filter=True)
        assert self.crawler.engine is not None
        try:
            response = await self.crawler.engine.download_async(request)
        except Exception as error:  # whatever a download handler or a middleware raises
            lost = fetches.lost(Failure(error))  # type: ignore[no-untyped-call]
            return Answer(url=url, requested_url=url, outcome=lost.outcome, detail=lost.detail)
        lost_page = fetches.judged(response)
        if lost_page is not None and lost_page.outcome != "not_html":  # feeds come as anything
            return Answer(
                url=response.url,
                requested_url=url,
                status=response.status,
                outcome=lost_page.outcome,
                detail=lost_page.detail,
            )
        return Answer(
            url=canonical_url(response.url) or response.url,
            requested_url=url,
            body=response.body,
            status=response.status,
            headers=fetches.kept_headers(response),
        )

    # -- lists --------------------------------------------------------------------------------------------------------

    async def take_lists(
        self, named: Sequence[tuple[str, str]], survey: Survey, source: Source, *, strict: bool = True
    ) -> list[Answer]:
        """Fetch feeds and sitemaps, each with its origin; returns the answers that are pages instead.

        Not `strict`: nothing promised that they are there, so what is missing is no news.
        """
        answers = await self.fetch_all((url for url, _ in named), survey)
        pages = []
        for (url, origin), answer in zip(named, answers, strict=True):
            if answer.outcome is None:
                listed, why = await self.read(answer, source)
                if listed is not None:
                    self._offer(Offer(listed=listed, origin=origin), survey)
                    continue
                pages.append(answer)
                answer_outcome, detail = "not_a_feed", why
            else:
                answer_outcome, detail = answer.outcome, answer.detail
            if strict:
                survey.missing.append(Missing(url=url, origin=origin, outcome=answer_outcome, detail=detail))
        return pages

    async def read(self, answer: Answer, source: Source) -> tuple[Listed | None, str]:
        """What a document lists; or None and what it is instead. In a thread: a sitemap may have 50,000 entries."""
        try:
            return await asyncio.to_thread(read, answer.body, answer.url, source, self.now), ""
        except FeedError as error:
            return None, str(error).removeprefix(f"{answer.url}: ")

    async def take_sections(
        self, urls: Sequence[str], origin: str, survey: Survey, source: Source, *, strict: bool = True
    ) -> list[Listing]:
        """Fetch pages that list articles; returns all that they give."""
        shapes = taught(one.listed for one in survey.offers)
        given = []
        for url, answer in zip(urls, await self.fetch_all(urls, survey), strict=True):
            if answer.outcome is None:
                listed, found = await asyncio.to_thread(section, answer.body, answer.url, source, shapes, self.now)
                self._offer(Offer(listed=listed, origin=origin), survey)
                given.append(found)
            elif strict:
                lost = Missing(url=url, origin=origin, outcome=answer.outcome, detail=answer.detail)
                survey.missing.append(lost)
        return given

    async def descend(self, survey: Survey, source: Source, files: int) -> None:
        """Look into the indexes: at the files that are likeliest to list news, then the newest."""
        for _ in range(2):  # an index may name indexes
            for offer in [one for one in survey.offers if one.listed.kind == "index"]:
                if offer.listed.url not in survey.opened:
                    survey.opened.add(offer.listed.url)
                    await self.open_index(offer.listed, survey, source, files)

    async def open_index(self, index: Listed, survey: Survey, source: Source, files: int) -> None:
        origin = f"named by {index.url}"
        for answer in await self.fetch_all(likeliest(index, files), survey):
            listed, why = (None, answer.detail) if answer.outcome else await self.read(answer, source)
            if listed is not None:
                self._offer(Offer(listed=listed, origin=origin, parent=index.url), survey)
            elif answer.outcome != "ignored":
                outcome = answer.outcome or "not_a_feed"
                survey.missing.append(Missing(url=answer.requested_url, origin=origin, outcome=outcome, detail=why))

    def _offer(self, offer: Offer, survey: Survey) -> None:
        """Once, however many ways lead to it."""
        if all(offer.listed.url != known.listed.url for known in survey.offers):
            survey.offers.append(offer)

    # -- articles -----------------------------------------------------------------------------------------------------

    async def take_samples(
        self, lists: Sequence[Listed], survey: Survey, source: Source, known: Sequence[Answer] = ()
    ) -> None:
        """Fetch articles of the lists; `known` are articles that are fetched already."""
        survey.samples += [self.record(answer, source) for answer in known]
        number = measures().bounds.samples - len(known)
        chosen = samples.choose(lists, survey.homepage, number + len(known))
        chosen = [one for one in chosen if all(one.url != answer.url for answer in known)][:number]
        self.say(f"fetching articles: {len(chosen)}")
        answers = await self.fetch_all((one.url for one in chosen), survey, sample=True)
        for candidate, answer in zip(chosen, answers, strict=True):
            if answer.outcome is None:
                survey.samples.append(self.record(answer, source, candidate))
            else:
                survey.unfetched.append((candidate, answer))

    def record(self, answer: Answer, source: Source, candidate: Candidate | None = None) -> Record:
        """For the pipelines."""
        self.chosen[source.id] = source
        page = Page(
            url=answer.url,
            requested_url=answer.requested_url,
            source=source.id,
            status=answer.status,
            headers=answer.headers,
            html=answer.body,
            fetched_at=self.now,
            candidate=candidate,
        )
        return Record(page=page)


def likeliest(index: Listed, number: int) -> list[str]:
    """The files of an index to look at: those that call themselves news first, those of something else last."""

    def rank(place: int) -> tuple[int, float, int]:
        child = index.children[place]
        name = child.url.rpartition("/")[2]
        group = 2 if measures().other_sitemap.search(name) else 0 if measures().news_sitemap.search(name) else 1
        return group, -(child.modified_at.timestamp() if child.modified_at else 0), place

    order = sorted(range(len(index.children)), key=rank)
    return [index.children[place].url for place in order[:number]]


def samples_of(survey: Survey) -> list[samples.Sample]:
    """The fetched ones, then those that could not be."""
    found = [
        samples.sample_of(one, language_of(one.extraction.body) if one.extraction else None) for one in survey.samples
    ]
    return found + [samples.unfetched(one, answer.outcome or "", answer.detail) for one, answer in survey.unfetched]
