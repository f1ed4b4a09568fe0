"""Coupled fields: contract, twins, agreement with the special models and the spectral one, orders, walls."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.pfhub.ostwald import OrientedParticles, ostwald
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid, Walls
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.models.coupled import CoupledFields
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.testing import check_model

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
WELL = Polynomial.double_well(5.0, 0.3, 0.7)


class OneField:
    """A polynomial density of one field, as a `BulkEnergy`."""

    def density(self, fields: FloatArray) -> FloatArray:
        return WELL(fields[0])

    def derivative(self, fields: FloatArray) -> FloatArray:
        return WELL.derivative()(fields)

    def curvature(self, fields: FloatArray) -> float:
        bend = WELL.derivative().derivative()
        return max(abs(b) for b in bend.extremes(float(np.min(fields)), float(np.max(fields))))


def particles(grid: Grid, order: int = 2) -> CoupledFields:
    return CoupledFields(
        grid,
        ("c", "eta_1", "eta_2", "eta_3", "eta_4"),
        OrientedParticles(),
        kappa=(3.0, 3.0, 3.0, 2.0, 3.0),
        mobility=(lambda u: 0.1 + u[0] ** 2 * u[1] ** 2, 5.0, lambda u: 1.0 + u[2] ** 2, 5.0, 5.0),
        is_conserved=(True, False, False, False, True),
        order=order,
    )


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, NO_FLUX), (PERIODIC, NO_FLUX, PERIODIC)])
def test_keeps_its_contract(order: int, boundaries: tuple[Boundary, ...]) -> None:
    grid = Grid((8, 9, 7)[: len(boundaries)], 0.7, boundaries)
    state = np.random.default_rng(0).uniform(0.0, 1.0, (5, *grid.shape))
    model = particles(grid, order)
    check_model(model, state, conserved=("c", "eta_4"))
    rate = np.empty_like(state)
    model.rhs(state, rate)
    np.testing.assert_allclose(rate, model.reference_rhs(state), rtol=0, atol=1e-12 * np.max(np.abs(rate)))
    single, half = np.empty(state.shape, np.float32), state.astype(np.float32)
    model.rhs(half, single)  # type: ignore[arg-type]
    np.testing.assert_allclose(single, rate, rtol=0, atol=2e-5 * np.max(np.abs(rate)))


@pytest.mark.parametrize("mobility", [1.3, Polynomial((0.2, 1.0))])
def test_one_field_is_the_cahn_hilliard_model(mobility: float | Polynomial) -> None:
    grid = Grid((12, 9), 0.8, (NO_FLUX, PERIODIC))
    special = CahnHilliard(grid, CahnHilliardParameters(WELL, 2.0, mobility))
    given = mobility if isinstance(mobility, float) else lambda u: mobility(u[0])
    general = CoupledFields(grid, ("c",), OneField(), (2.0,), (given,), (True,))
    state = np.random.default_rng(1).uniform(0.2, 0.8, grid.shape)
    rates = np.empty((2, *grid.shape))
    special.rhs(state, rates[0])
    general.rhs(state, rates[1])
    np.testing.assert_allclose(rates[1], rates[0], atol=1e-12 * np.max(np.abs(rates)))
    assert general.energy(state) == pytest.approx(special.energy(state), rel=1e-13)
    assert general.spectral_radius(state) == pytest.approx(special.spectral_radius(state), rel=0.6)


def test_converges_to_the_spectral_model() -> None:
    """The rate of Ostwald ripening from a smooth state: order 2 and 4 against the exponential accuracy of cosines."""

    def worst(n: int, order: int) -> float:
        exact, _ = ostwald(n, NO_FLUX)
        x = (np.arange(n) + 0.5) / n
        wave = np.cos(2 * math.pi * x)[:, None] * np.cos(3 * math.pi * x)[None, :]
        state = np.stack([0.5 + 0.1 * wave, *(0.4 + 0.1 * i * wave for i in range(1, 5))])
        model = CoupledFields(
            replace(exact.grid), exact.fields, exact.bulk, exact.kappa, exact.mobility, exact.is_conserved, order
        )
        rates = np.empty((2, *state.shape))
        exact.rhs(state, rates[0])
        model.rhs(state, rates[1])
        return float(np.max(np.abs(rates[1] - rates[0])))

    for order in (2, 4):
        assert math.log2(worst(48, order) / worst(96, order)) == pytest.approx(order, abs=0.1)


def test_amount_is_kept_and_energy_falls_on_a_run() -> None:
    grid = Grid((24, 24), 2.0, (NO_FLUX, PERIODIC))
    random = np.random.default_rng(3)
    start = np.stack([0.5 + 0.05 * random.standard_normal(grid.shape), *random.uniform(0, 0.3, (4, *grid.shape))])
    run = simulate(particles(grid), start, RungeKuttaChebyshev(1e-4, 1e-6), 3.0, n_observations=20).require_done()
    energy = run.observations["energy"]
    assert np.all(np.diff(energy) <= 1e-12 * energy[0])
    assert energy[-1] < 0.7 * energy[0]
    for name in ("mean_c", "mean_eta_4"):
        mean = run.observations[name]
        assert np.max(np.abs(mean / mean[0] - 1)) < 1e-12


def test_a_field_with_walls_of_its_own() -> None:
    """η between the values 0 and 1 relaxes to the wall profile ½(1 + tanh) squeezed between them: linear for f = 0."""

    class Nothing:
        def density(self, fields: FloatArray) -> FloatArray:
            return np.zeros(fields.shape[1:])

        def derivative(self, fields: FloatArray) -> FloatArray:
            return np.zeros_like(fields)

        def curvature(self, fields: FloatArray) -> float:
            return 0.0

    for order in (2, 4):
        grid = Grid((16, 4), 0.5, (NO_FLUX, PERIODIC))
        walls = {"eta": (Walls(0.0, 1.0), PERIODIC)}
        model = CoupledFields(grid, ("eta",), Nothing(), (1.0,), (1.0,), (False,), order, walls)
        state = np.random.default_rng(4).uniform(0, 1, grid.shape)
        if order == 2:
            check_model(model, state)
        observables = None if order == 2 else {}  # order 4 at a wall of fixed value has no energy
        run = simulate(model, state, RungeKuttaChebyshev(1e-8, 1e-9), 100.0, observables=observables)
        end = run.require_done().state
        np.testing.assert_allclose(end, np.repeat(((np.arange(16) + 0.5) / 16)[:, None], 4, axis=1), atol=1e-6)


def test_errors() -> None:
    grid = Grid((8, 8), 1.0, (NO_FLUX, PERIODIC))
    with pytest.raises(ConfigError, match="entries for the fields"):
        CoupledFields(grid, ("c",), OneField(), (2.0, 1.0), (1.0,), (True,))
    with pytest.raises(ConfigError, match="mobility finite and positive"):
        CoupledFields(grid, ("c",), OneField(), (2.0,), (0.0,), (True,))
    with pytest.raises(ConfigError, match="leak"):
        CoupledFields(Grid.box(8), ("c",), OneField(), (2.0,), (1.0,), (True,))
    with pytest.raises(ConfigError, match=r"\['d'\]"):
        CoupledFields(grid, ("c",), OneField(), (2.0,), (1.0,), (True,), boundaries={"d": (PERIODIC, PERIODIC)})
