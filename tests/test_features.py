"""What the surrogate sees of a composition, and the closed forms behind it."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from dynaphase.analytic import bruggeman, effective_conductivity, estimated_stability
from dynaphase.errors import ConfigError
from dynaphase.features import FeatureMap
from dynaphase.materials import get_system
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

LAGP = get_system("lagp")


def space(sampler: str) -> CompositionSpace:
    return CompositionSpace(LAGP, make_sampler(sampler, LAGP))


# --- closed forms -------------------------------------------------------------------------------------------


def test_equal_halves_in_the_plane_conduct_like_the_geometric_mean() -> None:
    assert bruggeman({"a": 3.0, "b": 1e-6}, {"a": 1.0, "b": 1.0}) == pytest.approx(sqrt(3e-6), rel=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_two_phases_solve_the_quadratic(share: float) -> None:
    # d = 3: 2σ² − (3fa a − a + 3fb b − b)σ − ab = 0
    a, b = 5.0, 0.02
    middle = (3 * share - 1) * a + (3 * (1 - share) - 1) * b
    root = (middle + sqrt(middle**2 + 8 * a * b)) / 4
    assert bruggeman({"a": a, "b": b}, {"a": share, "b": 1 - share}, 3) == pytest.approx(root, rel=1e-8)


@pytest.mark.parametrize("n_axes", [2, 3])
def test_the_medium_percolates_at_one_over_d(n_axes: int) -> None:
    # an insulator of 1e-12: above the threshold σ is that of a conductor, linear in the share; below it is nothing
    def effective(share: float) -> float:
        return bruggeman({"metal": 1.0, "void": 1e-12}, {"metal": share, "void": 1 - share}, n_axes)

    threshold = 1 / n_axes
    assert effective(threshold + 0.1) == pytest.approx(0.1 * n_axes / (n_axes - 1), rel=1e-3)
    assert effective(threshold - 0.1) < 1e-10


def test_one_phase_is_itself() -> None:
    assert bruggeman({"a": 0.3, "b": 9.0}, {"a": 1.0, "b": 0.0}) == pytest.approx(0.3)


def test_a_pure_dense_ceramic_returns_what_was_measured() -> None:
    material = LAGP.material(LAGP.from_coordinates(0.5))
    assert material.assemblage.host_fraction == pytest.approx(1)
    size = material["literature_grain_size_nm"]
    dense = effective_conductivity(material, size)
    # in a plane, voids p cost 1 − 2p of the conductivity
    expected = 0.01 * material["measured_conductivity_S_per_m"] * (1 - 2 * material["porosity"])
    assert dense == pytest.approx(expected, rel=1e-3)


def test_estimates_rise_along_the_line_as_simulations_do() -> None:
    low, high = (LAGP.material(LAGP.from_coordinates(x)) for x in (0.0, 0.5))
    assert estimated_stability(high) > estimated_stability(low)
    assert effective_conductivity(high, 25.0) > 100 * effective_conductivity(low, 25.0)


# --- feature map --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["neighbourhood", "line", "simplex"])
def test_features_lie_in_the_cube_and_begin_with_the_coordinates(sampler: str) -> None:
    region = space(sampler)
    features = FeatureMap(region)
    compositions = region.sample(40, np.random.default_rng(5))
    X = features(compositions)
    assert X.shape == (40, len(features.names))
    assert ((X >= 0) & (X <= 1)).all()
    assert X[:, : region.dimension] == pytest.approx(region.to_unit(compositions))
    assert [features.names[k] for k in features.trend] == list(features.names[-3:])


def test_the_same_composition_has_the_same_features_whatever_else_is_asked() -> None:
    region = space("simplex")
    compositions = region.sample(12, np.random.default_rng(1))
    together = FeatureMap(region)(compositions)
    one_by_one = [FeatureMap(region)([composition])[0] for composition in compositions[:3]]
    assert (together[:3] == one_by_one).all()


def test_phases_tell_the_line_from_its_neighbours() -> None:
    region = space("neighbourhood")
    features = FeatureMap(region)
    host = features.names.index("host fraction")
    on, *beside = (features([LAGP.from_coordinates(0.4, d)])[0, host] for d in (0.0, 0.1, 0.2, -0.1, -0.2))
    assert on == pytest.approx(1.0)  # nothing but NASICON
    assert beside[1] < beside[0] < on
    assert beside[3] < beside[2] < on


def test_coordinates_alone_have_no_trend() -> None:
    region = space("neighbourhood")
    features = FeatureMap(region, "coordinates")
    assert features.trend == ()
    compositions = region.sample(5, np.random.default_rng(2))
    assert features(compositions) == pytest.approx(region.to_unit(compositions))


def test_a_constant_feature_is_one_half() -> None:
    latp = get_system("latp")
    region = CompositionSpace(latp, make_sampler("line", latp))
    features = FeatureMap(region)
    low, high = features._range
    flat = np.flatnonzero(low == high) + region.dimension
    assert len(flat)
    assert (features(region.grid(9))[:, flat] == 0.5).all()


def test_compositions_outside_the_region_are_refused_by_name() -> None:
    features = FeatureMap(space("neighbourhood"))
    with pytest.raises(ConfigError, match="outside the region of the sampler 'neighbourhood'"):
        features([LAGP.from_coordinates(0.4), LAGP.from_coordinates(0.4, 0.9)])


def test_unknown_kind_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="phases"):
        FeatureMap(space("line"), "phase")  # type: ignore[arg-type]


def test_no_conductor_has_the_conductivity_of_its_insulators() -> None:
    region = space("simplex")
    rng = np.random.default_rng(0)
    none = next(c for c in region.sample(200, rng) if not LAGP.assemblage(c).host_fraction)
    sigma = effective_conductivity(LAGP.material(none), 20.0)
    assert 1e-16 < sigma < 1e-7
    assert np.isfinite(FeatureMap(region)([none])).all()
