"""The potential of lithium ions: charge balance, the uniform limit, sharing of the current, both kinds of cathode."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.electrolyte.penetration import FrontParameters, lithium_slab
from dynaphase.electrolyte.potential import IonicPotential, contact_mask
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

SHAPE, DX = (64, 40), 100 / 128
FRONT = FrontParameters(10.0)
SLAB = lithium_slab(SHAPE, DX, 10.0, 1.0)


def conductivity(lithium: FloatArray, electrolyte: FloatArray | float = 0.03) -> FloatArray:
    h = lithium**2 * (3 - 2 * lithium)
    return np.asarray(h * 1e-3 + (1 - h) * electrolyte)


def solver(lithium_nm: float = 10.0) -> IonicPotential:
    return IonicPotential(FRONT, contact_mask(SHAPE, DX, lithium_nm, 1.0), DX)


@pytest.mark.parametrize("current", [0.5, 5.0, 50.0])
def test_what_goes_in_is_taken_up(current: float) -> None:
    random = np.random.default_rng(0)
    electrolyte = 0.03 * 10.0 ** random.uniform(-6, 0, SHAPE)
    found = solver().solve(SLAB, 0.02, 0.0, conductivity(SLAB, electrolyte), current_A_per_m2=current)
    assert found.applied == current
    assert found.taken_up == pytest.approx(current, rel=1e-6)
    assert 0 <= found.confined <= current


def test_the_potential_is_uniform_at_the_scale_of_the_box() -> None:
    """Wagner number 770: the equation and one number for φ agree to a per cent."""
    potential = solver()
    found = potential.solve(SLAB, 0.033, 0.0, conductivity(SLAB, 1.0), current_A_per_m2=10.0)
    surface = SLAB * (1 - SLAB) / 1.0 * potential.contact
    area = float(surface.sum()) * DX / SHAPE[1]
    uniform = math.asinh(10.0 / (2 * 10.0 * area)) / FRONT.b_per_V
    electrolyte = found.potential[SLAB < 0.01]
    assert np.max(np.abs(electrolyte / uniform - 1)) < 0.01
    # the contact takes up the current of a sharp surface, but for the tail beyond 3 λ
    assert area == pytest.approx(1.0, abs=0.08)


def test_current_and_potential_are_two_views_of_one_state() -> None:
    sigma = conductivity(SLAB, 3e-4)
    given = solver().solve(SLAB, 0.02, 0.0, sigma, current_A_per_m2=8.0)
    wall = float(np.mean(given.potential[-1])) + 8.0 * 0.5 * DX * 1e-9 / 3e-4
    found = solver().solve(SLAB, 0.02, 0.0, sigma, cathode_V=wall)
    assert found.applied == pytest.approx(8.0, rel=1e-4)
    assert found.taken_up == pytest.approx(found.applied, rel=1e-5)
    np.testing.assert_allclose(found.potential, given.potential, atol=1e-6)


def test_nothing_is_confined_below_the_threshold() -> None:
    found = solver().solve(SLAB, 0.05, 0.0, conductivity(SLAB), current_A_per_m2=10.0)
    assert found.confined == 0.0
    assert found.cathode_V < 0.05


def test_a_filament_shares_the_current_and_lowers_the_potential() -> None:
    filament = SLAB.copy()
    width = np.abs(np.arange(SHAPE[1]) - 20) * DX
    filament[:40] = np.maximum(filament[:40], 0.5 * (1 - np.tanh((width - 3.0) / 2.0))[None, :])
    barrier = np.broadcast_to(np.where(width < 8.0, 0.005, 0.05), SHAPE)
    alone = solver().solve(SLAB, 0.05, 0.0, conductivity(SLAB), current_A_per_m2=10.0)
    shared = solver().solve(filament, barrier, 0.0, conductivity(filament), current_A_per_m2=10.0)
    assert alone.confined == 0.0
    assert shared.confined > 5.0
    assert shared.cathode_V < alone.cathode_V - 1e-3


def test_a_sequence_starts_from_the_last_potential() -> None:
    potential, sigma = solver(), conductivity(SLAB)
    first = potential.solve(SLAB, 0.02, 0.0, sigma, current_A_per_m2=10.0)
    again = potential.solve(SLAB, 0.02, 0.0, sigma, current_A_per_m2=10.0)
    assert first.n_steps > 0
    assert again.n_steps == 0


def test_errors() -> None:
    for options in ({}, {"current_A_per_m2": 1.0, "cathode_V": 0.1}):
        with pytest.raises(ConfigError, match="either a current or a potential"):
            solver().solve(SLAB, 0.02, 0.0, conductivity(SLAB), **options)
