"""How noisy one run is: learned on the logarithm from two or three replicates a composition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import digamma

from dynaphase.surrogate.matern import matern_52
from dynaphase.surrogate.replicates import average_replicates
from dynaphase.surrogate.scatter import fit_scatter


@pytest.mark.parametrize("m", [2, 3])
def test_equal_noise_is_found_without_bias(m: int) -> None:
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.random((150, 2)), rng.normal(size=(150, m)) * 0.3
        scatter = fit_scatter(X, y.var(axis=1, ddof=1), np.full(150, m - 1.0))
        assert scatter is not None
        found.append(np.log(scatter.variance(rng.random((50, 2)))).mean())
    assert np.mean(found) == pytest.approx(np.log(0.09), abs=0.25)


def test_a_quiet_region_beside_a_noisy_one_stays_quiet() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((160, 2))
    spread = np.where(X[:, 0] > 0.8, 2.0, 0.02)
    scatter = fit_scatter(X, (rng.normal(size=(160, 2)) * spread[:, None]).var(axis=1, ddof=1), np.ones(160))
    assert scatter is not None
    quiet, noisy = scatter.variance(np.array([[0.3, 0.5], [0.95, 0.5]]))
    assert 0.01**2 < quiet < 0.06**2
    assert 0.8**2 < noisy < 5**2


def test_variance_left_out_is_that_of_a_fit_without_the_composition() -> None:
    rng = np.random.default_rng(2)
    X = rng.random((40, 2))
    squares = (rng.normal(size=40) * np.exp(2 * X[:, 0])) ** 2
    whole = fit_scatter(X, squares, np.ones(40))
    assert whole is not None
    others = np.arange(40) != 11
    shape = whole.amplitude * matern_52(cdist(X / whole.lengths, X / whole.lengths))
    logs = np.log(squares) - digamma(0.5) + np.log(0.5)
    K = shape[np.ix_(others, others)] + np.diag(whole.noise[others])
    solved = np.linalg.solve(K, np.column_stack([logs[others] - whole.constant, shape[others, 11]]))
    mean = whole.constant + shape[11, others] @ solved[:, 0]
    variance = whole.amplitude - shape[11, others] @ solved[:, 1]
    assert whole.variance_left_out()[11] == pytest.approx(np.exp(mean + variance / 2), rel=1e-9)


def test_expected_logarithm_of_a_scatter_is_that_of_the_chi_square() -> None:
    draws = np.random.default_rng(0).normal(size=(200_000, 3)).var(axis=1, ddof=1)
    assert np.log(draws).mean() == pytest.approx(digamma(1.0) - np.log(1.0), abs=0.01)


def test_where_nothing_is_known_the_noise_is_taken_as_larger() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([0.3 * rng.random(80), rng.random(80)])
    spread = np.exp(3 * X[:, 0] * 3 + np.sin(9 * X[:, 1]))
    scatter = fit_scatter(X, (rng.normal(size=(80, 3)) * spread[:, None]).var(axis=1, ddof=1), np.full(80, 2.0))
    assert scatter is not None
    inside, far = scatter.variance(np.array([[0.15, 0.5], [1.0, 0.5]]))
    assert far > np.exp(scatter.constant)
    assert inside != far


def test_replicates_that_agree_exactly_do_not_claim_that_nothing_scatters() -> None:
    X = np.repeat(np.random.default_rng(0).random((30, 2)), 2, axis=0)
    y = np.random.default_rng(1).normal(size=60)
    y[1] = y[0]
    replicates = average_replicates(X, y)
    assert replicates.scatter[0] == 0
    assert replicates.variance_near(X[:1])[0] > 0.05


def test_nothing_to_learn_from() -> None:
    X = np.random.default_rng(0).random((10, 2))
    assert fit_scatter(X, np.zeros(10), np.ones(10)) is None
    assert fit_scatter(X, np.zeros(10), np.zeros(10)) is None
    assert average_replicates(X, np.arange(10.0)).variance_near(X) == pytest.approx(np.zeros(10))


def test_more_compositions_than_are_used_change_nothing_but_the_sharpness() -> None:
    rng = np.random.default_rng(5)
    X = rng.random((2000, 2))
    scatter = fit_scatter(X, (rng.normal(size=(2000, 2)) * (0.1 + X[:, :1])).var(axis=1, ddof=1), np.ones(2000))
    assert scatter is not None
    at = np.array([[0.1, 0.5], [0.9, 0.5]])
    assert np.sqrt(scatter.variance(at)) == pytest.approx([0.2, 1.0], rel=0.35)


def test_a_threshold_in_one_input_of_many_is_seen_in_that_input() -> None:
    def spread(X: np.ndarray) -> np.ndarray:
        return np.where(np.abs(X[:, 0] - 0.5) < 0.1, 2.0, 0.02)

    rng = np.random.default_rng(4)
    X, fresh = rng.random((120, 6)), rng.random((300, 6))
    scatter = fit_scatter(X, (rng.normal(size=(120, 2)) * spread(X)[:, None]).var(axis=1, ddof=1), np.ones(120))
    assert scatter is not None
    assert scatter.lengths[0] < 0.5 < scatter.lengths[1:].min()
    error = np.log(scatter.variance(fresh)) - 2 * np.log(spread(fresh))
    assert np.sqrt(np.mean(error**2)) < 2.5  # the spread of ln σ² is 3.7: that is what a constant would miss
