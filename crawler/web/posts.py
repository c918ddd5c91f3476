"""Where a live blog's posts start among its blocks."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.items import Post
from crawler.web.inspection import Seen, shown
from crawler.web.ledger import Line


def post_titles(seen: Seen, lines: Sequence[Line]) -> dict[int, str]:
    """Number of a line -> `Post 2 · its headline · its time`, for each line that is the first of its post."""
    found: dict[int, str] = {}
    before: int | None = None
    for line in lines:
        post = line.block.post
        if post is None or post == before:
            continue
        found[line.number] = _title(post, seen.posts[post] if post < len(seen.posts) else Post())
        before = post
    return found


def _title(number: int, post: Post) -> str:
    at = post.published_at.isoformat(sep=" ", timespec="minutes") if post.published_at else None
    return " · ".join(part for part in (f"Post {number + 1}", shown(post.headline or ""), at) if part)
