r"""Fit of the calibrated score to simulations, and what the fit is worth.

The runs differ in composition, microstructure seed and draw of the parameters.  Draws move what no descriptor knows
(toughness, flaw size, weakness of boundaries) and shift all compositions together; so each draw d has an intercept
of its own,

.. math::

   Y = c_0 + \alpha_d + c_G \ln s_G + c_V \ln s_V + c_W \ln s_W + \varepsilon, \qquad \sum_d n_d \alpha_d = 0,
   \quad c_V, c_W \ge 0,

and the slopes say what ranks compositions under the same parameters.  Beside it: one intercept for all draws, which
takes chance correlations of few draws for slopes, and a random intercept (REML).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.calibration import ScoreCalibration, log_factors, measured_stability
from dynaphase.errors import FitError
from dynaphase.records import Record

__all__ = [
    "CalibrationRun",
    "VarianceShares",
    "bootstrap_intervals",
    "cross_validate",
    "fit_calibration",
    "fit_critical_current",
    "fit_pooled",
    "read_runs",
    "run_of",
    "variance_shares",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int_]

COEFFICIENTS: Final = ("intercept", "grain_size", "void_fraction", "interface_width")

BOUNDS: Final = (-np.inf, 0.0, 0.0)
"""Least c_G, c_V, c_W."""

POOLED_BOUNDS: Final = (-np.inf, *BOUNDS)


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What the fit reads of one record."""

    formula: str
    seed: int
    draw: int
    grain_size_nm: float
    void_fraction: float
    interface_width_nm: float
    eta_50_mV: float
    critical_current_density_mA_per_cm2: float

    @property
    def stability(self) -> float:
        """Y."""
        return measured_stability(self.eta_50_mV)


def run_of(record: Record, n_digits: int = 6) -> CalibrationRun:
    """A finished record of the physical model, rounded to significant digits as the committed table is."""
    candidate, found = record.candidate, record.descriptors
    names = [field.name for field in fields(CalibrationRun)][3:]
    numbers = {name: float(f"{found[name]:.{n_digits}g}") for name in names}
    return CalibrationRun(record.formula, candidate.seed, int(candidate.settings["draw"]), **numbers)


def read_runs(lines: Iterable[str]) -> list[CalibrationRun]:
    """Runs from the lines of a CSV file with the fields of `CalibrationRun` as its header."""
    kinds = {field.name: field.type for field in fields(CalibrationRun)}
    convert: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
    return [
        CalibrationRun(**{name: convert[str(kinds[name])](text) for name, text in row.items()})
        for row in csv.DictReader(lines)
    ]


def fit_calibration(runs: Sequence[CalibrationRun]) -> ScoreCalibration:
    """Bounded least squares with an intercept for each draw.

    Raises
    ------
    FitError
        With fewer runs than 8, or where those of a draw all have the same stability.
    """
    features, stability, draws = _features(runs), _stabilities(runs), _draws(runs)
    if len(runs) < 8 or not np.ptp(_centred(stability, draws)) > 0:
        raise FitError(
            f"{len(runs)} runs cannot calibrate a score: at least 8 are needed, and several compositions in each draw"
        )
    slopes = _slopes(features, stability, draws)
    return _calibration(float(stability.mean() - features.mean(axis=0) @ slopes), slopes, stability)


def fit_pooled(runs: Sequence[CalibrationRun]) -> ScoreCalibration:
    """The same with one intercept for all draws."""
    features, stability = _features(runs), _stabilities(runs)
    coefficients = _bounded(_with_one(features), stability, POOLED_BOUNDS)
    return _calibration(float(coefficients[0]), coefficients[1:], stability)


def _calibration(intercept: float, slopes: FloatArray, stability: FloatArray) -> ScoreCalibration:
    grain_size, void_fraction, interface_width = slopes.tolist()
    mean, sd = float(stability.mean()), float(stability.std(ddof=1))
    return ScoreCalibration(intercept, grain_size, void_fraction, interface_width, mean, sd)


def cross_validate(runs: Sequence[CalibrationRun], group: str = "formula") -> dict[str, float]:
    """Out-of-fold R² and Spearman's ρ, one ``group`` (``formula`` or ``draw``) left out at a time.

    Returns
    -------
    dict
        ``r_squared`` and ``spearman`` of Y; ``r_squared_within`` and ``spearman_within`` of what is left of Y and Ŷ
        after the mean of their draw is taken away.
    """
    from scipy.stats import spearmanr

    features, stability, draws = _features(runs), _stabilities(runs), _draws(runs)
    groups = np.array([getattr(run, group) for run in runs])
    inner, inner_features = _centred(stability, draws), _centred(features, draws)
    predicted, inner_predicted = np.empty_like(stability), np.empty_like(stability)
    for name in np.unique(groups):
        is_out = groups == name
        slopes = _slopes(features[~is_out], stability[~is_out], draws[~is_out])
        level = stability[~is_out].mean() - features[~is_out].mean(axis=0) @ slopes
        predicted[is_out] = level + features[is_out] @ slopes
        inner_predicted[is_out] = inner_features[is_out] @ slopes
    return {
        "r_squared": _r_squared(stability, predicted),
        "spearman": float(spearmanr(stability, predicted).statistic),
        "r_squared_within": _r_squared(inner, inner_predicted),
        "spearman_within": float(spearmanr(inner, inner_predicted).statistic),
    }


