"""What there is to show of one page, before anyone decides how: fields, verdicts, differences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crawler.items import Article, Extraction, Image, Page
from crawler.sources import Source
from crawler.store.reading import StoredArticle
from crawler.text import one_line

Seen = Extraction | Article  # the same fields, as the page says them or normalised
NONE = "–"
FIELDS = (
    "headline",
    "authors",
    "published_at",
    "modified_at",
    "language",
    "section",
    "tags",
    "description",
    "canonical_url",
    "site_name",
)
VERDICTS = ("page_type", "access", "is_accessible_for_free", "confidence")
CLAIMS = {True: "free", False: "not free", None: "nothing"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """`seen` is what is inspected; `today` what extraction makes now of the stored page that `seen` was made of."""

    seen: Seen
    url: str | None
    source: Source | None = None  # whose own rules hold
    stored: StoredArticle | None = None
    raw: Page | None = None  # the stored page
    today: Seen | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A field or a verdict. `today`: of the other reading, if there is one; `warning`: the page contradicts itself."""

    name: str
    value: str
    evidence: str = ""
    raw: str = ""
    note: str = ""
    today: str | None = None
    warning: bool = False

    @property
    def changed(self) -> bool:
        return self.today is not None and self.today != self.value


def field_rows(inspection: Inspection) -> list[Row]:
    """Each field with its value, what gave it, and the string it was read from."""
    seen = inspection.seen
    rows = [_row(inspection, name) for name in FIELDS if hasattr(seen, name)]
    rows.append(_body_row(inspection))
    named = {row.name for row in rows} | set(VERDICTS)
    rest = (name for name in seen.evidence if name not in named)
    return rows + [Row(name=shown(name), value=NONE, evidence=shown(seen.evidence[name])) for name in rest]


def _row(inspection: Inspection, name: str) -> Row:
    seen, today = inspection.seen, inspection.today
    raw = getattr(seen, f"{name.removesuffix('_at')}_raw", None) if name.endswith("_at") else None
    assumed = name == "published_at" and seen.published_at is not None and seen.published_zone_assumed
    return Row(
        name=name,
        value=value_of(seen, name),
        evidence=shown(seen.evidence.get(name, "")),
        raw=shown(raw or ""),
        note="the page names no zone: UTC assumed" if assumed else "",
        today=value_of(today, name) if today else None,
    )


def _body_row(inspection: Inspection) -> Row:
    seen, today = inspection.seen, inspection.today
    return Row(
        name="body",
        value=_size(seen),
        evidence=shown(seen.evidence.get("body", "")),
        today=_size(today) if today else None,
    )


def _size(seen: Seen) -> str:
    return f"{sum(block.kept for block in seen.blocks)} blocks, {len(seen.body):,} characters"


def value_of(seen: Seen, name: str) -> str:
    """A field as people read it; NONE when there is none."""
    value = getattr(seen, name, None)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, tuple):
        return ", ".join(map(shown, value)) or NONE
    return shown(str(value)) if value is not None else NONE


def shown(text: str) -> str:
    """Without control characters: what a page says must not steer the reader's terminal."""
    return one_line(text) or ""


def image_rows(seen: Seen) -> list[Row]:
    return [Row(name="image", value=shown(image.url), note=_image_words(image)) for image in seen.images]


def _image_words(image: Image) -> str:
    parts = (image.caption, image.credit and f"credit: {image.credit}", image.alt and f"alt: {image.alt}")
    return " · ".join(shown(part) for part in parts if part)


def verdict_rows(inspection: Inspection) -> list[Row]:
    """What kind of page, whether all of it was there, how far the voters agree."""
    return [_page_type(inspection), _access(inspection), _agreement(inspection)]


def _page_type(inspection: Inspection) -> Row:
    seen, today = inspection.seen, inspection.today
    return Row(
        name="page type",
        value=seen.page_type,
        evidence=shown(seen.evidence.get("page_type", "")),
        note=f"confidence {share(seen.page_type_confidence)}",
        today=today.page_type if today else None,
    )


def _access(inspection: Inspection) -> Row:
    seen, today = inspection.seen, inspection.today
    evidence = (seen.evidence.get("access"), seen.evidence.get("is_accessible_for_free"))
    return Row(
        name="access",
        value=seen.access,
        evidence=" · ".join(shown(one) for one in evidence if one),
        note=f"publisher says: {CLAIMS[seen.is_accessible_for_free]}",
        today=today.access if today else None,
        warning=(seen.access, seen.is_accessible_for_free) in (("full", False), ("truncated", True)),
    )


def _agreement(inspection: Inspection) -> Row:
    seen, today = inspection.seen, inspection.today
    return Row(
        name="voters agree",
        value=share(seen.confidence),
        evidence=shown(seen.evidence.get("confidence", "")),
        today=share(today.confidence) if today else None,
    )


def share(value: float | None) -> str:
    """0.973 as `97 %`."""
    return NONE if value is None else f"{value:.0%}".replace("%", " %")


def origin_rows(inspection: Inspection) -> Iterator[Row]:
    """Where what is shown comes from."""
    if inspection.url:
        yield Row(name="address", value=shown(inspection.url))
    if inspection.source:
        own = len(inspection.source.boilerplate)
        yield Row(name="source", value=inspection.source.id, note=f"its own rules: {own}" if own else "")
    if stored := inspection.stored:
        at = stored.updated_at.isoformat(sep=" ", timespec="seconds")
        yield Row(name="stored article", value=f"{stored.id}", note=f"revision {stored.revision} of {at}")
        yield _raw_row(stored, inspection.raw)


def _raw_row(stored: StoredArticle, raw: Page | None) -> Row:
    if raw is None:
        return Row(name="raw page", value=NONE, note="not stored")
    at = raw.fetched_at.isoformat(sep=" ", timespec="seconds")
    note = f"{len(raw.html):,} bytes, status {raw.status}"
    if raw.url != stored.article.url:
        note += f", from {shown(raw.url)}"
    if stored.is_older_than(raw):
        note += "; fetched after this version, whose own page is not stored"
    return Row(name="raw page", value=at, note=note)
