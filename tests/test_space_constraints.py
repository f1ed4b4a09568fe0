"""Regions that rejection cannot sample: bounds, linear constraints, at most so many elements, prices."""

from __future__ import annotations

import math
import pickle
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from dynaphase.composition import Composition
from dynaphase.config import make_config
from dynaphase.constraints import parse_constraint
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.identity import check_identity
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.mixtures import accepted_supports
from dynaphase.polytope import Polytope, break_stick
from dynaphase.samplers import MAX_LATTICE, Simplex, make_sampler
from dynaphase.space import CompositionSpace
from tests.conftest import tiny

NAMES = ("Li", "Al", "Ge", "Ti", "Zr", "Sc", "Ta", "La", "Y", "Nb")
LAGP = get_system("lagp")
SIX = Path(__file__).parent / "materials" / "data" / "six_elements.toml"


class Elements:
    """As much of a material system as mixtures need: the first element and one more must be there."""

    def __init__(self, n: int) -> None:
        self.name, self.elements = f"{n} elements", NAMES[:n]

    def read(self, composition: Composition) -> None:
        if not composition["Li"] or len(composition.elements) < 2:
            raise CompositionError("no lithium, or nothing beside it")


def mixtures(n: int, **rules: object) -> CompositionSpace:
    system: MaterialSystem = Elements(n)  # type: ignore[assignment]
    return CompositionSpace.make(system, "simplex", **rules)  # type: ignore[arg-type]


def fractions(compositions: list[Composition], n: int) -> np.ndarray:
    return np.array([[composition[element] for element in NAMES[:n]] for composition in compositions])


def hypersimplex(n: int, k: int) -> Polytope:
    """{x : 0 ≤ x_i ≤ 1, Σ x = k}"""
    polytope = Polytope.from_rows(
        np.vstack([-np.eye(n), np.eye(n)]), np.append(np.zeros(n), np.ones(n)), np.ones((1, n)), np.array([float(k)])
    )
    assert polytope is not None
    return polytope


