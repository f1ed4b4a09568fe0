"""The command line: arguments in, one call of the Python interface, print.  No logic lives here."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynaphase.display import (
    complain,
    describe_status,
    make_console,
    print_conclusion,
    print_forecasts,
    print_lines,
    print_material,
    print_recommendations,
    print_record,
    progress_bar,
)
from dynaphase.errors import ConfigError, DynaPhaseError

if TYPE_CHECKING:
    from dynaphase.materials.base import Material
    from dynaphase.records import Record

__all__ = ["app", "main"]

app = typer.Typer(
    name="dynaphase",
    help="Which solid electrolyte should we make next? Simulate, learn, recommend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Formula = Annotated[str, typer.Argument(metavar="FORMULA", help="e.g. 'Li1.5Al0.5Ge1.5(PO4)3'")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A campaign directory.")]
System = Annotated[str, typer.Option(help="Material system: lagp, latp, llzo or a table (TABLE.toml).")]
NWorkers = Annotated[int | None, typer.Option("--workers", min=1, help="Simulations at a time [one per core].")]
Options = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any option of the model; repeatable.")
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input, 3 failed computation, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no σ shall not end a run
            stream.reconfigure(errors="replace")
    if threading.current_thread() is threading.main_thread():  # what a job scheduler sends is an interruption too
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # typer's own handling of Ctrl-C
            complain("interrupted")
        return code if isinstance(code, int) else 0
    except DynaPhaseError as error:
        complain(str(error))
        return error.exit_code
    except _USAGE_ERROR as error:
        error.show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain(f"the output cannot be written: {error}")
        return 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from dynaphase import __version__

        typer.echo(f"dynaphase {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Which solid electrolyte should we make next? Simulate, learn, recommend."""


_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Base of typer's own errors; it has no public name, and depends on the click that typer brings."""

# --- campaign --------------------------------------------------------------------------------------------


@app.command()
def new(
    directory: Directory,
    preset: Annotated[
        str, typer.Option(help="demo: minutes; physical: half an hour; paper: 100 random compositions as printed.")
    ] = "demo",
    system: Annotated[str | None, typer.Option(help="Material system, or a table to copy (TABLE.toml).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
) -> None:
    """Make a campaign directory with a commented configuration."""
    from dynaphase.campaign import CONFIG_NAME, Campaign

    campaign = Campaign.create(directory, preset, system=system, seed=seed)
    config = campaign.config
    n = config.design.n_initial + config.design.n_held_out
    typer.echo(
        f"Made {directory / CONFIG_NAME}: {n} compositions to begin with, at most {config.stop.budget} simulations."
    )
    typer.echo(f"Run it with: dynaphase run {directory}")


@app.command()
def run(
    place: Annotated[Path, typer.Argument(metavar="CONFIG_OR_DIR", help="A campaign directory or its configuration.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Simulations at a time [default: one per core].")] = None,
    executor: Annotated[str, typer.Option(help="processes or serial.")] = "processes",
) -> None:
    """Start or resume a campaign; ends with recommendations and a report."""
    from dynaphase.campaign import Campaign
    from dynaphase.display_progress import campaign_progress
    from dynaphase.report import write_report

    campaign = Campaign.open(place)
    console = make_console()
    with campaign_progress(campaign, console) as observer:
        campaign.run(workers, executor, observer)
    report = write_report(campaign)
    print_conclusion(campaign, console)
    console.print(f"\nReport: {report}", highlight=False, soft_wrap=True)


@app.command()
def status(directory: Directory, as_json: Json = False) -> None:
    """Say where a campaign stands."""
    from dynaphase.campaign import Campaign

    state = Campaign.open(directory).status()
    if as_json:
        _print_json(state)
        return
    print_lines(describe_status(state, directory), make_console())


@app.command()
def predict(
    directory: Directory,
    formulas: Annotated[list[str], typer.Argument(metavar="FORMULA...", help="Compositions to predict.")],
    as_json: Json = False,
) -> None:
    """Predict S and σ of any compositions, with uncertainty, without simulating them."""
    from dynaphase.campaign import Campaign

    campaign = Campaign.open(directory)
    forecasts = campaign.predict(formulas)
    if as_json:
        _print_json([forecast.to_json() for forecast in forecasts])
        return
    print_forecasts(forecasts, make_console(), "Predictions", campaign.config.ceramic_grain_size_nm)


@app.command()
def suggest(
    directory: Directory,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    as_json: Json = False,
) -> None:
    """Recommend compositions: nearest to the best S and the best σ at once."""
    from dynaphase.campaign import Campaign

    campaign = Campaign.open(directory)
    recommendations = campaign.suggest(n)
    if as_json:
        _print_json([recommendation.to_json() for recommendation in recommendations])
        return
    print_recommendations(campaign, recommendations, make_console())


@app.command()
def report(
    directory: Directory,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="HTML file [default: DIR/report.html].")] = None,
) -> None:
    """Write the campaign's report: one self-contained HTML file."""
    from dynaphase.campaign import Campaign
    from dynaphase.report import write_report

    typer.echo(str(write_report(Campaign.open(directory), output)))


