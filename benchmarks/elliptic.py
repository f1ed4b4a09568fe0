"""Time of multigrid against the sparse LU of this package on the same conduction problems, in the same run.

    python benchmarks/elliptic.py --json

Three structures under a unit potential drop: discs of contrast 1e7, a wound conducting filament in an insulator,
homogeneous.  CPU time, because cores are shared; the least of several runs that alternate between the solvers.

* cold: hierarchy and solution from nothing, as LU does;
* warm: conductivities changed by some per cent, old hierarchy as the preconditioner, old solution as the guess;
* reuse: the same without the guess.

Ratios are multigrid over LU: below 1 multigrid is faster.  In three dimensions LU is measured
as long as it is bearable.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
from conduction import alternate
from threadpoolctl import threadpool_limits

from dynaphase.phasefield.elliptic import solve_conduction
from dynaphase.phasefield.grid import Boundary, Walls
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid

CONTRAST = 1e-7
LARGEST_FOR_LU = 32**3
PERIODIC = Boundary.PERIODIC
ELECTRODES = Walls(low=1.0, high=0.0)


def discs(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    sigma, places = np.ones(shape), np.indices(shape)
    for _ in range(40 if len(shape) == 3 else 25):
        centre, radius = rng.random(len(shape)) * shape, rng.uniform(0.04, 0.12) * shape[0]
        inside = sum((x - c) ** 2 for x, c in zip(places, centre, strict=True)) < radius**2
        sigma[inside] = CONTRAST if rng.random() < 0.6 else 3.0
    return sigma


def filament(shape: tuple[int, ...]) -> np.ndarray:
    sigma = np.full(shape, CONTRAST)
    path = (shape[1] / 2 + shape[1] / 4 * np.sin(np.linspace(0, 9, shape[0]))).astype(int)
    for i in range(shape[0]):
        a, b = sorted((path[i], path[max(i - 1, 0)]))
        sigma[(i, slice(a, b + 1), *(n // 2 for n in shape[2:]))] = 1.0
    return sigma


STRUCTURES = {"discs": discs, "filament": filament, "homogeneous": np.ones}


def measure(shape: tuple[int, ...], repeats: int) -> dict[str, dict[str, float]]:
    return {name: _measure(make(shape), repeats) for name, make in STRUCTURES.items()}


def _measure(sigma: np.ndarray, repeats: int) -> dict[str, float]:
    walls = (ELECTRODES, *(PERIODIC,) * (sigma.ndim - 1))
    problem = EllipticProblem(sigma, walls)
    changed = EllipticProblem(np.where(sigma == CONTRAST, 1.1 * sigma, sigma**1.05), walls)
    multigrid = Multigrid(problem)
    cold = multigrid.solve()
    guess = cold.potential
    calls: dict[str, Callable[[], object]] = {
        "cold": lambda: Multigrid(problem).solve(),
        "build": lambda: multigrid.rebuild(problem),
        "reuse": lambda: multigrid.solve(problem=changed),
        "warm": lambda: multigrid.solve(problem=changed, start=guess),
    }
    direct: list[np.ndarray] = []
    is_direct = sigma.ndim == 2 or sigma.size <= LARGEST_FOR_LU
    if is_direct:
        calls["lu"] = lambda: direct.append(solve_conduction(sigma).potential)
    seconds = {name: min(times) for name, times in alternate(calls, repeats).items()}
    result = {f"{name}_cpu_seconds": value for name, value in seconds.items()}
    result["cold_iterations"] = cold.n_iterations
    result["reuse_iterations"] = multigrid.solve(problem=changed).n_iterations
    result["warm_iterations"] = multigrid.solve(problem=changed, start=guess).n_iterations
    result["bytes_per_cell"] = multigrid.n_bytes / sigma.size
    if is_direct:
        result["difference_to_lu"] = float(np.abs(guess - direct[0]).max())
        result |= {f"{name}_ratio_to_lu": seconds[name] / seconds["lu"] for name in ("cold", "reuse", "warm")}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--quick", action="store_true", help="small grids only, two runs of each")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    sizes = [(64, 2), (128, 2), (32, 3)] if options.quick else [(64, 2), (128, 2), (256, 2), (512, 2)]
    sizes += [] if options.quick else [(32, 3), (48, 3), (64, 3), (96, 3)]
    repeats = 2 if options.quick else options.repeats
    with threadpool_limits(1):
        result = {f"{n}^{ndim}": measure((n,) * ndim, repeats) for n, ndim in sizes}
    if options.json:
        print(json.dumps({"elliptic": result}, indent=2))
        return
    for size, structures in result.items():
        for structure, values in structures.items():
            print(f"{size} {structure}")
            for name, value in values.items():
                print(f"  {name:24s}{value:12.4g}")


if __name__ == "__main__":
    main()
