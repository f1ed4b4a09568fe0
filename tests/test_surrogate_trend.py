"""Linear trend in closed-form estimates, and recalibration by leaving compositions out."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.errors import FitError
from dynaphase.surrogate import Identity, SurrogateOptions, Target, compare, fit_surrogate, leave_one_out
from dynaphase.surrogate.calibration import LARGEST, LIMITS, calibration_factor, recalibration
from dynaphase.surrogate.gp import SLOPE_VARIANCE, gp_covariance, smooth_covariance

PLAIN = (Target("y", Identity(), "1"),)
TREND = SurrogateOptions(trend=(2,), recalibrate=False)


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two coordinates, and an estimate that knows the kink; the response is three times the estimate, and a ripple."""
    X = np.random.default_rng(seed).random((n, 2))
    kinked = 1 - np.abs(X[:, 0] - 0.5) ** 0.5
    y = 3 * kinked + 0.2 * np.sin(6 * X[:, 1])
    return np.column_stack([X, kinked]), y[:, None]


def test_trend_is_a_linear_covariance_on_its_column() -> None:
    X, y = data(25, 0)
    one = fit_surrogate(X, y, PLAIN, options=TREND).fitted["y"]
    whole = gp_covariance(one.model, X, X)
    smooth = smooth_covariance(one.model)
    import torch

    with torch.no_grad():
        rest = smooth(torch.as_tensor(X)).to_dense().numpy()
    assert whole - rest == pytest.approx(SLOPE_VARIANCE * np.outer(X[:, 2], X[:, 2]), abs=1e-9)


def test_trend_carries_beyond_the_data() -> None:
    X, y = data(60, 1)
    seen = X[:, 2] < 0.6
    fresh, truth = X[~seen], y[~seen]
    errors = {}
    for name, options in {"trend": TREND, "none": SurrogateOptions(recalibrate=False)}.items():
        found = fit_surrogate(X[seen], y[seen], PLAIN, options=options)
        errors[name] = np.abs(found.predict(fresh)["y"].mean - truth[:, 0]).mean()
    assert errors["trend"] < 0.5 * errors["none"]


def test_leave_one_out_with_trend_equals_leaving_one_out() -> None:
    X, y = data(30, 2)
    found = fit_surrogate(X, y, PLAIN, options=TREND)
    one = found.fitted["y"]
    left_out = leave_one_out(found)["y"]
    K = gp_covariance(one.model, X, X) + one.nugget * np.eye(30)
    c = one.model.mean_module.constant.item()
    z = (y[:, 0] - one.centre) / one.scale
    for i in (0, 13, 29):
        rest = np.delete(np.arange(30), i)
        weights = np.linalg.solve(K[np.ix_(rest, rest)], K[rest, i])
        assert left_out.mean[i] == pytest.approx(one.centre + one.scale * (c + weights @ (z[rest] - c)), abs=1e-7)


def test_a_trend_in_a_column_that_is_not_there_is_refused() -> None:
    X, y = data(10, 0)
    with pytest.raises(FitError, match="columns"):
        fit_surrogate(X, y, PLAIN, options=SurrogateOptions(trend=(3,)))


# --- recalibration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("too_small_by", [1.0, 2.0])
def test_factor_finds_by_how_much_the_spread_is_too_small(too_small_by: float) -> None:
    rng = np.random.default_rng(0)
    variance, noise = rng.uniform(0.5, 2, 4000), rng.uniform(0, 0.5, 4000)
    residual = rng.normal(size=4000) * np.sqrt(too_small_by**2 * variance + noise)
    assert calibration_factor(residual, variance, noise) == pytest.approx(too_small_by, rel=0.07)


def test_factor_is_one_without_evidence_and_bounded_with_it() -> None:
    one = np.ones(10)
    assert calibration_factor(9 * one, one, 0 * one) == 1.0
    many = np.ones(100)
    assert calibration_factor(9 * many, many, 0 * many) == LIMITS[1]
    assert calibration_factor(0 * many, many, 0 * many) == LIMITS[0]


