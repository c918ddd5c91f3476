"""The parts of an article's page as HTML, each a function of the article; `pages.py` puts them in order."""

from __future__ import annotations

from html import escape

from tests.site import boilerplate
from tests.site.article import LINK, Article, TextBlock
from tests.site.skin import css


def words(article: Article, key: str) -> tuple[str, ...]:
    """The boilerplate wording of `key` for this article."""
    author = article.authors[0] if article.authors else ""
    return boilerplate.wording(key, article.language, article.publication.name, author)


def carried(article: Article, item: str, html: str) -> str:
    """`html` if the article's page carries `item`."""
    return html if item in article.carries else ""


def paragraphs(texts: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{escape(text, quote=False)}</p>" for text in texts)


def box(article: Article, role: str, texts: tuple[str, ...], buttons: tuple[str, ...] = (), tag: str = "div") -> str:
    """A container of boilerplate: paragraphs, then buttons."""
    name = article.publication.key
    links = "".join(f'<a class="{css(name, "button")}" href="#{role}">{escape(text)}</a>\n' for text in buttons)
    return f'<{tag} class="{css(name, role)}">{paragraphs(texts)}{links}</{tag}>'


def text_block(block: TextBlock, base: str) -> str:
    """A block of the article's own text."""
    lines = [LINK.sub(rf'<a href="{base}/latest">\1</a>', escape(line, quote=False)) for line in block.lines]
    match block.kind:
        case "quote":
            return f"<blockquote><p>{'<br>'.join(lines)}</p></blockquote>"
        case "list":
            return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"
        case "table":
            rows = "".join("<tr><td>" + line.replace(" | ", "</td><td>") + "</td></tr>" for line in lines)
            return f"<table><tbody>{rows}</tbody></table>"
    return f"<{block.kind}>{'<br>'.join(lines)}</{block.kind}>"


def text(article: Article, base: str) -> str:
    """The article's text with what its page puts between the paragraphs."""
    blocks = [text_block(block, base) for block in article.blocks]
    middle, letter = (len(blocks) + 1) // 2, paragraphs(words(article, "letter"))
    newsletter = words(article, "newsletter")
    inserts = [
        (len(blocks), carried(article, "support-bare", letter)),
        (
            middle,
            carried(article, "newsletter", box(article, "newsletter", newsletter[:-1], newsletter[-1:], "section")),
        ),
        (middle, carried(article, "support-bare-middle", letter)),
        (2, see_also(article, base) if len(blocks) > 2 else ""),
        (0, carried(article, "support-bare-top", letter)),
    ]
    for position, html in inserts:  # from the last position to the first, so that the earlier ones stay true
        blocks.insert(position, html)
    return "\n".join(html for html in blocks if html)


def see_also(article: Article, base: str) -> str:
    """A pointer to another article, between the paragraphs."""
    if not article.related or "related" not in article.carries:
        return ""
    headline, path = article.related[0]
    label = escape(words(article, "see_also")[0])
    return (
        f'<aside class="{css(article.publication.key, "see-also")}"><span>{label}</span> '
        f'<a href="{base}{path}"><h3>{escape(headline)}</h3></a></aside>'
    )


def river(article: Article, base: str) -> str:
    """The teasers below the article."""
    label = escape(words(article, "river")[0])
    teasers = "".join(f'<li><a href="{base}{path}">{escape(headline)}</a></li>' for headline, path in article.related)
    return f'<section class="{css(article.publication.key, "river")}"><h2>{label}</h2><ul>{teasers}</ul></section>'


def figure(article: Article, base: str) -> str:
    if not article.image:
        return ""
    name, image = article.publication.key, article.image
    return (
        f'<figure class="{css(name, "picture")}"><img src="{base}{image.path}" width="1200" height="800" alt="">'
        f'<figcaption><span class="{css(name, "caption")}">{escape(image.caption)}</span> '
        f'<span class="{css(name, "credit")}">{escape(image.credit)}</span></figcaption></figure>'
    )


def byline(article: Article) -> str:
    """Who and when: the instant as the zone's own clock shows it."""
    who = escape(f"{words(article, 'by')[0]} {', '.join(article.authors)}") if article.authors else ""
    when = f'<time datetime="{article.published.isoformat()}">{article.published:%d.%m.%Y %H:%M}</time>'
    return f'<div class="{css(article.publication.key, "byline")}"><span>{who}</span> {when}</div>'


def share(article: Article) -> str:
    items = "".join(f'<li><a href="#share">{escape(text)}</a></li>' for text in words(article, "share"))
    return carried(article, "share", f'<ul class="{css(article.publication.key, "share")}">{items}</ul>')


def headline(article: Article) -> str:
    standfirst = f"<h2>{escape(article.standfirst)}</h2>" if article.standfirst else ""
    role = css(article.publication.key, "head")
    return f'<header class="{role}"><h1>{escape(article.headline)}</h1>{standfirst}</header>'
