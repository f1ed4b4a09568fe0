"""What points add to hypervolumes, by boxes that no point dominates; large is good.

The region above a reference point that no point of a set dominates is kept as disjoint boxes [l, u).  A further point
y dominates [l, min(u, y)) of each box; what is left of it is again at most m boxes,

    k = 1…m:   [l, min(u, y)) in the dimensions before k,  [min(u, y), u) in k,  [l, u) after k

In two dimensions the boxes are the strips of the staircase, one more than it has points.  What a point y would add to
the hypervolume is Σ_boxes Π_k (min(u_k, y_k) − l_k)₊.  M sets at once: box b of set s is lower[s, b], upper[s, b].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.targets import FloatArray

__all__ = ["Boxes"]


class Boxes:
    """Undominated boxes of M sets of points in m dimensions, all above one reference point (m,)."""

    def __init__(self, reference: npt.ArrayLike, n_sets: int = 1) -> None:
        corner = np.asarray(reference, dtype=float)
        self.lower = np.broadcast_to(corner, (n_sets, 1, len(corner))).copy()
        self.upper = np.full_like(self.lower, np.inf)

    def insert(self, points: FloatArray) -> None:
        """Add one point (M, m) to each set; −∞ adds nothing."""
        y = points[:, None, :]
        is_hit = (self.lower < y).all(axis=-1)
        if not is_hit.any():
            return
        cut = np.minimum(self.upper, y)
        lowers, uppers, kept = [self.lower], [self.upper], [~is_hit & (self.lower < self.upper).all(axis=-1)]
        for k in range(points.shape[1]):
            lower, upper = self.lower.copy(), self.upper.copy()
            upper[..., :k] = cut[..., :k]
            lower[..., k] = cut[..., k]
            lowers.append(lower)
            uppers.append(upper)
            kept.append(is_hit & (cut[..., k] < self.upper[..., k]))
        self._keep(np.concatenate(lowers, axis=1), np.concatenate(uppers, axis=1), np.concatenate(kept, axis=1))

    def _keep(self, lower: FloatArray, upper: FloatArray, kept: npt.NDArray[np.bool_]) -> None:
        """The kept boxes, padded with empty ones at infinity to the same number in each set."""
        order = np.argsort(~kept, axis=1, kind="stable")[:, : max(int(kept.sum(axis=1).max()), 1)]
        is_kept = np.take_along_axis(kept, order, axis=1)[..., None]
        self.lower = np.where(is_kept, np.take_along_axis(lower, order[..., None], axis=1), np.inf)
        self.upper = np.where(is_kept, np.take_along_axis(upper, order[..., None], axis=1), np.inf)

    def improvement(self, points: FloatArray) -> FloatArray:
        """What each of the points (M, n, m) alone would add to the hypervolume of its set, (M, n)."""
        total = np.zeros(points.shape[:2])
        columns = [np.ascontiguousarray(points[..., k]) for k in range(points.shape[-1])]
        for box in range(self.lower.shape[1]):
            volume = np.ones(1)
            for k, y in enumerate(columns):
                lower, upper = self.lower[:, box, k, None], self.upper[:, box, k, None]
                side = np.minimum(y, upper)
                side -= np.where(np.isfinite(lower), lower, np.finfo(float).max)
                np.maximum(side, 0.0, out=side)
                volume = volume * side
            total += volume
        return total
