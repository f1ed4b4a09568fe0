"""Time of one homogenization against scipy's default sparse solve of the same system, in the same run.

    python benchmarks/conduction.py --json

CPU time, because cores are shared; the least of several runs, alternating between the two solvers.  Both start from
the conductivity field and end at the potential; ours also measures currents and dissipation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import spsolve
from threadpoolctl import threadpool_limits

from dynaphase.electrolyte.conduction import ConductionParameters, homogenize, local_conductivity
from dynaphase.electrolyte.microstructure import make_microstructure
from dynaphase.phasefield.elliptic import Ends, FaceMean, face_conductances, make_network

COLD = ConductionParameters(0.04, 5e-7, {"AlPO4": 1e-10})
WARM = ConductionParameters(0.11, 1.15e-6 * 0.04 / 0.11, {"AlPO4": 2e-10})


def cpu_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def by_rows(sigma: np.ndarray) -> np.ndarray:
    """The same linear system, cells numbered row by row, solved by `scipy.sparse.linalg.spsolve`."""
    network = make_network(face_conductances(sigma, FaceMean.HARMONIC), electrodes=(2 * sigma[0], 2 * sigma[-1]))
    order = network.number.ravel()
    return spsolve(network.matrix[order][:, order].tocsc(), network.source[order])


def measure(n: int, repeats: int) -> dict[str, float]:
    structure = make_microstructure(
        (n, n), 100 / n, grain_size_nm=25.0, porosity=0.04, secondary={"AlPO4": 0.05}, seed=0
    )
    cold, warm = (local_conductivity(structure, p) for p in (COLD, WARM))
    near = homogenize(cold, 100 / n, boundary=Ends.ELECTRODES).factor
    calls = {
        "direct": lambda: homogenize(cold, 100 / n),
        "preconditioned": lambda: homogenize(warm, 100 / n, near=near),
        "spsolve": lambda: by_rows(cold),
        "microstructure": lambda: make_microstructure(
            (n, n), 100 / n, grain_size_nm=25.0, porosity=0.04, secondary={"AlPO4": 0.05}, seed=0
        ),
    }
    seconds = {name: min(times) for name, times in alternate(calls, repeats).items()}
    return {
        **{f"{name}_cpu_seconds": value for name, value in seconds.items()},
        "ratio_to_spsolve": seconds["direct"] / seconds["spsolve"],
        "preconditioned_ratio_to_spsolve": seconds["preconditioned"] / seconds["spsolve"],
    }


def alternate(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """CPU seconds of every call, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(cpu_seconds(call))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with threadpool_limits(1):
        result = {str(n): measure(n, options.repeats) for n in (128, 256)}
    if options.json:
        print(json.dumps({"homogenization": result}, indent=2))
        return
    for n, values in result.items():
        print(f"{n}²")
        for name, value in values.items():
            print(f"  {name:34s}{value:10.4f}")


if __name__ == "__main__":
    main()
