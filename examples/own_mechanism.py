"""Add a mechanism of your own to a model of the engine: lithium that leaks through one wall while phases separate.

    ∂c/∂t = ∇·(M∇μ) − (v/Δx) (c − c₀)  in the cells at the low wall

Run with ``python examples/own_mechanism.py``.
"""

from dataclasses import dataclass

import numpy as np

from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.phasefield.terms import add_terms
from dynaphase.testing import check_mechanism, check_model


@dataclass(frozen=True)
class LeakyWall:
    """Exchange with a reservoir at concentration c₀ through the low wall of axis 0, at the velocity v."""

    velocity: float
    reservoir: float
    spacing: float
    conserved: tuple[str, ...] = ()

    def add_rate(self, time: float, state: np.ndarray, out: np.ndarray) -> None:
        out[0] -= self.velocity / self.spacing * (state[0] - self.reservoir)

    def spectral_radius(self, state: np.ndarray) -> float:
        return self.velocity / self.spacing


grid = Grid((48, 48), spacing_nm=1.0, boundaries=(Boundary.NO_FLUX, Boundary.PERIODIC))
start = 0.5 + 0.02 * np.random.default_rng(0).standard_normal(grid.shape)
phases = CahnHilliard(grid, CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), kappa=2.0, mobility=5.0))
leak = LeakyWall(velocity=0.5, reservoir=0.3, spacing=grid.spacing_nm)

check_mechanism(leak, phases.fields, start, rest=np.full(grid.shape, 0.3))  # it does what it promises
model = add_terms(phases, leak)
check_model(model, start, descends=False)

run = simulate(model, start, RungeKuttaChebyshev(1e-4, 1e-5), t_end=200.0, n_observations=5).require_done()
for time, mean, energy in zip(run.times, run.observations["mean_c"], run.observations["energy"], strict=True):
    print(f"t = {time:5.0f}   mean c = {mean:.4f}   F = {energy:7.2f}")
