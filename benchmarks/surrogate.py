"""Seconds and memory to fit the surrogate to 200 and 2,000 records, and what joint outputs and cheap levels bring.

    python benchmarks/surrogate.py --json

Eight input columns, as many as the features have; CPU seconds of one thread, the least of several runs after a first
fit that loads the libraries; each case in a process of its own, whose peak memory is reported beside that of a process
that has loaded the libraries and fitted ten records.  ``ratio_to_sklearn`` compares with the same work of
scikit-learn's `GaussianProcessRegressor` (Matérn-5/2, one length a column, white noise, no restarts) where that
is installed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from threadpoolctl import threadpool_limits

from dynaphase.surrogate import Identity, SurrogateOptions, Target, fit_feasibility, fit_surrogate

N_COLUMNS = 8
TARGETS = tuple(Target(name, Identity(), "1") for name in ("a", "b", "c"))


def responses(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three targets with a kink, the third following the first."""
    a = np.sin(4 * X[:, 0]) + X[:, 1] ** 2 + np.abs(X[:, 2] - 0.5)
    b = np.cos(3 * X[:, 3]) + X[:, 4] * X[:, 0]
    return np.stack([a, b, 0.5 * b - 2 * a], axis=1) + 0.1 * rng.normal(size=(len(X), 3))


def records(n: int, n_replicates: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.random((n // n_replicates, N_COLUMNS)), n_replicates, axis=0)
    return X, responses(X, rng)


def plain(n: int) -> None:
    X, Y = records(n)
    fit_surrogate(X, Y[:, :1], TARGETS[:1])


def replicated(n: int) -> None:
    X, Y = records(n, 2)
    fit_surrogate(X, Y[:, :1], TARGETS[:1])


def joint(n: int) -> None:
    X, Y = records(n)
    fit_surrogate(X, Y, TARGETS, options=SurrogateOptions(joint=True))


def levels(n: int) -> None:
    X, Y = records(n)
    level = np.where(np.arange(n) % 4 == 0, 1.0, np.where(np.arange(n) % 4 == 1, 0.5, 0.0))
    X = np.column_stack([X, level])
    fit_surrogate(
        X, Y[:, :1] + 0.3 * (1 - level[:, None]), TARGETS[:1], options=SurrogateOptions(level_column=N_COLUMNS)
    )


def feasibility(n: int) -> None:
    X, _ = records(n)
    fit_feasibility(X, X[:, 0] + 0.6 * X[:, 1] > 0.55)


def sklearn(n: int) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    X, Y = records(n)
    prior = ConstantKernel(1.0) * Matern(np.full(N_COLUMNS, 1.0), nu=2.5) + WhiteKernel(0.1)
    GaussianProcessRegressor(prior, normalize_y=True).fit(X, Y[:, 0])


CASES: dict[str, Callable[[int], None]] = {
    "plain": plain,
    "replicated": replicated,
    "joint": joint,
    "levels": levels,
    "feasibility": feasibility,
    "sklearn": sklearn,
}


def measure(name: str, n: int, repeats: int) -> dict[str, float]:
    """CPU seconds and peak memory of one case; run it in a fresh process."""
    with threadpool_limits(1):
        (sklearn if name == "sklearn" else plain)(10)
        loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times = []
        for _ in range(repeats):
            start = time.process_time()
            CASES[name](n)
            times.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_seconds": min(times), "peak_MB": peak / 1024, "libraries_MB": loaded / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--records", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    cases = [name for name in options.cases if name != "sklearn" or find_spec("sklearn")]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for n in options.records:
        rows = found[str(n)] = {}
        for name in cases:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows[name] = pool.apply(measure, (name, n, options.repeats))
        if "sklearn" in rows and "plain" in rows:
            rows["plain"]["ratio_to_sklearn"] = rows["plain"]["cpu_seconds"] / rows["sklearn"]["cpu_seconds"]
    if options.json:
        print(json.dumps({"surrogate": found}, indent=2))
        return
    for count, rows in found.items():
        for name, row in rows.items():
            print(f"{count:>5} {name:12}", "  ".join(f"{key} {value:8.2f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
