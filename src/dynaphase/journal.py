"""What a campaign's store says of its past: plans, records, assessments, and what was known when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.records import Record, RecordStatus
from dynaphase.robustness import is_drawn
from dynaphase.rounds import Plan, merged
from dynaphase.store import Store

__all__ = ["Journal", "read_journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything known, read from the store."""

    plans: tuple[Plan, ...]
    """One a round."""
    records: Mapping[str, Record]
    """Those that are learned from or judged by, ordered by key: the order does not depend on who finished first."""
    arrivals: tuple[str, ...]
    """Keys of those records in the order in which they came."""
    assessments: tuple[Mapping[str, Any], ...]
    """What was logged after each fit of the surrogate; ``n_simulations`` is the number of records it had seen."""
    drawn: Mapping[str, Record] = field(default_factory=dict)
    """Records of other draws of the uncertain parameters."""
    compared: tuple[Composition, ...] = ()
    """Compositions that are simulated under draws, beside the reference."""
    saved: Sequence[Mapping[str, Any]] = ()
    """What random search would have needed."""

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
    def failed_compositions(self) -> set[Composition]:
        """Compositions all of whose simulations failed."""
        by_composition: dict[Composition, set[RecordStatus]] = {}
        for record in self.records.values():
            by_composition.setdefault(record.candidate.composition, set()).add(record.status)
        return {composition for composition, found in by_composition.items() if found == {RecordStatus.FAILED}}

    @property
    def n_learned(self) -> int:
        """Records that the latest assessment had seen."""
        return int(self.assessments[-1]["n_simulations"]) if self.assessments else 0

    def at(self, n: int) -> Journal:
        """The journal with the first `n` records that came, as it stood when they were all there were."""
        first = set(islice(self.arrivals, n))
        records = {key: record for key, record in self.records.items() if key in first}
        return replace(self, records=records, arrivals=self.arrivals[:n])


def read_journal(store: Store, config: CampaignConfig) -> Journal:
    """The journal of the store of a campaign that is configured so."""
    records = store.records()
    drawn = {key for key, record in records.items() if is_drawn(record, config)}
    compared, saved = store.events("compared")[-1:], store.events("saved")[-1:]
    return Journal(
        plans=merged(Plan.from_json(event.content) for event in store.events("planned")),
        records={key: record for key, record in records.items() if key not in drawn},
        arrivals=tuple(key for key in store.arrivals() if key not in drawn),
        assessments=tuple(event.content for event in store.events("assessed")),
        drawn={key: record for key, record in records.items() if key in drawn},
        compared=tuple(
            Composition(tuple((str(element), int(count)) for element, count in parts))
            for event in compared
            for parts in event.content["compositions"]
        ),
        saved=tuple(saving for event in saved for saving in event.content["savings"]),
    )