class TestPolytope:
    @pytest.mark.parametrize(("n", "k", "eulerian"), [(4, 2, 4), (5, 2, 11), (6, 3, 66), (7, 3, 302)])
    def test_volumes_of_hypersimplices_are_eulerian_numbers(self, n: int, k: int, eulerian: int) -> None:
        polytope = hypersimplex(n, k)
        assert len(polytope.corners) == math.comb(n, k)
        assert polytope.volume * math.factorial(n - 1) / math.sqrt(n) == pytest.approx(eulerian, rel=1e-10)

    @pytest.mark.parametrize("seed", range(4))
    def test_volumes_agree_with_qhull(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        d = 2 + seed
        A = np.vstack([rng.normal(size=(3 * d, d)), -np.eye(d), np.eye(d)])
        polytope = Polytope.from_rows(A, rng.uniform(0.3, 1, len(A)), np.empty((0, d)), np.empty(0))
        assert polytope is not None
        assert polytope.volume == pytest.approx(ConvexHull(polytope.corners).volume, rel=1e-9)

    def test_the_map_from_the_cube_is_uniform(self) -> None:
        """Against rejection: shares of an octahedron (a hypersimplex) in half-spaces, and its second moments."""
        polytope, rng = hypersimplex(4, 2), np.random.default_rng(0)
        found = polytope.from_cube(rng.random((20_000, 3)))
        tried = 2 * break_stick(rng.random((60_000, 3)))
        rejected = tried[tried.max(axis=1) <= 1]
        for directions in rng.normal(size=(12, 4)):
            a, b = found @ directions, rejected @ directions
            assert a.mean() == pytest.approx(b.mean(), abs=0.02)
            assert a.std() == pytest.approx(b.std(), rel=0.03)
            assert (a > 2 * directions.mean()).mean() == pytest.approx((b > 2 * directions.mean()).mean(), abs=0.02)

    def test_flat_and_empty_sets(self) -> None:
        A, no = np.vstack([-np.eye(3), np.eye(3)]), np.empty((0, 3))
        flat = Polytope.from_rows(A, np.array([0, 0, -0.5, 1, 1, 0.5]), no, np.empty(0))
        assert flat is not None
        assert (flat.dimension, len(flat.corners)) == (2, 4)
        assert flat.volume == pytest.approx(1.0)
        point = Polytope.from_rows(A, np.zeros(6), no, np.empty(0))
        assert point is not None
        assert (point.dimension, point.volume) == (0, 1.0)
        assert Polytope.from_rows(A, np.array([0, 0, -0.5, 1, 1, 0.4]), no, np.empty(0)) is None

    def test_corners_of_the_cube_reach_corners_of_the_polytope(self) -> None:
        polytope = hypersimplex(4, 2)
        ends = np.nextafter(np.cumsum([p.volume for p in polytope._root.parts]), 0) / polytope.volume
        cube = [[first, u, v] for first in (0.0, 1.0, *ends) for u in (0.0, 1.0) for v in (0.0, 1.0)]
        reached = {tuple(np.round(x, 6)) for x in polytope.from_cube(np.array(cube))}
        assert len(reached & {tuple(np.round(x, 6)) for x in polytope.corners}) >= 4


class TestConstraints:
    @pytest.mark.parametrize(
        ("text", "coefficients", "bound"),
        [
            ("Al + Ge <= 0.5", {"Al": 1, "Ge": 1}, 0.5),
            ("Li >= 2*Al", {"Al": 1, "Li": -0.5}, 0),
            ("0.3*Li - Al ≥ 0", {"Li": -0.3, "Al": 1}, 0),
            ("2*(Al + Ge)/3 < 1e-1 + Li - Li", {"Al": 1, "Ge": 1}, 0.15),
            ("1 - Al >= Ge + Al", {"Al": 1, "Ge": 0.5}, 0.5),
        ],
    )
    def test_what_is_written_is_read(self, text: str, coefficients: dict[str, float], bound: float) -> None:
        (row,) = parse_constraint(text, NAMES)
        assert row.row(NAMES) == pytest.approx([coefficients.get(element, 0.0) for element in NAMES])
        assert row.bound == pytest.approx(bound)
        assert not row.is_equation

    def test_equations_and_chains(self) -> None:
        (equal,) = parse_constraint("Al = Ge", NAMES)
        assert equal.is_equation
        low, high = parse_constraint("0.1 <= Al <= 0.3", NAMES)
        assert (low.bound, high.bound) == (-0.1, 0.3)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("Lii < 1", "Did you mean 'Li'"),
            ("al <= 0.2", "Did you mean 'Al'"),
            ("2 Ge < 1", r"'2\*Ge'"),
            ("Li/Al >= 2", "multiply it out"),
            ("Al*Ge < 1", "not linear"),
            ("Al - Al < 1", "no element is left"),
            ("Al + Ge", "compares nothing"),
            ("Al <= 50%", "not percent"),
            ("Al <=", "cannot be read"),
            ("Al != 1", "shuts nothing out"),
            ("Al <= 1/0", "divides by zero"),
            ("Al <= 1e999", "finite"),
            ("__import__('os') < 1", "only sums of elements"),
        ],
    )
    def test_what_is_wrong_is_quoted_and_explained(self, text: str, says: str) -> None:
        with pytest.raises(ConfigError, match=says) as caught:
            parse_constraint(text, NAMES)
        assert f"'{text}'" in str(caught.value)


RULES = {
    "four of ten": (10, {"max_elements": 4, "constraints": ["Li >= 2*Al", "Ge + Ti <= 0.3"]}),
    "an equation": (5, {"constraints": ["Al = Ge", "Li >= 0.3"]}),
    "bounds": (4, {"bounds": {"Li": [0.2, 0.5], "Al": [0, 0.3]}}),
    "thin": (6, {"constraints": ["0.333 <= Li <= 0.3331", "Al + Ge = 0.4"]}),
}


