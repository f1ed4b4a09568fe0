"""The front in the sharp limit: closed forms, layers, all directions, the bottleneck against percolation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.integrate import quad

from dynaphase.electrolyte.eikonal import arrival_times, percolation_thresholds
from dynaphase.errors import InputError
from dynaphase.phasefield.operators import FloatArray

B, RATE, V0 = 19.46, 5e-5, 1.347


def times(threshold: FloatArray, source: FloatArray, spacing: float = 0.5, **options: tuple[bool, ...]) -> FloatArray:
    return arrival_times(threshold, spacing, source, rate_V_per_s=RATE, velocity_nm_per_s=V0, b_per_V=B, **options)


def first_rows(shape: tuple[int, ...], n: int = 1) -> FloatArray:
    source = np.zeros(shape, bool)
    source[:n] = True
    return source


@pytest.mark.parametrize("shape", [(60, 7), (30, 5, 6)])
@pytest.mark.parametrize("eta", [0.0, 0.012])
def test_planar_front_in_a_uniform_medium(shape: tuple[int, ...], eta: float) -> None:
    """cosh b(φ − η) = 1 + b s x/(2 v₀) (derived here), exactly along the axis."""
    found = times(np.full(shape, eta), first_rows(shape))
    x = 0.5 * (np.arange(1, shape[0]) - 0.5)
    phi = eta + np.arccosh(1 + B * RATE * x / (2 * V0)) / B
    along = found.reshape(shape[0], -1)[1:]
    np.testing.assert_allclose(RATE * along, np.repeat(phi[:, None], along.shape[1], axis=1), rtol=1e-12)


def test_layers_are_crossed_one_after_the_other() -> None:
    """The front waits at the hard layer; the integral of 1/v over the potential is quadrature, not our formula."""
    threshold = np.full((40, 4), 0.01)
    threshold[20:] = 0.03
    found = RATE * times(threshold, first_rows(threshold.shape), 1.0)[:, 0]
    # from the face of row 0, and from the face between rows 19 and 20
    for row, low, eta, start in ((15, 0.01, 0.01, 0.5), (30, 0.03, 0.03, 19.5)):
        length, _ = quad(lambda phi, eta=eta: 2 * V0 * math.sinh(B * (phi - eta)) / RATE, low, found[row])
        assert length == pytest.approx(row - start, rel=1e-9)


def test_every_direction_is_within_three_per_cent() -> None:
    """From a point, at φ ≫ the spread of arrival: T grows with the distance r as in a plane."""
    n = 61
    source = np.zeros((n, n), bool)
    source[30, 30] = True
    found = RATE * times(np.full((n, n), 0.01), source, 1.0, is_periodic=(False, False))
    i, j = np.indices((n, n)) - 30
    r = np.hypot(i, j)
    covered = (np.cosh(B * (found - 0.01)) - 1) * 2 * V0 / (B * RATE)
    ratio = (covered / np.maximum(r - 0.5, 1e-9))[r > 15]
    assert ratio.min() > 0.985
    assert ratio.max() < 1.028


def test_a_weak_boundary_is_the_way() -> None:
    threshold = np.full((40, 21), 0.05)
    threshold[:, 10] = 0.01
    found = times(threshold, first_rows(threshold.shape))
    alone = times(np.full((40, 3), 0.01), first_rows((40, 3)))
    np.testing.assert_allclose(found[:, 10], alone[:, 0], rtol=1e-12)
    assert found[20, 0] > found[39, 10]


def test_the_front_wraps_where_the_axis_does() -> None:
    threshold = np.full((30, 12), 0.05)
    threshold[:, 0] = 0.01
    source = first_rows(threshold.shape)
    wrapped = times(threshold, source)
    np.testing.assert_allclose(wrapped[:, 1], wrapped[:, -1])
    walled = times(threshold, source, is_periodic=(False, False))
    assert walled[10, 11] > wrapped[10, 11]


@pytest.mark.parametrize("shape", [(24, 20), (12, 10, 11)])
def test_bottleneck_is_the_level_at_which_a_path_opens(shape: tuple[int, ...]) -> None:
    threshold = np.random.default_rng(0).uniform(0.0, 0.05, shape)
    levels = percolation_thresholds(threshold, first_rows(shape), is_periodic=(False,) * len(shape))
    neighbours = np.ones((3,) * len(shape))
    for cell in [tuple(n // 2 for n in shape), tuple(n - 1 for n in shape), (shape[0] // 3, *(0,) * (len(shape) - 1))]:
        for level, reached in ((levels[cell], True), (levels[cell] * (1 - 1e-9), False)):
            is_open = threshold <= level
            is_open[0] = True
            labels, _ = ndimage.label(is_open, neighbours)
            assert (labels[cell] == labels[0, 0] if len(shape) == 2 else labels[cell] == labels[0, 0, 0]) == reached


def test_a_slow_sweep_tends_to_the_bottleneck() -> None:
    threshold = np.random.default_rng(1).uniform(0.01, 0.05, (30, 20))
    source = first_rows(threshold.shape)
    levels = percolation_thresholds(threshold, source)
    gaps = [
        float(
            np.max(s * arrival_times(threshold, 1.0, source, rate_V_per_s=s, velocity_nm_per_s=V0, b_per_V=B) - levels)
        )
        for s in (1e-5, 1e-7, 1e-9)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 2e-4


def test_errors() -> None:
    good = np.full((5, 5), 0.01)
    bad = good.copy()
    bad[2, 3] = -1e-3
    with pytest.raises(InputError, match=r"cell \(2, 3\)"):
        times(bad, first_rows((5, 5)))
    with pytest.raises(InputError, match="empty"):
        times(good, np.zeros((5, 5), bool))
    with pytest.raises(InputError, match="two or three axes"):
        times(good[0], first_rows((5,)))
    with pytest.raises(InputError, match="rate_V_per_s"):
        arrival_times(good, 1.0, first_rows((5, 5)), rate_V_per_s=0.0, velocity_nm_per_s=V0, b_per_V=B)
    with pytest.raises(InputError, match="2 entries"):
        percolation_thresholds(good, first_rows((5, 5)), is_periodic=(True,))
