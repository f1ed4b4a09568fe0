"""One run of a problem: a model, a start, and what is written down on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.contract import PhaseFieldModel
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients

__all__ = ["Case", "Cuts", "Measure", "energy_of"]

Measure = Callable[[FloatArray, Any], tuple[float, ...]]
"""From a state and its coefficients (None where the stepper has none): the energy that the flow lowers, then the
numbers of the columns."""

Cuts = Mapping[str, Mapping[str, FloatArray]]
"""Columns along lines, by the equation of the line: ``"x=50"``."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is run and what is measured."""

    model: PhaseFieldModel
    state: FloatArray
    measure: Measure
    labels: Mapping[str, float] = field(default_factory=dict)
    """Columns that are constant in this run."""
    is_conserved: bool = True
    """Whether the mean of field 0 stays."""
    counted: npt.NDArray[np.bool_] | None = None
    """Cells that belong to the domain, where it is not the whole grid."""
    cuts: Callable[[FloatArray], Cuts] | None = None
    """Profiles of the final state."""


def energy_of(model: GradientFlow) -> Measure:
    """F, which is both what falls and what is reported."""

    def measure(state: FloatArray, coefficients: Coefficients) -> tuple[float, ...]:
        energy = model.energy(state, coefficients)
        return energy, energy

    return measure
