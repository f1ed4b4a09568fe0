"""Speed of the explicit Cahn–Hilliard and Allen–Cahn steps against the same stencil in C, numpy and other programs.

    python benchmarks/speed.py [--n 256] [--repeats 15] [--quick] [--json] [--python-exponax PATH] …

Times are CPU seconds of one thread.  Whatever is compared runs in turns within one process, and a ratio is the median
of the ratios of the turns, with its quartiles: the machine may be as noisy as it likes.  The C twin is compiled here
with ``gcc -O3 -march=native``; a peer that is not installed is left out with a message on standard error.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import process_costs

from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.allen_cahn import AllenCahn, AllenCahnParameters
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray

C_SOURCE = """
typedef const double *restrict in; typedef double *restrict out;
static void ghosts(double *a, long n)
{
    const long w = n + 2;
    for (long j = 1; j <= n; j++) { a[j] = a[n * w + j]; a[(n + 1) * w + j] = a[w + j]; }
    for (long i = 1; i <= n; i++) { a[i * w] = a[i * w + n]; a[i * w + n + 1] = a[i * w + 1]; }
}
#define SUM(p) ((p[-w] + p[w]) + (p[-1] + p[1]))
#define HORNER(c) (p0 + c * (p1 + c * (p2 + c * p3)))
static void potential(in a, out m, long n, double p0, double p1, double p2, double p3, double face)
{
    const long w = n + 2;
    for (long i = 1; i <= n; i++)
        for (long j = 1; j <= n; j++) {
            const double *p = a + i * w + j, c = p[0];
            m[i * w + j] = HORNER(c) + face * SUM(p);
        }
}
static void divergence(out a, in m, long n)
{
    const long w = n + 2;
    for (long i = 1; i <= n; i++)
        for (long j = 1; j <= n; j++) {
            const double *p = m + i * w + j;
            a[i * w + j] += SUM(p) - 4.0 * p[0];
        }
}
void cahn_hilliard(double *a, double *m, long n, long steps, double p0, double p1, double p2, double p3, double face)
{
    for (long k = 0; k < steps; k++) {
        ghosts(a, n); potential(a, m, n, p0, p1, p2, p3, face);
        ghosts(m, n); divergence(a, m, n);
    }
}
void allen_cahn(double *a, double *b, long n, long steps, double p0, double p1, double p2, double p3, double face)
{
    for (long k = 0; k < steps / 2; k++) {
        ghosts(a, n); potential(a, b, n, p0, 1.0 + p1, p2, p3, face);
        ghosts(b, n); potential(b, a, n, p0, 1.0 + p1, p2, p3, face);
    }
}
"""

WELL = Polynomial.double_well(5.0, 0.3, 0.7)
KAPPA, MOBILITY, SPACING = 2.0, 5.0, 0.8
ONE_THREAD = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
CHECKED = np.concatenate([np.geomspace(1.0, 20.0, 8), np.geomspace(25.0, 1000.0, 12)])
"""Times of PFHub 1a at which the energy is compared."""
Model = CahnHilliard | AllenCahn
Action = Callable[[], object]


def make_models(shape: tuple[int, ...]) -> dict[str, Model]:
    """Both models on a periodic box, with the parameters of PFHub problem 1 (doi:10.1016/j.commatsci.2016.09.022)."""
    grid = Grid(shape, SPACING, (Boundary.PERIODIC,) * len(shape))
    return {
        "cahn_hilliard": CahnHilliard(grid, CahnHilliardParameters(WELL, KAPPA, MOBILITY)),
        "allen_cahn": AllenCahn(grid, AllenCahnParameters(WELL, KAPPA, MOBILITY)),
    }


def make_field(shape: tuple[int, ...]) -> FloatArray:
    return 0.5 + 0.01 * np.random.default_rng(0).standard_normal(shape)


def stable_dt(model: Model, field: FloatArray) -> float:
    return 0.5 / model.spectral_radius(field)


def in_turns(actions: dict[str, Action], repeats: int) -> dict[str, FloatArray]:
    """CPU seconds of this thread, (repeats,) for each action; every action runs once before."""
    for action in actions.values():
        action()
    seconds = {name: np.empty(repeats) for name in actions}
    for turn in range(repeats):
        for name, action in actions.items():
            started = time.thread_time()
            action()
            seconds[name][turn] = time.thread_time() - started
    return seconds


def quartiles(values: FloatArray) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": round(float(median), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def our_steps(model: Model, field: FloatArray, n_steps: int) -> Action:
    dt = stable_dt(model, field)
    return lambda: model.euler_steps(field, dt, n_steps)


# --- C ----------------------------------------------------------------------------------------------------------


def build_c_twin(folder: Path) -> ctypes.CDLL | None:
    gcc = shutil.which("gcc")
    if gcc is None:
        print("gcc was not found: the comparison with C is left out", file=sys.stderr)
        return None
    source, library = folder / "twin.c", folder / "twin.so"
    source.write_text(C_SOURCE)
    command = [gcc, "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    twin = ctypes.CDLL(str(library))
    pointer, long, real = ctypes.c_void_p, ctypes.c_long, ctypes.c_double
    for name in ("cahn_hilliard", "allen_cahn"):
        function = getattr(twin, name)
        function.argtypes, function.restype = [pointer, pointer, long, long, *[real] * 5], None
    return twin


def c_steps(twin: ctypes.CDLL, name: str, model: Model, padded: FloatArray, n_steps: int) -> Action:
    """The C twin on `padded` (n + 2, n + 2); its constants are worked out here, apart from those of the model."""
    n, dt = padded.shape[0] - 2, stable_dt(model, padded[1:-1, 1:-1])
    scale = dt * MOBILITY / SPACING**2 if name == "cahn_hilliard" else -dt * MOBILITY
    slope = [scale * a for a in WELL.derivative().coefficients]
    face = -scale * KAPPA / SPACING**2
    slope[1] -= 4.0 * face
    scratch, function = padded.copy(), getattr(twin, name)
    return lambda: function(padded.ctypes.data, scratch.ctypes.data, n, n_steps, *slope, face)


def against_c(n: int, n_steps: int, repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """For each model our and C's ns per cell update and their ratio; the two must first agree over 20 steps."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        twin = build_c_twin(Path(folder))
        if twin is None:
            return results
        for name, model in make_models((n, n)).items():
            field = make_field((n, n))
            padded = np.pad(field, 1)
            our_steps(model, field, 20)()
            c_steps(twin, name, model, padded, 20)()
            if not np.allclose(field, padded[1:-1, 1:-1], rtol=0, atol=1e-12):
                raise SystemExit(f"{name}: C and the compiled loop disagree, the comparison would mean nothing")
            actions = {"ours": our_steps(model, field, n_steps), "c": c_steps(twin, name, model, padded, n_steps)}
            seconds = in_turns(actions, repeats)
            to_ns = 1e9 / n_steps / n**2
            results[name] = {
                "ratio": quartiles(seconds["ours"] / seconds["c"]),
                "ours_ns": quartiles(seconds["ours"] * to_ns),
                "c_ns": quartiles(seconds["c"] * to_ns),
            }
    return results


