"""Several levels of fidelity: which row of a composition is evaluated, and the least share of the top level.

What is wanted is judged at the top level, so a composition is chosen by its top row.  Which level is then evaluated
follows from what each teaches about that row c for its cost,

    gain(i) = P_i/c_i Σ_t cov_t(i, c)²/(var_t(i) + r_t(i))

A level that says nothing new about the top any more (it is known, or what is left is the top's own discrepancy) loses
by construction; and a level of a composition is never evaluated twice, so a composition that stays interesting is
followed to the top.  Against a surrogate that believes too much in a cheap level there is a least share of the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.pool import IndexArray, Pool
from dynaphase.surrogate.targets import FloatArray

__all__ = ["TOP_SHARE", "allowed", "best_of", "level_for", "open_compositions", "top_of"]

TOP_SHARE: Final = 0.1
"""Of all evaluations (records, pending and chosen ones) at least this share is at the top level."""

BoolArray = npt.NDArray[np.bool_]


def best_of(score: FloatArray, among: BoolArray) -> int:
    """The first candidate of highest score `among` (n,) those that may be chosen."""
    rows = np.flatnonzero(among)
    return int(rows[np.argmax(score[rows])])


def allowed(pool: Pool, available: BoolArray, chosen: Sequence[int], top_share: float) -> BoolArray:
    """`available` (n,), or only its top rows where the next evaluation must be one to keep the share."""
    if pool.top is None:
        return available
    rows = np.array([*pool.simulated, *pool.pending, *chosen], dtype=np.intp)
    at_top = available & pool.is_top
    is_due = pool.is_top[rows].sum() < top_share * (len(rows) + 1)
    return at_top if is_due and at_top.any() else available


def top_of(pool: Pool, rows: Sequence[int] | IndexArray) -> IndexArray:
    """The top rows (each once) of the compositions of `rows`, without those that the pool does not hold."""
    given = np.array(rows, dtype=np.intp)
    tops = given if pool.top is None else pool.top[given]
    return np.unique(tops[tops >= 0])


def open_compositions(pool: Pool) -> BoolArray:
    """Mask (n,) of top rows that may be chosen: not taken themselves, and under way at no level."""
    mask = pool.available() & pool.is_top
    mask[top_of(pool, pool.pending)] = False
    return mask


def level_for(
    pool: Pool, known: Conditioned, composition: int, available: BoolArray, chosen: Sequence[int], top_share: float
) -> int:
    """The row to evaluate of the composition whose top row is `composition`."""
    if pool.top is None:
        return composition
    rows = np.flatnonzero(allowed(pool, available & (pool.top == composition), chosen, top_share))
    shared = known.between(rows, [composition])[:, :, 0]
    total = known.variance[:, rows] + known.posterior.noise[:, rows]
    reduction = np.divide(shared**2, total, out=np.zeros_like(shared), where=total > 0).sum(axis=0)
    gain = reduction * pool.probability[rows] / pool.costs[rows]
    # Where nothing can be learned any more the top level itself is asked.
    return int(rows[np.argmax(gain)]) if gain.max(initial=0.0) > 0 else composition
