"""Calibrate the stability score on simulations of LAGP.

    python validation/calibrate_score.py [--fidelity 128] [--n-workers 2] [--kept FILE] [--refit]

Runs the physical model for 24 compositions (a third on the stoichiometric line, the others from the neighbourhood of
it), each with 4 of 24 parameter draws, a draw with a microstructure seed of its own; fits Ŷ; writes
``score_calibration_runs.csv`` and ``score_calibration.toml`` into the package, prints a table and puts it into
``docs/stability_score.md``.  Interrupted, it goes on with what FILE has kept, unless the source code changed;
finished, it removes FILE.  With --refit, only the fit is made anew from the runs in the package.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
import time
import tomllib
from dataclasses import asdict
from pathlib import Path

import dynaphase
from dynaphase.calibration_fit import (
    CalibrationRun,
    bootstrap_intervals,
    cross_validate,
    fit_calibration,
    fit_critical_current,
    fit_pooled,
    read_runs,
    run_of,
    variance_shares,
)
from dynaphase.composition import Composition
from dynaphase.ensemble import evaluate_all
from dynaphase.evaluation import make_candidate
from dynaphase.executors import make_workers
from dynaphase.materials import get_system
from dynaphase.records import MODEL_VERSION, Candidate, Record
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

PACKAGE = Path(dynaphase.__file__).parent
DATA = PACKAGE / "data"
DOCS = Path(__file__).parent.parent / "docs" / "stability_score.md"
SIMULATING = ("electrolyte", "materials", "phasefield", "physical_chain.py", "material_inputs.py", "descriptors.py")

N_ON_LINE, N_BESIDE, N_DRAWS, DRAWS_EACH = 8, 16, 24, 4
SYMBOLS = {"intercept": "c_0", "grain_size": "c_G", "void_fraction": "c_V", "interface_width": "c_W"}


def compositions() -> list[Composition]:
    system = get_system("lagp")
    on_line = [system.from_coordinates(0.1 * k) for k in range(N_ON_LINE)]
    beside = CompositionSpace(system, make_sampler("neighbourhood")).sobol(N_BESIDE, seed=0)
    # One of the line after two of the others, so that the windows of draws below do not go with the composition.
    return [c for k in range(N_ON_LINE) for c in (beside[2 * k], on_line[k], beside[2 * k + 1])]


def candidates(fidelity: str) -> list[Candidate]:
    system, found = get_system("lagp"), []
    for i, composition in enumerate(compositions()):
        for j in range(DRAWS_EACH):
            draw = 1 + (i + j) % N_DRAWS
            settings = {"fidelity": fidelity, "draw": draw}
            # One seed for each draw: what parts the runs of a draw is then the composition, not the luck of a powder.
            found.append(make_candidate(composition, "physical", draw, system, settings)[0])
    return found


def source_digest() -> str:
    """Of the code that simulates: results of other code do not mix with these."""
    digest = hashlib.blake2b(digest_size=8)
    for name in SIMULATING:
        place = PACKAGE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def load_kept(file: Path, digest: str) -> dict[str, Record]:
    if not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or json.loads(lines[0]) != {"source": digest}:
        print(f"{file} belongs to other source code: starting from the beginning", file=sys.stderr)
        file.unlink()
        return {}
    found = {}
    for line in lines[1:]:
        try:
            record = Record.from_json(json.loads(line))
        except (ValueError, KeyError):  # empty, or being written when the run was ended
            continue
        found[record.key] = record
    return found


def simulate(asked: list[Candidate], n_workers: int, file: Path) -> list[Record]:
    digest, start = source_digest(), time.perf_counter()
    kept = load_kept(file, digest)
    missing = [candidate for candidate in asked if candidate.key not in kept]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"source": digest}) + "\n" if file.stat().st_size == 0 else "\n")

        def keep(record: Record) -> None:
            kept[record.key] = record
            stream.write(json.dumps(record.to_json()) + "\n")
            stream.flush()
            if len(kept) % 12 == 0:
                print(f"{len(kept)} of {len(asked)}, {time.perf_counter() - start:.0f} s", file=sys.stderr)

        evaluate_all(missing, get_system("lagp"), make_workers(n_workers=n_workers), on_record=keep)
    if source_digest() != digest:
        print("warning: the source code changed during the run; run it again", file=sys.stderr)
    return [kept[candidate.key] for candidate in asked]


def write(file: Path, text: str) -> None:
    """In the place of an older file, or not at all."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def put_into_docs(text: str) -> None:
    """Between the marks of the page."""
    page = DOCS.read_text(encoding="utf-8")
    before, mark, rest = page.partition("<!-- calibration -->\n")
    _, end, after = rest.partition("<!-- end of calibration -->")
    write(DOCS, f"{before}{mark}{text}{end}{after}")


