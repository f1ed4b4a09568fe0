"""Differences: orders of convergence with every kind of wall, symmetry, conservation, compiled twins."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.phasefield.differences import Differences
from dynaphase.phasefield.grid import Boundary, Grid, Walls, require_fitting
from dynaphase.phasefield.operators import FloatArray, divergence_of_flux, gradient_energy, laplacian, pad

PERIODIC, NO_FLUX, DIRICHLET = Boundary.PERIODIC, Boundary.NO_FLUX, Boundary.DIRICHLET
KINDS = (PERIODIC, NO_FLUX, Boundary.NO_FLUX_DIRICHLET, DIRICHLET, Walls(0.7, None), Walls(-0.3, 1.2))


def laplacian_error(n: int, order: int, boundary: Boundary | Walls, wave: float, phase: float) -> float:
    """Largest error of ∇² of cos(wave·x + phase) cos(2πy) on the unit square, y periodic."""
    grid = Grid((n, n), 1.0 / n, (PERIODIC, PERIODIC))
    x = (np.arange(n) + 0.5)[:, None] / n
    y = (np.arange(n) + 0.5)[None, :] / n
    field = np.cos(wave * x + phase) * np.cos(2 * math.pi * y)
    exact = -(wave**2 + 4 * math.pi**2) * field
    if isinstance(boundary, Walls):  # what the field is there, along the wall
        along = np.cos(2 * math.pi * y[0])
        low = None if boundary.low is None else math.cos(phase) * along
        boundary = Walls(low, math.cos(wave + phase) * along)
    difference = laplacian(field, grid, order=order, boundaries=(boundary, PERIODIC))
    return float(np.max(np.abs(difference - exact)))


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(
    ("boundary", "wave", "phase"),
    [
        (PERIODIC, 2 * math.pi, 0.4),
        (NO_FLUX, math.pi, 0.0),
        (DIRICHLET, math.pi, -0.5 * math.pi),
        (Boundary.NO_FLUX_DIRICHLET, 0.5 * math.pi, 0.0),
    ],
)
def test_order_of_the_laplacian_where_the_walls_are_symmetric(
    order: int, boundary: Boundary, wave: float, phase: float
) -> None:
    coarse, fine = (laplacian_error(n, order, boundary, wave, phase) for n in (32, 64))
    if order == 4 and boundary in {DIRICHLET, Boundary.NO_FLUX_DIRICHLET}:
        # at a wall of fixed value the truncation error is of third order: one order less, in one row of cells only
        assert math.log2(coarse / fine) > 2.85
    else:
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("order", "expected"), [(2, 0.0), (4, 3.0)])
def test_truncation_error_at_a_wall_of_general_value(order: int, expected: float) -> None:
    coarse, fine = (laplacian_error(n, order, Walls(1.0, 1.0), 20.0, 0.3) for n in (256, 512))
    assert math.log2(coarse / fine) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("order", [2, 4])
def test_poisson_between_walls_of_given_value_converges_at_the_full_order(order: int) -> None:
    """The low order of the truncation error in the cells at the wall does not reach the solution."""

    def error(n: int) -> float:
        grid = Grid((n, 4), 1.0 / n, (PERIODIC, PERIODIC))
        boundaries = (Walls(math.cos(0.3), math.cos(2.3)), PERIODIC)
        columns = []
        nothing = laplacian(np.zeros((n, 4)), grid, order=order, boundaries=boundaries)[:, 0]
        for i in range(n):
            unit = np.zeros((n, 4))
            unit[i] = 1.0
            columns.append(laplacian(unit, grid, order=order, boundaries=boundaries)[:, 0] - nothing)
        x = (np.arange(n) + 0.5) / n
        exact = np.cos(2 * x + 0.3)
        solution = np.linalg.solve(np.array(columns).T, -4.0 * exact - nothing)
        return float(np.sqrt(np.mean((solution - exact) ** 2)))

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (DIRICHLET, Walls(0.4, None)), (NO_FLUX,) * 3])
def test_gradient_energy_is_paired_with_the_laplacian(order: int, boundaries: tuple[Boundary | Walls, ...]) -> None:
    grid = Grid((7, 8, 9)[: len(boundaries)], 0.7, (PERIODIC,) * len(boundaries))
    random = np.random.default_rng(0)
    field, direction = random.standard_normal((2, *grid.shape))
    if order == 4 and DIRICHLET in boundaries:
        with pytest.raises(ConfigError, match="no energy"):
            gradient_energy(field, grid, order=4, boundaries=boundaries)
        return

    def energy(step: float) -> float:
        return gradient_energy(field + step * direction, grid, order=order, boundaries=boundaries)

    slope = 0.5 * (energy(1.0) - energy(-1.0))  # a quadratic form: central differences are exact
    rate = laplacian(field, grid, order=order, boundaries=boundaries)
    assert slope == pytest.approx(-float(np.sum(rate * direction)) * grid.spacing_nm**field.ndim, rel=1e-11)


@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, NO_FLUX, PERIODIC)])
def test_fluxes_conserve_and_a_constant_mobility_makes_the_laplacian(boundaries: tuple[Boundary, ...]) -> None:
    grid = Grid((9, 8, 7)[: len(boundaries)], 0.3, boundaries)
    random = np.random.default_rng(1)
    potential, mobility = random.standard_normal(grid.shape), random.uniform(0.1, 2.0, grid.shape)
    rate = divergence_of_flux(potential, mobility, grid)
    assert abs(np.sum(rate)) < 1e-12 * np.sum(np.abs(rate))
    constant = divergence_of_flux(potential, np.full(grid.shape, 1.7), grid)
    np.testing.assert_allclose(constant, 1.7 * laplacian(potential, grid), atol=1e-11)


@pytest.mark.parametrize("shape", [(7, 5), (9, 16), (5, 6, 7)])
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_twins_agree_for_every_pair_of_walls(shape: tuple[int, ...], order: int, dtype: type) -> None:
    random = np.random.default_rng(2)
    field = random.standard_normal(shape).astype(dtype)
    mobility = random.uniform(0.0, 1.0, shape).astype(dtype)
    rate = np.empty_like(field)
    exact_field: FloatArray = field.astype(np.float64)
    for pair in itertools.product(KINDS, repeat=2):
        boundaries = (*pair, PERIODIC)[: len(shape)]
        grid = Grid(shape, 0.5, (PERIODIC,) * len(shape))
        differences = Differences(grid, order, dtype)
        differences.laplacian(field, rate, boundaries)
        expected = laplacian(exact_field, grid, order=order, boundaries=boundaries)
        tolerance = 40 * float(np.finfo(dtype).eps) * float(np.max(np.abs(expected)))
        np.testing.assert_allclose(rate, expected, rtol=0, atol=tolerance)
        differences.divergence_of_flux(field, mobility, rate, boundaries)
        expected = divergence_of_flux(exact_field, mobility.astype(np.float64), grid, boundaries=boundaries)
        np.testing.assert_allclose(rate, expected, rtol=0, atol=tolerance)


def test_values_may_vary_along_a_wall() -> None:
    grid = Grid((6, 5), 1.0, (PERIODIC, PERIODIC))
    wall = np.linspace(-1.0, 2.0, 5)
    padded = pad(np.zeros((6, 5)), 0, Walls(wall, None))
    np.testing.assert_allclose(padded[0], 2 * wall)
    np.testing.assert_allclose(padded[-1], 0.0)
    rate = np.empty((6, 5))
    Differences(grid).laplacian(np.zeros((6, 5)), rate, (Walls(wall, None), PERIODIC))
    np.testing.assert_allclose(rate[0], 2 * wall)


def test_boundaries_are_checked() -> None:
    assert Grid((6, 5), 1.0, ("periodic", "no-flux")).boundaries == (PERIODIC, NO_FLUX)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a boundary is one of periodic"):
        Grid((6, 5), 1.0, ("bogus", "no-flux"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a boundary is one of periodic"):
        laplacian(np.zeros((6, 5)), Grid((6, 5), 1.0, (PERIODIC, PERIODIC)), boundaries=("x", PERIODIC))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="whole numbers"):
        Grid((6.0, 5), 1.0, (PERIODIC, PERIODIC))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="2 boundaries, one per axis, not 1"):
        require_fitting((PERIODIC,), (6, 5))
    with pytest.raises(ConfigError, match="axis 0 have shape"):
        require_fitting((Walls(np.zeros(6), None), PERIODIC), (6, 5))


def test_errors() -> None:
    grid = Grid((6, 5), 1.0, (PERIODIC, PERIODIC))
    with pytest.raises(ConfigError, match="order 2 or 4"):
        laplacian(np.zeros((6, 5)), grid, order=3)
    with pytest.raises(ConfigError, match="order 2 or 4"):
        Differences(grid, order=6)
    with pytest.raises(ConfigError, match="float64 or float32"):
        Differences(grid, dtype=np.int64)
    with pytest.raises(ConfigError, match="two and three"):
        Differences(Grid((6,), 1.0, (PERIODIC,)))
    with pytest.raises(ConfigError, match="C-contiguous"):
        Differences(grid).laplacian(np.zeros((6, 5)), np.zeros((5, 6)).T)
    with pytest.raises(ConfigError, match="shape"):
        Differences(grid).laplacian(np.zeros((5, 6)), np.zeros((6, 5)))
    with pytest.raises(ConfigError, match="finite"):
        Walls(math.nan, None)
