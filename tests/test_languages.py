from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.languages import language_tag, primary


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        ("en", "en"),
        ("EN", "en"),
        (" en ", "en"),
        ("en_US", "en-US"),
        ("en-us", "en-US"),
        ("en_US.UTF-8", "en-US"),
        ("en-UK", "en-GB"),
        ("pt-br", "pt-BR"),
        ("es-419", "es-419"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("zh-cmn-Hans", "zh-Hans"),
        ("zh-yue", "yue"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("de-1996", "de-1996"),
        ("en-US-u-hc-h12", "en-US"),
        ("en-GB-x-private", "en-GB"),
        ("iw", "he"),
        ("in-ID", "id-ID"),
        ("eng", "en"),
        ("ger", "de"),
        ("ckb", "ckb"),
        ("no", "no"),
        ("german", "de"),
        ("Deutsch", "de"),
        ("FRANÇAIS", "fr"),
        ("Русский", "ru"),
        ("日本語", "ja"),
        ("de-DE, de", "de-DE"),
        ("en;q=0.9", "en"),
        ("fr-", "fr"),
    ],
)
def test_spellings_of_a_tag(raw: str, tag: str) -> None:
    assert language_tag(raw) == tag


@pytest.mark.parametrize(
    "raw",
    [None, "", " ", "-", "xx", "zz", "und", "mul", "utf-8", "none", "{{lang}}", "e", "klingon", "en us", "en--us"],
)
def test_garbage_is_no_language(raw: str | None) -> None:
    assert language_tag(raw) is None


def test_primary() -> None:
    assert primary("zh-Hans-CN") == "zh"
    assert primary("en") == "en"


pieces = st.lists(st.from_regex(r"[a-zA-Z0-9]{1,8}", fullmatch=True) | st.sampled_from(["en", "zh", "cmn", "uk"]))
tag_like = st.builds(lambda parts, glue: glue.join(parts), pieces, st.sampled_from(["-", "_"]))


@given(st.text() | tag_like)
def test_a_tag_is_its_own_tag(raw: str) -> None:
    tag = language_tag(raw)
    assert tag is None or language_tag(tag) == tag


@given(tag_like)
def test_case_and_separator_do_not_matter(raw: str) -> None:
    assert language_tag(raw) == language_tag(raw.upper()) == language_tag(raw.replace("_", "-"))
