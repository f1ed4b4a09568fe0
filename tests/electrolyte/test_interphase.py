"""The interphase: Stefan's law, Deal–Grove crossover, lithium balance, twin, boundaries, three dimensions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.electrolyte.interphase import Interphase, InterphaseParameters, stefan_constant
from dynaphase.errors import ConfigError

DEFAULT = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)


def slab(parameters: InterphaseParameters, spacing: float, length: float = 60.0) -> Interphase:
    """A dense grain without boundaries, lithium in the first row."""
    shape = (round(length / spacing), 4)
    lithium = np.zeros(shape, bool)
    lithium[0] = True
    return Interphase(parameters, np.ones(shape), np.zeros(shape), spacing, lithium)


def thickness(model: Interphase) -> float:
    return float(model.extent[:, 0].sum() * model.spacing_nm)


def test_constant_of_the_one_phase_stefan_problem() -> None:
    """Λ solves √π Λ exp(Λ²) erf Λ = 1/ν; for ν → ∞ it is 1/√(2ν)."""
    assert stefan_constant(2.0) == pytest.approx(0.4648, abs=1e-4)
    assert stefan_constant(10.0) == pytest.approx(0.2200, abs=1e-4)
    assert stefan_constant(1e6) == pytest.approx(1 / math.sqrt(2e6), rel=1e-5)


def test_fast_reaction_follows_stefan() -> None:
    fast = InterphaseParameters(1.5, 0.03, 0.75, 5.0, 5.0)
    exact = 2 * stefan_constant(5.0) * math.sqrt(1.5 * 1000)
    misses = []
    for spacing, tolerance in ((0.78, 0.05), (0.39, 0.03)):
        model = slab(fast, spacing)
        model.advance(1000.0)
        misses.append(abs(thickness(model) / exact - 1))
        assert misses[-1] < tolerance
    assert misses[1] < misses[0]


def test_slow_reaction_starts_in_proportion_to_time() -> None:
    """Deal and Grove: the exponent of growth falls from 1 towards ½."""
    model = slab(InterphaseParameters(1.5, 0.5, 0.0, 0.002, 5.0), 0.78, 150.0)
    grown = []
    for time in (20.0, 40.0, 8000.0, 16000.0):
        model.advance(time)
        grown.append(thickness(model))
    early, late = math.log2(grown[1] / grown[0]), math.log2(grown[3] / grown[2])
    assert early > 0.9
    assert 0.5 < late < 0.65


def microstructure(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    lithium = np.zeros(shape, bool)
    lithium[:2] = True
    lithium[2, ..., 1] = True
    return random.uniform(0.2, 1.0, shape), random.uniform(0.0, 1.0, shape), lithium


@pytest.mark.parametrize("shape", [(30, 9), (20, 7, 6)])
def test_lithium_balance_and_bounds(shape: tuple[int, ...]) -> None:
    density, boundary, lithium = microstructure(shape)
    model = Interphase(InterphaseParameters(1.5, 0.03, 0.75, 5.0, 10.0), density, boundary, 0.78, lithium)
    model.advance(40.0)
    held = float(np.sum(model.activity[~lithium])) + 10.0 * float(np.sum(model.extent))
    assert model.influx > 5.0
    assert held == pytest.approx(model.influx, rel=1e-8)
    for field in (model.activity, model.extent):
        assert field.min() >= -1e-15
        assert field.max() <= 1.0


@pytest.mark.parametrize("shape", [(12, 9), (10, 7, 6)])
def test_compiled_step_is_the_reference_step(shape: tuple[int, ...]) -> None:
    density, boundary, lithium = microstructure(shape)
    model = Interphase(InterphaseParameters(1.5, 0.03, 0.75, 0.3, 5.0), density, boundary, 0.78, lithium)
    model.advance(8.0)
    dt = 0.9 * 0.78**2 / (2 * len(shape) * 1.5) * 0.999
    u, chi = model.reference_step(dt)
    model.advance(8.0 + dt)
    ahead = model.activity > 1e-7  # the compiled loop leaves planes alone that hold less than 1e-9
    assert ahead[4].any()
    np.testing.assert_allclose(model.activity[ahead], u[ahead], rtol=1e-6, atol=1e-12)
    chi[lithium] = 0.0
    np.testing.assert_allclose(model.extent[ahead], chi[ahead], rtol=1e-6, atol=1e-12)


def test_boundaries_are_attacked_first() -> None:
    shape = (80, 30)
    boundary, lithium = np.zeros(shape), np.zeros(shape, bool)
    boundary[:, 14:16] = 1.0
    lithium[0] = True
    model = Interphase(DEFAULT, np.ones(shape), boundary, 0.78, lithium)
    model.advance(300.0)
    extent = model.extent
    assert extent[:, 14].sum() > 1.1 * extent[:, 0].sum()
    np.testing.assert_allclose(extent, extent[:, ::-1], atol=1e-12)


def test_a_filament_is_a_moving_source() -> None:
    shape = (60, 21)
    lithium = np.zeros(shape, bool)
    lithium[0] = True
    model = Interphase(DEFAULT, np.ones(shape), np.zeros(shape), 0.78, lithium)
    model.advance(100.0)
    lithium[:30, 10] = True
    model.set_lithium(lithium)
    model.advance(300.0)
    assert model.extent[25, 11] > 0.3
    assert model.extent[25, 10] == 0.0
    assert model.extent[50, 10] < 1e-3


def test_two_runs_are_one() -> None:
    one, two = slab(DEFAULT, 0.78), slab(DEFAULT, 0.78)
    one.advance(100.0)
    for time in (30.0, 61.0, 100.0):
        two.advance(time)
    np.testing.assert_allclose(one.extent, two.extent, atol=2e-3)
    assert two.time_s == 100.0


def test_errors() -> None:
    with pytest.raises(ConfigError, match="uptake"):
        InterphaseParameters(1.5, 0.03, 0.75, 0.02, 0.0)
    with pytest.raises(ConfigError, match="rate_per_s"):
        InterphaseParameters(1.5, 0.03, 0.75, math.nan, 5.0)
    with pytest.raises(ConfigError, match="two or three dimensions"):
        Interphase(DEFAULT, np.ones(5), np.ones(5), 1.0, np.ones(5, bool))
    with pytest.raises(ConfigError, match="lithium has the shape"):
        Interphase(DEFAULT, np.ones((5, 5)), np.ones((5, 5)), 1.0, np.ones((4, 5), bool))
