"""Simulated ceramics against measured ones, leaving one source out at a time: LAGP, LATP, LLZO.

    python validation/measured_conductivity.py [ROWS.csv …] [--fidelity eikonal] [--seed 0]

For every publication in the package's own rows, the conductivity law is fitted to the rows of the others, and the whole
physical chain (phases, furnace, resolved voids and particles, bridge to the ceramic) simulates what that publication
measured.  Each ROWS.csv (columns ``formula``, ``sigma_S_per_cm``, ``doi``) is judged besides with the full fit; rows
that the material system cannot read are counted and skipped.  Errors are log₁₀ of simulated over measured.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dynaphase as dp
from dynaphase.errors import DynaPhaseError
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.conductivity import FIT_RANGE, fit_conductivity, load_measurements
from dynaphase.materials.lagp import LAGP
from dynaphase.materials.table import TableSystem


@dataclass(frozen=True)
class Row:
    """One measured total conductivity."""

    formula: str
    conductivity_S_per_cm: float
    doi: str


def lagp_rows() -> list[Row]:
    """Rows that ship with LAGP, those at 0 < x < 0.2 (there are none) and at x = 0 included."""
    lagp = LAGP()
    return [Row(lagp.formula(lagp.from_coordinates(r.x)), r.conductivity_S_per_cm, r.doi) for r in load_measurements()]


def table_rows(system: TableSystem) -> list[Row]:
    """Rows of a table."""
    return [
        Row(system.formula(system.from_coordinates(point.x)), point.S_per_cm, point.citation)
        for point in system.table.conductivity.points
    ]


def without(system: MaterialSystem, doi: str) -> MaterialSystem | None:
    """The system as it would be had that publication not appeared; None where too little is left to fit."""
    if isinstance(system, LAGP):
        return LAGP(fit_conductivity(tuple(row for row in load_measurements() if row.doi != doi)))
    assert isinstance(system, TableSystem)
    section = system.table.conductivity
    kept = tuple(point for point in section.points if point.citation != doi)
    if len({point.x for point in kept}) <= (section.degree if section.law == "polynomial" else 0):
        return None
    return TableSystem(
        system.table.model_copy(
            update={"conductivity": section.model_copy(update={"points": type(section.points)(kept)})}
        )
    )


@cache
def simulated(system: MaterialSystem, formula: str, fidelity: str, seed: int) -> float:
    """log₁₀ σ of the ceramic (S/cm), its grains as large as those of the measured ceramics."""
    grains = system.material(system.reference)["literature_grain_size_nm"]
    # Interphases do not reach the ceramic's σ: without them it takes half of the time.
    settings = {"fidelity": fidelity, "ceramic_grain_size_nm": grains, "chemistry": False}
    record = dp.evaluate(formula, model="physical", seed=seed, system=system, settings=settings)
    if not record.is_done:
        raise SystemExit(f"{formula}: {record.reason}")
    return math.log10(record.values["ceramic_conductivity_S_per_cm"])


def judge(
    system: MaterialSystem, rows: Iterable[Row], fidelity: str, seed: int, *, leave_out: bool
) -> Mapping[Row, float]:
    """Error of every row (decades)."""
    errors: dict[Row, float] = {}
    for row in rows:
        used = without(system, row.doi) if leave_out else system
        if used is None:
            continue
        errors[row] = simulated(used, row.formula, fidelity, seed) - math.log10(row.conductivity_S_per_cm)
    return errors


def show(title: str, errors: Mapping[Row, float], n_skipped: int = 0) -> None:
    """A Markdown table of the rows, and their rms by source."""
    if not errors:
        print(f"\n### {title}\n\nnothing to judge: without any one source too few rows are left")
        return
    print(f"\n### {title}\n\n| composition | measured (S/cm) | log₁₀ simulated/measured | source |\n|---|---|---|---|")
    for row, error in errors.items():
        print(f"| {row.formula} | {row.conductivity_S_per_cm:.2e} | {error:+.2f} | {_cited(row.doi)} |")
    print(
        f"\nrms {_rms(errors.values()):.2f} decades over {len(errors)} rows"
        + f", {n_skipped} skipped" * bool(n_skipped)
    )
    for doi in dict.fromkeys(row.doi for row in errors):
        own = [error for row, error in errors.items() if row.doi == doi]
        print(f"- {_cited(doi)}: {len(own)} rows, mean {sum(own) / len(own):+.2f}, rms {_rms(own):.2f}")


def _cited(source: str) -> str:
    return source if source.startswith("doi:") else f"doi:{source}"


def _rms(errors: Iterable[float]) -> float:
    found = list(errors)
    return math.sqrt(sum(error * error for error in found) / len(found)) if found else math.nan


def read_rows(file: Path) -> list[Row]:
    """Rows of a CSV file; one that states only an upper bound is left out."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            Row(row["formula"].replace(" ", ""), float(row["sigma_S_per_cm"]), row["doi"])
            for row in csv.DictReader(lines)
            if row.get("is_upper_bound", "False") != "True"
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", nargs="*", type=Path)
    parser.add_argument("--fidelity", default="eikonal")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    level, seed = arguments.fidelity, arguments.seed
    lagp = LAGP()
    errors = judge(lagp, lagp_rows(), level, seed, leave_out=True)
    low = FIT_RANGE[0] - 1e-9
    inside = {row: e for row, e in errors.items() if lagp.coordinates(lagp.read(row.formula).composition)[0] >= low}
    show("LAGP, 0.2 ≤ x ≤ 0.8, one source left out", inside)
    show("LAGP, x = 0, one source left out", {row: e for row, e in errors.items() if row not in inside})
    for name in ("latp", "llzo"):
        system = get_system(name)
        assert isinstance(system, TableSystem)
        rows = table_rows(system)
        show(f"{name.upper()}, own rows, one source left out", judge(system, rows, level, seed, leave_out=True))
        show(f"{name.upper()}, own rows, fitted to all of them", judge(system, rows, level, seed, leave_out=False))
    for file in arguments.rows:
        for name in ("lagp", "latp", "llzo"):
            system = get_system(name)
            rows, readable = read_rows(file), []
            for row in rows:
                try:
                    system.read(row.formula)
                except DynaPhaseError:
                    continue
                readable.append(row)
            if readable:
                found = judge(system, readable, level, seed, leave_out=False)
                show(f"{file.name} with {name.upper()}, nothing left out", found, len(rows) - len(readable))


if __name__ == "__main__":
    main()
