"""Targets modelled together: one Gaussian process whose outputs are correlated.

    cov(f_s(x), f_t(x')) = B_st·k(x, x'),   observed with the noise that each target has by itself

All compositions carry all targets, but their noises differ from target to target and from place to place, so that no
rotation of the outputs makes them independent (the orthogonal mixings of doi:10.48550/arXiv.1911.06287 need noise that
is alike); the targets are therefore stacked and solved exactly, at (t·n)³.  Noise and misfit are those of the targets'
own fits.  Without noise the means of such a model are those of independent ones with the same lengths: what it
adds is what a quieter target says about a noisier one, and joint draws over targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate import gp
from dynaphase.surrogate.gp import TrainingData
from dynaphase.surrogate.targets import FloatArray

__all__ = ["MOST_VALUES", "JointModel", "OneOfJoint", "fit_joint"]

MOST_VALUES: Final = 2400
"""Compositions × targets beyond which the stacked solve is not tried."""

_MOST_FOR_HYPERPARAMETERS: Final = 200
"""Compositions on which lengths and B are learned."""

_CHUNK: Final = 64


@dataclass(frozen=True, slots=True)
class JointModel:
    """Stacked model of t targets at n compositions: rows 0 … n − 1 are the first target's, and so on."""

    model: Any
    data: TrainingData
    """Stacked: X (t·n, d + 1), the last column the index of the target; noise with misfit."""
    n_targets: int

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Residuals and variances (t, n) of each composition predicted from all others, in closed form.

        With Q the inverse covariance of the observations and I the t rows of a composition,
        r_I = Q_II⁻¹ (Q(y − c))_I and V_I = Q_II⁻¹; V contains the noise.
        """
        X, y, noise = self.data.X, self.data.y, self.data.noise
        assert noise is not None
        Q = np.linalg.inv(gp.gp_covariance(self.model, X, X) + np.diag(noise))
        n = len(y) // self.n_targets
        blocks = np.linalg.inv(np.einsum("siti->ist", Q.reshape(self.n_targets, n, self.n_targets, n)))
        weights = (Q @ (y - gp.prior_mean_of(self.model))).reshape(self.n_targets, n)
        return np.einsum("ist,ti->si", blocks, weights), np.einsum("iss->si", blocks)

    def covariance_between(self, X: FloatArray) -> FloatArray:
        """Posterior covariance (n, t, t) between the targets' f at each row of `X` (n, d)."""
        found = []
        for start in range(0, len(X), _CHUNK):
            rows = X[start : start + _CHUNK]
            _, covariance = gp.posterior_moments(self.model, stack(rows, self.n_targets), with_covariance=True)
            shape = (self.n_targets, len(rows)) * 2
            found.append(np.einsum("siti->ist", covariance.reshape(shape)))
        return np.concatenate(found)

    def correlation(self) -> FloatArray:
        """Prior correlation of the targets (t, t): B with unit diagonal."""
        B = self.model.covar_module.matrix().detach().numpy()
        spread = np.sqrt(np.diag(B))
        return np.asarray(B / np.outer(spread, spread))


@dataclass(frozen=True, slots=True)
class OneOfJoint:
    """One target of a `JointModel`, with what is read from a model of one target."""

    joint: JointModel
    place: int
    likelihood: Any
    """Of the target's own fit: its noise and misfit."""

    @property
    def mean_module(self) -> Any:
        """The constant c."""
        return self.joint.model.mean_module

    def posterior(self, X: Any) -> Any:
        """BoTorch posterior of this target's f at a tensor `X` (n, d)."""
        return self.joint.model.posterior(self._placed(X))

    def covar_module(self, left: Any, right: Any = None, **options: Any) -> Any:
        """Prior covariance of this target's f; rows that carry the index of a target keep it."""
        right = left if right is None else right
        return self.joint.model.covar_module(self._placed(left), self._placed(right), **options)

    @property
    def whole(self) -> Any:
        """The stacked model."""
        return self.joint.model

    def with_place(self, X: FloatArray) -> FloatArray:
        """`X` (n, d) with the index of this target, as `covar_module` tells targets apart."""
        return np.column_stack([X, np.full(len(X), float(self.place))])

    def _placed(self, X: Any) -> Any:
        import torch

        if X.shape[-1] == self.joint.data.X.shape[1]:
            return X
        return torch.cat([X, torch.full_like(X[..., :1], self.place)], dim=-1)


def stack(X: FloatArray, n_targets: int) -> FloatArray:
    """`X` (n, d) once for every target, its index appended: (t·n, d + 1)."""
    return np.vstack([np.column_stack([X, np.full(len(X), float(s))]) for s in range(n_targets)])


def fit_joint(parts: Sequence[TrainingData], models: Sequence[Any], seed: int) -> list[OneOfJoint]:
    """Join targets that were fitted apart.

    Parameters
    ----------
    parts : sequence of TrainingData
        Of each target, all at the same X.
    models : sequence
        Their fitted models, whose nuggets are kept.
    seed : int
        Seed of the subset on which hyperparameters are learned.

    Raises
    ------
    Exception
        Whatever the optimiser raises: the caller keeps the independent fits and says so.
    """
    from botorch.fit import fit_gpytorch_mll
    from gpytorch import mlls

    objectives: Any = mlls
    n, t = len(parts[0].y), len(parts)
    chosen = np.arange(n)
    if n > _MOST_FOR_HYPERPARAMETERS:
        chosen = np.sort(np.random.default_rng(seed).permutation(n)[:_MOST_FOR_HYPERPARAMETERS])
    with gp.quiet_torch(seed):
        learning = _make(_stacked(parts, models, chosen), t)
        learned: Any = fit_gpytorch_mll(
            objectives.ExactMarginalLogLikelihood(learning.likelihood, learning), max_attempts=1
        ).model
        data = _stacked(parts, models, np.arange(n))
        model = learned
        if len(chosen) < n:
            model = _make(data, t)
            values = dict(learned.named_parameters())
            model.initialize(**{name: values[name].detach() for name, _ in model.named_parameters()})
        joint = JointModel(model.eval(), data, t)
    return [OneOfJoint(joint, place, one.likelihood) for place, one in enumerate(models)]


def _stacked(parts: Sequence[TrainingData], models: Sequence[Any], rows: npt.NDArray[np.intp]) -> TrainingData:
    noise = [
        np.full(len(rows), gp.nugget_of(model)) + (0.0 if part.noise is None else part.noise[rows])
        for part, model in zip(parts, models, strict=True)
    ]
    return replace(
        parts[0],
        X=stack(parts[0].X[rows], len(parts)),
        y=np.concatenate([part.y[rows] for part in parts]),
        noise=np.concatenate(noise),
    )


def _make(data: TrainingData, n_targets: int) -> Any:
    from dynaphase.surrogate.joined_covariance import JoinedCovariance

    shared = gp.shared_covariance(data.X.shape[1] - 1, data.trend)
    gp.smooth_part(shared).raw_outputscale.requires_grad_(False)  # B holds the variances
    return gp.make_fixed_noise_gp(data, JoinedCovariance(shared, n_targets))
