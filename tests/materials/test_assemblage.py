"""Phase assemblage: closed forms, element balance and an independent solution by enumeration."""

from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError
from dynaphase.materials.assemblage import Phase, balance_phases, charge
from dynaphase.materials.lagp import LAGP
from dynaphase.materials.lagp_phases import (
    HOST,
    HOST_ENDS,
    SECONDARY_PHASES,
    SOLUBILITY_LIMIT,
    find_assemblage,
    host_molar_volume,
    host_phase,
    per_two_framework_cations,
)

lagp = LAGP()
PHASES = (host_phase(HOST_ENDS[0], 0.0), host_phase(HOST_ENDS[1], SOLUBILITY_LIMIT), *SECONDARY_PHASES)
BY_NAME = {phase.name: phase for phase in PHASES}
ELEMENTS = ("Li", "Al", "Ge", "P")


def simplex_point(u, v):
    root = np.sqrt(u)
    return {"Li": 1 - root, "Al": root * (1 - v), "Ge": root * v}


unit = st.floats(0, 1, allow_subnormal=False)


@pytest.mark.parametrize("phase", PHASES, ids=lambda p: p.name)
def test_every_phase_is_neutral(phase):
    assert charge(phase.elements) == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(x=st.floats(0, SOLUBILITY_LIMIT))
