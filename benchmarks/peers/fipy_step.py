"""One implicit Cahn–Hilliard step of FiPy; one JSON document, or exit code 3 without it.

python benchmarks/peers/fipy_step.py N TURNS
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.argv, arguments = sys.argv[:1], sys.argv[1:]  # FiPy reads options of its own
try:
    from fipy import CellVariable, DiffusionTerm, PeriodicGrid2D, TransientTerm
except ImportError:
    sys.exit(3)


def main() -> None:
    n, turns = int(arguments[0]), int(arguments[1])
    mesh = PeriodicGrid2D(nx=n, ny=n, dx=0.8, dy=0.8)
    c = CellVariable(mesh=mesh, hasOld=True)
    c[:] = 0.5 + 0.01 * np.random.default_rng(0).standard_normal(n * n)
    u = c.arithmeticFaceValue - 0.5
    bend = 60.0 * u**2 - 0.8
    equation = TransientTerm() == DiffusionTerm(coeff=5.0 * bend) - DiffusionTerm(coeff=(5.0, 2.0))
    seconds = []
    for _ in range(turns + 1):
        c.updateOld()
        started = time.process_time()
        equation.solve(var=c, dt=0.1)
        seconds.append(time.process_time() - started)
    per_cell = [s * 1e9 / n**2 for s in seconds[1:]]
    low, median, high = np.quantile(per_cell, [0.25, 0.5, 0.75])
    print(json.dumps({"ns_per_cell_update": {"median": median, "low": low, "high": high}, "dt": 0.1}))


if __name__ == "__main__":
    main()
