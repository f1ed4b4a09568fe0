"""Strength of boundaries: the Weibull distribution, one draw a boundary, the same on every grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dynaphase.electrolyte.ceramic import STRENGTH_LIMITS, boundary_strengths
from dynaphase.errors import ConfigError


def test_draws_follow_the_weibull_distribution_of_mean_one() -> None:
    pairs = np.stack([np.arange(4000), np.arange(4000) + 1])
    strengths = boundary_strengths(pairs, 8.0, 0)
    assert strengths.mean() == pytest.approx(1.0, abs=0.01)
    inside = strengths[(strengths > STRENGTH_LIMITS[0]) & (strengths < STRENGTH_LIMITS[1])]
    scale = 1.0 / float(stats.weibull_min(8.0).mean())
    assert stats.kstest(inside, stats.weibull_min(8.0, scale=scale).cdf).pvalue > 0.01
    assert stats.kstest(inside, stats.weibull_min(6.0, scale=scale).cdf).pvalue < 1e-6


def test_one_draw_a_boundary_in_either_order() -> None:
    pairs = np.array([[[0, 3], [5, -1]], [[3, 0], [2, -1]]])
    strengths = boundary_strengths(pairs, 8.0, 1)
    assert strengths.shape == (2, 2)
    assert strengths[0, 0] == strengths[0, 1]
    assert strengths[1, 0] != strengths[0, 0]
    assert strengths[1, 1] == 1.0


def test_a_draw_depends_on_the_pair_and_the_seed_alone() -> None:
    one = boundary_strengths([[2], [7]], 8.0, 3)[0]
    among_others = boundary_strengths([[0, 2, 4], [1, 7, 5]], 8.0, 3)[1]
    assert one == among_others
    assert boundary_strengths([[2], [7]], 8.0, 4)[0] != one


def test_a_larger_modulus_scatters_less() -> None:
    pairs = np.stack([np.arange(500), np.arange(500) + 1])
    assert np.std(boundary_strengths(pairs, 15.0, 0)) < np.std(boundary_strengths(pairs, 5.0, 0))


def test_errors() -> None:
    with pytest.raises(ConfigError, match="Weibull modulus"):
        boundary_strengths([[0], [1]], 0.0, 0)
