"""What a run costs beside its arithmetic: start-up, memory of a process, threads; and Chebyshev on PFHub 1a."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial

import numpy as np

from dynaphase.pfhub.spinodal import concentration, square
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.steppers import RungeKuttaChebyshev

WELL = Polynomial.double_well(5.0, 0.3, 0.7)

FIRST_STEP = """
import numpy as np
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.{module} import {model}, {model}Parameters
from dynaphase.phasefield.steppers import {stepper}
grid = Grid({shape}, 0.8, (Boundary.PERIODIC,) * len({shape}))
model = {model}(grid, {model}Parameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, {mobility}))
integration = {stepper}({options}).start(model, 0.5 + 0.01 * np.random.default_rng(0).standard_normal({shape}))
integration.advance({until})
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""

MODELS = {
    "cahn_hilliard": {"module": "cahn_hilliard", "model": "CahnHilliard", "mobility": "5.0"},
    "cahn_hilliard_varying": {
        "module": "cahn_hilliard",
        "model": "CahnHilliard",
        "mobility": "Polynomial((1.0, 6.0, -5.0))",
    },
    "allen_cahn": {"module": "allen_cahn", "model": "AllenCahn", "mobility": "5.0"},
}
STEPPERS = {"ExplicitEuler": "1e-4", "RungeKuttaChebyshev": "1e-3, 1e-4"}


def fresh_process(cache: str, model: str, stepper: str, shape: tuple[int, ...], until: float) -> tuple[float, float]:
    """CPU seconds from the start to the first step, and the peak of resident memory (MiB), of a new process."""
    code = FIRST_STEP.format(stepper=stepper, options=STEPPERS[stepper], shape=shape, until=until, **MODELS[model])
    variables = os.environ | {"NUMBA_CACHE_DIR": cache}
    output = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    seconds, memory = map(float, output.stdout.split())
    return seconds, memory


def start_up(repeats: int, shape: tuple[int, ...] = (64, 64)) -> dict[str, dict[str, list[float]]]:
    """CPU seconds to the first step of each model and stepper, each turn.

    ``cold`` with an empty compilation cache, ``warm`` with the one that is then filled.
    """
    results: dict[str, dict[str, list[float]]] = {}
    for model in MODELS:
        for stepper in STEPPERS:
            row: dict[str, list[float]] = {"cold_cpu_s": [], "warm_cpu_s": []}
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as cache:
                    for seconds in row.values():
                        seconds.append(round(fresh_process(cache, model, stepper, shape, 1e-4)[0], 2))
            results[f"{model} {stepper}"] = row
    return results


def peak_memory(shape: tuple[int, ...]) -> dict[str, float]:
    """Peak of resident memory (MiB) of a process that makes a few Cahn–Hilliard steps; compiled code from a cache."""
    with tempfile.TemporaryDirectory() as cache:
        results = {}
        for stepper in STEPPERS:
            fresh_process(cache, "cahn_hilliard", stepper, (8,) * len(shape), 1e-4)
            results[stepper] = round(fresh_process(cache, "cahn_hilliard", stepper, shape, 3e-4)[1], 1)
        return results


def spinodal(n: int) -> tuple[CahnHilliard, FloatArray]:
    """PFHub 1a on n × n cells, doi:10.1016/j.commatsci.2016.09.022."""
    grid = square(n, Boundary.PERIODIC)
    return CahnHilliard(grid, CahnHilliardParameters(WELL, 2.0, 5.0)), concentration(grid, 0.01)


def threads(n: int, n_steps: int, repeats: int) -> list[float]:
    """Wall time of two independent runs in two threads over that of the two one after the other, each turn."""
    jobs = [partial(model.euler_steps, field, 1e-4, n_steps) for model, field in (spinodal(n), spinodal(n))]
    ratios = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        for job in jobs:
            job()
        in_turn = time.perf_counter() - started
        workers = [threading.Thread(target=job) for job in jobs]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        ratios.append(round((time.perf_counter() - started) / in_turn, 3))
    return ratios[1:]


def chebyshev_1a(n: int, rtol: float, times: FloatArray, repeats: int) -> dict[str, object]:
    """CPU seconds of PFHub 1a to the last of `times`, each turn, and the largest error of the energy at `times`.

    The error is against a run at 1e-6 on the same mesh.
    """
    model, start = spinodal(n)

    def energies(tolerance: float) -> tuple[FloatArray, float, object]:
        integration = RungeKuttaChebyshev(tolerance, tolerance / 10, max_stages=400).start(model, start)
        found, seconds = [], 0.0
        for time_ in times.tolist():
            started = time.thread_time()
            integration.advance(time_)
            seconds += time.thread_time() - started
            found.append(model.energy(integration.state))
        return np.array(found), seconds, integration.statistics

    reference, _, _ = energies(1e-6)
    runs = [energies(rtol) for _ in range(repeats)]
    return {
        "rtol": rtol,
        "atol": rtol / 10,
        "cpu_s": [round(seconds, 3) for _, seconds, _ in runs],
        "largest_relative_error_of_energy": float(np.max(np.abs(runs[0][0] / reference - 1))),
        "statistics": str(runs[0][2]),
    }