# --- single compositions ---------------------------------------------------------------------------------


@app.command()
def simulate(
    formula: Formula,
    model: Annotated[str, typer.Option(help="physical: furnace, lithium, interphase; paper: as printed.")] = "physical",
    stepping: Annotated[str | None, typer.Option(help="Of paper. exact: as printed; fast: adaptive.")] = None,
    fidelity: Annotated[str | None, typer.Option(help="Of physical: eikonal, 96, 128, 256 or 3d.")] = None,
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

    settings = _settings(model, option, stepping=stepping, fidelity=fidelity)
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
        _print_json(record_json(record))
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
        _print_json(found.to_json(0))
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
    fidelity: Annotated[str | None, typer.Option(help="Of physical: eikonal, 96, 128, 256 or 3d.")] = None,
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
    settings = _settings(model, option, fidelity=fidelity)
    n_draws = (0 if model == "paper" or "draw" in settings else 32) if draws is None else draws
    counts: dict[str, Any] = {"n_draws": n_draws, "n_seeds": seeds, "seed": seed}
    pool = make_workers(n_workers=workers)
    with progress_bar("simulating", is_shown=not as_json) as advance:
        found = evaluate_ensemble(
            formulas, model, **counts, system=system, settings=settings, workers=pool, on_progress=advance
        )
    comparisons = compare_all(found)
    if as_json:
        _print_json(
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
    settings, pool = _settings(model, option, fidelity=level), make_workers(n_workers=workers)
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
            _print_json({"formula": name, "first_order": {output: i.to_json() for output, i in indices.items()}})
        else:
            print_first_order(name, indices, make_console())
    elif as_json:
        _print_json(found.to_json())
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
        _print_json(_material_json(found, notes))
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


@app.command()
def pfhub(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="e.g. 1a; a wrong name lists what there is.")],
    n: Annotated[int | None, typer.Option("--n", min=8, help="Cells along the edge.")] = None,
    t_end: Annotated[float | None, typer.Option(help="End time.")] = None,
    tolerance: Annotated[float | None, typer.Option(help="Relative tolerance of one time step.")] = None,
    as_json: Json = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write a CSV file.")] = None,
) -> None:
    """Solve a PFHub benchmark problem; prints its columns as CSV.

    With -o, an interrupted run is kept in FILE.csv.checkpoint and the same command goes on from there.
    """
    from dynaphase.pfhub import run_problem
    from dynaphase.store import save_table

    with _kept_run(output) as kept, progress_bar(f"PFHub {problem}", is_shown=not as_json) as advance:
        result = run_problem(problem, n=n, t_end=t_end, tolerance=tolerance, on_progress=advance, **kept)
        written = []
        if output is not None:
            tables = {output: result.rows()}
            for line in result.cuts:
                cut = output.with_name(f"{output.stem}_{line.replace('=', '')}{output.suffix}")
                tables[cut] = result.cut_rows(line)
            for file, rows in tables.items():
                save_table(file, rows)
                written.append(f"{file}: {len(rows)} rows")
    if as_json:
        totals = {"total_cpu_seconds": result.cpu_seconds, "total_wall_seconds": result.wall_seconds}
        head = {"problem": result.problem, "settings": dict(result.settings), "checks": dict(result.checks)}
        columns = {name: column.tolist() for name, column in result.columns.items()}
        cuts = {line: {name: c.tolist() for name, c in cut.items()} for line, cut in result.cuts.items()}
        _print_json(head | totals | columns | ({"cuts": cuts} if cuts else {}))
    elif output is not None:
        written[0] += f", {result.cpu_seconds:.1f} s CPU"
        typer.echo("\n".join(written))
    else:
        rows = result.rows()
        typer.echo(",".join(result.columns))
        for row in rows:
            typer.echo(",".join(f"{value!r}" for value in row.values()))


