"""Conformance kits: what a model, an energy term or a mechanism promises, checked on states that you give.

Each function raises `AssertionError` with what was promised, what was found and where to look; use them in the tests
of your own plug-ins as ours do in theirs:

>>> check_model(my_model, np.random.default_rng(0).uniform(0.1, 0.9, (16, 16)), conserved=("c",))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dynaphase.phasefield.contract import PhaseFieldModel, SteppableModel, TimeDependentModel
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.terms import EnergyTerm, Mechanism

__all__ = ["check_energy_term", "check_mechanism", "check_model", "measured_spectral_radius"]

_N_ITERATIONS = 40


def check_model(
    model: PhaseFieldModel,
    state: FloatArray,
    *,
    conserved: Sequence[str] = (),
    descends: bool = True,
    rtol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Hold a model to its contract at `state`.

    Checked: ``rhs`` writes every entry and leaves the state alone; ``variational_derivative`` is the derivative of
    ``energy`` by central differences along random directions; ``spectral_radius`` bounds what the power method finds
    on the Jacobian; with `descends`, dF/dt = Σ δF/δu · ∂u/∂t Δx^d ≤ 0; the rates of `conserved` fields sum to zero.

    Parameters
    ----------
    model : PhaseFieldModel
    state : array
        A float64 state far from rest, random for instance.
    conserved : sequence of str
        Names of the fields whose amount the model keeps.
    descends : bool
        Whether the energy may never rise.
    rtol : float
        Relative tolerance of the derivative.
    seed : int
        Of the random directions.

    Raises
    ------
    AssertionError
        With the promise that was broken.
    """
    rate = _checked_rate(model, state)
    cell = model.grid.spacing_nm ** len(model.grid.shape)
    driving = model.variational_derivative(state)
    _check_pairing(model.energy, driving, state, cell, rtol, seed, type(model).__name__)
    descent = float(np.sum(driving * rate)) * cell
    scale = float(np.sum(np.abs(driving * rate))) * cell
    if descends and descent > 1e-12 * scale:
        raise AssertionError(f"the energy of {type(model).__name__} rises: dF/dt = {descent:.3g} at this state")
    _check_sums(rate, model.fields, conserved, type(model).__name__)
    bound, found = model.spectral_radius(state), measured_spectral_radius(model, state, seed=seed)
    if not found <= bound * 1.01:  # also a bound that is not a number
        raise AssertionError(
            f"spectral_radius of {type(model).__name__} says {bound:.6g}, the power method finds {found:.6g}"
        )


def check_energy_term(term: EnergyTerm, grid: Grid, state: FloatArray, *, rtol: float = 1e-6, seed: int = 0) -> None:
    """Hold an energy term to its contract at `state`.

    Checked: ``add_derivative`` adds, and what it adds is the derivative of ``energy``; ``curvature`` bounds what the
    power method finds on the second derivative.

    Raises
    ------
    AssertionError
        With the promise that was broken.
    """
    name = type(term).__name__
    derivative = _added(term.add_derivative, state, name, seed)
    cell = grid.spacing_nm ** len(grid.shape)
    _check_pairing(term.energy, derivative, state, cell, rtol, seed, name)

    def apply(u: FloatArray, out: FloatArray) -> None:
        out.fill(0.0)
        term.add_derivative(u, out)

    bound, found = term.curvature(state), _power_method(apply, state, seed)
    if not found <= bound * 1.01 + 1e-12:
        raise AssertionError(f"curvature of {name} says {bound:.6g}, the power method finds {found:.6g}")


def check_mechanism(
    mechanism: Mechanism,
    fields: Sequence[str],
    state: FloatArray,
    *,
    rest: FloatArray | None = None,
    time: float = 0.3,
    seed: int = 0,
) -> None:
    """Hold a mechanism to its contract at `state`.

    Checked: ``add_rate`` adds and leaves the state alone; what it adds to the fields it claims to conserve sums to
    zero; it is zero at `rest`, where given; ``spectral_radius`` bounds what the power method finds.

    Parameters
    ----------
    mechanism : Mechanism
    fields : sequence of str
        Names of the fields of the state, in their order.
    state : array
        A float64 state.
    rest : array, optional
        A state at which nothing should happen.
    time : float
        When to ask.
    seed : int

    Raises
    ------
    AssertionError
        With the promise that was broken.
    """
    name = type(mechanism).__name__
    rate = _added(lambda u, out: mechanism.add_rate(time, u, out), state, name, seed)
    _check_sums(rate, tuple(fields), mechanism.conserved, name)
    if rest is not None:
        idle = np.zeros_like(rest)
        mechanism.add_rate(time, rest, idle)
        largest, scale = float(np.max(np.abs(idle))), float(np.max(np.abs(rate)))
        if largest > 1e-12 * scale:
            raise AssertionError(f"{name} changes the state at rest, by up to {largest:.3g}")

    def apply(u: FloatArray, out: FloatArray) -> None:
        out.fill(0.0)
        mechanism.add_rate(time, u, out)

    bound, found = mechanism.spectral_radius(state), _power_method(apply, state, seed)
    if not found <= bound * 1.01 + 1e-9:
        raise AssertionError(f"spectral_radius of {name} says {bound:.6g}, the power method finds {found:.6g}")


