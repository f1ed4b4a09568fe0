"""What a run looked like on the way: fields at a bounded number of times, kept in memory and only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["History", "Snapshots", "Stage"]

AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run at n increasing times; a curve where it has numbers and no fields."""

    spacing_nm: float
    times: FloatArray
    """(n,), in the unit that ``descriptions["time"]`` names."""
    numbers: Mapping[str, AnyArray]
    """Name → one number for every time, (n,)."""
    arrays: Mapping[str, AnyArray]
    """Name → (n, *shape); axis 1 from anode to cathode, real numbers in single precision."""
    descriptions: Mapping[str, str]
    """Name, of the time too → what it is, with its unit in parentheses at the end."""


History = Mapping[str, Stage]
"""Stage by name, in the order in which the run went through them."""


@dataclass(slots=True)
class Snapshots:
    """Collects the states of a run of unknown length, evenly thinned: at most `n_most` and the last one.

    Every state is offered.  When there are too many, every other one is dropped, and from then on half as many are
    kept; between `n_most`/2 and `n_most` remain.
    """

    n_most: int
    _kept: list[tuple[float, Mapping[str, float], Mapping[str, AnyArray]]] = field(default_factory=list)
    _stride: int = 1
    _n_offered: int = 0
    _last: Callable[[], tuple[float, Mapping[str, float], Mapping[str, AnyArray]]] | None = None

    def offer(
        self, time: float, numbers: Mapping[str, float], make_arrays: Callable[[], Mapping[str, AnyArray]]
    ) -> None:
        """Show a state; its arrays are only made if it is kept."""

        def make() -> tuple[float, Mapping[str, float], Mapping[str, AnyArray]]:
            return time, numbers, {name: _compact(array) for name, array in make_arrays().items()}

        self._last = make
        if self._n_offered % self._stride == 0:
            if len(self._kept) == self.n_most:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._n_offered % self._stride == 0:
                self._kept.append(make())
                self._last = None
        self._n_offered += 1

    def stage(self, spacing_nm: float, descriptions: Mapping[str, str]) -> Stage:
        """What was kept, with the last state that was offered.

        Raises
        ------
        ValueError
            When nothing was offered.
        """
        kept = [*self._kept, self._last()] if self._last is not None else self._kept
        if not kept:
            raise ValueError("a stage without a single state")
        _, numbers, arrays = kept[0]
        return Stage(
            spacing_nm,
            np.array([time for time, _, _ in kept]),
            {name: np.array([values[name] for _, values, _ in kept]) for name in numbers},
            {name: np.stack([values[name] for _, _, values in kept]) for name in arrays},
            descriptions,
        )


def _compact(array: AnyArray) -> AnyArray:
    """Single precision, and the smallest of the signed integers that holds a count."""
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    return array.astype(np.int16) if array.dtype.itemsize > 2 and np.max(array, initial=0) < 2**15 else array