def runs_csv(runs: list[CalibrationRun]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(asdict(runs[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(run) for run in runs)
    return stream.getvalue()


def calibrate(runs: list[CalibrationRun], fidelity: str, model_version: str = MODEL_VERSION) -> tuple[str, str]:
    """The coefficients as TOML, and the table of the documentation."""
    fitted, pooled, intervals = asdict(fit_calibration(runs)), asdict(fit_pooled(runs)), bootstrap_intervals(runs)
    by_composition, by_draw = cross_validate(runs), cross_validate(runs, "draw")
    shares, current = variance_shares(runs), fit_critical_current(runs)
    n_compositions, n_draws = len({run.formula for run in runs}), len({run.draw for run in runs})
    lines = [
        "# Coefficients of the calibrated stability score: written by validation/calibrate_score.py from",
        "# score_calibration_runs.csv. Equation: dynaphase.calibration.",
        f'model_version = "{model_version}"',
        f'fidelity = "{fidelity}"',
        f"n_runs = {len(runs)}",
        f"n_compositions = {n_compositions}",
        f"n_draws = {n_draws}",
        "",
        "[coefficients]",
        *(f"{name} = {fitted[name]!r}" for name in SYMBOLS),
        "",
        "[scale]",
        *(f"{name} = {fitted[name]!r}" for name in ("mean", "standard_deviation")),
        "",
        "[interval_90] # compositions resampled",
        *(f"{name} = [{low:.6g}, {high:.6g}]" for name, (low, high) in intervals.items()),
        "",
        "[quality]",
        f"variance_between_draws = {shares.between_draws:.6g}",
        f"r_squared = {shares.explained:.6g}",
        f"r_squared_within_draws = {shares.explained_within_draws:.6g}",
        *(f"{name}_new_composition = {value:.6g}" for name, value in by_composition.items()),
        *(f"{name}_new_draw = {value:.6g}" for name, value in by_draw.items()),
    ]
    table = [
        f"{len(runs)} runs at fidelity {fidelity}: {n_compositions} compositions, {n_draws} draws, one "
        f"microstructure seed for each draw. Mean of Y {fitted['mean']:.3f}, standard deviation "
        f"{fitted['standard_deviation']:.3f}.",
        "",
        "| coefficient | intercept for each draw (shipped) | 90 %, compositions resampled | random intercept (90 %) "
        "| one intercept | ln CCD |",
        "|---|---|---|---|---|---|",
    ]
    for name, symbol in SYMBOLS.items():
        m, low, high = shares.mixed_coefficients[name]
        table.append(
            f"| {symbol} | {fitted[name]:.3f} | {intervals[name][0]:.3f} … {intervals[name][1]:.3f} "
            f"| {m:.3f} ({low:.3f} … {high:.3f}) | {pooled[name]:.3f} | "
            + (f"{current[name]:.3f} |" if name in current else "– |")
        )
    table += [
        f"| ln i₀ | – | – | – | – | {current['ln_exchange_current_density']:.3f} |",
        "",
        "| figure | value |",
        "|---|---|",
        f"| share of the variance of Y between draws | {shares.between_draws:.3f} |",
        f"| R² of Ŷ over all runs | {shares.explained:.3f} |",
        f"| R² of Ŷ within draws; of the ln CCD fit within draws | {shares.explained_within_draws:.3f}; "
        f"{current['r_squared_within']:.3f} |",
        f"| a composition left out: R², Spearman within draws | {by_composition['r_squared_within']:.3f}, "
        f"{by_composition['spearman_within']:.3f} |",
        f"| a composition left out: R², Spearman over all runs | {by_composition['r_squared']:.3f}, "
        f"{by_composition['spearman']:.3f} |",
        f"| a draw left out: R², Spearman over all runs | {by_draw['r_squared']:.3f}, {by_draw['spearman']:.3f} |",
        f"| random intercept: sd between draws, residual sd | {shares.sd_draw:.3f}, {shares.sd_residual:.3f} |",
    ]
    return "\n".join(lines) + "\n", "\n".join(table) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fidelity", default="128")
    parser.add_argument("--n-workers", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path("build/score_calibration.jsonl"))
    parser.add_argument("--refit", action="store_true", help="simulate nothing")
    options = parser.parse_args()
    if options.refit:
        kept = (DATA / "score_calibration_runs.csv").read_text(encoding="utf-8")
        before = tomllib.loads((DATA / "score_calibration.toml").read_text(encoding="utf-8"))
        made_by = before["fidelity"], before["model_version"]
        coefficients, text = calibrate(read_runs(kept.splitlines()), *made_by)
        write(DATA / "score_calibration.toml", coefficients)
        put_into_docs(text)
        print(text)
        return
    start = time.perf_counter()
    records = simulate(candidates(options.fidelity), options.n_workers, options.kept)
    done = [record for record in records if record.is_done]
    table = runs_csv([run_of(record) for record in done])
    coefficients, text = calibrate(read_runs(table.splitlines()), options.fidelity)
    DATA.mkdir(exist_ok=True)
    write(DATA / "score_calibration_runs.csv", table)
    write(DATA / "score_calibration.toml", coefficients)
    put_into_docs(text)
    options.kept.unlink()
    print(text)
    for record in records:
        if not record.is_done:
            print(f"failed: {record.formula}, seed {record.candidate.seed}: {record.reason}")
    censored = sum("lower bounds" in note for record in done for note in record.notes)
    cpu = sum(record.cpu_seconds for record in records)
    print(f"{censored} censored η₅₀; {cpu:.0f} s CPU, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")
