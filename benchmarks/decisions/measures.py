"""What a played campaign is measured by.

====================  ====================================================================================
acceleration factor   evaluations that random search needs to reach 95 % of the pool's best hypervolume, over
                      those that the strategy needs: median over median, so that random against itself is 1
enhancement factor    hypervolume of the strategy over that of random search after equally many evaluations
share of the best     how many of the best 1 % or 5 % of the pool were found, best by the worse of its ranks
====================  ====================================================================================

Acceleration and enhancement as in doi:10.1038/s41524-021-00656-9.  A campaign that never gets there needs infinitely
many evaluations: it accelerates by a factor of 0.  Random search is not played with a few seeds: thousands of
permutations of the pool, the failing part included, give its distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from decisions.hypervolume import growing_hypervolume, hypervolume
from dynaphase.errors import InputError

FloatArray = npt.NDArray[np.float64]

SHARE: Final = 0.95
"""Of the pool's best hypervolume: there a search has arrived."""
PERCENTILE: Final = 80.0
"""Of each objective over the pool: the reference point.  Only what is in the best fifth of every objective counts."""
N_PERMUTATIONS: Final = 2000
N_RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Yardstick:
    """What there is to find in a pool, and how random search finds it.

    Parameters
    ----------
    scores : ndarray, shape (n, m)
        True scores, larger is better; −∞ where an evaluation fails.
    percentile : float
        Of each objective over what succeeds: the reference point.  Where objectives conflict so much that nothing lies
        above it in all of them, it is lowered in steps of 5 until something does; `percentile_used` says to what.
    """

    scores: FloatArray
    percentile: float = PERCENTILE
    share: float = SHARE
    n_permutations: int = N_PERMUTATIONS
    seed: int = 0

    @cached_property
    def percentile_used(self) -> float:
        """The highest percentile, not above the wanted one, above which something lies in all objectives."""
        done = self.scores[np.isfinite(self.scores).all(axis=1)]
        for percentile in np.arange(self.percentile, -1.0, -5.0):
            if (done > np.percentile(done, percentile, axis=0)).all(axis=1).any():
                return float(percentile)
        raise InputError("no outcome is better than the worst in every objective: there is no trade-off to find")

    @cached_property
    def reference(self) -> FloatArray:
        """Reference point, shape (m,)."""
        done = self.scores[np.isfinite(self.scores).all(axis=1)]
        return np.asarray(np.percentile(done, self.percentile_used, axis=0))

    @cached_property
    def best(self) -> float:
        """Hypervolume of the whole pool."""
        return hypervolume(self.scores, self.reference)

    @cached_property
    def random_curves(self) -> FloatArray:
        """Share of the best hypervolume after each evaluation of random search, shape (n_permutations, n)."""
        rng, n = np.random.default_rng(self.seed), len(self.scores)
        counting = np.flatnonzero((self.scores > self.reference).all(axis=1))
        curves = np.zeros((self.n_permutations, n), dtype=np.float32)
        for curve in curves:
            # Only the few candidates above the reference matter: where they come, and in which order.
            places = rng.choice(n, size=len(counting), replace=False)
            order = np.argsort(places)
            found = growing_hypervolume(self.scores, counting[order], self.reference) / self.best
            edges = np.append(places[order], n)
            for start, end, value in zip(edges[:-1], edges[1:], found, strict=True):
                curve[start:end] = value
        return curves

    @cached_property
    def random_needs(self) -> FloatArray:
        """Evaluations that random search needed, shape (n_permutations,)."""
        return first_reaching(self.random_curves, self.share)

    @cached_property
    def oracle(self) -> tuple[int, ...]:
        """What one would evaluate who knew all outcomes: always the largest gain, until `share` is reached.

        With one objective it is the shortest way; with more the shortest may be shorter by a candidate or two.  Random
        search's evaluations over its length bound what any acceleration can be in this pool.
        """
        counting = [int(i) for i in np.flatnonzero((self.scores > self.reference).all(axis=1))]
        order: list[int] = []
        value = 0.0
        while value < self.share * self.best - 1e-9:
            gains = [hypervolume(self.scores[[*order, i]], self.reference) for i in counting]
            order.append(counting[int(np.argmax(gains))])
            value = max(gains)
        return tuple(order)

    def curve(self, order: npt.ArrayLike) -> FloatArray:
        """Share of the best hypervolume after each evaluation of `order`."""
        return growing_hypervolume(self.scores, order, self.reference) / self.best

    def top(self, percent: float) -> npt.NDArray[np.intp]:
        """The best `percent` of the pool, at least one: best by the worse of its ranks in the objectives."""
        ranks = np.argsort(np.argsort(self.scores, axis=0, kind="stable"), axis=0, kind="stable").min(axis=1)
        n_top = max(1, round(len(ranks) * percent / 100))
        return np.argsort(-ranks, kind="stable")[:n_top]


