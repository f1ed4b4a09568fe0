"""Acquisitions that ask where the surrogate is unsure; greedy, each choice conditioned on those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.levels import TOP_SHARE, allowed, best_of, level_for, open_compositions
from dynaphase.acquisition.pool import IndexArray, Pool, posterior_of
from dynaphase.errors import InputError
from dynaphase.surrogate.targets import FloatArray

__all__ = ["IntegratedVariance", "MaxVariance"]

N_INTEGRATION: Final = 512
"""Points that an integral over a larger pool is taken at."""


@dataclass(frozen=True, slots=True)
class MaxVariance:
    """The candidate of highest predictive variance, summed over targets in standardised units.

        score(x) = P(x)/c(x) Σ_t w_t var_t(x)

    with P the probability that the evaluation succeeds and c its relative cost.  A batch is greedy, each choice
    conditioned on those before it.  The variance is that of the smooth response: with the noise added, the choice would
    chase noise that no simulation removes.  With levels of fidelity see `dynaphase.acquisition.levels`.

    Parameters
    ----------
    weights : tuple of float, optional
        w_t, one a target; equal by default.
    top_share : float
        Least share of evaluations at the top level.
    """

    weights: tuple[float, ...] | None = None
    top_share: float = TOP_SHARE
    name: str = "max-variance"
    needs_posterior: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; ties go to the first, `rng` is not used."""
        known = _known(pool, self.name)
        weights = _weights(self.weights, len(known.variance))
        available, compositions = pool.available(), open_compositions(pool)
        value = pool.probability / pool.costs
        chosen: list[int] = []
        while compositions.any() and len(chosen) < n:
            composition = best_of(value * (weights @ known.variance), compositions)
            row = level_for(pool, known, composition, available, chosen, self.top_share)
            compositions[composition] = False
            chosen.append(row)
            known.observe([row], known.posterior.noise[:, [row]])
        return np.array(chosen, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class IntegratedVariance:
    """The candidate whose evaluation would remove most variance from the whole pool, summed over targets.

        score(x) = P(x)/c(x) Σ_t w_t Σ_j u_j cov_t(x, x_j)²/(cov_t(x, x) + r_t(x))

    with P the probability that the evaluation succeeds, c its relative cost, u the weights of the pool.  It asks what
    an evaluation teaches about all others, so that noise and lonely corners attract it less (the expected reduction of
    variance of doi:10.1613/jair.295, for a Gaussian process and summed over the pool).  Of more than 512 candidates
    with weight, 512 are taken at equal steps of the cumulated weight.  What an evaluation teaches of one target by the
    others it observes is not in the score, which takes the marginals of each target by itself; it is in the posterior
    that the next choice of a batch is made from.

    With levels of fidelity only top rows have weight: a cheap level is worth what it says about the top.

    Parameters
    ----------
    weights : tuple of float, optional
        w_t, one a target; equal by default.
    top_share : float
        Least share of evaluations at the top level.
    """

    weights: tuple[float, ...] | None = None
    top_share: float = TOP_SHARE
    name: str = "integrated-variance"
    needs_posterior: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; ties go to the first, `rng` is not used."""
        known = _known(pool, self.name)
        weights = _weights(self.weights, len(known.variance))
        score = _removed_variance(pool, known, weights)
        available, value = pool.available(), pool.probability / pool.costs
        chosen: list[int] = []
        while available.any() and len(chosen) < n:
            row = best_of(value * score(), allowed(pool, available, chosen, self.top_share))
            chosen.append(row)
            available[row] = False
            known.observe([row], known.posterior.noise[:, [row]])
        return np.array(chosen, dtype=np.intp)


def _removed_variance(pool: Pool, known: Conditioned, weights: FloatArray) -> Callable[[], FloatArray]:
    """A function that answers the score (n,) after what has been observed by then.

    With A_i = Σ_j u_j cov(i, j)², a further factor F (`Conditioned`) changes it by

        A_i ← A_i − 2 F_i Σ_j u_j F_j cov(i, j) + F_i² Σ_j u_j F_j²

    so that one product with the first covariance serves each choice.
    """
    points, shares = integration_points(pool.weights)
    covariance = known.between(points, np.arange(len(pool.X)))
    removed = np.stack([shares @ one**2 for one in covariance])
    n_first = n_seen = known.factors.shape[1]

    def score() -> FloatArray:
        nonlocal n_seen
        while n_seen < known.factors.shape[1]:
            for target, factors in enumerate(known.factors):
                new, since = factors[n_seen], factors[n_first:n_seen]
                weighted = shares * new[points]
                shared = weighted @ covariance[target] - (since[:, points] @ weighted) @ since
                removed[target] += new * (new * (weighted @ new[points]) - 2 * shared)
            n_seen += 1
        total = known.variance + known.posterior.noise
        gain = np.divide(removed.clip(0), total, out=np.zeros_like(removed), where=total > 0)
        return np.asarray(weights @ gain)

    return score


def integration_points(weights: FloatArray, n_most: int = N_INTEGRATION) -> tuple[IndexArray, FloatArray]:
    """Rows that stand for a pool of weights (n,), and the weight of each: all, or `n_most` at equal steps of it."""
    rows = np.flatnonzero(weights)
    if len(rows) <= n_most:
        return rows, weights[rows]
    cumulated = np.cumsum(weights[rows])
    steps = (np.arange(n_most) + 0.5) * cumulated[-1] / n_most
    return rows[np.searchsorted(cumulated, steps)], np.full(n_most, cumulated[-1] / n_most)


def _known(pool: Pool, name: str) -> Conditioned:
    known = Conditioned(posterior_of(pool, name))
    rows = [*pool.pending, *pool.failed]
    if rows:
        known.observe(rows, known.posterior.noise[:, rows])
    return known


def _weights(weights: tuple[float, ...] | None, n_targets: int) -> FloatArray:
    if weights is None:
        return np.ones(n_targets)
    if len(weights) != n_targets:
        raise InputError(f"{n_targets} targets need {n_targets} weights, not {len(weights)}")
    return np.array(weights)
