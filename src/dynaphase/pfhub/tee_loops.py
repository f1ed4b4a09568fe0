"""Compiled differences on a domain cut out of a box of cells: nothing crosses a face whose other side is outside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray

__all__ = ["inside_laplacian"]

BoolArray = npt.NDArray[np.bool_]


@jit
def inside_laplacian(u: FloatArray, inside: BoolArray, scale: float, out: FloatArray) -> None:
    """`scale`·Σ over faces between two cells inside of (u' − u); 0 outside."""
    nx, ny = u.shape
    for i in range(nx):
        for j in range(ny):
            out[i, j] = 0.0
            if not inside[i, j]:
                continue
            here, total = u[i, j], 0.0
            if i > 0 and inside[i - 1, j]:
                total += u[i - 1, j] - here
            if i + 1 < nx and inside[i + 1, j]:
                total += u[i + 1, j] - here
            if j > 0 and inside[i, j - 1]:
                total += u[i, j - 1] - here
            if j + 1 < ny and inside[i, j + 1]:
                total += u[i, j + 1] - here
            out[i, j] = scale * total
