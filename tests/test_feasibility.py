"""Feasibility: the approximation against brute-force integrals, the classifier on regions it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit
from scipy.stats import multivariate_normal

from dynaphase.errors import FitError
from dynaphase.surrogate import Rung, binary_gp, fit_feasibility

Region = Callable[[np.ndarray], np.ndarray]
ONE_LINE = np.array([[0.1], [0.55], [0.9]])
YES, TRIALS = np.array([2.0, 1.0, 0.0]), np.array([2.0, 3.0, 1.0])
THETA = np.log([0.4, 6.0])


def region(shape: str, d: int) -> Region:
    """True (done) on 70 % of the unit cube of d dimensions."""
    weights = np.array([1.0, 0.6, 0.3, 0.1])[:d]

    def height(X: np.ndarray) -> np.ndarray:
        if shape == "half-space":
            return -X @ weights
        if shape == "ball":
            return np.linalg.norm(X - 0.6, axis=1)
        return np.minimum(np.linalg.norm(X - 0.2, axis=1), np.linalg.norm(X - 0.8, axis=1))

    limit = np.quantile(height(np.random.default_rng(99).random((20_000, d))), 0.3)
    return lambda X: height(X) > limit


def balanced_accuracy(p: np.ndarray, is_done: np.ndarray) -> float:
    return float(((p > 0.5)[is_done].mean() + (p <= 0.5)[~is_done].mean()) / 2)


# --- the approximation --------------------------------------------------------------------------------------


def brute_force() -> tuple[float, np.ndarray, np.ndarray]:
    """ln p(k) without the binomial factor, posterior mean of f, E[σ(f)], by a sum over a fine grid of f."""
    K = binary_gp.covariance(THETA, ONE_LINE, ONE_LINE)
    axes = np.meshgrid(*[np.linspace(-16, 16, 129)] * 3, indexing="ij")
    f = np.stack([axis.ravel() for axis in axes], axis=1)
    p = expit(f)
    weight = multivariate_normal(np.zeros(3), K).pdf(f) * np.prod(p**YES * (1 - p) ** (TRIALS - YES), axis=1) * 0.25**3
    return float(np.log(weight.sum())), weight @ f / weight.sum(), weight @ p / weight.sum()


def test_the_gaussian_is_near_the_posterior() -> None:
    evidence, mean, probability = brute_force()
    found = binary_gp.approximate(binary_gp.covariance(THETA, ONE_LINE, ONE_LINE), YES, TRIALS)
    m, v = binary_gp.latent_moments(THETA, ONE_LINE, found, ONE_LINE)
    assert evidence - 0.1 < found.evidence < evidence  # a lower bound, and a close one
    assert m == pytest.approx(mean, abs=0.25)
    assert binary_gp.mean_probability(m, v) == pytest.approx(probability, abs=0.015)


def test_no_gaussian_nearby_has_a_higher_bound() -> None:
    K = binary_gp.covariance(THETA, ONE_LINE, ONE_LINE)
    best = binary_gp.approximate(K, YES, TRIALS)
    V = np.linalg.inv(np.linalg.inv(K) + np.diag(best.root**2))
    mean = K @ best.alpha
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)

    def bound(mean: np.ndarray, V: np.ndarray) -> float:
        p = expit(mean[:, None] + np.sqrt(np.diag(V))[:, None] * nodes)
        likelihood = (YES[:, None] * np.log(p) + (TRIALS - YES)[:, None] * np.log(1 - p)) @ weights / weights.sum()
        ratio = np.linalg.solve(K, V)
        divergence = np.trace(ratio) + mean @ np.linalg.solve(K, mean) - 3 - np.linalg.slogdet(ratio)[1]
        return float(likelihood.sum() - divergence / 2)

    assert best.evidence == pytest.approx(bound(mean, V), abs=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = np.eye(3) + 0.05 * rng.normal(size=(3, 3))
        assert bound(mean + 0.1 * rng.normal(size=3), A @ V @ A.T) < best.evidence


def test_the_gradient_of_the_bound() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((25, 2))
    yes, trials = (X[:, 0] > 0.5).astype(float), np.ones(25)
    squares = (X.T[:, :, None] - X.T[:, None, :]) ** 2
    theta = np.log([0.3, 0.8, 9.0])
    slope = binary_gp.evidence_and_gradient(theta, X, yes, trials, squares)[1]
    by_difference = approx_fprime(
        theta, lambda t: binary_gp.evidence_and_gradient(t, X, yes, trials, squares)[0].evidence, 1e-3
    )
    assert slope == pytest.approx(by_difference, abs=0.02)


def test_the_mean_of_the_logistic() -> None:
    mean, spread = np.array([-1.0, 0.5, 3.0]), np.array([0.3, 3.0, 10.0])
    draws = mean + spread * np.random.default_rng(0).normal(size=(400_000, 3))
    assert binary_gp.mean_probability(mean, spread**2) == pytest.approx(expit(draws).mean(axis=0), abs=0.005)


# --- the classifier -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "d", "n"),
    [
        ("half-space", 2, 60),
        ("ball", 2, 60),
        ("islands", 2, 60),
        ("half-space", 3, 60),
        ("ball", 3, 120),
        ("islands", 3, 120),
        ("half-space", 4, 60),
        ("ball", 4, 160),
        ("islands", 4, 160),
    ],
)
def test_failing_regions_are_recognised(shape: str, d: int, n: int) -> None:
    is_done = region(shape, d)
    fresh = np.random.default_rng(1000).random((2000, d))
    truth = is_done(fresh)
    found = []
    for seed in range(4):
        X = np.random.default_rng(seed).random((n, d))
        found.append(fit_feasibility(X, is_done(X)).probability(fresh))
    assert np.mean([balanced_accuracy(p, truth) for p in found]) >= 0.9
    together, outcomes = np.concatenate(found), np.tile(truth, 4)
    assert np.mean((together - outcomes) ** 2) < 0.065  # the share alone would give 0.21
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.0)):
        inside = (together >= low) & (together <= high)
        assert low - 0.13 < outcomes[inside].mean() < high + 0.13, (low, high)
    assert together.min() > 0
    assert together.max() < 1


def test_chance_is_reported_as_chance() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((300, 2))
    p = fit_feasibility(X, rng.random(300) < 0.3 + 0.4 * X[:, 0]).probability(rng.random((500, 2)))
    assert 0.15 < p.min() < 0.45
    assert 0.55 < p.max() < 0.85


def test_far_from_data_nothing_is_certain() -> None:
    X = np.random.default_rng(0).random((80, 2)) * 0.3
    is_done = X[:, 0] + X[:, 1] > 0.25
    p = fit_feasibility(X, is_done).probability([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.25, 0.25], [0.02, 0.02]])
    assert ((p[:3] > 0.15) & (p[:3] < 0.97)).all()
    assert p[3] > 0.97
    assert p[4] < 0.1


def test_one_failure_on_a_boundary_does_not_close_what_lies_beside_it() -> None:
    X = np.random.default_rng(0).random((60, 2))
    found = fit_feasibility(np.vstack([X, [[1.0, 0.5]]]), [True] * 60 + [False])
    p = found.probability([[1.0, 0.5], [0.7, 0.5], [0.3, 0.5]])
    assert 0.01 < p[0] < 0.9
    assert p[0] < p[1]
    assert p[2] > 0.9


def test_replicates_may_disagree() -> None:
    X = np.repeat([[0.2, 0.2], [0.8, 0.8], [0.5, 0.1]], 20, axis=0)
    is_done = np.array([True] * 10 + [False] * 10 + [True] * 20 + [False] * 20)
    found = fit_feasibility(X, is_done)
    p = found.probability([[0.2, 0.2], [0.8, 0.8], [0.5, 0.1]])
    assert found.report.n_compositions == 3
    assert (found.report.n_done, found.report.n_failed) == (30, 30)
    assert p[0] == pytest.approx(0.5, abs=0.08)
    assert p[1] > 0.9
    assert p[2] < 0.1


# --- one outcome only, and fits that fail --------------------------------------------------------------------


def test_without_a_failure_no_place_is_preferred() -> None:
    found = fit_feasibility(np.random.default_rng(0).random((9, 3)), [True] * 9)
    assert found.report.rung is Rung.CONSTANT
    assert not found.report.is_fallback
    assert found.probability(np.random.default_rng(1).random((4, 3))) == pytest.approx(np.full(4, 9.5 / 10))


def test_when_all_failed_the_search_is_sent_elsewhere() -> None:
    found = fit_feasibility([[0.1, 0.1], [0.2, 0.1], [0.1, 0.2]], [False] * 3)
    p = found.probability([[0.12, 0.12], [0.5, 0.5], [1.0, 1.0]])
    assert found.report.rung is Rung.PRIOR_MEDIANS
    assert 0 < p[0] < p[1] < p[2] < 0.6


@pytest.mark.parametrize("outcome", [True, False])
def test_one_record_is_enough(outcome: bool) -> None:
    p = fit_feasibility([[0.5, 0.5]], [outcome]).probability([[0.5, 0.5]])
    assert (p[0] > 0.5) == outcome


@pytest.mark.filterwarnings("error")
def test_every_rung_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).random((40, 2))
    is_done = X[:, 0] > 0.3

    def fail(*_: object) -> None:
        raise FitError("refused")

    monkeypatch.setattr(binary_gp, "optimise", fail)
    second = fit_feasibility(X, is_done)
    assert second.report.rung is Rung.PRIOR_MEDIANS
    assert second.report.is_fallback
    assert "refused" in second.report.message
    assert balanced_accuracy(second.probability(X), is_done) > 0.9
    monkeypatch.setattr(binary_gp, "approximate", fail)
    third = fit_feasibility(X, is_done)
    assert third.report.rung is Rung.CONSTANT
    assert third.probability(X[:2]) == pytest.approx(np.full(2, (is_done.sum() + 0.5) / 41))


def test_many_records_choose_hyperparameters_on_a_subset_and_condition_on_all() -> None:
    is_done = region("ball", 2)
    X = np.random.default_rng(0).random((600, 2))
    found = fit_feasibility(X, is_done(X))
    assert found.report.n_for_hyperparameters == 300
    fresh = np.random.default_rng(1).random((1000, 2))
    assert balanced_accuracy(found.probability(fresh), is_done(fresh)) > 0.975
    again = fit_feasibility(X, is_done(X)).probability(fresh)
    assert (found.probability(fresh) == again).all()


def test_bad_input_is_named() -> None:
    with pytest.raises(FitError, match="2 outcomes"):
        fit_feasibility([[0.1], [0.2]], [True])
    with pytest.raises(FitError, match="each True"):
        fit_feasibility([[0.1], [0.2]], [1.0, 0.5])
    with pytest.raises(FitError, match="finite"):
        fit_feasibility([[np.nan]], [True])
    with pytest.raises(FitError, match=r"shape \(n, 1\)"):
        fit_feasibility([[0.1]], [True]).probability([[0.1, 0.2]])
