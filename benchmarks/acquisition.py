"""Choosing 8 of 5,151 candidates from 200 records: time, peak memory, and how much of qLogNEHVI's gain is reached.

    python benchmarks/acquisition.py [--json] [--no-botorch]

Each acquisition runs once to warm up and once for the time, in its own process so that its peak memory is its own.
The gain of a batch is BoTorch's qNoisyExpectedHypervolumeImprovement of it, 512 draws of its own, relative to that of
the batch which its qLogNoisyExpectedHypervolumeImprovement (64 draws) chooses one after the other from the whole pool.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from typing import Any

import numpy as np

from dynaphase.acquisition import Goal, acquisition_from_name, make_pool
from dynaphase.surrogate import DEFAULT_TARGETS, Surrogate, fit_surrogate

N_BATCH = 8
TARGETS = [target.name for target in DEFAULT_TARGETS]
TWO = Goal.parse(["max stability_score", "max ceramic_conductivity_S_per_cm"], [], [60.0, 1e-6])
THREE = Goal.parse([f"max {name}" for name in TARGETS], [], [60.0, 1e-6, 1e-6])
ONE = Goal.parse(["max stability_score"], ["ionic_conductivity_S_per_cm >= 1e-6"])
CASES = {
    "max-variance": TWO,
    "integrated-variance": TWO,
    "hypervolume": TWO,
    "hypervolume of three": THREE,
    "expected-improvement": ONE,
    "thompson": TWO,
}


def records() -> tuple[np.ndarray, np.ndarray]:
    """200 noisy records of a smooth landscape on the simplex."""
    rng = np.random.default_rng(0)
    X = rng.dirichlet([1, 1, 1], 200)[:, :2]
    a, b = X.T
    logit = 2 * np.sin(5 * a) + 1.5 * np.cos(4 * b) + 0.1 * rng.standard_normal(200)
    sigma = -5 + 1.5 * np.cos(6 * a - 1) * np.sin(3 * b + 1)
    ceramic = sigma - 1 + a - 2 * b**2
    noise = 0.05 * rng.standard_normal((2, 200))
    return X, np.column_stack([100 / (1 + np.exp(-logit)), 10 ** (sigma + noise[0]), 10 ** (ceramic + noise[1])])


def lattice() -> np.ndarray:
    """The 5,151 compositions of a ternary lattice of 1 %."""
    return np.array([(i / 100, j / 100) for i in range(101) for j in range(101 - i)])


def measure(case: str) -> dict[str, Any]:
    """Time and memory of one acquisition, and its batch."""
    X, Y = records()
    surrogate = fit_surrogate(X, Y)
    acquisition = acquisition_from_name(case.split(" ", maxsplit=1)[0])
    for _ in range(2):
        wall, cpu = time.perf_counter(), time.process_time()
        pool = make_pool(lattice(), surrogate, simulated=X, goal=CASES[case], targets=TARGETS)
        batch = acquisition.select(pool, N_BATCH, np.random.default_rng(0))
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_memory_MB": peak, "batch": batch.tolist()}


def shares_of_gain(batches: dict[str, list[int]]) -> dict[str, Any]:
    """The gain of each batch of two objectives over that of qLogNEHVI's, and its time."""
    import torch
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
    from botorch.models import ModelListGP
    from botorch.sampling.normal import SobolQMCNormalSampler

    logei._load_attempted = True  # no native code is built here
    X, Y = records()
    surrogate: Surrogate = fit_surrogate(X, Y)
    names = [objective.target for objective in TWO.objectives]
    fitted = [surrogate.fitted[name] for name in names]
    model = ModelListGP(*(one.model for one in fitted))

    def quoted(samples: Any, X: Any = None) -> Any:
        score = fitted[0].centre + fitted[0].scale * samples[..., 0]
        sigma = fitted[1].centre + fitted[1].scale * samples[..., 1]
        return torch.stack([100 * torch.sigmoid(score), sigma], dim=-1)

    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective

    options = {
        "ref_point": [60.0, -6.0],
        "X_baseline": torch.as_tensor(X),
        "objective": GenericMCMultiOutputObjective(quoted),
        "prune_baseline": True,
    }
    candidates = torch.as_tensor(lattice())
    started = time.perf_counter()
    sampler = SobolQMCNormalSampler(torch.Size([64]), seed=1)
    theirs = logei.qLogNoisyExpectedHypervolumeImprovement(model, sampler=sampler, **options)
    batch: list[int] = []
    with torch.no_grad():
        for _ in range(N_BATCH):
            values = torch.cat([theirs(part[:, None]) for part in candidates.split(512)])
            values[batch] = -torch.inf
            batch.append(int(values.argmax()))
            theirs.set_X_pending(candidates[batch])
        seconds = time.perf_counter() - started
        judge = qNoisyExpectedHypervolumeImprovement(
            model, sampler=SobolQMCNormalSampler(torch.Size([512]), seed=2), **options
        )
        best = float(judge(candidates[batch][None])[0])
        shares = {name: float(judge(candidates[rows][None])[0]) / best for name, rows in batches.items()}
    return {"qlognehvi_seconds": seconds, "share_of_gain": shares}


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-botorch", action="store_true", help="leave out the comparison, which takes minutes")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    for case in CASES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[case] = pool.apply(measure, (case,))
    if not arguments.no_botorch:
        random = np.random.default_rng(0).choice(5151, N_BATCH, replace=False).tolist()
        two = {case: one["batch"] for case, one in found.items() if CASES[case] is TWO} | {"random": random}
        found |= shares_of_gain(two)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'acquisition':22s} {'wall s':>7s} {'CPU s':>6s} {'peak MB':>8s} {'share of gain':>14s}")
    for case in CASES:
        share = found.get("share_of_gain", {}).get(case)
        one = found[case]
        numbers = f"{one['seconds']:7.2f} {one['cpu_seconds']:6.2f} {one['peak_memory_MB']:8.0f}"
        print(f"{case:22s} {numbers} {'' if share is None else f'{share:14.2f}'}")
    if "share_of_gain" in found:
        print(f"random {found['share_of_gain']['random']:.2f}; qLogNEHVI took {found['qlognehvi_seconds']:.0f} s")


if __name__ == "__main__":
    main()
