"""Acquisitions where targets are correlated: against dense Gaussians written out in numpy, and their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from dynaphase.acquisition import Goal, Hypervolume, Pool, Thompson
from dynaphase.acquisition.aims import aim_of
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.draws import Draws, standard_normals
from dynaphase.acquisition.hypervolume import _Search
from dynaphase.errors import FitError
from dynaphase.surrogate import Identity, JointPosterior, Scale, Target
from dynaphase.surrogate.gaussian import lower_root, symmetric_roots
from tests.test_acquisition import covariance

RNG = np.random.default_rng
TWO = Goal.parse(["max t0", "max t1"], reference=[-2.0, -2.0])


def correlated(X: np.ndarray, rho: float, mean: np.ndarray | None = None) -> JointPosterior:
    """Two targets with covariance B_st·k(x, x'), B of correlation `rho`; the second varies half as much."""
    k, spread = covariance(X, X, 0.3), np.array([1.0, 0.5])
    across = (np.array([[1, rho], [rho, 1]]) * np.outer(spread, spread))[:, :, None, None] * k
    scales = [Scale(Target(f"t{i}", Identity(), "")) for i in range(2)]
    parts = np.stack([across[0, 0], across[1, 1]])
    mean = np.zeros((2, len(X))) if mean is None else mean
    return JointPosterior(mean, parts, np.full((2, len(X)), 0.05), scales, across)


def flat(posterior: JointPosterior) -> np.ndarray:
    """The whole covariance (2n, 2n), the first target's rows first."""
    n = posterior.n_candidates
    return np.asarray(posterior.across).transpose(0, 2, 1, 3).reshape(2 * n, 2 * n)


@pytest.mark.parametrize("rho", [-1.0, -0.6, 0.9])
def test_an_evaluation_observes_all_targets_at_once(rho: float) -> None:
    X = RNG(0).random((9, 2))
    posterior = replace(correlated(X, rho), noise=RNG(1).uniform(0.01, 0.5, (2, 9)))
    known = Conditioned(posterior)
    for rows in ([3], [7, 3], [5]):
        known.observe(rows, posterior.noise[:, rows])
    seen, prior = np.array([3, 7, 3, 5, 12, 16, 12, 14]), flat(posterior)
    cross = prior[:, seen]
    gram = prior[np.ix_(seen, seen)] + np.diag(posterior.noise.ravel()[seen])
    expected = (prior - cross @ np.linalg.solve(gram, cross.T)).reshape(2, 9, 2, 9)
    every = np.arange(9)
    assert known.whole_between(every, every) == pytest.approx(expected, abs=1e-10)
    assert known.between([1, 4], every) == pytest.approx(np.einsum("sisj->sij", expected)[:, [1, 4]], abs=1e-10)
    assert known.whole_at([2, 6]) == pytest.approx(np.einsum("sntn->nst", expected)[[2, 6]], abs=1e-10)
    assert known.variance == pytest.approx(np.einsum("snsn->sn", expected), abs=1e-10)


def test_no_correlation_is_the_same_as_none() -> None:
    X = RNG(0).random((8, 2))
    coupled = correlated(X, 0.0)
    apart = replace(coupled, across=None)
    known = [Conditioned(coupled), Conditioned(apart)]
    for one in known:
        one.observe([1, 4], coupled.noise[:, [1, 4]])
    assert known[0].variance == pytest.approx(known[1].variance, abs=1e-12)
    pools = [Pool(X, p, simulated=[0, 1], goal=TWO) for p in (coupled, apart)]
    first, second = (Hypervolume().select(pool, 3, RNG(0)).tolist() for pool in pools)
    assert first == second


def test_draws_one_after_the_other_are_those_of_the_dense_gaussian() -> None:
    X, n = RNG(3).random((5, 2)), 2**15
    mean = RNG(4).standard_normal((2, 5))
    posterior = correlated(X, -0.8, mean)
    draws = Draws(Conditioned(posterior), n)
    normals = standard_normals(n, 2, 4, RNG(0))
    fixed = draws.fix(np.array([0, 3]), normals[:, :, :2])
    again = draws.fix(np.array([1]), normals[:, :, 2:3])
    last = draws.at(np.array([2, 4]), normals[:, :, 3])
    for k, row in enumerate((2, 4)):
        values = np.concatenate([fixed, again, last[:, :, [k]]], axis=2).reshape(n, 8)
        rows = np.r_[[0, 3, 1, row], np.array([0, 3, 1, row]) + 5]
        assert np.cov(values.T) == pytest.approx(flat(posterior)[np.ix_(rows, rows)], abs=0.02)
        assert values.mean(axis=0) == pytest.approx(mean.ravel()[rows], abs=0.02)


@pytest.mark.parametrize("rho", [-1.0, -0.7, 0.7, 1.0])
def test_thompson_takes_a_candidate_as_often_as_it_wins_within_its_bound(rho: float) -> None:
    """One candidate is known, t0 = 0.4 and t1 = 0.2; the other wins where t0 > 0.4 and t1 > 0.1 in the same draw."""
    posterior = correlated(np.array([[0.0, 0.0], [9.0, 9.0]]), rho, np.array([[0.4, 0.0], [0.2, 0.0]]))
    across = np.asarray(posterior.across).copy()
    across[:, :, 0, :] = across[:, :, :, 0] = 0
    posterior = replace(posterior, across=across, parts=np.stack([across[0, 0], across[1, 1]]))
    X = np.array([[0.0, 0.0], [1.0, 0.0]])
    pool = Pool(X, posterior, goal=Goal.parse(["max t0", "max t1"], ["t1 >= 0.1"], reference=[0.4, -9.0]))
    z = RNG(5).multivariate_normal(np.zeros(2), [[1, rho], [rho, 1]], 400_000)
    expected = np.mean((z > [0.4, 0.2]).all(axis=1))
    if abs(rho) == 1:
        assert expected == pytest.approx(norm.sf(0.4) if rho == 1 else 0.0, abs=0.003)
    counts = sum(_wins(pool, seed) for seed in range(1000))
    assert counts / 1000 == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 1000) + 1e-9)