def bootstrap_intervals(runs: Sequence[CalibrationRun], n: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
    """90 % interval of every coefficient from resampled compositions, all runs of one together."""
    formulas = [run.formula for run in runs]
    members = [[run for run in runs if run.formula == name] for name in sorted(set(formulas))]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        fitted = fit_calibration([run for k in rng.integers(len(members), size=len(members)) for run in members[k]])
        found.append([getattr(fitted, name) for name in COEFFICIENTS])
    low, high = np.quantile(np.array(found), [0.05, 0.95], axis=0)
    return {name: (float(low[k]), float(high[k])) for k, name in enumerate(COEFFICIENTS)}


@dataclass(frozen=True, slots=True)
class VarianceShares:
    """Whose the variance of Y is."""

    between_draws: float
    """Share that the draw alone explains: parameters that are not known, the same for every composition."""
    explained: float
    """Share that Ŷ explains, all draws together; negative where it does worse than a constant."""
    explained_within_draws: float
    """Share of the variance within draws that Ŷ explains: what ranks compositions."""
    mixed_coefficients: Mapping[str, tuple[float, float, float]]
    """Coefficient with its 90 % interval in a model with a random intercept for each draw (not bounded)."""
    sd_draw: float
    """Standard deviation of that intercept."""
    sd_residual: float

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}


def variance_shares(runs: Sequence[CalibrationRun]) -> VarianceShares:
    """Take the variance apart: draws as fixed effects, and as random ones (REML)."""
    import warnings

    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    features, stability, draws = _features(runs), _stabilities(runs), _draws(runs)
    fitted = fit_calibration(runs)
    predicted = fitted.intercept + features @ [fitted.grain_size, fitted.void_fraction, fitted.interface_width]
    inner = _centred(stability, draws)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        make: Any = MixedLM  # without types
        model = make(stability, _with_one(features), groups=draws)
        mixed = model.fit(reml=True)
    intervals = np.asarray(mixed.conf_int(alpha=0.1))
    return VarianceShares(
        between_draws=1.0 - float(np.sum(inner**2) / np.sum((stability - stability.mean()) ** 2)),
        explained=_r_squared(stability, predicted),
        explained_within_draws=_r_squared(inner, _centred(predicted, draws)),
        mixed_coefficients={
            name: (float(mixed.params[k]), float(intervals[k, 0]), float(intervals[k, 1]))
            for k, name in enumerate(COEFFICIENTS)
        },
        sd_draw=math.sqrt(float(np.asarray(mixed.cov_re)[0, 0])),
        sd_residual=math.sqrt(float(mixed.scale)),
    )


def fit_critical_current(runs: Sequence[CalibrationRun]) -> dict[str, float]:
    """Fit of the logarithm of the critical current density (A/m²) within draws, with ln i₀ as a fourth covariate."""
    features, stability, draws = _features(runs), _stabilities(runs), _draws(runs)
    current = np.log([10.0 * run.critical_current_density_mA_per_cm2 for run in runs])
    both = np.column_stack([features, current - stability])
    slopes = _slopes(both, current, draws, (*BOUNDS, -np.inf))
    names = (*COEFFICIENTS[1:], "ln_exchange_current_density")
    inner, predicted = _centred(current, draws), _centred(both, draws) @ slopes
    return dict(zip(names, slopes.tolist(), strict=True)) | {"r_squared_within": _r_squared(inner, predicted)}


def _features(runs: Sequence[CalibrationRun]) -> FloatArray:
    """Logarithms of s_G, s_V, s_W, (runs, 3)."""
    return np.array([log_factors(run.grain_size_nm, run.void_fraction, run.interface_width_nm) for run in runs])


def _with_one(features: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(features)), features])


def _stabilities(runs: Sequence[CalibrationRun]) -> FloatArray:
    return np.array([run.stability for run in runs])


def _draws(runs: Sequence[CalibrationRun]) -> IntArray:
    return np.array([run.draw for run in runs])


def _slopes(features: FloatArray, values: FloatArray, draws: IntArray, lower: Sequence[float] = BOUNDS) -> FloatArray:
    """Bounded slopes with an intercept for each draw."""
    return _bounded(_centred(features, draws), _centred(values, draws), lower)


def _bounded(features: FloatArray, values: FloatArray, lower: Sequence[float]) -> FloatArray:
    from scipy.optimize import lsq_linear

    return np.asarray(lsq_linear(features, values, (list(lower), np.inf), method="bvls").x, dtype=np.float64)


def _centred(values: FloatArray, groups: IntArray) -> FloatArray:
    """Values minus the mean of their group."""
    centred = values.copy()
    for name in np.unique(groups):
        centred[groups == name] -= values[groups == name].mean(axis=0)
    return centred


def _r_squared(values: FloatArray, predicted: FloatArray) -> float:
    return 1.0 - float(np.sum((values - predicted) ** 2) / np.sum((values - values.mean()) ** 2))
