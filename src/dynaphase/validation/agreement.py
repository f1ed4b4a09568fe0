"""Agreement of predictions with reference values: correlation, errors, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError
from dynaphase.surrogate.prediction import Comparison
from dynaphase.validation.arrays import NO_INTERVAL, FloatArray, Interval, as_json, finite, same_shape

__all__ = ["Agreement", "accuracy", "agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well n predictions agree with the truth; NaN with a `note` where a figure is not defined.

    Attributes
    ----------
    r, r_interval_95
        Pearson correlation and its 95 % interval.
    spearman
        Rank correlation.
    rmse, bias
        Root mean square and mean of (predicted − true), in the unit of the values.
    nrmse
        rmse / (max − min of the truth).  Normalised by the range, because rmse/std repeats what r says: without
        bias it is √(1 − r²).  For truth spread evenly the range is √12 standard deviations, and r = 0.95 means
        nrmse = 0.09: the two usual demands, r ≥ 0.95 and nrmse ≤ 0.1, then agree.
    coverage_90, coverage_interval_95
        Share of the truth inside the predicted central 90 % intervals, and the Wilson interval of that share.
    mean_squared_z
        Mean of ((true − predicted)/std)²: 1 when calibrated, above when too sure of itself.
    """

    n: int
    r: float
    r_interval_95: Interval
    spearman: float
    rmse: float
    nrmse: float
    bias: float
    coverage_90: float = nan
    coverage_interval_95: Interval = NO_INTERVAL
    mean_squared_z: float = nan
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON types, None where one is not defined."""
        return {name: as_json(value) for name, value in asdict(self).items()}

    def meets(self, r: float = 0.95, nrmse: float = 0.1) -> bool:
        """Whether both demands are met; a figure that is not defined meets none."""
        return self.r >= r and self.nrmse <= nrmse


def agreement(
    y_true: npt.ArrayLike,
    y_predicted: npt.ArrayLike,
    std: npt.ArrayLike | None = None,
    *,
    z_scores: npt.ArrayLike | None = None,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Agreement:
    """Agreement of predictions with reference values.

    Parameters
    ----------
    y_true, y_predicted : array_like, shape (n,)
        Values on the scale on which accuracy is wanted.
    std : array_like, shape (n,), optional
        Standard deviation of y_true about y_predicted, for the calibration figures.
    z_scores : array_like, shape (n,), optional
        Standardised residuals instead of `std`, where the prediction is Gaussian on another scale.
    n_bootstrap : int
        Resamples for a percentile bootstrap of r (pairs); 0 takes Fisher's transform, exact for Gaussian pairs.
    seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If shapes differ, a value is not finite, a standard deviation is not positive, or there is no value.
    """
    truth, predicted = finite("y_true", y_true), finite("y_predicted", y_predicted)
    same_shape("y_predicted", predicted, truth)
    error = predicted - truth
    span = float(np.ptp(truth))
    rmse = float(np.sqrt(np.mean(error**2)))
    note = _why_no_correlation(truth, predicted)
    r, interval, spearman = (nan, NO_INTERVAL, nan) if note else _correlations(truth, predicted, n_bootstrap, seed)
    coverage, coverage_interval, mean_squared_z = _calibration(_z_scores(truth, predicted, std, z_scores))
    return Agreement(
        n=len(truth),
        r=r,
        r_interval_95=interval,
        spearman=spearman,
        rmse=rmse,
        nrmse=rmse / span if span > 0 else nan,
        bias=float(error.mean()),
        coverage_90=coverage,
        coverage_interval_95=coverage_interval,
        mean_squared_z=mean_squared_z,
        note=note,
    )


def accuracy(comparisons: Mapping[str, Comparison]) -> dict[str, Agreement]:
    """Agreement of every target on its quoted scale (points for scores, decades for conductivities).

    Calibration is judged on the scale of the model, where the predictions are Gaussian.
    """
    return {
        name: agreement(*comparison.on_quoted_scale(), z_scores=comparison.z_scores)
        for name, comparison in comparisons.items()
    }


def _correlations(
    truth: FloatArray, predicted: FloatArray, n_bootstrap: int, seed: int
) -> tuple[float, Interval, float]:
    from scipy import stats

    pearson = stats.pearsonr(truth, predicted)
    if n_bootstrap:
        interval = _bootstrap_interval(truth, predicted, n_bootstrap, seed)
    else:
        low, high = pearson.confidence_interval(0.95)
        interval = (float(low), float(high))
    return float(pearson.statistic), interval, float(stats.spearmanr(truth, predicted).statistic)


def _bootstrap_interval(truth: FloatArray, predicted: FloatArray, n: int, seed: int) -> Interval:
    rows = np.random.default_rng(seed).integers(len(truth), size=(n, len(truth)))
    x, y = truth[rows], predicted[rows]
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    norms = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    resampled = (x * y).sum(axis=1)[norms > 0] / norms[norms > 0]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def _why_no_correlation(truth: FloatArray, predicted: FloatArray) -> str:
    if len(truth) < 3:
        return f"no correlation: {len(truth)} pairs, at least 3 are needed"
    for name, values in (("true", truth), ("predicted", predicted)):
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            return f"no correlation: all {name} values are equal"
    return ""


def _z_scores(
    truth: FloatArray, predicted: FloatArray, std: npt.ArrayLike | None, z_scores: npt.ArrayLike | None
) -> FloatArray | None:
    if z_scores is not None:
        if std is not None:
            raise InputError("give std or z_scores, not both: one follows from the other")
        z = finite("z_scores", z_scores)
        same_shape("z_scores", z, truth)
        return z
    if std is None:
        return None
    spread = finite("std", std)
    same_shape("std", spread, truth)
    if (spread <= 0).any():
        raise InputError("every std must be positive; add the noise of the reference values")
    return (truth - predicted) / spread


def _calibration(z: FloatArray | None) -> tuple[float, Interval, float]:
    if z is None:
        return nan, NO_INTERVAL, nan
    from scipy.special import ndtri
    from scipy.stats import binomtest

    n_inside = int(np.count_nonzero(np.abs(z) <= ndtri(0.95)))
    wilson = binomtest(n_inside, len(z)).proportion_ci(0.95, method="wilson")
    return n_inside / len(z), (float(wilson.low), float(wilson.high)), float(np.mean(z**2))
