from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core.composition import Composition as PymatgenComposition

from dynaphase.composition import RESOLUTION, Composition, read_amounts
from dynaphase.errors import CompositionError

amounts = st.floats(1e-6, 1e6, allow_nan=False)


@given(st.dictionaries(st.sampled_from(["Li", "Al", "Ge", "P", "O", "Ti"]), amounts, min_size=1))
def test_parts_are_canonical_and_close_to_the_input(given_amounts: dict[str, float]) -> None:
    total = sum(given_amounts.values())
    if min(given_amounts.values()) / total < 1e-11:
        return
    composition = Composition.from_amounts(given_amounts)
    assert sum(count for _, count in composition.parts) == RESOLUTION
    assert composition.elements == tuple(sorted(given_amounts))
    for element, amount in given_amounts.items():
        assert composition[element] == pytest.approx(amount / total, abs=1.01 / RESOLUTION)


@given(st.tuples(*[st.integers(1, 500)] * 3), st.floats(1e-3, 1e3))
def test_scale_and_order_do_not_matter(counts: tuple[int, int, int], scale: float) -> None:
    li, al, ge = counts
    one = Composition.from_amounts({"Li": li, "Al": al, "Ge": ge})
    other = Composition.from_amounts({"Ge": ge * scale, "Li": li * scale, "Al": al * scale})
    # A scaled float may fall on the other side of a lattice boundary by rounding: never by more than one part.
    assert max(abs(a - b) for (_, a), (_, b) in zip(one.parts, other.parts, strict=True)) <= 1


def test_the_same_composition_written_in_many_ways_is_one() -> None:
    ways = [
        "Li1.5Al0.5Ge1.5",
        "Li3AlGe3",
        {"Li": 3 / 7, "Al": 1 / 7, "Ge": 3 / 7},
        PymatgenComposition("Li3AlGe3"),
        Composition.parse("Li3AlGe3"),
    ]
    read = {Composition.parse(way) for way in ways}
    assert len(read) == 1
    (only,) = read
    assert only["Li"] == pytest.approx(3 / 7, abs=1e-12)
    assert only.key == pickle.loads(pickle.dumps(only)).key


def test_formula_amounts() -> None:
    assert read_amounts("Li1.5Al0.5Ge1.5(PO4)3") == {"Li": 1.5, "Al": 0.5, "Ge": 1.5, "P": 3.0, "O": 12.0}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "empty"),
        ("foo", "not a chemical formula"),
        ("Xx2O3", "'Xx' is not the symbol"),
        ("Li1e400", "Li is inf"),
        ("Li-1Ge2", "minus sign"),
        ({"Li": -1.0, "Ge": 1.0}, "Li is -1"),
        ({"Li": float("nan"), "Ge": 1.0}, "Li is nan"),
        ({"Li": "many"}, "not a number"),
        ({"Quux": 1.0}, "'Quux' is not the symbol"),
        ({3: 1.0}, "'3' is not the symbol"),
        ({}, "at least one element"),
        ({"Li": 0.0}, "at least one element"),
        ({"Li": 1e-14, "Ge": 1.0}, "below one part"),
        (42, "cannot read a composition from int"),
    ],
)
def test_what_is_no_composition_is_said(source: object, says: str) -> None:
    with pytest.raises(CompositionError, match=says):
        Composition.parse(source)


def test_parts_must_be_canonical() -> None:
    with pytest.raises(CompositionError):
        Composition((("Li", 1),))
