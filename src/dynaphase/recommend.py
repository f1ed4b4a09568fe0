"""From the surrogate to an answer: forecasts for any composition, and the compositions to make next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError
from dynaphase.materials.base import MaterialSystem
from dynaphase.probabilities import SEPARATION, probability_beats, probability_pareto
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import Prediction, predictions_to_json
from dynaphase.training import RECOMMENDED_FOR, Learned

__all__ = ["Forecast", "forecast", "recommend"]

N_PER_AXIS: Final = 61
"""Fineness of the grid of compositions that recommendations are taken from."""

SEEING: Final = 0.05
"""Advantage of a simulated composition over a predicted one, in `UNITS`."""

FloatArray = npt.NDArray[np.float64]

STABILITY, SIGMA = RECOMMENDED_FOR

UNITS: Final = (5.0, 0.2)
"""What weighs alike: 5 points of S and 0.2 decades of σ, by which laboratories differ on the same composition."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the surrogate says of one composition."""

    composition: Composition
    formula: str
    predictions: Mapping[str, Mapping[str, Any]]
    """Target → ``mean``, ``std``, ``interval_90`` (conductivities also ``log10_mean``, ``log10_std``)."""
    reason: str = ""
    """Why it is recommended; empty for a composition that was asked for."""
    simulated: Mapping[str, float] | None = None
    """Target → simulated value (median over the seeds), where the composition was simulated."""
    probability_pareto: float | None = None
    """That nothing clearly different is better in everything; of a recommendation."""
    probability_beats_reference: Mapping[str, float] | None = None
    """Target, and ``both`` → probability; None where the reference lies outside the region."""
    robust_to_draws: Mapping[str, Any] | None = None
    """What simulations under draws of the uncertain parameters say; see `robustness.robustness_of`."""

    def to_json(self) -> dict[str, Any]:
        """Under the names of ``dynaphase predict --json`` and ``suggest --json``."""
        head = {"composition": self.composition.fractions, "formula": self.formula}
        extra: dict[str, Any] = {"reason": self.reason} if self.reason else {}
        if self.probability_pareto is not None:
            beats = self.probability_beats_reference
            extra["probability_pareto"] = self.probability_pareto
            extra["probability_beats_reference"] = None if beats is None else dict(beats)
            extra["robust_to_draws"] = None if self.robust_to_draws is None else dict(self.robust_to_draws)
        return head | extra | dict(self.predictions) | {"simulated": dict(self.simulated) if self.simulated else None}


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
                f"{system.formula(composition)} (x = {x:.3g}, δ = {delta:.3g}) lies outside the region of this "
                f"campaign, the sampler '{space.sampler.name}': its surrogate knows nothing there. Simulate it with "
                "'dynaphase simulate', or start a campaign with a wider sampler."
            )
    if not compositions:
        return []
    rows = predictions_to_json(learned.predict(compositions))
    return [
        Forecast(composition, system.formula(composition), row, simulated=_simulated(learned, composition))
        for composition, row in zip(compositions, rows, strict=True)
    ]


