from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma, kv

from dynaphase.surrogate.matern import matern_52, matern_52_slope


def test_it_is_the_general_matern_covariance_of_smoothness_five_halves() -> None:
    r = np.array([[1e-3, 0.1, 0.5], [1.0, 2.0, 6.0]])
    s = np.sqrt(5) * r
    assert matern_52(r) == pytest.approx(2 ** (1 - 2.5) / gamma(2.5) * s**2.5 * kv(2.5, s), rel=1e-9)
    assert matern_52(np.zeros(2)).tolist() == [1.0, 1.0]


def test_the_slope_is_that_by_half_the_squared_distance() -> None:
    half = np.array([1e-4, 0.02, 0.5, 3.0])
    step = 1e-6 * half
    difference = matern_52(np.sqrt(2 * (half + step))) - matern_52(np.sqrt(2 * (half - step)))
    assert matern_52_slope(np.sqrt(2 * half)) == pytest.approx(-difference / (2 * step), rel=1e-5)
    assert matern_52_slope(np.zeros(1)) == pytest.approx(5 / 3)
