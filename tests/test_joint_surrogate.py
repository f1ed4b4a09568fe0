"""Joint outputs: the stacked posterior written out in numpy, and whether they help where targets are correlated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynaphase.surrogate import (
    Identity,
    Surrogate,
    SurrogateOptions,
    Target,
    fit_surrogate,
    gp,
    joined,
    leave_one_out,
)
from dynaphase.surrogate.calibration import Recalibration

TWO = (Target("quiet", Identity(), "1"), Target("noisy", Identity(), "1"))
JOINT = SurrogateOptions(joint=True, recalibrate=False)
APART = SurrogateOptions(recalibrate=False)


def response(X: np.ndarray) -> np.ndarray:
    return np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1]) + X[:, 1]


def records(n: int, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Two replicates each; the second target is the first turned round, and much noisier."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.random((n, 2)), 2, axis=0)
    f = response(X)
    return X, np.column_stack([f + 0.03 * rng.normal(size=2 * n), 1 - 2 * f + noise * rng.normal(size=2 * n)])


@pytest.fixture(scope="module")
def fitted() -> Surrogate:
    return fit_surrogate(*records(40, 0), TWO, options=JOINT)


def stacked(surrogate: Surrogate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, compositions and noise of the stacked observations."""
    ones = list(surrogate.fitted.values())
    n = len(ones[0].replicates.mean)
    noise = [one.nugget + one.replicates.variance_of_mean / one.scale**2 for one in ones]
    return np.repeat([0, 1], n), np.tile(ones[0].replicates.X, (2, 1)), np.concatenate(noise)


def prior(surrogate: Surrogate, s: np.ndarray, A: np.ndarray, t: np.ndarray, B: np.ndarray) -> np.ndarray:
    reports = [surrogate.fit_reports[name].hyperparameters for name in ("quiet", "noisy")]
    variances = np.array([h["signal_variance"] for h in reports if h])
    between = np.array([h["correlation"] for h in reports if h]) * np.sqrt(np.outer(variances, variances))
    assert reports[0]
    r = np.sqrt(5 * (((A[:, None] - B[None]) / reports[0]["lengthscales"]) ** 2).sum(-1))
    return between[np.ix_(s, t)] * (1 + r + r**2 / 3) * np.exp(-r)


