"""Operation under current: Faraday's law, charge balance, rest, three regimes, a held potential."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.electrolyte import current
from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.contact import ReservoirContact
from dynaphase.electrolyte.current import (
    CurrentResult,
    Cycle,
    Galvanostatic,
    Potentiostatic,
    Ramp,
    Stripping,
    operate,
    ramp,
)
from dynaphase.electrolyte.drives import Drive
from dynaphase.electrolyte.interphase import Interphase, InterphaseParameters
from dynaphase.electrolyte.operation import start_metal
from dynaphase.electrolyte.penetration import FrontParameters, LithiumFront, lithium_slab
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


VOIDS = np.ones((N, N))
VOIDS[8:16, 18:30] = 0.02

CASES = {
    "flat front": (ceramic(boundary_zone=np.zeros((N, N)), toughness_Pa_sqrt_m=0.35e6), Galvanostatic(8.0), 25.0, 0.01),
    "filament": (ceramic(), Galvanostatic(8.0), 60.0, 0.01),
    "filament into voids": (ceramic(density=VOIDS), Galvanostatic(8.0), 50.0, 0.01),
    "all of the ceramic fails": (ceramic(), Galvanostatic(30.0), 15.0, 0.01),
    "ramp": (ceramic(), Ramp(20.0, 300.0), 220.0, 0.03),
    "held potential": (ceramic(), Potentiostatic(0.02), 60.0, 0.01),
    "with chemistry": (ceramic(weakening=0.5), Ramp(15.0, 100.0), 80.0, 0.03),
}


@pytest.mark.parametrize("name", CASES)
def test_charge_balance_and_faraday(name: str) -> None:
    """B3 and B5: lithium laid in the ceramic is the confined charge times V_Li/F; ampere by ampere none is lost.

    Voids are no exception, for their cells take up charge like any other (ρ_c = 1).  Where the current rises what the
    front does between two solves of the potential adds 2 %.
    """
    made, drive, seconds, tolerance = CASES[name]
    found = operate(made, FRONT, drive, conductivity, seconds, CHEMISTRY if name == "with chemistry" else None)
    is_held = isinstance(drive, Potentiostatic)
    assert np.max(found.imbalance) < (1e-5 if is_held else 1e-6)
    assert found.laid_nm > 1.0
    assert found.charge_nm == pytest.approx(found.laid_nm, rel=tolerance)


def test_charge_balance_with_other_numbers() -> None:
    """i₀, temperature, width of the front, conductivity and strength far from the defaults; B3 and B5 hold."""
    front = FrontParameters(2.0, 1.3, 350.0)
    poor = ceramic(toughness_Pa_sqrt_m=0.8e6, surface_energy_J_per_m2=0.5)
    found = operate(poor, front, Ramp(15.0, 60.0), lambda xi, chi: 1e-3 * conductivity(xi, chi), 60.0)
    assert np.max(found.imbalance) < 1e-6
    assert found.laid_nm > 1.0
    assert found.charge_nm == pytest.approx(found.laid_nm, rel=0.03)


@pytest.mark.parametrize("drive", [Galvanostatic(9.0), Ramp(18.0, 60.0), Cycle(9.0, 30.0, 30.0)])
def test_lithium_balance_of_the_chemistry(monkeypatch: pytest.MonkeyPatch, drive: Drive) -> None:
    """B10 while metal moves: what entered the electrolyte is held there as u + νχ, or was overrun by the metal."""
    models: list[Interphase] = []
    overrun = [0.0]
    set_lithium = Interphase.set_lithium

    def watched(model: Interphase, lithium: np.ndarray) -> None:
        if model not in models:
            models.append(model)
            set_lithium(model, lithium)
            return
        held = model.activity + 5.0 * model.extent
        newly = np.asarray(lithium) & ~models_metal[0]
        overrun[0] += float(held[newly].sum())
        models_metal[0] = np.asarray(lithium)
        set_lithium(model, lithium)

    models_metal = [start_metal(ceramic(), 5.0)]
    monkeypatch.setattr(Interphase, "set_lithium", watched)
    made, stripping = ceramic(weakening=0.5), Stripping() if isinstance(drive, Cycle) else None
    found = operate(made, FRONT, drive, conductivity, 60.0, CHEMISTRY, stripping=stripping)
    model = models[0]
    outside = ~models_metal[0]
    assert models_metal[0].sum() > start_metal(ceramic(), 5.0).sum() + 50
    held = float((model.activity + 5.0 * model.extent)[outside].sum())
    assert overrun[0] > 1.0
    assert held + overrun[0] == pytest.approx(model.influx, rel=1e-8)
    assert np.max(found.imbalance) < 1e-6


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


def test_a_ramp_gives_the_critical_currents_in_order() -> None:
    """2 i₀ sinh(bη_c) = 4.6 A/m² of the boundary < current at 10 nm < i₅₀ ≤ i_short."""
    found = ramp(ceramic(), FRONT, conductivity, current_A_per_m2=20.0, duration_s=300.0)
    early = found.run.current_at(10.0)
    assert early is not None
    assert found.half_A_per_m2 is not None
    assert found.short_A_per_m2 is not None
    assert 4.6 < early < found.half_A_per_m2 <= found.short_A_per_m2 < 20.0
    assert found.run.is_shorted
    assert found.run.current_at(1e3) is None
    low = ramp(ceramic(), FRONT, conductivity, current_A_per_m2=4.0, duration_s=30.0)
    assert low.half_A_per_m2 is None
    assert low.short_A_per_m2 is None


def test_a_held_potential() -> None:
    low = operate(ceramic(), FRONT, Potentiostatic(0.010), conductivity, 60.0)
    high = operate(ceramic(), FRONT, Potentiostatic(0.020), conductivity, 60.0)
    assert low.laid_nm < 0.1
    assert high.laid_nm > 1.0
    assert np.max(high.imbalance) < 1e-4
    assert high.depths_nm[-1] > 5.0


def cycle(current: float, **changes: object) -> CurrentResult:
    return operate(ceramic(**changes), FRONT, Cycle(current, 40.0, 40.0), conductivity, 80.0, stripping=Stripping())


def test_stripping_takes_a_filament_back_and_keeps_the_balance() -> None:
    """Lithium that plating laid in the ceramic leaves it again, ampere by ampere, down to what a void has cut off."""
    found = cycle(8.0)
    at = int(np.searchsorted(found.times_s, 40.0))
    peak, left = found.layers_nm[at], found.laid_nm
    assert found.times_s[at] == 40.0
    assert peak > 3.0
    assert 0.8 < found.stripped_fraction(40.0) < 1.0
    assert found.stripped_fraction(40.0) == pytest.approx(1 - left / peak)
    assert np.max(found.imbalance) < 1e-6
    # each way within 4 % of what moved
    assert abs(found.charge_nm - left) < 0.04 * (2 * peak - left)
    # the current that was passed is in the ceramic or in the reservoir
    passed = float(np.sum(found.currents_A_per_m2[:-1] * np.diff(found.times_s))) * 0.134735
    assert found.charge_nm + found.reservoir_nm == pytest.approx(passed, abs=1e-3)
    assert found.depths_nm[-1] < 0.2 * found.depths_nm[at]
    # cavities: what has left
    assert found.cavity.min() >= 0.0
    assert float(found.cavity.mean()) * 50.0 == pytest.approx(peak - left, rel=1e-6)


def test_without_the_option_lithium_stays() -> None:
    found = operate(ceramic(), FRONT, Cycle(8.0, 40.0, 40.0), conductivity, 80.0)
    assert np.all(np.diff(found.layers_nm) >= 0)
    assert found.stripped_fraction(40.0) == 0.0
    assert np.all(found.contact_fractions == 1.0)
    assert found.cavity.max() == 0.0


def test_an_island_cannot_be_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lithium without connection to the anode has no electrons to give: it stays, also next to a periodic edge."""
    made = ceramic()
    i, j = np.indices((N, N))
    away = np.minimum(j, N - j) * DX
    island = 0.5 * (1 - np.tanh((np.hypot((i - 35) * DX, away) - 6.0) / 2.0))
    finger = 0.5 * (1 - np.tanh((np.hypot(np.maximum(i - 15, 0) * DX, (j - 24) * DX) - 5.0) / 2.0))
    slab = lithium_slab((N, N), DX, 5.0, 1.0)

    def with_island(*given: object, **named: object) -> LithiumFront:
        return LithiumFront(FRONT, np.maximum(slab, np.maximum(island, finger)), DX)

    monkeypatch.setattr(current, "LithiumFront", with_island)
    cell = current._Cell(made, FRONT, conductivity, None, Stripping(), 5.0)
    for _ in range(40):
        found, terms = cell.solve(-8.0, None)
        cell.advance(cell.interval(found, terms), found)
        cell.react(0.0)
    assert not cell.can_leave[28:].any()
    assert np.array_equal(cell.lithium[28:], np.maximum(island, finger)[28:])
    assert cell.lithium[8:26, 18:30].sum() < 0.5 * finger[8:26, 18:30].sum()


