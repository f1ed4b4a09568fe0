"""Space: laws that are not the plane's, the plane as a structure that does not vary along z, the whole chain."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import dynaphase as dp
from dynaphase.electrolyte import conduction
from dynaphase.electrolyte.conduction import homogenize
from dynaphase.electrolyte.eikonal import arrival_times, percolation_thresholds
from dynaphase.electrolyte.furnace import INTERCEPT_PER_CELL_SIZE, FurnaceSchedule, sinter
from dynaphase.electrolyte.grain_growth import GrainGrowth
from dynaphase.electrolyte.grains import fill_labels, map_boundaries
from dynaphase.electrolyte.interphase import Interphase, InterphaseParameters
from dynaphase.electrolyte.sintering import SinteringParameters, make_sintering_model
from dynaphase.materials.conductivity import BOUNDARY_PER_INTERCEPT, film_capacity
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.large_conduction import solve_large_conduction
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev

LAMBDA = 1.3
B, RATE, V0 = 19.46, 5e-5, 1.347
LARGE = (28, 28, 28)
"""More cells than the direct solver takes."""


def box(shape: tuple[int, ...], spacing: float = 1.0) -> Grid:
    return Grid(shape, spacing, (Boundary.PERIODIC,) * len(shape))


def radii(shape: tuple[int, ...]) -> FloatArray:
    """Distance of every cell to the middle of the box (cells)."""
    axes = np.meshgrid(*[np.arange(n) + 0.5 - n / 2 for n in shape], indexing="ij")
    return np.asarray(np.linalg.norm(np.stack(axes), axis=0))


def ball(radius: float, n: int = 44) -> GrainGrowth:
    return GrainGrowth(box((n,) * 3), LAMBDA, (radii((n,) * 3) < radius).astype(np.int64))


# --- furnace ------------------------------------------------------------------------------------------------------


def test_a_ball_shrinks_with_its_mean_curvature() -> None:
    """dR²/dt* = −4: twice the rate of a disc, for a ball has two curvatures.  R from the volume of η."""
    growth = ball(16.0)
    growth.advance(12.0)
    squares = []
    for _ in range(4):
        volume = float(growth.order_parameters()[1].sum(dtype=np.float64))
        radius = (3.0 * volume / (4.0 * math.pi)) ** (1 / 3)
        for _ in range(5):  # ∫η dV of a tanh profile is (4π/3)(R³ + π²λ²R)
            radius = (3.0 * volume / (4.0 * math.pi) - (math.pi * LAMBDA) ** 2 * radius) ** (1 / 3)
        squares.append(radius**2)
        growth.advance(6.0)
    np.testing.assert_allclose(np.diff(squares) / 6.0, -4.0, rtol=0.02)


def test_distance_to_a_ball() -> None:
    growth = ball(14.0, 40)
    growth.advance(4.0)
    largest = growth.two_largest()
    labels = fill_labels(largest, growth.grid)
    found = map_boundaries(largest, labels, np.ones(labels.shape, np.bool_), growth.grid)
    r = radii(labels.shape)
    eta = growth.order_parameters()[1].ravel()
    order = np.argsort(r, axis=None)
    at = float(np.interp(-0.5, -eta[order], r.ravel()[order]))  # η falls with r
    is_near = np.abs(r - at) < 6
    np.testing.assert_allclose(found.distance_nm[is_near], np.abs(r - at)[is_near], atol=0.2)
    assert np.mean(np.abs(found.distance_nm - np.abs(r - at))[is_near]) < 0.05


def test_amount_is_kept_and_the_energy_falls() -> None:
    shape = (18, 16, 16)
    grid = box(shape)
    pore = 0.5 * (1 + np.tanh((radii(shape) - 3.5) / (2 * LAMBDA)))
    x = np.broadcast_to((np.arange(18) + 0.5)[:, None, None], shape)
    left = 0.5 * (np.tanh((x - 5) / (2 * LAMBDA)) - np.tanh((x - 14) / (2 * LAMBDA)))
    model = make_sintering_model(grid, SinteringParameters.from_energies(0.8, 1.0, LAMBDA), 2, surface_mobility=1.0)
    start = np.stack([pore, pore * left, pore * (1 - left)])
    stepper = RungeKuttaChebyshev(rtol=1e-3, atol=1e-4)
    run = simulate(model, start, stepper, 4.0, n_observations=6).require_done()
    mean, energy = run.observations["mean_density"], run.observations["energy"]
    assert np.max(np.abs(mean - mean[0])) < 1e-10
    assert np.all(np.diff(energy) < 0)


def test_boundary_per_volume() -> None:
    """L_A = (π/2)/d and S_V = 2/d give Poisson–Voronoi cells what they have: 2√λ and 2.911 λ^(1/3) (Meijering 1953)."""
    for n_axes, exact in ((2, 2.0), (3, 2.911)):
        assert BOUNDARY_PER_INTERCEPT[n_axes] / INTERCEPT_PER_CELL_SIZE[n_axes] == pytest.approx(exact, rel=2e-3)
        assert film_capacity(20.0, 1.0, n_axes) == pytest.approx(BOUNDARY_PER_INTERCEPT[n_axes] / 20.0)


@pytest.mark.long
def test_particles_pin_in_space() -> None:
    """In cells of 1 nm; boundaries that are much wider than a particle would pass over it."""
    schedule = FurnaceSchedule(reduced_time=250.0)
    free, pinned = (
        [sinter((48,) * 3, 1.0, schedule, secondary=phases, seed=s).history.grain_size_nm[-1] for s in range(2)]
        for phases in ({}, {"AlPO4": 0.15})
    )
    assert np.max(pinned) < 0.95 * np.min(free)


# --- the sharp front ----------------------------------------------------------------------------------------------


def times(threshold: FloatArray, source: npt.NDArray[np.bool_], spacing: float = 0.5) -> FloatArray:
    return arrival_times(threshold, spacing, source, rate_V_per_s=RATE, velocity_nm_per_s=V0, b_per_V=B)


def test_a_front_from_a_point_follows_the_closed_form() -> None:
    """cosh b(φ − η) = 1 + b s r/(2v₀): exact along the links, else late by the detour along links, 4.9 % at most."""
    eta, n, spacing = 0.012, 18, 0.5
    threshold, source = np.full((2 * n + 1, 2 * n + 1, 2 * n + 1), eta), np.zeros((2 * n + 1,) * 3, bool)
    source[n, n, n] = True
    found = arrival_times(
        threshold, spacing, source,
        rate_V_per_s=RATE, velocity_nm_per_s=V0, b_per_V=B, is_periodic=(False,) * 3,
    )  # fmt: skip
    path = (np.cosh(B * (RATE * found - eta)) - 1.0) * 2 * V0 / (B * RATE)  # length, as the front found it
    offset = np.stack(np.indices(found.shape)) - n
    exact = np.linalg.norm(offset, axis=0) * spacing
    for link in ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (2, 1, 1), (2, 2, 1)):
        steps = range(1, n // max(link) + 1)
        reached = np.array([path[tuple(n + k * i for i in link)] for k in steps])
        lengths = np.linalg.norm(link) * spacing * np.array(steps)
        # half of the first link's first piece, and what lies within the source, is free
        inside = lengths[0] - reached[0]
        assert 0 < inside < lengths[0]
        np.testing.assert_allclose(reached, lengths - inside, rtol=1e-9)
    far = exact > 8.0
    ratio = path[far] / (exact[far] - 0.5 * spacing)  # the first half cell lies in the source
    assert ratio.min() > 0.97
    assert ratio.max() < 1.05


def test_a_front_in_space_that_does_not_vary_along_z_is_that_of_the_plane() -> None:
    threshold = np.random.default_rng(0).uniform(0.0, 0.03, (24, 16))
    source = np.zeros((24, 16), bool)
    source[:2] = True
    deep, deep_source = (np.repeat(a[:, :, None], 7, axis=2) for a in (threshold, source))
    for search in (times, percolation_thresholds):
        plane, space = search(threshold, source), search(deep, deep_source)
        np.testing.assert_allclose(space, np.repeat(plane[:, :, None], 7, axis=2), rtol=1e-12)


def test_a_path_round_a_barrier_exists_in_space_only() -> None:
    threshold = np.full((12, 8, 8), 0.01)
    threshold[6] = 0.05
    threshold[6, 4, 4] = 0.012  # a hole in the plane that bars the way
    source = np.zeros(threshold.shape, bool)
    source[0] = True
    assert percolation_thresholds(threshold, source)[-1].min() == pytest.approx(0.012)
    assert percolation_thresholds(threshold[:, :, 3], source[:, :, 3])[-1].min() == pytest.approx(0.05)


# --- the interphase -----------------------------------------------------------------------------------------------


def test_an_interphase_that_does_not_vary_along_z_is_that_of_the_plane() -> None:
    """Step by step the same; the stable step of the plane is longer, so both are given single steps."""
    random = np.random.default_rng(1)
    shape, spacing = (20, 12), 1.5
    density, boundary = random.uniform(0.3, 1.0, shape), random.uniform(0.0, 1.0, shape)
    lithium = np.zeros(shape, bool)
    lithium[:2] = True
    parameters = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)
    plane = Interphase(parameters, density, boundary, spacing, lithium)
    space = Interphase(
        parameters, *(np.repeat(a[:, None, :], 5, axis=1) for a in (density, boundary)), spacing,
        np.repeat(lithium[:, None, :], 5, axis=1),
    )  # fmt: skip
    step = 0.85 * spacing**2 / (6 * parameters.fastest_nm2_per_s)
    for k in range(1, 300):
        plane.advance(k * step)
        space.advance(k * step)
    assert plane.extent.sum() > 5
    np.testing.assert_allclose(space.extent, np.repeat(plane.extent[:, None, :], 5, axis=1), rtol=1e-10, atol=1e-14)
    assert space.influx == pytest.approx(5 * plane.influx, rel=1e-10)


# --- conduction ---------------------------------------------------------------------------------------------------


def conductivity(sigma: FloatArray, **options: object) -> float:
    return homogenize(sigma, 1.0, **options).conductivity_S_per_m  # type: ignore[arg-type]


def test_large_boxes_are_solved_as_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multigrid against sparse factors: the conductivity, its error bar, the potential and the dissipation."""
    sigma = 10.0 ** np.random.default_rng(0).uniform(-2, 0, (12, 10, 11))
    for ends, axis in (("periodic", 0), ("periodic", 2), ("electrodes", 1)):
        found = []
        for most in (10**9, 0):
            monkeypatch.setattr(conduction, "MOST_CELLS_DIRECT", most)
            found.append(homogenize(sigma, 1.0, axis, ends, with_error=True))
        direct, large = found
        assert large.conductivity_S_per_m == pytest.approx(direct.conductivity_S_per_m, rel=1e-10)
        assert large.discretization_error_decades == pytest.approx(direct.discretization_error_decades, rel=1e-8)
        np.testing.assert_allclose(large.potential, direct.potential, atol=1e-6)
        np.testing.assert_allclose(large.dissipation, direct.dissipation, atol=1e-6 * direct.dissipation.max())