def measured_spectral_radius(model: SteppableModel, state: FloatArray, *, seed: int = 0) -> float:
    """|λ| of the Jacobian of ``rhs`` by the power method on central differences: approached from below."""
    return _power_method(model.rhs, state, seed)


def _power_method(apply: Callable[[FloatArray, FloatArray], None], state: FloatArray, seed: int) -> float:
    random = np.random.default_rng(seed)
    direction = random.standard_normal(state.shape)
    plus, minus = np.empty_like(state), np.empty_like(state)
    growth: list[float] = []
    for _ in range(_N_ITERATIONS):
        direction *= 1e-5 / float(np.sqrt(np.mean(direction**2)))
        apply(state + direction, plus)
        apply(state - direction, minus)
        size = float(np.linalg.norm(direction))
        direction = 0.5 * (plus - minus)
        growth.append(float(np.linalg.norm(direction)) / size)
        if growth[-1] == 0:
            return 0.0
    # the mean over the last steps: a pair of complex eigenvalues makes single steps grow by more than |λ|
    return float(np.exp(np.mean(np.log(growth[-10:]))))


def _checked_rate(model: SteppableModel, state: FloatArray) -> FloatArray:
    before, rate = state.copy(), np.full_like(state, np.nan)
    if isinstance(model, TimeDependentModel):
        model.rhs_at(0.0, state, rate)
    else:
        model.rhs(state, rate)
    if not np.array_equal(state, before):
        raise AssertionError(f"rhs of {type(model).__name__} alters the state")
    if not np.all(np.isfinite(rate)):
        raise AssertionError(f"rhs of {type(model).__name__} leaves {np.sum(~np.isfinite(rate))} entries unwritten")
    return rate


def _added(add: Callable[[FloatArray, FloatArray], None], state: FloatArray, name: str, seed: int) -> FloatArray:
    """What `add` adds, having seen that it adds and that it leaves the state alone."""
    before, alone = state.copy(), np.zeros_like(state)
    add(state, alone)
    if not np.array_equal(state, before):
        raise AssertionError(f"{name} alters the state")
    if not np.all(np.isfinite(alone)):
        raise AssertionError(f"what {name} adds is not finite in {np.sum(~np.isfinite(alone))} entries")
    ground = np.random.default_rng(seed).standard_normal(state.shape)
    total = ground.copy()
    add(state, total)
    if not np.allclose(total - ground, alone, rtol=1e-9, atol=1e-12 * (1.0 + float(np.max(np.abs(alone))))):
        raise AssertionError(f"{name} overwrites `out`: it must add to what is there")
    return alone


def _check_pairing(
    energy: Callable[[FloatArray], float],
    derivative: FloatArray,
    state: FloatArray,
    cell: float,
    rtol: float,
    seed: int,
    name: str,
) -> None:
    random = np.random.default_rng(seed)
    step = 1e-4 * (float(np.std(state)) or 1.0)
    for _ in range(3):
        direction = random.standard_normal(state.shape)
        expected = float(np.sum(derivative * direction)) * cell

        def slope(h: float, along: FloatArray = direction) -> float:
            return (energy(state + h * along) - energy(state - h * along)) / (2.0 * h)

        found = (4.0 * slope(0.5 * step) - slope(step)) / 3.0  # Richardson: error of fourth order in the step
        scale = float(np.linalg.norm(derivative)) * float(np.linalg.norm(direction)) * cell
        if abs(found - expected) > rtol * max(scale / np.sqrt(state.size), abs(expected)):
            raise AssertionError(
                f"the energy of {name} changes by {found:.9g} along a random direction, its derivative says "
                f"{expected:.9g}: the energy that is reported is not the one that drives the fields"
            )


def _check_sums(rate: FloatArray, fields: tuple[str, ...], conserved: Sequence[str], name: str) -> None:
    rows = rate.reshape(len(fields), -1)
    for field in conserved:
        row = rows[fields.index(field)]
        total, scale = abs(float(np.sum(row))), float(np.sum(np.abs(row)))
        if total > 1e-11 * scale:
            raise AssertionError(f"{name} does not conserve {field}: its rates sum to {total:.3g} of {scale:.3g}")
