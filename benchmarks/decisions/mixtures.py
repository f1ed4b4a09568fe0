"""Landscapes in closed form: mixtures of three to ten components, every optimum known.

All are ours; fractions x sum to 1, both responses are to be maximised.

=========  =========================================================  ==========================================
name       response a, its largest value                              response b, its largest value
=========  =========================================================  ==========================================
kink3      4 x₂(1 − x₂) − 3 |x₁ − 0.3 − 0.2 x₂|: a ridge with a kink  x₂ + 2.5 x₁x₂: 1.225 at (0.3, 0.7, 0)
           along a line, 1 at (0.4, 0.5, 0.1)
scheffe4   Scheffé's quadratic, synergies: x₁ + 4 x₁x₂ − x₄:          x₃ + 6 x₂x₃ − 2 x₁x₄: 49/24 at
           1.5625 at (0.625, 0.375, 0, 0)                             (0, 5/12, 7/12, 0)
modes6     max_k h_k exp(−|x − c_k|²/2w²): three hills, h = 1, 0.9,   x₂ + x₃ + 2 x₂x₃: 1.5 at x₂ = x₃ = ½
           0.8; 1 at c₁ = (0.4, 0.3, 0.2, 0.1, 0, 0)
sparse10   four of ten matter: 4 x₁x₂ + x₁ − x₃: 1.5625 at           27 x₁x₂x₄ + x₄ (special cubic): see `OPTIMA`
           x₁ = 0.625, x₂ = 0.375
=========  =========================================================  ==========================================

Scheffé's polynomials: doi:10.1111/j.2517-6161.1958.tb00299.x.  Noise of the noisy versions: `NOISE` of each response's
range over the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from decisions.landscape import FloatArray, Judge, Landscape, Objective
from dynaphase.errors import InputError
from dynaphase.surrogate import Identity, Target

N_POOL: Final = 1000
N_FRESH: Final = 200
NOISE: Final = 0.05

CENTRES: Final = np.array([[4, 3, 2, 1, 0, 0], [1, 1, 1, 1, 3, 3], [0, 0, 1, 5, 2, 2]]) / 10
HEIGHTS: Final = np.array([1.0, 0.9, 0.8])
WIDTH: Final = 0.2


def kink3(x: FloatArray) -> FloatArray:
    """Responses (n, 2) at fractions (n, 3)."""
    x1, x2 = x.T[:2]
    return np.column_stack([4 * x2 * (1 - x2) - 3 * np.abs(x1 - 0.3 - 0.2 * x2), x2 + 2.5 * x1 * x2])


def scheffe4(x: FloatArray) -> FloatArray:
    """Responses (n, 2) at fractions (n, 4)."""
    x1, x2, x3, x4 = x.T
    return np.column_stack([x1 + 4 * x1 * x2 - x4, x3 + 6 * x2 * x3 - 2 * x1 * x4])


def modes6(x: FloatArray) -> FloatArray:
    """Responses (n, 2) at fractions (n, 6)."""
    squares = ((x[:, None, :] - CENTRES) ** 2).sum(axis=-1)
    hills = HEIGHTS * np.exp(-squares / (2 * WIDTH**2))
    return np.column_stack([hills.max(axis=1), x[:, 1] + x[:, 2] + 2 * x[:, 1] * x[:, 2]])


def sparse10(x: FloatArray) -> FloatArray:
    """Responses (n, 2) at fractions (n, 10)."""
    x1, x2, x3, x4 = x.T[:4]
    return np.column_stack([4 * x1 * x2 + x1 - x3, 27 * x1 * x2 * x4 + x4])


# b of sparse10 with x₁ = x₂ = (1 − x₄)/2: 27/4 (1 − x₄)² x₄ + x₄, stationary where 81 x₄² − 108 x₄ + 31 = 0.
_X4: Final = (54 - np.sqrt(54**2 - 81 * 31)) / 81

OPTIMA: Final = {
    "kink3": ((0.4, 0.5, 0.1), 1.0, (0.3, 0.7, 0.0), 1.225),
    "scheffe4": ((0.625, 0.375, 0, 0), 1.5625, (0, 5 / 12, 7 / 12, 0), 49 / 24),
    "modes6": (tuple(CENTRES[0]), 1.0, (0, 0.5, 0.5, 0, 0, 0), 1.5),
    "sparse10": (
        (0.625, 0.375, *[0.0] * 8),
        1.5625,
        ((1 - _X4) / 2, (1 - _X4) / 2, 0, _X4, *[0.0] * 6),
        float(6.75 * (1 - _X4) ** 2 * _X4 + _X4),
    ),
}
"""Name → where a is largest, its value there, where b is largest, its value there."""

FUNCTIONS: Final[dict[str, tuple[Callable[[FloatArray], FloatArray], int]]] = {
    "kink3": (kink3, 3),
    "scheffe4": (scheffe4, 4),
    "modes6": (modes6, 6),
    "sparse10": (sparse10, 10),
}
"""Name → responses, number of components."""


@lru_cache
def mixture(name: str, n_pool: int = N_POOL, n_fresh: int = N_FRESH) -> Landscape:
    """Landscape of a closed form, noise-free; pool and judges are uniform on the whole simplex.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in FUNCTIONS:
        raise InputError(f"no mixture {name}; there are {', '.join(FUNCTIONS)}")
    function, k = FUNCTIONS[name]
    rng = np.random.default_rng(2026)
    pool, fresh = (rng.dirichlet(np.ones(k), size=n) for n in (n_pool, n_fresh))
    z, z_fresh = function(pool), function(fresh)
    return Landscape(
        name=name,
        components=tuple(f"x{i + 1}" for i in range(k)),
        objectives=tuple(Objective(Target(response, Identity(), "")) for response in "ab"),
        fractions=pool,
        z=z[:, None, :],
        judges={"fresh": Judge(fresh, z_fresh, np.zeros_like(z_fresh))},
        noise_std=np.broadcast_to(NOISE * np.ptp(z, axis=0), z.shape),
    )
