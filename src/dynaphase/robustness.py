"""Whether a recommendation outlives what is not known of the material: the same draws for it and for the reference.

Draws of the uncertain parameters are common to all compositions, so a parameter that shifts all of them alike takes no
part in the comparison.  Their records are kept in the campaign's journal and are never learned from: they belong to
other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.ensemble import wilson_interval
from dynaphase.records import Candidate, Record
from dynaphase.rounds import common_seeds
from dynaphase.training import RECOMMENDED_FOR, value_of

__all__ = ["draw_candidates", "is_drawn", "robustness_of"]


def is_drawn(record: Record, config: CampaignConfig) -> bool:
    """Whether a record was made under other parameters than the campaign learns with."""
    return bool(record.candidate.settings.get("draw", 0) != getattr(config.settings, "draw", 0))


def draw_candidates(
    config: CampaignConfig, system: str, compositions: Sequence[Composition], n_draws: int
) -> list[Candidate]:
    """Every composition under draws 1 … n, all in the same microstructure."""
    settings, seed = config.settings.model_dump(), common_seeds(config)[0]
    return [
        Candidate(composition, seed, system, config.model, settings | {"draw": draw})
        for composition in compositions
        for draw in range(1, n_draws + 1)
    ]


def robustness_of(
    composition: Composition,
    reference: Composition,
    records: Mapping[str, Record],
    config: CampaignConfig,
    system: str,
    n_draws: int,
) -> dict[str, Any] | None:
    """Share of the draws in which a composition beats the reference, by target and in ``both``; None without draws.

    Each with Wilson's 90 % interval.  A tie counts half; draws in which either simulation failed or is missing are left
    out, and ``n_draws`` says how many are left.
    """
    pairs = [
        tuple(records.get(candidate.key) for candidate in pair)
        for pair in zip(
            draw_candidates(config, system, [composition], n_draws),
            draw_candidates(config, system, [reference], n_draws),
            strict=True,
        )
    ]
    complete = [(a, b) for a, b in pairs if a is not None and b is not None and a.is_done and b.is_done]
    if not complete:
        return None
    wins: dict[str, list[float]] = {
        name: [_win(value_of(a, name), value_of(b, name)) for a, b in complete] for name in RECOMMENDED_FOR
    }
    wins["both"] = [min(both) for both in zip(*wins.values(), strict=True)]
    return {"n_draws": len(complete), "n_seeds": 1, **{name: _share(values) for name, values in wins.items()}}


def _win(value: float, other: float) -> float:
    return 0.5 if value == other else float(value > other)


def _share(wins: Sequence[float]) -> dict[str, Any]:
    share = sum(wins) / len(wins)
    return {"probability": share, "interval_90": list(wilson_interval(share, len(wins)))}
