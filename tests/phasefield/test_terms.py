"""Terms from outside: a mechanism and an energy term on every model, and what the kits say of broken ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from dynaphase.electrolyte.paper import PaperModel, PaperParameters
from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.allen_cahn import AllenCahn, AllenCahnParameters
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.phasefield.terms import Source, add_terms
from dynaphase.testing import check_energy_term, check_mechanism, check_model

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
GRID = Grid((10, 12), 0.8, (NO_FLUX, PERIODIC))
WELL = Polynomial.double_well(5.0, 0.3, 0.7)
STATE = np.random.default_rng(0).uniform(0.2, 0.8, GRID.shape)


def cahn_hilliard(mobility: float | Polynomial = 1.0) -> CahnHilliard:
    return CahnHilliard(GRID, CahnHilliardParameters(WELL, 2.0, mobility))


@dataclass(frozen=True)
class Gravity:
    """F₁ = ∫ g x c dV: the field is drawn to the low side."""

    grid: Grid
    strength: float

    def _height(self) -> FloatArray:
        return self.strength * ((np.arange(self.grid.shape[0]) + 0.5) * self.grid.spacing_nm)[:, None]

    def energy(self, state: FloatArray) -> float:
        return float(np.sum(self._height() * state)) * self.grid.spacing_nm**2

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        out += self._height()

    def curvature(self, state: FloatArray) -> float:
        return 0.0


@dataclass(frozen=True)
class Confinement:
    """F₁ = ∫ (a/2) c² dV: one with a curvature."""

    grid: Grid
    a: float

    def energy(self, state: FloatArray) -> float:
        return 0.5 * self.a * float(np.sum(state**2)) * self.grid.spacing_nm**2

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        out += self.a * state

    def curvature(self, state: FloatArray) -> float:
        return self.a


@dataclass(frozen=True)
class Decay:
    """∂c/∂t = … − k c."""

    rate: float
    conserved: tuple[str, ...] = ()

    def add_rate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        out -= self.rate * state

    def spectral_radius(self, state: FloatArray) -> float:
        return self.rate


@pytest.mark.parametrize("mobility", [1.0, Polynomial((0.2, 1.0))])
def test_an_energy_term_drives_a_conserved_field_and_keeps_its_amount(mobility: float | Polynomial) -> None:
    term = Gravity(GRID, 0.3)
    check_energy_term(term, GRID, STATE)
    model = add_terms(cahn_hilliard(mobility), term)
    check_model(model, STATE, conserved=("c",))
    run = simulate(model, STATE, RungeKuttaChebyshev(1e-5, 1e-6), 20.0, n_observations=20).require_done()
    energy, mean = run.observations["energy"], run.observations["mean_c"]
    assert np.all(np.diff(energy) <= 1e-10)
    assert np.max(np.abs(mean - mean[0])) < 1e-13
    assert run.state[0].mean() > run.state[-1].mean() + 0.1


def test_the_stiffness_knows_that_the_mobility_varies() -> None:
    """A strong tilt under M(c): the derivative of the flux by M is most of the Jacobian."""
    check_model(add_terms(cahn_hilliard(Polynomial((0.1, 0.0, 1.0))), Gravity(GRID, 30.0)), STATE, conserved=("c",))


def test_an_energy_term_drives_a_field_that_is_not_conserved() -> None:
    model = add_terms(AllenCahn(GRID, AllenCahnParameters(WELL, 2.0, 1.5)), Confinement(GRID, 0.7), Gravity(GRID, 0.1))
    check_energy_term(Confinement(GRID, 0.7), GRID, STATE)
    check_model(model, STATE)
    alone, extended = np.empty_like(STATE), np.empty_like(STATE)
    model.model.rhs(STATE, alone)
    model.rhs(STATE, extended)
    height = 0.1 * ((np.arange(10) + 0.5) * 0.8)[:, None]
    np.testing.assert_allclose(extended - alone, -1.5 * (0.7 * STATE + height), atol=1e-12)


def test_a_mechanism_adds_its_rate() -> None:
    """⟨c⟩ decays as e^(−kt) whatever the rest of the model does."""
    decay = Decay(0.2)
    check_mechanism(decay, ("c",), STATE, rest=np.zeros(GRID.shape))
    model = add_terms(cahn_hilliard(), decay)
    run = simulate(model, STATE, RungeKuttaChebyshev(1e-6, 1e-8), 3.0, n_observations=6).require_done()
    expected = STATE.mean() * np.exp(-0.2 * run.times)
    np.testing.assert_allclose(run.observations["mean_c"], expected, rtol=1e-5)


def test_a_source_knows_the_time_also_on_the_paper_model() -> None:
    paper = PaperModel(Grid((8, 8), 1.0, (NO_FLUX, PERIODIC)), PaperParameters(0.1, 0.0, 1e-9, conservative=True))
    ripple = np.cos(2 * math.pi * np.arange(8) / 8)[None, :] * np.ones((8, 1))
    source = Source(lambda t: 0.1 * math.cos(t) * ripple, conserved=("C",))
    check_mechanism(source, ("C",), np.full((8, 8), 0.5))
    model = add_terms(paper, source)
    run = simulate(model, np.full((8, 8), 0.5), RungeKuttaChebyshev(1e-6, 1e-8), 2.0).require_done()
    assert run.state.mean() == pytest.approx(0.5, abs=1e-12)
    assert np.ptp(run.state) > 0.05


def test_an_extended_model_can_be_extended() -> None:
    once = add_terms(cahn_hilliard(), Gravity(GRID, 0.3), Decay(0.1))
    twice = add_terms(add_terms(cahn_hilliard(), Decay(0.1)), Gravity(GRID, 0.3))
    rates = np.empty((2, *GRID.shape))
    once.rhs_at(0.0, STATE, rates[0])
    twice.rhs_at(0.0, STATE, rates[1])
    np.testing.assert_allclose(rates[0], rates[1], atol=1e-14)
    assert once.energy(STATE) == pytest.approx(twice.energy(STATE))
    assert once.spectral_radius(STATE) == pytest.approx(twice.spectral_radius(STATE))


def test_what_cannot_be_added_is_refused() -> None:
    paper = PaperModel(Grid.box(8), PaperParameters(0.1, 1e-3, 1e-9))
    with pytest.raises(ConfigError, match="add a mechanism"):
        add_terms(paper, Gravity(GRID, 0.3))
    with pytest.raises(ConfigError, match="is no term"):
        add_terms(cahn_hilliard(), object())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="claims to conserve"):
        add_terms(cahn_hilliard(), Decay(0.1, conserved=("eta",)))
    with pytest.raises(ConfigError, match="is a class"):
        add_terms(cahn_hilliard(), Decay)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="tuple of field names"):
        add_terms(cahn_hilliard(), Decay(0.1, conserved="c"))  # type: ignore[arg-type]


# --- the kits notice ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HalfTheEnergy(Gravity):
    def energy(self, state: FloatArray) -> float:
        return 0.5 * super().energy(state)


@dataclass(frozen=True)
class NoCurvature(Confinement):
    def curvature(self, state: FloatArray) -> float:
        return 0.5 * self.a


@dataclass(frozen=True)
class Overwriting(Decay):
    def add_rate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        out[...] = -self.rate * state


@dataclass(frozen=True)
class TooCalm(Decay):
    def spectral_radius(self, state: FloatArray) -> float:
        return 0.5 * self.rate


@dataclass(frozen=True)
class NoNumber(Decay):
    def spectral_radius(self, state: FloatArray) -> float:
        return math.nan


@dataclass(frozen=True)
class WrongSign(CahnHilliard):
    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        super().rhs(state, out)
        out *= -1.0


@dataclass(frozen=True)
class Leaking(CahnHilliard):
    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        super().rhs(state, out)
        out[0] *= 1.01


@dataclass(frozen=True)
class TooSoft(CahnHilliard):
    def spectral_radius(self, state: FloatArray) -> float:
        return 0.2 * super().spectral_radius(state)


def test_kits_tell_what_is_broken() -> None:
    with pytest.raises(AssertionError, match="not the one that drives"):
        check_energy_term(HalfTheEnergy(GRID, 0.3), GRID, STATE)
    with pytest.raises(AssertionError, match="curvature"):
        check_energy_term(NoCurvature(GRID, 0.7), GRID, STATE)
    with pytest.raises(AssertionError, match="overwrites"):
        check_mechanism(Overwriting(0.2), ("c",), STATE)
    with pytest.raises(AssertionError, match="power method"):
        check_mechanism(TooCalm(0.2), ("c",), STATE)
    with pytest.raises(AssertionError, match="does not conserve c"):
        check_mechanism(Decay(0.2, conserved=("c",)), ("c",), STATE)
    with pytest.raises(AssertionError, match="at rest"):
        check_mechanism(Decay(0.2), ("c",), STATE, rest=np.ones(GRID.shape))
    parameters = CahnHilliardParameters(WELL, 2.0)
    with pytest.raises(AssertionError, match="says nan"):
        check_mechanism(NoNumber(0.2), ("c",), STATE)
    for broken, message in ((WrongSign, "rises"), (Leaking, "does not conserve"), (TooSoft, "power method")):
        with pytest.raises(AssertionError, match=message):
            check_model(broken(GRID, parameters), STATE, conserved=("c",))


def test_every_model_keeps_its_contract() -> None:
    check_model(cahn_hilliard(), STATE, conserved=("c",))
    check_model(cahn_hilliard(Polynomial((0.2, 0.0, 1.0))), STATE, conserved=("c",))
    check_model(AllenCahn(GRID, AllenCahnParameters(WELL, 2.0)), STATE)
    deep = Grid((6, 7, 5), 0.8, (NO_FLUX, PERIODIC, NO_FLUX))
    state = np.random.default_rng(1).uniform(0.2, 0.8, deep.shape)
    check_model(CahnHilliard(deep, CahnHilliardParameters(WELL, 2.0)), state, conserved=("c",))
    check_model(AllenCahn(deep, AllenCahnParameters(WELL, 2.0)), state)
    # the printed model descends its energy only without reaction and at constant diffusivity
    for conservative in (False, True):
        parameters = PaperParameters(0.1, 1e-3, 1e-9, conservative=conservative)
        check_model(PaperModel(Grid.box(10, 8.0), parameters), STATE[:, :10].copy(), descends=False)
    check_model(PaperModel(Grid.box(10, 8.0), PaperParameters(0.1, 0.0, 1e-9, m_D=0.0)), STATE[:, :10].copy())
