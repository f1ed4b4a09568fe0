"""Noisy expected improvement of the hypervolume, over a whole pool.

With f drawn jointly at the incumbents I (rows with a record at the top level), the candidates chosen so far B and x,

    score(x) = P(x)/c(x) · E[ HV(f_I ∪ f_B ∪ f(x)) − HV(f_I ∪ f_B) ]

The incumbents' own values are uncertain, so noise makes no phantom front (doi:10.48550/arXiv.2105.08195).  The mean is
over M draws; the draws at x given the rest are exact for every x of the pool (see `dynaphase.acquisition.draws`), so no
shortlist is needed.  A point that violates a bound on outcomes in a draw adds nothing in it; bounds on targets that are
no objectives enter as their probability, as if it were independent of the objectives.  P is the probability that the
evaluation succeeds, c its relative cost.  Where targets are modelled together objectives are drawn together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.acquisition.aims import Aim, aim_of, incumbents_of
from dynaphase.acquisition.boxes import Boxes
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.draws import Draws, standard_normals
from dynaphase.acquisition.levels import TOP_SHARE, BoolArray, best_of, level_for, open_compositions, top_of
from dynaphase.acquisition.pool import IndexArray, Pool, posterior_of
from dynaphase.errors import InputError
from dynaphase.pareto import is_pareto_optimal
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Hypervolume", "contenders", "most_uncertain"]

_CHUNK: Final = 256
_SLACK: Final = 1.1
"""By how much an older score must lose to be passed over: gains shrink as the batch grows, up to the draws' noise."""
_DEVIATIONS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Hypervolume:
    """The candidate that promises most hypervolume of two or three objectives beyond the incumbents.

    Objectives are compared in quoted units (decades, points).  Where nothing promises any gain, in no draw, the most
    uncertain among the candidates likely to be feasible is taken (`most_uncertain`).

    Parameters
    ----------
    n_draws : int
        M, a power of two.
    top_share : float
        Least share of evaluations at the top level.
    """

    n_draws: int = 64
    top_share: float = TOP_SHARE
    name: str = "hypervolume"
    needs_posterior: bool = True
    needs_goal: bool = True

    def __post_init__(self) -> None:
        if self.n_draws < 2 or self.n_draws & (self.n_draws - 1):
            raise InputError(f"the number of draws must be a power of two, not {self.n_draws}")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`.

        Raises
        ------
        InputError
            If there is no posterior or goal, or the goal has not two or three objectives.
        """
        aim = aim_of(pool, self.name, (2, 3))
        search = _Search(pool, posterior_of(pool, self.name).n_candidates, aim, self.n_draws, n, rng)
        available, compositions = pool.available(), open_compositions(pool)
        chosen: list[int] = []
        while compositions.any() and len(chosen) < n:
            composition = search.best(compositions)
            row = level_for(pool, search.draws.known, composition, available, chosen, self.top_share)
            compositions[composition] = False
            chosen.append(row)
            search.take(composition)
        return np.array(chosen, dtype=np.intp)


class _Search:
    """Draws, fronts and scores of one selection."""

    def __init__(self, pool: Pool, n_pool: int, aim: Aim, n_draws: int, n: int, rng: np.random.Generator) -> None:
        known = Conditioned(posterior_of(pool, "hypervolume"))
        posterior = known.posterior
        self.aim, self.pool = aim, pool
        self.value = pool.probability / pool.costs
        rows = incumbents_of(pool)
        self.reference = aim.reference(_feasible_means(aim, known, rows))
        attained = np.concatenate([contenders(aim, known, rows), np.setdiff1d(top_of(pool, pool.pending), rows)])
        t = len(posterior.mean)
        normals = standard_normals(n_draws, t, n + len(attained), rng)
        self.steps = list(np.moveaxis(normals[:, :, :n], 2, 0))
        self.draws = Draws(known, n_draws)
        self.boxes = Boxes(self.reference, n_draws)
        self._insert(self.draws.fix(attained, normals[:, :, n:]))
        self.bounds = np.full(n_pool, np.inf)

    def _insert(self, values: FloatArray) -> None:
        points = np.where(self.aim.are_met(values)[..., None], self.aim.objectives(values), -np.inf)
        order = np.argsort(-points.mean(axis=0)[:, -1], kind="stable")
        for index in order:
            self.boxes.insert(points[:, index])

    def best(self, open_rows: BoolArray) -> int:
        """The candidate of highest score among `open_rows` (n,).

        What a point adds shrinks as the batch grows, so a score from an earlier step bounds it: candidates are
        scored in the order of those bounds until none of the rest can win.
        """
        rows = np.flatnonzero(open_rows)
        rows = rows[np.argsort(-self.bounds[rows], kind="stable")]
        best = 0.0
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            if start and best >= _SLACK * self.bounds[chunk[0]]:
                break
            self.bounds[chunk] = self.score(chunk)
            best = max(best, float(self.bounds[chunk].max()))
        if best > 0:
            return best_of(self.bounds, open_rows)
        return most_uncertain(self.pool, self.aim, self.draws.known, open_rows)

    def score(self, rows: IndexArray) -> FloatArray:
        """Scores (r,) of the candidates `rows`."""
        known = self.draws.known
        values = self.draws.at(rows, self.steps[0])
        met = self.aim.are_met(values, by_objectives_only=True)
        points = np.where(met[..., None], self.aim.objectives(values), -np.inf)
        gain = self.boxes.improvement(points).mean(axis=0)
        log_probability = self.aim.log_probability(
            known.posterior.mean[:, rows], known.variance[:, rows], without_objectives=True
        )
        return np.asarray(gain * np.exp(log_probability) * self.value[rows])

    def take(self, row: int) -> None:
        """Let `row` be part of the batch."""
        self._insert(self.draws.fix(np.array([row]), self.steps.pop(0)[:, :, None]))


def _feasible_means(aim: Aim, known: Conditioned, rows: IndexArray) -> FloatArray:
    """Expected objectives of the incumbents, of those within bounds if there are any."""
    mean = known.posterior.mean[:, rows]
    values, met = aim.objectives(mean), aim.are_met(mean)
    return values[met] if met.any() else values


def contenders(aim: Aim, known: Conditioned, rows: IndexArray) -> IndexArray:
    """The incumbents that may be on the front: three deviations up, no other three deviations down dominates them."""
    if not len(rows):
        return rows
    mean, deviation = known.posterior.mean[:, rows], np.sqrt(known.variance[:, rows])
    turned = np.ones((len(mean), 1))
    turned[aim.rows, 0] = aim.signs
    high = aim.objectives(mean + _DEVIATIONS * turned * deviation)
    low = aim.objectives(mean - _DEVIATIONS * turned * deviation)
    probability = np.exp(aim.log_probability(mean, known.variance[:, rows]))
    surely = low[probability > 0.99]
    surely = surely[is_pareto_optimal(surely)]
    is_beaten = np.array([bool((surely > one).all(axis=1).any()) for one in high])
    return np.asarray(rows[~is_beaten & (probability > 1e-3)])


def most_uncertain(pool: Pool, aim: Aim, known: Conditioned, open_rows: BoolArray) -> int:
    """Of the candidates at least half as likely to be feasible as the likeliest, that of most variance for its cost."""
    probability = np.log(np.maximum(pool.probability, 1e-300))
    probability = probability + aim.log_probability(known.posterior.mean, known.variance)
    likely = open_rows & (probability >= probability[open_rows].max() + np.log(0.5))
    return best_of(known.variance[aim.rows].sum(axis=0) / pool.costs, likely)
