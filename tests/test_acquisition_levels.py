"""Levels of fidelity: what is judged at the top is followed to the top, by what each level teaches for its cost."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.acquisition import (
    Acquisition,
    ExpectedImprovement,
    Goal,
    Hypervolume,
    IntegratedVariance,
    MaxVariance,
    Pool,
    Random,
    Sobol,
    Thompson,
)
from dynaphase.surrogate import Identity, JointPosterior, Scale, Target
from tests.test_acquisition import covariance, observed

RNG = np.random.default_rng
ALL = [MaxVariance(), IntegratedVariance(), Hypervolume(), ExpectedImprovement(), Thompson()]


def two_levels(
    n: int, own: float = 0.1, cheap: float = 0.1, seen: dict[int, float] | None = None, **options: object
) -> Pool:
    """Rows 0…n−1 at the top, n…2n−1 below: a shared response, and a discrepancy of the lower level."""
    x = RNG(0).random((n, 1))
    X = np.vstack([np.c_[x, np.ones(n)], np.c_[x, np.zeros(n)]])
    shared = covariance(x, x)
    c = np.block([[shared, shared], [shared, shared + own * covariance(x, x, 0.2)]])
    stack = np.stack([c, c])
    noise = np.full((2, 2 * n), 1e-3)
    for index in seen or {}:
        stack = observed(stack, noise, index)
    mean = np.tile(np.stack([np.sin(6 * x[:, 0]), np.cos(6 * x[:, 0])]), 2)
    scales = [Scale(Target(name, Identity(), "")) for name in ("a", "b")]
    top = np.tile(np.arange(n), 2)
    cost = np.r_[np.ones(n), np.full(n, cheap)]
    return Pool(X, JointPosterior(mean, stack, noise, scales), cost=cost, top=top, **options)  # type: ignore[arg-type]


def goal_of(acquisition: Acquisition) -> Goal:
    return Goal.parse(["max a"] if acquisition.name == "expected-improvement" else ["max a", "max b"], reference=())


@pytest.mark.parametrize("acquisition", ALL)
class TestEveryAcquisition:
    def test_a_cheap_level_that_tells_much_is_taken_first(self, acquisition: Acquisition) -> None:
        pool = two_levels(12, own=0.01, simulated=[0], goal=goal_of(acquisition))
        assert acquisition.select(pool, 1, RNG(0))[0] >= 12

    def test_a_level_that_tells_nothing_loses(self, acquisition: Acquisition) -> None:
        pool = two_levels(12, own=1e4, simulated=[0], goal=goal_of(acquisition))
        assert (acquisition.select(pool, 4, RNG(0)) < 12).all()

    def test_a_level_that_is_exhausted_loses(self, acquisition: Acquisition) -> None:
        # the lower level is known everywhere: all that is left at the top is the discrepancy
        below = list(range(12, 24))
        pool = two_levels(12, own=0.3, seen=dict.fromkeys(below, 0.0), simulated=[0], goal=goal_of(acquisition))
        assert acquisition.select(pool, 1, RNG(0))[0] < 12

    def test_the_top_keeps_its_share(self, acquisition: Acquisition) -> None:
        pool = two_levels(40, own=1e-4, cheap=1e-3, simulated=[0], goal=goal_of(acquisition))
        chosen = acquisition.select(pool, 20, RNG(0))
        assert (chosen < 40).sum() >= 1
        assert (1 + (chosen < 40).sum()) >= 0.1 * (len(chosen) + 1)
        below = list(range(60, 80))
        late = two_levels(40, own=1e-4, cheap=1e-3, simulated=[0, *below], goal=goal_of(acquisition))
        assert acquisition.select(late, 1, RNG(0))[0] < 40

    def test_neither_duplicates_nor_taken_rows(self, acquisition: Acquisition) -> None:
        pool = two_levels(6, simulated=[0, 7], pending=[2], failed=[9], goal=goal_of(acquisition))
        chosen = acquisition.select(pool, 20, RNG(0)).tolist()
        assert len(set(chosen)) == len(chosen)
        assert not {0, 7, 2, 9} & set(chosen)
        assert {one % 6 for one in chosen} >= {1, 3, 4, 5}


def test_a_composition_is_followed_to_the_top() -> None:
    pool = two_levels(12, own=0.01, simulated=[0], goal=goal_of(Hypervolume()))
    below = int(Hypervolume().select(pool, 1, RNG(0))[0])
    after = two_levels(12, own=0.01, seen={below: 0.0}, simulated=[0, below], goal=pool.goal)
    chosen = Hypervolume().select(after, 12, RNG(0)).tolist()
    assert below - 12 in chosen  # its lower level is taken, so the top is next


def test_under_way_at_any_level_is_under_way() -> None:
    pool = two_levels(6, simulated=[0], pending=[6 + 3], goal=goal_of(Hypervolume()))
    for acquisition in (Hypervolume(), Thompson(), MaxVariance()):
        assert not {3, 9} & set(acquisition.select(pool, 10, RNG(0)).tolist())


def test_integrated_variance_for_its_cost_by_brute_force() -> None:
    pool = two_levels(10, own=0.2, cheap=0.3)
    assert pool.posterior is not None

    def gain(index: int) -> float:
        before = pool.posterior.covariance  # type: ignore[union-attr]
        after = observed(before, pool.posterior.noise, index)  # type: ignore[union-attr]
        removed = sum(np.trace((b - a)[:10, :10]) for b, a in zip(before, after, strict=True))
        return float(removed / pool.costs[index])

    assert IntegratedVariance(top_share=0.0).select(pool, 1, RNG(0))[0] == max(range(20), key=gain)


def test_references_stay_at_the_top() -> None:
    pool = two_levels(6)
    assert Sobol().select(pool, 9, RNG(0)).tolist() == list(range(6))
    assert sorted(Random().select(pool, 9, RNG(0)).tolist()) == list(range(6))
