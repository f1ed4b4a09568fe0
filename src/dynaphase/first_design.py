"""What closed forms take for the best: compositions worth simulating before anything has been.

An estimate that costs nothing is often wrong in its values and right in its order: the composition with the highest
estimated conductivity is a better first guess than a random one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition.goal import Goal
from dynaphase.composition import Composition
from dynaphase.features import FeatureMap
from dynaphase.space import CompositionSpace

__all__ = ["estimates_of", "promising", "promising_compositions"]

FloatArray = npt.NDArray[np.float64]

ESTIMATED: Final = {
    "stability_score": "estimated logit S",
    "ionic_conductivity_S_per_cm": "estimated log σ of the box",
    "ceramic_conductivity_S_per_cm": "estimated log σ of the ceramic",
}
"""Target → the feature that estimates it, both growing together."""


def estimates_of(names: Sequence[str], X: FloatArray, goal: Goal) -> FloatArray:
    """Estimates of the objectives that have one, large is good, shape (n, m).

    Parameters
    ----------
    names : sequence of str
        What each column of `X` is (`FeatureMap.names`).
    X : ndarray, shape (n, D)
        Features of n compositions.
    goal : Goal
    """
    chosen = [(o, ESTIMATED[o.target]) for o in goal.objectives if ESTIMATED.get(o.target) in names]
    columns = [X[:, names.index(name)] * (1 if o.direction == "max" else -1) for o, name in chosen]
    return np.column_stack(columns) if columns else np.empty((len(X), 0))


def promising_compositions(
    space: CompositionSpace, pool: Sequence[Composition], goal: Goal, n: int
) -> list[Composition]:
    """The `n` compositions of `pool` to begin with; none where no objective of `goal` has an estimate."""
    features = FeatureMap(space, "phases")
    return [pool[row] for row in promising(estimates_of(features.names, features(pool), goal), n)]


def promising(estimates: FloatArray, n: int) -> list[int]:
    """Rows of `estimates` (N, m), large is good, to begin with: `n` of them, each once.

    In turns the best compromise that is left (best by the worst of its ranks), then the best in each objective.
    """
    if not estimates.shape[1]:
        return []
    ranks = np.argsort(np.argsort(estimates, axis=0, kind="stable"), axis=0, kind="stable")
    wishes = [ranks.min(axis=1), *ranks.T] if ranks.shape[1] > 1 else [*ranks.T]
    chosen: list[int] = []
    for turn in range(min(n, len(estimates))):
        order = np.argsort(-wishes[turn % len(wishes)], kind="stable")
        chosen.append(next(int(row) for row in order if row not in set(chosen)))
    return chosen
