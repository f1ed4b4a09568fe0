"""Descriptors against known structures and profiles; the score against its table, its bounds and its signs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.descriptors import (
    ScoreWeights,
    cathode_layer_rows,
    degraded_thickness,
    interface_width,
    mean_linear_intercept,
    stability_score,
    void_fraction,
)
from dynaphase.electrolyte.microstructure import make_microstructure
from dynaphase.errors import InputError, SimulationError

# ------------------------------------------------------------------------------------------------ grain size


def test_intercept_of_stripes():
    labels = np.repeat(np.arange(5), 4)[:, None] * np.ones((1, 20), int)
    result = mean_linear_intercept(labels, 0.5)
    # 20 columns cross 4 boundaries each, the rows none: 2 · 400 cells of line over 80 crossings.
    assert result.n_crossings == 80
    assert result.mean_nm == pytest.approx(800 * 0.5 / 80)
    assert mean_linear_intercept(labels, 0.5, is_periodic=(True, True)).n_crossings == 100


def test_intercept_of_squares_is_their_edge():
    labels = np.kron(np.arange(16).reshape(4, 4), np.ones((8, 8), int))
    assert mean_linear_intercept(labels, 2.0, is_periodic=(True, True)).mean_nm == pytest.approx(16.0)


def test_a_void_counts_once_and_is_no_line():
    labels = np.zeros((10, 10), int)
    solid = np.ones((10, 10), bool)
    solid[4:6, 4:6] = False
    result = mean_linear_intercept(labels, 1.0, is_solid=solid)
    assert result.n_crossings == 4
    assert result.mean_nm == pytest.approx(2 * 96 / 4)


def test_single_crystal_is_censored():
    result = mean_linear_intercept(np.zeros((12, 8), int), 1.0)
    assert result.is_censored
    assert result.mean_nm == 12.0


def test_intercept_refuses_nonsense():
    with pytest.raises(SimulationError, match="no solid"):
        mean_linear_intercept(np.zeros((4, 4), int), 1.0, is_solid=np.zeros((4, 4), bool))
    with pytest.raises(InputError, match="same shape"):
        mean_linear_intercept(np.zeros((4, 4), int), 1.0, is_solid=np.ones((4, 5), bool))


def fresh_field(grain_size_nm, seed, porosity=0.04):
    """Initial intact fraction of the paper model, 0.5 % noise, 2 nm of cathode."""
    m = make_microstructure(
        (128, 128), 100 / 128, grain_size_nm=grain_size_nm, porosity=porosity, secondary={}, seed=seed
    )
    noise = 1 + 0.005 * np.random.default_rng(seed).standard_normal(m.density.shape)
    field = np.clip((1 - 0.15 * m.boundary - (1 - m.density)) * noise, 0, 1)
    field[-3:] = 0.0
    return field, m


# ------------------------------------------------------------------------------------------------ voids


def test_void_fraction_leaves_the_cathode_out():
    field = np.ones((10, 10))
    field[2:4, 2:5] = 0.05
    field[-2:] = 0.0
    assert void_fraction(field).fraction == pytest.approx(0.26)
    assert cathode_layer_rows(field) == 2
    result = void_fraction(field, n_cathode_rows=2)
    assert result.fraction == pytest.approx(6 / 80)
    assert result.n_cells == 80
    assert void_fraction(field, threshold=0.01, n_cathode_rows=2).fraction == 0.0


def test_void_fraction_of_a_made_structure_is_its_porosity():
    m = make_microstructure((64, 64), 1.5, grain_size_nm=20.0, porosity=0.07, secondary={}, seed=1)
    assert void_fraction(m.density, threshold=0.5).fraction == pytest.approx(0.07, abs=0.5 / 64**2)


def test_void_fraction_errors():
    with pytest.raises(SimulationError, match="no electrolyte"):
        void_fraction(np.ones((4, 4)), n_cathode_rows=4)
    with pytest.raises(SimulationError, match="not finite"):
        void_fraction(np.full((4, 4), np.nan))
    with pytest.raises(InputError, match="negative"):
        void_fraction(np.ones((4, 4)), n_cathode_rows=-1)


# ------------------------------------------------------------------------------------------------ interface


@pytest.mark.parametrize("scale_nm", [3.0, 8.0])
@pytest.mark.parametrize("plateau", [1.0, 0.9])
def test_width_of_a_tanh_front(scale_nm, plateau):
    """10–90 % of ½[1 + tanh(z/2λ)] is 2 ln 9 · λ = 4.394 λ."""
    x = (np.arange(256) + 0.5) * 0.5
    profile = plateau * 0.5 * (1 - np.tanh((x - 70.0) / (2 * scale_nm)))
    result = interface_width(profile, 0.5, plateau=plateau)
    assert result.width_nm == pytest.approx(4.394 * scale_nm, rel=0.01)
    assert not result.is_censored
    field = np.tile(profile[:, None], (1, 6))
    assert interface_width(field, 0.5, plateau=plateau).width_nm == pytest.approx(result.width_nm, rel=1e-12)


def test_width_of_a_ramp_is_interpolated():
    x = (np.arange(100) + 0.5) * 1.0
    profile = np.clip((100 - x) / 23.0, 0, 1)
    assert interface_width(profile, 1.0).width_nm == pytest.approx(0.8 * 23.0, rel=1e-12)


def test_width_is_censored_where_the_plateau_is_not_reached():
    x = (np.arange(50) + 0.5) * 2.0
    low = interface_width(0.5 * (100 - x) / 100, 2.0, plateau=1.0)
    assert low.is_censored
    assert low.width_nm == pytest.approx(80.0)
    none = interface_width(np.full(50, 0.05), 2.0, plateau=1.0)
    assert none.is_censored
    assert none.width_nm == 100.0


def test_width_errors_teach():
    with pytest.raises(SimulationError, match="positive intact plateau"):
        interface_width(np.zeros(20), 1.0)
    with pytest.raises(SimulationError, match="not finite"):
        interface_width(np.full(20, np.nan), 1.0)
    with pytest.raises(InputError, match="at least two cells"):
        interface_width(np.ones(1), 1.0)


def test_degraded_thickness_of_layers():
    extent = np.zeros((100, 4))
    extent[:20] = 1.0
    extent[-10:] = 0.4
    density = np.ones((100, 4))
    density[:, 1] = 0.0  # a void counts for nothing, whatever its χ
    extent[:, 1] = 1.0
    result = degraded_thickness(extent, density, 1.0)
    assert result.width_nm == pytest.approx(20 + 10, abs=1.0)
    assert not result.is_censored
    assert degraded_thickness(extent, density, 1.0, n_metal_rows=5).width_nm == pytest.approx(result.width_nm - 5)
    assert degraded_thickness(0.05 * extent, density, 1.0).width_nm == 0.0
    assert degraded_thickness(np.ones((10, 4)), np.ones((10, 4)), 1.0).is_censored


# ------------------------------------------------------------------------------------------------ score

TABLE = [
    (100, 0.0, 0, 97.6),
    (60, 0.005, 2, 95.2),
    (30, 0.02, 5, 86.6),
    (30, 0.05, 10, 72.3),
    (30, 0.05, 20, 55.6),
    (20, 0.10, 15, 53.7),
    (15, 0.15, 25, 35.9),
    (8, 0.25, 40, 20.2),
    (3, 0.40, 60, 10.3),
]
sizes, shares, widths = st.floats(0, 1e4), st.floats(0, 1), st.floats(0, 1e4)


@pytest.mark.parametrize(("d", "phi", "w", "score"), TABLE)
def test_score_table(d, phi, w, score):
    assert stability_score(d, phi, w) == pytest.approx(score, abs=0.1)


@settings(max_examples=100)
@given(sizes, shares, widths, st.floats(1, 3))
def test_score_is_bounded_and_monotone(d, phi, w, factor):
    base = stability_score(d, phi, w)
    assert 0 <= base <= 100
    slack = 1e-12 * base
    assert stability_score(d * factor, phi, w) >= base - slack
    assert stability_score(d, min(1.0, phi * factor), w) <= base + slack
    assert stability_score(d, phi, w * factor) <= base + slack


def test_each_descriptor_counts():
    assert stability_score(20, 0.05, 10) < stability_score(21, 0.05, 10)
    assert stability_score(20, 0.05, 10) < stability_score(20, 0.04, 10)
    assert stability_score(20, 0.05, 10) < stability_score(20, 0.05, 9)


@given(st.sampled_from([0, 1, 2]), st.floats(1, 100))
def test_half_values(which, half):
    """With all the weight on one descriptor, S = 50 at its half value."""
    exponents = tuple(float(k == which) for k in range(3))
    weights = ScoreWeights(half, half / 100, half, exponents)
    assert stability_score(half, half / 100, half, weights) == pytest.approx(50.0)


@pytest.mark.parametrize(
    "bad", [(-1, 0.1, 1), (1, -0.1, 1), (1, 0.1, -1), (np.nan, 0.1, 1), (1, 1.1, 1), (1, 0.1, np.nan)]
)
def test_score_refuses_nonsense(bad):
    with pytest.raises(InputError):
        stability_score(*bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"grain_size_nm": 0.0},
        {"void_fraction": np.nan},
        {"exponents": (0.5, 0.5, 0.5)},
        {"exponents": (-0.5, 0.5, 1.0)},
    ],
)
def test_weights_are_checked(bad):
    with pytest.raises(InputError):
        ScoreWeights(**bad)


def test_pores_and_boundaries_at_the_cathode_are_no_interface() -> None:
    depth = 100.0 - (np.arange(128) + 0.5) * 100 / 128
    C = np.repeat(0.8 * (1 - np.exp(-depth / 2.0))[:, None], 128, axis=1)
    clean = interface_width(C, 100 / 128)
    C[100:124, 10:60] = 0.05  # pores over 40 % of the rows next to the cathode
    C[:, 90:100] *= 0.6  # a boundary along x
    assert interface_width(C, 100 / 128).width_nm == pytest.approx(clean.width_nm, rel=0.01)
    assert clean.width_nm == pytest.approx(2.0 * np.log(9), rel=0.03)
