"""Polycrystals: calibration of the grain size, exact fractions, the width of boundaries, common random numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.descriptors import mean_linear_intercept
from dynaphase.electrolyte.microstructure import Microstructure, make_microstructure
from dynaphase.electrolyte.periodic_geometry import tessellate
from dynaphase.errors import InputError

PLAIN = {"porosity": 0.0, "secondary": {}, "seed": 0}


def make(shape=(96, 96), spacing_nm=100 / 96, **options) -> Microstructure:
    return make_microstructure(shape, spacing_nm, **{"grain_size_nm": 25.0, **PLAIN, **options})


@pytest.mark.parametrize(("shape", "grain_size_nm"), [((512, 512), 16.0), ((600, 300), 11.0), ((64, 64, 64), 9.0)])
def test_mean_intercept_is_the_grain_size(shape, grain_size_nm):
    grains = make(shape, 1.0, grain_size_nm=grain_size_nm).grain_ids
    measured = mean_linear_intercept(grains, 1.0, is_periodic=(True,) * len(shape)).mean_nm
    assert measured == pytest.approx(grain_size_nm, rel=0.03)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4])
def test_boundary_indicator_integrates_to_its_width(angle):
    """Across the straight boundary halfway between two seeds, whatever its direction, ∫ g dz = ℓ."""
    box = np.array([200.0, 200.0])
    normal = np.array([np.cos(angle), np.sin(angle)])
    seeds = 100.0 + np.array([[-20.0], [20.0]]) * normal
    z = np.linspace(-20, 20, 401)
    owner, distance = tessellate(100.0 + z[:, None] * normal, seeds, box)
    np.testing.assert_allclose(distance, np.abs(z), atol=1e-9)
    np.testing.assert_array_equal(owner[z != 0], (z[z != 0] > 0).astype(int))
    assert np.trapezoid(1 / np.cosh(2 * distance / 3.0) ** 2, z) == pytest.approx(3.0, rel=1e-4)


def test_indicator_is_sech2_of_the_distance_to_the_cell_surface():
    m = make((128, 128), 0.25, grain_size_nm=18.0, boundary_width_nm=2.0, seed=1)
    on_change = m.grain_ids != np.roll(m.grain_ids, -1, 1)
    # Next to a change of grain the surface passes within one cell.
    assert m.boundary[on_change].min() >= 1 / np.cosh(2 * 0.25 / 2.0) ** 2 - 1e-12
    # For n long straight boundaries of total length S the indicator integrates to ℓ S; the mean intercept gives S.
    long = make((400, 400), 0.5, grain_size_nm=40.0, boundary_width_nm=2.0, seed=1)
    intercept = mean_linear_intercept(long.grain_ids, 0.5, is_periodic=(True, True)).mean_nm
    assert long.boundary.mean() == pytest.approx(2.0 * np.pi / 2 / intercept, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(
    porosity=st.floats(0, 0.6),
    parts=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    total=st.floats(0, 1),
    grain_size_nm=st.floats(6, 300),
    seed=st.integers(0, 2**32),
)
def test_fractions_are_exact_to_a_cell(porosity, parts, total, grain_size_nm, seed):
    scale = total / sum(parts) if sum(parts) > 1e-3 else 0.0
    secondary = {f"phase {k}": part * scale for k, part in enumerate(parts)}
    m = make((48, 40), 2.0, porosity=porosity, secondary=secondary, grain_size_nm=grain_size_nm, seed=seed)
    n_solid = int(m.density.sum())
    assert abs(n_solid - (1 - porosity) * m.density.size) <= 0.5 + 1e-9
    assert not np.any(m.phase_ids[m.density == 0])
    for name, fraction in secondary.items():
        k = m.phase_names.index(name) + 1 if name in m.phase_names else 255
        assert abs(np.count_nonzero(m.phase_ids == k) - fraction * n_solid) <= 1.0 + 1e-6
    assert abs(np.count_nonzero(m.phase_ids) - sum(secondary.values()) * n_solid) <= 0.5 + 1e-6
    assert not np.any(m.boundary[m.density == 0])
    assert 0 <= m.boundary.min() <= m.boundary.max() <= 1


def test_no_host_left():
    m = make(secondary={"AlPO4": 0.7, "GeO2": 0.3}, porosity=0.05)
    assert np.all((m.phase_ids > 0) == (m.density > 0))


def test_one_grain_has_no_boundary():
    m = make(grain_size_nm=500.0, porosity=0.04, secondary={"AlPO4": 0.05})
    assert m.grain_ids.max() == 0
    assert not m.boundary.any()
    assert np.count_nonzero(m.phase_ids) > 0


def test_same_seed_same_structure_and_the_seed_is_left_alone():
    seed = np.random.SeedSequence(7)
    first, second = (make(porosity=0.05, secondary={"AlPO4": 0.1}, seed=seed) for _ in range(2))
    for name in ("grain_ids", "boundary", "density", "phase_ids"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert seed.n_children_spawned == 0
    np.testing.assert_array_equal(first.grain_ids, make(seed=7).grain_ids)
    assert np.any(first.grain_ids != make(seed=8).grain_ids)


def test_ingredients_have_streams_of_their_own():
    base = make(porosity=0.04, secondary={"AlPO4": 0.05})
    more_pores = make(porosity=0.06, secondary={"AlPO4": 0.05})
    two_phases = make(porosity=0.04, secondary={"AlPO4": 0.05, "AlPO5": 0.01})
    np.testing.assert_array_equal(base.grain_ids, more_pores.grain_ids)
    np.testing.assert_array_equal(base.phase_ids == 1, two_phases.phase_ids == 1)


@pytest.mark.parametrize(("quantity", "field"), [("porosity", "density"), ("secondary", "phase_ids")])
def test_structure_varies_smoothly_with_composition(quantity, field):
    """A small step in a fraction changes about as many cells as the step itself, also where a new blob appears."""
    fractions = np.arange(0.010, 0.040, 0.002)
    options = [{quantity: float(p) if quantity == "porosity" else {"AlPO4": float(p)}} for p in fractions]
    structures = [getattr(make((128, 128), 100 / 128, **option), field) for option in options]
    n_changed = [np.count_nonzero(a != b) for a, b in pairwise(structures)]
    assert min(n_changed) > 0
    assert max(n_changed) <= 1.5 * 0.002 * 128**2


def test_same_structure_on_a_finer_grid():
    coarse = make((64, 64), 100 / 64, porosity=0.05)
    fine = make((192, 192), 100 / 192, porosity=0.05)
    assert np.mean(coarse.grain_ids == fine.grain_ids[1::3, 1::3]) > 0.99
    assert np.mean(coarse.density == fine.density[1::3, 1::3]) > 0.98


def test_periodic_structure_has_no_seam():
    """Boundary indicator and labels continue across both edges as smoothly as inside."""
    m = make((128, 128), 100 / 128)
    for axis in (0, 1):
        steps = np.abs(m.boundary - np.roll(m.boundary, -1, axis)).mean(axis=1 - axis)
        assert steps[-1] < 3 * steps.mean()


def test_particles_are_small_and_on_boundaries():
    from scipy.ndimage import label

    m = make((256, 256), 100 / 256, secondary={"AlPO4": 0.02})
    blobs, n = label(m.phase_ids)
    areas = np.bincount(blobs.ravel())[1:] * m.spacing_nm**2
    assert 0.7 * np.pi * 4 < np.median(areas) < 1.3 * np.pi * 4
    assert n > 10
    assert m.boundary[m.phase_ids == 1].mean() > 0.75
    assert m.boundary.mean() < 0.3


def test_pores_sit_on_junctions():
    from scipy.ndimage import binary_dilation, label

    touching = []
    for seed in range(4):
        m = make((256, 256), 100 / 256, porosity=0.02, seed=seed)
        pores, n = label(m.density == 0)
        for k in range(1, n + 1):
            touching.append(len(np.unique(m.grain_ids[binary_dilation(pores == k, iterations=2)])))
    assert np.mean(np.array(touching) >= 3) > 0.7  # the rest is cut by the edge of the box


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grain_size_nm": 0.0}, "grain size"),
        ({"grain_size_nm": float("nan")}, "grain size"),
        ({"boundary_width_nm": -1.0}, "boundary width"),
        ({"porosity": 1.0}, "porosity"),
        ({"porosity": float("nan")}, "porosity"),
        ({"secondary": {"AlPO4": -0.1}}, "AlPO4"),
        ({"secondary": {"AlPO4": 0.7, "GeO2": 0.7}}, "at most 1"),
        ({"shape": (64,)}, "2 or 3 axes"),
    ],
)
def test_wrong_input_is_named(options, words):
    with pytest.raises(InputError, match=words):
        make(**options)
