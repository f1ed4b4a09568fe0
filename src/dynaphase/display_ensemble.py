"""What the command line shows of ensembles, comparisons and sensitivities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dynaphase.display import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dynaphase.ensemble import Comparison, Ensemble, Summary
    from dynaphase.sensitivity import FirstOrder, Sensitivity

__all__ = ["print_comparison", "print_ensemble", "print_first_order", "print_sensitivity"]

SHORT: Final = {
    "stability_score": "S",
    "ionic_conductivity_S_per_cm": "σ box (S/cm)",
    "ceramic_conductivity_S_per_cm": "σ ceramic (S/cm)",
    "critical_current_density_mA_per_cm2": "CCD (mA/cm²)",
}
"""Quantity → heading."""

NAME_WIDTH: Final = 19
"""Letters of a name in one line beside five numbers."""

N_SHOWN: Final = 10
"""Parameters that are shown of each output."""


def print_ensemble(ensemble: Ensemble, console: Console) -> None:
    """One composition: medians and bands over draws, or means with standard errors over seeds."""
    if _say_if_all_failed(ensemble, 0, console):
        return
    first = ensemble.records[0].candidate
    title = f"{ensemble.formulas[0]}  ({first.model} model, {_counts(ensemble)})"
    heads = ["median", "5 %", "95 %", "sd draws", "sd seeds"] if ensemble.n_draws else ["mean", "± s.e.", "sd seeds"]
    table = _table(title, ["result"], heads)
    for name in ensemble.quantities:
        found = ensemble.summary(0, name)
        cells = _draw_cells(found) if ensemble.n_draws else _seed_cells(found)
        table.add_row(_in_lines(name, NAME_WIDTH if ensemble.n_draws else 2 * NAME_WIDTH), *cells)
    console.print(table)
    console.print("sd draws: other parameters, same seed; sd seeds: other microstructure, same parameters.")
    _print_end(ensemble, 0, console)


def print_comparison(ensemble: Ensemble, comparisons: Sequence[Comparison], console: Console) -> None:
    """Medians with bands of all compositions, and who beats whom."""
    title = f"Medians and 90 % bands over {_counts(ensemble)}"
    table = _table(title, ["", "composition", "result"], ["median", "5 %", "95 %"])
    for i, formula in enumerate(ensemble.formulas):
        for k, comparison in enumerate(comparisons):
            found = ensemble.summary(i, comparison.quantity)
            numbers = (found.median, *found.interval_90)
            cells = ["–" if math.isnan(value) else f"{value:.3g}" for value in numbers]
            table.add_row(*(("", "") if k else (str(i + 1), formula)), SHORT[comparison.quantity], *cells)
    console.print(table)
    n = len(ensemble.formulas)
    for comparison in comparisons:
        title = f"{SHORT[comparison.quantity]}: row beats column (90 % interval)"
        matrix = _table(title, [""], [*(str(j + 1) for j in range(n)), "is the best"])
        for i in range(n):
            cells = [_share(comparison.probabilities[i, j], comparison.intervals[i, j]) for j in range(n)]
            matrix.add_row(str(i + 1), *cells, _share(comparison.best[i], comparison.best_intervals[i]))
        console.print(matrix)
    for i in range(n):
        if not _say_if_all_failed(ensemble, i, console):
            _print_end(ensemble, i, console, f"{ensemble.formulas[i]}: ", has_seconds=False)
    console.print(f"{sum(record.cpu_seconds for record in ensemble.records):.0f} s CPU")


def print_sensitivity(found: Sensitivity, console: Console) -> None:
    """The largest elementary effects on each output."""
    counts = f"{found.n_trajectories} trajectories, {found.n_evaluations} evaluations"
    console.print(f"[bold]{plain(found.formula)}[/]: {counts}, change over the 90 % band of each parameter")
    for output, effects in found.effects.items():
        table = _table(output, ["parameter"], ["μ*", "± 90 %", "μ", "σ"])
        for e in effects[:N_SHOWN]:
            table.add_row(e.parameter, *(f"{v:.3g}" for v in (e.mu_star, e.mu_star_margin_90, e.mu, e.sigma)))
        console.print(table)
    console.print(f"no effect at all: {', '.join(found.inert) or 'none'}")
    for note in found.notes:
        console.print(f"note: {plain(note)}")
    console.print(f"{found.wall_seconds:.0f} s")


def print_first_order(formula: str, found: dict[str, FirstOrder], console: Console) -> None:
    """The largest first-order indices of each output."""
    console.print(f"[bold]{plain(formula)}[/]: share of the variance that a parameter explains alone")
    for output, result in found.items():
        table = _table(
            f"{output} ({result.n_draws} draws, chance reaches {result.noise:.2f})", ["parameter"], ["S₁", ""]
        )
        for index in result.indices[:N_SHOWN]:
            table.add_row(index.parameter, f"{index.first_order:.2f}", "above chance" if index.is_significant else "")
        console.print(table)


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _counts(ensemble: Ensemble) -> str:
    """How many draws and seeds, and which draw if it is a single one that was asked for."""
    n_draws, n_seeds = ensemble.n_draws, len(ensemble.seeds)
    seeds = f"{n_seeds} seed{'s' * (n_seeds > 1)}"
    if n_draws:
        return f"{n_draws} draw{'s' * (n_draws > 1)} × {seeds}"
    draw = ensemble.records[0].candidate.settings.get("draw", 0)
    return f"draw {draw}, {seeds}" if draw else seeds


def _in_lines(name: str, width: int) -> str:
    """A long name broken after underscores: rich would cut it off."""
    lines = [""]
    for part in name.split("_"):
        if lines[-1] and len(lines[-1]) + len(part) >= width:
            lines.append("")
        lines[-1] += f"{part}_"
    return "\n".join(lines)[:-1]


def _draw_cells(found: Summary) -> list[str]:
    low, high = found.interval_90
    return [f"{found.median:.4g}", f"{low:.3g}", f"{high:.3g}", _sd(found.sd_draw, found), _sd(found.sd_seed, found)]


def _seed_cells(found: Summary) -> list[str]:
    error = "–" if math.isnan(found.standard_error) else f"{found.standard_error:.2g}"
    return [f"{found.mean:.4g}", error, _sd(found.sd_seed, found)]


def _sd(sd: float, found: Summary) -> str:
    if math.isnan(sd):
        return "–"
    return f"{sd:.2g} dec" if found.scale == "log10" else f"{sd:.2g}"


def _share(p: float, interval: Sequence[float]) -> str:
    return "–" if math.isnan(p) else f"{p:.2f} ({interval[0]:.2f}–{interval[1]:.2f})"


def _say_if_all_failed(ensemble: Ensemble, i: int, console: Console) -> bool:
    if any(record.is_done for record in ensemble.of(i)):
        return False
    console.print(f"[bold]{plain(ensemble.formulas[i])}[/]: failed. {plain('; '.join(ensemble.failures(i)))}")
    return True


def _print_end(ensemble: Ensemble, i: int, console: Console, head: str = "", *, has_seconds: bool = True) -> None:
    records = ensemble.of(i)
    for reason, n in ensemble.failures(i).items():
        console.print(f"{head}{n} of {len(records)} evaluations failed: {plain(reason)}")
    for note in ensemble.all_notes(i):
        console.print(f"note: {head}{plain(note)}")
    if has_seconds:
        console.print(f"{sum(record.cpu_seconds for record in records):.0f} s CPU, {ensemble.wall_seconds:.0f} s")
