"""Marks for recommended compositions, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import RED

__all__ = ["are_crowded", "number_sites"]

FloatArray = npt.NDArray[np.float64]

CROWDED: Final = 0.045
"""Distance of two marks over the extent of the diagram below which numbers would hide each other."""


def are_crowded(places: FloatArray, spans: Sequence[float] | tuple[Any, ...]) -> bool:
    """Whether numbered discs at `places` (k, d) would overlap on axes that extend over `spans`."""
    scaled = places / np.asarray(spans, dtype=float)
    gaps = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)[np.triu_indices(len(places), 1)]
    return bool(len(gaps) and gaps.min() < CROWDED)


def number_sites(axes: Any, rows: FloatArray, are_close: bool) -> None:
    """White numbers on red discs, the first on top; plain red diamonds where they are too close for numbers."""
    if are_close:
        axes.scatter(*rows.T, marker="D", s=26, facecolor=RED, edgecolor="white", linewidth=0.8, zorder=6)
        return
    for number, row in enumerate(rows, start=1):
        axes.scatter(*row, s=105, facecolor=RED, edgecolor="white", linewidth=1.0, zorder=6 + 1 / number)
        axes.text(
            *row, str(number), color="white", fontsize=7.5, fontweight="bold", ha="center", va="center_baseline",
            zorder=6.001 + 1 / number,
        )  # fmt: skip
