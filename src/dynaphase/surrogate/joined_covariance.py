"""Covariance of several targets over the same compositions: B_st·k(x, x'), the model of intrinsic coregionalization.

B = WWᵀ + diag(v), t × t, is learned; W ~ N(0, 1) and log-normal v keep it proper (doi:10.1561/2200000036, section 4.2).

Imports GPyTorch: import it inside functions only.
"""

from __future__ import annotations

from math import log
from typing import Any

import torch
from gpytorch import constraints, priors
from gpytorch.kernels import IndexKernel, Kernel

__all__ = ["JoinedCovariance"]


class JoinedCovariance(Kernel):
    """Covariance between rows whose last column is the index of the target; `shared` is k over the others."""

    def __init__(self, shared: Any, n_targets: int) -> None:
        super().__init__()
        self.shared = shared
        self.between: Any = IndexKernel(
            num_tasks=n_targets,
            rank=max(n_targets - 1, 1),
            var_constraint=_above(1e-4),
        ).double()
        start = torch.zeros(n_targets, max(n_targets - 1, 1), dtype=torch.float64)
        start.fill_diagonal_(0.5)
        self.between.initialize(covar_factor=start, var=torch.full((n_targets,), 0.5, dtype=torch.float64))
        self.between.register_prior("factor_prior", _prior("NormalPrior", 0.0, 1.0), "covar_factor")
        self.between.register_prior("var_prior", _prior("LogNormalPrior", log(0.5), 1.0), "var")

    def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:  # type: ignore[override]
        """Covariance between rows, shape (n, m), or (n,) of equal rows."""
        i, j = x1[..., -1].long(), x2[..., -1].long()
        B = self.matrix()
        if diag:
            return B[i, j] * self.shared(x1[..., :-1], x2[..., :-1], diag=True)
        return B[i[..., :, None], j[..., None, :]] * self.shared(x1[..., :-1], x2[..., :-1]).to_dense()

    def matrix(self) -> Any:
        """B, shape (t, t)."""
        factor = self.between.covar_factor
        return factor @ factor.transpose(-1, -2) + torch.diag_embed(self.between.var)


def _above(floor: float) -> Any:
    untyped: Any = constraints.GreaterThan
    return untyped(floor, transform=torch.exp, inv_transform=torch.log)


def _prior(name: str, *parameters: float) -> Any:
    return getattr(priors, name)(*parameters)
