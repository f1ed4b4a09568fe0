"""Intervals of held-out accuracy: what other held-out compositions might have shown."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError
from dynaphase.validation.arrays import NO_INTERVAL, FloatArray, Interval, finite, same_shape

__all__ = ["AccuracyIntervals", "accuracy_intervals"]

N_RESAMPLES: Final = 2000

LEAST: Final = 5
"""Fewer pairs than this carry no bootstrap."""


@dataclass(frozen=True, slots=True)
class AccuracyIntervals:
    """Central intervals of the two figures that a campaign is judged by; NaN where there is none."""

    r: Interval
    nrmse: Interval


def accuracy_intervals(
    y_true: npt.ArrayLike, y_predicted: npt.ArrayLike, level: float = 0.9, seed: int = 0
) -> AccuracyIntervals:
    """Intervals of r and nRMSE by a bootstrap over compositions.

    Pairs are drawn with replacement; the interval is the bias-corrected and accelerated one
    (doi:10.1080/01621459.1987.10478410).  From a dozen pairs a bootstrap claims too much, so either end is the further
    one of its own and of normal theory's (χ² for the squared errors, Fisher's transform for r).  The range that nRMSE
    is divided by stays that of all the values: it belongs to the question, and no resample has a larger one.
    Both ends of the interval of level 2c − 1 are one-sided bounds of confidence c.

    Parameters
    ----------
    y_true, y_predicted : array_like, shape (n,)
        On the scale on which accuracy is quoted; fewer than `LEAST` pairs have no interval.
    level : float
        Between 0 and 1.
    seed : int
        Of the resamples.

    Raises
    ------
    InputError
        If the level is not between 0 and 1, shapes differ, or a value is not finite.
    """
    from scipy import stats

    if not 0 < level < 1:
        raise InputError(f"the level of an interval lies between 0 and 1, not {level}")
    truth, predicted = finite("y_true", y_true), finite("y_predicted", y_predicted)
    same_shape("y_predicted", predicted, truth)
    span = float(np.ptp(truth))
    if len(truth) < LEAST or span == 0:
        return AccuracyIntervals(NO_INTERVAL, NO_INTERVAL)
    squares = (predicted - truth) ** 2
    low, high = _wider(_bootstrap((squares,), _mean, level, seed), _mean_square(squares, level))
    nrmse = (float(np.sqrt(max(low, 0.0))) / span, float(np.sqrt(high)) / span)
    if np.ptp(predicted) == 0:
        return AccuracyIntervals(NO_INTERVAL, nrmse)
    by_theory = stats.pearsonr(truth, predicted).confidence_interval(level)
    r = _wider(_bootstrap((truth, predicted), _correlation, level, seed), (float(by_theory.low), float(by_theory.high)))
    return AccuracyIntervals(r, nrmse)


def _mean_square(squares: FloatArray, level: float) -> Interval:
    """Of normal errors without bias: n times the mean square over the variance is χ² with n degrees of freedom."""
    from scipy import stats

    n, tail = len(squares), (1 - level) / 2
    total = float(squares.sum())
    return total / float(stats.chi2.ppf(1 - tail, n)), total / float(stats.chi2.ppf(tail, n))


def _wider(one: Interval, other: Interval) -> Interval:
    return min(one[0], other[0]), max(one[1], other[1])


def _bootstrap(data: Sequence[FloatArray], statistic: Callable[..., Any], level: float, seed: int) -> Interval:
    from scipy import stats

    found = NO_INTERVAL
    methods: tuple[Literal["BCa", "percentile"], ...] = ("BCa", "percentile")
    for method in methods:  # without any scatter the first is not defined
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            interval = stats.bootstrap(
                data, statistic, n_resamples=N_RESAMPLES, paired=True, vectorized=True, confidence_level=level,
                method=method, rng=np.random.default_rng(seed),
            ).confidence_interval  # fmt: skip
        found = (float(interval.low), float(interval.high))
        if np.isfinite(found).all():
            break
    return found


def _mean(values: FloatArray, axis: int = -1) -> FloatArray:
    return np.asarray(values.mean(axis=axis))


def _correlation(x: FloatArray, y: FloatArray, axis: int = -1) -> FloatArray:
    x, y = x - x.mean(axis=axis, keepdims=True), y - y.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample of one pair alone
        found = (x * y).sum(axis=axis) / np.sqrt((x**2).sum(axis=axis) * (y**2).sum(axis=axis))
    return np.asarray(np.where(np.isfinite(found), found, 0.0))
