"""The values that travel through the house, in the order in which they appear: frozen and keyword-only.

Instants are aware datetimes; a field that is not known is None or empty, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

FoundIn = Literal["feed", "sitemap", "listing", "ad_hoc", "archive", "redirect"]
PageType = Literal[
    "article", "live_blog", "video", "gallery", "paywall_stub",
    "listing", "consent_wall", "bot_challenge", "soft_404", "no_content",
]  # fmt: skip
Access = Literal["full", "truncated", "unknown"]
BlockKind = Literal["paragraph", "heading", "quote", "list", "table", "caption", "code", "embed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A discovered URL, not fetched yet, with what the feed or sitemap said of it.

    `title`, `published_at`, `modified_at` and `guid` are hints: evidence for the extraction, never the truth.
    """

    url: str
    source: str
    found_in: FoundIn
    found_at: str | None = None  # URL of the feed, sitemap or listing; path of the archive
    title: str | None = None
    published_at: datetime | None = None
    modified_at: datetime | None = None
    guid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What was fetched, as it came (after content decoding)."""

    url: str  # after redirects
    requested_url: str
    source: str
    status: int
    headers: dict[str, str]
    html: bytes
    fetched_at: datetime
    candidate: Candidate | None = None
    url_id: int | None = None  # the frontier's row
    attempts: int = 1  # this fetch is the how manyth in a row
    step: int | None = None  # the look at a stored article that it is (recheck.py)
    chain: tuple[str, ...] = ()  # the addresses that redirected here
    is_permanent: bool = True  # whether all of these said that it is for good
    published_at: datetime | None = None  # of the article, as an earlier fetch of this page had it


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A paragraph-level piece of a page, in document order.

    kept: part of the body. Otherwise `reason` is the kind of boilerplate (`support`, `caption`, …) and `rule` the id of
    what dropped it. `score` is the model's probability that the block is the article's, 0 to 1; None where a rule
    decided alone. `post` is the index into `Extraction.posts` of the live blog's post that the block belongs to.
    """

    kind: BlockKind
    text: str
    kept: bool
    reason: str | None = None
    rule: str | None = None
    level: int | None = None  # of a heading, 1 to 6
    score: float | None = None
    post: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """One entry of a live blog; its text is the blocks that carry its index."""

    headline: str | None = None
    published_at: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A picture of the article."""

    url: str
    caption: str | None = None
    credit: str | None = None
    alt: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """What a page says. `body` is the kept blocks joined by newlines, so body and blocks cannot disagree."""

    headline: str | None = None
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    published_raw: str | None = None  # as the page has it
    published_zone_assumed: bool = False  # the page named no zone; UTC was taken
    modified_at: datetime | None = None
    modified_raw: str | None = None
    language: str | None = None  # BCP 47
    section: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    canonical_url: str | None = None
    images: tuple[Image, ...] = ()
    is_accessible_for_free: bool | None = None  # the publisher's claim
    site_name: str | None = None
    page_type: PageType = "article"
    page_type_confidence: float | None = None  # 0 to 1
    access: Access = "unknown"  # what we see, whatever the publisher claims
    confidence: float | None = None  # 0 to 1: how far the voters agree on the body
    posts: tuple[Post, ...] = ()  # of a live blog, as the page has them
    blocks: tuple[Block, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)  # field -> where its value came from
    bands: tuple[int, ...] | None = None  # of the body (likeness.py); None: not made

    @property
    def body(self) -> str:
        return "\n".join(block.text for block in self.blocks if block.kept)

    @property
    def dropped(self) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if not block.kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """The normalised record, ready to be stored. Where schema.org's NewsArticle has a field, its name in snake_case."""

    source: str
    url: str
    canonical_url: str
    headline: str | None
    body: str
    authors: tuple[str, ...]
    published_at: datetime | None
    published_raw: str | None
    published_zone_assumed: bool
    modified_at: datetime | None
    modified_raw: str | None
    language: str | None
    section: str | None
    tags: tuple[str, ...]
    description: str | None
    images: tuple[Image, ...]
    is_accessible_for_free: bool | None
    blocks: tuple[Block, ...]
    evidence: dict[str, str]
    page_type: PageType = "article"
    page_type_confidence: float | None = None
    access: Access = "unknown"
    confidence: float | None = None
    posts: tuple[Post, ...] = ()


@dataclass(kw_only=True, slots=True)
class Record:
    """What goes through the item pipelines: a page and what has been made of it so far.

    Each pipeline fills one field and passes it on. `rejected` is the reason why a page is not an article.
    """

    page: Page
    extraction: Extraction | None = None
    article: Article | None = None
    rejected: str | None = None
    rejected_detail: str | None = None
    stored: Any = None  # store.writer.Stored, once it is committed


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRobots:
    """The robots.txt of one origin (`https://host:port`) as it was last answered.

    body: the first 500 KiB of a 2xx answer, as they came; empty for a missing file (4xx), which allows everything.
    status: None without an answer. failure: why it could not be read, which forbids everything; None if it could.
    """

    body: bytes
    status: int | None
    failure: str | None
    fetched_at: datetime
    good_until: datetime
