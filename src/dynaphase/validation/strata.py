"""Coverage where it matters: overall it can be right and still be wrong in one corner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.validation.arrays import Interval, finite, same_shape

__all__ = ["LEAST_IN_STRATUM", "Coverage", "coverage_of"]

LEAST_IN_STRATUM: Final = 5
"""Fewer compositions than this say nothing of a stratum."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of n values inside their central 90 % intervals, with the Wilson interval of that share."""

    n: int
    share: float
    interval_95: Interval

    @property
    def is_too_low(self) -> bool:
        """Whether it is significantly below 90 %; the report says so."""
        return self.interval_95[1] < 0.9

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"interval_95": list(self.interval_95)}


def coverage_of(
    z_scores: npt.ArrayLike, strata: Mapping[str, npt.NDArray[np.bool_]], least: int = LEAST_IN_STRATUM
) -> dict[str, Coverage]:
    """Coverage over all and in every stratum that holds at least `least` values; ``all`` comes first.

    Parameters
    ----------
    z_scores : array_like, shape (n,)
        (true − predicted)/std.
    strata : mapping of str to ndarray of bool, shape (n,)
        They may overlap.

    Raises
    ------
    InputError
        If a value is not finite or a mask has another length.
    """
    from scipy.special import ndtri
    from scipy.stats import binomtest

    z = finite("z_scores", z_scores)
    is_inside = np.abs(z) <= ndtri(0.95)
    found = {}
    for name, mask in {"all": np.ones(len(is_inside), dtype=bool), **strata}.items():
        same_shape(f"the stratum {name}", mask.astype(float), z)
        n, n_inside = int(mask.sum()), int(is_inside[mask].sum())
        if n >= least or name == "all":
            wilson = binomtest(n_inside, n).proportion_ci(0.95, method="wilson")
            found[name] = Coverage(n, n_inside / n, (float(wilson.low), float(wilson.high)))
    return found
