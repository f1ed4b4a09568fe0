"""Reading, writing and coordinates of LAGP compositions."""

import math
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials import SYSTEMS, get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.lagp import LAGP

lagp = LAGP()
REFERENCE = Composition.from_amounts({"Li": 3, "Al": 1, "Ge": 3})


def test_it_is_a_material_system_that_travels():
    system = get_system("lagp")
    assert isinstance(system, MaterialSystem)
    assert pickle.loads(pickle.dumps(system)) == system
    assert system.reference == REFERENCE
    assert "lagp" in SYSTEMS


@pytest.mark.parametrize(
    ("name", "hint"), [("nasicon", "lagp"), ("laggp", "Did you mean 'lagp'"), ("my.toml", "no file my.toml")]
)
def test_other_systems_are_refused_with_the_ones_there_are(name, hint):
    with pytest.raises(ConfigError, match=hint):
        get_system(name)


@pytest.mark.parametrize(
    "source",
    [
        "Li1.5Al0.5Ge1.5(PO4)3",
        "Li3AlGe3P6O24",
        "Li1.5Al0.5Ge1.5",
        {"Li": 3, "Al": 1, "Ge": 3},
        {"Li": 1.5, "Al": 0.5, "Ge": 1.5},
        REFERENCE,
    ],
)
def test_only_the_ratio_of_lithium_aluminium_and_germanium_counts(source):
    reading = lagp.read(source)
    assert reading.composition == REFERENCE
    assert reading.notes == ()


def test_pymatgen_objects_are_read():
    from pymatgen.core import Composition as PymatgenComposition

    assert lagp.read(PymatgenComposition("Li1.5Al0.5Ge1.5P3O12")).composition == REFERENCE


@given(
    parts=st.tuples(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40)), scale=st.sampled_from([10, 16, 100])
)
def test_equal_ratios_are_equal_compositions(parts, scale):
    whole = dict(zip(("Li", "Al", "Ge"), parts, strict=True))
    decimal = {element: n / scale for element, n in whole.items()}
    assert lagp.read(whole).composition == lagp.read(decimal).composition


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Al0.5Ge1.5P3O12", "no Li"),
        ("Li3PO4", "no Al or Ge"),
        ("Li1.3Al0.3Ti1.7(PO4)3", "Ti"),
        ({"Li": 1, "Ge": 2, "P": 3}, "leave them out of a mapping"),
        ({"Li": 1, "Ge": 2, "O": 0}, "leave them out of a mapping"),
        ("Li1.5Al0.5Ge1.5P2O12", "3 : 2"),
        ("Li1.5Al0.5Ge1.5P3.04O12", "3 : 2"),
        ({"Li": -1, "Ge": 2}, "not negative"),
        ({"Li": math.nan, "Ge": 2}, "finite"),
        ({"Li": math.inf, "Ge": 2}, "finite"),
        ({"Li": 0, "Ge": 2}, "no Li"),
        ({"Li": 1, "Ge": 1e-15}, "below one part"),
        ({"Li": 1e300, "Ge": 1e-300}, "below one part"),
        ("", "empty"),
        ({}, "no Li"),
    ],
)
def test_what_is_no_lagp_is_refused(source, message):
    with pytest.raises(CompositionError, match=message):
        lagp.read(source)


def test_huge_amounts_are_only_ratios():
    assert lagp.read({"Li": 3e307, "Al": 1e307, "Ge": 3e307}).composition == REFERENCE


@pytest.mark.parametrize(
    ("formula", "note"),
    [
        ("Li1.5Al0.5Ge1.5P3O11", "O11 per formula unit; charge balance sets it to O12"),
        ("Li1.7Al0.5Ge1.5P3O12", "O12.1"),
        ("Li1.5Al0.5Ge1.5P3", "no oxygen is given"),
        ("Li1.5Al0.5Ge1.5P3.02O12", "taken as 3 : 2"),
        ("Li1.5Al0.5Ge1.5O7", "charge balance"),
    ],
)
def test_what_is_corrected_is_noted(formula, note):
    reading = lagp.read(formula)
    assert len(reading.notes) == 1
    assert note in reading.notes[0]


@pytest.mark.parametrize(
    "formula",
    [
        "Li1.5Al0.5Ge1.5(PO4)3",
        "LiGe2(PO4)3",
        "Li1.3333Al0.3333Ge1.6667(PO4)3",
        "Li1.7Al0.5Ge1.5P3O12.1",
        "Li0.6Al0.2Ge1.8P3O11.7",
        "Li3Al2(PO4)3",
    ],
)
def test_formulas_survive_the_round_trip_without_a_note(formula):
    reading = lagp.read(formula)
    assert lagp.formula(reading.composition) == formula
    assert reading.notes == ()


def test_extreme_compositions_have_a_formula_that_names_all_elements():
    assert lagp.formula(Composition.from_amounts({"Li": 1, "Ge": 499_999, "Al": 499_999})).startswith("Li0.000002Al")
    assert lagp.formula(Composition.from_amounts({"Li": 999_999, "Ge": 1})) == "Li1999998Ge2P3O1000010.5"


@given(lithium=st.floats(1e-6, 1e3), share=st.floats(0, 1))
def test_formulas_are_neutral_and_read_back(lithium, share):
    assume(share == 0 or share > 1e-6)
    assume(share == 1 or share < 1 - 1e-6)
    composition = Composition.from_amounts({"Li": lithium, "Al": 2 * share, "Ge": 2 - 2 * share})
    reading = lagp.read(lagp.formula(composition))
    assert reading.notes == ()
    for element in ("Li", "Al", "Ge"):
        assert reading.composition[element] == pytest.approx(composition[element], rel=0.06, abs=1e-4)


@given(x=st.floats(0, 2), delta=st.floats(-2, 5))
def test_coordinates_are_exact_inverses(x, delta):
    assume(1 + x + delta > 1e-3)
    assume(x == 0 or x > 1e-9)
    assume(x == 2 or x < 2 - 1e-9)
    assert lagp.coordinates(lagp.from_coordinates(x, delta)) == pytest.approx((x, delta), abs=1e-9)


@pytest.mark.parametrize(("x", "delta"), [(-0.1, 0), (2.1, 0), (0.5, -1.5), (0.5, math.nan), (math.nan, 0)])
def test_impossible_coordinates_are_refused(x, delta):
    with pytest.raises(CompositionError):
        lagp.from_coordinates(x, delta)


def test_a_full_composition_has_to_be_read_first():
    with pytest.raises(CompositionError, match="read"):
        lagp.coordinates(Composition.parse("Li1.5Al0.5Ge1.5(PO4)3"))
