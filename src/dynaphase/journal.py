"""What a campaign's store says of its past: plans, records, assessments, and what was known when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dynaphase.records import Record, RecordStatus
from dynaphase.rounds import Plan, merged
from dynaphase.store import Store

__all__ = ["Journal", "read_journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything known, read from the store."""

    plans: tuple[Plan, ...]
    """One a round."""
    records: Mapping[str, Record]
    """By key, ordered by key: the order does not depend on who finished first."""
    arrivals: tuple[str, ...]
    """Keys of the records in the order in which they came."""
    assessments: tuple[Mapping[str, Any], ...]
    """What was logged after each fit of the surrogate; ``n_simulations`` is the number of records it had seen."""

    @property
    def n_failed(self) -> int:
        """Simulations that failed."""
        return sum(record.status is RecordStatus.FAILED for record in self.records.values())

    @property
    def n_stopped(self) -> int:
        """Simulations that were ended early."""
        return sum(record.status is RecordStatus.STOPPED for record in self.records.values())

    @property
    def failures(self) -> list[tuple[str, int]]:
        """Reasons of failed simulations and how often each occurred, the most frequent first."""
        failed = (record for record in self.records.values() if record.status is RecordStatus.FAILED)
        return Counter(record.reason or "no reason was kept" for record in failed).most_common()

    @property
    def n_learned(self) -> int:
        """Records that the latest assessment had seen."""
        return int(self.assessments[-1]["n_simulations"]) if self.assessments else 0

    def at(self, n: int) -> Journal:
        """The journal with the first `n` records that came, as it stood when they were all there were."""
        first = set(islice(self.arrivals, n))
        records = {key: record for key, record in self.records.items() if key in first}
        return Journal(self.plans, records, self.arrivals[:n], self.assessments)


def read_journal(store: Store) -> Journal:
    """The journal of a campaign's store."""
    return Journal(
        plans=merged(Plan.from_json(event.content) for event in store.events("planned")),
        records=store.records(),
        arrivals=tuple(store.arrivals()),
        assessments=tuple(event.content for event in store.events("assessed")),
    )