def test_contact_is_lost_as_metal_recedes_and_comes_back() -> None:
    """g = (V_Li/F)(i − i_r)t, θ = exp(−g/g₀); under i_r nothing opens; plating closes the gap."""
    contact = ReservoirContact(Stripping(2.0, 10.0), (3,))
    rest, slow, fast = 0.0, -1.5, -12.0
    contact.advance(50.0, np.array([rest, slow, fast]))
    assert contact.fraction[:2].tolist() == [1.0, 1.0]
    assert contact.fraction[2] == pytest.approx(np.exp(-0.134735 * 10.0 * 50.0 / 10.0), rel=1e-4)
    contact.advance(50.0, np.full(3, 12.0))
    assert contact.gap_nm.tolist() == [0.0, 0.0, 0.0]


def test_stripping_without_filaments_costs_contact_alone() -> None:
    """Below the threshold nothing is confined; beyond i_r θ falls as in the closed form, and the potential rises."""
    found = cycle(4.0)
    assert found.laid_nm == 0.0
    assert found.stripped_fraction(40.0) == 1.0
    exact = np.exp(-0.134735 * (4.0 - 2.0) * (found.times_s[-1] - 40.0) / 10.0)
    assert found.contact_fractions[-1] == pytest.approx(exact, rel=0.02)
    stripping = found.cathode_V[found.times_s > 40.0]
    assert np.all(np.diff(stripping) < 0)
    assert stripping[-1] < 1.2 * stripping[0]


