"""Electronic leakage: closed forms of a plane, the bound of the supply, the way it opens, the limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.leakage import ElectronicLeakage, LeakageParameters
from dynaphase.electrolyte.operation import sweep
from dynaphase.electrolyte.penetration import FrontParameters, lithium_slab
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

N, DX = 64, 100 / 128
FRONT = FrontParameters(10.0)
LEAK = LeakageParameters(1e-7, 4.0, 500e-6)
SLAB = lithium_slab((N, N), DX, 5.0, 1.0)
FIRST_NM = 6 * DX
"""The metal ends here: six rows have ξ ≥ ½."""


def ceramic(zone: FloatArray, **changes: object) -> Ceramic:
    given: dict[str, object] = {
        "spacing_nm": DX, "density": np.ones((N, N)), "boundary": zone, "boundary_zone": zone,
        "boundary_ratio": np.full((N, N), 0.35), "toughness_Pa_sqrt_m": 1.1e6, "flaw_size_m": 5e-6,
        "geometry_factor": 1.12, "surface_energy_J_per_m2": 0.4, "boundary_energy_J_per_m2": 0.8,
    }  # fmt: skip
    return Ceramic(**(given | changes))  # type: ignore[arg-type]


def layer() -> FloatArray:
    """A weak plane from row 40 on, parallel to the electrode."""
    zone = np.zeros((N, N))
    zone[40:44] = 1.0
    return zone


def wire() -> FloatArray:
    """A weak boundary across."""
    return np.broadcast_to(0.5 * (1 - np.tanh((np.abs(np.arange(N) - 31.5) * DX - 6.0) / 0.6)), (N, N)).copy()


@pytest.mark.parametrize("sigma", [1e-11, 1e-9, 1e-7])
def test_a_plane_takes_what_the_electrolyte_carries(sigma: float) -> None:
    """i = σ_e(φ − η_c)/ℓ: sites are fast, so the current is that of a resistor from the metal to the plane."""
    made = ceramic(layer())
    leak = ElectronicLeakage(replace(LEAK, electronic_S_per_m=sigma, cell_voltage_V=0.0), FRONT, made)
    threshold = made.threshold_V()
    leak.advance(1e-6, 0.030, SLAB, threshold)
    drive = 0.030 - threshold[41, 0]
    exact = sigma * drive / ((40.5 * DX - FIRST_NM) * 1e-9)
    assert leak.internal_A_per_m2 == pytest.approx(exact, rel=0.06)
    assert leak.potential[45:].min() == pytest.approx(drive, rel=0.05)


@pytest.mark.parametrize("voltage", [0.0, 30.0, 80.0])
def test_electrons_that_cross_are_not_there_for_the_sites(voltage: float) -> None:
    """σ_e(φ − η_c)/ℓ leaves the anode; σ_e U/L_cell of it goes on to the far side, at a higher potential."""
    made = ceramic(layer())
    leak = ElectronicLeakage(LeakageParameters(1e-9, voltage, 500e-6), FRONT, made)
    threshold = made.threshold_V()
    leak.advance(1e-6, 0.030, SLAB, threshold)
    drive = 0.030 - threshold[41, 0]
    exact = 1e-9 * drive / ((40.5 * DX - FIRST_NM) * 1e-9)
    assert leak.current_A_per_m2 == pytest.approx(exact, rel=0.06)
    assert leak.through_A_per_m2 == pytest.approx(1e-9 * voltage / 500e-6)
    rise = leak.potential[-1, 0] - leak.potential[44, 0]
    assert rise == pytest.approx(voltage * 19 * DX * 1e-9 / 500e-6, rel=1e-3, abs=1e-9)


def test_faraday() -> None:
    """Lithium laid inside is V_Li/F times the charge, cell by cell."""
    leak = ElectronicLeakage(LEAK, FRONT, ceramic(layer()))
    leak.advance(30.0, 0.030, SLAB, ceramic(layer()).threshold_V())
    assert leak.deposit.max() < 1.0
    assert leak.deposit_nm == pytest.approx(leak.internal_A_per_m2 * 30.0 * 0.134735, rel=1e-5)


@pytest.mark.parametrize("zone", [layer(), wire()])
@pytest.mark.parametrize("sigma", [1e-9, 1e-7, 1e-5])
def test_the_supply_bounds_the_internal_current(zone: FloatArray, sigma: float) -> None:
    """Before a plane no more than σ_e U/ℓ comes, U the largest φ − η_c and ℓ the least distance of a site."""
    made = ceramic(zone)
    leak = ElectronicLeakage(replace(LEAK, electronic_S_per_m=sigma), FRONT, made)
    leak.advance(1e-6, 0.030, SLAB, made.threshold_V())
    bound = sigma * float((0.030 - made.threshold_V()).max()) / ((made.zone_width_nm - DX) * 1e-9)
    assert 0 < leak.internal_A_per_m2 <= bound


def test_without_sites_electrons_cross() -> None:
    """φ_e rises to U L/L_cell, σ_e U/L_cell goes through, and nothing is laid below the threshold."""
    made = ceramic(layer())
    leak = ElectronicLeakage(LEAK, FRONT, made)
    leak.advance(100.0, 0.010, SLAB, made.threshold_V())
    assert leak.deposit.max() == 0.0
    assert leak.internal_A_per_m2 == 0.0
    assert leak.current_A_per_m2 == pytest.approx(1e-7 * 4.0 / 500e-6)


def test_voids_are_sites_and_other_lithium_is_not() -> None:
    density = np.ones((N, N))
    density[30:36, 20:30] = 0.02
    made = ceramic(np.zeros((N, N)), density=density)
    leak = ElectronicLeakage(LEAK, FRONT, made)
    leak.advance(10.0, 0.005, SLAB, made.threshold_V())
    assert leak.deposit[density < 0.5].max() > 0
    assert leak.deposit[density == 1.0].max() == 0.0
    overrun = ElectronicLeakage(LEAK, FRONT, made)
    overrun.advance(10.0, 0.005, lithium_slab((N, N), DX, 45.0, 1.0), made.threshold_V())
    assert overrun.deposit.max() == 0.0


def test_deposits_open_the_way() -> None:
    """In a sweep leakage lowers η₅₀, the more the more σ_e; nothing changes as σ_e → 0 or without the option."""
    made = ceramic(wire(), zone_width_nm=12.0)
    closed = sweep(made, FRONT)
    assert closed.half_V is not None
    assert (closed.leakage_A_per_m2, closed.internal_nm) == (0.0, 0.0)
    halves = []
    for sigma in (1e-14, 1e-7, 1e-6):
        found = sweep(made, FRONT, leakage=replace(LEAK, electronic_S_per_m=sigma))
        assert found.half_V is not None
        assert found.leakage_A_per_m2 > 0
        halves.append(found.half_V)
    assert halves[0] == pytest.approx(closed.half_V, rel=1e-6)
    assert halves[2] < halves[1] < halves[0]


def test_errors() -> None:
    bad = ((0.0, 4.0, 1e-4), "electronic"), ((1e-7, -1.0, 1e-4), "voltage"), ((1e-7, 4.0, 0.0), "thickness")
    for values, name in bad:
        with pytest.raises(ConfigError, match=name):
            LeakageParameters(*values)
