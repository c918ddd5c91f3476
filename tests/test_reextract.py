"""`scrapy reextract`: what today's rules gain and lose is told exactly, and applied only then; killed, it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runs import Bench, Outcome, cloned
from tests.site import Newspaper

HERALD = "example_herald"
STRAY = "A paragraph that an earlier version of the rules had taken for the article's."
RULED, TAMPERED, LOST = "shipyard-order", "library-roof", "storm-names"


@dataclass(frozen=True)
class Story:
    bench: Bench
    paper: Newspaper

    def reextract(self, *options: str) -> Outcome:
        return self.bench.scrapy("reextract", *options)

    def json(self, *options: str) -> dict[str, Any]:
        outcome = self.reextract("--json", *options)
        assert outcome.status == 0, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    def id(self, slug: str) -> int:
        return int(self.bench.value("SELECT id FROM articles WHERE url = %s", self.paper.article(slug).url))


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    room = tmp_path_factory.mktemp("reextract")
    with cloned(server_url, template) as url, Newspaper() as paper:
        paper.write_seeds(room / "seeds")
        bench = Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url)
        assert bench.crawl("news").status == 0
        yield Story(bench, paper)


def test_a_crawl_under_todays_rules_leaves_nothing_to_do(story: Story) -> None:
    outcome = story.reextract()
    print(outcome.out)
    assert outcome.lines == ["nothing would change"]
    assert outcome.status == 0
