"""Grain growth in windows: twins, geometry, laws of curvature, and that no two grains merge."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from dynaphase.electrolyte import grain_growth
from dynaphase.electrolyte.grain_growth import GrainGrowth, growth_rate
from dynaphase.electrolyte.grains import linear_intercept
from dynaphase.electrolyte.sintering import SinteringParameters, make_sintering_model
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray

LAMBDA = 1.3
Labels = npt.NDArray[np.int64]


def box(shape: tuple[int, ...], spacing: float = 1.0) -> Grid:
    return Grid(shape, spacing, (Boundary.PERIODIC,) * len(shape))


def places(grid: Grid) -> FloatArray:
    """Offsets from the middle of the box, (d, *shape)."""
    axes = [(np.arange(n) + 0.5 - n / 2) * grid.spacing_nm for n in grid.shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def voronoi(shape: tuple[int, ...], n_grains: int, seed: int) -> Labels:
    seeds = np.random.default_rng(seed).random((n_grains, len(shape))) * shape
    points = np.stack([axis.ravel() + 0.5 for axis in np.indices(shape)], axis=1)
    _, nearest = cKDTree(seeds, boxsize=np.array(shape, float)).query(points)
    return np.asarray(nearest, np.int64).reshape(shape)


# --- twins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 8), (6, 7, 5)])
def test_the_equation_is_that_of_the_full_model_at_frozen_density(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    grid, pinning = box(shape), random.uniform(0, 2, shape)
    parameters = SinteringParameters.from_energies(0.7, 1.1, LAMBDA)
    model = make_sintering_model(grid, parameters, 3, surface_mobility=0.4, pinning=pinning)
    state = random.uniform(0, 1, (4, *shape))
    rate = np.empty_like(state)
    model.rhs(state, rate)
    np.testing.assert_allclose(rate[1:], growth_rate(state[1:], state[0], pinning, grid, LAMBDA), atol=1e-12)


@pytest.mark.parametrize(("shape", "n_grains"), [((60, 70), 16), ((52, 33), 3), ((36, 40, 30), 20)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_do_what_whole_fields_do(
    shape: tuple[int, ...], n_grains: int, dtype: npt.DTypeLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grain_growth, "SPACE_THRESHOLD", grain_growth.THRESHOLD)
    grid = box(shape)
    distance = np.linalg.norm(places(grid), axis=0)
    density = 0.5 * (1 + np.tanh((distance - 5) / (2 * LAMBDA)))
    pinning = np.where(np.roll(distance, 11, axis=0) < 3, 2.0, 0.0)
    growth = GrainGrowth(grid, LAMBDA, voronoi(shape, n_grains, 1), density, pinning, dtype)
    eta = growth.order_parameters().astype(float)
    duration = 8.0
    n_steps = 2 * math.ceil(duration / growth.largest_step / 2)
    growth.advance(duration)
    for _ in range(n_steps):
        eta += duration / n_steps * growth_rate(eta, density, pinning, grid, LAMBDA)
    gone = np.setdiff1d(np.arange(len(eta)), growth.grains)
    assert np.max(eta[gone], initial=0.0) < grain_growth.VANISHED
    np.testing.assert_allclose(growth.order_parameters(), eta[growth.grains], atol=5e-4)
    np.testing.assert_allclose(growth.sum_of_squares(), np.sum(eta**2, axis=0), atol=5e-3)
    assert np.min(growth.order_parameters()) >= 0
    assert np.max(growth.order_parameters()) <= 1


def test_the_cut_of_the_windows_vanishes_with_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> FloatArray:
        growth = GrainGrowth(box((60, 50)), LAMBDA, voronoi((60, 50), 9, 0), dtype=np.float64)
        growth.advance(20.0)
        return growth.order_parameters()

    found = {}
    for threshold in (1e-3, 1e-5, 1e-9):
        monkeypatch.setattr(grain_growth, "THRESHOLD", threshold)
        found[threshold] = run()
    coarse, fine = (float(np.max(np.abs(found[t] - found[1e-9]))) for t in (1e-3, 1e-5))
    assert fine < 1e-5 < coarse < 1e-3


def test_the_wider_cut_in_space_is_small_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threshold in (grain_growth.SPACE_THRESHOLD, 1e-4):
        monkeypatch.setattr(grain_growth, "SPACE_THRESHOLD", threshold)
        growth = GrainGrowth(box((36, 40, 30)), LAMBDA, voronoi((36, 40, 30), 20, 1))
        growth.advance(8.0)
        found.append((growth.order_parameters(), growth.load))
    assert np.max(np.abs(found[0][0] - found[1][0])) < 3e-3
    assert found[0][1] < 0.9 * found[1][1]


@pytest.mark.parametrize("shift", [(0, 17), (29, 0), (31, 40)])
def test_where_the_box_begins_does_not_matter(shift: tuple[int, int]) -> None:
    labels = voronoi((48, 64), 8, 3)
    fixed, moved = (GrainGrowth(box((48, 64)), LAMBDA, np.roll(labels, s, (0, 1))) for s in ((0, 0), shift))
    for growth in (fixed, moved):
        growth.advance(12.0)
    expected = np.roll(fixed.order_parameters(), shift, (1, 2))
    np.testing.assert_allclose(moved.order_parameters(), expected, atol=1e-5)


def test_the_plane_is_a_slice_of_space() -> None:
    labels = voronoi((30, 34), 5, 2)
    plane = GrainGrowth(box((30, 34)), LAMBDA, labels, dtype=np.float64)
    space = GrainGrowth(box((30, 5, 34)), LAMBDA, np.repeat(labels[:, None], 5, axis=1), dtype=np.float64)
    for growth in (plane, space):
        growth.advance(6.0)
    for middle in range(5):
        # the steps in space are shorter, so the two differ by the error of Euler's method
        np.testing.assert_allclose(space.order_parameters()[:, :, middle], plane.order_parameters(), atol=4e-3)


# --- laws ---------------------------------------------------------------------------------------------------------


def measured_slope(growth: GrainGrowth, grain: int, duration: float, n: int, power: float = 1.0) -> float:
    """Slope in time of (∫η dV)^power, over the second half of `duration`."""
    times, sizes = [], []
    for _ in range(n):
        growth.advance(duration / n)
        eta = growth.order_parameters()[np.flatnonzero(growth.grains == grain)[0]]
        times.append(growth.time)
        sizes.append((float(np.sum(eta)) * growth.grid.spacing_nm**eta.ndim) ** power)
    return float(np.polyfit(times[n // 2 :], sizes[n // 2 :], 1)[0])


@pytest.mark.parametrize("spacing", [1.0, 0.78])
def test_a_circular_grain_loses_area_at_a_constant_rate(spacing: float) -> None:
    grid = box((round(64 / spacing),) * 2, spacing)
    labels = (np.linalg.norm(places(grid), axis=0) < 25).astype(int)
    slope = measured_slope(GrainGrowth(grid, LAMBDA, labels), 1, 100.0, 10)
    assert slope == pytest.approx(-2 * math.pi, rel=0.03)


def test_a_sphere_shrinks_with_twice_the_curvature() -> None:
    grid = box((40, 40, 40))
    labels = (np.linalg.norm(places(grid), axis=0) < 14).astype(int)
    slope = measured_slope(GrainGrowth(grid, LAMBDA, labels), 1, 24.0, 8, power=2 / 3)
    assert slope * (3 / (4 * math.pi)) ** (2 / 3) == pytest.approx(-4.0, rel=0.03)


@pytest.mark.parametrize("n_sides", [4, 5, 7])
def test_von_neumann_and_mullins(n_sides: int) -> None:
    grid = box((110, 110))
    x, y = places(grid)
    labels = 1 + np.floor((np.arctan2(y, x) + 0.37) % (2 * math.pi) / (2 * math.pi / n_sides)).astype(int)
    labels[np.hypot(x, y) < 20] = 0  # R = 15 λ; its corners need 50 units of time to take 120°
    slope = measured_slope(GrainGrowth(grid, LAMBDA, labels), 0, 90.0, 18)
    assert slope == pytest.approx(math.pi / 3 * (n_sides - 6), rel=0.10)


def grow_ensemble(n_cells: int, n_grains: int, seed: int, duration: float) -> tuple[FloatArray, FloatArray, int]:
    growth = GrainGrowth(box((n_cells, n_cells)), LAMBDA, voronoi((n_cells, n_cells), n_grains, seed))
    times, sizes = [], []
    for _ in range(20):
        growth.advance(duration / 20)
        times.append(growth.time)
        sizes.append(linear_intercept(growth.two_largest().grains[0], 1.0))
    return np.array(times), np.array(sizes), growth.n_grains


def growth_exponent(times: FloatArray, sizes: FloatArray) -> float:
    """m = 2/s of d² − d₁² ∝ (t − t₁)ˢ, counted from t₁ ≥ 100, when the cells of random seeds look like grown grains."""
    first = int(np.argmax(times >= 100))
    later = slice(first + 2, None)
    grown = np.log(sizes[later] ** 2 - sizes[first] ** 2)
    return 2.0 / float(np.polyfit(np.log(times[later] - times[first]), grown, 1)[0])


def test_the_square_of_the_grain_size_grows_linearly() -> None:
    times, sizes, n_grains = grow_ensemble(260, 242, 0, 300.0)
    assert n_grains > 100
    slope, _ = np.polyfit(times[5:], sizes[5:] ** 2, 1)
    assert 0.7 < slope < 1.2
    assert growth_exponent(times, sizes) == pytest.approx(2.0, abs=0.4)


@pytest.mark.long
def test_normal_grain_growth_has_the_exponent_two() -> None:
    runs = [grow_ensemble(400, 575, seed, 400.0) for seed in range(3)]
    assert min(n for _, _, n in runs) >= 200
    pooled = np.sqrt(np.mean([sizes**2 for _, sizes, _ in runs], axis=0))
    assert growth_exponent(runs[0][0], pooled) == pytest.approx(2.0, abs=0.2)


# --- grains keep their names ----------------------------------------------------------------------------------------


def test_two_halves_of_a_peanut_stay_two_grains() -> None:
    """Where the lens between two grains has vanished, they meet at a boundary; one shared field would merge them."""
    grid = box((60, 60))
    x, y = places(grid)
    labels = np.where(x < 0, 0, 1)
    labels[(np.hypot(x, y) > 26)] = 2
    labels[np.hypot(1.6 * x, y) < 8] = 3
    growth = GrainGrowth(grid, LAMBDA, labels)
    growth.advance(45.0)
    assert set(growth.grains) == {0, 1, 2}  # the lens has gone
    largest = growth.two_largest()
    assert set(largest.grains[:, 30, 30]) == {0, 1}
    assert np.min(growth.sum_of_squares()[28:32, 30]) == pytest.approx(0.5, abs=0.03)
    assert np.all(largest.grains[0, :24, 25:35][largest.grains[0, :24, 25:35] != 2] == 0)


@pytest.mark.parametrize(("shape", "n_grains"), [((96, 96), 60), ((40, 40, 40), 60)])
def test_many_grains_are_parted_everywhere(shape: tuple[int, ...], n_grains: int) -> None:
    """Between the insides of two grains there is a boundary: no way from one to the other through Ση² > 0.9."""
    from scipy.ndimage import label

    labels = voronoi(shape, n_grains, 5)
    growth = GrainGrowth(box(shape), LAMBDA, labels)
    growth.advance(15.0)
    assert growth.n_grains > 10
    assert set(growth.grains) <= set(labels.ravel())
    inside, n_parts = label(growth.sum_of_squares() > 0.9)
    owner = growth.two_largest().grains[0]
    for part in range(1, n_parts + 1):
        assert len(np.unique(owner[inside == part])) == 1


@pytest.mark.long
def test_two_hundred_grains_in_space() -> None:
    growth = GrainGrowth(box((64,) * 3, 1.2), 1.5, voronoi((64,) * 3, 200, 0))
    growth.advance(60.0)
    assert 60 < growth.n_grains < 180
    covered = np.sum(growth.order_parameters(), axis=0)
    assert np.min(covered) > 0.9


def test_a_particle_keeps_the_grains_out() -> None:
    grid = box((40, 40))
    distance = np.linalg.norm(places(grid), axis=0)
    growth = GrainGrowth(grid, LAMBDA, np.zeros(grid.shape, int), pinning=np.where(distance < 4, 2.0, 0.0))
    growth.advance(30.0)
    assert np.max(growth.sum_of_squares()[distance < 1.5]) < 0.1
    assert np.min(growth.sum_of_squares()[distance > 12]) > 0.95


# --- refusals -------------------------------------------------------------------------------------------------------


def test_what_cannot_grow_is_refused() -> None:
    labels = np.zeros((8, 8), int)
    with pytest.raises(ConfigError, match="periodic along all"):
        GrainGrowth(Grid((8, 8), 1.0, (Boundary.PERIODIC, Boundary.NO_FLUX)), LAMBDA, labels)
    with pytest.raises(ConfigError, match="not resolved"):
        GrainGrowth(box((8, 8)), 0.9, labels)
    with pytest.raises(ConfigError, match="integers"):
        GrainGrowth(box((8, 8)), LAMBDA, labels - 1)
    with pytest.raises(ConfigError, match="density"):
        GrainGrowth(box((8, 8)), LAMBDA, labels, density=np.ones((8, 9)))
    growth = GrainGrowth(box((8, 8)), LAMBDA, labels)
    with pytest.raises(ConfigError, match="pinning"):
        growth.surround(np.ones((8, 8)), np.full((8, 8), np.nan))
    with pytest.raises(ConfigError, match="duration"):
        growth.advance(0.0)
