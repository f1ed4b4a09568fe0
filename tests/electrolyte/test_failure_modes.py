"""Ways in which a phase field of penetration goes wrong; every one was met, and each cure is taken away once here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.electrolyte import penetration
from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.current import Galvanostatic, operate
from dynaphase.electrolyte.grains import boundary_zone
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.electrolyte.operation import rest, sweep
from dynaphase.electrolyte.penetration import FrontParameters, LithiumFront, lithium_slab
from dynaphase.electrolyte.potential import IonicPotential, contact_mask
from dynaphase.phasefield.operators import FloatArray

N, DX = 64, 100 / 128
FRONT = FrontParameters(10.0)
GRAIN_V = 0.0334
"""η_c of a grain of the ceramic below."""
DISTANCE = np.broadcast_to(np.abs(np.arange(N) - 31.5) * DX, (N, N))


def ceramic(zone: FloatArray, **changes: object) -> Ceramic:
    """50 nm with one straight weak boundary."""
    given: dict[str, object] = {
        "spacing_nm": DX, "density": np.ones((N, N)), "boundary": zone, "boundary_zone": zone,
        "boundary_ratio": np.full((N, N), 0.35), "toughness_Pa_sqrt_m": 1.1e6, "flaw_size_m": 5e-6,
        "geometry_factor": 1.12, "surface_energy_J_per_m2": 0.4, "boundary_energy_J_per_m2": 0.8,
        "zone_width_nm": 6.0,
    }  # fmt: skip
    return Ceramic(**(given | changes))  # type: ignore[arg-type]


def half_V(made: Ceramic) -> float:
    found = sweep(made, FRONT).half_V
    assert found is not None
    return found


@pytest.mark.parametrize(("restoring", "is_pulled"), [(penetration.RESTORING, False), (2.0, True)])
def test_pulled_front(monkeypatch: pytest.MonkeyPatch, restoring: float, is_pulled: bool) -> None:
    """With L_r below 3 L_η 2 sinh(bΔη) the state ξ = 0 is unstable: a haze ahead of a front runs off with it."""
    monkeypatch.setattr(penetration, "RESTORING", restoring)
    haze = np.maximum(lithium_slab((128, 4), DX, 20.0, 1.0), 1e-3)
    front = LithiumFront(FRONT, haze, DX)
    speed = FRONT.velocity_nm_per_s * 2 * math.sinh(FRONT.b_per_V * 0.02)
    front.advance(30.0 / speed, 0.02, 0.0)
    gained = float((front.lithium - haze)[:, 0].sum()) * DX
    assert (gained > 60.0) == is_pulled
    assert (gained == pytest.approx(30.0, rel=0.03)) != is_pulled
    assert (front.lithium[-1].max() > 0.9) == is_pulled


@pytest.mark.parametrize(("boundary_energy", "is_blocked"), [(0.8, False), (0.0, True)])
def test_filament_blocked_by_the_capillarity_of_its_tip(boundary_energy: float, is_blocked: bool) -> None:
    """Γ = 0.4 J/m² holds back a tip of 3 nm by 18 mV.  Lithium on a boundary gains half of the boundary's energy, so Γ
    is lower there: without that the grains fail before the boundary opens.
    """
    zone = boundary_zone(DISTANCE, 6.0)
    made = ceramic(zone, boundary_energy_J_per_m2=boundary_energy)
    assert float(made.effective_surface_energy.min()) == pytest.approx(0.4 if is_blocked else 0.04, rel=1e-2)
    assert (half_V(made) > GRAIN_V) == is_blocked


@pytest.mark.parametrize("is_flat", [True, False])
def test_filament_blocked_by_a_zone_narrower_than_the_front(is_flat: bool) -> None:
    """A front 4.4 nm wide sees a sech² zone of 2.7 nm on average and gets stuck; a flat 6 nm does not stop it."""
    zone = boundary_zone(DISTANCE, 6.0) if is_flat else 1.0 / np.cosh(DISTANCE * 1.7627 / 2.7) ** 2
    if is_flat:
        assert zone[0, DISTANCE[0] < 2.0].min() > 0.95
    assert (half_V(ceramic(zone)) < GRAIN_V) == is_flat


@pytest.mark.parametrize("has_threshold", [True, False])
def test_flanks_of_a_filament_swallow_the_current(has_threshold: bool) -> None:
    """Confined lithium plates only above η_c; without that the flanks take most of the current and lower φ."""
    shape = (N, N)
    slab = lithium_slab(shape, DX, 8.0, 1.0)
    filament = slab.copy()
    filament[:45] = np.maximum(slab[:45], 0.5 * (1 - np.tanh((DISTANCE[:45] - 3.0) / 2.0)))
    made = ceramic(np.zeros(shape))
    front = LithiumFront(FRONT, filament, DX, made.effective_surface_energy)
    threshold = made.threshold_V() if has_threshold else np.zeros(shape)
    barrier, restoring, *_ = front.terms(np.full(shape, 0.02), threshold)
    h = filament**2 * (3 - 2 * filament)
    solver = IonicPotential(FRONT, contact_mask(shape, DX, 8.0, 1.0), DX)
    found = solver.solve(filament, barrier, restoring, 1e-3 * h + 0.03 * (1 - h), current_A_per_m2=8.0)
    assert (found.confined == 0.0) == has_threshold
    assert (found.confined > 3.0) != has_threshold


def test_a_filament_grows_at_its_tip_and_not_at_its_flanks() -> None:
    """The same under current: in a grain that holds, the filament keeps to its zone."""
    made = ceramic(boundary_zone(DISTANCE, 12.0), zone_width_nm=12.0)

    def conductivity(lithium: FloatArray, extent: FloatArray) -> FloatArray:
        h = lithium**2 * (3 - 2 * lithium)
        return np.asarray(1e-3 * h + 0.03 * (1 - h))

    found = operate(made, FRONT, Galvanostatic(8.0), conductivity, 50.0)
    assert found.depths_nm[-1] > 15.0
    assert found.lithium[14:, DISTANCE[0] > 9.0].max() < 0.05


def test_width_of_the_interphase_measured_after_a_short() -> None:
    """The rest run gives one width to ceramics that differ in strength alone; the end of a sweep does not.

    After the short circuit the interphase has been overrun, and a weak ceramic, shorted early, looks inert.
    """
    chemistry = InterphaseParameters(1.5, 0.03, 0.75, 0.02, 5.0)
    zone = boundary_zone(DISTANCE, 12.0)
    resting, swept = [], []
    for flaw in (20e-6, 5e-6):
        made = ceramic(zone, flaw_size_m=flaw, zone_width_nm=12.0)
        resting.append(float(rest(made, chemistry, [1000.0])[0].mean()) * 50.0)
        swept.append(float(sweep(made, FRONT, chemistry, until_short=True).extent.mean()) * 50.0)
    assert resting[0] == resting[1] > 15.0
    assert swept[0] < 0.9 * swept[1]
    assert max(swept) < 0.8 * resting[0]
