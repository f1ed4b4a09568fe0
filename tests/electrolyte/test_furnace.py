"""Furnace: boundaries as read, pores as level sets, densification by its law, pinning, common random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynaphase.descriptors import mean_linear_intercept
from dynaphase.electrolyte import furnace
from dynaphase.electrolyte.furnace import FurnaceSchedule, PoreSpace, SinteredStructure, sinter
from dynaphase.electrolyte.grain_growth import GrainGrowth, TwoLargest
from dynaphase.electrolyte.grains import (
    boundary_indicator,
    boundary_zone,
    fill_labels,
    linear_intercept,
    map_boundaries,
)
from dynaphase.electrolyte.microstructure import Microstructure
from dynaphase.errors import ConfigError, InputError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray

SHAPE, SPACING = (96, 96), 100 / 96
SHORT = FurnaceSchedule(reduced_time=60.0)


def fire(schedule: FurnaceSchedule = SHORT, seed: int = 0, **secondary: float) -> SinteredStructure:
    return sinter(SHAPE, SPACING, schedule, secondary=secondary, seed=seed)


def box(shape: tuple[int, ...], spacing: float = 1.0) -> Grid:
    return Grid(shape, spacing, (Boundary.PERIODIC,) * len(shape))


# --- reading boundaries -------------------------------------------------------------------------------------------


def grown_disc() -> tuple[GrainGrowth, FloatArray, float]:
    """A disc that has taken its profile, the distance of every cell to its centre, and its radius."""
    grid = box((60, 64))
    x, y = np.meshgrid(*[np.arange(n) + 0.5 - n / 2 for n in grid.shape], indexing="ij")
    radius = np.hypot(x, y)
    growth = GrainGrowth(grid, 1.3, (radius < 20).astype(int))
    growth.advance(10.0)
    eta = growth.order_parameters()[1][30, 32:]  # η = ½ on the line y > 0
    at = int(np.flatnonzero(eta > 0.5)[-1])
    on = at + 0.5 + float((eta[at] - 0.5) / (eta[at] - eta[at + 1]))
    return growth, radius, float(np.hypot(0.5, on))


def test_distance_to_a_round_boundary() -> None:
    growth, radius, at = grown_disc()
    largest = growth.two_largest()
    labels = fill_labels(largest, growth.grid)
    found = map_boundaries(largest, labels, np.ones(labels.shape, np.bool_), growth.grid)
    is_near = np.abs(radius - at) < 8
    np.testing.assert_allclose(found.distance_nm[is_near], np.abs(radius - at)[is_near], atol=0.08)
    assert np.all(found.pairs[0] == 0)
    assert np.all(found.pairs[1] == 1)


def test_the_indicator_is_that_of_the_order_parameters() -> None:
    growth, radius, at = grown_disc()
    eta = growth.order_parameters().astype(float)
    from_fields = 4 * (eta[0] * eta[1]) ** 2 / np.sum(eta**2, axis=0) ** 2
    np.testing.assert_allclose(boundary_indicator(np.abs(radius - at), 2 * 1.3), from_fields, atol=0.06)


def test_widths_of_indicator_and_zone() -> None:
    z = np.linspace(-30, 30, 60001)
    assert np.trapezoid(boundary_indicator(np.abs(z), 3.5), z) == pytest.approx(3.5, rel=1e-6)
    zone = boundary_zone(np.abs(z), 6.0)
    assert np.trapezoid(zone, z) == pytest.approx(6.0, rel=1e-3)
    assert zone[30000] > 0.999  # flat top
    assert boundary_zone(np.array([3.0]), 6.0)[0] == pytest.approx(0.5)
    assert boundary_zone(np.array([np.inf]), 6.0)[0] == 0.0
    with pytest.raises(ConfigError, match="positive"):
        boundary_zone(z, 0.0)


def test_a_boundary_in_a_void_is_none() -> None:
    grid = box((20, 20))
    labels = np.zeros((20, 20), np.int64)
    labels[5:15] = 1
    largest = TwoLargest(np.stack([labels, 1 - labels]), np.stack([np.ones((20, 20)), np.zeros((20, 20))]))
    is_solid = np.ones((20, 20), np.bool_)
    is_solid[2:8] = False
    found = map_boundaries(largest, labels, is_solid, grid)
    rows = np.arange(20) + 0.5
    expected = np.abs((rows - 15 + 10) % 20 - 10)  # the one at 5 lies in the void, the one at 15 is left
    np.testing.assert_allclose(found.distance_nm, np.broadcast_to(expected[:, None], (20, 20)), atol=1e-9)
    nothing = map_boundaries(largest, np.zeros_like(labels), is_solid, grid)
    assert np.all(np.isinf(nothing.distance_nm))
    assert np.all(nothing.pairs == -1)


def test_cells_of_nobody_go_to_the_nearest_grain() -> None:
    grid = box((12, 12))
    labels = np.zeros((12, 12), np.int64)
    labels[:, 6:] = 1
    values = np.ones((12, 12))
    values[4:7, 0:2] = 0.0
    values[4:7, 10:12] = 0.0
    damaged = np.where(values > 0, labels, -1)
    filled = fill_labels(TwoLargest(np.stack([damaged, damaged]), np.stack([values, values])), grid)
    np.testing.assert_array_equal(filled[:, 2:10], labels[:, 2:10])
    assert np.all(filled[5, :1] == 0) or np.all(filled[5, :1] == 1)
    assert np.all((filled >= 0) & (filled <= 1))
    assert filled[4, 1] == 0
    assert filled[4, 10] == 1


@pytest.mark.parametrize("shape", [(40, 30), (12, 14, 10)])
def test_the_intercept_is_that_of_the_descriptors(shape: tuple[int, ...]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, shape)
    expected = mean_linear_intercept(labels, 0.7, is_periodic=(True,) * len(shape)).mean_nm
    assert linear_intercept(labels, 0.7) == pytest.approx(expected, rel=1e-12)
    assert linear_intercept(np.zeros(shape, int), 0.7) == pytest.approx(0.7 * max(shape))


# --- pores --------------------------------------------------------------------------------------------------------


def test_pores_shrink_as_level_sets() -> None:
    x, y = np.meshgrid(*[np.arange(80) + 0.5] * 2, indexing="ij")
    score = np.minimum(np.hypot(x - 20.3, y - 20.1) - 6, np.hypot(x - 55.2, y - 49.6) - 9)
    pores = PoreSpace(score, 1.3)
    earlier = None
    for porosity in (0.06, 0.04, 0.02, 0.005):
        density = pores.density(porosity)
        assert np.mean(density < 0.5) == pytest.approx(porosity, abs=2.1 / 6400)
        assert earlier is None or np.all(density >= earlier)
        earlier = density
    smallest = pores.density(0.004)  # only the larger pore is left, round still
    assert np.min(smallest[:38, :38]) > 0.5
    hollow = np.argwhere(smallest < 0.5) + 0.5 - (55.2, 49.6)
    assert np.max(np.linalg.norm(hollow, axis=1)) == pytest.approx(np.sqrt(0.004 * 6400 / np.pi), abs=0.5)
    assert np.min(pores.density(1e-9)) > 0.99
    assert np.all(pores.density(0.0) == 1.0)


def test_the_powder_has_the_grains_and_pores_of_the_schedule() -> None:
    start = fire(replace(SHORT, reduced_time=1e-6, densification_rate=0.0))
    assert start.history.n_grains[0] == 36
    assert np.mean(start.microstructure.density < 0.5) == pytest.approx(0.10, abs=1e-3)
    # pores lie on boundaries: close to a third grain more often than by chance
    hollow = start.microstructure.density < 0.5
    assert np.mean(start.boundaries.distance_nm[hollow]) < np.mean(start.boundaries.distance_nm[~hollow]) + 1.0


# --- the schedule ---------------------------------------------------------------------------------------------------


def test_porosity_follows_its_law() -> None:
    result = fire(replace(SHORT, densification_rate=4e-3))
    time, size, porosity, _ = (getattr(result.history, name) for name in result.history.__slots__)
    rate = 4e-3 * (20.0 / size) ** 4
    expected = 0.10 * np.exp(-np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(time))]))
    np.testing.assert_allclose(porosity, expected, rtol=1e-10)
    assert porosity[-1] < 0.05
    assert np.mean(result.microstructure.density < 0.5) == pytest.approx(porosity[-1], abs=2e-4)
    assert time[-1] == pytest.approx(60.0)
    kept = fire(replace(SHORT, densification_rate=0.0)).history
    assert np.all(kept.porosity == 0.10)


def test_what_comes_out_is_a_microstructure() -> None:
    result = fire(SHORT, seed=1, AlPO4=0.05, GeO2=0.03, Li3PO4=0.0)
    structure = result.microstructure
    assert isinstance(structure, Microstructure)
    assert structure.phase_names == ("AlPO4", "GeO2")
    n_grains = len(np.unique(structure.grain_ids))
    np.testing.assert_array_equal(np.unique(structure.grain_ids), np.arange(n_grains))
    hollow = structure.density < 0.5
    assert np.all(structure.phase_ids[hollow] == 0)
    assert np.all(structure.boundary[hollow] == 0)
    assert np.max(structure.boundary) == pytest.approx(1.0, abs=0.01)
    solid = np.count_nonzero(~hollow)
    assert np.count_nonzero(structure.phase_ids == 1) / solid == pytest.approx(0.05, abs=0.008)
    assert np.count_nonzero(structure.phase_ids == 2) / solid == pytest.approx(0.03, abs=0.005)
    first, second = result.boundaries.pairs
    assert np.all((first >= 0) & (first < second) & (second < n_grains))
    # the cell next to a boundary belongs to one of the two grains that it parts
    close = (result.boundaries.distance_nm < 0.4 * SPACING) & ~hollow
    own = structure.grain_ids[close]
    assert np.mean((own == first[close]) | (own == second[close])) > 0.98


def test_a_seed_gives_the_same_grains_and_pores_whatever_the_phases() -> None:
    start = replace(SHORT, reduced_time=1e-6)
    plain, loaded, mixed = (fire(start, 3, **phases) for phases in ({}, {"GeO2": 0.1}, {"AlPO4": 0.02, "GeO2": 0.1}))
    for other in (loaded, mixed):
        np.testing.assert_array_equal(other.microstructure.grain_ids, plain.microstructure.grain_ids)
        np.testing.assert_array_equal(other.microstructure.density, plain.microstructure.density)
    is_geo2 = mixed.microstructure.phase_ids == 2
    moved = np.count_nonzero(is_geo2 != (loaded.microstructure.phase_ids == 1))
    assert moved < 0.25 * np.count_nonzero(is_geo2)
    again, other_seed = fire(SHORT, 3), fire(SHORT, 4)
    np.testing.assert_array_equal(again.microstructure.density, fire(SHORT, 3).microstructure.density)
    assert not np.array_equal(again.microstructure.grain_ids, other_seed.microstructure.grain_ids)


def test_a_boundary_keeps_its_name_on_every_grid() -> None:
    """Grains that vanish leave gaps in the powder's numbers; the numbers without gaps shift from grid to grid."""
    schedule = FurnaceSchedule(reduced_time=250.0, width_nm=2.0)
    coarse, fine = (sinter((n, n), 100.0 / n, schedule, secondary={}, seed=1) for n in (64, 128))
    same = np.repeat(np.repeat(coarse.powder_pairs, 2, axis=1), 2, axis=2) == fine.powder_pairs
    is_close = (fine.boundaries.distance_nm < 2.0) & (fine.microstructure.density > 0.5)
    assert np.mean(np.all(same, axis=0)[is_close]) > 0.8
    assert len(fine.powder_grains) == fine.microstructure.grain_ids.max() + 1 < 36
    np.testing.assert_array_equal(fine.powder_pairs[0] < 0, fine.boundaries.pairs[0] < 0)