def first_reaching(curves: npt.ArrayLike, share: float) -> FloatArray:
    """Number of evaluations at which each curve (…, n) reaches `share`; ∞ where it does not."""
    reached = np.asarray(curves) >= share - 1e-6
    first = reached.argmax(axis=-1) + 1.0
    return np.asarray(np.where(reached.any(axis=-1), first, np.inf))


def expected_random_needs(n: int, n_good: int) -> float:
    """Mean number of draws without replacement until the first of `n_good` among `n`: (n + 1)/(n_good + 1)."""
    return (n + 1) / (n_good + 1)


def acceleration(random_needs: FloatArray, needs: FloatArray, seed: int = 0) -> dict[str, Any]:
    """Median of random search's evaluations over the median of a strategy's, with its 90 % bootstrap interval."""

    def factor(sample: FloatArray) -> FloatArray:
        return np.asarray(np.median(random_needs) / np.median(sample, axis=-1))

    found = with_interval(needs, factor, seed)
    return found | {
        "n_random": float(np.median(random_needs)),
        "n_random_mean": float(np.mean(random_needs)),
        "n_needed": finite_or_none(float(np.median(needs))),
        "reached": float(np.isfinite(needs).mean()),
        "n_seeds": len(needs),
    }


def with_interval(
    values: npt.ArrayLike,
    statistic: Callable[[FloatArray], FloatArray] = lambda v: np.median(v, axis=-1),
    seed: int = 0,
) -> dict[str, Any]:
    """A statistic over seeds (last axis) and its 90 % percentile bootstrap interval, ∞ counted as such."""
    array = np.asarray(values, dtype=float)
    rows = np.random.default_rng(seed).integers(len(array), size=(N_RESAMPLES, len(array)))
    with np.errstate(invalid="ignore"):
        resampled = statistic(array[rows])
        low, high = np.quantile(resampled, [0.05, 0.95], method="inverted_cdf")
        centre = float(statistic(array))
    return {"median": finite_or_none(centre), "interval_90": [finite_or_none(float(low)), finite_or_none(float(high))]}


def needed_with_interval(needed: npt.ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Lower median over seeds of how many evaluations were needed, ∞ where it was never enough, with its interval.

    The lower one: of an even number of seeds half reach their own median error, and that half must count as half.
    """
    return with_interval(needed, lambda v: np.quantile(v, 0.5, axis=-1, method="inverted_cdf"), seed)


def mean_with_interval(values: npt.ArrayLike, seed: int = 0) -> dict[str, Any]:
    """Mean over seeds with its 90 % bootstrap interval."""
    found = with_interval(values, lambda v: np.mean(v, axis=-1), seed)
    return {"mean": found["median"], "interval_90": found["interval_90"]}


def first_below(n: Sequence[float], errors: Sequence[float], wanted: float) -> float:
    """Number of evaluations at which a falling error reaches `wanted`, log-linear between checkpoints; ∞ if never.

    The first crossing after which the error is there: a single lucky checkpoint counts, as it would for a user.
    """
    for k, error in enumerate(errors):
        if error <= wanted:
            if k == 0:
                return float(n[0])
            before = errors[k - 1]
            part = (np.log(before) - np.log(wanted)) / (np.log(before) - np.log(max(error, 1e-300)))
            return float(n[k - 1] + part * (n[k] - n[k - 1]))
    return float(np.inf)


def errors_of(
    z: FloatArray, variance: FloatArray, mean: FloatArray, std: FloatArray, quoted: Callable[[FloatArray], FloatArray]
) -> Mapping[str, float]:
    """How predictions agree with the truth.

    ``rmse``, ``bias`` and ``nrmse`` = rmse/(max − min of the truth) on the scale on which accuracy is quoted;
    ``coverage_90`` on that of the model, the truth being known to `variance`.
    """
    error = quoted(mean) - quoted(z)
    inside = np.abs(mean - z) <= 1.6448536269514722 * np.sqrt(std**2 + variance)
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "bias": float(error.mean()),
        "span": float(np.ptp(quoted(z))),
        "coverage_90": float(inside.mean()),
    }


def finite_or_none(value: float) -> float | None:
    """JSON has no infinity: None stands for "never" and for "not defined"."""
    return value if np.isfinite(value) else None
