"""Fields and their compiled loops: what the Allen–Cahn and Cahn–Hilliard models call, float64 and float32.

Importing this module imports numba: do it inside the function that needs it.  The readable twins are
``reference_rhs`` of the models; a test holds the two together.

An equation here is its numbers only.  `RelaxationLoops` and `ConservedLoops` hold the padded arrays of one shape and
precision; they are made once and used by one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from dynaphase.phasefield.conserved_loops import Window, conserved_stages, conserved_steps
from dynaphase.phasefield.padding import (
    Geometry,
    Layers,
    RealArray,
    Scalars,
    as_layers,
    make_geometry,
    make_padded,
    make_planes,
    require_alike,
)
from dynaphase.phasefield.relaxation_loops import relaxation_stages, relaxation_steps

__all__ = ["ConservedLoops", "PaddedEquation", "PaddedLoops", "RelaxationLoops"]

_CHUNK_CELLS: Final = 16384
"""Cells in one chunk of planes: their potential stays in the second-level cache."""

_LEAST_CHUNK: Final = 8
"""Planes in a chunk below which three planes that change places are quicker than carrying two of them over."""


class PaddedEquation(Protocol):
    """An equation on padded arrays: what the Chebyshev stages need of it."""

    geometry: Geometry

    def new(self) -> RealArray:
        """A padded array of zeros."""

    def rate(self, c: RealArray, out: RealArray) -> None:
        """Write the rate of `c` into the cells of `out`."""

    def stages(self, start: RealArray, slope: RealArray, even: RealArray, odd: RealArray, weights: RealArray) -> None:
        """All stages of a step, the last into `even` or `odd` according to its number."""


class PaddedLoops:
    """Padded arrays of one shape and precision.

    Parameters
    ----------
    shape : tuple of two or three int
    periodic : sequence of bool
        Of each axis; an axis that is not periodic ends at walls that reflect.
    dtype : float64 or float32
    """

    def __init__(self, shape: tuple[int, ...], periodic: Sequence[bool], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.geometry = make_geometry(shape, periodic, dtype)
        chunk = min(max(1, _CHUNK_CELLS // self.geometry.plane), shape[0])
        self.chunk = chunk if chunk >= min(_LEAST_CHUNK, shape[0]) else 1

    def new(self) -> RealArray:
        """A padded array of zeros."""
        return make_padded(self.geometry, self.dtype)

    def load(self, field: RealArray, padded: RealArray) -> None:
        """Copy a C-contiguous `field` into a padded array and fill its ghosts."""
        Layers(padded, self.geometry).load(as_layers(field, self.shape))

    def store(self, padded: RealArray, field: RealArray) -> None:
        """Copy the cells of a padded array into a C-contiguous `field`."""
        Layers(padded, self.geometry).store(as_layers(field, self.shape))

    def scalar(self, value: float) -> Any:
        """`value` in the precision of the field."""
        return self.dtype.type(value)

    def scalars(self, values: Sequence[float]) -> Scalars:
        """`values` in the precision of the field."""
        return tuple(self.dtype.type(value) for value in values)

    @cached_property
    def first(self) -> Layers:
        """A padded array."""
        return Layers(self.new(), self.geometry)

    @cached_property
    def second(self) -> Layers:
        """Another padded array."""
        return Layers(self.new(), self.geometry)

    def write_rate(self, equation: PaddedEquation, state: RealArray, out: RealArray) -> None:
        """Write the rate of `state` into `out`."""
        require_alike(state, out)
        self.first.load(as_layers(state, self.shape))
        equation.rate(self.first.padded, self.second.padded)
        self.second.store(as_layers(out, self.shape))


class RelaxationLoops(PaddedLoops):
    """Loops of ∂c/∂t = P(c) + `face`·Σ(neighbours of c), P with the ascending coefficients `local`."""

    def steps(self, state: RealArray, n_steps: int, local: Sequence[float], face: float) -> None:
        """Replace c by P(c) + `face`·Σ(neighbours of c), `n_steps` times, in place."""
        field, even, odd = as_layers(state, self.shape), self.first, self.second
        even.load(field)
        chunk, coefficients = self.chunk, self.scalars(local)
        relaxation_steps(even.padded, odd.padded, n_steps, chunk, self.geometry, coefficients, self.scalar(face))
        (odd if n_steps % 2 else even).store(field)

    def bind(self, local: Sequence[float], face: float) -> PaddedEquation:
        """The equation with these coefficients."""
        return _Relaxation(self, self.scalars(local), self.scalar(face))


class ConservedLoops(PaddedLoops):
    """Loops of ∂c/∂t = Σ over faces of the inflow by differences of μ = P(c) + `face`·Σ(neighbours of c).

    With an empty `mobility` the flux across a face is the difference of μ; else it is that difference times the sum
    of the polynomial `mobility`, of two coefficients or more, on the two sides.  Factors such as ½, 1/Δx² and Δt are
    the caller's.
    """

    def steps(
        self, state: RealArray, n_steps: int, local: Sequence[float], face: float, mobility: Sequence[float]
    ) -> None:
        """Add the rate to `state`, `n_steps` times, in place."""
        field, layers = as_layers(state, self.shape), self.first
        layers.load(field)
        conserved_steps(layers.padded, layers.padded, n_steps, self.window(local, face, mobility), self.geometry)
        layers.store(field)

    def bind(self, local: Sequence[float], face: float, mobility: Sequence[float]) -> PaddedEquation:
        """The equation with these coefficients."""
        return _Conserved(self, self.window(local, face, mobility))

    def window(self, local: Sequence[float], face: float, mobility: Sequence[float]) -> Window:
        """Work space and constants of a sweep."""
        return Window(
            potential=self._potential,
            mobilities=self._mobilities if mobility else self._potential[:0],
            chunk=self.chunk,
            local=self.scalars(local),
            face=self.scalar(face),
            diagonal=self.scalar(2 * len(self.shape)),
            factors=self.scalars(mobility or (0.0,)),
        )

    @cached_property
    def _potential(self) -> RealArray:
        return make_planes(self.chunk + 2, self.geometry, self.dtype)

    @cached_property
    def _mobilities(self) -> RealArray:
        return make_planes(self.chunk + 2, self.geometry, self.dtype)


class _Relaxation:
    def __init__(self, loops: RelaxationLoops, local: Scalars, face: Any) -> None:
        self._loops, self._local, self._face = loops, local, face
        self.geometry, self.new = loops.geometry, loops.new

    def rate(self, c: RealArray, out: RealArray) -> None:
        relaxation_steps(c, out, 1, self._loops.chunk, self.geometry, self._local, self._face)

    def stages(self, start: RealArray, slope: RealArray, even: RealArray, odd: RealArray, weights: RealArray) -> None:
        chunk = self._loops.chunk
        relaxation_stages(start, slope, even, odd, weights, chunk, self.geometry, self._local, self._face)


class _Conserved:
    def __init__(self, loops: ConservedLoops, window: Window) -> None:
        self._loops, self._window = loops, window
        self.geometry, self.new = loops.geometry, loops.new

    def rate(self, c: RealArray, out: RealArray) -> None:
        out.fill(0)
        conserved_steps(c, out, 1, self._window, self.geometry)

    def stages(self, start: RealArray, slope: RealArray, even: RealArray, odd: RealArray, weights: RealArray) -> None:
        conserved_stages(start, slope, even, odd, weights, self._window, self.geometry)
