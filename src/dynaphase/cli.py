"""The command line: arguments in, one call of the Python interface, print.  No logic lives here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from dynaphase.errors import ConfigError, DynaPhaseError, unknown_choice

if TYPE_CHECKING:
    from rich.console import Console

    from dynaphase.campaign import Campaign, Observer
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
System = Annotated[str, typer.Option(help="Material system.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input, 3 failed computation, 130 interrupted."""
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except DynaPhaseError as error:
        _complain(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# --- campaign --------------------------------------------------------------------------------------------


@app.command()
def new(
    directory: Directory,
    preset: Annotated[str, typer.Option(help="demo: minutes; paper: 100 random compositions as printed.")] = "demo",
    system: Annotated[str | None, typer.Option(help="Material system.")] = None,
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
    workers: Annotated[int | None, typer.Option(help="Simulations at a time [default: one per core].")] = None,
    executor: Annotated[str, typer.Option(help="processes or serial.")] = "processes",
) -> None:
    """Start or resume a campaign; ends with recommendations and a report."""
    from dynaphase.campaign import Campaign
    from dynaphase.report import write_report

    campaign = Campaign.open(place)
    console = _console()
    with _progress(campaign, console) as observer:
        campaign.run(workers, executor, observer)
    report = write_report(campaign)
    _print_conclusion(campaign, console)
    console.print(f"\nReport: {report}", highlight=False, soft_wrap=True)


@app.command()
def status(directory: Directory, as_json: Json = False) -> None:
    """Say where a campaign stands."""
    from dynaphase.campaign import Campaign

    state = Campaign.open(directory).status()
    if as_json:
        _print_json(state)
        return
    for line in _describe_status(state):
        typer.echo(line)


@app.command()
def predict(
    directory: Directory,
    formulas: Annotated[list[str], typer.Argument(metavar="FORMULA...", help="Compositions to predict.")],
    as_json: Json = False,
) -> None:
    """Predict S and σ of any compositions, with uncertainty, without simulating them."""
    from dynaphase.campaign import Campaign

    forecasts = Campaign.open(directory).predict(formulas)
    if as_json:
        _print_json([forecast.to_json() for forecast in forecasts])
        return
    _print_forecasts(forecasts, _console(), "Predictions")


@app.command()
def suggest(
    directory: Directory,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    as_json: Json = False,
) -> None:
    """Recommend compositions: the predicted trade-off between S and σ."""
    from dynaphase.campaign import Campaign

    recommendations = Campaign.open(directory).suggest(n)
    if as_json:
        _print_json([recommendation.to_json() for recommendation in recommendations])
        return
    _print_forecasts(recommendations, _console(), "Recommended compositions")


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
    model: Annotated[str, typer.Option(help="Phase-field model.")] = "paper",
    stepping: Annotated[str, typer.Option(help="exact: as printed; fast: adaptive, same equations.")] = "fast",
    fidelity: Annotated[str | None, typer.Option(help="Level of detail (none to choose from yet).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the microstructure.")] = 0,
    draws: Annotated[int | None, typer.Option(help="Parameter draws (not available yet).")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any option of the model; repeatable."),
    ] = None,
    system: System = "lagp",
    as_json: Json = False,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the record and its fields there.")] = None,
) -> None:
    """Simulate one composition: microstructure, degradation, S and σ."""
    if fidelity is not None:
        raise unknown_choice("fidelity", fidelity, ["none yet: the paper model has one level, see --stepping"])
    if draws is not None:
        raise ConfigError("--draws is not available for the paper model; leave it out to use the median parameters")
    from dynaphase.evaluation import evaluate
    from dynaphase.store import save_run

    settings = {"stepping": stepping} | _options(option or [])
    with _bar("simulating", is_shown=not as_json) as advance:
        record = evaluate(formula, model=model, seed=seed, system=system, settings=settings, on_progress=advance)
    if save is not None:
        save_run(save, record)
    if as_json:
        _print_json(record_json(record))
    else:
        _print_record(record, _console())
    if not record.is_done:
        raise typer.Exit(3)


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
        _print_material(found, notes, _console())


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


