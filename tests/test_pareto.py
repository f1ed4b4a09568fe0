from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dynaphase.pareto import is_pareto_optimal

tables = arrays(float, st.tuples(st.integers(1, 25), st.integers(1, 3)), elements=st.integers(0, 6).map(float))


@given(tables)
def test_optimal_is_exactly_what_nothing_dominates(values: np.ndarray) -> None:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.all(a >= b) and np.any(a > b))

    expected = [not any(dominates(other, row) for other in values) for row in values]
    assert is_pareto_optimal(values).tolist() == expected
