"""Does η₅₀ move with the descriptors as the stability score says?  Slopes with intervals from several microstructures.

    python validation/signs.py [--fidelity 128] [--n-seeds 6] [--n-workers 2]

LAGP at x = 0.5.  Each series moves one parameter of the medians; slopes are fitted by least squares with the
microstructure seed as a block (a dummy for each).  Grain size and voids are outcomes of the furnace and move together,
so they are fitted together, over the series of furnace time and of densification.  Prints a table and puts it into
``docs/stability_score.md``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dynaphase.evaluation import evaluate_candidate, make_candidate
from dynaphase.executors import make_workers, run_all
from dynaphase.materials import get_system
from dynaphase.materials.drawn import Drawn
from dynaphase.records import Candidate

DOCS = Path(__file__).parent.parent / "docs" / "stability_score.md"
FORMULA = "Li1.5Al0.5Ge1.5(PO4)3"
INERT = {"interphase_weakening": -10.0}
"""Far enough for the weakening to stop at its lower bound, 0."""

SERIES: dict[str, list[dict[str, float]]] = {
    "base": [{}],
    "furnace time": [{"reduced_time_dry": z} for z in (-2.0, 2.0)],
    "densification": [{"densification_rate_dry": z} for z in (-1.5, 1.5)],
    "flaw size": [{"flaw_size_m": z} for z in (-1.0, 1.0)],
    "interphase": [{"interphase_diffusivity_nm2_per_s": z} for z in (-1.0, 1.0)],
    "interphase, β = 0": [INERT | {"interphase_diffusivity_nm2_per_s": z} for z in (-1.0, 0.0, 1.0)],
}
"""Series → draws, in standard deviations of the prior."""

Task = tuple[str, Candidate, dict[str, float]]


@dataclass(frozen=True)
class Run:
    """What the fits read of one evaluation."""

    series: str
    seed: int
    eta_50_mV: float
    log2_grain_size: float
    void_percent: float
    log2_flaw_size: float
    width_10_nm: float


def simulate(task: Task) -> Run | str:
    series, candidate, draw = task
    system = Drawn(get_system("lagp"), draw)
    record = evaluate_candidate(candidate, system)
    if not record.is_done:
        return f"{series}, seed {candidate.seed}: {record.reason}"
    found = record.descriptors
    return Run(
        series,
        candidate.seed,
        found["eta_50_mV"],
        math.log2(found["grain_size_nm"]),
        100.0 * found["void_fraction"],
        math.log2(system.material(candidate.composition)["flaw_size_m"]),
        found["interface_width_nm"] / 10.0,
    )


def slopes(runs: Sequence[Run], regressors: Sequence[Callable[[Run], float]]) -> list[tuple[float, float, float]]:
    """Slope of η₅₀ and its 90 % interval for each regressor, seeds as blocks."""
    from statsmodels.regression.linear_model import OLS

    seeds = sorted({run.seed for run in runs})
    columns: list[npt.NDArray[np.float64]] = [np.array([regressor(run) for run in runs]) for regressor in regressors]
    blocks = [np.array([float(run.seed == seed) for run in runs]) for seed in seeds]
    fitted = OLS(np.array([run.eta_50_mV for run in runs]), np.column_stack(columns + blocks)).fit()
    intervals = fitted.conf_int(alpha=0.1)
    return [(float(fitted.params[k]), *map(float, intervals[k])) for k in range(len(regressors))]


def table(runs: Sequence[Run]) -> str:
    def of(*series: str) -> list[Run]:
        return [run for run in runs if run.series in series]

    furnace = of("base", "furnace time", "densification")
    grain, void = slopes(furnace, [lambda run: run.log2_grain_size, lambda run: run.void_percent])
    flaw = slopes(of("base", "flaw size"), [lambda run: run.log2_flaw_size])[0]
    wide = slopes(of("base", "interphase"), [lambda run: run.width_10_nm])[0]
    inert = slopes(of("interphase, β = 0"), [lambda run: run.width_10_nm])[0]
    rows = [
        ("grain size, doubled", grain, "+", _range(furnace, lambda run: 2**run.log2_grain_size, "nm")),
        ("void fraction, one percent more", void, "−", _range(furnace, lambda run: run.void_percent, "%")),
        ("flaw size, doubled", flaw, "−", "2.5 … 10 µm"),
        ("interface width, 10 nm more (β_χ = 0.5)", wide, "−", _range(of("base", "interphase"), _width, "nm")),
        ("interface width, 10 nm more (β_χ = 0)", inert, "none", _range(of("interphase, β = 0"), _width, "nm")),
    ]
    lines = [
        "| change | range | Δη_50 (mV) | 90 % interval | S and theory expect | found |",
        "|---|---|---|---|---|---|",
    ]
    for name, found, expected, span in rows:
        slope, low, high = (round(value, 2) + 0.0 for value in found)  # no −0.00
        sign = "+" if low > 0 else "−" if high < 0 else "none"
        lines.append(f"| {name} | {span} | {slope:+.2f} | {low:+.2f} … {high:+.2f} | {expected} | {sign} |")
    base = [run.eta_50_mV for run in of("base")]
    lines += ["", f"η_50 of the medians: {np.mean(base):.2f} mV, from seed to seed ± {np.std(base, ddof=1):.2f} mV."]
    return "\n".join(lines)


def _width(run: Run) -> float:
    return 10.0 * run.width_10_nm


def _range(runs: Sequence[Run], value: Callable[[Run], float], unit: str) -> str:
    values = [value(run) for run in runs]
    return f"{min(values):.1f} … {max(values):.1f} {unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fidelity", default="128")
    parser.add_argument("--n-seeds", type=int, default=6)
    parser.add_argument("--n-workers", type=int, default=2)
    options = parser.parse_args()
    lagp = get_system("lagp")
    tasks: list[Task] = [
        (series, make_candidate(FORMULA, "physical", seed, lagp, {"fidelity": options.fidelity})[0], draw)
        for seed in range(options.n_seeds)
        for series, draws in SERIES.items()
        for draw in draws
    ]
    runs = []
    workers = make_workers(n_workers=options.n_workers)
    for found in run_all(workers, simulate, tasks, lambda _, reason: reason, lambda _, reason: reason):
        if isinstance(found, Run):
            runs.append(found)
        else:
            print(f"failed: {found}")
    text = f"Fidelity {options.fidelity}, {options.n_seeds} seeds, {len(runs)} runs.\n\n"
    text += table(sorted(runs, key=lambda run: (run.series, run.seed, run.eta_50_mV)))
    print(text)
    page = DOCS.read_text(encoding="utf-8")
    before, mark, rest = page.partition("<!-- signs -->\n")
    _, end, after = rest.partition("<!-- end of signs -->")
    DOCS.write_text(f"{before}{mark}{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted")
