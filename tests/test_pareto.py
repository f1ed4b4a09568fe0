from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dynaphase.acquisition.boxes import Boxes
from dynaphase.pareto import hypervolume, is_pareto_optimal

tables = arrays(float, st.tuples(st.integers(1, 25), st.integers(1, 3)), elements=st.integers(0, 6).map(float))


@given(tables)
def test_optimal_is_exactly_what_nothing_dominates(values: np.ndarray) -> None:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.all(a >= b) and np.any(a > b))

    expected = [not any(dominates(other, row) for other in values) for row in values]
    assert is_pareto_optimal(values).tolist() == expected


pairs = arrays(float, st.tuples(st.integers(1, 20), st.just(2)), elements=st.integers(0, 6).map(float))


@given(pairs, st.integers(-1, 3))
def test_the_hypervolume_counts_the_cells_below_the_front(values: np.ndarray, edge: int) -> None:
    cells = np.stack(np.meshgrid(*[np.arange(edge, 7) + 0.5] * 2), axis=-1).reshape(-1, 2)
    is_below = (cells[:, None] < values).all(axis=2).any(axis=1)
    assert hypervolume(values, [edge, edge]) == is_below.sum()


@given(pairs, pairs)
def test_an_improvement_is_the_difference_of_two_hypervolumes(values: np.ndarray, points: np.ndarray) -> None:
    before = hypervolume(values, [1.5, 0.5])
    expected = [hypervolume([*values, point], [1.5, 0.5]) - before for point in points]
    boxes = Boxes([1.5, 0.5])
    for value in values:
        boxes.insert(value[None])
    assert boxes.improvement(points[None])[0].tolist() == expected
