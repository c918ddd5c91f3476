"""What is another version of an article and what is not, told as a reader would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.editions import FIELDS, Comparison, Edition, _is_broken_off, compare, cut_of, told

AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TEXT = (
    "The bridge at Saltmere opened on Monday after three years of work.",
    "Five people were killed in the storm, police said on Tuesday.",
    "The council had promised two lanes and a path for cyclists.",
    "Nobody could say on Wednesday what the new bridge will have cost in the end.",
)
TEASER, OTHER_TEASER = "Ten gardens you have to see", "Why cats never come when called"


def block(text: str, kept: bool = True, **more: Any) -> dict[str, Any]:
    return {"kind": "paragraph", "text": text, "kept": kept, "score": 0.99, **more}


def dropped(text: str, reason: str = "related") -> dict[str, Any]:
    return block(text, kept=False, reason=reason, rule="r")


def edition(*texts: str | dict[str, Any], **fields: Any) -> Edition:
    """One of these paragraphs (blocks, if more is to be said of them), else of TEXT."""
    blocks = [block(one) if isinstance(one, str) else one for one in texts or TEXT]
    given_ = {
        "headline": "Bridge opens at Saltmere",
        "authors": ["Ann Writer", "Bo Reporter"],
        "published_at": AT,
        "published_raw": "2026-11-23T10:30:00Z",
        "access": "full",
        "source": "example_herald",
        "url": "https://www.herald.example/1",
    }
    body = "\n".join(one["text"] for one in blocks if one["kept"])
    return Edition.of({"body": body, "blocks": blocks} | given_ | fields)


def told_of(found: Comparison, field: str = "body") -> list[tuple[str, str, str | None, str | None]]:
    return [(one.change, one.cause, one.before, one.after) for one in found.changes if one.field == field]


OLD = edition()


# -- edits -----------------------------------------------------------------------------------------------------------


def test_a_number_in_a_sentence_is_an_edit() -> None:
    new = TEXT[1].replace("Five", "Seven")
    found = compare(OLD, edition(TEXT[0], new, *TEXT[2:]))
    assert (found.changed, found.cause, found.text_stays) == (("body",), "publisher", False)
    assert told_of(found) == [("changed", "publisher", TEXT[1], new)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5 killed", "7 killed"),
        ("5 killed, 3 hours ago", "7 killed, 3 hours ago"),
        ("Germany 1, France 2", "Germany 2, France 2"),
        ("400 jobs", "600 jobs"),
        ("It fell by 3 %.", "It fell by 5 %."),
        ("Let's eat, grandma.", "Let's eat grandma."),
    ],
)
def test_a_label_of_the_article_is_an_edit(before: str, after: str) -> None:
    for label in (block(before), block(before, kind="heading"), block(before, kind="list", score=0.6)):
        old = edition(TEXT[0], label, *TEXT[1:])
        new = edition(TEXT[0], label | {"text": after}, *TEXT[1:])
        assert compare(old, new).changed == ("body",)


def test_numbers_of_a_list_are_no_counters() -> None:
    row = block("400 shares", kind="list")
    assert compare(edition(*TEXT, row), edition(*TEXT, row | {"text": "500 shares"})).changed == ("body",)


def test_a_live_blogs_new_post_is_an_edit() -> None:
    post = "14:05 The mayor has arrived at the bridge."
    found = compare(OLD, edition(post, *TEXT))
    assert found.changed == ("body",)
    assert told_of(found) == [("added", "publisher", None, post)]


def test_a_moved_paragraph_is_an_edit() -> None:
    found = compare(OLD, edition(TEXT[1], TEXT[0], *TEXT[2:]))
    assert (found.changed, [one.change for one in found.changes]) == (("body",), ["moved"])


def test_a_correction_is_told_as_such() -> None:
    note = "Correction: an earlier version of this article gave the wrong year."
    found = compare(OLD, edition(*TEXT, note))
    assert found.changed == ("body", "correction")
    assert told_of(found, "correction") == [("added", "publisher", None, note)]


def test_a_correction_beside_the_text_is_one_too() -> None:
    note = "This article was amended on 26 November 2026 to correct the number of lanes."
    found = compare(OLD, edition(*TEXT, dropped(note, "outside")))
    assert (found.changed, found.text_stays) == (("correction",), False)
    assert compare(edition(*TEXT, dropped(note)), edition(*TEXT, note)).changed == ("body",)  # it was there before


def test_an_article_about_corrections_has_none() -> None:
    about = "The Herald printed a correction on Monday: an earlier version of this article, it said, was wrong."
    assert compare(OLD, edition(*TEXT, about)).changed == ("body",)


# -- fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"headline": "Bridge opens  at Saltmere "},
        {"headline": "Bridge opens at Saltmere | Example Herald"},
        {"headline": "Bridge opens at Saltmere – Herald"},
        {"headline": "BRIDGE OPENS AT SALTMERE"},
        {"authors": ["Bo Reporter", "ANN WRITER"]},
        {"published_at": AT + timedelta(seconds=27)},
        {"published_at": AT - timedelta(hours=1), "published_zone_assumed": True},
        {"published_at": AT.replace(hour=0, minute=0), "published_raw": "23 November 2026"},
        {"access": "unknown"},
        {"is_accessible_for_free": True},
    ],
)
def test_what_no_reader_would_call_another_version(fields: dict[str, Any]) -> None:
    for old, new in ((OLD, edition(**fields)), (edition(**fields), OLD)):
        assert compare(old, new) == Comparison()


@pytest.mark.parametrize(
    ("field", "value", "before", "after"),
    [
        ("headline", "Bridge closes at Saltmere", "Bridge opens at Saltmere", "Bridge closes at Saltmere"),
        (
            "headline",
            "Bridge opens at Saltmere – again",
            "Bridge opens at Saltmere",
            "Bridge opens at Saltmere – again",
        ),
        ("headline", None, "Bridge opens at Saltmere", None),
        ("authors", ["Ann Writer"], "Ann Writer, Bo Reporter", "Ann Writer"),
        ("published_at", AT + timedelta(hours=1), "2026-11-23T10:30:00+00:00", "2026-11-23T11:30:00+00:00"),
        ("published_at", None, "2026-11-23T10:30:00+00:00", None),
        ("access", "truncated", "full", "truncated"),
        ("is_accessible_for_free", False, None, "false"),
    ],
)
def test_what_is(field: str, value: Any, before: str | None, after: str | None) -> None:
    found = compare(OLD, edition(**{field: value}))
    assert (found.changed, found.cause) == ((field,), "publisher")
    assert told_of(found, field) == [("changed", "publisher", before, after)]


@pytest.mark.parametrize(
    ("source", "host", "before", "after"),
    [
        ("sun", "www.thesun.co.uk", "Match moved - Sunday at 3pm", "Match moved - Sunday at 5pm"),
        ("bbc", "www.bbc.co.uk", "Tim Davie - BBC boss quits", "Tim Davie - BBC boss stays"),
        ("die_zeit", "www.zeit.de", "Streik beendet | Zeitplan steht", "Streik beendet | Zeitplan unklar"),
        ("daily_express", "www.express.co.uk", "Crash - express train hits bus", "Crash - express train hits car"),
        ("metro", "metro.co.uk", "Strike ends - Metro open again", "Strike ends - Metro stays shut"),
        ("bbc", "www.bbc.co.uk", "Guilty - BBC", "Not guilty - BBC News"),
    ],
)
def test_a_word_of_the_headline_is_not_the_sites_name(source: str, host: str, before: str, after: str) -> None:
    site = {"source": source, "url": f"https://{host}/1"}
    old, new = (edition(headline=one, **site) for one in (before, after))
    assert compare(old, new).changed == compare(new, old).changed == ("headline",)


@pytest.mark.parametrize(
    ("source", "host", "name"),
    [
        ("bbc", "www.bbc.co.uk", "BBC News"),
        ("the_sun", "www.thesun.co.uk", "The Sun"),
        ("sun", "www.thesun.co.uk", "The Sun"),
        ("die_zeit", "www.zeit.de", "ZEIT ONLINE"),
        ("tagesschau", "www.tagesschau.de", "tagesschau.de"),
        ("bbc_news", "www.bbc.com", "BBC"),
    ],
)
def test_the_sites_name_is_not_the_headline(source: str, host: str, name: str) -> None:
    site = {"source": source, "url": f"https://{host}/1"}
    for named in (f"Bridge opens | {name}", f"{name} - Bridge opens"):
        old, new = edition(headline="Bridge opens", **site), edition(headline=named, **site)
        assert compare(old, new) == compare(new, old) == compare(new, new) == Comparison()


def test_quotes_and_blanks_are_the_typesetters() -> None:
    old = edition('He said: "It\'s open" - and left...', *TEXT)
    new = edition("He said : “It’s open” – and left…", *TEXT)
    assert compare(old, new) == Comparison(text_stays=True)


# -- noise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1,234 shares", "1,240 shares"),
        ("Read 56 times", "Read 57 times"),
        ("1 comment", "12 comments"),
        ("Updated 55 minutes ago", "Updated 2 hours ago"),
        ("Lesezeit: 4 Min.", "Lesezeit: 5 Min."),
        ("Last updated: 23 November 2026, 14:05", "Last updated: 24 November 2026, 09:12"),
    ],
)
def test_a_counter_is_noise(before: str, after: str) -> None:
    noise = Comparison(text_stays=True)
    assert compare(edition(before, *TEXT), edition(after, *TEXT)) == noise
    assert compare(edition(*TEXT), edition(after, *TEXT)) == noise
    assert compare(edition(*TEXT[:2], before, *TEXT[2:]), edition(*TEXT)) == noise


def test_a_counter_beside_an_edit_is_told_as_noise() -> None:
    found = compare(edition("1,234 shares", *TEXT), edition("1,240 shares", *TEXT, "The end came late that evening."))
    assert found.changed == ("body",)
    assert [(one.change, one.cause) for one in found.changes] == [("changed", "noise"), ("added", "publisher")]


def test_a_teaser_behind_the_text_that_gives_way_to_another_is_noise() -> None:
    teasers = block(TEASER, score=0.6), block(OTHER_TEASER, score=0.65)
    assert compare(edition(*TEXT, teasers[0]), edition(*TEXT, teasers[1])) == Comparison(text_stays=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([*TEXT, block(TEASER)], [*TEXT, block(OTHER_TEASER)]),  # the model is sure of it
        ([*TEXT[:2], block(TEASER, score=0.6), *TEXT[2:]], [*TEXT[:2], block(OTHER_TEASER, score=0.6), *TEXT[2:]]),
        ([*TEXT], [*TEXT, block(TEASER, score=0.6)]),  # nothing gave way
        ([*TEXT, block(TEASER, kind="list", score=0.6)], [*TEXT, block(OTHER_TEASER, kind="list", score=0.6)]),
        ([*TEXT, block("It rained.", score=0.6)], [*TEXT, block("Trains are late.", score=0.6)]),
        ([*TEXT, block("Mayor quits", score=0.6)], [*TEXT, block("Mayor stays", score=0.6)]),
    ],
)
def test_in_doubt_it_is_an_edit(before: list[Any], after: list[Any]) -> None:
    assert compare(edition(*before), edition(*after)).changed == ("body",)


def test_a_block_learned_since_is_noise() -> None:
    box = "Vilu sed karmo lint, vaton helu prim sodare kel nomi."
    assert compare(edition(*TEXT, box), edition(*TEXT, dropped(box, "template"))) == Comparison(text_stays=True)
    found = compare(edition(*TEXT, box), edition("It has begun to snow.", *TEXT, dropped(box, "template")))
    assert [(one.change, one.cause) for one in found.changes] == [("added", "publisher"), ("removed", "noise")]


def test_a_block_learned_since_hides_no_news_like_it() -> None:
    box = "Follow the election results live with our reporters in Saltmere."
    news = "Election results: our reporters in Saltmere say the mayor has resigned."
    with_box, with_news = edition(*TEXT, box), edition(*TEXT, news, dropped(box, "template"))
    found = compare(with_box, with_news)
    assert found.changed == ("body",)
    assert told_of(found) == [("removed", "noise", box, None), ("added", "publisher", None, news)]
    found = compare(with_news, with_box)
    assert told_of(found) == [("removed", "publisher", news, None), ("added", "noise", None, box)]


def test_other_breaks_between_the_same_words_are_noise() -> None:
    assert compare(OLD, edition(f"{TEXT[0]} {TEXT[1]}", *TEXT[2:])) == Comparison(text_stays=True)
    signs = "大桥于周一通车。", "市长没有出席。"
    assert compare(edition(*signs), edition("".join(signs))) == Comparison(text_stays=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Police want the rapist to call.", "Police want therapist to call."),
        ("Leeds 1 1", "Leeds 11"),
        ("Es wird so viel gebaut.", "Es wird soviel gebaut."),
    ],
)
def test_a_blank_between_words_counts(before: str, after: str) -> None:
    assert compare(edition(*TEXT, before), edition(*TEXT, after)).changed == ("body",)


# -- ours ------------------------------------------------------------------------------------------------------------


def test_what_the_page_had_before_is_ours() -> None:
    letter = "We have a favour to ask of everybody who has read as far as this."
    found = compare(edition(*TEXT, letter), edition(*TEXT, dropped(letter, "support")))
    assert (found.changed, found.cause) == (("body",), "rules")
    assert told_of(found) == [("removed", "rules", letter, None)]
    found = compare(edition(*TEXT, letter), edition("It snows in Saltmere.", *TEXT, dropped(letter, "support")))
    assert (found.changed, found.cause) == (("body",), "publisher")
    assert [one.cause for one in found.changes] == ["publisher", "rules"]


def test_what_the_page_goes_on_to_have_beside_its_text_is_the_publishers() -> None:
    lead = "Mayor Ann Lee took bribes from a builder, a court has heard."
    told_twice, told_once = (
        edition(*TEXT, lead, dropped(lead, "standfirst")),
        edition(*TEXT, dropped(lead, "standfirst")),
    )
    for old, new in ((told_twice, told_once), (told_once, told_twice)):
        found = compare(old, new)
        assert (found.changed, found.cause) == (("body",), "publisher")


def test_a_page_read_again_by_other_rules() -> None:
    found = compare(OLD, edition(*TEXT[:-1], headline="Bridge opens at Saltmere | Herald"), ours=True)
    assert (found.changed, found.cause) == (("headline", "body"), "rules")
    assert {one.cause for one in found.changes} == {"rules"}


# -- cut off ---------------------------------------------------------------------------------------------------------

BEGINNING = (TEXT[0], TEXT[1][:30] + "…")


def test_a_metered_paywall_takes_nothing_away() -> None:
    new = edition(*BEGINNING, dropped("Subscribe", "paywall"), access="truncated", is_accessible_for_free=False)
    found = compare(OLD, new)
    assert (found.cut, found.text_stays, found.changed) == ("refused:truncated", True, ("is_accessible_for_free",))
    assert compare(OLD, replace(new, access="unknown")).cut == "refused:truncated"  # the gate says it


def test_the_beginning_of_an_edited_article_is_told_apart() -> None:
    found = compare(OLD, edition(TEXT[0].replace("three", "four"), access="truncated", headline="Bridge late"))
    assert (found.cut, found.changed) == ("refused:truncated-and-changed", ("headline",))


def test_a_page_read_again_that_shows_the_beginning_takes_nothing_away() -> None:
    new = edition(*BEGINNING, dropped("Subscribe", "paywall"), access="truncated", headline="Bridge opens")
    assert cut_of(OLD, new) == "refused:truncated"
    found = compare(OLD, new, ours=True)
    assert (found.cut, found.text_stays, found.changed) == ("refused:truncated", True, ("headline",))
    assert compare(new, OLD, ours=True).changed == ("headline", "body", "access")


def test_todays_rules_may_find_that_the_gates_words_are_none_of_the_text() -> None:
    gate = "Subscribe now to read on: the first month costs one euro."
    old = edition(*TEXT, gate)
    for texts in (TEXT, ("The bridge at Saltmere opened on Monday", "after three years of work.", *TEXT[1:])):
        new = edition(*texts, dropped(gate, "paywall"), access="truncated")
        assert cut_of(old, new) is None
        assert compare(old, new, ours=True).changed == ("body", "access")


def test_a_withdrawal_behind_a_gate_is_told() -> None:
    note = "This story has been removed after a legal complaint by the mayor."
    found = compare(OLD, edition(note, dropped("Join us", "membership"), access="unknown"))
    assert (found.cut, found.changed) == ("refused:truncated-and-changed", ("correction",))
    assert told_of(found, "correction") == [("added", "publisher", None, note)]


def test_a_summary_under_the_same_headline_stands_for_the_text() -> None:
    assert compare(OLD, edition("A town has its crossing back.", access="truncated")).cut


class Counted(list[str]):
    """How many of it were looked at."""

    seen = 0

    def __getitem__(self, at: Any) -> Any:
        self.seen += 1
        return super().__getitem__(at)

    def __iter__(self) -> Iterator[str]:
        for at in range(len(self)):
            yield self[at]


@given(
    wholes=st.lists(st.text("ab")),
    text=st.text("ab", min_size=1, max_size=5),
    end=st.sampled_from(["", "...", " [...]"]),
)
def test_a_paragraph_that_is_broken_off_is_found(wholes: list[str], text: str, end: str) -> None:
    begins = any(whole.startswith(text) for whole in wholes)
    assert _is_broken_off(text + end, sorted(wholes)) == begins


def test_a_paragraph_that_is_broken_off_is_not_looked_for_in_all() -> None:
    """Of 50,000 rows against 25,000 the writer took 97 s."""
    wholes = Counted(f"Row {at:04}" for at in range(5_000))
    assert _is_broken_off("Row 499...", wholes)
    assert not _is_broken_off("Another row", wholes)
    assert wholes.seen < 50


def test_a_page_that_shows_all_but_a_counter_is_not_cut_off() -> None:
    found = compare(edition(*TEXT, "12 comments"), edition(*TEXT, dropped("Subscribe", "paywall"), access="truncated"))
    assert (found.cut, found.text_stays, found.changed) == (None, True, ("access",))


def test_what_is_held_cut_off_is_edited_as_any_other() -> None:
    held = edition(*TEXT[:2], access="truncated")
    shorter = edition(TEXT[0], access="truncated")
    edited = edition(TEXT[0].replace("after three years of work", "after years"), TEXT[1], access="truncated")
    assert compare(held, shorter).cut == "refused:truncated"
    assert compare(held, edited).changed == ("body",)


def test_another_text_is_another_version_cut_or_not() -> None:
    new = edition("A ferry sank off the coast, and the search goes on.", access="truncated", headline="Ferry sinks")
    found = compare(OLD, new)
    assert (found.cut, found.changed) == (None, ("headline", "body", "access"))


def test_a_publisher_may_shorten_an_article() -> None:
    assert compare(OLD, edition(*TEXT[:2])).changed == ("body",)


def test_what_we_know_of_the_access_is_no_version() -> None:
    """Not even beside an edit; but a text that was cut off and has grown is no longer so."""
    longer = (*TEXT, "It has begun to snow in Saltmere.")
    assert compare(OLD, edition(*longer, access="unknown")).changed == ("body",)
    assert compare(edition(*BEGINNING, access="truncated"), edition(access="unknown")).changed == ("body", "access")
    assert compare(edition(access="truncated"), edition(access="unknown")).changed == ()


def test_the_rest_that_comes_later_is_a_version() -> None:
    found = compare(edition(*BEGINNING, access="truncated"), OLD)
    assert (found.changed, found.text_stays) == (("body", "access"), False)


# -- properties ------------------------------------------------------------------------------------------------------

PARTS = [*TEXT, "5 killed", "7 killed", "12 comments", "13 comments", "Correction: the year was wrong.", TEASER]
BLOCKS = st.builds(
    lambda text, kept, score, reason: block(text, kept, score=score) | ({} if kept else {"reason": reason}),
    st.sampled_from(PARTS),
    st.booleans(),
    st.sampled_from([None, 0.6, 0.99]),
    st.sampled_from(["template", "related", "paywall"]),
)
EDITIONS = st.builds(
    lambda blocks, **fields: edition(*blocks, **fields) if blocks else edition(block("", False), **fields),
    st.lists(BLOCKS, max_size=7),
    headline=st.sampled_from([None, "A bridge", "A bridge | Herald", "A “bridge”", "Another"]),
    authors=st.sampled_from([[], ["A"], ["A", "B"], ["B", "A"]]),
    published_at=st.sampled_from([None, AT, AT + timedelta(seconds=1), AT + timedelta(hours=2)]),
    published_zone_assumed=st.booleans(),
    access=st.sampled_from(["full", "truncated", "unknown"]),
    is_accessible_for_free=st.sampled_from([None, True, False]),
)


@given(old=EDITIONS)
def test_a_version_is_no_other_than_itself(old: Edition) -> None:
    assert compare(old, replace(old)) == Comparison()
    assert compare(old, replace(old), ours=True) == Comparison()
    assert told(old, old) == ()


@given(old=EDITIONS, new=EDITIONS, ours=st.booleans())
def test_what_is_said_agrees(old: Edition, new: Edition, ours: bool) -> None:
    found = compare(old, new, ours=ours)
    assert list(found.changed) == [name for name in FIELDS if name in found.changed]
    assert set(found.changed) == {one.field for one in found.changes if one.cause != "noise"}
    assert found.text_stays == (old.body != new.body and "body" not in found.changed)
    assert not found.cut or found.text_stays
    if ours:
        assert {one.cause for one in found.changes} <= {"rules", "noise"}
    assert all(one.before or one.after for one in found.changes)


@given(old=EDITIONS, new=EDITIONS)
def test_no_word_of_an_edit_is_lost(old: Edition, new: Edition) -> None:
    """When a text is not taken, then for noise alone: nothing but counters, teasers, template, or a page cut off."""
    found = compare(old, new)
    if found.text_stays and not found.cut:
        for text in set(old.paragraphs) ^ set(new.paragraphs):
            template = {
                block["text"] for one in (old, new) for block in one.blocks if block.get("reason") == "template"
            }
            assert "comments" in text or text == TEASER or text in template
