"""Expected improvement of one objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.acquisition.aims import Aim, aim_of, incumbents_of
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.levels import TOP_SHARE, best_of, level_for, open_compositions, top_of
from dynaphase.acquisition.pool import IndexArray, Pool, posterior_of
from dynaphase.errors import InputError
from dynaphase.surrogate.targets import FloatArray

__all__ = ["ExpectedImprovement", "log_expected_improvement"]

_LIKELY: Final = 0.5


@dataclass(frozen=True, slots=True)
class ExpectedImprovement:
    """The candidate that promises most improvement of one target over the best incumbent.

        score(x) = ln E[(f(x) − f*)₊] + ln P(x) − ln c(x)

    on the standardised scale of the target.  f* is the best posterior mean among the incumbents that are likely to
    satisfy the bounds, not the best observed value, which noise flatters.  P is the probability that the evaluation
    succeeds and its outcome is within bounds, each bound taken as independent of the others and of the improvement,
    also where targets are modelled together; c the relative cost.  While no incumbent is likely within bounds,
    score(x) = ln P(x) − ln c(x).  Logarithms keep candidates apart where the improvement itself would underflow
    (doi:10.48550/arXiv.2310.20708).  In a batch, and for pending candidates, the expectation is taken for what is
    observed: the mean stays, the variance shrinks, f* is raised to it.

    Parameters
    ----------
    top_share : float
        Least share of evaluations at the top level.
    """

    top_share: float = TOP_SHARE
    name: str = "expected-improvement"
    needs_posterior: bool = True
    needs_goal: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; ties go to the more uncertain, then to the first; `rng` is not used.

        Raises
        ------
        InputError
            If there is no posterior, no goal, not exactly one objective, or no incumbent.
        """
        aim = aim_of(pool, self.name, (1,))
        known = Conditioned(posterior_of(pool, self.name))
        noise, mean = known.posterior.noise, known.posterior.mean
        attained = [*incumbents_of(pool), *top_of(pool, pool.pending)]
        if not attained:
            raise InputError(f"the acquisition {self.name} needs a record to improve on: see Pool.simulated")
        if pool.pending:
            rows = top_of(pool, pool.pending)
            known.observe(rows, noise[:, rows])
        value = np.log(np.maximum(pool.probability, 1e-300)) - np.log(pool.costs)
        available, compositions = pool.available(), open_compositions(pool)
        chosen: list[int] = []
        while compositions.any() and len(chosen) < n:
            probability = aim.log_probability(mean, known.variance)
            score = value + probability + _log_gain(aim, known, np.array(attained), probability)
            composition = best_of(score, compositions)
            row = level_for(pool, known, composition, available, chosen, self.top_share)
            compositions[composition] = False
            chosen.append(row)
            attained.append(composition)
            known.observe([composition], noise[:, [composition]])
        return np.array(chosen, dtype=np.intp)


def _log_gain(aim: Aim, known: Conditioned, attained: IndexArray, probability: FloatArray) -> FloatArray:
    """Logarithmic EI (n,) over the best of the attained rows within bounds; 0 while there is none."""
    row, sign = int(aim.rows[0]), float(aim.signs[0])
    mean = sign * known.posterior.mean[row]
    likely = attained[probability[attained] >= np.log(_LIKELY)]
    if not len(likely):
        return np.zeros(len(mean))
    return log_expected_improvement(mean, np.sqrt(known.variance[row]), float(mean[likely].max()))


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    """Logarithm of E[(f − best)₊] for f ~ N(mean, std²), without underflow; shapes (n,).

    With z = (mean − best)/std it is ln std + ln h(z), h(z) = φ(z) + z Φ(z).  Below z = −1 Mills' ratio
    R(z) = Φ(z)/φ(z) gives ln h = ln φ(z) + ln(1 − |z| R(z)), and 1 − |z| R → 1/z² far out.
    """
    from scipy.special import erfcx, ndtr

    least = np.finfo(float).tiny
    spread = np.maximum(std, least)
    z = np.clip((mean - best) / spread, -1e150, 1e150)
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(z, -1.0)
    above = np.log(np.exp(-0.5 * near**2 - 0.5 * np.log(2 * np.pi)) + near * ndtr(near))
    middle = np.clip(z, -1e5, -1.0)
    below = np.log1p(middle * np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2)))
    far = -2 * np.log(np.maximum(-z, 1.0))
    return np.asarray(np.log(spread) + np.where(z > -1, above, density + np.where(z > -1e3, below, far)))
