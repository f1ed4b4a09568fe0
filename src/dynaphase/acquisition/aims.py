"""A goal on the scales of a posterior: what is wanted, as arrays.

Objectives are compared as accuracy is quoted, conductivities in decades and scores in points, with the sign turned so
that large is good.  Bounds are held against the standardised Gaussian of the mean response, misfit included:

    P(y ≥ b) = Φ[(μ − ζ(b))/√(v + τ²)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition.goal import Constraint
from dynaphase.acquisition.pool import IndexArray, Pool, posterior_of
from dynaphase.errors import InputError, unknown_choice
from dynaphase.pareto import is_pareto_optimal
from dynaphase.surrogate.prediction import JointPosterior, Scale
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Aim", "aim_of", "derived_reference", "incumbents_of"]

_SHARE_OF_RANGE: Final = 0.1
_NEVER: Final = -1e6
"""Logarithm of a probability that is 0: finite, so that sums of it can be compared."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A constraint on row `row` of the posterior: sign·ζ ≥ sign·`value`, the misfit variance added."""

    row: int
    sign: float
    value: float
    misfit: float

    def log_probability(self, mean: FloatArray, variance: FloatArray) -> FloatArray:
        """Logarithm of the probability (n,) that the mean response satisfies it, finite even where P is 0."""
        from scipy.special import log_ndtr

        gap, spread = self.sign * (mean[self.row] - self.value), np.sqrt(variance[self.row] + self.misfit)
        steps = np.where(gap >= 0, np.inf, -np.inf)
        z = np.divide(gap, spread, out=steps, where=spread > 0)
        return np.asarray(log_ndtr(z)).clip(_NEVER)


@dataclass(frozen=True, slots=True)
class Aim:
    """Objectives (m) and bounds in rows of a posterior of t targets.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        The objectives' rows.
    signs : ndarray, shape (m,)
        1 where large is good, −1 where small is.
    scales : tuple of Scale
        The objectives' scales.
    bounds : tuple of Bound
    given : tuple of float or None
        Reference of each objective in quoted units, sign turned, where the goal gives one.
    """

    rows: IndexArray
    signs: FloatArray
    scales: tuple[Scale, ...]
    bounds: tuple[Bound, ...]
    given: tuple[float | None, ...]

    def objectives(self, standardised: FloatArray) -> FloatArray:
        """Objectives (…, n, m) of values (…, t, n): quoted units, large is good."""
        values = [
            sign * scale.quoted(standardised[..., row, :])
            for row, sign, scale in zip(self.rows, self.signs, self.scales, strict=True)
        ]
        return np.stack(values, axis=-1)

    def are_met(self, standardised: FloatArray, *, by_objectives_only: bool = False) -> npt.NDArray[np.bool_]:
        """Which of the values (…, t, n) satisfy all bounds, or those on objectives; shape (…, n)."""
        met = np.ones(standardised[..., 0, :].shape, dtype=bool)
        for bound in self.bounds:
            if not by_objectives_only or bound.row in self.rows:
                met &= bound.sign * (standardised[..., bound.row, :] - bound.value) >= 0
        return met

    def log_probability(
        self, mean: FloatArray, variance: FloatArray, *, without_objectives: bool = False
    ) -> FloatArray:
        """Logarithm of the probability (n,) that all bounds are met, from marginals (t, n) taken as independent."""
        total = np.zeros(mean.shape[1])
        for bound in self.bounds:
            if not without_objectives or bound.row not in self.rows:
                total += bound.log_probability(mean, variance)
        return total

    def reference(self, values: FloatArray) -> FloatArray:
        """Reference point (m,): what the goal gives, the rest derived from the incumbents' `values` (k, m)."""
        derived = derived_reference(values) if len(values) else None
        if derived is None and None in self.given:
            raise InputError(
                "a reference point is derived from records, and the pool has none: give one in the goal, "
                "or mark the rows with records in Pool.simulated"
            )
        return np.array([derived[k] if one is None else one for k, one in enumerate(self.given)])  # type: ignore[index]


def aim_of(pool: Pool, name: str, n_objectives: tuple[int, ...]) -> Aim:
    """The pool's goal on the scales of its posterior, for the acquisition `name`.

    Raises
    ------
    InputError
        If there is no goal, the posterior lacks a target, or the acquisition cannot take that many objectives.
    """
    posterior = posterior_of(pool, name)
    if pool.goal is None:
        raise InputError(f"the acquisition {name} improves something: Pool.goal has to say what")
    objectives = pool.goal.objectives
    if len(objectives) not in n_objectives:
        allowed = " or ".join(map(str, n_objectives))
        hint = "hypervolume takes two or three" if n_objectives == (1,) else "expected-improvement takes one"
        raise InputError(f"the acquisition {name} takes {allowed} objectives, not {len(objectives)}; {hint}")
    if posterior.scales is None:
        raise InputError("a goal needs the scales of the posterior's targets (JointPosterior.scales)")
    names = [scale.target.name for scale in posterior.scales]
    for target in pool.goal.targets:
        if target not in names:
            raise unknown_choice("target of the goal", target, names)
    rows = [names.index(objective.target) for objective in objectives]
    scales = [posterior.scales[row] for row in rows]
    return Aim(
        np.array(rows, dtype=np.intp),
        np.array([objective.sign for objective in objectives]),
        tuple(scales),
        tuple(_bound(c, names.index(c.target), posterior) for c in pool.goal.constraints),
        tuple(
            None if o.reference is None else o.sign * _quoted(scale, o.reference, f"the reference of '{o}'")
            for o, scale in zip(objectives, scales, strict=True)
        ),
    )


def incumbents_of(pool: Pool) -> IndexArray:
    """Rows with a record at the top level."""
    rows = np.unique(np.array(pool.simulated, dtype=np.intp))
    return np.asarray(rows[pool.is_top[rows]])


def derived_reference(values: FloatArray) -> FloatArray:
    """Reference point (m,) from incumbents' objectives (k, m), large is good.

        r = min over the front − 0.1·(max − min over the front)

    objective by objective (the rule of doi:10.1145/2001576.2001678): a little worse than the worst of the
    Pareto front, so that its ends count but do not rule.  Where the front has no extent, that of all incumbents
    is taken.
    """
    front = values[is_pareto_optimal(values)]
    extent = np.ptp(front, axis=0)
    extent = np.where(extent > 0, extent, np.ptp(values, axis=0))
    return np.asarray(front.min(axis=0) - _SHARE_OF_RANGE * np.where(extent > 0, extent, 1.0))


def _bound(constraint: Constraint, row: int, posterior: JointPosterior) -> Bound:
    assert posterior.scales is not None
    scale = posterior.scales[row]
    _quoted(scale, constraint.bound, f"the bound of '{constraint}'")
    return Bound(row, constraint.sign, float(scale.standardised(constraint.bound)), scale.misfit)


def _quoted(scale: Scale, natural: float, what: str) -> float:
    found = scale.quoted_from_natural(natural)
    if not np.isfinite(found):
        raise InputError(f"{what} must be above 0: {scale.target.name} is modelled on its logarithm")
    return found
