"""An inspection as one self-contained page of HTML.

The page under inspection may be hostile: every text is escaped by the template engine, and a content security policy
forbids all scripts and requests and all styles but the one that is written here. What can be toggled is toggled by CSS.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from crawler.web.inspection import Inspection, field_rows, image_rows, origin_rows, shown, verdict_rows
from crawler.web.ledger import Line, Sum, ledger, runs, sums
from crawler.web.posts import post_titles
from crawler.web.reasons import family, gloss
from crawler.web.rule_book import RuleNote, note_of

OPEN_RUNS = 12  # blocks; longer runs of dropped ones are folded up


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedRule:
    """A rule of the page's ledger, and how many blocks it dropped."""

    note: RuleNote
    blocks: int

    @property
    def hint(self) -> str:
        example = f"; drops for example: {self.note.example}" if self.note.example else ""
        return self.note.words + example


def html_page(inspection: Inspection) -> str:
    """The whole document."""
    lines = ledger(inspection)
    totals = sums(lines)
    kept, dropped = totals[0], totals[1:]
    toggles = {one.reason: number for number, one in enumerate(totals)}
    style = _style(len(totals))
    used = _used_rules(inspection, lines)
    return _template().render(
        policy=_policy(style),
        style=style,
        title=shown(inspection.seen.headline or "") or "No headline",
        language=inspection.seen.language,
        origin=list(origin_rows(inspection)),
        verdicts=verdict_rows(inspection),
        fields=field_rows(inspection),
        images=image_rows(inspection.seen),
        compared=inspection.today is not None,
        changes=sum(bool(line.change) for line in lines),
        kept=kept,
        dropped_blocks=sum(one.blocks for one in dropped),
        dropped_words=sum(one.words for one in dropped),
        legend=[_legend_entry(one) for one in totals],
        runs=[(run, toggles.get(run.reason, "other")) for run in runs(lines)],
        posts=post_titles(inspection.seen, lines),
        rules=used,
        rule_numbers={rule.note.id: number for number, rule in enumerate(used)},
        family=family,
        open_runs=OPEN_RUNS,
    )


def _legend_entry(one: Sum) -> dict[str, object]:
    return {"sum": one, "family": family(one.reason), "gloss": gloss(one.reason) if one.reason else ""}


def _used_rules(inspection: Inspection, lines: Sequence[Line]) -> list[UsedRule]:
    used = Counter(line.block.rule for line in lines if line.block.rule and not line.block.kept)
    return [UsedRule(note=note_of(rule, inspection.source), blocks=blocks) for rule, blocks in used.most_common()]


def _style(toggles: int) -> str:
    """The style sheet, with a switch for each entry of the legend. A reason is a number here, never its text."""
    hidden = [f"body:has(#show-{number}:not(:checked)) .show-{number}" for number in range(toggles)]
    hidden.append("body:has(#changes-only:checked) .same")
    sheet = files("crawler.web").joinpath("templates", "inspection.css").read_text(encoding="utf-8")
    return sheet + f"{', '.join(hidden)} {{ display: none; }}\n"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("crawler.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("inspection.html")
