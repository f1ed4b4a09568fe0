"""Homogenized conductivity against bounds, exact results and series resistances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.electrolyte.conduction import (
    ConductionParameters,
    brick_layer,
    ceramic_conductivity,
    effective_activation_energy,
    homogenize,
    local_conductivity,
)
from dynaphase.electrolyte.microstructure import Microstructure, make_microstructure
from dynaphase.errors import InputError
from dynaphase.units import BOLTZMANN_EV

HOST = ConductionParameters(bulk_S_per_m=0.04, boundary_resistance_ohm_m2=2e-6)


def effective(sigma, **options):
    return homogenize(sigma, 1.0, **options).conductivity_S_per_m


def microstructure(shape=(64, 64), **options) -> Microstructure:
    defaults = {"grain_size_nm": 25.0, "porosity": 0.0, "secondary": {}, "seed": 0}
    return make_microstructure(shape, 100 / shape[0], **{**defaults, **options})


def two_phase(seed, fraction, contrast, n=48):
    """Isotropic blobs of a smoothed random field, periodic."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((n, n)), 2.5, mode="wrap")
    return np.where(field < np.quantile(field, fraction), contrast, 1.0)


# ------------------------------------------------------------------------------------------- homogenization


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    decades=st.floats(-6, 0),
    n=st.integers(4, 14),
    ends=st.sampled_from(["electrodes", "periodic"]),
)
def test_wiener_bounds(seed, decades, n, ends):
    """C2: between the harmonic and the arithmetic mean, for any field."""
    sigma = 10 ** (decades * np.random.default_rng(seed).random((n, n + 1)))
    value = effective(sigma, boundary=ends)
    assert 1 / np.mean(1 / sigma) * (1 - 1e-10) <= value <= np.mean(sigma) * (1 + 1e-10)


@pytest.mark.parametrize("fraction", [0.15, 0.4, 0.7])
@pytest.mark.parametrize("contrast", [0.1, 1e-3])
def test_hashin_shtrikman_bounds(fraction, contrast):
    """C3: isotropic two-phase media in the plane, mean over both directions."""
    values = []
    for seed in range(3):
        sigma = two_phase(seed, fraction, contrast)
        values += [effective(sigma, axis=axis, boundary="periodic") for axis in (0, 1)]
    low, high = (
        own + other_f / (1 / (other - own) + own_f / (2 * own))
        for own, own_f, other, other_f in (
            (contrast, fraction, 1.0, 1 - fraction),
            (1.0, 1 - fraction, contrast, fraction),
        )
    )
    assert low < np.mean(values) < high


@pytest.mark.parametrize("fraction", [0.03, 0.05])
def test_void_disc(fraction):
    """C4: a dilute square array of insulating discs, (1 − f)/(1 + f)."""
    n = 160
    x = np.arange(n) + 0.5 - n / 2
    is_void = np.hypot(x[:, None], x) < n * np.sqrt(fraction / np.pi)
    value = effective(np.where(is_void, 1e-8, 1.0))
    f = is_void.mean()
    assert value == pytest.approx((1 - f) / (1 + f), rel=0.015)


