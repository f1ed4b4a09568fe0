"""Compiled right-hand sides of py-pde's own equations; one JSON document, or exit code 3 without it.

Its fastest way to them; the update itself is not charged.  Its wells lie at ±1 with unit coefficients: the same
stencil and the same work per cell, other constants.

python benchmarks/peers/pypde_rate.py N TURNS N_STEPS
"""

from __future__ import annotations

import json
import sys
import time

try:
    import pde
except ImportError:
    sys.exit(3)
import numpy as np


def main() -> None:
    n, turns, n_steps = (int(argument) for argument in sys.argv[1:4])
    pde.config["backend.numba.multithreading"] = "never"  # one thread, as everybody else here
    grid = pde.CartesianGrid([[0, n * 0.8]] * 2, n, periodic=True)
    state = pde.ScalarField(grid, 0.01 * np.random.default_rng(0).standard_normal((n, n)))
    results = {}
    for name, equation in {"cahn_hilliard": pde.CahnHilliardPDE(), "allen_cahn": pde.AllenCahnPDE()}.items():
        rate = equation.make_pde_rhs(state, backend="numba")
        seconds = []
        for _ in range(turns + 1):
            started = time.process_time()
            for _ in range(n_steps):
                rate(state.data, 0.0)
            seconds.append(time.process_time() - started)
        per_cell = np.array(seconds[1:]) * 1e9 / n**2 / n_steps
        low, median, high = np.quantile(per_cell, [0.25, 0.5, 0.75])
        results[name] = {"ns_per_cell_update": {"median": median, "low": low, "high": high}}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
