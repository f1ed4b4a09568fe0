"""Thompson sampling: for each place in the batch one joint draw, and the best candidate in it.

One objective: the highest value of the draw.  Several: the candidate that adds most hypervolume to the incumbents'
values in the same draw and to those chosen before (doi:10.1007/s10898-018-0609-2 does so by an evolutionary search).
Draws need the covariance between all candidates, so they are made at a shortlist: those that would gain most if they
turned out two deviations better than expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.acquisition.aims import Aim, aim_of, incumbents_of
from dynaphase.acquisition.boxes import Boxes
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.hypervolume import contenders, most_uncertain
from dynaphase.acquisition.levels import TOP_SHARE, BoolArray, level_for, open_compositions, top_of
from dynaphase.acquisition.pool import IndexArray, Pool, posterior_of
from dynaphase.surrogate.gaussian import EXACT, joint_draws
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Thompson"]

_OPTIMISM: Final = 2.0


@dataclass(frozen=True, slots=True)
class Thompson:
    """The best candidate of one joint draw for each place in the batch.

        one objective    score(x) = P(x)/c(x) · (f(x) − min f)
        two or three     score(x) = P(x)/c(x) · [HV(f_I ∪ f_B ∪ f(x)) − HV(f_I ∪ f_B)]

    P is the probability that the evaluation succeeds, c its relative cost; a candidate that violates a bound on
    outcomes in the draw scores 0.  Where all score 0 see `dynaphase.acquisition.hypervolume.most_uncertain`.

    Parameters
    ----------
    n_shortlist : int
        Candidates at which joint draws are made.
    top_share : float
        Least share of evaluations at the top level.
    """

    n_shortlist: int = 1024
    top_share: float = TOP_SHARE
    name: str = "thompson"
    needs_posterior: bool = True
    needs_goal: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`.

        Raises
        ------
        InputError
            If there is no posterior or goal, or more than three objectives.
        """
        aim = aim_of(pool, self.name, (1, 2, 3))
        known = Conditioned(posterior_of(pool, self.name))
        pending = top_of(pool, pool.pending)
        if len(pending):
            known.observe(pending, known.posterior.noise[:, pending])
        incumbents = incumbents_of(pool)
        reference = None
        if len(aim.rows) > 1:
            reference = aim.reference(aim.objectives(known.posterior.mean[:, incumbents]))
        available, compositions = pool.available(), open_compositions(pool)
        front = np.concatenate([contenders(aim, known, incumbents), np.setdiff1d(pending, incumbents)])
        shortlist = _shortlist(pool, aim, known, front, reference, compositions, self.n_shortlist)
        rows = np.concatenate([front, shortlist])
        draws = _joint_draws(known, rows, n, rng)
        value = pool.probability[shortlist] / pool.costs[shortlist]
        chosen: list[int] = []
        taken: list[int] = []
        for draw in draws:
            open_ones = compositions[shortlist]
            if not open_ones.any():
                break
            score = value * _score(aim, draw, len(front), taken, reference)
            best = int(np.argmax(np.where(open_ones, score, -np.inf)))
            if score[best] > 0:
                composition = int(shortlist[best])
            else:
                composition = most_uncertain(pool, aim, known, _mask(shortlist, compositions))
                best = int(np.flatnonzero(shortlist == composition)[0])
            taken.append(len(front) + best)
            row = level_for(pool, known, composition, available, chosen, self.top_share)
            compositions[composition] = False
            chosen.append(row)
        return np.array(chosen, dtype=np.intp)


def _score(aim: Aim, draw: FloatArray, n_front: int, taken: list[int], reference: FloatArray | None) -> FloatArray:
    """Score (s,) of the shortlist in one draw (t, front + shortlist); 0 where a bound is violated."""
    values, met = aim.objectives(draw), aim.are_met(draw)
    if reference is None:
        offered = values[n_front:, 0]
        return np.where(met[n_front:], offered - offered.min(), 0.0)
    boxes = Boxes(reference)
    points = np.where(met[:, None], values, -np.inf)
    for point in points[[*range(n_front), *taken]]:
        boxes.insert(point[None])
    return np.asarray(boxes.improvement(points[None, n_front:])[0])


def _shortlist(
    pool: Pool,
    aim: Aim,
    known: Conditioned,
    front: IndexArray,
    reference: FloatArray | None,
    compositions: BoolArray,
    n_most: int,
) -> IndexArray:
    """At most `n_most` open candidates: what would gain most if it were two deviations better than expected."""
    rows = np.flatnonzero(compositions)
    if len(rows) <= n_most:
        return rows
    mean, deviation = known.posterior.mean, np.sqrt(known.variance)
    turned = np.ones((len(mean), 1))
    turned[aim.rows, 0] = aim.signs
    hoped = aim.objectives((mean + _OPTIMISM * turned * deviation)[:, rows])
    if reference is None:
        gain = hoped[:, 0] - hoped[:, 0].min()
    else:
        boxes = Boxes(reference)
        for point in aim.objectives(mean[:, front]):
            boxes.insert(point[None])
        gain = boxes.improvement(hoped[None])[0]
    gain = gain * np.exp(aim.log_probability(mean[:, rows], known.variance[:, rows])) * pool.probability[rows]
    spread = known.variance[aim.rows][:, rows].sum(axis=0)
    return np.sort(rows[np.lexsort((-spread, -gain))[:n_most]])


def _joint_draws(known: Conditioned, rows: IndexArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Joint draws (n, t, r) at `rows`, over targets too where they are correlated."""
    between = known.whole_between if known.posterior.is_correlated else known.between
    return joint_draws(known.posterior.mean[:, rows], between(rows, rows), n, rng, EXACT)


def _mask(rows: IndexArray, within: BoolArray) -> BoolArray:
    mask = np.zeros(len(within), dtype=bool)
    mask[rows] = within[rows]
    return mask