# --- peers ------------------------------------------------------------------------------------------------------


def reference_steps(model: Model, n_steps: int) -> Action:
    """The numpy reference of the package, stepped."""
    field = make_field(model.grid.shape)
    dt = stable_dt(model, field)

    def run() -> None:
        for _ in range(n_steps):
            np.add(field, dt * model.reference_rhs(field), out=field)

    return run


def peer(script: str, python: str, *arguments: object) -> dict[str, Any] | None:
    """What a script of ``benchmarks/peers`` prints when `python` runs it; None where that has not got the peer."""
    path = Path(__file__).parent / "peers" / script
    command = [python, str(path), *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"{python} has not got it" if done.returncode == 3 else done.stderr.strip().splitlines()[-1:]
        print(f"{script} is left out: {reason}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def other_programs(pythons: argparse.Namespace, n: int, repeats: int) -> dict[str, Any]:
    """Peers in environments of their own."""
    return {
        "py-pde": peer("pypde_rate.py", pythons.python_pypde, n, repeats, 100),
        "fipy": peer("fipy_step.py", pythons.python_fipy, n, repeats),
        "exponax": {f"dt={dt}": peer("exponax_1a.py", pythons.python_exponax, n, dt) for dt in (1.0, 0.1)},
    }


def against_reference(n: int, n_steps: int, repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """Our time per cell update over that of the numpy reference, by model."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name, model in make_models((n, n)).items():
        slow = max(1, n_steps // 50)
        n_steps_of = {"ours": n_steps, "numpy_reference": slow}
        peers: dict[str, Action] = {
            "ours": our_steps(model, make_field((n, n)), n_steps),
            "numpy_reference": reference_steps(model, n_steps_of["numpy_reference"]),
        }
        seconds = in_turns(peers, repeats)
        per_step = {who: values / n_steps_of[who] for who, values in seconds.items()}
        ours = per_step.pop("ours")
        for who, theirs in per_step.items():
            results.setdefault(f"ratio_to_{who}", {})[name] = quartiles(ours / theirs)
    return results


# --- ourselves --------------------------------------------------------------------------------------------------


def scaling(shapes: list[tuple[int, ...]], updates: int, repeats: int) -> list[dict[str, object]]:
    """Our ns per cell update by model, shape and precision."""
    rows: list[dict[str, object]] = []
    for shape in shapes:
        n_steps = max(2, updates // int(np.prod(shape)) // 2 * 2)
        actions: dict[str, Action] = {}
        for name, model in make_models(shape).items():
            for precision in (np.float64, np.float32):
                label = f"{name} {np.dtype(precision)}"
                actions[label] = our_steps(model, make_field(shape).astype(precision), n_steps)
        for label, seconds in in_turns(actions, repeats).items():
            name, precision_name = label.split()
            ns = quartiles(seconds * 1e9 / n_steps / int(np.prod(shape)))
            rows.append({"model": name, "shape": list(shape), "precision": precision_name, "ns_per_cell_update": ns})
    return rows


def memory_per_cell(shape: tuple[int, ...]) -> dict[str, float]:
    """Peak of the arrays that live during Euler steps in float64, the field itself included (bytes per cell)."""
    peaks: dict[str, float] = {}
    for name, model in make_models(shape).items():
        dt = stable_dt(model, make_field(shape))
        make_models((8,) * len(shape))[name].euler_steps(make_field((8,) * len(shape)), dt, 1)  # compiled before
        tracemalloc.start()
        field = np.full(shape, 0.5)
        model.euler_steps(field, dt, 1)
        peaks[name] = round(tracemalloc.get_traced_memory()[1] / field.size, 2)
        tracemalloc.stop()
    return peaks


def measure(n: int, repeats: int, quick: bool, pythons: argparse.Namespace) -> dict[str, object]:
    few = max(3, repeats // 3)
    updates = 10_000_000 if quick else 40_000_000
    n_steps = max(2, updates // n**2 // 2 * 2)
    c = against_c(n, n_steps, repeats)
    shapes: list[tuple[int, ...]] = [(64, 64), (128, 128), (256, 256), (64, 64, 64)]
    if not quick:
        shapes += [(512, 512), (1024, 1024), (128, 128, 128)]
    return {
        "n": n,
        "ratio_to_c": {name: row["ratio"]["median"] for name, row in c.items()},
        "against_c": c,
        **against_reference(n, n_steps, max(3, repeats // 3)),
        "scaling": scaling(shapes, updates, max(3, repeats // 3)),
        "memory_bytes_per_cell": {"2-D": memory_per_cell((512, 512)), "3-D": memory_per_cell((96, 96, 96))},
        "peak_memory_128_cubed_MiB": process_costs.peak_memory((128, 128, 128)),
        "start_up": process_costs.start_up(1 if quick else 3),
        "two_threads_over_one_after_the_other": process_costs.threads(n, n_steps, few),
        "chebyshev_pfhub_1a": process_costs.chebyshev_1a(n, 2e-3, CHECKED, few),
        "peers": other_programs(pythons, n, few),
    }


def show(result: dict[str, object], indent: str = "") -> None:
    for key, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{key}")
            show(value, indent + "  ")
        elif isinstance(value, list):
            print(f"{indent}{key}", *(f"{indent}  {row}" for row in value), sep="\n")
        else:
            print(f"{indent}{key}: {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=256, help="cells along an edge of the compared square")
    parser.add_argument("--repeats", type=int, default=15, help="turns of the comparison with C")
    parser.add_argument("--quick", action="store_true", help="fewer updates, no large grids")
    for name in ("pypde", "fipy", "exponax"):
        parser.add_argument(f"--python-{name}", default=sys.executable, help=f"Python that has {name}")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args()
    result = measure(arguments.n, arguments.repeats, arguments.quick, arguments)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
