"""Golden pages: each against its hand-made truth, and against what the last `make golden-update` wrote."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from crawler.items import Block, Extraction
from tests.golden import update
from tests.golden.checks import CHECKS, KEYS, body, drops, reasons
from tests.golden.expected import dump
from tests.golden.pages import HERE, NAMES, expected_path, extraction, known, truth

KNOWN = known()
SHOWN = 40  # lines of a difference


def cases() -> list[object]:
    marks = {
        (name, kind): pytest.mark.xfail(strict=True, raises=AssertionError, reason=why)
        for name, kinds in KNOWN.items()
        for kind, why in kinds.items()
    }
    return [
        pytest.param(name, kind, marks=marks.get((name, kind), ()), id=f"{name}-{kind}")
        for name in NAMES
        for kind in CHECKS
    ]


@pytest.mark.parametrize(("name", "kind"), cases())
def test_the_truth(name: str, kind: str) -> None:
    wrong = CHECKS[kind](truth(name), extraction(name))
    assert not wrong, f"{name}: " + "\n".join(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_changed_unnoticed(name: str) -> None:
    path = expected_path(name)
    before = path.read_text("utf-8") if path.exists() else ""
    now = dump(extraction(name))
    lines = list(unified_diff(before.splitlines(), now.splitlines(), "expected", "now", lineterm="", n=1))
    assert before == now, "run `make golden-update` and read the diff\n" + "\n".join(lines[:SHOWN])


def test_what_is_held() -> None:
    assert len(NAMES) >= 44
    assert len({name.partition("_")[0] for name in NAMES}) >= 13
    for folder in ("truth", "expected"):
        assert sorted(path.stem for path in (HERE / folder).glob("*.yaml")) == list(NAMES), folder
    assert {kind for kinds in KNOWN.values() for kind in kinds} <= CHECKS.keys()
    assert KNOWN.keys() <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_truth_says_what_it_means(name: str) -> None:
    given = truth(name)
    assert given.keys() <= KEYS, "a misspelt key is never judged"
    assert {"url", "note", "page_type"} <= given.keys()
    bodies, starts = given.get("body", []), [entry["text"] for entry in given.get("must_drop", ())]
    assert not [text for text in bodies if text in starts], "kept and dropped at once"


def test_the_checks_see_what_is_wrong() -> None:
    said = {"body": ["One two.", "Three."], "must_drop": [{"text": "Give us money now, please", "reason": "support"}]}
    kept = Extraction(
        blocks=(
            Block(kind="paragraph", text="One two.", kept=True),
            Block(kind="paragraph", text="Give us money now, please.", kept=True),
        )
    )
    assert body(said, kept) == ["lost: Three.", "gained: Give us money now, please."]
    assert drops(said, kept) == ["kept: 'Give us money now, please.'"]
    mislabelled = Extraction(
        blocks=(Block(kind="paragraph", text="Give us money now, please.", kept=False, reason="legal", rule="x"),)
    )
    assert reasons(said, mislabelled) == ["legal (x) instead of support: 'Give us money now, please.'"]


def test_an_update_refuses_what_the_truth_forbids(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "en_long_harbour"
    monkeypatch.setattr(update, "NAMES", (name,))
    monkeypatch.setattr(update, "extraction", lambda _: Extraction())
    monkeypatch.setattr(update, "write", lambda: pytest.fail("it wrote"))
    assert update.main() == 1
    said = capsys.readouterr().err
    assert f"{name}: body" in said and "lost: The wall that has kept the sea out" in said
