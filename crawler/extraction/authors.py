"""The authors: people by JSON-LD, meta elements or the printed byline, else the organisation that signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from crawler.extraction import jsonld
from crawler.extraction.head import Evidence, Head
from crawler.extraction.names import is_agency, looks_like_a_person, organisation, people
from crawler.extraction.printed import Line, Surroundings

AUTHOR = (
    "citation_author", "author", "article:author", "dc.creator", "dcterms.creator", "parsely-author", "sailthru.author",
    "article.author", "byl", "og:article:author", "article:author_name", "authors", "cxenseparse:author",
)  # fmt: skip
ORGANISATIONS = frozenset(("Organization", "NewsMediaOrganization", "Corporation"))
MAX_AUTHORS = 20
BARE, PARAGRAPH = 8, 100  # lines from the headline, characters of a paragraph of the text
MAX_BYLINE = 180  # characters of the line that it stands in
NEAR = 12  # lines around the headline in which a byline outweighs the organisation that is said to be the author
FAR = 45  # the same where nothing is said
_MARKED = re.compile(r"author|byline|autor|auteur|redacteur|writer|journalist|creator|reporter|signature|firma\b|vcard")
_NOT_MARKED = re.compile(
    r"bio\b|comment|related|desc|about|more|image|avatar|job|role|title\b|caption|credit|source|image|photo|media|count"
)
_NO_BYLINE = re.compile(r"\blink\b|credit|caption|source|tag|categor|topic|place|location")
_OWN_MARK = re.compile(r"\bauthor\b|\bfn\b|byline-name|username|\bautor\b")
_BY_WORD = re.compile(r"by|von|vom|par|por|posted|written|author|autor|\w+day|\w+tag", re.IGNORECASE)
_BY_LINE = re.compile(
    r"^(?:[^\W\d]+ )?(?:autorin/autor|by|von|par|por|di|av|af|door|text|texte|texto|tekst|autor(?:in|en)?|autore|auteur"
    r"|author|автор|текст|redaktion|redakteur|yazar|penulis|oleh|words)\b\s*[:：|]?\s*(?P<rest>.+)"
    r"|^[(（]?(?:文|記者|作者|记者|责编|撰文)\s*[:：/／|｜ ]\s*(?P<wide>.+)|(?P<korean>[\uac00-\ud7a3]{2,4}) 기자",
    re.IGNORECASE,
)
_REST_ENDS = re.compile(
    r"\s[|•·–—]\s|\s[^\W\d_]{3,12}\.?\s\d{1,2},?\s\d{4}|\s\d|\b(?:updated|published|posted|veröffentlicht|aktualisiert|publié|on|am|vom|le)\b"
)


def authors(head: Head, site: str | None, lines: Surroundings, evidence: Evidence) -> tuple[str, ...]:
    """People, by JSON-LD, meta or the printed byline; else the organisation that the page names as its author."""
    host = urlsplit(head.url or "").hostname or ""
    given = head.record.get("author") or head.record.get("creator")
    stated = [("jsonld:author", list(_names(given, head.nodes)))]
    stated += [(f"meta:{name}", head.meta[name]) for name in AUTHOR if name in head.meta]
    found = [(where, names) for where, raws in stated if (names := _people(raws, site, host))]
    raws = [*_names(given, head.nodes, organisations=True), *(raw for _, names in stated for raw in names)]
    signs = list(dict.fromkeys(name for raw in raws if (name := organisation(raw))))[:1]
    near = [] if found else _near(lines(), NEAR if signs else FAR)
    found = found or list(_printed(near, site, host))
    if not found and (bare := _bare(lines(), site, host)):
        found = [("byline", bare)]
    if found:
        where, names = _fullest(found)
        evidence["authors"] = where
        return tuple(names)
    pen = [] if signs else _pen_name(near, site, host)
    if signs or pen:
        evidence["authors"] = "organisation" if signs else "byline"
    return tuple(signs or pen)


def _people(raws: Iterable[str], site: str | None, host: str) -> list[str]:
    names = {name.casefold(): name for raw in raws for name in people(raw, site, host)}
    return [name for name in names.values() if not is_agency(name)][:MAX_AUTHORS]


def _fullest(found: Sequence[tuple[str, list[str]]]) -> tuple[str, list[str]]:
    """The first, unless a later place names the same people and more."""
    where, names = found[0]
    for other, more in found[1:]:
        if len(more) > len(names) and {n.casefold() for n in names} <= {n.casefold() for n in more}:
            where, names = other, more
    return where, names


# -- JSON-LD ------------------------------------------------------------------------------------------------------


def _names(value: Any, nodes: Sequence[jsonld.Node], *, organisations: bool = False) -> Iterator[str]:
    """The names in an author field: of people (or of what is not said to be anything), or of organisations."""
    for one in value if isinstance(value, list) else [value]:
        node = _resolved(one, nodes)
        if (isinstance(node, dict) and bool(jsonld.types(node) & ORGANISATIONS)) is not organisations:
            continue
        name = node.get("name") if isinstance(node, dict) else node
        if isinstance(node, dict) and not name and node.get("familyName"):
            name = f"{jsonld.text(node.get('givenName')) or ''} {jsonld.text(node.get('familyName')) or ''}"
        yield from jsonld.texts(name)


def _resolved(value: Any, nodes: Sequence[jsonld.Node]) -> Any:
    """What only names an @id means the record that has it."""
    if not isinstance(value, dict) or "name" in value or "@id" not in value:
        return value
    return next((node for node in nodes if node.get("@id") == value["@id"] and "name" in node), value)


# -- the printed byline -------------------------------------------------------------------------------------------


def _printed(lines: Sequence[Line], site: str | None, host: str) -> Iterator[tuple[str, list[str]]]:
    """The byline nearest to the headline: what is marked as an author, or says "By"."""
    for line in lines:
        names = list(filter(looks_like_a_person, _people(_marked(line), site, host)))
        if names := names or _said(line, site, host):
            yield "byline", names
            return


def _bare(lines: Sequence[Line], site: str | None, host: str) -> list[str]:
    """Nothing but names on the line right above the first long paragraph."""
    near = [line for line in lines if 0 < line.at <= BARE]
    for before, line, following in zip([None, *near], near, near[1:], strict=False):
        if len(following.text) >= PARAGRAPH:
            if before and (before.text.endswith(":") or looks_like_a_person(before.text)):
                return []  # a list of names
            linked = line.level is not None or any(_NO_BYLINE.search(marks) for marks, _ in line.parts)
            names = [] if linked or len(line.text.split()) > 8 else _people([line.text], site, host)
            sure = all(" " in name and looks_like_a_person(name) for name in names)
            return names if sure and sum(map(len, names)) > 0.7 * len(line.text) else []
    return []


def _pen_name(lines: Sequence[Line], site: str | None, host: str) -> list[str]:
    """One word in an element that is marked as the author: a blogger's or a forum's name."""
    for line in lines:
        for marks, text in line.parts:
            if _OWN_MARK.search(marks.rpartition(">")[2]) and not _NOT_MARKED.search(marks):
                names = [name for name in people(text, site, host) if name.isalnum() and len(name) > 2]
                if names and not _BY_WORD.fullmatch(names[0]):
                    return names[:1]
    return []


def _near(lines: Sequence[Line], reach: int) -> list[Line]:
    """Lines that may be a byline, the nearest to the headline first; those above it count thrice."""
    near = (
        line for line in lines if 0 != line.at <= reach and line.level not in (1, 2, 3) and len(line.text) < MAX_BYLINE
    )
    return sorted(near, key=lambda line: line.at if line.at >= 0 else -3 * line.at)


def _marked(line: Line) -> list[str]:
    return [text for marks, text in line.parts if _MARKED.search(marks) and not _NOT_MARKED.search(marks)]


def _said(line: Line, site: str | None, host: str) -> list[str]:
    """The people of a line that begins with "By" and goes on with nothing but names."""
    match = _BY_LINE.search(line.text)
    if match is None:
        return []
    rest = _REST_ENDS.split(match["rest"] or match["wide"] or match["korean"])[0].strip(" ()（）|,")
    names = _people([rest], site, host)
    return names if names and all(map(looks_like_a_person, names)) else []