def test_a_lost_contact_ends_the_run() -> None:
    found = operate(ceramic(), FRONT, Cycle(8.0, 10.0, 500.0), conductivity, 510.0, stripping=Stripping(0.0, 2.0, 0.06))
    assert found.times_s[-1] < 200.0
    assert found.cathode_V[-1] < -0.06
    assert np.all(found.cathode_V[:-1] >= -0.06)


def test_a_path_that_was_opened_opens_again_at_once() -> None:
    """Lithium that was plated and stripped goes deeper in the first seconds of the next plating: nothing heals."""
    drive = Cycle(8.0, 20.0, 8.0)
    found = operate(ceramic(), FRONT, drive, conductivity, 34.0, stripping=Stripping(20.0))
    first, stripped, second = np.interp((6.0, 28.0, 34.0), found.times_s, found.layers_nm)
    assert second - stripped > 1.5 * first
    assert np.all(found.contact_fractions == 1.0)


def test_a_cycle_changes_sign_on_time() -> None:
    drive = Cycle(3.0, 10.0, 20.0)
    assert [drive.current(t) for t in (0.0, 9.9, 10.0, 29.9, 30.0)] == [3.0, 3.0, -3.0, -3.0, 3.0]
    assert [drive.next_jump(t) for t in (0.0, 10.0, 30.0, 39.0)] == [10.0, 30.0, 40.0, 40.0]


def test_errors() -> None:
    with pytest.raises(ConfigError, match="duration"):
        run(1.0, 0.0)
    with pytest.raises(ConfigError, match="plate_s"):
        Cycle(1.0, 0.0, 1.0)
    for options, name in (((-1.0,), "replenishment"), ((2.0, 0.0), "contact_depth"), ((2.0, 1.0, 0.0), "cutoff")):
        with pytest.raises(ConfigError, match=name):
            Stripping(*options)
