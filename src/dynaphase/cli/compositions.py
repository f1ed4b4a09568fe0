"""Commands of single compositions and of the systems they belong to: simulate, compare, show."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from dynaphase.cli.application import app
from dynaphase.cli.arguments import Fidelity, Formula, Json, NWorkers, Options, System, settings_of
from dynaphase.cli.json_output import material_json, print_json, record_json
from dynaphase.display import make_console, print_material, print_record, progress_bar
from dynaphase.errors import ConfigError

__all__ = ["compare", "material", "sensitivity", "simulate", "table"]


@app.command()
def simulate(
    formula: Formula,
    model: Annotated[str, typer.Option(help="physical: furnace, lithium, interphase; paper: as printed.")] = "physical",
    stepping: Annotated[str | None, typer.Option(help="Of paper. exact: as printed; fast: adaptive.")] = None,
    fidelity: Fidelity = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the microstructure.")] = 0,
    draws: Annotated[int, typer.Option(min=0, help="Draws of the uncertain parameters; 0: their medians.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds, from --seed on.")] = 1,
    workers: NWorkers = None,
    option: Options = None,
    system: System = "lagp",
    as_json: Json = False,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep record, fields, pictures there.")] = None,
) -> None:
    """Simulate one composition: microstructure, degradation, S and σ."""
    from dynaphase.evaluation import evaluate
    from dynaphase.saving import prepare_run, save_run

    settings = settings_of(model, option, stepping=stepping, fidelity=fidelity)
    if save is not None:
        prepare_run(save)
    if draws or seeds > 1:
        counts = {"n_draws": draws, "n_seeds": seeds, "seed": seed}
        _simulate_many(formula, model, counts, system, settings, workers, as_json, save)
        return
    with progress_bar("simulating", is_shown=not as_json) as advance:
        has_history = save is not None
        record = evaluate(
            formula, model, seed, system=system, settings=settings, on_progress=advance, keep_history=has_history
        )
    if as_json:
        print_json(record_json(record))
    else:
        print_record(record, make_console())
    if save is not None:
        for written in save_run(save, record):
            typer.echo(f"wrote {written}", err=as_json)
    if not record.is_done:
        raise typer.Exit(3)


def _simulate_many(
    formula: str,
    model: str,
    counts: dict[str, int],
    system: str,
    settings: dict[str, Any],
    workers: int | None,
    as_json: bool,
    save: Path | None,
) -> None:
    """Evaluate over draws and seeds, print and keep."""
    from dynaphase.display_ensemble import print_ensemble
    from dynaphase.ensemble import evaluate_ensemble
    from dynaphase.executors import make_workers
    from dynaphase.saving.ensemble import kept_records, save_records

    pool = make_workers(n_workers=workers)
    keeping = nullcontext() if save is None else kept_records(save)
    with progress_bar("simulating", is_shown=not as_json) as advance, keeping as keep:
        found = evaluate_ensemble(
            [formula], model, **counts, system=system, settings=settings, workers=pool, on_progress=advance,
            on_record=keep,
        )  # fmt: skip
    if as_json:
        print_json(found.to_json(0))
    else:
        print_ensemble(found, make_console())
    if save is not None:
        typer.echo(f"wrote {save_records(save, found.records)}", err=as_json)
    if not any(record.is_done for record in found.records):
        raise typer.Exit(3)


@app.command()
def compare(
    formulas: Annotated[list[str], typer.Argument(metavar="FORMULA FORMULA...", help="Compositions to compare.")],
    model: Annotated[str, typer.Option(help="physical or paper; the latter without draws.")] = "physical",
    fidelity: Fidelity = None,
    draws: Annotated[
        int | None, typer.Option(min=0, help="Draws of the uncertain parameters; 0: their medians [default: 32].")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the microstructure, from --seed on.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    workers: NWorkers = None,
    option: Options = None,
    system: System = "lagp",
    as_json: Json = False,
) -> None:
    """Say which composition is better, and how sure that is: the same draws and seeds for all."""
    from dynaphase.display_ensemble import print_comparison
    from dynaphase.ensemble import compare_all, evaluate_ensemble
    from dynaphase.executors import make_workers

    if len(formulas) < 2:
        raise ConfigError("a comparison needs at least two compositions")
    settings = settings_of(model, option, fidelity=fidelity)
    n_draws = (0 if model == "paper" or "draw" in settings else 32) if draws is None else draws
    counts: dict[str, Any] = {"n_draws": n_draws, "n_seeds": seeds, "seed": seed}
    pool = make_workers(n_workers=workers)
    with progress_bar("simulating", is_shown=not as_json) as advance:
        found = evaluate_ensemble(
            formulas, model, **counts, system=system, settings=settings, workers=pool, on_progress=advance
        )
    comparisons = compare_all(found)
    if as_json:
        print_json(
            {
                "n_draws": found.n_draws,
                "n_seeds": len(found.seeds),
                "compositions": [found.to_json(i) for i in range(len(formulas))],
                "probabilities": {comparison.quantity: comparison.to_json() for comparison in comparisons},
            }
        )
    else:
        print_comparison(found, comparisons, make_console())
    if not any(record.is_done for record in found.records):
        raise typer.Exit(3)


@app.command()
def sensitivity(
    formula: Formula,
    model: Annotated[str, typer.Option(help="physical or paper.")] = "physical",
    fidelity: Annotated[str | None, typer.Option(help="Of physical [default: eikonal].")] = None,
    trajectories: Annotated[int, typer.Option(min=2, help="Trajectories of elementary effects.")] = 8,
    draws: Annotated[
        int, typer.Option(min=0, help="Instead: first-order indices from so many draws, at least 32.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of trajectories and microstructures.")] = 0,
    workers: NWorkers = None,
    option: Options = None,
    system: System = "lagp",
    as_json: Json = False,
) -> None:
    """Say which uncertain parameters S, σ and the critical current density depend on."""
    from dynaphase.display_ensemble import print_first_order, print_sensitivity
    from dynaphase.executors import make_workers
    from dynaphase.sensitivity import first_order_sensitivity, sensitivity

    level = fidelity or ("eikonal" if model == "physical" else None)
    settings, pool = settings_of(model, option, fidelity=level), make_workers(n_workers=workers)
    with progress_bar("simulating", is_shown=not as_json) as advance:
        common: dict[str, Any] = {
            "seed": seed, "system": system, "settings": settings, "workers": pool, "on_progress": advance
        }  # fmt: skip
        if draws:
            name, indices = first_order_sensitivity(formula, model, n_draws=draws, **common)
        else:
            found = sensitivity(formula, model, n_trajectories=trajectories, **common)
    if draws:
        if as_json:
            print_json({"formula": name, "first_order": {output: i.to_json() for output, i in indices.items()}})
        else:
            print_first_order(name, indices, make_console())
    elif as_json:
        print_json(found.to_json())
    else:
        print_sensitivity(found, make_console())


@app.command()
def material(
    formula: Formula,
    system: System = "lagp",
    temperature: Annotated[float, typer.Option(help="Temperature (K).")] = 298.15,
    as_json: Json = False,
) -> None:
    """Show the phases and every parameter of a composition, each with spread, status and source."""
    from dynaphase.materials import get_system

    lookup = get_system(system)
    reading = lookup.read(formula)
    found = lookup.material(reading.composition, temperature)
    notes = (*reading.notes, *found.notes)
    if as_json:
        print_json(material_json(found, notes))
    else:
        print_material(found, notes, make_console())


@app.command()
def table(
    output: Annotated[Path, typer.Argument(metavar="FILE.toml", help="Where to write it; must not exist.")],
) -> None:
    """Write the template of a material system's table, every key explained, to change and to name as --system."""
    from dynaphase.materials.table_files import template
    from dynaphase.store import save_text

    save_text(output, template())
    typer.echo(f"Made {output}. Change it, then try: dynaphase material 'Li1.3Sc0.3Zr1.7(PO4)3' --system {output}")
