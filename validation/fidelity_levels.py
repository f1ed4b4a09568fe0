"""Evaluate compositions at every level of fidelity and print cost, bias and rank correlation against the finest.

    python validation/fidelity_levels.py RESULTS.json [--n 30] [--levels eikonal 96 128 256] [--workers 2]
    python validation/fidelity_levels.py RESULTS.json --space 3

The compositions are a fixed list: a third on the LAGP line, the rest in its neighbourhood, Sobol points of one seed.
Every evaluation is kept in RESULTS.json under its content key as soon as it is done, so that the command goes on where
it was stopped and takes no number of another version of the model.  With ``--space N`` it compares space (3d) with
the plane (128) on Li1.5Al0.5Ge1.5(PO4)3 over N seeds instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # CPU seconds are those of one core

import numpy as np
from numpy.typing import NDArray

import dynaphase as dp
from dynaphase.evaluation import make_candidate
from dynaphase.materials import get_system
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

LEVELS = ("eikonal", "96", "128", "256")
FINEST = "256"
SEED_OF_THE_LIST = 20260
N_BOOTSTRAP = 4000
REFERENCE = "Li1.5Al0.5Ge1.5(PO4)3"
ETA, CCD = "eta_50_mV", "critical_current_density_mA_per_cm2"

Results = dict[str, dict[str, Any]]
FloatArray = NDArray[np.float64]


def compositions(n: int) -> list[str]:
    """The fixed list: every third on the line."""
    system = get_system("lagp")
    line, around = (
        iter(CompositionSpace(system, make_sampler(name)).sobol(n, SEED_OF_THE_LIST))
        for name in ("line", "neighbourhood")
    )
    return [system.formula(next(line if i % 3 == 0 else around)) for i in range(n)]


def key_of(formula: str, level: str, seed: int) -> str:
    return make_candidate(formula, "physical", seed, get_system("lagp"), {"fidelity": level})[0].key


def warm_up() -> None:
    """Load what a worker needs, so that the clock of the first composition is that of all."""
    dp.evaluate(REFERENCE, model="physical", settings={"fidelity": "96"})


def run_one(formula: str, level: str, seed: int) -> dict[str, Any]:
    record = dp.evaluate(formula, model="physical", seed=seed, settings={"fidelity": level})
    found = {"formula": formula, "level": level, "seed": seed, "status": record.status.value, "reason": record.reason}
    numbers = dict(record.values) | dict(record.descriptors)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | numbers | {"cpu_seconds": record.cpu_seconds, "resident_MB": memory}


def complete(path: Path, tasks: Sequence[tuple[str, str, int]], n_workers: int) -> Results:
    """Evaluate what is missing in the file, one pool a level so that its peak memory is its own."""
    results: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for level in dict.fromkeys(level for _, level, _ in tasks):
        missing = [task for task in tasks if task[1] == level and key_of(*task) not in results]
        if not missing:
            continue
        with ProcessPoolExecutor(n_workers, initializer=warm_up) as pool:
            running = {pool.submit(run_one, *task): key_of(*task) for task in missing}
            for done in as_completed(running):
                results[running[done]] = done.result()
                part = path.with_suffix(".part")
                part.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
                part.replace(path)
    return results


def spearman(a: FloatArray, b: FloatArray) -> tuple[float, float, float]:
    """Rank correlation with its 90 % bootstrap interval over the compositions."""
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    draws = [random.integers(0, len(a), len(a)) for _ in range(N_BOOTSTRAP)]
    resampled = [float(spearmanr(a[d], b[d]).statistic) for d in draws]
    low, high = np.nanquantile(resampled, [0.05, 0.95])
    return float(spearmanr(a, b).statistic), float(low), float(high)


def column(rows: Sequence[dict[str, Any]], name: str) -> FloatArray:
    return np.array([row[name] for row in rows], dtype=np.float64)


def change(level: FloatArray, finest: FloatArray) -> str:
    """Median with its sign, and the largest without."""
    relative = 100 * (level / finest - 1)
    return f"{np.median(relative):+.1f} ({np.max(np.abs(relative)):.1f})"


def print_levels(results: Results, formulas: Sequence[str], levels: Sequence[str]) -> None:
    found = {level: [results[key_of(formula, level, 0)] for formula in formulas] for level in levels}
    is_done = [all(found[level][i]["status"] == "done" for level in levels) for i in range(len(formulas))]
    for formula in (f for f, done in zip(formulas, is_done, strict=True) if not done):
        print(f"left out, not done at every level: {formula}")
    print(f"\n{sum(is_done)} compositions, seed 0; changes against {FINEST} in %: median (largest)\n")
    print("| level | CPU s | MB | η_50 | CCD | rank correlation of CCD | of η_50 | of S |")
    print("|---|---|---|---|---|---|---|---|")
    finest = [row for row, done in zip(found[FINEST], is_done, strict=True) if done]
    for level in levels:
        rows = [row for row, done in zip(found[level], is_done, strict=True) if done]
        cost = f"{np.median(column(rows, 'cpu_seconds')):.1f} | {np.max(column(rows, 'resident_MB')):.0f}"
        if level == FINEST:
            print(f"| {level} | {cost} | | | | | |")
            continue
        pairs = [(column(rows, name), column(finest, name)) for name in (ETA, CCD, "stability_score")]
        ranks = [spearman(*pairs[k]) for k in (1, 0, 2)]
        text = " | ".join(f"{r:.3f} [{low:.3f}, {high:.3f}]" for r, low, high in ranks)
        print(f"| {level} | {cost} | {change(*pairs[0])} | {change(*pairs[1])} | {text} |")


def print_space(results: Results, seeds: Sequence[int]) -> None:
    names = {
        "grain size (nm)": ("grain_size_nm", 1.0),
        "voids (%)": ("void_fraction", 100.0),
        "interface width (nm)": ("interface_width_nm", 1.0),
        "η_perc (mV)": ("eta_perc_mV", 1.0),
        "η_50 (mV)": (ETA, 1.0),
        "CCD (mA/cm²)": (CCD, 1.0),
        "σ of the box (1e-6 S/cm)": ("ionic_conductivity_S_per_cm", 1e6),
        "σ of the ceramic (1e-4 S/cm)": ("ceramic_conductivity_S_per_cm", 1e4),
        "S": ("stability_score", 1.0),
        "CPU (s)": ("cpu_seconds", 1.0),
        "resident (MB)": ("resident_MB", 1.0),
    }
    print(f"{REFERENCE}, seeds {', '.join(map(str, seeds))}\n\n| | 128 | 3d |\n|---|---|---|")
    for title, (name, unit) in names.items():
        cells = [
            ", ".join(f"{unit * results[key_of(REFERENCE, level, seed)][name]:.4g}" for seed in seeds)
            for level in ("128", "3d")
        ]
        print(f"| {title} | {cells[0]} | {cells[1]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--n", type=int, default=30, help="compositions")
    parser.add_argument("--levels", nargs="+", default=LEVELS, help=f"levels; {FINEST} is always among them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--space", type=int, default=0, metavar="N", help="seeds of the comparison of plane and space")
    options = parser.parse_args()
    if options.space:
        seeds = range(options.space)
        tasks = [(REFERENCE, level, seed) for level in ("128", "3d") for seed in seeds]
        print_space(complete(options.results, tasks, options.workers), seeds)
        return
    levels = tuple(dict.fromkeys((*options.levels, FINEST)))
    formulas = compositions(options.n)
    tasks = [(formula, level, 0) for level in levels for formula in formulas]
    print_levels(complete(options.results, tasks, options.workers), formulas, levels)


if __name__ == "__main__":
    main()
