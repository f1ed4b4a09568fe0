"""Time and memory of choosing a batch of 8 from 5,151 candidates after 200 records, in a process of its own.

python benchmarks/decisions/choosing_cost.py [acquisition]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ACQUISITIONS: Final = ("hypervolume", "integrated-variance", "max-variance")
N_RECORDS: Final = 200
N_PER_EDGE: Final = 101
"""Points along an edge of the triangle: 5,151 in all."""
BATCH: Final = 8
REPEATS: Final = 3


def measured_cost() -> dict[str, Any]:
    """Acquisition → seconds of CPU and wall (fit apart from choosing), peak memory; each in a fresh process."""
    found = {}
    for acquisition in ACQUISITIONS:
        command = [sys.executable, str(Path(__file__)), acquisition]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:]
            print(f"the cost of {acquisition} was not measured: {reason}", file=sys.stderr)
            continue
        found[acquisition] = json.loads(done.stdout)
    return found


def measure(acquisition_name: str) -> dict[str, Any]:
    """One acquisition on the simplex of LAGP, closed-form responses: what is chosen does not matter here."""
    import numpy as np

    from dynaphase.acquisition import Goal, Objective, Pool, acquisition_from_name
    from dynaphase.features import FeatureMap
    from dynaphase.materials import get_system
    from dynaphase.samplers import make_sampler
    from dynaphase.space import CompositionSpace
    from dynaphase.surrogate import DEFAULT_TARGETS, SurrogateOptions, fit_surrogate

    system = get_system("lagp")
    space = CompositionSpace(system, make_sampler("simplex", system))
    features = FeatureMap(space, "phases")
    candidates = space.grid(N_PER_EDGE)
    X = features(candidates)
    rng = np.random.default_rng(0)
    rows = rng.choice(len(X), N_RECORDS, replace=False)
    waves = np.sin(5 * X[rows, 0]) + np.cos(7 * X[rows, 1]) + 0.05 * rng.standard_normal(N_RECORDS)
    other = np.cos(4 * X[rows, 0]) - X[rows, 1] + 0.05 * rng.standard_normal(N_RECORDS)
    Y = np.column_stack([50 + 15 * waves, 10.0 ** (other - 5)])
    targets = DEFAULT_TARGETS[:2]
    goal = Goal(tuple(Objective(target.name, "max") for target in targets))
    acquisition = acquisition_from_name(acquisition_name)
    seconds: dict[str, list[float]] = {"fit_seconds": [], "choose_seconds": [], "choose_cpu_seconds": []}
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        surrogate = fit_surrogate(X[rows], Y, targets, options=SurrogateOptions(trend=features.trend))
        fitted, cpu = time.perf_counter(), time.process_time()
        pool = Pool(X, surrogate.posterior(X), simulated=[int(r) for r in rows], goal=goal)
        chosen = acquisition.select(pool, BATCH, np.random.default_rng(0))
        seconds["fit_seconds"].append(fitted - started)
        seconds["choose_seconds"].append(time.perf_counter() - fitted)
        seconds["choose_cpu_seconds"].append(time.process_time() - cpu)
    assert len(set(map(int, chosen))) == BATCH
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    medians = {key: round(float(np.median(values[1:])), 3) for key, values in seconds.items()}
    return {
        "n_candidates": len(X),
        "n_records": N_RECORDS,
        "batch": BATCH,
        **medians,
        "peak_memory_GB": round(peak / 1e9, 3),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1] if len(sys.argv) > 1 else ACQUISITIONS[0])))
