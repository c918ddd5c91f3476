"""What the documentation shows runs: every SQL statement of README.md and docs/ on today's schema."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from crawler.store.engine import Database
from tests.runs import PROJECT

PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
SYNOPSIS = re.compile(r"^news\.\w+\(")  # docs/schema.md shows functions by their signature
STATEMENTS = [
    pytest.param(statement.strip(), id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    for statement in block.split(";")
    if statement.strip() and not SYNOPSIS.match(statement.strip())
]


def test_every_setting_and_command_of_ours_is_documented() -> None:
    ours = (PROJECT / "crawler" / "settings.py").read_text(encoding="utf-8").partition("# -- Scrapy's --")[0]
    settings = set(re.findall(r"^([A-Z][A-Z_]+) = ", ours, re.MULTILINE)) - {"PROJECT_DIR", "ON_TERMINAL"}
    told = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert len(settings) > 40 and {name for name in settings if f"`{name}`" not in told} == set()
    commands = {path.stem.replace("_", "-") for path in (PROJECT / "crawler" / "commands").glob("[a-z]*.py")}
    readme = PAGES[0].read_text(encoding="utf-8")
    assert {name for name in commands - {"asked", "choosing"} if f"`scrapy {name}" not in readme} == set()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_sql_of_the_documentation(database: Database, statement: str) -> None:
    with database.engine.connect() as connection:
        connection.execute(text(statement.replace(":", r"\:")))
        connection.rollback()
