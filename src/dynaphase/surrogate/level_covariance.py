"""Covariance of a response that is simulated at several levels of fidelity.

With ℓ the level of a row and x its other columns,

    z(x, 1) = f(x),    z(x, ℓ) = ρ_ℓ f(x) + o_ℓ + δ_ℓ(x)  for every lower level,
    δ_ℓ ~ GP(0, a_ℓ·M₅/₂(|x − x'|/h_ℓ)),   o_ℓ ~ N(0, `OFFSET_VARIANCE`),   ρ_ℓ ~ N(1, ½²)

f is shared, trend included; what a lower level adds to it, it keeps to itself, and ρ_ℓ near 0 cuts it off.  This is
the autoregressive idea of doi:10.1093/biomet/87.1.1 with the accurate level as the root, so that several lower levels
need no order among them.  o is marginalised, ρ, a and h are learned; a level without rows has them at their priors'
medians.

Imports GPyTorch: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from gpytorch import priors
from gpytorch.kernels import Kernel

from dynaphase.surrogate import gp

__all__ = ["LevelCovariance", "OffsetCovariance"]

OFFSET_VARIANCE = 4.0
"""Prior variance of a lower level's mean offset, standardised outcomes: some ± 2 of their spreads."""

_COUPLING_SCALE = 0.5


class OffsetCovariance(Kernel):
    """Covariance of the mean offsets alone: `OFFSET_VARIANCE` between rows of one lower level, else 0."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column

    def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:  # type: ignore[override]
        """Covariance between rows, shape (n, m), or (n,) of equal rows."""
        left, right = x1[..., self.column], x2[..., self.column]
        both = (_is_lower(left) & _same(left, right)) if diag else _same_pairs(left, right)
        return OFFSET_VARIANCE * both.to(x1)


class LevelCovariance(Kernel):
    """Covariance of z(x, ℓ), see the module; `shared` is that of f over the columns without the level's.

    Parameters
    ----------
    shared : Kernel
        Covariance of f.
    column : int
        Column of the level.
    levels : sequence of float
        Lower levels with rows: those whose ρ, a and h are learned.
    n_dimensions : int
        Columns without the level's.
    """

    coupling: Any
    """ρ of each learned level."""

    def __init__(self, shared: Any, column: int, levels: Sequence[float], n_dimensions: int) -> None:
        super().__init__()
        self.shared = shared
        self.column = column
        self.levels = tuple(levels)
        self.n_dimensions = n_dimensions
        self.own: Any = torch.nn.ModuleList([gp.discrepancy(n_dimensions) for _ in levels])
        self.unseen = gp.discrepancy(n_dimensions, is_learned=False)
        if self.levels:
            self.register_parameter("coupling", torch.nn.Parameter(torch.ones(len(self.levels), dtype=torch.float64)))
            normal: Any = priors.NormalPrior
            self.register_prior("coupling_prior", normal(1.0, _COUPLING_SCALE), "coupling")

    def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:  # type: ignore[override]
        """Covariance between rows, shape (n, m), or (n,) of equal rows."""
        left, right = x1[..., self.column], x2[..., self.column]
        x1, x2 = _without(x1, self.column), _without(x2, self.column)
        shared = _dense(self.shared, x1, x2, diag)
        if diag:
            total = self._coupling(left) * self._coupling(right) * shared
        else:
            total = self._coupling(left)[..., :, None] * shared * self._coupling(right)[..., None, :]
        for level in torch.unique(left[_is_lower(left)]).tolist():
            own = self._own(level)
            at_left, at_right = ((side - level).abs() < gp.SAME_LEVEL for side in (left, right))
            both = at_left & at_right if diag else at_left[..., :, None] & at_right[..., None, :]
            total = total + torch.where(both, OFFSET_VARIANCE + _dense(own, x1, x2, diag), 0.0)
        return total

    def learned(self) -> dict[str, dict[str, float]]:
        """Per lower level: ρ, a and h."""
        return {
            f"{level:g}": {
                "coupling": float(self.coupling[k].detach()),
                "discrepancy_variance": float(own.outputscale.detach()),
                "discrepancy_length": float(own.base_kernel.lengthscale.detach()),
            }
            for k, (level, own) in enumerate(zip(self.levels, self.own, strict=True))
        }

    def _own(self, level: float) -> Any:
        for known, own in zip(self.levels, self.own, strict=True):
            if abs(level - known) < gp.SAME_LEVEL:
                return own
        return self.unseen

    def _coupling(self, level: Any) -> Any:
        factor = torch.ones_like(level)
        for k, known in enumerate(self.levels):
            factor = torch.where((level - known).abs() < gp.SAME_LEVEL, self.coupling[k], factor)
        return factor


def _dense(kernel: Any, x1: Any, x2: Any, diag: bool) -> Any:
    return kernel(x1, x2, diag=True) if diag else kernel(x1, x2).to_dense()


def _without(X: Any, column: int) -> Any:
    return torch.cat([X[..., :column], X[..., column + 1 :]], dim=-1)


def _is_lower(level: Any) -> Any:
    return level < 1 - gp.SAME_LEVEL


def _same(left: Any, right: Any) -> Any:
    return (left - right).abs() < gp.SAME_LEVEL


def _same_pairs(left: Any, right: Any) -> Any:
    return _is_lower(left)[..., :, None] & _same(left[..., :, None], right[..., None, :])