# --- text ------------------------------------------------------------------------------------------------


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _complain(message: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]Error:[/] {_plain(message)}")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs; values are read as TOML where that works, as text otherwise."""
    import tomllib

    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ConfigError(f"--set {pair}: write NAME=VALUE, for example --set reaction=bistable")
        try:
            options[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            options[name.strip()] = value.strip()
    return options


def _print_record(record: Record, console: Console) -> None:
    from rich.table import Table

    if not record.is_done:
        console.print(f"[bold]{_plain(record.formula)}[/]: failed. {_plain(record.reason or '')}")
        return
    table = Table(title=f"{record.formula}  ({record.candidate.model} model, seed {record.candidate.seed})")
    table.add_column("result")
    table.add_column("value", justify="right")
    for name, value in (record.values | record.descriptors).items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    for note in record.notes:
        console.print(f"note: {_plain(note)}")
    console.print(f"{record.cpu_seconds:.2f} s CPU")


def _print_material(found: Material, notes: Sequence[str], console: Console) -> None:
    from rich.table import Table

    phases = Table(title=f"{found.formula} at {found.temperature_K:g} K: phases")
    phases.add_column("phase")
    phases.add_column("volume fraction", justify="right")
    for phase, fraction in sorted(found.assemblage.volume_fractions.items(), key=lambda item: -item[1]):
        phases.add_row(phase, f"{fraction:.4f}")
    console.print(phases)
    table = Table(title="parameters")
    for column in ("name", "value", "unit", "spread", "status", "source"):
        table.add_column(column, justify="right" if column == "value" else "left", overflow="fold")
    for name, p in found.parameters.items():
        table.add_row(name, f"{p.value:.4g}", p.unit, str(p.spread), p.status.value, _plain(p.source))
    console.print(table)
    for note in notes:
        console.print(f"note: {_plain(note)}")


def _describe_status(state: Mapping[str, Any]) -> list[str]:
    reason = state["stopped_because"]
    now = f"running, {state['n_running']} to go" if state["n_running"] else "not running"
    lines = [
        f"{state['n_records']} records ({state['n_failed']} failed) of {state['n_planned']} planned, "
        f"round {state['round']}, model {state['model']} ({state['stepping']} stepping)",
        f"stopped because: {reason}" if reason else now,
    ]
    lines += [
        f"{target}: r = {a['r']:.3f}, nRMSE = {a['nrmse']:.3f} on {a['n_held_out']} held-out compositions"
        for target, a in state["accuracy"].items()
    ]
    return lines


def _print_forecasts(forecasts: Sequence[Any], console: Console, title: str) -> None:
    from rich.table import Table

    table = Table(title=title)
    table.add_column("composition", overflow="fold")
    for column in ("S", "90 %", "σ box (S/cm)", "90 %", "σ ceramic (S/cm)"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("note" if title == "Predictions" else "why", overflow="fold")
    for item in forecasts:
        s, box, ceramic = item.predictions.values()
        table.add_row(
            item.formula,
            f"{s['mean']:.1f} ± {s['std']:.1f}",
            "{:.1f}–{:.1f}".format(*s["interval_90"]),
            f"{box['mean']:.2e}",
            "{:.1e}–{:.1e}".format(*box["interval_90"]),
            f"{ceramic['mean']:.2e}",
            item.reason,
        )
    console.print(table)


def _print_conclusion(campaign: Campaign, console: Console) -> None:
    for line in _describe_status(campaign.status()):
        console.print(line)
    console.print()
    _print_forecasts(campaign.suggest(5), console, "Recommended compositions")


@contextmanager
def _bar(text: str, *, is_shown: bool) -> Iterator[Any]:
    """A progress bar on standard error for one long computation; yields ``advance(fraction)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as progress:
        task = progress.add_task(text, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)


@contextmanager
def _progress(campaign: Campaign, console: Console) -> Iterator[Observer]:
    """A progress display for a campaign: one bar a round, one line an assessment."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from dynaphase.campaign import Observer
    from dynaphase.rounds import Plan, StopReason

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:

        class Display(Observer):
            task: Any = None

            def planned(self, plan: Plan, n_open: int, n_total: int) -> None:
                name = "random compositions" if plan.number == 0 else f"round {plan.number}: chosen by uncertainty"
                self.task = progress.add_task(name, total=n_total, completed=n_total - n_open)

            def finished(self, record: Record) -> None:
                progress.advance(self.task)
                if not record.is_done:
                    progress.console.print(f"  failed: {_plain(record.formula)}: {_plain(record.reason or '')}")

            def assessed(self, assessment: Mapping[str, Any]) -> None:
                text = ", ".join(
                    f"{name.split('_')[0]} r = {a['r']:.3f} nRMSE = {a['nrmse']:.3f}"
                    for name, a in assessment["accuracy"].items()
                )
                progress.console.print(f"  {assessment['n_training']} compositions learned; held-out: {text}")

            def stopped(self, reason: StopReason) -> None:
                progress.console.print(f"  stopped because: {reason.value}")

        yield Display()


if __name__ == "__main__":
    sys.exit(main())
