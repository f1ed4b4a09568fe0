"""Tabulate the physical model: the landscapes that `benchmarks/decisions.py` plays campaigns on.

    python benchmarks/decisions/make_landscapes.py [neighbourhood simplex quaternary …] [--workers N] [--sharpen]

Each landscape becomes ``landscapes/NAME.csv.xz``, one row a simulation at the fidelity `eikonal`, failures included.
Three kinds of compositions are in it (column ``role``):

=========  =====================================================================================================
``pool``   a Sobol sequence over the region: what a played campaign may choose from, two seeds each, never shared
           between compositions
``fresh``  200 independent random compositions with eight seeds each: what predictions are judged by
``line``   the stoichiometric line x = 0, 0.03, …, 0.9 with eight seeds each (of ``neighbourhood`` alone)
=========  =====================================================================================================

Near percolation runs of one composition lie decades apart, and a mean of eight is itself known to half a decade: the
tenth of the fresh compositions whose log10 σ scatters most gets 24 further seeds (``--sharpen``: only that, for tables
that are there).  All of them count, the first eight included.

Hours of computing: finished simulations are kept in a file ``.partial`` beside the table, and the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from dynaphase.composition import Composition
from dynaphase.evaluation import evaluate_candidate
from dynaphase.executors import make_workers, run_all
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.samplers import make_sampler
from dynaphase.settings import PhysicalSettings
from dynaphase.space import CompositionSpace

HERE: Final = Path(__file__).parent
TABLES: Final = HERE / "landscapes"

LANDSCAPES: Final = {
    "neighbourhood": ("lagp", "neighbourhood", 300),
    "simplex": ("lagp", "simplex", 500),
    "quaternary": (str(HERE / "lagtp.toml"), "simplex", 300),
}
"""Name → material system, sampler, number of compositions in the pool."""

N_FRESH: Final = 200
N_LINE: Final = 31
SEEDS: Final = {"pool": 2, "fresh": 8, "line": 8}
N_MORE: Final = 24
MORE_FOR: Final = 0.1
"""Share of the fresh compositions, those whose log10 σ scatters most, that get `N_MORE` further seeds."""
SHARPENED: Final = ("simplex", "quaternary")
"""Landscapes where that is needed: the neighbourhood's truth is known to 0.003 of its range."""
FIRST_SEED: Final = 100
COMMON_SEEDS: Final = ("neighbourhood",)
"""Landscapes whose `fresh` and `line` compositions share the eight seeds from `FIRST_SEED` on.

That tells how much of the scatter is common to all compositions; it also leaves the means of eight with a common error
of a third of one seed's scatter.  In the others no two compositions share a seed, nor do any two of a pool.
"""

COLUMNS: Final = {
    "stability_score": 4,
    "ionic_conductivity_S_per_cm": 5,
    "ceramic_conductivity_S_per_cm": 5,
    "critical_current_density_mA_per_cm2": 5,
    "grain_size_nm": 4,
    "void_fraction": 4,
    "interface_width_nm": 4,
}
"""What is kept of a record, with its significant digits."""


def asked(name: str) -> list[tuple[str, Composition, int]]:
    """Role, composition and seed of every simulation, those that judge first."""
    system_name, sampler, n_pool = LANDSCAPES[name]
    system = get_system(system_name)
    space = CompositionSpace(system, make_sampler(sampler, system))
    compositions = {
        "fresh": space.sample(N_FRESH, np.random.default_rng(2026)),
        "line": [system.from_coordinates(float(x)) for x in np.linspace(0, 0.9, N_LINE)]
        if name == "neighbourhood"
        else [],
        "pool": space.sobol(n_pool, 1),
    }
    rows = []
    for role, found in compositions.items():
        for index, composition in enumerate(found):
            first = FIRST_SEED if name in COMMON_SEEDS else 100_000 + SEEDS[role] * index
            if role == "pool":
                first = 1000 + SEEDS[role] * index
            rows += [(role, composition, first + k) for k in range(SEEDS[role])]
    return rows


def scattering_most(table: pd.DataFrame, elements: Sequence[str]) -> list[tuple[str, Composition, int]]:
    """Role, composition and seed of the further simulations of the fresh compositions of `table`."""
    fresh = table[table["role"] == "fresh"].assign(z=lambda rows: np.log10(rows["ionic_conductivity_S_per_cm"]))
    groups = fresh.groupby(list(elements), sort=False)
    spread = groups["z"].std().sort_values(ascending=False, kind="stable")
    last = groups["seed"].max()
    chosen = spread.index[: round(MORE_FOR * len(spread))]
    return [
        (
            "fresh",
            Composition.from_amounts(dict(zip(elements, key, strict=True))),
            10_000_000 + int(last[key]) * N_MORE + k,
        )
        for key in chosen
        for k in range(N_MORE)
    ]


