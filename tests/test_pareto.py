from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dynaphase.pareto import is_pareto_optimal, spread_along_front

tables = arrays(float, st.tuples(st.integers(1, 25), st.integers(1, 3)), elements=st.integers(0, 6).map(float))


@given(tables)
def test_optimal_is_exactly_what_nothing_dominates(values: np.ndarray) -> None:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.all(a >= b) and np.any(a > b))

    expected = [not any(dominates(other, row) for other in values) for row in values]
    assert is_pareto_optimal(values).tolist() == expected


def test_the_spread_starts_with_the_best_of_each_column_and_ignores_units() -> None:
    x = np.linspace(0, 1, 11)
    front = np.column_stack([x, 1 - x**2])
    chosen = spread_along_front(front, 3)
    assert chosen[:2] == [10, 0]
    assert 3 <= chosen[2] <= 7
    assert spread_along_front(front * [1e6, 1e-6], 3) == chosen


@pytest.mark.parametrize("n", [1, 5, 50])
def test_never_more_than_asked_or_there_are(n: int) -> None:
    values = np.random.default_rng(0).random((7, 2))
    chosen = spread_along_front(values, n)
    assert len(chosen) == len(set(chosen)) == min(n, 7)
