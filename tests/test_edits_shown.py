"""Edits as they are printed: nothing is left out, unchanged paragraphs are counted, a terminal's lines fit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crawler.editions.paragraphs import Change, compared
from crawler.store.reading import StoredArticle, StoredEdit
from crawler.web.edits import CAME, GONE, highlighted, lines, show
from tests.store.rows import an_article

AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
PARAGRAPHS = st.lists(
    st.sampled_from(["One is here.", "Two is here.", "Three.", "橋は開通した。", "Five ends it all."]), max_size=9
)
SENTENCE = st.text(alphabet="ab .,東京é", max_size=30)


def edit(before: Sequence[str], after: Sequence[str], *fields: Change, cause: str = "publisher") -> StoredEdit:
    changes = tuple(one.by(cause) for one in compared(before, after, before, after))
    return StoredEdit(
        revision=1,
        stored_at=AT,
        replaced_at=AT,
        cause=cause,
        changed=("body",),
        changes=(*fields, *changes),
        before=tuple(before),
        after=tuple(after),
    )


def printed(*edits: StoredEdit, terminal: bool = False, width: int = 60) -> str:
    stored = StoredArticle(id=7, article=an_article(), revision=len(edits) + 1, stored_at=AT, updated_at=AT)
    out = io.StringIO()
    show(stored, edits, Console(file=out, force_terminal=terminal, width=width, no_color=True, highlight=False))
    return out.getvalue()


@given(before=PARAGRAPHS, after=PARAGRAPHS)
def test_every_paragraph_is_shown_or_counted(before: list[str], after: list[str]) -> None:
    told = list(lines(edit(before, after)))
    if before != after:
        shown = sum(one.change is not None and one.change.to is not None for one in told)
        assert shown + sum(one.number for one in told) == len(after)


@given(before=SENTENCE, after=SENTENCE)
def test_a_highlight_holds_both_texts(before: str, after: str) -> None:
    text = highlighted(before, after)
    styled = [(str(span.style), text.plain[span.start : span.end]) for span in text.spans]
    gone = "".join(part for style, part in styled if style == GONE)
    came = "".join(part for style, part in styled if style == CAME)
    stayed = len(text.plain.replace(" ", "")) - len((gone + came).replace(" ", ""))
    assert stayed + len(gone.replace(" ", "")) == len(before.replace(" ", ""))
    assert stayed + len(came.replace(" ", "")) == len(after.replace(" ", ""))


def test_a_terminals_lines_fit() -> None:
    long = "The bridge at Saltmere opened on Monday after three years of work and many words of the mayor. " * 3
    told = printed(edit(["One.", long, "Three."], ["One.", long.replace("three", "four"), "Three."]), terminal=True)
    assert "… 1 paragraph unchanged" in told
    plain = Console(width=60).render_str(told.replace("\x1b", ""))
    assert plain and "three" in told and "four" in told


def test_piped_a_change_is_one_line_however_long() -> None:
    long = "word " * 100
    told = printed(edit([], [long.strip()]))
    assert f"+ paragraph 1  {long.strip()}" in told.splitlines()


def test_what_is_ours_is_said_once() -> None:
    ours = printed(edit(["One is here.", "Two goes away now."], ["One is here."], cause="rules"))
    assert "our rules  body" in ours and "[our rules]" not in ours
    noise = Change(field="body", change="changed", cause="noise", before="1 view", after="2 views", at=0, to=0)
    mixed = edit(["x"], ["x"], noise)
    assert "- paragraph 1  [noise] 1 view" in printed(mixed)