@contextmanager
def _kept_run(output: Path | None) -> Iterator[dict[str, Any]]:
    """Arguments of ``run_problem`` that keep an unfinished run beside `output`; a finished one leaves nothing."""
    from dynaphase.pfhub import ForeignCheckpointError
    from dynaphase.store import load_checkpoint, save_checkpoint

    if output is None:
        yield {}
        return
    if output.is_dir():
        raise ConfigError(f"{output} is a folder; give a file in it, {output / 'result.csv'} for instance")
    if not output.parent.is_dir():  # before the work, not after it
        raise ConfigError(f"there is no folder {output.parent} to write {output.name} into; make it first")
    checkpoint = output.with_name(f"{output.name}.checkpoint")
    before = None
    if checkpoint.exists():
        before = load_checkpoint(checkpoint)
        typer.echo(f"Going on from {checkpoint}.", err=True)
    try:
        yield {"resume_from": before, "on_checkpoint": partial(save_checkpoint, checkpoint)}
    except ForeignCheckpointError as error:
        raise ConfigError(f"{checkpoint}: {error}; delete that file to start from the beginning") from None
    checkpoint.unlink(missing_ok=True)


# --- JSON ------------------------------------------------------------------------------------------------


def record_json(record: Record) -> dict[str, Any]:
    """A record under the names of ``dynaphase simulate --json``."""
    candidate = record.candidate
    return {
        "formula": record.formula,
        "composition": candidate.composition.fractions,
        "status": record.status.value,
        "reason": record.reason,
        "seed": candidate.seed,
        "system": candidate.system,
        "model": candidate.model,
        "settings": dict(candidate.settings),
        **record.values,
        "descriptors": dict(record.descriptors),
        "notes": list(record.notes),
        "key": record.key,
        "cpu_seconds": record.cpu_seconds,
        "wall_seconds": record.wall_seconds,
    }


def _material_json(found: Material, notes: Sequence[str]) -> dict[str, Any]:
    assemblage = found.assemblage
    return {
        "formula": found.formula,
        "system": found.system,
        "composition": found.composition.fractions,
        "temperature_K": found.temperature_K,
        "phases": dict(assemblage.volume_fractions),
        "phase_amounts": dict(assemblage.amounts),
        "host_coordinate": assemblage.host_coordinate,
        "charge_imbalance": assemblage.charge_imbalance,
        "parameters": {
            name: {
                "value": p.value,
                "unit": p.unit,
                "spread": str(p.spread),
                "status": p.status.value,
                "source": p.source,
            }
            for name, p in found.parameters.items()
        },
        "notes": list(notes),
    }


def _print_json(content: object) -> None:
    # NaN is no JSON: an undefined number is null.
    typer.echo(json.dumps(_finite(content), indent=2, ensure_ascii=False))


def _finite(content: Any) -> Any:
    match content:
        case float():
            return content if content - content == 0 else None
        case Mapping():
            return {key: _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case _:
            return content


def _settings(model: str, pairs: Sequence[str] | None, **named: str | None) -> dict[str, Any]:
    """Options of a model from ``--set`` and from options of their own."""
    settings = _options(pairs or [])
    for name, value in named.items():
        if value is None:
            continue
        owner = _OWNERS[name]
        if model != owner:
            raise ConfigError(f"--{name} belongs to the {owner} model; leave it out, or add --model {owner}")
        if name in settings:
            raise ConfigError(f"--set {name}=… says twice what --{name} says; use --{name} alone")
        settings[name] = value
    return settings


_OWNERS = {"stepping": "paper", "fidelity": "physical"}
"""Option → the model that has it."""


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs; values are read as TOML where that works, as text otherwise."""
    import tomllib

    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ConfigError(f"--set {pair}: write NAME=VALUE, for example --set reaction=bistable")
        try:
            content = tomllib.loads(f"value = {value}")
            if len(content) > 1:
                raise ConfigError(f"--set {pair!r} holds more than one line; write one --set for each option")
            options[name.strip()] = content["value"]
        except tomllib.TOMLDecodeError:
            options[name.strip()] = value.strip()
    return options


if __name__ == "__main__":
    sys.exit(main())