def make(name: str, n_workers: int | None) -> None:
    """Simulate what is missing and write the table."""
    rows = asked(name)
    write(name, table_of(name, rows, n_workers, partial_of(name)), partial_of(name))


def sharpen(name: str, n_workers: int | None) -> None:
    """Add the further seeds of the fresh compositions that scatter most to the table that is there."""
    system = get_system(LANDSCAPES[name][0])
    table = pd.read_csv(TABLES / f"{name}.csv.xz")
    n_seeds = table[table["role"] == "fresh"].groupby(list(system.elements)).size()
    if (n_seeds > SEEDS["fresh"]).any():
        print(f"{name} has its further seeds already", file=sys.stderr)
        return
    kept_in = partial_of(name, more=True)
    more = table_of(name, scattering_most(table, system.elements), n_workers, kept_in)
    write(name, pd.concat([table, more], ignore_index=True), kept_in)


def partial_of(name: str, more: bool = False) -> Path:
    """Where finished simulations, or the further ones, are kept until the table is written."""
    return TABLES / f"{name}{'-more' if more else ''}.partial"


def write(name: str, table: pd.DataFrame, kept_in: Path) -> None:
    """Keep the table; the simulations kept beside it are of no more use."""
    table.to_csv(TABLES / f"{name}.csv.xz", index=False, lineterminator="\n")
    kept_in.unlink()


def table_of(name: str, rows: list[tuple[str, Composition, int]], n_workers: int | None, kept_in: Path) -> pd.DataFrame:
    """One row a simulation; what `kept_in` holds is not run again."""
    system = get_system(LANDSCAPES[name][0])
    settings = PhysicalSettings(fidelity="eikonal").model_dump()
    TABLES.mkdir(exist_ok=True)
    kept: dict[str, dict[str, Any]] = {}
    if kept_in.exists():
        kept = {row["key"]: row for row in map(json.loads, kept_in.read_text(encoding="utf-8").splitlines())}
    candidates = [Candidate(composition, seed, system.name, "physical", settings) for _, composition, seed in rows]
    missing = [candidate for candidate in candidates if candidate.key not in kept]

    def failed(candidate: Candidate, reason: str) -> Record:
        return Record(candidate, RecordStatus.FAILED, "", reason=reason)

    function = partial(evaluate_candidate, system=system)
    with kept_in.open("a", encoding="utf-8") as stream:
        for n, record in enumerate(run_all(make_workers(n_workers=n_workers), function, missing, failed, failed), 1):
            kept[record.key] = row_of(record)
            stream.write(json.dumps(kept[record.key]) + "\n")
            stream.flush()
            if n % 50 == 0:
                print(f"{name}: {n} of {len(missing)}", file=sys.stderr, flush=True)
    return pd.DataFrame(
        [
            {
                "role": role,
                "seed": seed,
                **{e: round(composition[e], 12) for e in system.elements},
                **kept[candidate.key],
            }
            for (role, composition, seed), candidate in zip(rows, candidates, strict=True)
        ]
    ).drop(columns="key")


def row_of(record: Record) -> dict[str, Any]:
    """What is kept of one record."""
    found = {**record.values, **record.descriptors}
    row: dict[str, Any] = {"key": record.key, "cpu_seconds": round(record.cpu_seconds, 2)}
    row |= {n: float(f"{found[n]:.{d}g}") if record.is_done else None for n, d in COLUMNS.items()}
    return row | {"reason": record.reason}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(LANDSCAPES), help="which; all by default")
    parser.add_argument("--workers", type=int, help="simulations at a time; one per core by default")
    parser.add_argument("--sharpen", action="store_true", help="only the further seeds, of tables that are there")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(LANDSCAPES)
    if unknown:
        parser.error(f"no landscape {', '.join(sorted(unknown))}; there are {', '.join(LANDSCAPES)}")
    for name in arguments.names:
        is_sharpening = partial_of(name, more=True).exists()
        if not arguments.sharpen and not is_sharpening:  # an interrupted sharpening has its table already
            make(name, arguments.workers)
        if name in SHARPENED:
            sharpen(name, arguments.workers)


if __name__ == "__main__":
    main()