def test_grains_grow_to_a_target() -> None:
    result = fire(replace(SHORT, reduced_time=500.0, grain_size_target_nm=16.0, densification_rate=4e-3))
    assert result.history.grain_size_nm[-1] >= 16.0 > result.history.grain_size_nm[-2]
    assert result.history.reduced_time[-1] < 200


def test_particles_pin() -> None:
    """A8: the grain size falls with the refractory fraction, by simulation alone."""
    schedule = FurnaceSchedule(reduced_time=250.0, densification_rate=4e-3)
    sizes = {v: [fire(schedule, seed, AlPO4=v).history.grain_size_nm[-1] for seed in range(3)] for v in (0.0, 0.15)}
    assert np.max(sizes[0.15]) < np.min(sizes[0.0])
    without = [fire(replace(schedule, pinning_strength=0.0), s, AlPO4=0.15).history.grain_size_nm[-1] for s in range(3)]
    np.testing.assert_allclose(without, sizes[0.0])


@pytest.mark.long
def test_the_schedule_of_the_default_material() -> None:
    """Pinning and the competition of coarsening and densification at the full time; 3 seeds each."""
    found = {
        v: [fire(FurnaceSchedule(densification_rate=4e-3), seed, AlPO4=v) for seed in range(3)]
        for v in (0.0, 0.03, 0.08, 0.15)
    }
    sizes = [np.mean([r.history.grain_size_nm[-1] for r in results]) for results in found.values()]
    assert np.all(np.diff(sizes) < 0)
    default = [fire(FurnaceSchedule(), seed).history for seed in range(3)]
    assert np.mean([h.grain_size_nm[-1] for h in default]) == pytest.approx(24.0, abs=3.0)
    assert np.mean([h.porosity[-1] for h in default]) == pytest.approx(0.035, abs=0.01)


