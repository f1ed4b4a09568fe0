"""Levels of fidelity in a campaign: what a level is to the surrogate, what it costs, and when the top one is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from dynaphase.config import CampaignConfig
from dynaphase.records import Record
from dynaphase.rounds import Entry, Role

__all__ = ["costs_of", "is_top", "is_top_due", "level_value", "measured_costs", "n_weighed"]


def level_value(config: CampaignConfig, level: str | None) -> float:
    """What the surrogate reads of a level: 1 at the top, (i + 1)/n for the i-th of n levels."""
    levels = config.fidelity.levels
    return 1.0 if level is None or not levels else (levels.index(level) + 1) / len(levels)  # type: ignore[arg-type]


def is_top(config: CampaignConfig, settings: Mapping[str, Any]) -> bool:
    """Whether a simulation with these settings is at the level that counts."""
    return config.fidelity.top in (None, settings.get("fidelity"))


def measured_costs(config: CampaignConfig, records: Iterable[Record]) -> dict[str, float]:
    """Mean CPU time of the finished simulations at each level, relative to the top, to two digits.

    A level without one counts as the top.  Measured once, after the first design, and kept in the journal: later
    choices of the same campaign, resumed or not, then rest on the same numbers.
    """
    seconds: dict[str, list[float]] = {level: [] for level in config.fidelity.levels}
    for record in records:
        level = record.candidate.settings.get("fidelity")
        if record.is_done and level in seconds:
            seconds[level].append(record.cpu_seconds)
    top = seconds.get(config.fidelity.top or "")
    if not top:
        return dict.fromkeys(seconds, 1.0)
    return {level: float(f"{fmean(found) / fmean(top):.2g}") if found else 1.0 for level, found in seconds.items()}


def costs_of(config: CampaignConfig, assessments: Sequence[Mapping[str, Any]]) -> dict[str | None, float]:
    """Cost of a simulation at each level relative to the top: as stated, or as measured in the first design.

    Before there is an assessment every level costs what the top costs.
    """
    fidelity = config.fidelity
    if fidelity.costs:
        return {None: 1.0} | {
            level: cost / fidelity.costs[-1] for level, cost in zip(fidelity.levels, fidelity.costs, strict=True)
        }
    measured = assessments[0].get("costs", {}) if assessments else {}
    return {None: 1.0} | {level: float(measured.get(level, 1.0)) for level in fidelity.levels}


def n_weighed(config: CampaignConfig, entries: Iterable[Entry], costs: Mapping[str | None, float]) -> float:
    """Simulations asked for, each counting by its cost: what the budget is compared with."""
    return config.design.n_replicates * sum(costs[entry.level] for entry in entries)


def is_top_due(
    config: CampaignConfig, entries: Iterable[Entry], costs: Mapping[str | None, float], following: str | None
) -> bool:
    """Whether the next choice must be at the top because `following`, a lower level, would take too much.

    Since the last choice at the top, lower levels may cost as much as one simulation there and no more.  So at least
    half of what the rounds cost goes to the level that counts, whatever the acquisition prefers.
    """
    spent = 0.0
    for entry in entries:
        if entry.role is Role.ACTIVE:
            spent = 0.0 if entry.level == config.fidelity.top else spent + costs[entry.level]
    return following != config.fidelity.top and spent + costs[following] > 1.0 + 1e-9
