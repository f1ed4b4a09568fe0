"""The sweep: closed forms in a uniform ceramic, signs, chemistry, the sharp limit, connectedness."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.electrolyte.operation import (
    Sweep,
    connected_depth,
    critical_current_density,
    percolation_overpotential,
    rest,
    sharp_sweep,
    sweep,
)
from dynaphase.electrolyte.penetration import FrontParameters
from dynaphase.errors import ConfigError

FRONT = FrontParameters(10.0)
CHEMISTRY = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)
N = 64


def ceramic(**changes: object) -> Ceramic:
    """A slab of 50 nm, one straight boundary across it, no voids."""
    x = (np.arange(N) - 31.5) * 0.78125
    zone = np.broadcast_to(0.5 * (1 - np.tanh((np.abs(x) - 6.0) / 0.6)), (N, N)).copy()
    given: dict[str, object] = {
        "spacing_nm": 0.78125, "density": np.ones((N, N)), "boundary": np.zeros((N, N)), "boundary_zone": zone,
        "boundary_ratio": np.full((N, N), 0.35), "toughness_Pa_sqrt_m": 1.1e6, "flaw_size_m": 5e-6,
        "geometry_factor": 1.12, "surface_energy_J_per_m2": 0.4, "boundary_energy_J_per_m2": 0.8,
        "zone_width_nm": 12.0,
    }  # fmt: skip
    return Ceramic(**(given | changes))  # type: ignore[arg-type]


def test_a_uniform_ceramic_follows_the_closed_form() -> None:
    """cosh b(φ − η) = 1 + b s x/(2 v₀) for a planar front; the diffuse front is 2 % slow at this resolution."""
    uniform = ceramic(boundary_zone=np.zeros((N, N)), surface_energy_J_per_m2=0.0, boundary_energy_J_per_m2=0.0)
    eta = float(uniform.threshold_V()[0, 0])
    protocol = Sweep(lithium_nm=5.0)
    b, half = FRONT.b_per_V, 0.5 * (50.0 - 5.0)
    exact = eta + math.acosh(1 + b * protocol.rate_V_per_s * half / (2 * FRONT.velocity_nm_per_s)) / b
    # the floor of the surface energy costs Γ_min V_Li (2/w_m)/F on boundaries alone, and there are none
    diffuse, sharp = sweep(uniform, FRONT, None, protocol), sharp_sweep(uniform, FRONT, None, protocol)
    assert diffuse.half_V == pytest.approx(exact, rel=0.01)
    assert sharp.half_V == pytest.approx(exact, rel=0.01)
    assert percolation_overpotential(uniform, protocol) == pytest.approx(eta, rel=1e-12)


def test_a_fast_sweep_is_resolved_as_well() -> None:
    """50 mV in one second: the steps follow the potential, so that no event falls between two of them."""
    uniform = ceramic(boundary_zone=np.zeros((N, N)), surface_energy_J_per_m2=0.0, boundary_energy_J_per_m2=0.0)
    eta, quick, protocol = float(uniform.threshold_V()[0, 0]), FrontParameters(800.0), Sweep(duration_s=1.0)
    drive = quick.b_per_V * protocol.rate_V_per_s / (2 * quick.velocity_nm_per_s)
    found = sweep(uniform, quick, None, protocol)
    for potential, depth in ((found.onset_V, 5.0), (found.half_V, 0.5 * (50.0 - 5.0))):
        assert potential == pytest.approx(eta + math.acosh(1 + drive * depth) / quick.b_per_V, rel=0.02)


def test_the_boundary_decides_and_the_order_of_events_is_right() -> None:
    weak = ceramic()
    found = sweep(weak, FRONT, CHEMISTRY, until_short=True)
    assert found.onset_V is not None
    assert found.half_V is not None
    assert found.short_V is not None
    threshold = float((weak.threshold_V() + weak.tip_overpotential_V).min())
    assert percolation_overpotential(weak) == pytest.approx(threshold, rel=1e-9)
    assert threshold < found.onset_V < found.half_V < found.short_V < 0.0334
    assert found.lithium[40, 32] > 0.9
    assert found.lithium[40, 5] < 0.1


def test_signs() -> None:
    base = sweep(ceramic(), FRONT).half_V
    assert base is not None

    def half(changed: Ceramic, front: FrontParameters = FRONT, **options: object) -> float:
        found = sweep(changed, front, **options).half_V  # type: ignore[arg-type]
        assert found is not None
        return found

    assert half(ceramic(flaw_size_m=10e-6)) < base
    assert half(ceramic(boundary_ratio=np.full((N, N), 0.2))) < base
    assert half(ceramic(), replace(FRONT, exchange_current_A_per_m2=3.0)) > base
    assert half(ceramic(), protocol=Sweep(duration_s=3000.0)) < base
    voids = np.ones((N, N))
    voids[20:28, 28:36] = 0.0
    assert half(ceramic(density=voids)) < base
    assert half(ceramic(weakening=0.5), interphase=CHEMISTRY) < base
    # without weakening chemistry changes nothing: it is an assumption that the dynamics propagate
    assert half(ceramic(weakening=0.0), interphase=CHEMISTRY) == pytest.approx(base, rel=1e-12)


def test_sharp_sweep_follows_the_diffuse_one() -> None:
    for weakening in (0.0, 0.5):
        weak = ceramic(weakening=weakening)
        diffuse, sharp = sweep(weak, FRONT, CHEMISTRY).half_V, sharp_sweep(weak, FRONT, CHEMISTRY).half_V
        assert diffuse is not None
        assert sharp == pytest.approx(diffuse, rel=0.08)


def test_diffuse_and_sharp_fronts_agree_where_the_zone_is_twelve_widths() -> None:
    """λ = w_m/12: within 2 %; at λ = w_m/6 the overlapping flanks of the filament hold it back by several per cent."""
    for zone_nm, low, high in ((12.0, 0.98, 1.02), (6.0, 1.05, 1.12)):
        x = (np.arange(48) - 23.5) * 0.78125
        zone = np.broadcast_to(0.5 * (1 - np.tanh((np.abs(x) - 0.5 * zone_nm) / 0.6)), (72, 48)).copy()
        ones = np.ones((72, 48))
        weak = ceramic(
            density=ones, boundary=0 * ones, boundary_zone=zone, boundary_ratio=0.35 * ones, zone_width_nm=zone_nm
        )
        diffuse, sharp = sweep(weak, FRONT).half_V, sharp_sweep(weak, FRONT).half_V
        assert diffuse is not None
        assert sharp is not None
        assert low < diffuse / sharp < high


def test_a_strong_ceramic_is_censored() -> None:
    strong = ceramic(toughness_Pa_sqrt_m=2e7)
    for found in (sweep(strong, FRONT), sharp_sweep(strong, FRONT)):
        assert found.is_censored
        assert found.half_V is None
        assert found.short_V is None


def test_an_island_of_lithium_is_no_penetration() -> None:
    """Only lithium that hangs together with the anode counts, also across the periodic edge."""
    lithium = np.zeros((10, 8))
    lithium[:2] = 1.0
    lithium[6, 4] = 1.0
    assert connected_depth(lithium, 1.0) == pytest.approx(2.0)
    lithium[2:5, 0] = 1.0
    lithium[4:8, 7] = 1.0
    assert connected_depth(lithium, 1.0) == pytest.approx(8.0)


def test_rest_gives_the_interphase_at_the_times_asked_for() -> None:
    early, late = rest(ceramic(), CHEMISTRY, [100.0, 1000.0])
    assert 0 < early.sum() < late.sum()
    assert late[:, 0].sum() * 0.78125 == pytest.approx(18.6, abs=0.5)


def test_critical_current_density() -> None:
    """20 A/m² sinh(19.46 · 24.5 mV) = 9.9 A/m²."""
    assert critical_current_density(0.0245, FRONT) == pytest.approx(9.9, abs=0.05)


def test_errors() -> None:
    with pytest.raises(ConfigError, match="a sweep needs"):
        Sweep(potential_V=0.2)
    with pytest.raises(ConfigError, match="lithium_nm"):
        Sweep(lithium_nm=-1.0)