def by_hand(surrogate: Surrogate, keep: np.ndarray, place: int, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ones = list(surrogate.fitted.values())
    s, A, noise = (values[keep] for values in stacked(surrogate))
    y = np.concatenate([(one.replicates.mean - one.centre) / one.scale for one in ones])[keep]
    c = ones[0].model.mean_module.constant.item()
    t = np.full(len(X), place)
    cross = prior(surrogate, s, A, t, X)
    weights = np.linalg.solve(prior(surrogate, s, A, s, A) + np.diag(noise), cross)
    variance = np.diag(prior(surrogate, t, X, t, X) - cross.T @ weights)
    return ones[place].centre + ones[place].scale * (c + weights.T @ (y - c)), ones[place].scale ** 2 * variance


@pytest.mark.parametrize(("place", "name"), [(0, "quiet"), (1, "noisy")])
def test_the_posterior_is_the_textbook_one(fitted: Surrogate, place: int, name: str) -> None:
    assert fitted.fit_reports[name].outputs == "joint"
    X = np.random.default_rng(5).random((6, 2))
    mean, variance = by_hand(fitted, np.arange(80), place, X)
    found, one = fitted.predict(X)[name], fitted.fitted[name]
    assert found.transformed_mean == pytest.approx(mean, abs=1e-5)
    assert found.transformed_std**2 == pytest.approx(variance + one.scale**2 * one.misfit, rel=1e-4)
    assert fitted.posterior(X).covariance[place].diagonal() == pytest.approx(variance / one.scale**2, rel=1e-4)


def dense(surrogate: Surrogate, X: np.ndarray) -> np.ndarray:
    """Posterior covariance (2n, 2n) of both targets at `X`, the first target's rows first, in one solve."""
    s, A, noise = stacked(surrogate)
    t, B = np.repeat([0, 1], len(X)), np.tile(X, (2, 1))
    cross = prior(surrogate, s, A, t, B)
    gram = prior(surrogate, s, A, s, A) + np.diag(noise)
    return prior(surrogate, t, B, t, B) - cross.T @ np.linalg.solve(gram, cross)


def recalibrated(surrogate: Surrogate, *factors: float) -> Surrogate:
    names = zip(surrogate.fitted, factors, strict=True)
    return replace(
        surrogate, fitted={name: replace(surrogate.fitted[name], recalibration=Recalibration(f)) for name, f in names}
    )


def test_the_joint_posterior_is_the_textbook_one_between_targets_too(fitted: Surrogate) -> None:
    X = np.random.default_rng(6).random((7, 2))
    for factors in ((1.0, 1.0), (1.3, 2.0)):
        found, wide = recalibrated(fitted, *factors).posterior(X), np.repeat(factors, 7)
        expected = (np.outer(wide, wide) * dense(fitted, X)).reshape(2, 7, 2, 7)
        assert found.is_correlated
        every = np.arange(7)
        assert found.whole_between(every, every) == pytest.approx(expected, abs=1e-5)
        assert found.whole_between([2, 5], [0]) == pytest.approx(expected[:, [2, 5]][..., [0]], abs=1e-5)
        assert found.whole_at() == pytest.approx(np.einsum("sntn->nst", expected), abs=1e-5)
        assert found.covariance == pytest.approx(np.einsum("sisj->sij", expected), abs=1e-5)
    turned = fitted.posterior(X, ["noisy", "quiet"])
    assert turned.whole_at()[:, 0, 1] == pytest.approx(fitted.posterior(X).whole_at()[:, 0, 1], abs=1e-12)
    assert not fitted.posterior(X, ["noisy"]).is_correlated


def test_draws_are_those_of_the_dense_gaussian(fitted: Surrogate) -> None:
    X, n = np.random.default_rng(7).random((4, 2)), 40_000
    posterior, expected = fitted.posterior(X), dense(fitted, X)
    drawn = posterior.draw(n, np.random.default_rng(0)).reshape(n, 8)
    spread = np.sqrt(np.diag(expected))
    assert np.cov(drawn.T) / np.outer(spread, spread) == pytest.approx(expected / np.outer(spread, spread), abs=0.03)
    assert (drawn.mean(axis=0) - posterior.mean.ravel()) / spread == pytest.approx(np.zeros(8), abs=0.03)


def test_independent_targets_have_no_covariance_between_them() -> None:
    found = fit_surrogate(*records(12, 1), TWO, options=APART).posterior([[0.2, 0.4], [0.7, 0.1], [0.5, 0.5]])
    assert not found.is_correlated
    whole = found.whole_between([0, 2], [1, 2])
    assert (whole[0, :, 1] == 0).all()
    assert (whole[1, :, 0] == 0).all()
    assert np.array_equal(np.einsum("sisj->sij", whole), found.between([0, 2], [1, 2]))
    # Each target with its own normals.
    rng, expected = np.random.default_rng(3), []
    for mean, c in zip(found.mean, found.covariance, strict=True):
        root = np.linalg.cholesky(c + 1e-10 * np.diag(c).mean() * np.eye(3))
        expected.append(mean + rng.standard_normal((5, 3)) @ root.T)
    assert np.array_equal(found.draw(5, np.random.default_rng(3)), np.stack(expected, axis=1))


@pytest.mark.parametrize(("place", "name"), [(0, "quiet"), (1, "noisy")])
def test_a_composition_is_left_out_with_all_its_targets(fitted: Surrogate, place: int, name: str) -> None:
    found, one = leave_one_out(fitted)[name], fitted.fitted[name]
    noise = stacked(fitted)[2]
    for i in (0, 13, 39):
        keep = np.setdiff1d(np.arange(80), [i, 40 + i])
        mean, variance = by_hand(fitted, keep, place, one.replicates.X[[i]])
        assert found.mean[i] == pytest.approx(mean[0], abs=1e-5)
        assert found.std[i] ** 2 == pytest.approx(variance[0] + one.scale**2 * noise[40 * place + i], rel=1e-4)


def test_the_correlation_is_found(fitted: Surrogate) -> None:
    h = fitted.fit_reports["quiet"].hyperparameters
    assert h
    assert h["correlation"][1] < -0.9
    between = fitted.correlation([[0.5, 0.5], [0.1, 0.9]])
    assert between.shape == (2, 2, 2)
    assert np.allclose(np.einsum("ntt->nt", between), 1)
    assert (np.abs(between) <= 1 + 1e-12).all()
    assert (between[:, 0, 1] < -0.05).all()


def test_a_quiet_target_helps_a_noisy_one_that_follows_it() -> None:
    fresh = np.random.default_rng(9).random((300, 2))
    truth = 1 - 2 * response(fresh)
    logs = []
    for seed in range(3):
        X, Y = records(40, seed)
        errors = [
            np.sqrt(np.mean((fit_surrogate(X, Y, TWO, options=o).predict(fresh)["noisy"].mean - truth) ** 2))
            for o in (JOINT, APART)
        ]
        logs.append(np.log(errors[0] / errors[1]))
    assert np.exp(np.mean(logs)) < 0.8


def test_unrelated_targets_stay_apart_or_lose_nothing() -> None:
    rng = np.random.default_rng(2)
    X = np.repeat(rng.random((40, 2)), 2, axis=0)
    Y = np.column_stack([response(X), np.cos(9 * X[:, 1])]) + 0.1 * rng.normal(size=(80, 2))
    fresh = rng.random((300, 2))
    together, apart = (fit_surrogate(X, Y, TWO, options=o).predict(fresh)["quiet"].mean for o in (JOINT, APART))
    errors = [np.sqrt(np.mean((mean - response(fresh)) ** 2)) for mean in (together, apart)]
    assert errors[0] < 1.15 * errors[1]


def test_what_cannot_be_joined_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = records(12, 1)

    def why(X: np.ndarray, Y: np.ndarray, options: SurrogateOptions = JOINT) -> str:
        found = fit_surrogate(X, Y, TWO, options=options)
        assert np.isfinite(found.predict(X[:3])["noisy"].mean).all()
        assert (found.correlation(X[:2]) == np.eye(2)).all()
        return found.fit_reports["noisy"].outputs

    holed = Y.copy()
    holed[3, 1] = np.nan
    assert "miss a value" in why(X, holed)
    levels = SurrogateOptions(joint=True, recalibrate=False, level_column=2)
    assert "levels" in why(np.column_stack([X, np.ones(24)]), Y, levels)
    assert "too few" in why(X[:4], Y[:4])
    monkeypatch.setattr("dynaphase.surrogate.surrogate.MOST_VALUES", 10)
    assert "more than the 10" in why(X, Y)
    assert fit_surrogate(X, Y, TWO, options=APART).fit_reports["noisy"].outputs == "independent"
    monkeypatch.undo()

    def fail(*_: object) -> None:
        raise RuntimeError("refused")

    monkeypatch.setattr(joined, "_make", fail)
    assert "refused" in why(X, Y)


def test_many_compositions_learn_on_a_subset_and_condition_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "_MOST_FOR_HYPERPARAMETERS", 35)
    found = fit_surrogate(*records(40, 0), TWO, options=JOINT)
    assert found.fit_reports["noisy"].outputs == "joint"
    X = np.random.default_rng(5).random((4, 2))
    mean, _ = by_hand(found, np.arange(80), 1, X)
    assert found.predict(X)["noisy"].transformed_mean == pytest.approx(mean, abs=1e-5)


def test_a_trend_is_shared() -> None:
    X, Y = records(30, 0)
    options = SurrogateOptions(joint=True, recalibrate=False, trend=(0,))
    found = fit_surrogate(X, Y, TWO, options=options)
    assert found.fit_reports["quiet"].outputs == "joint"
    model, h = found.fitted["quiet"].model, found.fit_reports["quiet"].hyperparameters
    assert h
    ends = np.array([[0.0, 0.5], [1.0, 0.5]])
    K = gp.gp_covariance(model, ends, ends)
    assert K[1, 1] - K[0, 0] == pytest.approx(gp.SLOPE_VARIANCE * h["signal_variance"], rel=1e-6)
