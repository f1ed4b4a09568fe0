"""Run the PFHub problems, print our curves beside published ones and draw both.

    python validation/pfhub_table.py [REFERENCE_DIR] [--problems 1a 1b …] [--figures DIR]

REFERENCE_DIR holds ``bm1a/``, ``bm2a/`` … with one ``*__free_energy.csv`` (time, energy) a code, and ``bm7a/`` with
``*__spatial.csv`` and ``*__temporal.csv``; where it is missing, only our own numbers are printed.  With ``--figures``
the curves are drawn into DIR, one PNG a problem; those in ``validation/figures`` are committed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dynaphase.pfhub import PROBLEMS, PFHubResult, run_problem
from dynaphase.pfhub.refinement import fitted_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

WINDOWS = {
    "1": ((20, 500), (500, 1000), (1000, 1e5)),
    "2": ((0.3, 5), (5, 30), (30, 100)),
    "6": ((0, 400),),
    "8": ((0, 200),),
}
TIMES = {
    "1": (10, 20, 50, 100, 200, 500, 1000, 3000, 1e4, 3e4, 1e5),
    "2": (0.3, 1, 3, 5, 10, 20, 30, 50, 80, 100),
    "6": (1, 5, 10, 20, 50, 100, 200, 400),
    "8": (0, 50, 100, 150, 200),
}


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
    drift = f"mass drift {result.checks['mass_drift']:.1e}, " if "mass_drift" in result.checks else ""
    print(f"  {drift}largest rise of the energy {result.checks['energy_rise']:.1e}")
    if "radius" in result.columns:
        print_nuclei(result)
        return
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


def print_nuclei(result: PFHubResult) -> None:
    """One line a radius: solid fraction at a few times, energy at the end."""
    radii = result.columns["radius"]
    for radius in np.unique(radii):
        own = radii == radius
        time, fraction = result.columns["time"][own], result.columns["fraction"][own]
        shares = ", ".join(f"{np.interp(t, time, fraction):.5f}" for t in TIMES["8"])
        energy = result.columns["free_energy"][own][-1]
        print(f"  r = {radius:.3f}: fraction at t = {TIMES['8']}: {shares}; F = {energy:.4f}")


def print_refinement(result: PFHubResult, folder: Path | None) -> None:
    print(f"\n{result.problem}\n       n         dt   L2 error     CPU s")
    for row in result.rows():
        print(f"  {row['n']:6.0f} {row['dt']:10.4g} {row['l2_error']:10.3e} {row['cpu_seconds']:9.2f}")
    for name, order in result.checks.items():
        print(f"  {name}: {order:.2f}")
    for kind in ("spatial", "temporal"):
        for name, (step, error) in published(folder, result.problem, kind).items():
            print(f"  {kind}, {name}: L2 {error.min():.2e} … {error.max():.2e}, order {fitted_order(step, error):.2f}")


def draw(result: PFHubResult, folder: Path | None, path: Path) -> None:
    """Our curve and the published ones."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 130}):
        figure, axes = plt.subplots(1, 1 + len(result.cuts), figsize=(4.6 + 3.6 * len(result.cuts), 3.2), squeeze=False)
        first, *rest = axes[0]
        if "n" in result.columns:
            draw_refinement(first, result, folder)
        else:
            draw_evolution(first, result, folder)
        for axis, (line, columns) in zip(rest, result.cuts.items(), strict=True):
            place = next(name for name in columns if name in {"x", "y"})
            axis.plot(columns[place], columns["concentration"], color="#0b3c5d", label="c")
            axis.plot(columns[place], columns["potential"], color="#d9782d", label="Φ")
            axis.set(xlabel=place, title=f"cut {line} at the end")
            axis.legend(frameon=False)
        first.set_title(f"PFHub {result.problem}")
        figure.tight_layout()
        figure.savefig(path)
        plt.close(figure)


def draw_evolution(axis: Axes, result: PFHubResult, folder: Path | None) -> None:
    for name, (time, energy) in published(folder, result.problem, "free_energy").items():
        axis.plot(time, energy, "o", markersize=3, alpha=0.7, label=name)
    if "radius" in result.columns:
        radii = result.columns["radius"]
        for radius in np.unique(radii):
            own = radii == radius
            axis.plot(result.columns["time"][own], result.columns["fraction"][own], label=f"r = {radius:.2f}")
        axis.set(xlabel="t", ylabel="solid fraction")
    else:
        axis.plot(
            result.columns["time"], result.columns["free_energy"], color="black", linewidth=1.4, label="DynaPhase"
        )
        first = {"1": 1.0, "2": 0.1}.get(result.problem[0], 0.1)
        axis.set(xlabel="t", ylabel="F", xscale="log", xlim=(first, result.columns["time"][-1]))
        inside = result.columns["free_energy"][result.columns["time"] >= first]
        if result.problem[0] != "6":
            axis.set(yscale="log", ylim=(0.9 * inside.min(), 1.1 * inside.max()))
            plain_decades(axis.yaxis)
    axis.legend(frameon=False, fontsize=7)


def plain_decades(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 of every decade, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def draw_refinement(axis: Axes, result: PFHubResult, folder: Path | None) -> None:
    rows = result.rows()
    if result.problem != "7a":
        axis.loglog([row["cpu_seconds"] for row in rows], [row["l2_error"] for row in rows], "ko-", label="DynaPhase")
        axis.loglog([1.35, 4.57], [0.0243, 0.0105], "s", color="#d9782d", label="sample rows of the problem page")
        axis.set(xlabel="CPU seconds", ylabel="L2 error")
        plain_decades(axis.xaxis)
        axis.legend(frameon=False, fontsize=7)
        return
    for name, (step, error) in published(folder, "7a", "spatial").items():
        axis.loglog(step, error, "o-", linewidth=0.8, markersize=3, label=f"{name}, space")
    finest = min(row["dt"] for row in rows)
    spatial = [row for row in rows if row["dt"] == finest]
    axis.loglog(
        [1 / row["n"] for row in spatial], [row["l2_error"] for row in spatial], "ko-", label="DynaPhase, space"
    )
    axis.set(xlabel="mesh size", ylabel="L2 error")
    axis.legend(frameon=False, fontsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", nargs="?", type=Path)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--figures", type=Path, help="folder for one figure a problem")
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
        if options.figures is not None:
            options.figures.mkdir(parents=True, exist_ok=True)
            draw(result, folder, options.figures / f"pfhub_{problem}.png")


if __name__ == "__main__":
    main()
