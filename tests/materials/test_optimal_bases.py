"""Remembered optimal bases give the very answer of the linear programme, whatever was asked before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dynaphase.materials import assemblage, get_system
from dynaphase.materials.lagp_phases import find_assemblage
from dynaphase.materials.table_phases import find_assemblage as find_in_table
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

FOUR_ELEMENTS = "tests/materials/data/four_elements.toml"


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    assemblage._BASES.clear()
    find_assemblage.cache_clear()
    find_in_table.cache_clear()


@pytest.mark.parametrize("name", ["lagp", "latp", FOUR_ELEMENTS])
def test_same_amounts_as_the_linear_programme(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = get_system(name)
    space = CompositionSpace(system, make_sampler("simplex", system))
    compositions = [*space.sample(150, np.random.default_rng(3)), *space.grid(6)]
    remembered = [system.assemblage(composition).amounts for composition in compositions]
    assert any(assemblage._BASES.values()), "no basis was remembered"
    forget()
    monkeypatch.setattr(assemblage, "MOST_BASES", 0)
    assert [system.assemblage(composition).amounts for composition in compositions] == remembered


def test_ties_are_left_to_the_programme() -> None:
    same = {"Li": 1.0, "P": 1.0}
    twins = [assemblage.Phase(name, same, 35.0, 1.0) for name in ("a", "b")]
    other = assemblage.Phase("c", {"Li": 3.0, "P": 1.0}, 46.0, 1.0)
    assemblage.balance_phases([*twins, other], {"Li": 2.0, "P": 1.0})
    assert not any(assemblage._BASES.values())
