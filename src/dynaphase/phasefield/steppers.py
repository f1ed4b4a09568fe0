"""Time integrators: explicit Euler at a fixed step, and adaptive Runge–Kutta–Chebyshev of second order.

What they have in common is in :mod:`~dynaphase.phasefield.stepping`.
"""

from __future__ import annotations

from dynaphase.phasefield.chebyshev import RungeKuttaChebyshev
from dynaphase.phasefield.euler import ExplicitEuler
from dynaphase.phasefield.stepping import (
    AdaptiveIntegration,
    AdaptiveStepper,
    Integration,
    Stepper,
    SteppingStatistics,
)

__all__ = [
    "AdaptiveIntegration",
    "AdaptiveStepper",
    "ExplicitEuler",
    "Integration",
    "RungeKuttaChebyshev",
    "Stepper",
    "SteppingStatistics",
]
