"""Time series of the rest: closed forms of a plane layer, order of bounds, homogenization at the end."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.electrolyte.aging import decomposed_thickness, rest_series, row_resistance
from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.conduction import homogenize
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

N, DX = 64, 100 / 128
CHEMISTRY = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)
TIMES = np.linspace(100.0, 1000.0, 10)


def ceramic(boundary: FloatArray, density: FloatArray) -> Ceramic:
    return Ceramic(
        spacing_nm=DX, density=density, boundary=boundary, boundary_zone=boundary,
        boundary_ratio=np.full(boundary.shape, 0.35), toughness_Pa_sqrt_m=1.1e6, flaw_size_m=5e-6, geometry_factor=1.12,
        surface_energy_J_per_m2=0.4, boundary_energy_J_per_m2=0.8,
    )  # fmt: skip


def conductivity(extent: FloatArray) -> FloatArray:
    return np.asarray(0.03 * (1 - extent) + 1e-4 * extent)


def test_a_layer_of_known_thickness() -> None:
    """5 nm at 1e-4 S/m in 50 nm at 0.03 S/m: L_int = 5 nm, R_int = 5 nm (1/1e-4 − 1/0.03)."""
    extent = np.zeros((100, 7))
    extent[20:30] = 1.0
    density = np.full((100, 7), 0.9)
    density[22, :3] = 0.0
    assert decomposed_thickness(extent, density, 0.5) == pytest.approx(5.0)
    added = row_resistance(conductivity(extent), 0.5) - row_resistance(conductivity(0 * extent), 0.5)
    assert added == pytest.approx(5e-9 * (1e4 - 1 / 0.03))


def test_series_in_a_single_crystal() -> None:
    """Rows are all there is: R_int of the series is that of a homogenization, L_int rises by a fading rate."""
    made = ceramic(np.zeros((N, 6)), np.ones((N, 6)))
    found = rest_series(made, CHEMISTRY, conductivity, TIMES)
    assert found.times_s.tolist() == TIMES.tolist()
    gained = np.diff(found.thickness_nm, prepend=0.0)
    assert np.all(gained > 0)
    assert np.all(np.diff(found.resistance_ohm_m2) > 0)
    assert gained[-1] < 0.8 * gained[2]
    fresh, aged = (homogenize(conductivity(chi), DX) for chi in (0 * found.extent, found.extent))
    exact = aged.area_specific_resistance_ohm_m2 - fresh.area_specific_resistance_ohm_m2
    assert found.resistance_ohm_m2[-1] == pytest.approx(exact, rel=1e-6)


def test_rows_bound_the_resistance_from_below() -> None:
    """Boundaries corrode first: current has to go round, which rows do not see."""
    distance = np.abs(np.arange(24) - 11.5) * DX
    boundary = np.broadcast_to(1 / np.cosh(distance) ** 2, (N, 24)).copy()
    density = np.ones((N, 24))
    density[20:30, 3:8] = 0.02
    made = ceramic(boundary, density)

    def with_voids(extent: FloatArray) -> FloatArray:
        return np.asarray(density * conductivity(extent) + (1 - density) * 1e-7)

    found = rest_series(made, CHEMISTRY, with_voids, TIMES)
    aged = homogenize(with_voids(found.extent), DX).area_specific_resistance_ohm_m2
    assert row_resistance(with_voids(found.extent), DX) < aged
    assert np.all(np.diff(found.resistance_ohm_m2) > 0)


def test_errors() -> None:
    made = ceramic(np.zeros((N, 4)), np.ones((N, 4)))
    for times in ([], [0.0, 1.0], [2.0, 1.0]):
        with pytest.raises(ConfigError, match="times of a rest"):
            rest_series(made, CHEMISTRY, conductivity, times)
