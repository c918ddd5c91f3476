"""What goes wrong on real sites, as pages of a publication of its own: each path's content type and bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.site.article import Article, TextBlock
from tests.site.feeds import SITEMAP, XML
from tests.site.pages import article_page
from tests.site.publication import FAULTS

HTML = "text/html; charset=utf-8"
LINKS = 50_000

WRONG_CHARSET = Article(
    slug="wrong-charset",
    publication=FAULTS,
    language="en",
    headline="Café façade repainted in Skäldö after a naïve résumé",
    authors=("Zoë Brontë",),
    published=datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
    section="Faults",
    blocks=(
        TextBlock(
            "p", ("The owner of the café in Skäldö repainted its façade on Monday, and the neighbours were not asked.",)
        ),
        TextBlock(
            "p", ("“We would have chosen blue”, said Søren Åkerblom, who has lived across the square since 1988.",)
        ),
    ),
)
NUL_BYTES = Article(
    slug="nul-bytes",
    publication=FAULTS,
    language="en",
    headline="Archive finds empty pages in every volume",
    authors=("Otto Blank",),
    published=datetime(2026, 5, 5, 9, 30, tzinfo=UTC),
    section="Faults",
    blocks=(
        TextBlock("p", ("The town archive in Low Barrow found empty pages in every volume of its records last week.",)),
        TextBlock(
            "p", ("The pages are to stay where they are, the archivist said, since nobody knows what they stood for.",)
        ),
    ),
)


def pages(base: str) -> dict[str, tuple[str, bytes]]:
    """Path -> content type and bytes. `/robots.txt`-like honest paths are left to the edition."""
    return {
        "/rss.xml": (
            "application/rss+xml",
            b"<!DOCTYPE html><html><body><h1>Our feeds have moved</h1><p>Sorry.</body>",
        ),
        "/sitemap.xml": ("application/xml", billion_laughs(base)),
        "/many-links": (HTML, many_links(base)),
        WRONG_CHARSET.path: (HTML, article_page(WRONG_CHARSET, base).encode("cp1252")),
        NUL_BYTES.path: (HTML, nul_bytes(article_page(NUL_BYTES, base))),
        "/no-html": (HTML, bytes(range(256)) * 40),
        "/empty": (HTML, b""),
    }


def billion_laughs(base: str) -> bytes:
    """A sitemap of ten nested entities, ten times each: three gigabytes to a parser that expands them."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    doctype = f'<!DOCTYPE urlset [<!ENTITY l0 "lol">{entities}]>'
    return f"{XML}{doctype}<urlset {SITEMAP}><url><loc>{base}/&l9;</loc></url></urlset>".encode()


def many_links(base: str) -> bytes:
    """A page of LINKS links, about 2.5 MB: minutes of work for some extractors."""
    links = "".join(f'<li><a href="{base}/x{n}">Link {n}</a></li>\n' for n in range(LINKS))
    return f"<!DOCTYPE html><html><head><title>Index</title></head><body><ul>{links}</ul></body></html>".encode()


def nul_bytes(page: str) -> bytes:
    """NUL bytes, a reference to a lone surrogate and bytes that are no UTF-8, among an article's words."""
    html = page.replace("</p>", " \0&#xD800;&#0;</p>").replace("every volume of", "every\0 volume of")
    return html.encode() + b"\xff\xfe"
