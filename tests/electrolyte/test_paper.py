"""The published model: definition and compiled twin, energy, fronts, limits with a closed form, both steppings."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from dynaphase.electrolyte.microstructure import Microstructure
from dynaphase.electrolyte.paper import (
    EXACT_STEPPING,
    FAST_STEPPING,
    REACTIONS,
    PaperModel,
    PaperParameters,
    Reaction,
    initial_state,
    printed_conductivity,
)
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev

PERIODIC, NO_FLUX, DIRICHLET = Boundary.PERIODIC, Boundary.NO_FLUX, Boundary.NO_FLUX_DIRICHLET
BOUNDARIES = list(product([DIRICHLET, NO_FLUX, PERIODIC], [PERIODIC, NO_FLUX]))
PARAMETERS = PaperParameters(D0_nm2_per_s=0.1, k_per_s=2e-3, gamma_J_per_m=2.4e-9)
CAREFUL = RungeKuttaChebyshev(rtol=1e-6, atol=1e-7)


def random_field(shape: tuple[int, int], seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.0, 1.0, shape)


def rate(model: PaperModel, C: FloatArray) -> FloatArray:
    out = np.full_like(C, np.nan)
    model.rhs(C, out)
    return out


# --- definition and compiled twin


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("conservative", [False, True])
@pytest.mark.parametrize("name", REACTIONS)
def test_compiled_loops_equal_the_reference(
    name: str, conservative: bool, boundaries: tuple[Boundary, Boundary]
) -> None:
    parameters = replace(PARAMETERS, k_per_s=0.3, reaction=REACTIONS[name], conservative=conservative)
    model = PaperModel(Grid((9, 7), 0.7, boundaries), parameters)
    C = random_field((9, 7))
    expected = model.reference_rhs(C)
    np.testing.assert_allclose(rate(model, C), expected, rtol=1e-12, atol=1e-14)
    dt, stepped, reference = 0.1, C.copy(), C
    model.euler_steps(stepped, dt, 3)
    for _ in range(3):
        reference = reference + dt * model.reference_rhs(reference)
    np.testing.assert_allclose(stepped, reference, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("conservative", [False, True])
def test_space_is_second_order(conservative: bool) -> None:
    """Against the analytic derivative of a field that satisfies the boundary conditions."""

    def error(n: int) -> float:
        L, parameters = 8.0, replace(PARAMETERS, conservative=conservative)
        model = PaperModel(Grid((n, n), L / n, (DIRICHLET, PERIODIC)), parameters)
        X, Y = np.meshgrid(*2 * [(np.arange(n) + 0.5) * L / n], indexing="ij")
        p, q = math.pi / (2 * L), 2 * math.pi / L
        along, across = np.cos(p * X), 0.5 + 0.3 * np.cos(q * Y)
        C = along * across
        laplacian = -(p**2) * C - q**2 * along * 0.3 * np.cos(q * Y)
        gradient_squared = (p * np.sin(p * X) * across) ** 2 + (along * 0.3 * q * np.sin(q * Y)) ** 2
        D = 0.1 * (1 + 2 * (1 - C))
        exact = D * laplacian - 2e-3 * C * (1 - C)
        if conservative:
            exact += -0.1 * 2 * gradient_squared
        return float(np.abs(rate(model, C) - exact).max())

    assert math.log2(error(32) / error(64)) == pytest.approx(2.0, abs=0.1)


def test_evolved_field_converges_with_second_order_to_the_exact_solution() -> None:
    def error(n: int) -> float:
        L, D, k, t = 8.0, 0.5, 0.02, 8.0
        parameters = PaperParameters(D, k, 1e-9, m_D=0.0, reaction=Reaction.linear())
        model = PaperModel(Grid((n, n), L / n, (DIRICHLET, PERIODIC)), parameters)
        X, Y = np.meshgrid(*2 * [(np.arange(n) + 0.5) * L / n], indexing="ij")
        p, q = math.pi / (2 * L), 2 * math.pi / L

        def exact(time: float) -> FloatArray:
            slow, fast = (math.exp(-(D * m + k) * time) for m in (p**2, p**2 + q**2))
            return np.cos(p * X) * (0.5 * slow + 0.3 * fast * np.cos(q * Y))

        run = simulate(model, exact(0.0), CAREFUL, t, n_observations=1).require_done()
        return float(np.abs(run.state - exact(t)).max())

    assert math.log2(error(16) / error(32)) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("conservative", [False, True])
@pytest.mark.parametrize("boundaries", [(PERIODIC, PERIODIC), (NO_FLUX, NO_FLUX), (DIRICHLET, PERIODIC)])
def test_symmetries(boundaries: tuple[Boundary, Boundary], conservative: bool) -> None:
    model = PaperModel(Grid((8, 8), 0.5, boundaries), replace(PARAMETERS, conservative=conservative))
    C = random_field((8, 8))
    base = rate(model, C)
    close = {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(rate(model, C[:, ::-1].copy()), base[:, ::-1], **close)
    for axis, boundary in enumerate(boundaries):
        if boundary is PERIODIC:
            np.testing.assert_allclose(rate(model, np.roll(C, 3, axis)), np.roll(base, 3, axis), **close)
    if boundaries[0] is boundaries[1]:
        np.testing.assert_allclose(rate(model, np.rot90(C).copy()), np.rot90(base), **close)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("conservative", [False, True])
@pytest.mark.parametrize("m_D", [-0.5, 0.0, 3.0])
def test_spectral_radius_is_a_bound_and_no_wild_one(
    m_D: float, conservative: bool, boundaries: tuple[Boundary, Boundary]
) -> None:
    for name, state in product(REACTIONS, range(3)):
        parameters = PaperParameters(0.1, 0.05, 1e-9, m_D=m_D, reaction=REACTIONS[name], conservative=conservative)
        model = PaperModel(Grid((6, 5), 0.7, boundaries), parameters)
        C = [random_field((6, 5)), np.round(random_field((6, 5))), np.full((6, 5), 0.95)][state]
        jacobian = np.empty((30, 30))
        for j in range(30):
            step = np.zeros(30)
            step[j] = 1e-6
            up, down = (model.reference_rhs(C + s * step.reshape(6, 5)) for s in (1, -1))
            jacobian[:, j] = (up - down).ravel() / 2e-6
        largest = np.abs(np.linalg.eigvals(jacobian)).max()
        assert largest <= model.spectral_radius(C) <= 6 * largest


# --- energy


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_energy_is_paired_with_the_diffusion(boundaries: tuple[Boundary, Boundary]) -> None:
    """∂C/∂t = −(D/γ) δE/δC for constant D and k = 0, the derivative taken by finite differences."""
    parameters = replace(PARAMETERS, m_D=0.0, k_per_s=0.0)
    model = PaperModel(Grid((6, 5), 0.7, boundaries), parameters)
    C, h = random_field((6, 5)), 1e-4
    derivative = np.empty_like(C)
    for cell in np.ndindex(C.shape):
        up, down = C.copy(), C.copy()
        up[cell] += h
        down[cell] -= h
        derivative[cell] = (model.energy(up) - model.energy(down)) / (2 * h)
    mobility = parameters.D0_nm2_per_s / parameters.gamma_J_per_m
    np.testing.assert_allclose(rate(model, C), -mobility * derivative / 0.7**2, rtol=1e-8, atol=1e-10)


def test_energy_of_a_ramp_is_its_closed_form() -> None:
    """C falls linearly from the first cell centre to 0 on the face: E = (γ/2)(slope)² times the area it covers."""
    n, dx = 10, 0.5
    C = np.tile(((n - 0.5 - np.arange(n)) * dx * 0.1)[:, None], (1, 4))
    model = PaperModel(Grid((n, 4), dx, (DIRICHLET, PERIODIC)), PARAMETERS)
    area = (n - 0.5) * dx * 4 * dx
    assert model.energy(C) == pytest.approx(0.5 * 2.4e-9 * 0.1**2 * area)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("stepper", [ExplicitEuler(0.5), FAST_STEPPING])
def test_energy_decreases_when_only_diffusion_acts(stepper: object, boundaries: tuple[Boundary, Boundary]) -> None:
    model = PaperModel(Grid((12, 8), 0.7, boundaries), replace(PARAMETERS, m_D=0.0, k_per_s=0.0))
    run = simulate(model, random_field((12, 8)), stepper, 40.0, n_observations=80).require_done()  # type: ignore[arg-type]
    assert np.all(np.diff(run.observations["energy"]) < 0)
    assert run.observations["energy"][-1] < 0.1 * run.observations["energy"][0]


# --- limits with a closed form


@pytest.mark.parametrize("stepper", [ExplicitEuler(0.05), FAST_STEPPING])
def test_conservative_diffusion_keeps_the_mean(stepper: object) -> None:
    C = random_field((16, 8))
    for boundaries in ((NO_FLUX, PERIODIC), (PERIODIC, NO_FLUX)):
        grid = Grid((16, 8), 0.7, boundaries)
        closed = PaperModel(grid, replace(PARAMETERS, k_per_s=0.0, conservative=True))
        run = simulate(closed, C, stepper, 50.0).require_done()  # type: ignore[arg-type]
        assert np.abs(run.observations["mean_C"] - C.mean()).max() < 1e-12
        printed = PaperModel(grid, replace(PARAMETERS, k_per_s=0.0))
        run = simulate(printed, C, stepper, 50.0).require_done()  # type: ignore[arg-type]
        assert np.abs(run.observations["mean_C"] - C.mean()).max() > 1e-3, "the printed form does not conserve"


@pytest.mark.parametrize("stepper", [ExplicitEuler(1e-3), CAREFUL])
def test_linear_decay_without_diffusion(stepper: object) -> None:
    parameters = PaperParameters(0.0, 0.05, 1e-9, reaction=Reaction.linear())
    C = random_field((5, 4))
    run = simulate(PaperModel(Grid((5, 4), 1.0, (NO_FLUX, PERIODIC)), parameters), C, stepper, 20.0)  # type: ignore[arg-type]
    np.testing.assert_allclose(run.require_done().state, C * math.exp(-1.0), atol=2e-5)


def test_langmuir_kinetics_against_an_independent_solver() -> None:
    parameters = PaperParameters(0.0, 0.05, 1e-9, reaction=Reaction.langmuir(0.5))
    C = random_field((5, 4))
    run = simulate(PaperModel(Grid((5, 4), 1.0, (NO_FLUX, PERIODIC)), parameters), C, CAREFUL, 30.0).require_done()
    other = solve_ivp(lambda t, c: -0.05 * c / (0.5 + c), (0.0, 30.0), C.ravel(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.state.ravel(), other.y[:, -1], atol=1e-5)


# --- fronts


def front_position(C: FloatArray, dx: float) -> float:
    """Where the x-profile, intact at small x, falls through ½ (nm)."""
    profile = C[:, 0]
    i = int(np.argmax(profile < 0.5)) - 1
    return float((i + 0.5 + (profile[i] - 0.5) / (profile[i] - profile[i + 1])) * dx)


def front_run(
    parameters: PaperParameters, dx: float, nx: int, degraded_from: float, times: tuple[float, float]
) -> tuple[float, FloatArray]:
    """Mean speed of the degraded side between two times (nm/s), positive when it invades; final field."""
    x = (np.arange(nx) + 0.5) * dx
    C = np.tile((x < degraded_from).astype(float)[:, None], (1, 4))
    model = PaperModel(Grid((nx, 4), dx, (NO_FLUX, PERIODIC)), parameters)
    dt = 0.15 * dx**2 / parameters.D0_nm2_per_s
    early = simulate(model, C, ExplicitEuler(dt), times[0], n_observations=1).require_done().state
    late = simulate(model, early, ExplicitEuler(dt), times[1] - times[0], n_observations=1).require_done().state
    moved = front_position(early, dx) - front_position(late, dx)
    return moved / (times[1] - times[0]), late


def test_logistic_front_follows_bramson() -> None:
    """v(t) = 2√(Dk) − (3/2)√(D/k)/t, doi:10.1002/cpa.3160310502; its integral between the two times."""
    D, k, t0, t1 = 0.1, 0.01, 800.0, 1200.0
    parameters = PaperParameters(D, k, 1e-9, m_D=0.0)
    v, _ = front_run(parameters, 0.5, 300, 130.0, (t0, t1))
    bramson = 2 * math.sqrt(D * k) - 1.5 * math.sqrt(D / k) * math.log(t1 / t0) / (t1 - t0)
    assert v == pytest.approx(bramson, rel=0.08)
    assert v < 2 * math.sqrt(D * k), "approached from below"


@pytest.mark.parametrize("c_u", [0.7, 0.6, 0.35])
def test_bistable_front_speed_direction_and_profile(c_u: float) -> None:
    """Nagumo: v = √(2Dk)(2C_u − 1), profile ½[1 + tanh(x √(k/2D))]."""
    D, k, dx = 0.1, 0.02, 0.4
    steepness = math.sqrt(k / (2 * D))
    assert dx * steepness <= 0.15
    parameters = PaperParameters(D, k, 1e-9, m_D=0.0, reaction=Reaction.bistable(c_u))
    v, C = front_run(parameters, dx, 160, 32.0, (200.0, 700.0))
    assert v == pytest.approx(math.sqrt(2 * D * k) * (2 * c_u - 1), rel=0.02)
    x = (np.arange(160) + 0.5) * dx
    profile = 0.5 * (1 - np.tanh((x - front_position(C, dx)) * steepness))
    np.testing.assert_allclose(C[:, 0], profile, atol=5e-3)


def test_bistable_front_rests_at_one_half() -> None:
    parameters = PaperParameters(0.1, 0.02, 1e-9, m_D=0.0, reaction=Reaction.bistable(0.5))
    v, _ = front_run(parameters, 0.4, 100, 20.0, (200.0, 700.0))
    assert abs(v) < 1e-3 * math.sqrt(2 * 0.1 * 0.02)


# --- both steppings


def damaged_box(n: int) -> FloatArray:
    """Start with every feature of a real one: boundaries, a pore, a cathode layer, noise."""
    x = (np.arange(n) + 0.5) / n
    X, Y = np.meshgrid(x, x, indexing="ij")
    C = 1.0 - 0.15 * np.exp(-(((X - 0.4) / 0.02) ** 2)) - 0.15 * np.exp(-(((Y - 0.6) / 0.02) ** 2))
    C[np.hypot(X - 0.7, Y - 0.2) < 0.05] = 0.0
    C[X > 0.98] = 0.0
    return np.clip(C * (1 + 0.005 * np.random.default_rng(0).standard_normal(C.shape)), 0.0, 1.0)


@pytest.mark.parametrize(
    "parameters",
    [
        PARAMETERS,
        PaperParameters(0.3, 1e-2, 1e-9, conservative=True),
        PaperParameters(0.1, 1e-2, 1e-9, reaction=Reaction.bistable()),
    ],
)
def test_fast_and_exact_stepping_agree(parameters: PaperParameters) -> None:
    model, C = PaperModel(Grid.box(64), parameters), damaged_box(64)
    exact = simulate(model, C, EXACT_STEPPING, 200.0).require_done()
    fast = simulate(model, C, FAST_STEPPING, 200.0).require_done()
    assert exact.statistics.n_steps == 200_000
    assert np.abs(fast.state - exact.state).max() < 5e-4
    assert fast.statistics.n_rhs < 0.01 * exact.statistics.n_rhs


@pytest.mark.long
def test_a_million_steps_within_budget_and_fast_within_half_a_per_mille() -> None:
    model, C = PaperModel(Grid.box(128), PARAMETERS), damaged_box(128)
    exact = simulate(model, C, EXACT_STEPPING, 1000.0).require_done()
    fast = simulate(model, C, FAST_STEPPING, 1000.0).require_done()
    assert exact.statistics.n_steps == 1_000_000
    assert exact.cpu_seconds < 30.0
    assert fast.cpu_seconds < 0.3
    assert np.abs(fast.state - exact.state).max() < 5e-4


# --- initial state and printed conductivity


def microstructure(n: int = 32, dx: float = 0.5) -> Microstructure:
    boundary, density = np.zeros((2, n, n))
    density[:] = 1.0
    boundary[:, 8] = 1.0
    boundary[:, 9] = 0.5
    density[4:6, 4:10] = 0.0
    ids = np.zeros((n, n), np.int32)
    return Microstructure(dx, ids, boundary, 0.75, density, ids.astype(np.uint8), ())


def test_initial_state_without_noise_is_the_formula() -> None:
    C = initial_state(microstructure(), delta_gb=0.2, noise=0.0, rng=np.random.default_rng(0))
    assert C[10, 0] == 1.0
    assert C[10, 8] == pytest.approx(0.8)
    assert C[10, 9] == pytest.approx(0.9)
    assert np.all(C[4:6, 4:10] == 0.0), "pores stay at 0, also where a boundary crosses them"
    assert np.all(C[-4:] == 0.0), "2 nm of cathode at 0.5 nm a cell"
    assert np.all(C[-5, :8] == 1.0)


def test_noise_of_the_initial_state_is_relative_clipped_and_reproducible() -> None:
    first, again, other = (initial_state(microstructure(), rng=np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.min() == 0.0
    assert first.max() == 1.0
    on_boundary = first[8:28, 8] / 0.85 - 1.0
    assert 0.002 < on_boundary.std() < 0.009
    assert np.all(first[-4:] == 0.0)


def test_printed_conductivity() -> None:
    bracket = printed_conductivity(np.ones((4, 4)), 1.0, 0.3, 298.15)
    assert bracket == pytest.approx(0.999991509, abs=1e-9)
    C = np.array([[0.2, 0.6]])
    assert printed_conductivity(C, 0.5, 0.3, 298.15, q=2.0) == pytest.approx(4 * 0.5 * 0.4 * bracket)
    assert printed_conductivity(C, 1.0, 0.0, 298.15) == 0.0
    assert printed_conductivity(C, 1.0, 0.02, 298.15) < printed_conductivity(C, 1.0, 0.04, 298.15), "wrong way round"


# --- refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PaperParameters(-0.1, 0.0, 1e-9), "D0_nm2_per_s"),
        (lambda: PaperParameters(0.1, math.nan, 1e-9), "k_per_s"),
        (lambda: PaperParameters(0.1, 0.0, 0.0), "gamma_J_per_m"),
        (lambda: PaperParameters(0.1, 0.0, 1e-9, m_D=-1.0), "m_D"),
        (lambda: Reaction.langmuir(0.0), "half-saturation"),
        (lambda: Reaction.bistable(1.0), "C_u"),
        (lambda: PaperModel(Grid((4, 4, 4), 1.0, (NO_FLUX,) * 3), PARAMETERS), "two-dimensional"),
        (lambda: initial_state(microstructure(), delta_gb=2.0, rng=np.random.default_rng(0)), "delta_gb"),
        (lambda: initial_state(microstructure(), noise=-1.0, rng=np.random.default_rng(0)), "negative"),
        (lambda: printed_conductivity(np.ones(1), 1.0, 0.3, 0.0), "T = 0"),
    ],
)
def test_impossible_parameters_are_refused(make: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()  # type: ignore[operator]
