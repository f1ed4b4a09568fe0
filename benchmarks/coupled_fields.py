"""How the cost of coupled equations grows with the number of fields: finite differences against the cosine basis.

    python benchmarks/coupled_fields.py [--n 128] [--repeats 7] [--json]

Right-hand sides of n Allen–Cahn fields that feel each other through f = Σ uᵢ²(1 − uᵢ)² + Σ_{i<j} uᵢ²uⱼ², in turns, CPU
seconds of one thread; the bulk energy alone is what any program would have to pay.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.coupled import CoupledFields
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray


class Repulsion:
    """The density above."""

    def density(self, fields: FloatArray) -> FloatArray:
        squares = fields**2
        pairs = 0.5 * (np.sum(squares, axis=0) ** 2 - np.sum(squares**2, axis=0))
        return np.asarray(np.sum(squares * (1 - fields) ** 2, axis=0) + pairs)

    def derivative(self, fields: FloatArray) -> FloatArray:
        squares = fields**2
        others = np.sum(squares, axis=0) - squares
        return np.asarray(2 * fields * ((1 - fields) * (1 - 2 * fields) + others))

    def curvature(self, fields: FloatArray) -> float:
        return float(2 + 14 * np.max(np.sum(fields**2, axis=0)))


def seconds_in_turns(actions: dict[str, Callable[[], object]], repeats: int, n_calls: int) -> dict[str, float]:
    """Median seconds a call of every action."""
    spent: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for _ in range(repeats):
        for name, action in actions.items():
            start = time.thread_time()
            for _ in range(n_calls):
                action()
            spent[name].append((time.thread_time() - start) / n_calls)
    return {name: float(np.median(values)) for name, values in spent.items()}


def actions_for(grid: Grid, n_fields: int) -> dict[str, Callable[[], object]]:
    """One right-hand side by each way, and the bulk energy's derivative alone."""
    names, ones, plain = tuple(f"u{i}" for i in range(n_fields)), (1.0,) * n_fields, (False,) * n_fields
    fields = np.random.default_rng(0).uniform(0, 1, (n_fields, *grid.shape))
    state = fields[0] if n_fields == 1 else fields
    rate = np.empty_like(state)
    second, fourth = (CoupledFields(grid, names, Repulsion(), ones, ones, plain, order) for order in (2, 4))
    spectral = GradientFlow(grid, names, Repulsion(), ones, ones, plain, ones)
    return {
        "order 2": lambda: second.rhs(state, rate),
        "order 4": lambda: fourth.rhs(state, rate),
        "cosines": lambda: spectral.rhs(state, rate),
        "bulk energy alone": lambda: Repulsion().derivative(fields),
    }


def measure(n: int, repeats: int) -> list[dict[str, float]]:
    """Nanoseconds a cell and a field, for 1 to 16 fields."""
    grid = Grid((n, n), 1.0, (Boundary.NO_FLUX, Boundary.NO_FLUX))
    rows = []
    for n_fields in (1, 2, 4, 8, 16):
        found = seconds_in_turns(actions_for(grid, n_fields), repeats, max(2, 40 // n_fields))
        rows.append({"n_fields": n_fields} | {k: round(v * 1e9 / n_fields / n**2, 2) for k, v in found.items()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=128, help="cells along an edge")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args()
    rows = measure(arguments.n, arguments.repeats)
    if arguments.json:
        print(json.dumps({"n": arguments.n, "ns_per_cell_and_field": rows}, indent=1))
        return
    print("ns per cell and field\n" + "".join(f"{name:>20}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value:20g}" for value in row.values()))


if __name__ == "__main__":
    main()
