"""What a run has found, applied source by source: in batches, what the database refuses found by halving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crawler.store import cleaning, reapplying, reextractions
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.store.reapplying import Applied

T = TypeVar("T")


class Applying:
    """`steps`: recheck.py's. `met` is told of what each batch gave."""

    def __init__(
        self,
        database: Database,
        run_id: int,
        patience: Patience,
        steps: Sequence[float],
        met: Callable[[Applied], None] = lambda _: None,
    ) -> None:
        self.database, self.run_id, self.patience, self.steps, self.met = database, run_id, patience, steps, met

    def all(self) -> Applied:
        """Of every source, and the run is over."""
        sources = self.transaction(lambda connection: reextractions.to_apply(connection, self.run_id))
        done = Applied()
        for source in sources:
            done += self.of(source)
        self.finish()
        return done

    def of(self, source: str) -> Applied:
        """Of one source, whose articles are then cleaned as at the end of a crawl."""
        done = Applied()
        for outcome in reextractions.APPLICABLE:
            while batch := self.transaction(lambda c, o=outcome: reapplying.next_batch(c, self.run_id, source, o)):  # type: ignore[misc]
                applied = self.batch(batch)
                self.met(applied)
                done += applied
        cleaning.clean(self.database.engine, source)
        return done

    def batch(self, ids: Sequence[int]) -> Applied:
        """In one transaction, or in two, and so on."""
        try:
            return self.transaction(lambda connection: reapplying.apply(connection, self.run_id, ids, self.steps))
        except DBAPIError as error:
            if len(ids) > 1:
                half = len(ids) // 2
                return self.batch(ids[:half]) + self.batch(ids[half:])
            [one], refusal = ids, error
            return self.transaction(lambda connection: reapplying.refuse(connection, one, refusal))

    def finish(self) -> None:
        """The run is over, unless others apply some of it still."""
        self.transaction(lambda connection: reapplying.finish(connection, self.run_id))

    def transaction(self, work: Callable[[Connection], T]) -> T:
        return self.patience.transaction(self.database.engine, work)
