"""The lithium front: speed, width, threshold, capillarity, irreversibility, twin, the sharp limit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.electrolyte.eikonal import arrival_times
from dynaphase.electrolyte.penetration import FrontParameters, LithiumFront, fracture_threshold, lithium_slab
from dynaphase.errors import ConfigError

DX = 100 / 128


def planar(width: float, dx: float, phi: float) -> tuple[float, float]:
    """Speed over theory and 10–90 width over 4.394 λ of a planar front."""
    parameters = FrontParameters(10.0, width)
    front = LithiumFront(parameters, lithium_slab((round(100 / dx), 2), dx, 20.0, width), dx)
    exact = parameters.velocity_nm_per_s * 2 * math.sinh(parameters.b_per_V * phi)
    front.advance(15.0 / exact, phi, 0.0)
    before = front.lithium[:, 0].sum() * dx
    front.advance(40.0 / exact, phi, 0.0)
    profile = front.lithium[:, 0]
    x = (np.arange(profile.size) + 0.5) * dx
    rise = np.interp(-0.1, -profile, x) - np.interp(-0.9, -profile, x)
    return (profile.sum() * dx - before) / 40.0, rise / (4.394 * width)


@pytest.mark.parametrize("phi", [0.005, 0.02, 0.06])
def test_speed_and_width_of_a_planar_front(phi: float) -> None:
    """v = (V_Li i₀/F) 2 sinh(bφ) and 4.394 λ, at the default resolution and at twice that."""
    speed, width = planar(1.0, DX, phi)
    assert speed == pytest.approx(1.0, abs=0.02)
    assert width == pytest.approx(1.0, abs=0.05)
    finer, _ = planar(1.0, 0.5 * DX, phi)
    assert abs(finer - 1) < abs(speed - 1)


def test_lithium_that_may_leave_goes_back_at_the_same_speed() -> None:
    """φ < 0: v = (V_Li i₀/F) 2 sinh(bφ), width kept, no threshold in the way; without permission it stays."""
    parameters = FrontParameters(10.0)
    shape = (128, 2)
    front = LithiumFront(parameters, lithium_slab(shape, DX, 80.0, 1.0), DX)
    exact = parameters.velocity_nm_per_s * 2 * math.sinh(parameters.b_per_V * 0.02)
    start = front.lithium
    front.advance(15.0 / exact, -0.02, 0.03)
    assert np.array_equal(front.lithium, start)
    front.let_leave(np.ones(shape))
    front.advance(15.0 / exact, -0.02, 0.03)
    before = front.lithium[:, 0].sum() * DX
    front.advance(40.0 / exact, -0.02, 0.03)
    profile = front.lithium[:, 0]
    x = (np.arange(128) + 0.5) * DX
    rise = np.interp(-0.1, -profile, x) - np.interp(-0.9, -profile, x)
    assert (before - profile.sum() * DX) / 40.0 == pytest.approx(1.0, abs=0.02)
    assert rise / 4.394 == pytest.approx(1.0, abs=0.05)
    assert profile.min() >= 0.0


def test_exchange_velocity() -> None:
    """1 A/m² of lithium is 0.1347 nm/s; b = F/(2RT) = 19.46/V at 298.15 K."""
    parameters = FrontParameters(1.0)
    assert parameters.velocity_nm_per_s == pytest.approx(0.1347, abs=1e-4)
    assert parameters.b_per_V == pytest.approx(19.46, abs=0.01)


def test_no_motion_below_the_threshold() -> None:
    start = lithium_slab((64, 8), DX, 10.0, 1.0)
    front = LithiumFront(FrontParameters(10.0), start, DX)
    front.advance(1000.0, 0.0119, 0.012)
    assert np.array_equal(front.lithium, start)
    front.advance(100.0, 0.0125, 0.012)
    assert front.lithium.sum() > start.sum() + 5


def test_threshold_of_a_weak_boundary() -> None:
    """K = 0.35·1.1 MPa√m, a = 5 µm: 11.7 mV, so i_c = 2 i₀ sinh(bη_c) = 4.6 A/m² at i₀ = 10 A/m²."""
    eta = fracture_threshold(
        toughness_Pa_sqrt_m=1.1e6,
        boundary_ratio=0.35,
        boundary_zone=np.array([0.0, 1.0]),
        flaw_size_m=5e-6,
        density=np.array([1.0, 1.0]),
    )
    assert eta[0] == pytest.approx(0.0334, abs=1e-4)
    assert eta[1] == pytest.approx(0.0117, abs=1e-4)
    assert 20 * math.sinh(19.46 * eta[1]) == pytest.approx(4.6, abs=0.05)


def test_what_else_moves_the_threshold() -> None:
    def eta(**changes: object) -> float:
        given: dict[str, object] = {
            "toughness_Pa_sqrt_m": 1e6,
            "boundary_ratio": 0.4,
            "boundary_zone": 0.0,
            "flaw_size_m": 5e-6,
        }
        return float(fracture_threshold(**(given | changes)))  # type: ignore[arg-type]

    fresh = eta()
    assert eta(density=0.0) == 0.0
    assert eta(density=0.5) == pytest.approx(0.25 * fresh)
    assert eta(extent=1.0, weakening=0.5) == pytest.approx(0.5 * fresh)
    assert eta(flaw_size_m=10e-6) == pytest.approx(fresh / math.sqrt(2))
    assert eta(inclusions={2.0: 1.0}) == pytest.approx(2.0 * fresh)
    assert eta(inclusions={2.0: 0.0}) == pytest.approx(fresh)


def test_capillarity_holds_a_narrow_tip_back() -> None:
    """A disc of radius R grows above Γ V_Li/(F R), 10.8 mV for Γ = 0.4 J/m² and 5 nm; well below, it does not.

    The foot of the profile lies at a larger radius, so between the two it creeps.
    """
    i, j = np.indices((64, 64))
    distance = np.hypot(i - 31.5, j - 31.5) * 0.5
    start = 0.5 * (1 - np.tanh((distance - 5.0) / 2.0))
    needed = 0.4 * 1.3e-5 / 96485.33 / 5e-9
    assert needed == pytest.approx(0.0108, abs=1e-4)
    for phi, grows in ((0.6 * needed, False), (1.3 * needed, True)):
        front = LithiumFront(FrontParameters(10.0), start, 0.5, 0.4)
        front.advance(1.0, phi, 0.0)
        first = front.lithium.sum()
        front.advance(4.0, phi, 0.0)
        assert (front.lithium.sum() > first + 5) == grows


def test_lithium_never_retreats() -> None:
    random = np.random.default_rng(0)
    start = np.clip(lithium_slab((48, 24), DX, 10.0, 1.0) + 0.05 * random.standard_normal((48, 24)), 0, 1)
    front = LithiumFront(FrontParameters(10.0), start, DX, 0.4)
    before = front.lithium
    for _ in range(5):
        front.advance(4.0, 0.02, random.uniform(0.0, 0.03, start.shape))
        after = front.lithium
        assert np.all(after >= before)
        before = after
    assert before.max() <= 1.0


@pytest.mark.parametrize("shape", [(14, 11), (9, 8, 7)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("lowest_V", [0.01, -0.03])
def test_compiled_step_is_the_reference_step(shape: tuple[int, ...], signed: bool, lowest_V: float) -> None:
    random = np.random.default_rng(1)
    start = np.clip(lithium_slab(shape, 0.8, 4.0, 1.5) + 0.1 * random.uniform(-1, 1, shape), 0.01, 0.99)
    front = LithiumFront(FrontParameters(10.0, 1.5, signed_curvature=signed), start, 0.8, 0.3)
    potential, threshold = random.uniform(lowest_V, 0.03, shape), random.uniform(0.0, 0.03, shape)
    front.let_leave(random.uniform(0, 1, shape) < 0.5)
    rate = front.reference_rate(potential, threshold)
    span = 1e-7 / np.max(np.abs(rate))
    front.advance(span, potential, threshold)
    assert np.count_nonzero(rate > 0) > 10
    assert (np.count_nonzero(rate < 0) > 10) == (lowest_V < 0)
    np.testing.assert_allclose(front.lithium - start, rate * span, atol=3e-13)


def test_a_wide_weak_boundary_is_crossed_as_in_the_sharp_limit() -> None:
    """12 λ wide: the tip is within 3 % of the eikonal equation's."""
    shape, dx, width = (120, 60), 0.5, 0.7
    threshold = np.full(shape, 0.030)
    threshold[:, 22:39] = 0.010
    parameters = FrontParameters(10.0, width)
    front = LithiumFront(parameters, lithium_slab(shape, dx, 5.0, width), dx)
    rate = 2e-4
    source = np.zeros(shape, bool)
    source[:10] = True
    times = arrival_times(
        threshold, dx, source,
        rate_V_per_s=rate, velocity_nm_per_s=parameters.velocity_nm_per_s, b_per_V=parameters.b_per_V,
    )  # fmt: skip
    time, reached = 0.0, None
    while reached is None and time < 400:
        front.advance(0.5, rate * (time + 0.25), threshold)
        time += 0.5
        if front.lithium[80].max() > 0.5:
            reached = time
    assert reached == pytest.approx(times[80].min(), rel=0.03)


def test_errors() -> None:
    with pytest.raises(ConfigError, match="exchange_current"):
        FrontParameters(0.0)
    with pytest.raises(ConfigError, match="between 0"):
        LithiumFront(FrontParameters(10.0), np.full((5, 5), 1.5), 1.0)
    with pytest.raises(ConfigError, match="two or three"):
        LithiumFront(FrontParameters(10.0), np.zeros(5), 1.0)
    with pytest.raises(ConfigError, match="weakening"):
        fracture_threshold(
            toughness_Pa_sqrt_m=1e6, boundary_ratio=0.3, boundary_zone=0.0, flaw_size_m=5e-6, weakening=2.0
        )
