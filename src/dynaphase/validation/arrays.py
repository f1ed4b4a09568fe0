"""Checks and types that both kinds of validation share."""

from __future__ import annotations

from math import nan
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError

__all__ = ["NO_INTERVAL", "FloatArray", "Interval", "as_json", "finite", "same_shape"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

NO_INTERVAL: Final[Interval] = (nan, nan)


def finite(name: str, values: npt.ArrayLike) -> FloatArray:
    """Finite one-dimensional array, or an `InputError` that names it."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise InputError(f"{name} needs at least one value, in one dimension, all finite; drop failed records first")
    return array


def same_shape(name: str, values: FloatArray, reference: FloatArray) -> None:
    """Refuse arrays of different length."""
    if values.shape != reference.shape:
        raise InputError(f"{name} has {len(values)} values for {len(reference)}")


def as_json(value: Any) -> Any:
    """JSON types, None for a number that is not finite."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return {k: as_json(v) for k, v in value.items()} if isinstance(value, dict) else value
