"""The composition space of systems with more (or fewer) than three elements: maps, uniformity, sections, messages."""

from __future__ import annotations

from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.samplers import MAX_LATTICE, Simplex, make_sampler
from dynaphase.space import CompositionSpace

NAMES = ("Li", "Al", "Ge", "Ti", "Zr", "Sc", "Ta", "La", "Y", "Nb")
FOUR = get_system(Path(__file__).parent / "materials" / "data" / "four_elements.toml")
LAGP = get_system("lagp")


class Elements:
    """As much of a material system as the simplex needs."""

    def __init__(self, n: int) -> None:
        self.name, self.elements = f"{n} elements", NAMES[:n]


def simplex(n: int) -> CompositionSpace:
    system: MaterialSystem = Elements(n)  # type: ignore[assignment]
    return CompositionSpace(system, make_sampler("simplex", system))


@settings(deadline=None, max_examples=80)
@given(data=st.data(), n=st.integers(3, 10))
def test_the_map_has_an_exact_inverse(data: st.DataObject, n: int) -> None:
    space = simplex(n)
    # what is left to divide shrinks with every stick: near 0 the lattice of 1e-12 leaves few digits
    point = np.array([data.draw(st.floats(0.05, 1.0)) for _ in range(space.dimension)])
    composition = space.from_unit([point])[0]
    assert space.contains(composition)
    assert min(composition[element] for element in NAMES[:n]) >= 0.02 - 1e-12
    assert space.to_unit([composition])[0] == pytest.approx(point, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), n=st.integers(3, 8))
def test_compositions_come_back_and_those_outside_are_told(data: st.DataObject, n: int) -> None:
    space = simplex(n)
    amounts = {e: data.draw(st.integers(0, 100)) for e in NAMES[:n]}
    if sum(amounts.values()) < 10:
        return
    composition = Composition.from_amounts(amounts)
    is_inside = all(50 * amounts[e] >= sum(amounts.values()) for e in NAMES[:n])
    assert space.contains(composition) == is_inside
    if is_inside:
        back = space.from_unit(space.to_unit([composition]))[0]
        assert all(back[e] == pytest.approx(composition[e], abs=1e-9) for e in NAMES[:n])


@pytest.mark.parametrize("n", [4, 6, 10])
def test_samples_are_uniform_on_the_simplex(n: int) -> None:
    """Moments of the flat Dirichlet distribution: mean 1/n, variance (n − 1)/n²(n + 1), covariance −1/n²(n + 1)."""
    samples = simplex(n).sample(3000, np.random.default_rng(5))
    shares = (np.array([[c[e] for e in NAMES[:n]] for c in samples]) - 0.02) / (1 - 0.02 * n)
    assert shares.min() >= -1e-12
    unit = 1 / (n**2 * (n + 1))
    expected = np.full((n, n), -unit) + n * unit * np.eye(n)
    deviation = np.sqrt(expected[0, 0] / 3000)
    assert shares.mean(axis=0) == pytest.approx([1 / n] * n, abs=4.5 * deviation)
    assert np.cov(shares.T) == pytest.approx(expected, abs=0.12 * expected[0, 0])
    # P(share > t) = (1 − t)^(n−1) for every element, the last one included
    assert (shares > 0.5 / n).mean(axis=0) == pytest.approx([(1 - 0.5 / n) ** (n - 1)] * n, abs=0.04)


def test_three_elements_are_mapped_as_ever() -> None:
    """Old campaigns keep their candidates: shares 1 − √s, √s (1 − t), √s t."""
    space = CompositionSpace(LAGP, make_sampler("simplex"))
    for s, t in np.random.default_rng(0).random((200, 2)):
        root = np.sqrt(s)
        inner = np.array([1 - root, root * (1 - t), root * t])
        shares = dict(zip(LAGP.elements, map(float, 0.02 + 0.94 * inner), strict=True))
        found, expected = space.from_unit([[s, t]])[0], Composition.from_amounts(shares)
        assert all(found[e] == pytest.approx(expected[e], abs=2e-12) for e in LAGP.elements)