@pytest.mark.parametrize(("contrast", "n"), [(10.0, 32), (10.0, 64), (1000.0, 64)])
def test_checkerboard(contrast, n):
    """C5 (Keller): √(σ₁σ₂), bracketed by the two face means; their geometric mean is close."""
    tile = (np.indices((n, n)) // (n // 2)).sum(axis=0) % 2
    sigma = np.where(tile == 0, 1.0, contrast)
    on_mirror = np.roll(sigma, -(n // 4), axis=0)  # electrodes in the middle of a tile
    exact = np.sqrt(contrast)
    low, high = (effective(on_mirror, faces=mean) for mean in ("harmonic", "arithmetic"))
    assert low < exact < high
    assert np.sqrt(low * high) == pytest.approx(exact, rel=0.04 if contrast > 100 else 0.015)
    error = homogenize(on_mirror, 1.0, with_error=True).discretization_error_decades
    assert error == pytest.approx(0.5 * np.log10(high / low), rel=1e-9)
    assert abs(np.log10(low / exact)) < 1.2 * error


@settings(max_examples=8, deadline=None)
@given(amplitudes=st.lists(st.floats(0.5, 1.5), min_size=3, max_size=3), phase=st.floats(0, 6))
def test_reciprocity_of_smooth_media(amplitudes, phase):
    """C6: σ_xx[σ]·σ_yy[1/σ] = 1 where σ_xy = 0 (mirror symmetry), harmonic faces paired with arithmetic ones.

    Exact on the dual network (test_elliptic), whose nodes are the corners; here to second order in the cell.
    """
    errors = []
    for n in (24, 48):
        x, y = 2 * np.pi * (np.indices((n, n)) + 0.5) / n
        a, b, c = amplitudes
        sigma = np.exp(a * np.cos(x) + b * np.cos(x) * np.sin(y + phase) + c * np.cos(2 * y) * np.cos(x))
        along = effective(sigma, boundary="periodic")
        across = effective(1 / sigma, axis=1, boundary="periodic", faces="arithmetic")
        errors.append(abs(along * across - 1))
    assert errors[1] < 0.01
    assert errors[1] < errors[0] / 3 + 1e-4


def test_layers_in_three_dimensions():
    layers = np.array([1.0, 1e-3, 5.0, 0.2])
    sigma = np.broadcast_to(layers[:, None, None], (4, 5, 6))
    assert effective(sigma) == pytest.approx(1 / np.mean(1 / layers), rel=1e-12)
    assert effective(sigma, axis=2) == pytest.approx(np.mean(layers), rel=1e-12)


def test_brick_pattern_between_its_bounds():
    """Square bricks in thin mortar: between straight columns in parallel and straight layers in series."""
    n, mortar, r = 32, 4, 0.1
    is_mortar = np.zeros((n, n), bool)
    is_mortar[:mortar] = is_mortar[:, :mortar] = True
    sigma = np.where(is_mortar, r, 1.0)
    m = mortar / n
    columns = m * r + (1 - m) / (m / r + 1 - m)
    layers = 1 / (m / r + (1 - m) / (m * r + 1 - m))
    assert columns < effective(sigma) < layers


def test_dissipation_sums_to_one_and_sits_in_the_resistive_layer():
    layers = np.array([1.0, 0.1, 1.0, 1.0])
    result = homogenize(np.broadcast_to(layers[:, None], (4, 3)), 2.0)
    assert result.dissipation.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(result.dissipation.sum(axis=1), (1 / layers) / np.sum(1 / layers), rtol=1e-10)
    assert result.area_specific_resistance_ohm_m2 == pytest.approx(2e-9 * np.sum(1 / layers))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("ends", ["electrodes", "periodic"])
def test_dissipation_of_a_random_field(axis, ends):
    sigma = 10 ** np.random.default_rng(1).uniform(-3, 0, (9, 7))
    result = homogenize(sigma, 1.0, axis, ends)
    assert result.dissipation.min() >= 0
    # d ln σ_eff / d ln σ_i is the share of cell i: perturb one.
    for cell in [(0, 0), (8, 6), (4, 3)]:
        up, down = sigma.copy(), sigma.copy()
        up[cell] *= 1.001
        down[cell] /= 1.001
        slope = np.log(effective(up, axis=axis, boundary=ends) / effective(down, axis=axis, boundary=ends))
        assert result.dissipation[cell] == pytest.approx(slope / (2 * np.log(1.001)), rel=1e-4, abs=1e-9)


def test_cathode_rows_are_left_out():
    sigma = np.ones((10, 4))
    sigma[-3:] = 1e-9
    assert effective(sigma, n_cathode_rows=3) == pytest.approx(1.0)
    assert homogenize(sigma, 1.0, n_cathode_rows=3).potential.shape == (7, 4)
    with pytest.raises(InputError, match="at least one row"):
        effective(sigma, n_cathode_rows=10)


def test_unknown_choices_are_refused():
    with pytest.raises(InputError, match="harmonic"):
        effective(np.ones((4, 4)), faces="geometric")
    with pytest.raises(InputError, match="electrodes"):
        effective(np.ones((4, 4)), boundary="open")
    with pytest.raises(InputError, match="cell size"):
        homogenize(np.ones((4, 4)), 0.0)


# ------------------------------------------------------------------------------------------- local conductivity


def bicrystal(n=400, spacing_nm=0.25, width_nm=4.0) -> Microstructure:
    z = (np.arange(n) + 0.5) * spacing_nm - n * spacing_nm / 2
    boundary = np.repeat(1 / np.cosh(2 * z / width_nm)[:, None] ** 2, 4, axis=1)
    zero = np.zeros(boundary.shape)
    return Microstructure(
        spacing_nm, (zero + (z > 0)[:, None]).astype(np.int32), boundary, width_nm, zero + 1, zero.astype(np.uint8), ()
    )


@pytest.mark.parametrize("width_nm", [2.0, 4.0, 8.0])
def test_one_boundary_adds_exactly_its_resistance(width_nm):
    crystal = bicrystal(width_nm=width_nm)
    with_boundary, without = (
        homogenize(
            local_conductivity(crystal, ConductionParameters(0.04, resistance)), crystal.spacing_nm
        ).area_specific_resistance_ohm_m2
        for resistance in (2e-6, 0.0)
    )
    assert with_boundary - without == pytest.approx(2e-6, rel=1e-9)
    assert without == pytest.approx(100e-9 / 0.04, rel=1e-12)


def test_phases_mix_in_parallel_inside_a_cell():
    base = microstructure(porosity=0.05, secondary={"AlPO4": 0.1})
    p = ConductionParameters(0.04, 2e-6, {"AlPO4": 1e-10}, void_S_per_m=1e-7, degraded_S_per_m=1e-4)
    sigma = local_conductivity(base, p)
    host = (base.phase_ids == 0) & (base.density == 1)
    np.testing.assert_allclose(1 / sigma[host], 1 / 0.04 + base.boundary[host] * 2e-6 / 4e-9, rtol=1e-12)
    np.testing.assert_array_equal(sigma[base.phase_ids == 1], 1e-10)
    np.testing.assert_array_equal(sigma[base.density == 0], 1e-7)
    half = local_conductivity(base, p, np.full(sigma.shape, 0.5))
    np.testing.assert_allclose(half[host], 0.5 * sigma[host] + 0.5e-4, rtol=1e-12)
    np.testing.assert_array_equal(half[base.density == 0], 1e-7)
    whole = local_conductivity(base, p, np.ones(sigma.shape))[base.density == 1]
    np.testing.assert_allclose(whole, np.minimum(sigma[base.density == 1], 1e-4))  # a poor conductor gets no better


def test_local_conductivity_refuses_what_it_does_not_know():
    m = microstructure(secondary={"AlPO4": 0.1})
    with pytest.raises(InputError, match="AlPO4"):
        local_conductivity(m, HOST)
    plain = microstructure()
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        local_conductivity(plain, HOST, np.full((64, 64), 1.1))
    with pytest.raises(InputError, match="shape"):
        local_conductivity(plain, HOST, np.zeros((3, 3)))
    for bad in ({"bulk_S_per_m": 0.0}, {"void_S_per_m": -1.0}, {"boundary_resistance_ohm_m2": np.nan}):
        with pytest.raises(InputError):
            ConductionParameters(**{"bulk_S_per_m": 1.0, "boundary_resistance_ohm_m2": 0.0, **bad})
    with pytest.raises(InputError, match="AlPO4"):
        ConductionParameters(1.0, 0.0, {"AlPO4": 0.0})


def test_polycrystal_follows_its_boundaries():
    """σ falls with R'' and the brick layer at the box's own grain size is the right order."""
    m = microstructure((96, 96), grain_size_nm=20.0)
    sigma = [
        homogenize(local_conductivity(m, ConductionParameters(0.04, r)), m.spacing_nm).conductivity_S_per_m
        for r in (0.0, 1e-7, 1e-6, 1e-5)
    ]
    assert sigma[0] == pytest.approx(0.04)
    assert sigma == sorted(sigma, reverse=True)
    assert sigma[3] == pytest.approx(brick_layer(0.04, 1e-5, 20.0), rel=0.35)


# ------------------------------------------------------------------------------------------- bridging to ceramics


@pytest.mark.parametrize("grain_size_nm", [200.0, 1000.0])
def test_dense_single_phase_ceramic_is_the_brick_layer(grain_size_nm):
    value = ceramic_conductivity(microstructure(), HOST, grain_size_nm)
    assert value == pytest.approx(1 / (1 / 0.04 + 2e-6 / (grain_size_nm * 1e-9)), rel=1e-12)


def test_ceramic_sees_voids_and_second_phases():
    dense = ceramic_conductivity(microstructure(), HOST)
    porous = ceramic_conductivity(microstructure(porosity=0.1), HOST)
    assert 0.6 * dense < porous < 0.9 / 1.0 * dense
    phase = ConductionParameters(0.04, 2e-6, {"AlPO4": 1e-10})
    assert ceramic_conductivity(microstructure(secondary={"AlPO4": 0.1}), phase) < 0.9 * dense
    whole = ceramic_conductivity(microstructure(secondary={"AlPO4": 1.0}), phase)
    assert whole == pytest.approx(1e-10, rel=1e-9)
    cut = ceramic_conductivity(microstructure(), HOST, n_cathode_rows=5, axis=1, boundary="periodic")
    assert cut == pytest.approx(dense)


def test_brick_layer_needs_a_size():
    with pytest.raises(InputError, match="grain size"):
        brick_layer(1.0, 0.0, 0.0)


@settings(max_examples=20, deadline=None)
@given(energy=st.floats(0.05, 1.0), prefactor=st.floats(1e-3, 1e6))
def test_activation_energy_of_an_arrhenius_law(energy, prefactor):
    T = np.array([273.15, 298.15, 323.15, 373.15])
    sigma = prefactor / T * np.exp(-energy / (BOLTZMANN_EV * T))
    assert effective_activation_energy(T, sigma) == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize(
    ("T", "sigma"),
    [([300.0], [1.0]), ([300.0, 300.0], [1.0, 1.0]), ([300.0, 310.0], [1.0, 0.0]), ([300.0, 310.0], [1.0])],
)
def test_activation_energy_needs_two_temperatures(T, sigma):
    with pytest.raises(InputError):
        effective_activation_energy(T, sigma)
