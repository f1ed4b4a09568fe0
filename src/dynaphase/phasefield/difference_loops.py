"""Compiled differences on padded arrays of three axes; a plane is a box with one layer in the middle.

Importing this module imports numba: do it inside the function that needs it.  The readable twins are in
:mod:`dynaphase.phasefield.operators`.  Ghost cells are filled by the caller; `scale` comes in the precision of the
field and holds 1/Δx².
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["flux_divergence", "fourth_order_laplacian", "second_order_laplacian"]

RealArray = npt.NDArray[Any]


@jit
def second_order_laplacian(u: RealArray, out: RealArray, scale: Any) -> None:
    """Seven points (five in a plane); `u` has one ghost layer along every axis longer than one cell."""
    n_x, n_y, n_z = out.shape
    if n_y == 1:
        for i in range(n_x):
            for j in range(n_z):
                around = (u[i, 0, j + 1] + u[i + 2, 0, j + 1]) + (u[i + 1, 0, j] + u[i + 1, 0, j + 2])
                here = u[i + 1, 0, j + 1]
                out[i, 0, j] = scale * (around - (here + here + here + here))
        return
    for i in range(n_x):
        for k in range(n_y):
            for j in range(n_z):
                around = (
                    (u[i, k + 1, j + 1] + u[i + 2, k + 1, j + 1])
                    + (u[i + 1, k, j + 1] + u[i + 1, k + 2, j + 1])
                    + (u[i + 1, k + 1, j] + u[i + 1, k + 1, j + 2])
                )
                here = u[i + 1, k + 1, j + 1]
                three = here + here + here
                out[i, k, j] = scale * (around - (three + three))


@jit
def fourth_order_laplacian(u: RealArray, out: RealArray, near: Any, far: Any) -> None:
    """Thirteen points (nine in a plane) with the weights `near`, `far` at one and two cells; two ghost layers."""
    n_x, n_y, n_z = out.shape
    both = near + far
    middle = both + both
    if n_y == 1:
        for i in range(n_x):
            for j in range(n_z):
                first = (u[i + 1, 0, j + 2] + u[i + 3, 0, j + 2]) + (u[i + 2, 0, j + 1] + u[i + 2, 0, j + 3])
                second = (u[i, 0, j + 2] + u[i + 4, 0, j + 2]) + (u[i + 2, 0, j] + u[i + 2, 0, j + 4])
                out[i, 0, j] = near * first + far * second - (middle + middle) * u[i + 2, 0, j + 2]
        return
    for i in range(n_x):
        for k in range(n_y):
            for j in range(n_z):
                first = (
                    (u[i + 1, k + 2, j + 2] + u[i + 3, k + 2, j + 2])
                    + (u[i + 2, k + 1, j + 2] + u[i + 2, k + 3, j + 2])
                    + (u[i + 2, k + 2, j + 1] + u[i + 2, k + 2, j + 3])
                )
                second = (
                    (u[i, k + 2, j + 2] + u[i + 4, k + 2, j + 2])
                    + (u[i + 2, k, j + 2] + u[i + 2, k + 4, j + 2])
                    + (u[i + 2, k + 2, j] + u[i + 2, k + 2, j + 4])
                )
                out[i, k, j] = near * first + far * second - (middle + middle + middle) * u[i + 2, k + 2, j + 2]


@jit
def _flux(m_0: Any, u_0: Any, m_1: Any, u_1: Any) -> Any:
    return (m_0 + m_1) * (u_1 - u_0)


@jit
def flux_divergence(u: RealArray, m: RealArray, out: RealArray, scale: Any) -> None:
    """Σ over faces of `scale`·(m + m')(u' − u); one ghost layer, `scale` holds the ½ of the mean."""
    n_x, n_y, n_z = out.shape
    k_here = 0 if n_y == 1 else 1
    for i in range(n_x):
        for k in range(n_y):
            here = k + k_here
            for j in range(n_z):
                m_0, u_0 = m[i + 1, here, j + 1], u[i + 1, here, j + 1]
                total = (
                    _flux(m_0, u_0, m[i, here, j + 1], u[i, here, j + 1])
                    + _flux(m_0, u_0, m[i + 2, here, j + 1], u[i + 2, here, j + 1])
                ) + (
                    _flux(m_0, u_0, m[i + 1, here, j], u[i + 1, here, j])
                    + _flux(m_0, u_0, m[i + 1, here, j + 2], u[i + 1, here, j + 2])
                )
                out[i, k, j] = scale * total
            if n_y > 1:
                for j in range(n_z):
                    m_0, u_0 = m[i + 1, here, j + 1], u[i + 1, here, j + 1]
                    out[i, k, j] += scale * (
                        _flux(m_0, u_0, m[i + 1, here - 1, j + 1], u[i + 1, here - 1, j + 1])
                        + _flux(m_0, u_0, m[i + 1, here + 1, j + 1], u[i + 1, here + 1, j + 1])
                    )
