"""Targets and the scales on which they are close to Gaussian.

A conductivity spans decades and cannot be negative, a score lives between 0 and 100: both are modelled on an
unbounded scale z and carried back with the whole distribution, not just its centre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["DEFAULT_TARGETS", "FloatArray", "Identity", "Log10", "LogitPercent", "Target", "Transform"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

_N_NODES: Final = 64
"""Gauss–Hermite nodes of the logit-normal moments (the tests state the accuracy)."""


class Transform(Protocol):
    """A monotone map between a target in its natural unit, y, and the scale of the model, z."""

    @property
    def name(self) -> str:
        """Short name."""
        ...

    @property
    def in_decades(self) -> bool:
        """Whether accuracy is quoted on z (decades) rather than on y."""
        ...

    def forward(self, y: npt.ArrayLike) -> FloatArray:
        """z(y); NaN where y has no image."""
        ...

    def inverse(self, z: npt.ArrayLike) -> FloatArray:
        """y(z)."""
        ...

    def n_clipped(self, y: npt.ArrayLike) -> int:
        """How many values `forward` moves to the edge of its domain."""
        ...

    def centre_and_spread(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Centre and spread of y when z ~ N(mean, std²), shape unchanged."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """z = y."""

    name: str = "identity"
    in_decades: bool = False

    def forward(self, y: npt.ArrayLike) -> FloatArray:
        """Return y."""
        return np.asarray(y, dtype=float)

    def inverse(self, z: npt.ArrayLike) -> FloatArray:
        """Return z."""
        return np.asarray(z, dtype=float)

    def n_clipped(self, y: npt.ArrayLike) -> int:
        """Return 0: every number has an image."""
        return 0

    def centre_and_spread(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation."""
        return mean, std


@dataclass(frozen=True, slots=True)
class Log10:
    """z = log₁₀ y, for positive quantities that span decades."""

    name: str = "log10"
    in_decades: bool = True

    def forward(self, y: npt.ArrayLike) -> FloatArray:
        """log₁₀ y; NaN for y ≤ 0, which has no logarithm and is left out of the fit."""
        values = np.asarray(y, dtype=float)
        return np.log10(np.where(values > 0, values, np.nan))

    def inverse(self, z: npt.ArrayLike) -> FloatArray:
        """10^z."""
        return np.asarray(10.0 ** np.asarray(z, dtype=float))

    def n_clipped(self, y: npt.ArrayLike) -> int:
        """Return 0: nothing is moved."""
        return 0

    def centre_and_spread(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Median 10^mean, and half the width of the central 68.3 % interval.

        The moments of a log-normal are ruled by its far tail (at a standard deviation of one decade its mean
        is 14 times its median), so the robust pair is given.
        """
        return self.inverse(mean), 0.5 * (self.inverse(mean + std) - self.inverse(mean - std))


@dataclass(frozen=True, slots=True)
class LogitPercent:
    """z = ln(p/(1 − p)) with p = y/100, for scores between 0 and 100.

    y is clipped to [0.01, 99.99] first: 0 and 100 have no finite image, and no score is known better than that.
    """

    name: str = "logit(%)"
    in_decades: bool = False
    limits: tuple[float, float] = (0.01, 99.99)

    def forward(self, y: npt.ArrayLike) -> FloatArray:
        """Logit of the clipped share."""
        share = np.clip(np.asarray(y, dtype=float), *self.limits) / 100
        return np.asarray(np.log(share) - np.log1p(-share))

    def inverse(self, z: npt.ArrayLike) -> FloatArray:
        """100/(1 + e^(−z)), without overflow."""
        from scipy.special import expit

        return np.asarray(100 * expit(np.asarray(z, dtype=float)))

    def n_clipped(self, y: npt.ArrayLike) -> int:
        """How many finite values lie outside the limits."""
        values = np.asarray(y, dtype=float)
        return int(np.count_nonzero((values < self.limits[0]) | (values > self.limits[1])))

    def centre_and_spread(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the logit-normal distribution, by Gauss–Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
        weights = weights / weights.sum()
        values = self.inverse(np.asarray(mean)[..., None] + np.asarray(std)[..., None] * nodes)
        centre = values @ weights
        return centre, np.sqrt((values - centre[..., None]) ** 2 @ weights)


@dataclass(frozen=True, slots=True)
class Target:
    """One quantity that the surrogate learns.

    `prior_std` is the spread on the model's scale that is assumed while the data show none: one evaluation,
    or all values equal.
    """

    name: str
    transform: Transform
    unit: str
    prior_std: float = field(default=1.0, kw_only=True)

    def to_json(self, mean: FloatArray, std: FloatArray, low: FloatArray, high: FloatArray) -> list[dict[str, Any]]:
        """One dict a point: ``mean``, ``std``, ``interval_90``; in decades also ``log10_mean``, ``log10_std``."""
        centre, spread = self.transform.centre_and_spread(mean, std)
        rows: list[dict[str, Any]] = [
            {"mean": float(c), "std": float(s), "interval_90": [float(a), float(b)]}
            for c, s, a, b in zip(centre, spread, low, high, strict=True)
        ]
        if self.transform.in_decades:
            for row, z, s in zip(rows, mean, std, strict=True):
                row |= {"log10_mean": float(z), "log10_std": float(s)}
        return rows


DEFAULT_TARGETS: Final[tuple[Target, ...]] = (
    Target("stability_score", LogitPercent(), "%", prior_std=2.0),
    Target("ionic_conductivity_S_per_cm", Log10(), "S/cm", prior_std=1.0),
    Target("ceramic_conductivity_S_per_cm", Log10(), "S/cm", prior_std=1.0),
)
"""What a campaign learns unless told otherwise; names are those of `Record.values`."""
