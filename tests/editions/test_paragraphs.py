"""The paragraph diff gives the new text when it is applied to the old one, and says what a person would say."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from crawler.editions.paragraphs import Change, compared

WORDS = ["bridge", "opens", "closed", "mayor", "said", "five", "seven", "on", "Monday", "東京"]
PARAGRAPHS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join), max_size=12)


def diff(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    return compared(old, new, old, new)


def applied(old: Sequence[str], changes: Sequence[Change]) -> list[str]:
    """The old text with the changes: who has no part in them stays, in order."""
    gone = {one.at for one in changes if one.at is not None}
    placed = {one.to: one.after or "" for one in changes if one.to is not None}
    stays = iter([text for at, text in enumerate(old) if at not in gone])
    length = len(old) - len(gone) + len(placed)
    return [placed[at] if at in placed else next(stays) for at in range(length)]


def said(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str | None, str | None]]:
    return [(one.change, one.before, one.after) for one in diff(old, new)]


@given(old=PARAGRAPHS, new=PARAGRAPHS)
def test_applied_to_the_old_text_it_gives_the_new_one(old: list[str], new: list[str]) -> None:
    changes = diff(old, new)
    assert applied(old, changes) == new
    for one in changes:
        assert one.before == (None if one.at is None else old[one.at])
        assert one.after == (None if one.to is None else new[one.to])


@given(text=PARAGRAPHS, where=st.randoms(use_true_random=False))
def test_another_order_only_moves(text: list[str], where: object) -> None:
    other = list(text)
    where.shuffle(other)  # type: ignore[attr-defined]
    assert {one.change for one in diff(text, other)} <= {"moved"}


@given(text=PARAGRAPHS)
def test_the_same_text_has_no_differences(text: list[str]) -> None:
    assert diff(text, text) == []


def test_a_changed_paragraph_is_one_and_not_two() -> None:
    old = ["The bridge opened on Monday.", "Five people were hurt, police said.", "It is closed."]
    new = ["The bridge opened on Monday.", "Seven people were hurt, police said.", "It is closed."]
    assert said(old, new) == [("changed", old[1], new[1])]


def test_sentences_that_are_added_change_a_paragraph() -> None:
    long = "The council met in the evening and decided nothing at all. Three members left early and were not replaced."
    assert said(["The council met in the evening."], [f"The council met in the evening. {long}"])[0][0] == "changed"


def test_what_is_replaced_by_something_else_goes_and_comes() -> None:
    old, new = ["A ferry sank off the coast."], ["Schools will close next week."]
    assert said(old, new) == [("removed", old[0], None), ("added", None, new[0])]


def test_of_many_in_one_place_the_right_ones_are_paired() -> None:
    old = ["First the mayor spoke of the bridge.", "Then the crowd went home in the rain."]
    new = [
        "A new paragraph without any of it.",
        "First the mayor spoke of the old bridge.",
        "Then the crowd went home.",
    ]
    assert [one[0] for one in said(old, new)] == ["added", "changed", "changed"]


def test_a_moved_paragraph_is_moved() -> None:
    old = ["One is here.", "Two is here too.", "Three ends it."]
    assert said(old, [old[2], old[0], old[1]]) == [("moved", old[2], old[2])]


def test_text_without_spaces_is_compared_by_letters() -> None:
    old, new = ["橋は月曜日に開通し、市長が式典で挨拶した。"], ["橋は火曜日に開通し、市長が式典で挨拶した。"]
    assert said(old, new) == [("changed", old[0], new[0])]


def test_thousands_of_paragraphs_are_no_matter() -> None:
    """All the same, and all different: neither takes quadratic time (a test that did would run into its timeout)."""
    same = ["* * *"] * 20_000
    assert len(diff(same, same[:-1])) == 1
    assert len(diff([f"a {n}" for n in range(5_000)], [f"b {n}" for n in range(5_000)])) == 10_000