@pytest.mark.parametrize(("n", "rules"), RULES.values(), ids=RULES)
def test_designs_lie_inside_repeat_extend_and_hold_no_copies(n: int, rules: dict[str, object]) -> None:
    space = mixtures(n, **rules)
    design = space.sobol(64, seed=3)
    assert design == mixtures(n, **rules).sobol(64, seed=3)
    assert design[:20] == space.sobol(20, seed=3) != space.sobol(20, seed=4)
    sample = space.sample(100, np.random.default_rng(1))
    assert sample == space.sample(100, np.random.default_rng(1))
    assert len(set(design)) == 64
    assert len(set(sample)) == 100
    grid, vertices = space.grid(11), space.vertices()
    assert len(set(grid)) == len(grid) <= MAX_LATTICE
    assert set(vertices) <= set(grid)
    assert all(map(space.contains, [*design, *sample, *grid[:: max(1, len(grid) // 200)], *vertices]))
    rows = [row for text in rules.get("constraints", ()) for row in parse_constraint(text, NAMES)]  # type: ignore[attr-defined]
    for row in rows:
        excess = fractions([*design, *sample], n) @ row.row(NAMES[:n]) - row.bound
        assert excess.max() <= 1e-9
        assert not row.is_equation or excess.min() >= -1e-9
    X = space.to_unit(design)
    assert X.shape == (64, space.dimension) == (64, n)
    assert X.min() >= -1e-9
    assert X.max() <= 1 + 1e-9
    back = space.from_unit(X.clip(0, 1))
    assert fractions(back, n) == pytest.approx(fractions(design, n), abs=1e-8)
    assert pickle.loads(pickle.dumps(space.sampler)) == space.sampler


def test_without_constraints_mixtures_are_the_plain_simplex() -> None:
    """Moments of the flat Dirichlet distribution."""
    n = 5
    space = mixtures(n, constraints=["Li <= 1"])
    shares = (fractions(space.sample(3000, np.random.default_rng(2)), n) - 0.02) / (1 - 0.02 * n)
    unit = 1 / (n**2 * (n + 1))
    assert shares.mean(axis=0) == pytest.approx([1 / n] * n, abs=0.015)
    assert np.cov(shares.T) == pytest.approx(-unit + n * unit * np.eye(n), abs=0.1 * (n - 1) * unit)


def test_a_cut_simplex_is_sampled_as_by_rejection() -> None:
    n = 4
    space = mixtures(n, constraints=["Al + Ge <= 0.5", "Li >= Al"], bounds={"Ti": [0.02, 0.3]})
    found = fractions(space.sample(3000, np.random.default_rng(3)), n)
    tried = 0.02 + (1 - 0.02 * n) * np.random.default_rng(4).dirichlet(np.ones(n), 60_000)
    is_in = (tried[:, 1] + tried[:, 2] <= 0.5) & (tried[:, 0] >= tried[:, 1]) & (tried[:, 3] <= 0.3)
    rejected = tried[is_in]
    assert found.mean(axis=0) == pytest.approx(rejected.mean(axis=0), abs=0.01)
    assert np.cov(found.T) == pytest.approx(np.cov(rejected.T), abs=0.0015)


def test_an_even_design_is_closer_to_the_mean_than_chance() -> None:
    space = mixtures(4, constraints=["Al + Ge <= 0.5", "Li >= Al"])
    exact = fractions(space.sobol(4096, seed=0), 4).mean(axis=0)
    even = [np.abs(fractions(space.sobol(128, seed=s), 4).mean(axis=0) - exact).max() for s in range(5)]
    chance = [
        np.abs(fractions(space.sample(128, np.random.default_rng(s)), 4).mean(axis=0) - exact).max() for s in range(5)
    ]
    assert np.mean(even) < 0.4 * np.mean(chance)


class TestAtMostSoMany:
    def test_absent_is_zero_and_present_keeps_its_bound(self) -> None:
        X = fractions(mixtures(6, max_elements=3).sample(500, np.random.default_rng(0)), 6)
        assert set((X > 0).sum(axis=1)) == {2, 3}
        assert X[X > 0].min() >= 0.02 - 1e-12
        assert np.all(X[:, 0] > 0)  # the mobile ion

    def test_supports_count_as_their_lattices_do(self) -> None:
        """Of 5 % steps: one quaternary with C(19, 3) compositions, three ternaries with C(19, 2), three binaries."""
        space = mixtures(4, max_elements=4)
        n_present = np.array([len(c.elements) for c in space.sample(4000, np.random.default_rng(0))])
        counts = np.array([3 * 19, 3 * 171, 969])
        assert [(n_present == m).mean() for m in (2, 3, 4)] == pytest.approx(counts / counts.sum(), abs=0.06)

    def test_within_a_support_mixtures_are_uniform(self) -> None:
        X = fractions(mixtures(4, max_elements=4).sample(4000, np.random.default_rng(1)), 4)
        inner = (X[(X > 0).all(axis=1)] - 0.02) / 0.92
        assert inner.var(axis=0) == pytest.approx([3 / 80] * 4, abs=0.004)

    def test_supports_are_those_of_which_the_system_makes_something(self) -> None:
        supports = accepted_supports(get_system(SIX))
        assert len(supports) == 31
        assert all(0 in support and len(support) > 1 for support in supports)

    def test_too_few_and_too_many(self) -> None:
        with pytest.raises(ConfigError, match="needs at least 2 elements"):
            mixtures(4, max_elements=1)
        with pytest.raises(ConfigError, match="4 elements has 4 elements that vary"):
            mixtures(4, max_elements=5)
        with pytest.raises(ConfigError, match="for the sampler 'simplex'"):
            CompositionSpace.make(LAGP, "neighbourhood", max_elements=2)


class TestContradictions:
    def test_the_rules_in_conflict_are_named_and_no_others(self) -> None:
        with pytest.raises(ConfigError) as caught:
            mixtures(4, constraints=["Al >= 0.5", "Ge <= 0.3", "Li >= 0.6"])
        assert "'Al >= 0.5' and 'Li >= 0.6' cannot hold" in str(caught.value)
        assert "Ge <= 0.3" not in str(caught.value)

    def test_the_number_of_elements_can_be_one_of_them(self) -> None:
        with pytest.raises(ConfigError, match=r"max_elements = 3") as caught:
            mixtures(4, constraints=["Al >= 0.1", "Ge >= 0.1", "Ti >= 0.1", "Li <= 0.6"], max_elements=3)
        assert "Li <= 0.6" not in str(caught.value)

    def test_bounds_that_do_not_reach_the_whole(self) -> None:
        with pytest.raises(ConfigError, match=r"Li within 0 … 0.4' and 'Al within 0 … 0.4"):
            mixtures(3, bounds={"Li": [0, 0.4], "Al": [0, 0.4], "Ge": [0, 0.1]})

    @pytest.mark.parametrize("bounds", [{"Al": [0.3]}, {"Al": [0.4, 0.2]}, {"Al": [-0.1, 0.2]}, {"Al": [0, 1.5]}])
    def test_bounds_are_two_fractions(self, bounds: dict[str, list[float]]) -> None:
        with pytest.raises(ConfigError, match="least and the largest fraction"):
            mixtures(3, bounds=bounds)

    def test_a_foreign_element(self) -> None:
        with pytest.raises(ConfigError, match=r"'Gee'.*Did you mean 'Ge'"):
            mixtures(3, bounds={"Gee": [0, 0.2]})

    def test_coordinates_of_no_composition_have_no_inverse(self) -> None:
        with pytest.raises(ConfigError, match="sum to"):
            mixtures(3, bounds={"Li": [0.1, 0.5]}).from_unit([[0.9, 0.9, 0.9]])

    def test_a_region_of_one_composition_says_so(self) -> None:
        space = mixtures(3, constraints=["Li = 0.4", "Al = Ge"])
        assert space.sample(1, np.random.default_rng(0)) == space.vertices()
        with pytest.raises(ConfigError, match="only 1 different"):
            space.sobol(5, seed=0)


class TestSections:
    def test_a_cut_neighbourhood_is_uniform_in_x_and_delta(self) -> None:
        rules = ["Al <= 0.15", "Li >= 0.35"]
        cut = CompositionSpace.make(LAGP, "neighbourhood", constraints=rules)
        plain = CompositionSpace(LAGP, make_sampler("neighbourhood"))
        wanted = [c for c in plain.sample(8000, np.random.default_rng(0)) if c["Al"] <= 0.15 and c["Li"] >= 0.35]
        found = cut.sample(2000, np.random.default_rng(1))
        assert all(c["Al"] <= 0.15 + 1e-9 and c["Li"] >= 0.35 - 1e-9 for c in found)
        A, B = cut.to_unit(found), plain.to_unit(wanted)
        assert A.mean(axis=0) == pytest.approx(B.mean(axis=0), abs=0.02)
        assert np.cov(A.T) == pytest.approx(np.cov(B.T), abs=0.006)
        assert cut.dimension == 2
        assert all(map(cut.contains, [*cut.grid(21), *cut.vertices(), *cut.sobol(16, seed=0)]))
        outside = [c for c in plain.grid(15) if not (c["Al"] <= 0.15 and c["Li"] >= 0.35)]
        assert outside
        assert not any(map(cut.contains, outside))

    def test_an_equation_leaves_a_segment(self) -> None:
        cut = CompositionSpace.make(LAGP, "neighbourhood", constraints=["Li = 2*Al"])
        assert all(abs(c["Li"] - 2 * c["Al"]) < 1e-9 for c in [*cut.sobol(32, seed=0), *cut.grid(9)])

    def test_a_cut_line(self) -> None:
        cut = CompositionSpace.make(LAGP, "line", constraints=["Al <= 0.1"])
        # Al : all = x : (3 + x)
        assert max(LAGP.coordinates(c)[0] for c in cut.vertices()) == pytest.approx(1 / 3)

    def test_nothing_left_names_the_constraint(self) -> None:
        with pytest.raises(ConfigError, match=r"'Li >= 0\.9' cannot hold there"):
            CompositionSpace.make(LAGP, "neighbourhood", constraints=["Al <= 0.2", "Li >= 0.9"])


class TestPrices:
    PRICES = {"Li": 100.0, "Al": 2.0, "Ge": 1500.0}  # noqa: RUF012

    def test_a_kilogram_costs_its_parts_by_weight(self) -> None:
        space = CompositionSpace.make(LAGP, "simplex", element_prices=self.PRICES)
        one, two = Composition.parse("LiGe"), Composition.parse("LiAl")
        grams = {"Li": 6.94, "Al": 26.982, "Ge": 72.63}
        wanted = [
            (100 * grams["Li"] + 1500 * grams["Ge"]) / (grams["Li"] + grams["Ge"]),
            (100 * grams["Li"] + 2 * grams["Al"]) / (grams["Li"] + grams["Al"]),
        ]
        assert space.cost([one, two]) == pytest.approx(wanted, rel=1e-3)
        assert isinstance(space.sampler, Simplex)  # prices alone cut nothing

    def test_a_largest_price_is_kept_and_reached(self) -> None:
        space = CompositionSpace.make(LAGP, "simplex", element_prices=self.PRICES, max_price=600.0)
        costs = space.cost([*space.sample(300, np.random.default_rng(0)), *space.grid(31)])
        assert costs.max() == pytest.approx(600.0, rel=1e-6)
        dear = CompositionSpace(LAGP, make_sampler("simplex")).sample(200, np.random.default_rng(1))
        assert [space.contains(c) for c in dear] == [cost <= 600 for cost in space.cost(dear)]

    def test_prices_that_are_missing(self) -> None:
        with pytest.raises(ConfigError, match="missing: Ge; not among them: Ga"):
            CompositionSpace.make(LAGP, "simplex", element_prices={"Li": 1.0, "Al": 1.0, "Ga": 1.0})
        with pytest.raises(ConfigError, match="needs element_prices"):
            CompositionSpace.make(LAGP, "simplex", max_price=5.0)
        with pytest.raises(ConfigError, match="no element prices"):
            CompositionSpace(LAGP, make_sampler("simplex")).cost([])


class TestConfiguration:
    SPACE = {  # noqa: RUF012
        "sampler": "simplex",
        "bounds": {"Li": [0.2, 0.5]},
        "constraints": ["Al + Ge <= 0.5", "Al = Ge"],
        "max_elements": 3,
        "element_prices": {"Li": 100.0, "Al": 2.0, "Ge": 1500.0},
        "max_price": 900.0,
    }

    def test_it_is_written_and_read_back(self) -> None:
        config = tiny(space=self.SPACE)
        assert make_config(tomllib.loads(config.to_toml())) == config
        assert config.space.model_dump() == self.SPACE

    def test_each_option_is_part_of_the_identity(self) -> None:
        for name in ("bounds", "constraints", "max_elements", "element_prices", "max_price"):
            other = self.SPACE | {name: tiny().space.model_dump()[name]}
            assert tiny(space=self.SPACE).identity != tiny(space=other).identity

    def test_an_identity_from_before_these_options_still_opens(self) -> None:
        now = tiny(space={"sampler": "simplex"}).identity
        kept = now | {"space": {"sampler": "simplex"}}
        check_identity(kept, now, Path("campaign.toml"), "lagp")

    @pytest.mark.parametrize(
        ("space", "says"),
        [
            ({"max_elements": -1}, "space.max_elements"),
            ({"element_prices": {"Li": -1.0}}, "space.element_prices.Li"),
            ({"constraint": ["Al <= 1"]}, "Did you mean 'constraints'"),
            ({"constraints": "Al <= 1"}, "space.constraints"),
        ],
    )
    def test_what_is_malformed_is_named(self, space: dict[str, object], says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            tiny(space=space)
