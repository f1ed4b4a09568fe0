"""Polycrystals: grains, pores and secondary phases on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Microstructure"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Microstructure:
    """What the phase-field run starts from; all arrays share one shape, axis 0 from anode to cathode."""

    spacing_nm: float
    grain_ids: npt.NDArray[np.int32]
    """Grain that each cell belongs to, 0 … n_grains − 1."""
    boundary: FloatArray
    """Grain-boundary indicator g, 0 in the grain, 1 on the boundary."""
    boundary_width_nm: float
    """∫ g dz across an isolated boundary (nm): the numerical width of a boundary."""
    density: FloatArray
    """Relative density ρ: 1 solid, 0 void."""
    phase_ids: npt.NDArray[np.uint8]
    """0 for the host, k for ``phase_names[k - 1]``."""
    phase_names: tuple[str, ...]
    """Secondary phases that take part, in the order of their ids."""
