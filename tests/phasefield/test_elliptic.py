"""Conduction networks: exact layers, charge conservation at high contrast, duality, the preconditioned path."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaphase.errors import InputError, SimulationError
from dynaphase.phasefield import elliptic
from dynaphase.phasefield.elliptic import (
    Ends,
    FaceMean,
    face_conductances,
    factorize,
    make_network,
    solve_conduction,
    solve_network,
)

log_contrast = st.floats(-4, 4)


def random_field(shape, decades, seed):
    return 10 ** (decades * (np.random.default_rng(seed).random(shape) - 0.5))


@settings(max_examples=20, deadline=None)
@given(st.lists(log_contrast, min_size=4, max_size=12), st.integers(1, 3), st.sampled_from(list(Ends)), st.data())
def test_layers_are_exact(logs, ndim, ends, data):
    """C1: layers across the current in series, along it in parallel, to rounding (harmonic faces)."""
    layers = 10 ** np.array(logs)
    axis = data.draw(st.integers(0, ndim - 1))
    shape = [3] * ndim
    shape[axis] = len(layers)
    view = [1] * ndim
    view[axis] = len(layers)
    sigma = np.broadcast_to(layers.reshape(view), shape)
    series = solve_conduction(sigma, axis=axis, ends=ends)
    assert series.conductivity == pytest.approx(1 / np.mean(1 / layers), rel=1e-12)
    if ndim > 1:
        parallel = solve_conduction(sigma, axis=(axis + 1) % ndim, ends=ends)
        assert parallel.conductivity == pytest.approx(np.mean(layers), rel=1e-12)


def test_potential_of_two_layers():
    """In 1-D the potential is known: piecewise linear, the drop shared like the resistances."""
    sigma = np.array([1.0] * 4 + [3.0] * 4)
    psi = solve_conduction(sigma).potential
    expected = 1 - (np.cumsum(1 / sigma) - 0.5 / sigma) / np.sum(1 / sigma)
    np.testing.assert_allclose(psi, expected, atol=1e-14)


@pytest.mark.parametrize("ends", list(Ends))
@pytest.mark.parametrize("mean", list(FaceMean))
@pytest.mark.parametrize("shape", [(7,), (9, 6), (6, 5, 4), (8, 1), (2, 2), (1, 5)])
def test_agrees_with_dense_algebra(shape, mean, ends):
    """The assembled network against a dense solve written from the definition."""
    sigma = random_field(shape, 3, 1)
    solution = solve_conduction(sigma, ends=ends, faces=mean)
    assert solution.conductivity == pytest.approx(dense_conductivity(sigma, mean, ends), rel=1e-11)


def dense_conductivity(sigma, mean, ends):
    n = sigma.size
    index = np.arange(n).reshape(sigma.shape)
    matrix, drive, power = np.zeros((n, n)), np.zeros(n), 0.0
    length = sigma.shape[0]
    for axis in range(sigma.ndim):
        for cell in np.ndindex(sigma.shape):
            other = list(cell)
            other[axis] += 1
            wraps = other[axis] == sigma.shape[axis]
            if axis == 0 and wraps and ends is Ends.ELECTRODES:
                continue
            other[axis] %= sigma.shape[axis]
            pair = np.array([sigma[cell], sigma[tuple(other)]])
            g = 1 / np.mean(1 / pair) if mean is FaceMean.HARMONIC else np.mean(pair)
            i, j = index[cell], index[tuple(other)]
            e = np.zeros(n)
            e[i] += 1
            e[j] -= 1
            offset = 1 / length if axis == 0 and ends is Ends.PERIODIC else 0.0
            matrix += g * np.outer(e, e)  # energy ½ Σ g (e·ψ + offset)²
            drive += g * offset * e
            power += g * offset**2
    if ends is Ends.ELECTRODES:
        for i in index[0].ravel():
            g = 2 * sigma.flat[i]
            matrix[i, i] += g
            drive[i] -= g
            power += g
        for i in index[-1].ravel():
            matrix[i, i] += 2 * sigma.flat[i]
    psi = np.linalg.lstsq(matrix, -drive, rcond=1e-13)[0]
    energy = psi @ matrix @ psi + 2 * drive @ psi + power
    return energy * length / (n / length)


@pytest.mark.parametrize("decades", [8, 12])
@pytest.mark.parametrize("ends", list(Ends))
def test_high_contrast_conserves_charge(decades, ends):
    """Currents at both ends and dissipation agree although conductivities span 10⁸ and more."""
    sigma = np.where(np.random.default_rng(0).random((64, 64)) < 0.25, 10.0**-decades, 1.0)
    solution = solve_conduction(sigma, ends=ends)
    assert solution.imbalance < 1e-11
    assert 0.1 < solution.conductivity < 1


@pytest.mark.parametrize("decades", [8, 10])
@pytest.mark.parametrize("ends", list(Ends))
def test_conducting_islands_in_an_insulator(decades, ends):
    """The hardest case: all current squeezes through 10⁻⁸ although most cells conduct well."""
    low, lower = (solve_conduction(islands(10.0**-d), ends=ends) for d in (decades, decades + 1))
    assert low.imbalance < 1e-4
    # σ_eff ∝ the insulator's conductivity, up to terms of its own order.
    assert low.conductivity * 10**decades == pytest.approx(lower.conductivity * 10 ** (decades + 1), rel=1e-5)


def islands(insulator):
    return np.where(np.random.default_rng(0).random((64, 64)) < 0.45, insulator, 1.0)


@pytest.mark.parametrize("decades", [0, 4, 8])
def test_discrete_duality_is_exact(decades):
    """C6: a plane network and its dual, 1/t on the crossing edges, have σ_xx · σ_yy = 1 (without shear, σ_xy = 0)."""
    half = random_field((17, 6), decades, 3)
    f_x, f_y = face_conductances(np.concatenate([half, half[:, ::-1]], axis=1))
    primal = solve_network(make_network((f_x, f_y), axis=0))
    # The corner (i+½, j+½) is the dual node (i, j): its y-edge crosses the x-face of cell (i, j+1).
    dual = solve_network(make_network((np.roll(1 / f_y, -1, 0), np.roll(1 / f_x, -1, 1)), axis=1))
    assert primal.conductivity * dual.conductivity == pytest.approx(1.0, rel=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 1000), st.sampled_from(list(Ends)))
def test_scales_and_is_monotone(seed, factor, ends):
    """σ → cσ gives cσ_eff; raising any conductivity never lowers σ_eff (Rayleigh)."""
    sigma = random_field((10, 8), 4, seed)
    base = solve_conduction(sigma, ends=ends).conductivity
    assert solve_conduction(factor * sigma, ends=ends).conductivity == pytest.approx(factor * base, rel=1e-10)
    raised = sigma * np.where(random_field((10, 8), 2, seed + 1) > 1, 3.0, 1.0)
    assert solve_conduction(raised, ends=ends).conductivity >= base * (1 - 1e-12)


@pytest.mark.parametrize("ends", list(Ends))
def test_preconditioned_path_equals_direct(ends):
    sigma = random_field((40, 40), 6, 5)
    warmer = sigma * np.exp(0.1 * np.log10(sigma) + 1.0)
    near = solve_conduction(sigma, ends=ends).factor
    direct = solve_conduction(warmer, ends=ends)
    quick = solve_conduction(warmer, ends=ends, near=near)
    assert 0 < quick.n_iterations <= elliptic.MAX_ITERATIONS
    assert quick.factor is near
    assert quick.conductivity == pytest.approx(direct.conductivity, rel=1e-9)
    np.testing.assert_allclose(quick.potential, direct.potential, atol=1e-7)
    residual = quick.network.source - quick.network.matrix @ _vector(quick)
    weight = 1 / quick.network.matrix.diagonal()
    assert np.sum(weight * residual**2) <= 1e-18 * np.sum(weight * quick.network.source**2)


def _vector(solution):
    psi = solution.potential
    if solution.network.ends is Ends.PERIODIC:
        psi = psi - psi.flat[0]  # the cell that the solver ties to ground
    vector = np.empty(psi.size)
    vector[solution.network.number] = psi
    return vector


def test_far_factor_falls_back_to_direct():
    sigma = random_field((40, 40), 8, 5)
    near = solve_conduction(random_field((40, 40), 8, 6)).factor
    solution = solve_conduction(sigma, near=near)
    assert solution.n_iterations == 0
    assert solution.conductivity == pytest.approx(solve_conduction(sigma).conductivity, rel=1e-13)


def test_periodic_potential_has_mean_zero():
    potential = solve_conduction(random_field((12, 9), 3, 0), ends="periodic").potential
    assert abs(potential.mean()) < 1e-14
    assert np.ptp(potential) > 1e-3


def test_factor_of_another_grid_is_not_used():
    near = solve_conduction(np.ones((5, 5))).factor
    assert solve_conduction(np.ones((6, 6)), near=near).conductivity == pytest.approx(1.0)


def test_factors_solve_the_matrix():
    network = make_network(face_conductances(random_field((30, 20), 6, 2)))
    x = np.random.default_rng(0).standard_normal(600)
    np.testing.assert_allclose(factorize(network).solve(network.matrix @ x), x, atol=1e-8)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_bad_conductivity_is_located(value):
    sigma = np.ones((4, 5))
    sigma[2, 3] = value
    with pytest.raises(InputError, match=r"cell \(2, 3\)"):
        solve_conduction(sigma)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: solve_conduction(np.ones((4, 4)), axis=2), "axis 2"),
        (lambda: solve_conduction(np.ones((2, 2, 2, 2))), "1 to 3 axes"),
        (lambda: solve_conduction(np.ones((0, 4))), "at least one cell"),
    ],
)
def test_bad_shape_or_axis(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_unbalanced_solution_is_refused(monkeypatch):
    monkeypatch.setattr(elliptic, "IMBALANCE", -1e9)
    with pytest.raises(SimulationError, match="conserve charge"):
        solve_conduction(random_field((8, 8), 2, 0))
