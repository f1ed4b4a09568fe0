"""Acquisitions against closed forms, brute force and an independent Gaussian process; no fit, no torch."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
from scipy.stats import qmc

from dynaphase.acquisition import (
    ACQUISITIONS,
    Acquisition,
    Goal,
    IntegratedVariance,
    MaxVariance,
    Pool,
    Random,
    Sobol,
    acquisition_from_name,
)
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.errors import ConfigError, FitError, InputError
from dynaphase.surrogate import Identity, JointPosterior, Scale, Target

RNG = np.random.default_rng


def covariance(a: np.ndarray, b: np.ndarray, length: float = 0.25) -> np.ndarray:
    return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / length**2)


def posterior_of(X: np.ndarray, seen: np.ndarray, noise: float = 1e-4, length: float = 0.25) -> np.ndarray:
    """Covariance at `X` after observing `seen`, textbook formula."""
    cross = covariance(X, seen, length)
    return covariance(X, X, length) - cross @ np.linalg.solve(
        covariance(seen, seen, length) + noise * np.eye(len(seen)), cross.T
    )


def joint(*covariances: np.ndarray, noise: float = 1e-4, mean: np.ndarray | None = None) -> JointPosterior:
    stack = np.stack(covariances)
    t, n, _ = stack.shape
    scales = [Scale(Target(f"t{k}", Identity(), "")) for k in range(t)]
    return JointPosterior(np.zeros((t, n)) if mean is None else mean, stack, np.full((t, n), noise), scales)


def observed(stack: np.ndarray, noise: np.ndarray, index: int) -> np.ndarray:
    """Covariances (t, n, n) after an observation of candidate `index`, textbook formula."""
    pairs = zip(stack, noise[:, index], strict=True)
    return np.stack([c - np.outer(c[:, index], c[index]) / (c[index, index] + r) for c, r in pairs])


GOALS = {"hypervolume": Goal.parse(["max t0", "min t1"]), "thompson": Goal.parse(["max t0", "max t1"])}


def contract_pool(name: str, X: np.ndarray, noise: float = 1e-4, **options: object) -> Pool:
    """A pool of two targets with whatever the acquisition `name` needs."""
    seen = RNG(99).random((4, 2))
    mean = np.stack([np.sin(5 * X[:, 0] + X[:, 1]), np.cos(3 * X[:, 1])])
    posterior = joint(posterior_of(X, seen), posterior_of(X, seen, length=0.4), noise=noise, mean=mean)
    return Pool(X, posterior, goal=GOALS.get(name, Goal.parse(["max t0"], ["t1 >= -0.5"])), **options)  # type: ignore[arg-type]


def pool_of(n: int, seed: int, noise: float = 1e-4, **options: object) -> Pool:
    X = RNG(seed).random((n, 2))
    return Pool(X, joint(posterior_of(X, RNG(99).random((4, 2))), noise=noise), **options)  # type: ignore[arg-type]


def test_conditioning_one_by_one_equals_conditioning_at_once() -> None:
    X = RNG(0).random((12, 2))
    start = np.stack([covariance(X, X), covariance(X, X, 0.6)])
    noise = RNG(1).uniform(0.01, 0.5, (2, 12))
    known = Conditioned(JointPosterior(np.zeros((2, 12)), start, noise))
    for index in (3, 7, 3):
        known.observe([index], noise[:, [index]])
    found = known.between(np.arange(12), np.arange(12))
    assert known.variance == pytest.approx(np.einsum("tnn->tn", found), abs=1e-12)
    rows = [3, 7, 3]
    for before, r, after in zip(start, noise, found, strict=True):
        cross = before[:, rows]
        expected = before - cross @ np.linalg.solve(before[np.ix_(rows, rows)] + np.diag(r[rows]), cross.T)
        assert after == pytest.approx(expected, abs=1e-12)


def test_a_candidate_known_exactly_teaches_nothing() -> None:
    known = Conditioned(joint(np.diag([0.0, 1.0])))
    known.observe([0])
    assert np.array_equal(known.between([0, 1], [0, 1])[0], np.diag([0.0, 1.0]))


def test_two_points_in_closed_form() -> None:
    # var(b | a) = 1.5 − 1.2²/(2 + 0.5), and c is independent of both
    c = np.array([[2.0, 1.2, 0.0], [1.2, 1.5, 0.0], [0.0, 0.0, 0.9]])
    known = Conditioned(joint(c))
    known.observe([0], np.array([[0.5]]))
    assert known.variance[0] == pytest.approx([2 - 4 / 2.5, 1.5 - 1.44 / 2.5, 0.9])
    pool = Pool(np.eye(3), joint(c, noise=0.5))
    assert MaxVariance().select(pool, 2, RNG(0)).tolist() == [0, 1]
    exact = Pool(np.eye(3), joint(c, noise=0.0))  # 1.5 − 1.44/2 = 0.78 < 0.9
    assert MaxVariance().select(exact, 3, RNG(0)).tolist() == [0, 2, 1]


def test_targets_add_up_and_weights_count() -> None:
    pool = Pool(np.eye(3), joint(np.diag([1.0, 0.2, 0.7]), np.diag([0.1, 0.8, 0.7])))
    assert MaxVariance().select(pool, 1, RNG(0)).tolist() == [2]
    assert MaxVariance(weights=(1.0, 0.1)).select(pool, 1, RNG(0)).tolist() == [0]
    assert IntegratedVariance(weights=(0.1, 1.0)).select(pool, 1, RNG(0)).tolist() == [1]
    with pytest.raises(InputError, match="2 targets need 2 weights, not 3"):
        MaxVariance(weights=(1.0, 1.0, 1.0)).select(pool, 1, RNG(0))


@pytest.mark.parametrize("noise", [1e-4, 0.3])
def test_max_variance_is_the_brute_force_best_at_every_step(noise: float) -> None:
    X, seen = RNG(5).random((25, 2)), RNG(6).random((4, 2))
    pool = Pool(X, joint(posterior_of(X, seen), posterior_of(X, seen, length=0.5), noise=noise))
    first, second = MaxVariance().select(pool, 2, RNG(0))
    assert pool.posterior is not None
    prior = pool.posterior.covariance
    assert first == np.argmax(sum(np.diag(c) for c in prior))
    left = [
        sum(c[i, i] - c[i, first] ** 2 / (c[first, first] + noise) for c in prior) if i != first else -1
        for i in range(25)
    ]
    assert second == np.argmax(left)


@pytest.mark.parametrize("noise", [1e-4, 0.3])
def test_integrated_variance_is_the_brute_force_best_at_every_step(noise: float) -> None:
    X, seen = RNG(7).random((20, 2)), RNG(8).random((3, 2))
    pool = Pool(X, joint(posterior_of(X, seen), noise=noise))
    assert pool.posterior is not None
    chosen = IntegratedVariance().select(pool, 2, RNG(0)).tolist()

    def remaining(rows: list[int]) -> float:
        assert pool.posterior is not None
        c = pool.posterior.covariance[0]
        weights = np.linalg.solve(c[np.ix_(rows, rows)] + noise * np.eye(len(rows)), c[rows])
        return float(np.trace(c - c[:, rows] @ weights))

    best = min(range(20), key=lambda i: remaining([i]))
    assert chosen == [best, min((i for i in range(20) if i != best), key=lambda i: remaining([best, i]))]


def test_the_batch_does_not_cluster() -> None:
    pool = pool_of(300, 2)
    assert pool.posterior is not None
    greedy = pool.X[MaxVariance().select(pool, 8, RNG(0))]
    top = pool.X[np.argsort(-np.diag(pool.posterior.covariance[0]))[:8]]

    def nearest(points: np.ndarray) -> float:
        distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return float(distances[np.triu_indices(8, 1)].min())

    assert nearest(greedy) > 4 * nearest(top)


def test_batches_cover_space_better_than_random() -> None:
    X = qmc.Sobol(2, seed=0).random(256)
    pool = Pool(X, joint(covariance(X, X)))

    def fill_distance(rows: np.ndarray) -> float:
        return float(np.linalg.norm(X[:, None] - X[rows][None], axis=-1).min(axis=1).max())

    by_chance = [fill_distance(Random().select(pool, 12, RNG(seed))) for seed in range(40)]
    for acquisition in (MaxVariance(), IntegratedVariance()):
        assert fill_distance(acquisition.select(pool, 12, RNG(0))) < np.quantile(by_chance, 0.1)


@pytest.mark.parametrize("acquisition", [MaxVariance(), IntegratedVariance()])
def test_a_known_landscape_is_learned_no_worse_than_at_random(acquisition: Acquisition) -> None:
    X = qmc.Sobol(2, seed=1).random(256)
    truth = np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1])

    def error(chosen: list[int]) -> float:
        cross = covariance(X, X[chosen])
        gram = covariance(X[chosen], X[chosen]) + 1e-6 * np.eye(len(chosen))
        return float(np.sqrt(np.mean((cross @ np.linalg.solve(gram, truth[chosen]) - truth) ** 2)))

    def campaign(acquisition: Acquisition, seed: int) -> float:
        chosen = Random().select(Pool(X), 4, RNG(seed)).tolist()
        for _ in range(4):
            pool = Pool(X, joint(posterior_of(X, X[chosen], 1e-6), noise=1e-6), simulated=chosen)
            chosen += acquisition.select(pool, 4, RNG(seed)).tolist()
        return error(chosen)

    ours = [campaign(acquisition, seed) for seed in range(8)]
    chance = [campaign(Random(), seed) for seed in range(8)]
    assert np.median(ours) < 0.8 * np.median(chance)


# --- what every acquisition keeps -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACQUISITIONS)
class TestContract:
    def test_it_is_one(self, name: str) -> None:
        acquisition = acquisition_from_name(name)
        assert isinstance(acquisition, Acquisition)
        assert acquisition.name == name

    def test_never_a_duplicate_nor_a_taken_candidate(self, name: str) -> None:
        pool = contract_pool(name, RNG(0).random((30, 2)), simulated=[1, 2, 3], pending=[4, 5])
        chosen = acquisition_from_name(name).select(pool, 10, RNG(0))
        assert len(set(chosen.tolist())) == 10
        assert not set(chosen.tolist()) & {1, 2, 3, 4, 5}

    def test_an_exhausted_pool_gives_what_it_has(self, name: str) -> None:
        pool = contract_pool(name, RNG(0).random((6, 2)), simulated=[0, 1], pending=[2])
        assert sorted(acquisition_from_name(name).select(pool, 10, RNG(0)).tolist()) == [3, 4, 5]
        full = contract_pool(name, RNG(0).random((3, 2)), simulated=[0, 1, 2])
        chosen = acquisition_from_name(name).select(full, 2, RNG(0))
        assert chosen.shape == (0,)
        assert np.issubdtype(chosen.dtype, np.integer)

    def test_copies_of_a_taken_candidate_are_taken(self, name: str) -> None:
        X = np.repeat(RNG(0).random((3, 2)), 2, axis=0)
        pool = contract_pool(name, X, noise=10.0, simulated=[1])
        assert sorted(acquisition_from_name(name).select(pool, 4, RNG(0)).tolist()) == [2, 4]

    def test_same_seed_same_choice_and_the_pool_is_left_alone(self, name: str) -> None:
        pool = contract_pool(name, RNG(3).random((40, 2)), simulated=[7, 8], pending=[0])
        assert pool.posterior is not None
        before = pool.posterior.covariance.copy()
        first = acquisition_from_name(name).select(pool, 5, RNG(8))
        assert np.array_equal(first, acquisition_from_name(name).select(pool, 5, RNG(8)))
        assert np.array_equal(pool.posterior.covariance, before)


def test_pending_candidates_count_as_known() -> None:
    free, busy = pool_of(200, 4), pool_of(200, 4)
    first = int(MaxVariance().select(free, 1, RNG(0))[0])
    pending = Pool(busy.X, busy.posterior, pending=[first])
    assert MaxVariance().select(pending, 3, RNG(0)).tolist() == MaxVariance().select(free, 4, RNG(0)).tolist()[1:]


def test_references() -> None:
    pool = Pool(RNG(0).random((10, 2)), simulated=[0, 2])
    assert Sobol().select(pool, 3, RNG(0)).tolist() == [1, 3, 4]
    counts = np.zeros(10)
    for seed in range(400):
        counts[Random().select(pool, 4, RNG(seed))] += 1
    assert counts[[0, 2]].tolist() == [0, 0]
    assert counts[counts > 0] == pytest.approx(200, abs=50)


def test_names_are_looked_up_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ConfigError, match=r"acquisition 'max_varianc' is not available.*sobol\. Did you mean 'max-variance'"
    ):
        acquisition_from_name("max_varianc")
    entry = metadata.EntryPoint("theirs", "dynaphase.acquisition:Random", "dynaphase.acquisitions")
    wrong = metadata.EntryPoint("wrong", "builtins:dict", "dynaphase.acquisitions")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry, wrong])
    assert acquisition_from_name("theirs") == Random()
    with pytest.raises(ConfigError, match="'builtins:dict' does not make an acquisition"):
        acquisition_from_name("wrong")


def test_bad_pools_are_refused() -> None:
    X = RNG(0).random((3, 2))
    with pytest.raises(InputError, match="max-variance needs the posterior"):
        MaxVariance().select(Pool(X), 1, RNG(0))
    with pytest.raises(InputError, match="3 candidates but its posterior 2"):
        Pool(X, joint(np.eye(2)))
    with pytest.raises(InputError, match="candidate 3 is not in a pool of 3"):
        Pool(X, pending=[3])
    with pytest.raises(FitError, match="covariance of shape"):
        JointPosterior(np.zeros((1, 3)), np.eye(3), np.zeros((1, 3)))