def recommend(
    learned: Learned,
    system: MaterialSystem,
    space: CompositionSpace,
    n: int,
    pareto_for: Sequence[str] = RECOMMENDED_FOR,
) -> list[Forecast]:
    """`n` clearly different compositions (at least 1), the highest predicted σ of the ceramic first.

    They are those nearest to having the best S and the best such σ of the region at once: a composition's loss is the
    larger of its two distances to the best prediction, in `UNITS`, and each choice is at least `SEPARATION` away from
    those before it.  A composition that was simulated comes before one that is predicted to be better by no more than
    `SEEING`.  Each comes with its probabilities: of being on the front of `pareto_for`, of beating the reference.
    """
    pool, values = _predicted_pool(learned, system, space)
    X = space.to_unit(pool)
    loss = np.max((values.max(axis=0) - values) / np.array(UNITS), axis=1)
    known = learned.training.at_top - {system.reference}
    loss -= SEEING * np.array([composition in known for composition in pool])
    chosen: list[int] = []
    for index in np.argsort(loss, kind="stable"):
        if len(chosen) == n:
            break
        if all(np.linalg.norm(X[index] - X[other]) >= SEPARATION for other in chosen):
            chosen.append(int(index))
    best_s, best_sigma = (max(chosen, key=lambda index: values[index, column]) for column in (0, 1))
    reference = None
    if space.contains(system.reference):
        reference = learned.predict([system.reference])
    found = forecast(learned, system, space, [pool[index] for index in chosen])
    compositions = [item.composition for item in found]
    on_front = probability_pareto(learned, space, compositions, pareto_for)
    beats: Sequence[Mapping[str, float] | None] = [None] * len(found)
    if reference is not None:
        beats = probability_beats(learned, system.reference, compositions)
    answers = [
        replace(
            item,
            reason=_reason(index, best_s, best_sigma) + _against(item, reference, system.formula(system.reference)),
            probability_pareto=float(on_front[i]),
            probability_beats_reference=beats[i],
        )
        for i, (index, item) in enumerate(zip(chosen, found, strict=True))
    ]
    return sorted(answers, key=lambda item: -item.predictions[SIGMA]["log10_mean"])


def _predicted_pool(
    learned: Learned, system: MaterialSystem, space: CompositionSpace
) -> tuple[list[Composition], FloatArray]:
    """Compositions that a laboratory would weigh in and that are not expected to fail; S, log₁₀ σ of the ceramic."""
    grid = space.grid(N_PER_AXIS)
    rounded = [_weighable(space, composition) for composition in grid]
    if space.is_cut:  # a narrow region may hold nothing that is round
        rounded = [new if space.contains(new) else old for new, old in zip(rounded, grid, strict=True)]
    pool = learned.promising([composition for composition in dict.fromkeys(rounded) if space.contains(composition)])
    predictions = learned.predict(pool)
    return pool, np.column_stack([predictions[STABILITY].mean, predictions[SIGMA].transformed_mean])


def _weighable(space: CompositionSpace, composition: Composition) -> Composition:
    """The composition with x and δ to two decimals; where more than these two vary, with shares to half a percent."""
    system = space.system
    if space.dimension <= 2:
        x, delta = system.coordinates(composition)
        return system.from_coordinates(round(x, 2), round(delta, 2))
    # Sums are rounded, not shares, so that the whole stays the whole.
    sums = np.round(200 * np.cumsum([composition[element] for element in system.elements])).astype(int)
    return Composition.from_amounts(dict(zip(system.elements, map(int, np.diff(sums, prepend=0)), strict=True)))


def _simulated(learned: Learned, composition: Composition) -> dict[str, float] | None:
    for table in (learned.training, learned.held_out):
        rows = [
            index for index, other in enumerate(table.compositions) if other == composition and table.levels[index] == 1
        ]
        if rows:
            found = {}  # a run that was stopped early lacks some values
            for target, column in zip(learned.surrogate.targets, table.Y[rows].T, strict=True):
                if (known := column[~np.isnan(column)]).size:
                    found[target.name] = float(np.median(known))
            return found
    return None


def _reason(index: int, best_s: int, best_sigma: int) -> str:
    if index == best_s == best_sigma:
        return "best in S and in σ"
    if index == best_sigma:
        return "highest σ"
    if index == best_s:
        return "highest S"
    return "close to the best"


def _against(item: Forecast, reference: Mapping[str, Prediction] | None, formula: str) -> str:
    if reference is None:  # outside the region, where the surrogate knows nothing
        return ""
    gain_s = item.predictions[STABILITY]["mean"] - float(reference[STABILITY].mean[0])
    gain_sigma = item.predictions[SIGMA]["log10_mean"] - float(reference[SIGMA].transformed_mean[0])
    gain_s = round(gain_s, 1) + 0.0  # no "-0.0"
    return f"; S {gain_s:+.1f}, σ ×{10**gain_sigma:.2f} against {formula}"