def _wins(pool: Pool, seed: int) -> bool:
    """Whether the uncertain candidate adds hypervolume in the draw that Thompson sampling makes with this seed."""
    from dynaphase.acquisition import thompson

    found = []
    score = thompson._score

    def kept(*given: object) -> np.ndarray:
        found.append(score(*given))  # type: ignore[arg-type]
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thompson, "_score", kept)
        Thompson().select(pool, 1, RNG(seed))
    return bool(found[0][1] > 0)


@pytest.mark.parametrize("rho", [-0.95, 0.95])
def test_the_hypervolume_score_is_the_mean_over_brute_force_joint_draws(rho: float) -> None:
    X = RNG(8).random((8, 2)) * 3
    mean = 0.3 * RNG(9).standard_normal((2, 8))
    posterior = correlated(X, rho, mean)
    known, reference = [0, 1], np.array([-0.5, -0.5])
    f = RNG(1).multivariate_normal(mean.ravel(), flat(posterior), 40_000).reshape(-1, 2, 8).transpose(0, 2, 1)

    def area(points: np.ndarray) -> np.ndarray:
        """Of the union of rectangles above the reference, draw by draw (M, k, 2): strips from the right."""
        order = np.argsort(-points[:, :, 0], axis=1)[..., None]
        sides = (np.take_along_axis(points, order, axis=1) - reference).clip(0)
        heights = np.maximum.accumulate(np.where(sides[..., :1] > 0, sides[..., 1:], 0.0), axis=1)[..., 0]
        widths = sides[..., 0] - np.concatenate([sides[:, 1:, 0], np.zeros((len(points), 1))], axis=1)
        return np.asarray((widths * heights).sum(axis=1))

    before = area(f[:, known])
    singles = [float(np.mean(area(f[:, [*known, i]]) - before)) for i in range(2, 8)]
    pool = Pool(X, posterior, simulated=known, goal=Goal.parse(["max t0", "max t1"], reference=[-0.5, -0.5]))
    search = _Search(pool, 8, aim_of(pool, "hypervolume", (2,)), 4096, 1, RNG(2))
    assert search.score(np.arange(2, 8)) == pytest.approx(singles, rel=0.06, abs=0.002)
    first, second = Hypervolume(n_draws=2048).select(pool, 2, RNG(0)).tolist()
    assert singles[first - 2] > 0.97 * max(singles)
    pairs = {i: float(np.mean(area(f[:, [*known, first, i]]) - before)) for i in range(2, 8) if i != first}
    assert pairs[second] > 0.97 * max(pairs.values())


def test_roots() -> None:
    A = RNG(0).standard_normal((6, 3, 3))
    C = A @ A.transpose(0, 2, 1)
    roots = symmetric_roots(C)
    assert roots @ roots == pytest.approx(C)
    assert roots == pytest.approx(roots.transpose(0, 2, 1))
    assert symmetric_roots(np.diag([4.0, 0.0])[None])[0] == pytest.approx(np.diag([2.0, 0.0]))
    ones = np.ones((5, 5))  # of rank one: nothing but what is added makes it definite
    assert lower_root(ones) @ lower_root(ones).T == pytest.approx(ones, abs=1e-6)
    assert lower_root(np.zeros((2, 2)), np.array([4.0, 0.0]), 1e-8) == pytest.approx(np.diag([2.0, 1e-4]))
    with pytest.raises(np.linalg.LinAlgError):
        lower_root(-np.eye(2))


def test_the_shape_of_what_couples_targets_is_checked() -> None:
    with pytest.raises(FitError, match=r"covariances between them of shape \(2, 2, 3, 3\), not \(2, 3, 3\)"):
        JointPosterior(np.zeros((2, 3)), np.stack([np.eye(3)] * 2), np.zeros((2, 3)), None, np.zeros((2, 3, 3)))