def test_layers_are_exact_in_space() -> None:
    """C1: in series the harmonic mean, in parallel the arithmetic one."""
    layers = 10.0 ** np.random.default_rng(2).uniform(-4, 0, LARGE[0])
    for along in range(3):
        sigma = np.broadcast_to(layers.reshape([-1 if k == along else 1 for k in range(3)]), LARGE).copy()
        for ends in ("periodic", "electrodes"):
            series, parallel = (conductivity(sigma, axis=axis, boundary=ends) for axis in (along, (along + 1) % 3))
            assert series == pytest.approx(1 / np.mean(1 / layers), rel=1e-10)
            assert parallel == pytest.approx(np.mean(layers), rel=1e-10)


@pytest.mark.parametrize(("fraction", "contrast"), [(0.2, 1e-2), (0.5, 0.1), (0.7, 1e-3)])
def test_hashin_shtrikman_bounds_in_space(fraction: float, contrast: float) -> None:
    """σ₁ + f₂/[1/(σ₂ − σ₁) + f₁/(3σ₁)] and its mirror image, for isotropic media (doi:10.1063/1.1728579)."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(5).standard_normal(LARGE), 2.0, mode="wrap")
    sigma = np.where(noise < np.quantile(noise, fraction), contrast, 1.0)
    value = np.mean([conductivity(sigma, axis=axis, boundary="periodic") for axis in range(3)])
    low, high = (
        own + other_f / (1 / (other - own) + own_f / (3 * own))
        for own, own_f, other, other_f in (
            (contrast, fraction, 1.0, 1 - fraction),
            (1.0, 1 - fraction, contrast, fraction),
        )
    )
    assert low < value < high


def test_conduction_that_does_not_vary_along_z_is_that_of_the_plane() -> None:
    plane = 10.0 ** np.random.default_rng(3).uniform(-3, 0, (32, 30))
    space = np.repeat(plane[:, :, None], 24, axis=2)
    for axis in (0, 1):
        for ends in ("periodic", "electrodes"):
            options = {"axis": axis, "boundary": ends}
            assert conductivity(space, **options) == pytest.approx(conductivity(plane, **options), rel=1e-9)


def test_a_guess_saves_iterations() -> None:
    sigma = 10.0 ** np.random.default_rng(4).uniform(-1, 0, LARGE)
    first = solve_large_conduction(sigma, ends="periodic")
    again = solve_large_conduction(1.001 * sigma**1.001, ends="periodic", near=first.guess)
    assert again.n_iterations < first.n_iterations
    elsewhere = solve_large_conduction(sigma, axis=1, ends="periodic", near=first.guess)
    assert elsewhere.conductivity == pytest.approx(
        solve_large_conduction(sigma, axis=1, ends="periodic").conductivity, rel=1e-10
    )


# --- the chain ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_evaluation_in_space() -> None:
    record = dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", model="physical", seed=0, settings={"fidelity": "3d"})
    assert record.is_done, record.reason
    assert all(math.isfinite(v) for v in (*record.values.values(), *record.descriptors.values()))
    assert record.fields is not None
    assert record.fields.arrays["decomposed"].shape == (64, 64, 64)
    assert 15 < record.descriptors["grain_size_nm"] < 30
    assert 0.02 < record.descriptors["void_fraction"] < 0.07
    plane = dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", model="physical", seed=0, settings={"fidelity": "eikonal"})
    # lithium has one direction more to find the weakest way; current flows round insulators more easily
    assert record.descriptors["eta_50_mV"] < plane.descriptors["eta_50_mV"]
    assert record.descriptors["interface_width_nm"] == pytest.approx(plane.descriptors["interface_width_nm"], rel=0.15)
