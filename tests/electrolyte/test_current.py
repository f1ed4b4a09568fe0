"""Operation under current: Faraday's law, charge balance, rest, three regimes, a held potential."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.current import CurrentResult, Galvanostatic, Potentiostatic, Ramp, operate
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.electrolyte.penetration import FrontParameters
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

N, DX = 48, 100 / 96
FRONT = FrontParameters(10.0, 1.0)
CHEMISTRY = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)


def ceramic(**changes: object) -> Ceramic:
    """50 nm with one straight weak boundary, 12 nm wide."""
    x = (np.arange(N) - 23.5) * DX
    zone = np.broadcast_to(0.5 * (1 - np.tanh((np.abs(x) - 6.0) / 0.6)), (N, N)).copy()
    given: dict[str, object] = {
        "spacing_nm": DX, "density": np.ones((N, N)), "boundary": zone, "boundary_zone": zone,
        "boundary_ratio": np.full((N, N), 0.35), "toughness_Pa_sqrt_m": 1.1e6, "flaw_size_m": 5e-6,
        "geometry_factor": 1.12, "surface_energy_J_per_m2": 0.4, "boundary_energy_J_per_m2": 0.8,
        "zone_width_nm": 12.0,
    }  # fmt: skip
    return Ceramic(**(given | changes))  # type: ignore[arg-type]


def conductivity(lithium: FloatArray, extent: FloatArray) -> FloatArray:
    h = lithium**2 * (3 - 2 * lithium)
    return np.asarray(h * 1e-3 + (1 - h) * (0.03 * (1 - extent) + 1e-4 * extent))


def run(current: float, seconds: float = 120.0, **changes: object) -> CurrentResult:
    return operate(ceramic(**changes), FRONT, Galvanostatic(current), conductivity, seconds)


def test_charge_balance_and_faraday() -> None:
    """Lithium laid in the ceramic is the confined charge times V_Li/F, within the splitting error."""
    found = run(8.0)
    assert np.max(found.imbalance) < 1e-6
    assert found.laid_nm > 2.0
    assert found.charge_nm == pytest.approx(found.laid_nm, rel=0.08)


def test_voids_take_no_lithium_without_charge() -> None:
    density = np.ones((N, N))
    density[8:16, 18:30] = 0.02
    found = run(8.0, 60.0, density=density)
    assert found.laid_nm > 1.0
    assert found.charge_nm == pytest.approx(found.laid_nm, rel=0.1)


def test_three_regimes() -> None:
    """Below the threshold of the boundary the interface stays plane; above, depth grows with the current."""
    plane, shallow, deep = run(2.0), run(6.0), run(15.0)
    assert plane.laid_nm < 0.3
    assert plane.confined_A_per_m2[-1] < 0.02 * 2.0
    assert plane.depths_nm[-1] < 2.0
    assert 5.0 < shallow.depths_nm[-1] < deep.depths_nm[-1]
    assert not shallow.is_shorted
    assert deep.is_shorted


def test_nothing_happens_without_current_and_chemistry() -> None:
    found = run(0.0, 40.0)
    assert found.laid_nm == 0.0
    assert np.max(np.abs(found.cathode_V)) < 1e-12
    assert np.all(found.extent == 0.0)


def test_rest_with_chemistry_is_chemistry_alone() -> None:
    found = operate(ceramic(), FRONT, Galvanostatic(0.0), conductivity, 100.0, CHEMISTRY)
    assert found.laid_nm == 0.0
    assert found.extent.sum() > 10


def test_a_ramp_reaches_the_boundary_at_a_current_near_its_threshold() -> None:
    """The current at which lithium is 10 nm inside lies above 2 i₀ sinh(bη_c) = 4.6 A/m² of the boundary."""
    found = operate(ceramic(), FRONT, Ramp(20.0, 400.0), conductivity, 400.0)
    at_depth = found.current_at(10.0)
    assert at_depth is not None
    assert 4.6 < at_depth < 9.0
    assert found.current_at(1e3) is None


def test_a_held_potential() -> None:
    low = operate(ceramic(), FRONT, Potentiostatic(0.010), conductivity, 60.0)
    high = operate(ceramic(), FRONT, Potentiostatic(0.020), conductivity, 60.0)
    assert low.laid_nm < 0.1
    assert high.laid_nm > 1.0
    assert np.max(high.imbalance) < 1e-4
    assert high.depths_nm[-1] > 5.0


def test_errors() -> None:
    with pytest.raises(ConfigError, match="duration"):
        run(1.0, 0.0)
