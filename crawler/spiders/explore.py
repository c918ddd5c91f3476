"""`scrapy add`: from one address of a site to its home page, its lists, its sections and a few of its articles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from crawler.discovery.front import Front, front, homepages
from crawler.discovery.homepage import feeds_and_sitemaps, sitemaps_from_robots
from crawler.discovery.links import classify_url
from crawler.discovery.listed import Listed, taught
from crawler.discovery.measures import measures
from crawler.discovery.survey import Site, judge, of_articles
from crawler.languages import language_tag, primary
from crawler.sources import Source, adhoc_source
from crawler.spiders.survey import Answer, Survey, SurveySpider
from crawler.urls import origin_of, same_site

MAX_HOMEPAGES = 3  # addresses tried for the home page


class ExploreSpider(SurveySpider):
    """Fills `survey` from `url`: a page, a feed or a sitemap."""

    def __init__(self, *, url: str, survey: Survey, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.address, self.survey = url, survey

    async def look(self) -> AsyncIterator[Survey]:
        survey = self.survey
        self.say(f"fetching {self.address}")
        given = await self.fetch(self.address, survey)
        if given.outcome is not None:
            survey.failure = (given.outcome, given.detail)
            yield survey
            return
        source = adhoc_source(given.url)
        listed, _ = await self.read(given, source)
        page = front(given.body, given.url) if listed is None else None
        home = await self.home(given, listed, page)
        source = adhoc_source(survey.homepage)
        if home is not None:
            survey.front_page = self.record(home, source)
        await self.lists(given, listed, home, source)
        self.say("reading what sitemap indexes name")
        await self.descend(survey, source, measures().bounds.children)
        await self.usual_places(source)
        await self.sections(home, source)
        judged = judge(survey.offers, Site(homepage=survey.homepage, language=None, now=self.now))
        known = [given] if page and given is not home and self.is_article(given.url) else []
        await self.take_samples(of_articles(judged), survey, source, known)
        yield survey

    def is_article(self, url: str) -> bool:
        """Going by its address and what the lists have taught."""
        shapes = taught(one.listed for one in self.survey.offers)
        return classify_url(url, shapes, self.survey.homepage).kind == "article"

    # -- home page ----------------------------------------------------------------------------------------------------

    async def home(self, given: Answer, listed: Listed | None, page: Front | None) -> Answer | None:
        """The home page, if one can be read; `survey.homepage` is its address in any case."""
        places = homepages(page) if page else above(given.url, listed)
        self.survey.homepage = places[0]
        for place in places[:MAX_HOMEPAGES]:
            self.say(f"fetching the home page {place}")
            answer = given if place == given.url else await self.fetch(place, self.survey)
            is_page = answer.outcome is None and (await self.read(answer, adhoc_source(place)))[0] is None
            if is_page and same_site(answer.url, place):
                return self.settled(answer, given, page)
        if page is not None and not self.is_article(given.url):
            return self.settled(given, given, page)
        if page is not None:
            self.survey.fronts.append(page)
        return None

    def settled(self, home: Answer, given: Answer, page: Front | None) -> Answer:
        """The home page, or the given page where it is the front of an edition in another language."""
        found = front(home.body, home.url)
        if page and home is not given and is_edition(page, found):
            home, found = given, page
        self.survey.homepage = home.url
        self.survey.fronts = [found, *([page] if page and page.url != found.url else [])]
        return home

    # -- lists --------------------------------------------------------------------------------------------------------

    async def lists(self, given: Answer, listed: Listed | None, home: Answer | None, source: Source) -> None:
        """What is given, announced, named by robots.txt and linked."""
        named: dict[str, str] = {}
        if listed is not None:
            named[given.requested_url] = "given"
        pages = [(home, "announced by the home page")] if home else []
        pages += [(given, "announced by the given page")] if listed is None and given is not home else []
        for answer, origin in pages:
            for url in feeds_and_sitemaps(answer.body, answer.url):
                named.setdefault(url, origin)
        self.say("reading robots.txt")
        robots = await self.fetch(origin_of(self.survey.homepage) + "/robots.txt", self.survey, obey=False)
        sitemaps = sitemaps_from_robots(robots.body, robots.url) if robots.outcome is None else []
        for url in sitemaps[: measures().bounds.sitemaps]:
            named.setdefault(url, "named by robots.txt")
        bound = measures().bounds.feeds
        linked = [url for one in self.survey.fronts for url in one.feed_links if url not in named]
        self.say(f"fetching feeds and sitemaps: {len(named)}")
        await self.take_lists(list(named.items())[: bound + measures().bounds.sitemaps], self.survey, source)
        await self.linked(linked[:bound], source)

    async def linked(self, urls: Iterable[str], source: Source) -> None:
        """What pages link to and call a feed; a page of that name may list the feeds."""
        pages = await self.take_lists(
            [(url, "linked by the home page") for url in urls], self.survey, source, strict=False
        )
        for answer in pages[:2]:
            links = front(answer.body, answer.url).feed_links
            named = [(url, f"listed by {answer.url}") for url in links if url not in self.asked]
            await self.take_lists(named[: measures().bounds.feeds // 2], self.survey, source, strict=False)

    async def usual_places(self, source: Source) -> None:
        """Tried one after the other until there is one, and only for the kind that nothing announces."""
        kinds = {one.listed.kind for one in self.survey.offers if one.listed.total}
        wanted = [] if "feed" in kinds else [measures().feed_places]
        wanted += [] if kinds & {"sitemap", "news sitemap", "index"} else [measures().sitemap_places]
        for places in wanted:
            before = len(self.survey.offers)
            for place in places:
                url = urljoin(self.survey.homepage, place)
                if len(self.survey.offers) > before or url in self.asked:
                    continue
                self.say(f"trying {url}")
                await self.take_lists([(url, "found at a usual place")], self.survey, source, strict=False)
        await self.descend(self.survey, source, measures().bounds.children)

    async def sections(self, home: Answer | None, source: Source) -> None:
        """The articles on the home page and on the likeliest of the sections that it leads to; feeds of sections."""
        if home is None:
            return
        (found,) = await self.take_sections([home.requested_url], "the home page", self.survey, source)
        urls = [url for url in found.sections if url not in self.asked][: measures().bounds.sections]
        self.say(f"fetching section pages: {len(urls)}")
        given = await self.take_sections(urls, "linked by the home page", self.survey, source, strict=False)
        feeds = dict.fromkeys(url for one in given for url in one.feeds if url not in self.asked)
        named = [(url, "announced by a section page") for url in feeds]
        await self.take_lists(named[: measures().bounds.feeds], self.survey, source)


def above(url: str, listed: Listed | None) -> list[str]:
    """Where the home page of a feed or sitemap may be: where the feed says, the root, the folder that it is in."""
    said = listed.channel.homepage if listed else None
    given = [said] if said and same_site(said, url) else []
    return list(dict.fromkeys([*given, urljoin(url, "/"), urljoin(url, ".")]))


def is_edition(page: Front, home: Front) -> bool:
    """Whether a page just below the home page is in another language."""
    languages = [language_tag(one.language) for one in (page, home)]
    parts = [part for part in urlsplit(page.url).path.split("/") if part]
    return len(parts) == 1 and all(languages) and len({primary(tag) for tag in languages if tag}) > 1
