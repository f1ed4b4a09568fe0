"""Goals, hypervolumes, expected improvement and Thompson sampling: closed forms and brute force; no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from dynaphase.acquisition import (
    Acquisition,
    Constraint,
    ExpectedImprovement,
    Goal,
    Hypervolume,
    Pool,
    Random,
    Thompson,
    acquisition_from_name,
    make_pool,
)
from dynaphase.acquisition.aims import aim_of, derived_reference
from dynaphase.acquisition.boxes import Boxes
from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.improvement import log_expected_improvement
from dynaphase.config import GoalSection, load_config, make_config
from dynaphase.errors import ConfigError, InputError
from dynaphase.surrogate import JointPosterior, Log10, LogitPercent, Scale, Target
from tests.test_acquisition import covariance, joint, posterior_of

RNG = np.random.default_rng
TWO = Goal.parse(["max t0", "max t1"])


class TestGoal:
    def test_it_reads_what_a_configuration_says(self) -> None:
        goal = Goal.parse(["max a", "min b.c"], ["sigma >= 1e-5", "void_fraction<=.05"], [60, 1e-6])
        assert [str(o) for o in goal.objectives] == ["max a", "min b.c"]
        assert [(o.sign, o.reference) for o in goal.objectives] == [(1.0, 60), (-1.0, 1e-6)]
        assert goal.constraints == (Constraint("sigma", False, 1e-5), Constraint("void_fraction", True, 0.05))
        assert goal.targets == ("a", "b.c", "sigma", "void_fraction")

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("1e-5 <= sigma", "the target comes first"),
            ("1 <= sigma <= 2", "two constraints"),
            ("sigma > 1", "only >= and <="),
            ("sigma = 1", "only >= and <="),
            ("sigma >= 1e-5 S/cm", "without a unit"),
            ("sigma", "write a target, >= or <=, and a number"),
            ("sigma >= 1e999", "beyond what a number can hold"),
        ],
    )
    def test_a_constraint_that_is_not_understood_says_how_to_write_it(self, text: str, advice: str) -> None:
        with pytest.raises(InputError, match=advice):
            Constraint.parse(text)

    def test_contradictions_are_refused(self) -> None:
        with pytest.raises(InputError, match="write 'max' or 'min'"):
            Goal.parse(["highest a"])
        with pytest.raises(InputError, match="'a' is an objective twice"):
            Goal.parse(["max a", "min a"])
        with pytest.raises(InputError, match="2 objectives need 2 values"):
            Goal.parse(["max a", "min b"], reference=[1.0])
        with pytest.raises(InputError, match="nothing can be 'a >= 2' and 'a <= 1' at once"):
            Goal.parse(["max b"], ["a >= 2", "a <= 1"])
        with pytest.raises(InputError, match="needs an objective"):
            Goal(())

    def test_the_configuration_keeps_it(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        asked = {"objectives": ["max stability_score"], "constraints": ["a_b >= 1e-5"], "reference": [60.0]}
        config = make_config({"goal": asked})
        (tmp_path / "c.toml").write_text(config.to_toml(), encoding="utf-8")
        assert load_config(tmp_path / "c.toml") == config
        assert config.goal.goal() == Goal.parse(["max stability_score"], ["a_b >= 1e-5"], [60.0])
        assert GoalSection().goal().constraints == ()
        with pytest.raises(ConfigError, match=r"goal.*the target comes first"):
            make_config({"goal": {"constraints": ["1 <= a"]}})


class TestAim:
    def pool(self, goal: Goal, **options: object) -> Pool:
        scales = [
            Scale(Target("S", LogitPercent(), "%"), centre=1.0, scale=2.0),
            Scale(Target("sigma", Log10(), "S/cm"), centre=-5.0, scale=0.5, misfit=0.21),
        ]
        mean = np.array([[0.0, 1.0], [0.0, 1.0]])
        posterior = JointPosterior(mean, np.stack([np.eye(2)] * 2), np.zeros((2, 2)), scales)
        return Pool(np.eye(2), posterior, goal=goal, **options)  # type: ignore[arg-type]

    def test_objectives_are_points_and_decades_with_large_being_good(self) -> None:
        pool = self.pool(Goal.parse(["min sigma", "max S"], reference=[1e-4, 60]))
        aim = aim_of(pool, "hypervolume", (2,))
        assert pool.posterior is not None
        expected = [[5.0, 100 / (1 + np.exp(-1.0))], [4.5, 100 / (1 + np.exp(-3.0))]]
        assert aim.objectives(pool.posterior.mean) == pytest.approx(np.array(expected))
        assert aim.given == pytest.approx((4.0, 60.0))

    def test_the_probability_of_a_bound_in_natural_units(self) -> None:
        aim = aim_of(
            self.pool(Goal.parse(["max S"], ["sigma >= 1e-4.5".replace("e-4.5", "e-4"), "S <= 90"])), "x", (1,)
        )
        variance = np.array([[1.0, 0.25], [1.0, 0.0]])
        mean = np.array([[0.0, 1.0], [0.0, 1.0]])
        z_90 = np.log(9.0)
        of_sigma = stats.norm.sf(-4, loc=-5 + 0.5 * mean[1], scale=0.5 * np.sqrt(variance[1] + 0.21))
        of_score = stats.norm.cdf(z_90, loc=1 + 2 * mean[0], scale=2 * np.sqrt(variance[0]))
        assert np.exp(aim.log_probability(mean, variance)) == pytest.approx(of_sigma * of_score)
        assert np.exp(aim.log_probability(mean, variance, without_objectives=True)) == pytest.approx(of_sigma)

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"target of the goal 'sigm' is not available.*Did you mean 'sigma'"):
            aim_of(self.pool(Goal.parse(["max S"], ["sigm >= 1"])), "x", (1,))
        with pytest.raises(InputError, match="the bound of 'sigma >= 0' must be above 0"):
            aim_of(self.pool(Goal.parse(["max S"], ["sigma >= 0"])), "x", (1,))
        with pytest.raises(InputError, match="takes 2 or 3 objectives, not 1"):
            Hypervolume().select(self.pool(Goal.parse(["max S"])), 1, RNG(0))
        with pytest.raises(InputError, match="derived from records"):
            Hypervolume().select(self.pool(Goal.parse(["max S", "max sigma"])), 1, RNG(0))
        with pytest.raises(InputError, match="needs a record to improve on"):
            ExpectedImprovement().select(self.pool(Goal.parse(["max S"])), 1, RNG(0))
        pool = self.pool(TWO)
        with pytest.raises(InputError, match=r"Pool\.goal has to say what"):
            Thompson().select(Pool(pool.X, pool.posterior), 1, RNG(0))

    def test_a_derived_reference_is_a_little_worse_than_the_front(self) -> None:
        values = np.array([[0.0, 10.0], [4.0, 0.0], [3.0, 5.0], [-9.0, -9.0]])
        assert derived_reference(values) == pytest.approx([-0.4, -1.0])
        assert derived_reference(np.array([[1.0, 2.0], [0.0, 0.0]])) == pytest.approx([0.9, 1.8])
        assert derived_reference(np.array([[1.0, 2.0]])) == pytest.approx([0.9, 1.9])


def counted(points: np.ndarray, reference: np.ndarray, n: int = 60) -> float:
    """Hypervolume of points on a lattice, by counting its cells."""
    axes = [np.arange(n) + 0.5] * points.shape[1]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, points.shape[1])
    is_inside = (cells > reference).all(axis=1)
    return float(((points[:, None] >= cells).all(axis=-1).any(axis=0) & is_inside).sum())


def volume(points: object, reference: object) -> float:
    """What points add to nothing, one after the other."""
    boxes, total = Boxes(reference), 0.0  # type: ignore[arg-type]
    for point in np.asarray(points, dtype=float):
        total += float(boxes.improvement(point[None, None])[0, 0])
        boxes.insert(point[None])
    return total


class TestBoxes:
    @pytest.mark.parametrize("m", [1, 2, 3])
    def test_volume_and_improvement_by_counting_cells(self, m: int) -> None:
        rng, n = RNG(m), {1: 60, 2: 60, 3: 24}[m]
        points = rng.integers(0, n, (12, m)).astype(float)
        reference = np.full(m, 3.0)
        assert volume(points, reference) == counted(points, reference, n)
        boxes = Boxes(reference)
        for point in points:
            boxes.insert(point[None])
        others = rng.integers(0, n, (15, m)).astype(float)
        gain = [counted(np.vstack([points, y]), reference, n) - counted(points, reference, n) for y in others]
        assert boxes.improvement(others[None])[0] == pytest.approx(gain, abs=1e-9)

    def test_known_values(self) -> None:
        assert volume([[1, 3], [3, 1], [2, 2]], [0, 0]) == pytest.approx(6)
        assert volume([[1, 3], [-1, 9], [5, -1]], [0, 0]) == pytest.approx(3)
        assert volume(np.empty((0, 2)), [0, 0]) == 0
        assert volume([[1, 1, 1], [2, 0.5, 0.5]], [0, 0, 0]) == pytest.approx(1.25)

    def test_sets_are_apart_and_nothing_is_added_by_minus_infinity(self) -> None:
        boxes = Boxes([0.0, 0.0], 2)
        boxes.insert(np.array([[1.0, 1.0], [-np.inf, -np.inf]]))
        assert boxes.improvement(np.full((2, 1, 2), 2.0))[:, 0] == pytest.approx([3, 4])
        assert boxes.improvement(np.full((2, 1, 2), -np.inf))[:, 0] == pytest.approx([0, 0])
        assert boxes.lower.shape[1] == 2  # the staircase of one point has two strips


class TestExpectedImprovement:
    def test_the_logarithm_in_closed_form_and_far_out(self) -> None:
        for z in (-30.0, -8.0, -1.0, -0.99, 0.0, 3.0):
            exact, _ = integrate.quad(lambda t, z=z: t * np.exp(-0.5 * (t - z) ** 2 + 0.5 * min(z, 0.0) ** 2), 0, 40)
            exact = np.log(exact / np.sqrt(2 * np.pi)) - 0.5 * min(z, 0.0) ** 2
            [found] = log_expected_improvement(np.array([1.0 + 0.3 * z]), np.array([0.3]), 1.0)
            assert found == pytest.approx(exact + np.log(0.3), abs=2e-5)
        far = log_expected_improvement(np.array([-2e3, -1e3, -999.0, -1e8]), np.ones(4), 0.0)
        assert np.isfinite(far).all()
        assert far[3] < far[0] < far[1] < far[2]
        assert far[1] == pytest.approx(-0.5e6 - 0.5 * np.log(2 * np.pi) - 2 * np.log(1e3), abs=1e-5)

    def test_noise_does_not_make_an_incumbent(self) -> None:
        # best mean among the incumbents 1.0: EI of N(0.9, 0.5²) beats N(1.05, 0.01²)
        mean = np.array([[1.0, 0.9, 1.05, 3.0]])
        c = np.diag([0.01, 0.25, 0.0001, 4.0])
        pool = Pool(np.eye(4), joint(c, mean=mean), simulated=[0], failed=[3], goal=Goal.parse(["max t0"]))
        assert ExpectedImprovement().select(pool, 3, RNG(0)).tolist() == [1, 2]
        cheap = Pool(np.eye(4), pool.posterior, [0], (), [3], None, np.array([1, 9.0, 1, 1]), goal=pool.goal)
        assert ExpectedImprovement().select(cheap, 1, RNG(0)).tolist() == [2]
        unlikely = Pool(np.eye(4), pool.posterior, [0], (), [3], np.array([1, 0.1, 1, 1]), goal=pool.goal)
        assert ExpectedImprovement().select(unlikely, 1, RNG(0)).tolist() == [2]

    def test_without_a_feasible_incumbent_feasibility_comes_first(self) -> None:
        mean = np.array([[5.0, 9.0, 0.0], [-3.0, -3.0, -1.0]])
        pool = Pool(np.eye(3), joint(np.eye(3), np.eye(3), mean=mean), [0], goal=Goal.parse(["max t0"], ["t1 >= 0"]))
        assert ExpectedImprovement().select(pool, 1, RNG(0)).tolist() == [2]

    def test_a_minimum_is_sought_where_asked(self) -> None:
        mean = np.array([[0.0, -1.0, 1.0]])
        pool = Pool(np.eye(3), joint(0.01 * np.eye(3), mean=mean), [0], goal=Goal.parse(["min t0"]))
        assert ExpectedImprovement().select(pool, 2, RNG(0)).tolist() == [1, 2]


def two_objectives(n: int, seed: int, noise: float = 0.01, **options: object) -> Pool:
    X = RNG(seed).random((n, 2))
    seen = RNG(seed + 50).random((6, 2))
    mean = np.stack([np.sin(4 * X[:, 0]) - X[:, 1], np.cos(3 * X[:, 1] - X[:, 0])])
    c = [0.05 * posterior_of(X, seen, 0.01), 0.08 * posterior_of(X, seen, 0.01, length=0.5)]
    return Pool(X, joint(*c, noise=noise, mean=mean), goal=TWO, **options)  # type: ignore[arg-type]


class TestHypervolume:
    @pytest.mark.parametrize("seed", [0, 2])
    def test_the_score_is_the_mean_over_brute_force_joint_draws(self, seed: int) -> None:
        pool = two_objectives(12, seed)
        p = pool.posterior
        assert p is not None
        known = np.argsort(p.mean.sum(axis=0))[:4].tolist()
        pool = replace(pool, simulated=known)
        rng, n_draws = RNG(1), 2000
        f = np.stack([rng.multivariate_normal(m, c, n_draws) for m, c in zip(p.mean, p.covariance, strict=True)], -1)
        reference = derived_reference(p.mean[:, known].T)

        def total(draw: np.ndarray, rows: list[int]) -> float:
            area, height = 0.0, reference[1]
            for x, y in sorted(draw[rows].tolist(), reverse=True):  # strips from the right
                if x > reference[0] and y > height:
                    area, height = area + (x - reference[0]) * (y - height), y
            return float(area)

        before = np.array([total(draw, known) for draw in f])
        singles = {i: np.mean([total(d, [*known, i]) for d in f] - before) for i in range(12) if i not in known}
        first, second = Hypervolume(n_draws=1024).select(pool, 2, RNG(0)).tolist()
        assert first == max(singles, key=singles.__getitem__)
        pairs = {i: np.mean([total(d, [*known, first, i]) for d in f] - before) for i in singles if i != first}
        assert second == max(pairs, key=pairs.__getitem__)

    def test_the_draws_are_those_of_the_joint_distribution(self) -> None:
        from dynaphase.acquisition.draws import Draws, standard_normals

        pool = two_objectives(5, 3)
        assert pool.posterior is not None
        draws = Draws(Conditioned(pool.posterior), 4096)
        normals = standard_normals(4096, 2, 3, RNG(0))
        draws.fix(np.array([0, 3]), normals[:, :, :2])
        values = np.concatenate([draws.location[:, 0, [0, 3]], draws.at(np.array([4]), normals[:, :, 2])[:, 0]], axis=1)
        rows = [0, 3, 4]
        assert np.cov(values.T) == pytest.approx(pool.posterior.covariance[0][np.ix_(rows, rows)], abs=2e-3)
        assert values.mean(axis=0) == pytest.approx(pool.posterior.mean[0, rows], abs=5e-3)

    def test_a_batch_beats_repeated_singles_where_good_candidates_cluster(self) -> None:
        # many copies of the best place within 1e-3, one second-best elsewhere on the front
        X = np.vstack([[0.2, 0.2] + 1e-3 * RNG(0).random((20, 2)), [[0.8, 0.8], [0.5, 0.5]]])
        c = covariance(X, X, 0.1)
        mean = np.vstack([np.r_[np.full(20, 1.0), 0.0, 0.0], np.r_[np.full(20, 0.5), 0.9, 0.0]])
        goal = Goal.parse(["max t0", "max t1"], reference=[-0.5, -0.5])
        pool = Pool(X, joint(0.02 * c, 0.02 * c, mean=mean), [21], goal=goal)
        chosen = Hypervolume().select(pool, 2, RNG(0)).tolist()
        assert chosen[0] < 20
        assert chosen[1] == 20
        waiting = Pool(X, pool.posterior, [21], pending=[chosen[0]], goal=goal)
        assert Hypervolume().select(waiting, 1, RNG(0)).tolist() == [20]
        drawn = [int(Thompson().select(waiting, 1, RNG(seed))[0]) for seed in range(20)]
        assert drawn.count(20) > 10, "what is under way counts as found in every draw"

    def test_bounds_feasibility_and_cost_count(self) -> None:
        mean = np.array([[0.0, 2.0, 1.5], [0.0, 2.0, 1.5], [1.0, -1.0, 1.0]])
        posterior = joint(*[0.01 * np.eye(3)] * 3, mean=mean)
        goal = Goal.parse(["max t0", "max t1"], reference=[0.0, 0.0])
        X = np.eye(3)

        def first(goal: Goal = goal, **options: object) -> int:
            return int(Hypervolume().select(Pool(X, posterior, [0], goal=goal, **options), 1, RNG(0))[0])  # type: ignore[arg-type]

        assert first() == 1
        assert first(Goal(goal.objectives, (Constraint("t2", False, 0.0),))) == 2
        assert first(Goal(goal.objectives, (Constraint("t0", True, 1.7),))) == 2
        assert first(cost=np.array([1.0, 4.0, 1.0])) == 2
        assert first(feasibility=np.array([1.0, 0.3, 1.0])) == 2

    def test_where_nothing_can_be_gained_the_most_uncertain_likely_one_is_taken(self) -> None:
        mean = np.zeros((3, 4))
        mean[2] = [0, 0, 0, -50.0]
        c = np.diag([0.1, 0.1, 0.3, 0.9])
        goal = Goal.parse(["max t0", "max t1"], ["t2 >= -5"], reference=[99.0, 99.0])
        pool = Pool(np.eye(4), joint(c, c, c, mean=mean), [0], goal=goal)
        assert Hypervolume().select(pool, 3, RNG(0)).tolist() == [2, 1, 3]
        none = Pool(np.eye(4), pool.posterior, [0], feasibility=np.zeros(4), goal=goal)
        assert Hypervolume().select(none, 3, RNG(0)).tolist() == [2, 1, 3]

    def test_three_objectives(self) -> None:
        mean = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
        goal = Goal.parse(["max t0", "max t1", "max t2"], reference=[-0.1, -0.1, -0.1])
        pool = Pool(np.eye(3), joint(*[1e-4 * np.eye(3)] * 3, mean=mean), [0], goal=goal)
        # 0.1·0.1·2 against 1.1³ − 0.1³
        assert Hypervolume().select(pool, 2, RNG(0)).tolist() == [2, 1]

    def test_draws_are_a_power_of_two(self) -> None:
        with pytest.raises(InputError, match="power of two"):
            Hypervolume(n_draws=60)


class TestThompson:
    def test_it_takes_each_candidate_as_often_as_it_is_the_best(self) -> None:
        pool = Pool(np.eye(2), joint(np.diag([1.0, 0.5]), mean=np.array([[0.0, 0.3]])), goal=Goal.parse(["max t0"]))
        counts = sum(int(Thompson().select(pool, 1, RNG(seed))[0] == 1) for seed in range(600))
        assert counts / 600 == pytest.approx(stats.norm.cdf(0.3 / np.sqrt(1.5)), abs=0.05)

    def test_the_shortlist_loses_little(self) -> None:
        pool = two_objectives(300, 5, simulated=[0, 1, 2])
        whole = [Thompson().select(pool, 4, RNG(s)) for s in range(30)]
        short = [Thompson(n_shortlist=60).select(pool, 4, RNG(s)) for s in range(30)]
        assert pool.posterior is not None
        reference = derived_reference(pool.posterior.mean[:, :3].T)
        worth = [np.mean([volume(pool.posterior.mean[:, c].T, reference) for c in chosen]) for chosen in (whole, short)]
        assert worth[1] > 0.95 * worth[0]


@pytest.mark.parametrize("acquisition", [Hypervolume(), Thompson(), ExpectedImprovement()])
def test_a_known_landscape_is_climbed_faster_than_at_random(acquisition: Acquisition) -> None:
    X = RNG(4).random((150, 2))
    truth = np.stack([np.sin(5 * X[:, 0]) + X[:, 1], np.cos(5 * X[:, 1]) - X[:, 0]])
    goal = Goal.parse(["max t0"]) if acquisition.name == "expected-improvement" else TWO
    reference = np.quantile(truth, 0.6, axis=1)

    def reached(acquisition: Acquisition, seed: int) -> float:
        chosen = Random().select(Pool(X), 5, RNG(seed)).tolist()
        for round_number in range(3):
            cross, gram = covariance(X, X[chosen]), covariance(X[chosen], X[chosen]) + 1e-4 * np.eye(len(chosen))
            mean = (cross @ np.linalg.solve(gram, truth[:, chosen].T)).T
            c = posterior_of(X, X[chosen])
            pool = Pool(X, joint(c, c, mean=mean), simulated=chosen, goal=goal)
            chosen += acquisition.select(pool, 3, RNG(seed + 100 * round_number)).tolist()
        return float(truth[0, chosen].max()) if len(goal.objectives) == 1 else volume(truth[:, chosen].T, reference)

    ours = [reached(acquisition, seed) for seed in range(8)]
    chance = [reached(Random(), seed) for seed in range(8)]
    assert np.mean(ours) > np.mean(chance) + np.std(chance) / np.sqrt(8)


@pytest.mark.parametrize("name", ["hypervolume", "expected-improvement", "thompson", "integrated-variance"])
def test_a_constant_posterior_and_a_single_candidate(name: str) -> None:
    goal = Goal.parse(["max t0"]) if name == "expected-improvement" else TWO
    flat = Pool(np.eye(4), joint(np.zeros((4, 4)), np.zeros((4, 4))), [3], goal=goal)
    first = acquisition_from_name(name).select(flat, 3, RNG(0)).tolist()
    assert sorted(first) == [0, 1, 2]
    assert first == acquisition_from_name(name).select(flat, 3, RNG(0)).tolist()
    one = Pool(np.eye(2), joint(np.eye(2), np.eye(2)), [1], goal=goal)
    assert acquisition_from_name(name).select(one, 5, RNG(0)).tolist() == [0]


def test_pools_that_cannot_be_meant_are_refused() -> None:
    X = np.eye(3)
    with pytest.raises(InputError, match="not finite"):
        Pool(X, joint(np.eye(3), mean=np.array([[0.0, np.nan, 0.0]])))
    with pytest.raises(InputError, match="feasibility of candidate 1 must be a probability"):
        Pool(X, feasibility=np.array([0.5, 1.2, 1.0]))
    with pytest.raises(InputError, match="the cost of candidate 2 must be a finite number"):
        Pool(X, cost=np.array([1.0, 1.0, np.nan]))
    with pytest.raises(InputError, match="cost must be above 0; that of candidate 0"):
        Pool(X, cost=np.array([0.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="every weight of the pool is 0"):
        Pool(X, weight=np.zeros(3))
    with pytest.raises(InputError, match="as many values of weight"):
        Pool(X, weight=np.ones(2))
    with pytest.raises(InputError, match="not at the top level itself"):
        Pool(X, top=np.array([1, 2, 2]))


def test_a_pool_is_made_of_what_is_offered_and_what_is_known() -> None:
    offered = np.array([[0.1, 1.0], [0.1, 0.0], [0.2, 1.0], [0.2, 0.0]])
    pool = make_pool(
        offered,
        simulated=np.array([[0.1, 0.0], [0.3, 0.0], [0.3, 0.0]]),
        failed=np.array([[0.2, 1.0]]),
        feasibility=lambda X: X[:, 0] * 2,
        cost=np.array([4.0, 1.0, 4.0, 1.0]),
        level_column=1,
    )
    assert list(pool.simulated) == [4, 5]
    assert list(pool.failed) == [6]
    assert pool.available().tolist() == [True, False, False, True, False, False, False]
    assert pool.top is not None
    assert pool.top.tolist() == [0, 0, 2, 2, 0, -1, 2]
    assert pool.weights.tolist() == [1, 0, 1, 0, 0, 0, 0]
    assert pool.feasibility == pytest.approx([0.2, 0.2, 0.4, 0.4, 0.2, 0.6, 0.4])
