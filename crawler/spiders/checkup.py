"""`scrapy check-source`: what seeds name, and a few articles of each source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from crawler.discovery.homepage import feeds_and_sitemaps, sitemaps_from_robots
from crawler.discovery.survey import Site, judge, of_articles
from crawler.sources import Source
from crawler.spiders.survey import Survey, SurveySpider
from crawler.urls import origin_of

FILES = 2  # looked at of one sitemap index


class CheckupSpider(SurveySpider):
    """Fills the survey of each source, one source after the other."""

    def __init__(self, *, sources: Sequence[Source], surveys: Mapping[str, Survey], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources, self.surveys = sources, surveys

    async def look(self) -> AsyncIterator[Survey]:
        for source in self.sources:
            survey = self.surveys[source.id]
            survey.homepage = str(source.homepage)
            lenient = source.model_copy(update={"max_age_days": None})  # an old entry is there all the same
            named = {**dict.fromkeys(source.feeds, "feeds"), **dict.fromkeys(source.sitemaps, "sitemaps")}
            named |= dict.fromkeys(source.archives, "archives")
            listings = [str(url) for url in source.listings]
            if not named and not listings:
                named, listings = await self.announced(source, survey), [survey.homepage]
            self.say(f"{source.id}: fetching feeds, sitemaps and sections: {len(named) + len(listings)}")
            await self.take_lists([(str(url), origin) for url, origin in named.items()], survey, lenient)
            await self.descend(survey, lenient, FILES)
            await self.take_sections(listings, "listings" if source.listings else "homepage", survey, lenient)
            judged = judge(survey.offers, Site(homepage=survey.homepage, language=None, now=self.now))
            # Disabled or foreign to the home page: a seed's own lists are sampled whatever is thought of them.
            lists = of_articles(judged) or [one.listed for one in judged]
            await self.take_samples(lists, survey, source)
            yield survey

    async def announced(self, source: Source, survey: Survey) -> dict[str, str]:
        """What a crawl would find for a seed that names nothing."""
        home = await self.fetch(survey.homepage, survey)
        robots = await self.fetch(origin_of(survey.homepage) + "/robots.txt", survey, obey=False)
        found = feeds_and_sitemaps(home.body, home.url)
        found += sitemaps_from_robots(robots.body, robots.url) if robots.outcome is None else []
        return dict.fromkeys(found, "announced")
