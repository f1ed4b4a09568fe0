"""The composition space: regions, coordinates, designs."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials import get_system
from dynaphase.samplers import SAMPLERS, Neighbourhood, Sampler, Simplex, make_sampler
from dynaphase.space import CompositionSpace

LAGP = get_system("lagp")
SPACES = {name: CompositionSpace(LAGP, make_sampler(name)) for name in SAMPLERS}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
unit = st.floats(0, 1)


@every_space
def test_a_space_is_described_by_its_parts(space):
    assert isinstance(space.sampler, Sampler)
    assert space.dimension == {"line": 1}.get(space.sampler.name, 2)
    assert pickle.loads(pickle.dumps(space)) == space


@every_space
def test_samples_lie_inside_and_repeat_with_the_seed(space):
    first = space.sample(50, np.random.default_rng(3))
    assert first == space.sample(50, np.random.default_rng(3))
    assert first != space.sample(50, np.random.default_rng(4))
    assert len(set(first)) == 50
    assert all(space.contains(c) for c in first)
    assert all(c["Li"] > 0 for c in first)
    assert np.all((space.to_unit(first) >= 0) & (space.to_unit(first) <= 1))


@every_space
def test_sobol_points_repeat_extend_and_are_even(space):
    points = space.sobol(12, seed=7)
    assert points == space.sobol(12, seed=7)
    assert points != space.sobol(12, seed=8)
    assert space.sobol(64, seed=7)[:12] == points
    assert len(set(points)) == 12
    assert space.sobol(0, seed=7) == []
    # 16 points put exactly one into each sixteenth of every axis
    cells = np.sort((space.to_unit(space.sobol(16, seed=1)) * 16 - 1e-9).astype(int), axis=0)
    assert np.array_equal(cells, np.tile(np.arange(16)[:, None], space.dimension))


@every_space
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_unit_coordinates_are_exact_inverses(space, data):
    point = np.array([data.draw(unit) for _ in range(space.dimension)])
    if space.sampler.name == "simplex":
        point[0] = max(point[0], 1e-4)  # at the corner s = 0 every t is the same composition
    back = space.to_unit(space.from_unit([point]))[0]
    # the corner stretches: an error of 1e-12 in a share is 1e-12/√s in t
    tolerance = 1e-9 if space.sampler.name == "simplex" else 1e-10
    assert back == pytest.approx(point, abs=tolerance)


@every_space
def test_grids_reach_the_edges(space):
    grid = space.grid(5)
    assert len(grid) == len(set(grid)) == {"line": 5, "neighbourhood": 25, "simplex": 15}[space.sampler.name]
    assert all(space.contains(c) for c in grid)
    unit_grid = space.to_unit(grid)
    assert unit_grid.min(axis=0) == pytest.approx(np.zeros(space.dimension), abs=1e-9)
    assert unit_grid.max(axis=0) == pytest.approx(np.ones(space.dimension), abs=1e-9)


def test_the_simplex_lattice_is_exact():
    lattice = SPACES["simplex"].grid(48)
    assert len(lattice) == 48 * 49 // 2
    assert Composition.from_amounts({"Li": 2, "Al": 2, "Ge": 96}) in lattice
    assert Composition.from_amounts({"Li": 50, "Al": 48, "Ge": 2}) in lattice
    for composition in lattice[::37]:
        steps = [50 * composition[e] for e in LAGP.elements]
        assert steps == pytest.approx(np.round(steps), abs=1e-9)


@pytest.mark.parametrize("s", [0.0, 1e-18, 1e-14, 1e-8])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_edges_belong_to_the_simplex_up_to_its_corner(s, t):
    assert SPACES["simplex"].contains(SPACES["simplex"].from_unit([[s, t]])[0])


def test_simplex_samples_are_uniform():
    """Moments of the flat Dirichlet distribution: mean 1/3, variance 1/18, covariance −1/36."""
    samples = SPACES["simplex"].sample(3000, np.random.default_rng(11))
    shares = (np.array([[c[e] for e in LAGP.elements] for c in samples]) - 0.02) / 0.94
    assert shares.min() >= 0
    assert shares.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=4 * np.sqrt(1 / 18 / 3000))
    expected = np.full((3, 3), -1 / 36) + np.eye(3) * (1 / 18 + 1 / 36)
    assert np.cov(shares.T) == pytest.approx(expected, abs=0.004)
    # each corner triangle with share > 1/2 holds a quarter of the area
    assert (shares > 0.5).mean(axis=0) == pytest.approx([0.25] * 3, abs=0.03)


def test_the_neighbourhood_is_a_rectangle_in_host_coordinates():
    points = np.array([LAGP.coordinates(c) for c in SPACES["neighbourhood"].sample(2000, np.random.default_rng(0))])
    assert points.mean(axis=0) == pytest.approx([0.45, 0.0], abs=0.025)
    assert points.std(axis=0) == pytest.approx([0.9 / np.sqrt(12), 0.8 / np.sqrt(12)], rel=0.05)
    corner = SPACES["neighbourhood"].from_unit([[1, 0]])[0]
    assert LAGP.coordinates(corner) == pytest.approx((0.9, -0.4))


def test_the_line_is_stoichiometric():
    deltas = [LAGP.coordinates(c)[1] for c in SPACES["line"].sample(20, np.random.default_rng(0))]
    assert deltas == pytest.approx([0] * 20, abs=1e-9)


def test_outside_the_region_a_coordinate_is_outside_the_cube():
    rng = np.random.default_rng(2)
    for name in ("neighbourhood", "simplex"):
        space = SPACES[name]
        for x, delta in rng.uniform([0, -0.9], [1.95, 3], (100, 2)):
            composition = LAGP.from_coordinates(x, delta)
            if name == "neighbourhood":
                inside = x <= 0.9 and abs(delta) <= 0.4
            else:
                inside = min(composition[e] for e in LAGP.elements) >= 0.02
            unit_point = space.to_unit([composition])[0]
            assert bool(np.all((unit_point >= 0) & (unit_point <= 1))) == inside
            assert space.contains(composition) == inside
    assert SPACES["line"].to_unit([LAGP.from_coordinates(1.8)])[0, 0] == pytest.approx(2.0)


@pytest.mark.parametrize("missing", ["Al", "Ge"])
def test_a_missing_element_is_outside_the_simplex(missing):
    amounts = {"Li": 1.0, "Al": 1.0, "Ge": 1.0}
    del amounts[missing]
    assert not SPACES["simplex"].contains(Composition.from_amounts(amounts))


def test_a_composition_beside_the_line_has_no_place_on_it():
    beside = LAGP.from_coordinates(0.5, 0.2)
    assert not SPACES["line"].contains(beside)
    with pytest.raises(CompositionError, match="neighbourhood"):
        SPACES["line"].to_unit([beside])


def test_foreign_elements_are_outside_every_space():
    assert not any(space.contains(Composition.parse("Li7La3Zr2O12")) for space in SPACES.values())


def test_what_is_asked_wrongly_is_refused():
    space = SPACES["neighbourhood"]
    with pytest.raises(ConfigError, match=r"\(n, 2\)"):
        space.from_unit([[0.5]])
    with pytest.raises(ConfigError, match="unit cube"):
        space.from_unit([[0.5, 1.2]])
    with pytest.raises(ConfigError, match="unit cube"):
        space.from_unit([[0.5, np.nan]])
    with pytest.raises(ConfigError, match="2 or more"):
        space.grid(1)
    with pytest.raises(ConfigError, match="0 or more"):
        space.sample(-1, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="percent"):
        Simplex(percent_least=0)
    with pytest.raises(ConfigError, match="Did you mean 'neighbourhood'"):
        make_sampler("neighborhood")


def test_a_region_can_be_narrowed():
    space = CompositionSpace(LAGP, Neighbourhood(x=(0.4, 0.6), delta=(-0.1, 0.1)))
    assert all(0.4 <= LAGP.coordinates(c)[0] <= 0.6 for c in space.sample(20, np.random.default_rng(0)))


def test_no_points_have_no_coordinates():
    assert SPACES["simplex"].to_unit([]).shape == (0, 2)
