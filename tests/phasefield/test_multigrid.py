"""Multigrid: against sparse LU at all contrasts and walls, convergence, iterations, singular cases, Newton."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import spsolve

from dynaphase.errors import InputError, SimulationError
from dynaphase.phasefield.elliptic import FaceMean, solve_conduction
from dynaphase.phasefield.grid import Boundary, Walls
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid
from dynaphase.phasefield.nonlinear import solve_nonlinear

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
DROP = Walls(low=0.0, high=1.0)


def discs(shape, low, seed=0):
    """Overlapping discs or balls, some of conductivity `low`, some 3, in a matrix of 1."""
    rng = np.random.default_rng(seed)
    sigma, places = np.ones(shape), np.indices(shape)
    for _ in range(15):
        centre, radius = rng.random(len(shape)) * shape, rng.uniform(0.08, 0.15) * max(shape)
        inside = sum((x - c) ** 2 for x, c in zip(places, centre, strict=True)) < radius**2
        sigma[inside] = low if rng.random() < 0.6 else 3.0
    return sigma


def perforated_layer(shape, low):
    sigma = np.ones(shape)
    sigma[shape[0] // 3] = low
    sigma[(shape[0] // 3, *(n // 2 for n in shape[1:]))] = 1.0
    return sigma


def filament(shape, low):
    """A conducting path, one cell wide and wound, through an insulator."""
    sigma = np.full(shape, low)
    path = (shape[1] / 2 + shape[1] / 4 * np.sin(np.linspace(0, 7, shape[0]))).astype(int)
    for i in range(shape[0]):
        a, b = sorted((path[i], path[max(i - 1, 0)]))
        sigma[i, a : b + 1] = 1.0
    return sigma


def by_lu(problem, f=0.0):
    """The same equations, written down face by face and solved by sparse LU."""
    sigma, shape, h = problem.sigma, problem.shape, problem.spacing
    number = np.arange(sigma.size).reshape(shape)
    diagonal, rhs = np.zeros(shape), -(h**2) * np.broadcast_to(f, shape)
    if problem.reaction is not None:
        diagonal += h**2 * problem.reaction
    rows, columns, values = [], [], []
    for axis, walls in enumerate(problem.walls):
        other = np.roll(sigma, -1, axis)
        face = 2 * sigma * other / (sigma + other) if problem.faces is FaceMean.HARMONIC else (sigma + other) / 2
        if walls is not None:
            for value, end in ((walls.low, 0), (walls.high, -1)):
                at = (slice(None),) * axis + (end,)
                if value is not None:
                    diagonal[at] += 2 * sigma[at]
                    rhs[at] += 2 * sigma[at] * value
            face[(slice(None),) * axis + (-1,)] = 0.0
        i, j, g = number.ravel(), np.roll(number, -1, axis).ravel(), face.ravel()
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-g, -g, g, g]
    if problem.is_singular:
        diagonal.flat[0] += 1.0  # no net current can flow to ground there
    rows.append(number.ravel())
    columns.append(number.ravel())
    values.append(diagonal.ravel())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    x = spsolve(csc_array(coo_array(entries, shape=(sigma.size,) * 2)), rhs.ravel()).reshape(shape)
    return x - x.mean() if problem.is_singular else x


@pytest.mark.parametrize("low", [1.0, 1e-3, 1e-7])
@pytest.mark.parametrize("shape", [(48, 40), (33, 50), (25, 37), (4, 61), (12, 9, 14), (13, 10, 7)])
def test_agrees_with_sparse_lu_for_all_walls(shape, low):
    """Every axis takes each kind of walls in turn; conductivity, source, reaction and wall values all vary."""
    rng = np.random.default_rng(1)
    sigma = discs(shape, low)
    for number, kinds in enumerate(product(range(4), repeat=len(shape))):
        if number % (1 if len(shape) == 2 else 5):
            continue
        walls = []
        for axis, kind in enumerate(kinds):
            values = rng.random(shape[:axis] + shape[axis + 1 :])
            walls.append((PERIODIC, NO_FLUX, Walls(low=values), Walls(low=-1.0, high=values))[kind])
        f = rng.standard_normal(shape)
        problem = EllipticProblem(sigma, walls, 0.3, faces=FaceMean.ARITHMETIC if number % 2 else FaceMean.HARMONIC)
        f -= f.mean() if problem.is_singular else 0.0
        # Insulated conductors multiply the residual by the contrast, in both solvers.
        solution, exact = Multigrid(problem).solve(f, tolerance=1e-12), by_lu(problem, f)
        assert np.abs(solution.potential - exact).max() < 1e-6 * np.abs(exact).max(), kinds


@pytest.mark.parametrize("shape", [(40, 33), (11, 12, 10)])
def test_reaction_and_arithmetic_faces(shape):
    rng = np.random.default_rng(2)
    sigma, reaction = discs(shape, 1e-7), np.where(rng.random(shape) < 0.3, 5.0, 0.0)
    problem = EllipticProblem(sigma, (PERIODIC,) * len(shape), 0.5, reaction, FaceMean.ARITHMETIC)
    f = rng.standard_normal(shape)
    exact = by_lu(problem, f)
    assert np.abs(Multigrid(problem).solve(f).potential - exact).max() < 1e-6 * np.abs(exact).max()


def test_agrees_with_the_direct_conduction_solver():
    """An independent text of this package, with electrodes (ψ = 1 low, 0 high) at contrast 1e7."""
    sigma = discs((64, 48), 1e-7)
    ours = Multigrid(EllipticProblem(sigma, (Walls(low=1.0, high=0.0), PERIODIC))).solve()
    assert np.abs(ours.potential - solve_conduction(sigma).potential).max() < 1e-7


@pytest.mark.parametrize("shape", [(40, 30), (12, 10, 9)])
def test_one_cycle_is_symmetric_positive_definite(shape):
    rng = np.random.default_rng(3)
    for walls in ((DROP, *(PERIODIC,) * (len(shape) - 1)), (PERIODIC,) * len(shape)):
        multigrid = Multigrid(EllipticProblem(discs(shape, 1e-7), walls))
        x, y = rng.standard_normal((2, *shape))
        mx, my = multigrid.precondition(x), multigrid.precondition(y)
        scale = (np.sum(mx * x) * np.sum(my * y)) ** 0.5
        assert abs(np.sum(mx * y) - np.sum(x * my)) < 1e-10 * scale
        assert min(np.sum(mx * x), np.sum(my * y)) > 0
        assert multigrid.precondition(2 * x + y) == pytest.approx(2 * mx + my, rel=1e-9, abs=1e-9 * np.abs(mx).max())


def sinh_sine(n):
    """φ = sin(y/7) sinh(x/7)/sinh(L/7): no source, zero at x = 0, sin(y/7) at x = L, no flux at y = ±7π/2."""
    length = 7 * np.pi
    h = length / n
    x, y = (np.arange(n) + 0.5) * h, (np.arange(n) + 0.5) * h - length / 2
    problem = EllipticProblem(np.ones((n, n)), (Walls(low=0.0, high=np.sin(y / 7)), NO_FLUX), h)
    exact = np.sinh(x[:, None] / 7) / np.sinh(length / 7) * np.sin(y / 7)
    return float(np.abs(Multigrid(problem).solve().potential - exact).max())


def test_second_order_with_a_wall_value_that_varies():
    errors = [sinh_sine(n) for n in (16, 32, 64)]
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([2, 2], abs=0.15)


def test_second_order_with_varying_conductivity_and_reaction():
    errors = []
    for n in (20, 40, 80):
        x, y = np.meshgrid(*((np.arange(n) + 0.5) / n,) * 2, indexing="ij")
        s, r = 2 + np.sin(2 * np.pi * y), 1 + x
        phi, k = np.cos(np.pi * x) * np.cos(2 * np.pi * y), 2 * np.pi
        flux = -s * np.pi**2 * phi - s * k**2 * phi
        flux += k * np.cos(k * y) * -k * np.sin(k * y) * np.cos(np.pi * x)
        solution = Multigrid(EllipticProblem(s, (NO_FLUX, PERIODIC), 1 / n, r)).solve(flux - r * phi)
        errors.append(np.abs(solution.potential - phi).max())
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([2, 2], abs=0.15)


def test_iterations_do_not_grow_with_the_grid():
    for n in (32, 64, 128, 256, 100, 75):
        assert Multigrid(EllipticProblem(np.ones((n, n)), (DROP, PERIODIC))).solve().n_iterations <= 12
    for n in (16, 32, 25):
        assert Multigrid(EllipticProblem(np.ones((n,) * 3), (DROP, PERIODIC, NO_FLUX))).solve().n_iterations <= 13


@pytest.mark.parametrize("make", [discs, perforated_layer, filament])
def test_iterations_are_bounded_at_high_contrast(make):
    for shape in ((64, 64), (128, 100), (24, 24, 24)):
        if make is filament and len(shape) == 3:
            continue
        walls = (DROP, PERIODIC, NO_FLUX)[: len(shape)]
        assert Multigrid(EllipticProblem(make(shape, 1e-7), walls)).solve().n_iterations <= 18


def test_a_guess_and_an_old_hierarchy_save_work():
    sigma = discs((64, 64), 1e-7)
    walls = (DROP, PERIODIC)
    old = Multigrid(EllipticProblem(sigma, walls))
    cold = old.solve()
    changed = EllipticProblem(np.where(sigma < 1, 2e-7, 1.1 * sigma), walls)
    warm = old.solve(start=cold.potential, problem=changed)
    assert warm.n_iterations < old.solve(problem=changed).n_iterations <= cold.n_iterations + 6
    assert warm.potential == pytest.approx(by_lu(changed), abs=1e-7)
    assert old.solve(start=cold.potential).n_iterations <= 1
    old.rebuild(changed)
    assert old.solve().potential == pytest.approx(warm.potential, abs=1e-7)


def test_without_anything_to_hold_it_phi_has_zero_mean_and_the_source_must_balance():
    rng = np.random.default_rng(5)
    f = rng.standard_normal((30, 25))
    for walls in ((PERIODIC, PERIODIC), (NO_FLUX, PERIODIC), (NO_FLUX, NO_FLUX)):
        multigrid = Multigrid(EllipticProblem(discs(f.shape, 1e-3), walls))
        with pytest.raises(InputError, match=r"f − f\.mean\(\)"):
            multigrid.solve(f)
        phi = multigrid.solve(f - f.mean(), start=np.full(f.shape, 7.0)).potential
        assert abs(phi.mean()) < 1e-12 * np.abs(phi).max()
    assert not multigrid.solve().potential.any()


def test_newton_reaches_a_made_solution_quadratically():
    """φ'' − sinh φ = f with φ = 3 sin(πx/2), prescribed at both walls; the discrete error is of second order."""
    errors = []
    for n in (32, 64):
        x = ((np.arange(n) + 0.5) / n)[:, None] * np.ones((1, 4))
        exact = 3 * np.sin(np.pi * x / 2)
        f = -((np.pi / 2) ** 2) * exact - np.sinh(exact)
        problem = EllipticProblem(np.ones_like(x), (Walls(low=0.0, high=3.0), PERIODIC), 1 / n)
        solution = solve_nonlinear(problem, lambda phi: (np.sinh(phi), np.cosh(phi)), f, start=np.full(x.shape, 2.0))
        errors.append(np.abs(solution.potential - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.15)
    late = [r for r in solution.residuals if 1e-9 < r < 0.1]
    assert len(late) >= 2
    assert all(after < 10 * before**2 for before, after in pairwise(late))


def charge_transfer(where, rate, steepness):
    """2·rate·sinh(steepness·φ) in the cells `where`, overflow to infinity included."""

    def local(phi):
        value, slope = np.zeros(phi.shape), np.zeros(phi.shape)
        value[where] = 2 * rate * np.sinh(steepness * phi[where])
        slope[where] = 2 * rate * steepness * np.cosh(steepness * phi[where])
        return value, slope

    return local


@pytest.mark.parametrize("shape", [(48, 40), (16, 12, 14)])
def test_newton_far_from_the_solution_at_high_contrast(shape):
    """Overshooting by dozens of widths of sinh; the result solves the linear problem of its own slopes."""
    sigma, where = discs(shape, 1e-7), np.zeros(shape, bool)
    where[4:7] = True
    local = charge_transfer(where, 1e-3, 40.0)
    walls = (Walls(high=1.0), PERIODIC, NO_FLUX)[: len(shape)]
    problem = EllipticProblem(sigma, walls)
    solution = solve_nonlinear(problem, local, start=np.full(shape, -0.5))
    s, slope = local(solution.potential)
    linear = by_lu(EllipticProblem(sigma, walls, reaction=slope), s - slope * solution.potential)
    assert solution.potential == pytest.approx(linear, abs=1e-6)
    clipped = solve_nonlinear(problem, local, start=np.full(shape, -0.5), max_change=0.1)
    assert clipped.potential == pytest.approx(solution.potential, abs=1e-6)
    warm = solve_nonlinear(problem, local, start=solution.potential + 1e-4, multigrid=solution.multigrid)
    assert warm.n_steps <= 3 < solution.n_steps
    assert warm.n_iterations < solution.n_iterations


@pytest.mark.parametrize(("rate", "steepness"), [(1e-300, 1500.0), (1e-50, 200.0)])
def test_newton_comes_back_from_a_step_too_far(rate, steepness):
    """The first full step ends where sinh is infinite, or finite but e^80 times too large."""
    where = np.zeros((16, 8), bool)
    where[3] = True
    local = charge_transfer(where, rate, steepness)
    problem = EllipticProblem(np.ones(where.shape), (Walls(high=1.0), PERIODIC))
    solution = solve_nonlinear(problem, local)
    gradient = (1 - solution.potential[3, 0]) / 12.5
    assert local(solution.potential)[0][where] == pytest.approx(gradient, rel=1e-6)
    assert solution.n_steps <= 30


def test_newton_holds_a_floating_potential_by_the_source_alone():
    """No wall value: the source fixes the constant, ∫ s = −∫ f."""
    problem = EllipticProblem(discs((20, 24), 1e-3), (NO_FLUX, PERIODIC))
    phi = solve_nonlinear(problem, lambda phi: (phi**3, 3 * phi**2), -8.0, start=np.ones((20, 24))).potential
    assert phi == pytest.approx(2.0, abs=1e-8)


def test_newton_says_what_is_wrong_with_the_source():
    problem = EllipticProblem(np.ones((8, 8)), (DROP, PERIODIC))
    with pytest.raises(InputError, match="slope not negative"):
        solve_nonlinear(problem, lambda phi: (-phi, -np.ones_like(phi)))
    with pytest.raises(InputError, match="shape"):
        solve_nonlinear(problem, lambda phi: (phi[0], phi[0]))
    with pytest.raises(SimulationError, match="downhill"):
        solve_nonlinear(problem, lambda phi: (np.where(phi == 0, 0.0, np.inf), phi + 1))
    with pytest.raises(SimulationError, match="max_change"):
        solve_nonlinear(problem, lambda phi: (np.sinh(9 * phi), 9 * np.cosh(9 * phi)), max_steps=1)


def test_errors_teach():
    ones, sigma = np.ones((8, 8)), np.ones((8, 8))
    sigma[2, 3] = 0.0
    with pytest.raises(InputError, match=r"cell \(2, 3\)"):
        EllipticProblem(sigma, (DROP, PERIODIC))
    with pytest.raises(InputError, match="one per axis"):
        EllipticProblem(ones, (DROP,))
    with pytest.raises(InputError, match="wall of axis 0 has shape"):
        EllipticProblem(ones, (Walls(low=np.ones(5)), PERIODIC))
    with pytest.raises(InputError, match="must not be negative"):
        EllipticProblem(ones, (DROP, PERIODIC), reaction=-1.0)
    with pytest.raises(InputError, match="2 or 3 axes"):
        EllipticProblem(np.ones(8), (DROP,))
    multigrid = Multigrid(EllipticProblem(ones, (DROP, PERIODIC)))
    with pytest.raises(InputError, match="make a new Multigrid"):
        multigrid.solve(problem=EllipticProblem(ones, (DROP, NO_FLUX)))
    with pytest.raises(InputError, match="not finite"):
        multigrid.solve(np.nan)
    with pytest.raises(InputError, match="start has shape"):
        multigrid.solve(start=np.zeros(3))
    rough = Multigrid(EllipticProblem(discs((32, 32), 1e-7), (DROP, PERIODIC)))
    with pytest.raises(SimulationError, match=r"span a factor .*e\+07.*max_iterations"):
        rough.solve(max_iterations=2)


def test_memory_is_as_documented():
    """Bytes per cell, in two and three dimensions."""
    for shape, limit in (((128, 128), 185), ((48, 48, 48), 230)):
        multigrid = Multigrid(EllipticProblem(np.ones(shape), (DROP, *(PERIODIC,) * (len(shape) - 1))))
        assert multigrid.n_bytes / np.prod(shape) < limit
