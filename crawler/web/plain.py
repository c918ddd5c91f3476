"""An inspection as JSON's types."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from crawler.items import Page
from crawler.store.reading import StoredArticle
from crawler.web.inspection import Inspection, Seen, field_rows, verdict_rows
from crawler.web.ledger import ledger


def plain(inspection: Inspection) -> dict[str, Any]:
    """The fields of what is inspected, `body` first: it is what people look for. `stored` and `today` if there are."""
    values = _fields(inspection.seen) | {"url": inspection.url}
    if inspection.source:
        values["source"] = inspection.source.id
    if inspection.stored:
        values["stored"] = _stored(inspection.stored, inspection.raw)
    if inspection.today:
        values |= {"today": _fields(inspection.today), "differences": _differences(inspection)}
    return values


def _fields(seen: Seen) -> dict[str, Any]:
    values = asdict(seen)
    values.pop("bands", None)  # which is no field
    return {"body": seen.body, **_jsonable(values)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _stored(stored: StoredArticle, raw: Page | None) -> dict[str, Any]:
    return {
        "id": stored.id,
        "revision": stored.revision,
        "stored_at": stored.stored_at.isoformat(),
        "updated_at": stored.updated_at.isoformat(),
        "page_fetched_at": raw.fetched_at.isoformat() if raw else None,
        "page_url": raw.url if raw else None,
        "page_is_later": stored.is_older_than(raw) if raw else None,
    }


def _differences(inspection: Inspection) -> dict[str, Any]:
    rows = [*verdict_rows(inspection), *field_rows(inspection)]
    lines = (line for line in ledger(inspection) if line.change)
    return {
        "fields": {row.name: {"stored": row.value, "today": row.today} for row in rows if row.changed},
        "blocks": [{"text": line.block.text, "change": line.change_words} for line in lines],
    }