@pytest.mark.parametrize(("n", "per_axis", "size"), [(4, 5, comb(7, 3)), (4, 61, None), (10, 51, comb(16, 9))])
def test_grids_are_lattices_of_a_sensible_size(n: int, per_axis: int, size: int | None) -> None:
    space = simplex(n)
    grid = space.grid(per_axis)
    assert len(set(grid)) == len(grid) <= MAX_LATTICE
    assert size is None or len(grid) == size
    assert all(space.contains(composition) for composition in grid[:: max(1, len(grid) // 50)])
    corners = [Composition.from_amounts({e: 100 - 2 * n + 2 if e == c else 2 for e in NAMES[:n]}) for c in NAMES[:n]]
    assert set(corners) <= set(grid)


def test_edges_and_faces_belong_to_the_simplex() -> None:
    space = simplex(5)
    for zeros in combinations(range(4), 2):
        point = np.full(4, 0.4)
        point[list(zeros)] = 0.0
        assert space.contains(space.from_unit([point])[0])


class TestFourElements:
    def test_x_and_delta_span_a_section(self) -> None:
        space = CompositionSpace(FOUR, make_sampler("neighbourhood", FOUR))
        for composition in space.sample(30, np.random.default_rng(1)):
            point = space.to_unit([composition])[0]
            assert space.contains(composition)
            there = space.from_unit([point])[0]
            assert all(there[e] == pytest.approx(composition[e], abs=1e-9) for e in FOUR.elements)

    def test_off_the_section_the_message_names_the_simplex(self) -> None:
        reference = FOUR.reference.fractions
        other = dict(reference)
        a, b = FOUR.elements[-2:]
        other[a], other[b] = reference[a] + 0.3 * reference[b], 0.7 * reference[b]
        moved = Composition.from_amounts(other)
        for name in ("neighbourhood", "line"):
            space = CompositionSpace(FOUR, make_sampler(name, FOUR))
            assert not space.contains(moved)
            with pytest.raises(CompositionError, match="'simplex'"):
                space.to_unit([moved])
        assert CompositionSpace(FOUR, make_sampler("simplex", FOUR)).contains(moved)


def test_a_region_takes_as_much_as_the_system_has() -> None:
    assert make_sampler("neighbourhood", LAGP) == make_sampler("neighbourhood")
    assert make_sampler("line", LAGP) == make_sampler("line")

    class Narrow:
        name, elements = "narrow", ("Li", "Al", "Ge")

        def __init__(self, largest_x: float, lithium: float) -> None:
            self.largest_x, self.lithium = largest_x, lithium

        def from_coordinates(self, x: float, delta: float = 0.0) -> Composition:
            if x > self.largest_x or self.lithium + delta <= 0:
                raise CompositionError("beyond")
            return Composition.from_amounts({"Li": self.lithium + delta, "Al": x, "Ge": 2 - x})

    sampler = make_sampler("neighbourhood", Narrow(0.5, 0.3))  # type: ignore[arg-type]
    assert (sampler.x, sampler.delta) == ((0.0, 0.5), (-0.1, 0.1))  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="use 'simplex'"):
        make_sampler("line", Narrow(0.01, 1.0))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="use 'line' or 'simplex'"):
        make_sampler("neighbourhood", Narrow(0.9, 0.01))  # type: ignore[arg-type]


def test_a_simplex_knows_how_many_elements_it_is_for() -> None:
    with pytest.raises(ConfigError, match="2 to 10 elements"):
        Simplex(n_elements=11)
    with pytest.raises(ConfigError, match="1 to 24 percent"):
        Simplex(percent_least=25, n_elements=4)
    with pytest.raises(ConfigError, match=r"make_sampler\('simplex', system\)"):
        CompositionSpace(FOUR, Simplex()).sample(1, np.random.default_rng(0))
