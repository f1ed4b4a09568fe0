"""Work space of the Chebyshev stepper: where the stages of one step are computed, all arrays made once.

Importing this module imports numba: do it inside the function that needs it.  `PlainWork` serves every model through
its right-hand side; `PaddedWork` serves those whose stencil loops combine the stages on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dynaphase.phasefield.chebyshev_loops import combine, first_stage, padded_error, plain_error
from dynaphase.phasefield.contract import SteppableModel
from dynaphase.phasefield.field_loops import PaddedEquation, PaddedLoops
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.stepping import rate_of

__all__ = ["PaddedWork", "PlainWork"]


def scaled_change(
    state: FloatArray, slope: FloatArray, later: FloatArray, dt: float, rtol: float, atol: float
) -> float:
    """Root mean square of Δt(F₁ − F₀)/(atol + rtol·|y₀|)."""
    scaled = dt * (later - slope) / (atol + rtol * np.abs(state))
    return float(np.sqrt(np.mean(scaled**2, dtype=np.float64)))


def clear_columns(columns: FloatArray) -> FloatArray:
    """The same array, (3, n): sums, lowest and highest values of nothing yet."""
    columns[0], columns[1], columns[2] = 0.0, math.inf, -math.inf
    return columns


def root_mean(sums: FloatArray, n: int) -> float:
    """Square root of the mean over `n` values."""
    return math.sqrt(float(np.sum(sums)) / n)


class PlainWork:
    """Stages by ``rhs`` and one compiled combination after each; methods as in `ChebyshevWork`."""

    def __init__(self, model: SteppableModel, state: FloatArray) -> None:
        self._model, self._rate = model, rate_of(model)
        self._start, self._slope, self._even, self._odd, self._end_slope = (np.empty_like(state) for _ in range(5))
        self._end = self._even
        self._columns = np.empty((3, min(256, state.size)))

    def load(self, time: float, state: FloatArray, slope: FloatArray | None) -> None:
        np.copyto(self._start, state)
        if slope is None:
            self._rate(time, self._start, self._slope)
        else:
            np.copyto(self._slope, slope)

    def attempt(self, times: FloatArray, dt: float, weights: FloatArray, rtol: float, atol: float) -> float:
        start, slope, rate = self._start.reshape(-1), self._slope.reshape(-1), self._end_slope.reshape(-1)
        weights = weights.astype(start.dtype, copy=False)
        first_stage(start, slope, self._even.reshape(-1), self._odd.reshape(-1), weights)
        previous, before = self._odd, self._even
        for j in range(2, len(weights)):
            self._rate(float(times[j - 1]), previous, self._end_slope)
            combine(start, slope, previous.reshape(-1), before.reshape(-1), rate, weights, j)
            previous, before = before, previous
        self._end = previous
        self._rate(float(times[-1]), previous, self._end_slope)
        columns = clear_columns(self._columns)
        plain_error(start, slope, previous.reshape(-1), rate, dt, rtol, atol, columns)
        return root_mean(columns[0], start.size)

    def accept(self) -> None:
        # the arrays change places: the old state and slope become work space
        other = self._even if self._end is self._odd else self._odd
        self._start, self._even, self._odd = self._end, self._start, other
        self._slope, self._end_slope = self._end_slope, self._slope

    def slope_change(self, time: float, dt: float, rtol: float, atol: float) -> float:
        np.multiply(self._slope, dt, out=self._even)
        self._even += self._start
        self._rate(time + dt, self._even, self._end_slope)
        return scaled_change(self._start, self._slope, self._end_slope, dt, rtol, atol)

    def spectral_radius(self) -> float:
        return self._model.spectral_radius(self._start)

    def state(self) -> FloatArray:
        return self._start

    def slope(self) -> FloatArray:
        return self._slope


class PaddedWork:
    """Stages inside the stencil loops of a model, in padded arrays that live as long as the integration.

    Parameters
    ----------
    loops : PaddedLoops
        Of the shape and precision of the state.
    equation : PaddedEquation
    radius : callable
        (lowest, highest value) → bound on the spectral radius of every state between them.
    """

    def __init__(self, loops: PaddedLoops, equation: PaddedEquation, radius: Callable[[float, float], float]) -> None:
        self._loops, self._equation, self._radius = loops, equation, radius
        self._start, self._slope, self._even, self._odd, self._end_slope = (loops.new() for _ in range(5))
        self._end = self._even
        self._columns = np.empty((3, loops.geometry.n_z))
        self._extremes: tuple[float, float] = (math.nan, math.nan)
        self._state: FloatArray | None = None

    def load(self, time: float, state: FloatArray, slope: FloatArray | None) -> None:
        self._loops.load(state, self._start)
        self._extremes, self._state = (float(np.min(state)), float(np.max(state))), None
        if slope is None:
            self._equation.rate(self._start, self._slope)
        else:
            self._loops.load(slope, self._slope)

    def attempt(self, times: FloatArray, dt: float, weights: FloatArray, rtol: float, atol: float) -> float:
        weights = weights.astype(self._start.dtype, copy=False)
        self._equation.stages(self._start, self._slope, self._even, self._odd, weights)
        self._end = self._odd if len(weights) % 2 == 0 else self._even
        self._equation.rate(self._end, self._end_slope)
        ends = self._start, self._slope, self._end, self._end_slope
        columns = clear_columns(self._columns)
        padded_error(*ends, dt, rtol, atol, columns, self._loops.geometry)
        return root_mean(columns[0], math.prod(self._loops.shape))

    def accept(self) -> None:
        other = self._even if self._end is self._odd else self._odd
        self._start, self._even, self._odd = self._end, self._start, other
        self._slope, self._end_slope = self._end_slope, self._slope
        self._extremes = float(np.min(self._columns[1])), float(np.max(self._columns[2]))
        self._state = None

    def slope_change(self, time: float, dt: float, rtol: float, atol: float) -> float:
        np.multiply(self._slope, dt, out=self._even)
        self._even += self._start
        self._equation.rate(self._even, self._end_slope)
        return scaled_change(self.state(), self.slope(), self._copy_out(self._end_slope), dt, rtol, atol)

    def spectral_radius(self) -> float:
        return self._radius(*self._extremes)

    def state(self) -> FloatArray:
        if self._state is None:
            self._state = self._copy_out(self._start)
        return self._state

    def slope(self) -> FloatArray:
        return self._copy_out(self._slope)

    def _copy_out(self, padded: Any) -> FloatArray:
        field = np.empty(self._loops.shape, padded.dtype)
        self._loops.store(padded, field)
        return field
