"""The <head> of a page: canonical link, og: tags, JSON-LD."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from tests.site.article import Article
from tests.site.publication import Publication


def page_head(publication: Publication, base: str, title: str, extra: str = "") -> str:
    """What every page's head has; `base` is the publication's absolute URL without a slash at its end."""
    return (
        f'<head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="alternate" type="application/rss+xml" title="RSS" href="{base}/rss.xml">'
        f'<link rel="alternate" type="application/atom+xml" title="Atom" href="{base}/atom.xml">'
        f'<meta property="og:site_name" content="{escape(publication.name)}">{extra}</head>'
    )


def article_head(article: Article, base: str) -> str:
    """An article's head; its <title> ends in the publication's name, as most do."""
    return page_head(
        article.publication, base, f"{article.headline} - {article.publication.name}", _tags(article, base)
    )


def _tags(article: Article, base: str) -> str:
    metas = {
        "og:type": "article",
        "og:title": article.headline,
        "og:url": base + article.path,
        "og:description": article.standfirst,
        "og:image": base + article.image.path if article.image else None,
        "article:published_time": article.published.isoformat(),
        "article:modified_time": article.modified and article.modified.isoformat(),
        "article:section": article.section,
    }
    tags = "".join(f'<meta property="{key}" content="{escape(text)}">' for key, text in metas.items() if text)
    tags += "".join(f'<meta property="article:tag" content="{escape(tag)}">' for tag in article.tags)
    if article.standfirst:
        tags += f'<meta name="description" content="{escape(article.standfirst)}">'
    data = json.dumps(json_ld(article, base), ensure_ascii=False).replace("</", "<\\/")
    canonical = f'<link rel="canonical" href="{base}{article.path}">'
    return f'{canonical}{tags}<script type="application/ld+json">{data}</script>'


def json_ld(article: Article, base: str) -> dict[str, Any]:
    """schema.org's NewsArticle; the Kurier wraps it in an @graph with its other things."""
    news: dict[str, Any] = {
        "@type": "NewsArticle",
        "mainEntityOfPage": base + article.path,
        "headline": article.headline,
        "datePublished": article.published.isoformat(),
        "dateModified": article.updated.isoformat(),
        "author": [{"@type": "Person", "name": name} for name in article.authors],
        "publisher": {"@type": "NewsMediaOrganization", "name": article.publication.name},
        "articleSection": article.section,
        "keywords": list(article.tags),
        "inLanguage": article.language,
        "isAccessibleForFree": article.free,
    }
    if article.standfirst:
        news["description"] = article.standfirst
    if article.image:
        news["image"] = {"@type": "ImageObject", "url": base + article.image.path, "caption": article.image.caption}
    if article.publication.key == "kurier":
        crumbs = {"@type": "BreadcrumbList", "itemListElement": []}
        return {"@context": "https://schema.org", "@graph": [crumbs, news]}
    return {"@context": "https://schema.org", **news}
