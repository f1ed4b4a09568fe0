"""From the surrogate to an answer: forecasts for any composition, and the compositions to make next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError
from dynaphase.materials.base import MaterialSystem
from dynaphase.pareto import is_pareto_optimal, spread_along_front
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import Prediction, predictions_to_json
from dynaphase.training import JUDGED, Learned

__all__ = ["Forecast", "forecast", "predicted_front", "recommend"]

N_PER_AXIS = 61
"""Fineness of the grid of compositions that recommendations are taken from."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the surrogate says of one composition."""

    composition: Composition
    formula: str
    predictions: Mapping[str, Mapping[str, Any]]
    """Target → ``mean``, ``std``, ``interval_90`` (conductivities also ``log10_mean``, ``log10_std``)."""
    reason: str = ""
    """Why it is recommended; empty for a composition that was asked for."""

    def to_json(self) -> dict[str, Any]:
        """Under the names of ``dynaphase predict --json`` and ``suggest --json``."""
        head = {"composition": self.composition.fractions, "formula": self.formula}
        return head | ({"reason": self.reason} if self.reason else {}) | dict(self.predictions)


def forecast(
    learned: Learned, system: MaterialSystem, space: CompositionSpace, compositions: Sequence[Composition]
) -> list[Forecast]:
    """Predicted mean response of each composition.

    Raises
    ------
    CompositionError
        If a composition lies outside the region that was sampled: there the surrogate knows nothing.
    """
    for composition in compositions:
        if not space.contains(composition):
            x, delta = system.coordinates(composition)
            raise CompositionError(
                f"{system.formula(composition)} (x = {x:.3g}, δ = {delta:.3g}) lies outside the region of this campaign, "
                f"the sampler '{space.sampler.name}': its surrogate knows nothing there. Simulate it with 'dynaphase "
                "simulate', or start a campaign with a wider sampler."
            )
    if not compositions:
        return []
    rows = predictions_to_json(learned.surrogate.predict(space.to_unit(compositions)))
    return [
        Forecast(composition, system.formula(composition), row)
        for composition, row in zip(compositions, rows, strict=True)
    ]


def recommend(learned: Learned, system: MaterialSystem, space: CompositionSpace, n: int) -> list[Forecast]:
    """`n` compositions spread along the predicted Pareto front of S and σ, the highest σ first."""
    compositions, values = predicted_front(learned, space)
    chosen = spread_along_front(values, n)
    best_s, best_sigma = int(np.argmax(values[:, 0])), int(np.argmax(values[:, 1]))
    reference = learned.surrogate.predict(space.to_unit([system.reference]))
    found = forecast(learned, system, space, [compositions[index] for index in chosen])
    answers = [
        Forecast(
            item.composition,
            item.formula,
            item.predictions,
            _reason(index, best_s, best_sigma) + _against(item, reference, system.formula(system.reference)),
        )
        for index, item in zip(chosen, found, strict=True)
    ]
    return sorted(answers, key=lambda item: -item.predictions[JUDGED[1]]["log10_mean"])


def predicted_front(learned: Learned, space: CompositionSpace) -> tuple[list[Composition], np.ndarray]:
    """Compositions of a fine grid that are not dominated in predicted S and log₁₀ σ, and these two values.

    Returns
    -------
    compositions : list
    values : ndarray, shape (n, 2)
        Predicted S (0–100) and log₁₀ σ (S/cm).
    """
    pool = space.grid(N_PER_AXIS)
    predictions = learned.surrogate.predict(space.to_unit(pool))
    values = np.column_stack([predictions[JUDGED[0]].mean, predictions[JUDGED[1]].transformed_mean])
    on_front = np.flatnonzero(is_pareto_optimal(values))
    return [pool[index] for index in on_front], values[on_front]


def _reason(index: int, best_s: int, best_sigma: int) -> str:
    if index == best_s == best_sigma:
        return "best in S and in σ"
    if index == best_sigma:
        return "highest σ"
    if index == best_s:
        return "highest S"
    return "trade-off between S and σ"


def _against(item: Forecast, reference: Mapping[str, Prediction], formula: str) -> str:
    gain_s = item.predictions[JUDGED[0]]["mean"] - float(reference[JUDGED[0]].mean[0])
    gain_sigma = item.predictions[JUDGED[1]]["log10_mean"] - float(reference[JUDGED[1]].transformed_mean[0])
    return f"; S {gain_s:+.1f}, σ ×{10**gain_sigma:.2f} against {formula}"