@example(x=0.0)
@example(x=1.6e-11)
@example(x=SOLUBILITY_LIMIT)
def test_m1_on_the_line_there_is_nothing_but_host(x):
    found = lagp.assemblage(lagp.from_coordinates(x))
    assert found.host_fraction == pytest.approx(1, abs=1e-9)
    assert found.host_coordinate == pytest.approx(x, abs=1e-9)
    assert found.charge_imbalance == pytest.approx(0, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(u=unit, v=unit)
@example(u=1e-12, v=0.5)  # Li 0.999999
@example(u=(1 - 1e-6) ** 2, v=0.3)  # Li 1e-6
@example(u=0.5, v=0.0)  # no Ge
@example(u=0.5, v=1.0)  # no Al
@example(u=0.5, v=1e-7)
@example(u=0.5, v=1 - 1e-10)
def test_m2_elements_balance_and_oxygen_closes(u, v):
    amounts = simplex_point(u, v)
    assume(amounts["Li"] > 1e-9 and amounts["Al"] + amounts["Ge"] > 1e-9)
    assume(all(value == 0 or value > 1e-11 for value in amounts.values()))
    composition = Composition.from_amounts(amounts)
    found = lagp.assemblage(composition)
    lithium, aluminium, germanium = per_two_framework_cations(composition)
    wanted = dict(zip(ELEMENTS, (lithium, aluminium, germanium, 3.0), strict=True))
    wanted["O"] = (lithium + 3 * aluminium + 4 * germanium + 15) / 2
    for element, amount in wanted.items():
        held = sum(n * BY_NAME[p].elements.get(element, 0) for p, n in found.amounts.items())
        assert held == pytest.approx(amount, rel=1e-9, abs=0)
    assert min(found.amounts.values()) > 0
    assert sum(found.volume_fractions.values()) == pytest.approx(1, abs=1e-12)
    assert 0 <= found.host_coordinate <= SOLUBILITY_LIMIT + 1e-9


@lru_cache(maxsize=1)
def bases():
    """All non-singular choices of four phases with their inverse matrices: every vertex of the programme."""
    matrix = np.array([[p.elements.get(e, 0.0) for p in PHASES] for e in ELEMENTS])
    chosen = np.array(list(combinations(range(len(PHASES)), 4)))
    square = matrix[:, chosen].transpose(1, 0, 2)
    regular = np.abs(np.linalg.det(square)) > 1e-9
    return chosen[regular], np.linalg.inv(square[regular])


def by_enumeration(lithium, aluminium, germanium):
    chosen, inverses = bases()
    moles = inverses @ np.array([lithium, aluminium, germanium, 3.0])
    cost = (moles * np.array([p.cost for p in PHASES])[chosen]).sum(axis=1)
    cost[(moles < -1e-11 * max(1.0, lithium)).any(axis=1)] = np.inf
    best = int(cost.argmin())
    return {PHASES[i].name: n for i, n in zip(chosen[best], moles[best], strict=True)}


@settings(max_examples=150, deadline=None)
@given(u=unit, v=unit)
@example(u=1e-10, v=0.5)
@example(u=(1 - 1e-6) ** 2, v=0.3)
@example(u=4 / 9, v=0.5)  # Li : Al : Ge = 1 : 1 : 1
def test_the_programme_agrees_with_enumeration_of_its_vertices(u, v):
    amounts = simplex_point(u, v)
    assume(min(amounts.values()) > 1e-9)
    composition = Composition.from_amounts(amounts)
    found = lagp.assemblage(composition).amounts
    expected = by_enumeration(*per_two_framework_cations(composition))
    scale = max(1.0, per_two_framework_cations(composition)[0])
    for name in BY_NAME:
        assert found.get(name, 0.0) == pytest.approx(expected.get(name, 0.0), abs=1e-8 * scale)


@settings(deadline=None)
@given(alpha=st.floats(0.1, 0.6), deficit=st.floats(0.01, 0.4))
def test_lithium_deficient_side_has_its_closed_form(alpha, deficit):
    lithium = 1 + alpha - deficit
    n_host = (lithium + 1 - alpha) / 2
    x = (alpha - 1 + n_host) / n_host
    assume(0.01 < x < SOLUBILITY_LIMIT - 0.01)
    found = lagp.assemblage(Composition.from_amounts({"Li": lithium, "Al": alpha, "Ge": 2 - alpha}))
    assert found.host_coordinate == pytest.approx(x, abs=1e-8)
    assert found.amounts["AlPO4"] == pytest.approx(1 - n_host, abs=1e-8)
    assert found.amounts["GeP2O7"] == pytest.approx(1 - n_host, abs=1e-8)
    assert set(found.secondary) == {"AlPO4", "GeP2O7"}


@pytest.mark.parametrize(
    ("amounts", "x", "volumes"),
    [  # worked by hand with the molar volumes of the table
        ((1.8, 0.8, 1.2), 0.6, {HOST: 0.841, "AlPO4": 0.107, "Li3PO4": 0.053}),
        ((1.4, 0.5, 1.5), 0.474, {HOST: 0.950, "AlPO4": 0.019, "GeP2O7": 0.031}),
        ((1.6, 0.5, 1.5), 0.503, {HOST: 0.987, "Li3PO4": 0.007, "Li4GeO4": 0.006}),
        ((1.9, 0.5, 1.5), 0.513, {HOST: 0.949, "Li3PO4": 0.027, "Li4GeO4": 0.023}),
        ((1, 1, 1), 0.6, {HOST: 0.496, "AlPO4": 0.264, "GeP2O7": 0.182, "LiPO3": 0.057}),
    ],
)
def test_known_assemblages(amounts, x, volumes):
    found = lagp.assemblage(Composition.from_amounts(dict(zip(("Li", "Al", "Ge"), amounts, strict=True))))
    assert found.host_coordinate == pytest.approx(x, abs=6e-4)
    assert dict(found.volume_fractions) == pytest.approx(volumes, abs=6e-4)


def test_without_host_everything_else_still_works():
    found = lagp.assemblage(Composition.from_amounts({"Li": 1, "Al": 1}))
    assert found.host_fraction == 0
    assert found.host_coordinate == 0
    assert found.secondary_fraction == pytest.approx(1)


def test_volume_fractions_use_the_measured_host_volume():
    assert host_molar_volume(0.25) == pytest.approx(122.05)
    found = find_assemblage(Composition.from_amounts({"Li": 18, "Al": 8, "Ge": 12}))
    n_host = sum(found.amounts[name] for name in HOST_ENDS if name in found.amounts)
    volume = {"AlPO4": 46.6, "Li3PO4": 46.0}
    others = sum(found.amounts[name] * v for name, v in volume.items())
    assert found.host_fraction == pytest.approx(n_host * 122.43333 / (n_host * 122.43333 + others), abs=1e-6)


def test_a_higher_solubility_limit_dissolves_more():
    composition = lagp.from_coordinates(0.8)
    assert find_assemblage(composition, 0.8).host_fraction == pytest.approx(1, abs=1e-9)
    assert find_assemblage(composition, 0.7).host_fraction > find_assemblage(composition, 0.6).host_fraction


def test_elements_without_a_phase_are_refused():
    with pytest.raises(CompositionError, match="phase table"):
        balance_phases((Phase("GeO2", {"Ge": 1, "O": 2}, 24.4, 1.0),), {"Ge": 1.0, "Li": 1.0})


def test_uncommon_phases_are_a_last_resort():
    """Li2O reacts with phosphate, so it may appear only where no phosphate is left to take lithium."""
    rng = np.random.default_rng(5)
    points = [Composition.from_amounts(simplex_point(*rng.random(2))) for _ in range(150)]
    with_oxide = [c for c in points if "Li2O" in lagp.assemblage(c).amounts]
    assert all(per_two_framework_cations(c)[0] > 9 for c in with_oxide)
    assert len(with_oxide) < 0.2 * len(points)
