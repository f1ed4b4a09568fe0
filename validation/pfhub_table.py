"""Run the PFHub problems and print our curves beside published ones.

    python validation/pfhub_table.py [REFERENCE_DIR] [--problems 1a 1b 2a 2b 7a 7b 7c]

REFERENCE_DIR holds ``bm1a/``, ``bm2a/`` … with one ``*__free_energy.csv`` (time, energy) a code, and ``bm7a/`` with
``*__spatial.csv`` and ``*__temporal.csv``; where it is missing, only our own numbers are printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dynaphase.pfhub import PROBLEMS, PFHubResult, run_problem
from dynaphase.pfhub.refinement import fitted_order

WINDOWS = {
    "1": ((20, 500), (500, 1000), (1000, 1e5)),
    "2": ((0.3, 5), (5, 30), (30, 100)),
}
TIMES = {"1": (10, 20, 50, 100, 200, 500, 1000, 3000, 1e4, 3e4, 1e5), "2": (0.3, 1, 3, 5, 10, 20, 30, 50, 80, 100)}


def published(folder: Path | None, problem: str, kind: str) -> dict[str, np.ndarray]:
    """Published tables by name, (2, n) each."""
    if folder is None:
        return {}
    files = sorted((folder / f"bm{problem}").glob(f"*__{kind}.csv"))
    return {f.name.split("__")[0]: np.loadtxt(f, delimiter=",", skiprows=1).T for f in files}


def print_evolution(result: PFHubResult, curves: dict[str, np.ndarray]) -> None:
    family = result.problem[0]
    n_steps = result.checks["n_steps"]
    print(f"\n{result.problem}  {dict(result.settings)}")
    print(f"  {n_steps:.0f} steps, {result.cpu_seconds:.2f} s CPU, {result.wall_seconds:.2f} s wall")
    print(
        f"  mass drift {result.checks['mass_drift']:.1e}, largest rise of the energy {result.checks['energy_rise']:.1e}"
    )
    times = [t for t in TIMES[family] if t <= result.columns["time"][-1]]
    print("  t " + "".join(f"{t:>10g}" for t in times))
    print("  F " + "".join(f"{f:10.2f}" for f in result.at(np.array(times))))
    for name, (time, energy) in curves.items():
        print(f"  against {name}:")
        for low, high in WINDOWS[family]:
            inside = (time >= low) & (time <= min(high, result.columns["time"][-1]))
            if np.any(inside):
                deviation = result.at(time[inside]) / energy[inside] - 1.0
                worst = int(np.argmax(np.abs(deviation)))
                where, median = time[inside][worst], np.median(np.abs(deviation))
                print(
                    f"    {low:g} ≤ t ≤ {high:g}: at most {100 * deviation[worst]:+.2f} % (t = {where:.4g}), ", end=""
                )
                print(f"median of |deviation| {100 * median:.2f} %")


def print_refinement(result: PFHubResult, folder: Path | None) -> None:
    print(f"\n{result.problem}\n       n         dt   L2 error     CPU s")
    for row in result.rows():
        print(f"  {row['n']:6.0f} {row['dt']:10.4g} {row['l2_error']:10.3e} {row['cpu_seconds']:9.2f}")
    for name, order in result.checks.items():
        print(f"  {name}: {order:.2f}")
    for kind in ("spatial", "temporal"):
        for name, (step, error) in published(folder, result.problem, kind).items():
            print(f"  {kind}, {name}: L2 {error.min():.2e} … {error.max():.2e}, order {fitted_order(step, error):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", nargs="?", type=Path)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    options = parser.parse_args()
    folder: Path | None = options.reference
    if folder is None or not folder.is_dir():
        print(f"No folder of published curves ({folder}): our own numbers only.")
        folder = None
    for problem in options.problems:
        result = run_problem(problem)
        if "free_energy" in result.columns:
            print_evolution(result, published(folder, problem, "free_energy"))
        else:
            print_refinement(result, folder)


if __name__ == "__main__":
    main()
