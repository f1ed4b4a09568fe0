"""Levels of fidelity: the posterior written out in numpy, and whether cheap levels help without harm."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.errors import FitError
from dynaphase.surrogate import (
    Identity,
    Rung,
    Surrogate,
    SurrogateOptions,
    Target,
    fit_surrogate,
    gp,
    ladder,
    leave_one_out,
)
from dynaphase.surrogate.replicates import average_replicates

PLAIN = (Target("y", Identity(), "1"),)
OPTIONS = SurrogateOptions(level_column=1, recalibrate=False)
"""Columns: coordinate, level, coordinate."""


def top(X: np.ndarray) -> np.ndarray:
    return np.sin(6 * X[:, 0]) + X[:, 1] ** 2 + 0.5 * np.abs(X[:, 0] - X[:, 1])


def biased(X: np.ndarray) -> np.ndarray:
    return top(X) + 1.5 + 0.4 * X[:, 0]


def unrelated(X: np.ndarray) -> np.ndarray:
    return np.cos(7 * X[:, 1]) * np.sin(5 * X[:, 0] + 1)


def at(X: np.ndarray, level: float) -> np.ndarray:
    return np.column_stack([X[:, 0], np.full(len(X), level), X[:, 1]])


def records(cheap: object, n_top: int, n_low: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = rng.random((n_top, 2)), rng.random((n_low, 2))
    y = np.concatenate([top(a), cheap(b)]) + 0.05 * rng.normal(size=n_top + n_low)  # type: ignore[operator]
    return np.vstack([at(a, 1.0), at(b, 0.5)]), y


def matern(a: np.ndarray, b: np.ndarray, lengths: object, variance: float) -> np.ndarray:
    r = np.sqrt(5 * (((a[:, None] - b[None]) / np.asarray(lengths)) ** 2).sum(-1))
    return variance * (1 + r + r**2 / 3) * np.exp(-r)


@pytest.fixture(scope="module")
def fitted() -> Surrogate:
    X, y = records(biased, 15, 40, 0)
    return fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS)


def covariance_by_hand(surrogate: Surrogate, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    h = surrogate.fit_reports["y"].hyperparameters
    assert h is not None
    own = h["levels"]["0.5"]
    shared = matern(A[:, [0, 2]], B[:, [0, 2]], h["lengthscales"], h["signal_variance"])
    low = matern(A[:, [0, 2]], B[:, [0, 2]], own["discrepancy_length"], own["discrepancy_variance"]) + 4.0
    a, b = (np.where(X[:, 1] == 1, 1.0, own["coupling"]) for X in (A, B))
    both = (A[:, None, 1] == 0.5) & (B[None, :, 1] == 0.5)
    return np.outer(a, b) * shared + np.where(both, low, 0.0)


def by_hand(surrogate: Surrogate, keep: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    one = surrogate.fitted["y"]
    train, y = one.replicates.X[keep], (one.replicates.mean[keep] - one.centre) / one.scale
    c = one.model.mean_module.constant.item()
    K = covariance_by_hand(surrogate, train, train) + one.nugget * np.eye(len(train))
    cross = covariance_by_hand(surrogate, train, X)
    weights = np.linalg.solve(K, cross)
    variance = np.diag(covariance_by_hand(surrogate, X, X)) - (cross * weights).sum(axis=0)
    return one.centre + one.scale * (c + weights.T @ (y - c)), one.scale * np.sqrt(variance)


@pytest.mark.parametrize("level", [1.0, 0.5])
def test_the_posterior_is_the_textbook_one(fitted: Surrogate, level: float) -> None:
    X = at(np.random.default_rng(5).random((7, 2)), level)
    mean, std = by_hand(fitted, np.arange(55), X)
    found = fitted.predict(X)["y"]
    assert found.transformed_mean == pytest.approx(mean, abs=1e-6)
    assert found.transformed_std == pytest.approx(std, abs=1e-5)


def test_leaving_out_is_exact_and_judges_the_top(fitted: Surrogate) -> None:
    found = leave_one_out(fitted)["y"]
    one = fitted.fitted["y"]
    assert len(found.observed) == 15
    for i in (0, 7, 14):
        mean, std = by_hand(fitted, np.delete(np.arange(55), i), one.replicates.X[[i]])
        assert found.mean[i] == pytest.approx(mean[0], abs=1e-6)
        assert found.std[i] == pytest.approx(np.hypot(std[0], one.scale * np.sqrt(one.nugget)), abs=1e-5)


def test_the_offset_of_a_level_is_learned(fitted: Surrogate) -> None:
    X = np.random.default_rng(6).random((50, 2))
    low, high = (fitted.predict(at(X, level))["y"].mean for level in (0.5, 1.0))
    assert np.mean(low - high) == pytest.approx(np.mean(biased(X) - top(X)), abs=0.15)


def ratio_of_errors(cheap: object, n_top: int, n_seeds: int) -> float:
    """Error at the top with the cheap level over the error without it, geometric mean over seeds."""
    fresh = np.random.default_rng(9).random((300, 2))
    logs = []
    for seed in range(n_seeds):
        X, y = records(cheap, n_top, 80, seed)
        both = fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS)
        alone = fit_surrogate(X[:n_top, [0, 2]], y[:n_top, None], PLAIN)
        errors = [
            np.sqrt(np.mean((found - top(fresh)) ** 2))
            for found in (both.predict(at(fresh, 1.0))["y"].mean, alone.predict(fresh)["y"].mean)
        ]
        logs.append(np.log(errors[0] / errors[1]))
    return float(np.exp(np.mean(logs)))


def test_a_biased_cheap_level_helps() -> None:
    assert ratio_of_errors(biased, 15, 4) < 0.6


def test_an_unrelated_cheap_level_does_little_harm() -> None:
    assert ratio_of_errors(unrelated, 20, 4) < 1.2


def test_noise_does_not_mix_levels() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.random((30, 2)), 3, axis=0)
    y = np.concatenate([top(X) + 0.01 * rng.normal(size=90), biased(X) + 0.5 * rng.normal(size=90)])
    rows = np.vstack([at(X, 1.0), at(X, 0.5)])
    replicates = average_replicates(rows, y, level_column=1)
    assert len(replicates.mean) == 60
    quiet, noisy = (np.sqrt(replicates.variance_near(at(X[::3], level))) for level in (1.0, 0.5))
    assert quiet.max() < 0.02
    assert noisy.min() > 0.25
    # without replicates at a level, the scatter of all levels is the best guess
    one_level = average_replicates(np.vstack([at(X[::3], 1.0), at(X, 0.5)]), y[60:], level_column=1)
    assert one_level.variance_near(at(X[:1], 1.0)) == pytest.approx(0.25, rel=0.4)
    assert one_level.variance_near(at(X[:1], 0.25)) == pytest.approx(0.25, rel=0.4)


def test_levels_without_records_keep_their_prior(fitted: Surrogate) -> None:
    X = np.array([[0.4, 0.6]])
    stds = [fitted.predict(at(X, level))["y"].transformed_std[0] for level in (1.0, 0.5, 0.25)]
    unseen = np.hypot(stds[0], fitted.fitted["y"].scale * np.sqrt(4.0 + gp.PRIORS["discrepancy_variance"].median))
    assert stds[2] == pytest.approx(unseen, rel=1e-6)
    joint = fitted.posterior(np.vstack([at(X, 0.25), at(X, 0.1), at(X, 1.0)]))
    assert joint.covariance[0][0, 1] == pytest.approx(joint.covariance[0][2, 2], rel=1e-6)  # only f is common


@pytest.mark.parametrize("n_top", [0, 1, 2])
def test_few_or_no_top_records(n_top: int) -> None:
    X, y = records(biased, n_top, 30, 3)
    found = fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS).predict(at(np.array([[0.5, 0.5]]), 1.0))["y"]
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.std).all()


def test_only_top_records_is_as_without_levels() -> None:
    X, y = records(biased, 25, 0, 4)
    fresh = np.random.default_rng(1).random((9, 2))
    with_column = fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS).predict(at(fresh, 1.0))["y"]
    without = fit_surrogate(X[:, [0, 2]], y[:, None], PLAIN, options=SurrogateOptions(recalibrate=False)).predict(fresh)
    assert with_column.mean == pytest.approx(without["y"].mean, abs=1e-4)


@pytest.mark.parametrize("rung", list(Rung))
def test_every_rung_knows_levels(rung: Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise FitError("refused")

    rungs = {r: (make if list(Rung).index(r) >= list(Rung).index(rung) else fail) for r, make in ladder._RUNGS.items()}
    monkeypatch.setattr(ladder, "_RUNGS", rungs)
    X, y = records(biased, 12, 25, 1)
    found = fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS)
    assert found.fit_reports["y"].rung is rung
    fresh = np.random.default_rng(1).random((60, 2))
    low, high = (found.predict(at(fresh, level))["y"].mean for level in (0.5, 1.0))
    assert np.mean(low - high) == pytest.approx(1.7, abs=0.6)


def test_a_trend_and_a_level_go_together() -> None:
    X, y = records(biased, 20, 40, 2)
    options = SurrogateOptions(trend=(2,), level_column=1, recalibrate=False)
    found = fit_surrogate(X, y[:, None], PLAIN, options=options)
    assert found.fit_reports["y"].rung is Rung.OPTIMISED
    far = at(np.array([[0.5, 0.0], [0.5, 1.0]]), 1.0)
    slope = gp.gp_covariance(found.fitted["y"].model, far, far)
    without = gp.gp_covariance(fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS).fitted["y"].model, far, far)
    assert slope[1, 1] - slope[0, 0] == pytest.approx(gp.SLOPE_VARIANCE)
    assert without[1, 1] == pytest.approx(without[0, 0])


def test_a_subset_chooses_the_hyperparameters_and_all_rows_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "MOST_FOR_HYPERPARAMETERS", 30)
    X, y = records(biased, 12, 60, 0)
    found = fit_surrogate(X, y[:, None], PLAIN, options=OPTIONS)
    assert found.fit_reports["y"].n_for_hyperparameters == 30
    mean, std = by_hand(found, np.arange(72), X[:5])
    assert found.predict(X[:5])["y"].transformed_mean == pytest.approx(mean, abs=1e-6)
    assert found.predict(X[:5])["y"].transformed_std == pytest.approx(std, abs=1e-5)


def test_a_wrong_column_is_named() -> None:
    X, y = records(biased, 5, 5, 0)
    with pytest.raises(FitError, match="column 3"):
        fit_surrogate(X, y[:, None], PLAIN, options=SurrogateOptions(level_column=3))
    with pytest.raises(FitError, match="no trend"):
        fit_surrogate(X, y[:, None], PLAIN, options=SurrogateOptions(level_column=1, trend=(1,)))
