"""What else is found after a round, beside the accuracy: where intervals cover, and what is still to be gained.

It goes into the journal as JSON types, so that stopping (`stopping.verdict`) is a function of the journal alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition.boxes import Boxes
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.pareto import hypervolume, is_pareto_optimal
from dynaphase.probabilities import draw_responses
from dynaphase.rounds import Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.surrogate.replicates import group_rows
from dynaphase.training import RECOMMENDED_FOR, Learned
from dynaphase.validation.strata import coverage_of

__all__ = ["assess_further", "expected_gain", "front_runners", "reference_point", "simulated_responses", "strata_of"]

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ON_LINE: Final = 0.05
"""Largest |δ|, per formula unit, that counts as on the stoichiometric line."""

EDGE_SHARE: Final = 0.25
"""Share of the region that counts as its edge."""

N_POOL: Final = 512
"""Compositions among which the next batch is expected to gain."""

N_DRAWS: Final = 64

N_KNOWN: Final = 512
"""Simulated compositions that are drawn jointly; of more than these, those that may be on the front."""

_OPTIMISM: Final = 2.0


def assess_further(
    learned: Learned, plans: Sequence[Plan], config: CampaignConfig, space: CompositionSpace
) -> dict[str, Any]:
    """Held-out pairs, coverage by strata, hypervolume; keys to be added to `Learned.assessment`.

    ``held_out`` {target: {``observed``, ``predicted``}} on the quoted scale of the judged targets; ``coverage``
    {target: {stratum: {``n``, ``share``, ``interval_95``}}}; ``hypervolume`` {``observed``, ``expected_gain``,
    ``reference``}.
    """
    held_out = {}
    for name in learned.assessment["accuracy"]:
        observed, predicted = learned.comparisons[name].on_quoted_scale()
        held_out[name] = {"observed": observed.tolist(), "predicted": predicted.tolist()}
    coverage = {
        name: coverage_of(comparison.z_scores, strata_of(learned, name, space))
        for name, comparison in learned.comparisons.items()
    }
    reference = reference_point(learned, plans)
    _, values = simulated_responses(learned)
    return {
        "held_out": held_out,
        "coverage": {
            name: {stratum: found.to_json() for stratum, found in by_stratum.items()}
            for name, by_stratum in coverage.items()
        },
        "hypervolume": {
            "observed": hypervolume(values, reference),
            "expected_gain": expected_gain(learned, space, reference, config.rounds.batch),
            "reference": reference.tolist(),
        },
    }


def strata_of(learned: Learned, name: str, space: CompositionSpace) -> dict[str, Mask]:
    """Parts of the held-out set of one target, as masks over the rows of its comparison.

    ``line``: |δ| ≤ `ON_LINE`, ``off_line``: the others; ``edge``: the outermost quarter of the region's coordinates;
    ``noisy``: the quarter of highest replicate scatter, as the surrogate knows it; not there where all are alike.
    """
    compositions = _compared(learned, name)
    delta = np.array([abs(space.system.coordinates(c)[1]) for c in compositions])
    unit = space.to_unit(compositions)
    width = (1 - (1 - EDGE_SHARE) ** (1 / space.dimension)) / 2
    found = {"line": delta <= ON_LINE, "off_line": delta > ON_LINE}
    edge = np.minimum(unit, 1 - unit).min(axis=1) <= width
    if not edge.all():  # where elements may be absent everything lies on an edge
        found["edge"] = edge
    scatter = learned.predict(compositions)[name].replicate_std
    if np.ptp(scatter) > 1e-9 * scatter.max():
        found["noisy"] = scatter >= np.quantile(scatter, 0.75)
    return found


def reference_point(learned: Learned, plans: Sequence[Plan]) -> FloatArray:
    """Reference of the hypervolume: median S and median log₁₀ σ of the ceramic of the first random design, shape (2,).

    It depends on that design alone, so that the hypervolumes of later rounds can be compared.
    """
    first = {composition for composition, role in plans[0].asked if role is Role.INITIAL}
    compositions, values = simulated_responses(learned)
    is_first = np.array([composition in first for composition in compositions])
    return np.asarray(np.median(values[is_first] if is_first.any() else values, axis=0))


def simulated_responses(learned: Learned) -> tuple[list[Composition], FloatArray]:
    """Compositions simulated at the level that counts, held-out ones too; mean S and log₁₀ σ of the ceramic (n, 2)."""
    names = [target.name for target in learned.surrogate.targets]
    columns = [names.index(name) for name in RECOMMENDED_FOR]
    responses: dict[Composition, list[FloatArray]] = {}
    for table in (learned.training, learned.held_out):
        for composition, level, row in zip(table.compositions, table.levels, table.Y[:, columns], strict=True):
            if level == 1 and row[1] > 0:
                responses.setdefault(composition, []).append(np.array([row[0], np.log10(row[1])]))
    return list(responses), np.array([np.mean(rows, axis=0) for rows in responses.values()]).reshape(-1, 2)


def expected_gain(learned: Learned, space: CompositionSpace, reference: FloatArray, batch: int) -> float | None:
    """What the best batch is expected to add to the hypervolume, relative to the present one; None where that is zero.

    The noisy expected hypervolume improvement of a batch (doi:10.48550/arXiv.2105.08195): in every joint draw of the
    smooth responses, what the batch adds over what the *same draw* gives the simulated compositions, averaged.  The
    batch is chosen greedily from a Sobol pool, without compositions that are expected to fail.  Memory is that of a
    covariance of at most `N_KNOWN` + `N_POOL` compositions, however many were simulated: see `front_runners`.
    """
    simulated, _ = simulated_responses(learned)
    inside = [composition for composition in simulated if space.contains(composition)]
    taken = set(inside)
    pool = [c for c in learned.promising(space.sobol(N_POOL, 0)) if c not in taken]
    known = front_runners(learned, inside, N_KNOWN)
    drawn = draw_responses(learned, [*known, *pool], RECOMMENDED_FOR, N_DRAWS, np.random.default_rng(0))
    score = learned.surrogate.fitted[RECOMMENDED_FOR[0]].target.transform
    values = np.stack([score.inverse(drawn[:, 0]), drawn[:, 1]], axis=-1)
    fronts, points = values[:, : len(known)], values[:, len(known) :]
    present = float(np.mean([hypervolume(front, reference) for front in fronts]))
    if present <= 0:
        return None
    boxes = Boxes(reference, N_DRAWS)
    for index in np.argsort(-fronts[..., 1].mean(axis=0)):  # in this order few boxes are cut twice
        boxes.insert(fronts[:, index])
    total = 0.0
    for _ in range(min(batch, len(pool))):
        gains = boxes.improvement(points).mean(axis=0)
        best = int(np.argmax(gains))
        total += float(gains[best])
        boxes.insert(points[:, best])
    return total / present


def front_runners(learned: Learned, compositions: Sequence[Composition], n: int) -> list[Composition]:
    """At most `n` of the compositions, those that may be on the Pareto front of S and σ of the ceramic, in their order.

    Taken layer by layer: the front, the front of what is left, and so on, of responses that are two deviations better
    than expected.  What lies behind `n` others in this sense adds nothing to the hypervolume of a joint draw but by
    rare chance, while a covariance of all, and what it rests on, grows with the square of their number.
    """
    if len(compositions) <= n:
        return list(compositions)
    predictions = learned.predict(compositions)  # in chunks, marginals alone
    found = [predictions[name] for name in RECOMMENDED_FOR]
    hoped = np.column_stack([one.transformed_mean + _OPTIMISM * one.transformed_std for one in found])
    left, kept = np.arange(len(compositions)), np.empty(0, dtype=np.intp)
    while len(kept) < n:
        is_front = is_pareto_optimal(hoped[left])
        kept, left = np.concatenate([kept, left[is_front]]), left[~is_front]
    return [compositions[index] for index in sorted(kept[:n].tolist())]


def _compared(learned: Learned, name: str) -> list[Composition]:
    """Compositions of the rows of a comparison: the held-out ones with a usable value, each once."""
    names = [target.name for target in learned.surrogate.targets]
    column = names.index(name)
    z = learned.surrogate.targets[column].transform.forward(learned.held_out.Y[:, column])
    usable = np.flatnonzero(np.isfinite(z))
    _, group = group_rows(learned.held_out.X[usable])
    _, first = np.unique(group, return_index=True)
    return [learned.held_out.compositions[usable[index]] for index in first]
