"""Is it an article? If not, the reason; the page is archived all the same."""

from __future__ import annotations

from crawler.items import Article, PageType, Record

MIN_BODY = 20  # letters: a live ticker's shortest news has more, a calendar's days have none
MIN_UNDATED_BODY = 250  # characters a page needs when nothing else says that it is an article

WALLS: frozenset[PageType] = frozenset(("bot_challenge", "consent_wall"))
NO_ARTICLE: frozenset[PageType] = frozenset(("listing", "consent_wall", "bot_challenge", "soft_404", "no_content"))


class ValidatePipeline:
    """Sets `Record.rejected` and takes the article away from what is none."""

    def process_item(self, record: Record) -> Record:
        if record.article is not None and record.extraction is not None:
            page_type = record.extraction.page_type
            if record.rejected is None:
                record.rejected = reason_against(record.article, page_type)
            elif page_type in WALLS:  # an error's page, and now it is known what stands behind it
                record.rejected = page_type
            if record.rejected:
                record.article = None
        return record


def reason_against(article: Article, page_type: PageType) -> str | None:
    """A page type that holds no article, `no_body`, `no_headline`, `not_an_article`, or None for an article."""
    if page_type in NO_ARTICLE:
        return page_type
    if sum(map(str.isalpha, article.body)) < MIN_BODY:
        return "no_body"
    if article.headline is None:
        return "no_headline"
    if article.published_at is None and len(article.body) < MIN_UNDATED_BODY:
        return "not_an_article"
    return None