def test_space_goes_through_the_same_furnace() -> None:
    schedule = FurnaceSchedule(reduced_time=10.0, initial_grain_size_nm=12.0, initial_porosity=0.05)
    result = sinter((32, 32, 32), 1.0, schedule, secondary={"AlPO4": 0.04}, seed=0)
    structure = result.microstructure
    assert structure.grain_ids.shape == (32, 32, 32)
    assert result.history.n_grains[0] == round(32**3 * (0.687 / 12.0) ** 3)
    assert np.mean(structure.density < 0.5) == pytest.approx(result.history.porosity[-1], abs=1e-3)
    assert result.boundaries.pairs.shape == (2, 32, 32, 32)


def test_one_grain_without_pores_stays_as_it_is() -> None:
    schedule = replace(SHORT, initial_grain_size_nm=200.0, initial_porosity=0.0)
    result = fire(schedule)
    assert np.all(result.history.n_grains == 1)
    assert np.all(result.microstructure.boundary == 0.0)
    assert np.all(result.boundaries.pairs == -1)
    assert result.history.grain_size_nm[-1] == pytest.approx(100.0)


def test_what_no_furnace_does_is_refused() -> None:
    for name, value in (("reduced_time", 0.0), ("densification_rate", -1.0), ("initial_porosity", 0.7)):
        with pytest.raises(ConfigError, match=name):
            replace(SHORT, **{name: value})
    with pytest.raises(ConfigError, match="target"):
        replace(SHORT, grain_size_target_nm=-3.0)
    with pytest.raises(InputError, match="fraction"):
        fire(SHORT, AlPO4=1.5)
    with pytest.raises(ConfigError, match="not resolved"):
        sinter((32, 32), 3.0, SHORT, secondary={}, seed=0)


def test_poisson_voronoi_intercepts() -> None:
    """The ratio that sets the number of grains, on 600 cells in the plane and in space."""
    for shape, n_grains in (((400, 400), 600), ((56, 56, 56), 300)):
        size = furnace.INTERCEPT_PER_CELL_SIZE[len(shape)] * float(np.prod(shape) / n_grains) ** (1 / len(shape))
        schedule = FurnaceSchedule(reduced_time=1e-6, initial_porosity=0.0, initial_grain_size_nm=size)
        history = sinter(shape, 1.0, schedule, secondary={}, seed=0).history
        assert abs(history.n_grains[0] - n_grains) <= 1
        assert history.grain_size_nm[0] == pytest.approx(size, rel=0.04)
