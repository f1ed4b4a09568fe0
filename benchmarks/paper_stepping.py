"""Speed of the published model: the exact loop against the same stencil in C, and the fast stepping against the exact.

    python benchmarks/paper_stepping.py [--n 128] [--t-end 1000] [--json]

Times are CPU seconds of one thread.  The C twin is compiled here with ``gcc -O3 -march=native``; without gcc its
numbers are left out and a message says so.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dynaphase.electrolyte.paper import EXACT_STEPPING, FAST_STEPPING, PaperModel, PaperParameters
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate

C_SOURCE = """
static void step(const double *restrict a, double *restrict b, long n, double al, double be, double r0, double r1)
{
    const long w = n + 2;
    for (long i = 1; i <= n; i++)
        for (long j = 1; j <= n; j++) {
            const double *p = a + i * w + j;
            const double c = p[0], lap = (p[-w] + p[w]) + (p[-1] + p[1]) - 4.0 * c;
            b[i * w + j] = c + (lap * (al - be * c) + c * (r0 + c * r1));
        }
}
static void ghosts(double *a, long n)
{
    const long w = n + 2;
    for (long j = 1; j <= n; j++) { a[j] = a[w + j]; a[(n + 1) * w + j] = -a[n * w + j]; }
    for (long i = 1; i <= n; i++) { a[i * w] = a[i * w + n]; a[i * w + n + 1] = a[i * w + 1]; }
}
void euler(double *a, double *b, long n, long pairs, double al, double be, double r0, double r1)
{
    for (long k = 0; k < pairs; k++) {
        ghosts(a, n); step(a, b, n, al, be, r0, r1);
        ghosts(b, n); step(b, a, n, al, be, r0, r1);
    }
}
"""


def make_field(n: int) -> FloatArray:
    """Intact material with two damaged bands, a pore and a cathode layer: every feature of a real start."""
    x = (np.arange(n) + 0.5) / n
    X, Y = np.meshgrid(x, x, indexing="ij")
    C = 1.0 - 0.15 * np.exp(-(((X - 0.4) / 0.02) ** 2)) - 0.15 * np.exp(-(((Y - 0.6) / 0.02) ** 2))
    C[np.hypot(X - 0.7, Y - 0.2) < 0.05] = 0.0
    C[X > 0.98] = 0.0
    rng = np.random.default_rng(0)
    return np.clip(C * (1.0 + 0.005 * rng.standard_normal(C.shape)), 0.0, 1.0)


def best_cpu_seconds(action: Callable[[], object], repeats: int = 7) -> float:
    """Smallest CPU time of this thread among `repeats` calls."""
    best = np.inf
    for _ in range(repeats):
        started = time.thread_time()
        action()
        best = min(best, time.thread_time() - started)
    return float(best)


def ns_of_exact_loop(model: PaperModel, n_steps: int) -> float:
    state = make_field(model.grid.shape[0])
    model.euler_steps(state, EXACT_STEPPING.dt, 0)
    seconds = best_cpu_seconds(lambda: model.euler_steps(state, EXACT_STEPPING.dt, n_steps))
    return seconds / n_steps / state.size * 1e9


def ns_of_c_loop(model: PaperModel, n_steps: int) -> float | None:
    gcc = shutil.which("gcc")
    if gcc is None:
        print("gcc was not found: the comparison with C is left out", file=sys.stderr)
        return None
    n, p, dt = model.grid.shape[0], model.parameters, EXACT_STEPPING.dt
    a = np.zeros((n + 2, n + 2))
    a[1:-1, 1:-1] = make_field(n)
    b = a.copy()
    scale = dt * p.D0_nm2_per_s / model.grid.spacing_nm**2
    constants = (scale * (1 + p.m_D), scale * p.m_D, -dt * p.k_per_s, dt * p.k_per_s)
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "euler.c"), Path(folder, "euler.so")
        source.write_text(C_SOURCE)
        subprocess.run(
            [gcc, "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", str(source), "-o", str(library)],
            check=True,
        )
        euler = ctypes.CDLL(str(library)).euler
        pointer, real, long = ctypes.c_void_p, ctypes.c_double, ctypes.c_long
        euler.argtypes = [pointer, pointer, long, long, real, real, real, real]
        euler.restype = None
        seconds = best_cpu_seconds(lambda: euler(a.ctypes.data, b.ctypes.data, n, n_steps // 2, *constants))
        check = make_field(n)
        model.euler_steps(check, dt, 7 * (n_steps // 2) * 2)
        if not np.allclose(a[1:-1, 1:-1], check, rtol=0, atol=1e-10):
            raise SystemExit("the C loop and the compiled loop disagree: the comparison would mean nothing")
    return seconds / n_steps / n**2 * 1e9


def measure(n: int, t_end: float) -> dict[str, float | None]:
    parameters = PaperParameters(D0_nm2_per_s=0.1, k_per_s=2e-3, gamma_J_per_m=2.4e-9)
    model = PaperModel(Grid.box(n), parameters)
    n_steps = max(2, int(4000 * 128**2 / n**2) // 2 * 2)
    ours, c = ns_of_exact_loop(model, n_steps), ns_of_c_loop(model, n_steps)
    start = make_field(n)
    fast = simulate(model, start, FAST_STEPPING, t_end).require_done()
    exact = simulate(model, start, EXACT_STEPPING, t_end).require_done()
    return {
        "n": n,
        "t_end_s": t_end,
        "exact_ns_per_cell_update": ours,
        "c_ns_per_cell_update": c,
        "ratio_to_c": None if c is None else ours / c,
        "exact_cpu_seconds": exact.cpu_seconds,
        "exact_steps": exact.statistics.n_steps,
        "fast_cpu_seconds": fast.cpu_seconds,
        "fast_steps": fast.statistics.n_steps,
        "fast_rhs_evaluations": fast.statistics.n_rhs,
        "fast_max_error": float(np.abs(fast.state - exact.state).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=128, help="cells along each edge (default 128)")
    parser.add_argument("--t-end", type=float, default=1000.0, help="simulated seconds (default 1000)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    result = measure(options.n, options.t_end)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:28s} {'–' if value is None else f'{value:.4g}'}")


if __name__ == "__main__":
    main()
