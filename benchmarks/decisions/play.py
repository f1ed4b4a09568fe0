"""One campaign: what was chosen, or how well was learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np

from decisions.inputs import Inputs
from decisions.landscape import Judge
from decisions.measures import errors_of
from decisions.strategies import Learner, Strategy

SEARCH: Final = ((12, 1), (20, 2), (60, 4))
"""Up to so many evaluations, batches of so many: the first decisions count most, and each refits the surrogate."""

MOST_SEARCHED: Final = SEARCH[-1][0]

LEAST_SEARCHED: Final = 10
"""Evaluations that every search goes on for; a search that has arrived by then ends there."""


def play_search(
    inputs: Inputs, strategy: Strategy, seed: int, has_arrived: Callable[[list[int]], bool], budget: int | None = None
) -> list[int]:
    """Candidates in the order of evaluation.

    `has_arrived` (order → bool) ends the record of a search that has found what there is to find; the strategy does
    not know.
    """
    player, rng = strategy.start(inputs, seed), np.random.default_rng([seed, 3])
    order: list[int] = []
    budget = budget or SEARCH[-1][0]
    for until, batch in SEARCH:
        while len(order) < min(until, budget, inputs.landscape.n):
            if len(order) >= LEAST_SEARCHED and has_arrived(order):
                return order
            chosen = player.ask(min(batch, min(until, budget) - len(order)))
            if not chosen:  # what is left repeats what was played
                return order
            player.tell(chosen, np.array([inputs.landscape.evaluate(i, rng) for i in chosen]))
            order += chosen
    return order


def play_learning(inputs: Inputs, strategy: Strategy, seed: int, checkpoints: Sequence[int]) -> list[dict[str, Any]]:
    """Errors at every checkpoint: ``n`` and for each judge and stratum those of `measures.errors_of` by target."""
    player, rng = cast(Learner, strategy.start(inputs, seed)), np.random.default_rng([seed, 3])
    n_asked, found = 0, []
    for checkpoint in checkpoints:
        chosen = player.ask(checkpoint - n_asked)
        player.tell(chosen, np.array([inputs.landscape.evaluate(i, rng) for i in chosen]))
        n_asked += len(chosen)
        found.append({"n": n_asked, "errors": judged(inputs, player), **recognised(player)})
    return found


def recognised(player: Any) -> dict[str, float]:
    """Share of the fresh compositions of which the player knows whether they fail, where the landscape says so."""
    judge = player.inputs.landscape.judges["fresh"]
    if "feasible" not in judge.strata or not getattr(player, "failed", None) or not hasattr(player, "feasibility"):
        return {}
    probability = player.feasibility().probability(player.inputs.at("fresh", player.kind))
    agrees = (probability > 0.5) == judge.strata["feasible"]
    return {"recognised": float(agrees.mean()), "failing_recognised": float(agrees[~judge.strata["feasible"]].mean())}


def judged(inputs: Inputs, player: Learner) -> dict[str, dict[str, Any]]:
    """Errors by judge or stratum of the fresh ones, then by target."""
    found: dict[str, dict[str, Any]] = {}
    for place, judge in inputs.landscape.judges.items():
        mean, std = player.predict(place)
        masks = {place: judge.is_done, **({k: m & judge.is_done for k, m in judge.strata.items()})}
        for name, mask in masks.items():
            if mask.sum() >= 5:
                found[name] = {
                    o.name: dict(errors_of(*_columns(judge, mean, std, mask, t), o.score))
                    for t, o in enumerate(inputs.landscape.objectives)
                }
    return found


def _columns(judge: Judge, mean: Any, std: Any, mask: Any, t: int) -> tuple[Any, Any, Any, Any]:
    return judge.z[mask, t], judge.variance[mask, t], mean[mask, t], std[mask, t]