def test_a_surrogate_that_is_too_sure_is_widened() -> None:
    # steps within a smooth function: a Matérn covariance fitted to few points thinks it knows more than it does
    coverage = {True: [], False: []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, fresh = rng.random((60, 3)), rng.random((300, 3))

        def steps(points: np.ndarray) -> np.ndarray:
            return np.floor(3 * points[:, 0]) + np.floor(2.5 * points[:, 1] + points[:, 2])

        for recalibrate, found in coverage.items():
            surrogate = fit_surrogate(X, steps(X)[:, None], PLAIN, options=SurrogateOptions(recalibrate=recalibrate))
            z = compare(surrogate, fresh, steps(fresh)[:, None])["y"].z_scores
            found.append(np.mean(np.abs(z) < 1.645))
    assert abs(np.mean(coverage[True]) - 0.9) <= abs(np.mean(coverage[False]) - 0.9) + 0.01
    assert 0.84 <= np.mean(coverage[True]) <= 0.96


def test_predictions_and_comparisons_use_the_factor() -> None:
    X, y = data(60, 4)
    noisy = y + 0.3 * np.random.default_rng(0).normal(size=y.shape)
    plain = fit_surrogate(X, noisy, PLAIN, options=SurrogateOptions(recalibrate=False))
    scaled = fit_surrogate(X, noisy, PLAIN)
    factor = scaled.fitted["y"].recalibration.at(X[:5])
    assert not np.any(factor == 1.0)
    wide, narrow = (s.predict(X[:5])["y"].transformed_std for s in (scaled, plain))
    assert wide == pytest.approx(factor * narrow)
    joint = scaled.posterior(X[:5]).covariance[0] / plain.posterior(X[:5]).covariance[0]
    assert joint == pytest.approx(np.multiply.outer(factor, factor))


def test_intervals_widen_where_left_out_compositions_say_so() -> None:
    # one run each, a hundred times noisier beyond 0.7: one inferred noise is right nowhere
    inside: dict[str, dict[bool, list[float]]] = {"noisy": {}, "quiet": {}}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, fresh = rng.random((150, 2)), rng.random((600, 2))
        y = np.sin(3 * X[:, 0]) + np.where(X[:, 0] > 0.7, 0.5, 0.005) * rng.normal(size=150)
        surrogate = fit_surrogate(X, y[:, None], PLAIN)
        predicted = surrogate.predict(fresh)["y"]
        local = surrogate.fitted["y"].recalibration
        for is_local in (True, False):
            std = predicted.transformed_std / (local.at(fresh) / local.factor if not is_local else 1.0)
            hit = np.abs(predicted.transformed_mean - np.sin(3 * fresh[:, 0])) < 1.645 * std
            for name, mask in (("noisy", fresh[:, 0] > 0.75), ("quiet", fresh[:, 0] < 0.65)):
                inside[name].setdefault(is_local, []).append(float(hit[mask].mean()))
        ratio = local.at(np.array([[0.95, 0.5], [0.3, 0.5]]))
        assert ratio[0] > 1.3 * ratio[1]
    assert np.mean(inside["noisy"][True]) > np.mean(inside["noisy"][False]) + 0.03
    assert np.mean(inside["noisy"][True]) > 0.85
    assert np.mean(inside["quiet"][True]) - np.mean(inside["quiet"][False]) < 0.01


def test_the_whole_factor_is_bounded_where_nothing_was_left_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((80, 2)) * [1.0, 0.4]
    residual = rng.normal(size=80) * np.exp(4 * X[:, 0])
    found = recalibration(X, residual, 0.05 * np.ones(80), 0.01 * np.ones(80))
    assert found.ratio is not None
    everywhere = found.at(rng.random((500, 2)))
    assert everywhere.max() == LARGEST
    assert everywhere.min() >= found.factor


def test_a_residual_does_not_excuse_itself() -> None:
    rng = np.random.default_rng(5)
    X, one = rng.random((60, 2)), np.ones(60)
    residual = rng.normal(size=60)
    residual[7] = 30.0
    found = recalibration(X, residual, one, 0.01 * one)
    assert found.ratio is not None
    assert found.ratio.variance(X)[7] > 1.02 * found.ratio.variance_left_out()[7]
    assert recalibration(X[:30], residual[:30], one[:30], one[:30]).ratio is None
