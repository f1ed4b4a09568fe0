"""The command of the PFHub benchmark problems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dynaphase.cli.application import app
from dynaphase.cli.arguments import Json
from dynaphase.cli.json_output import print_json
from dynaphase.display import progress_bar
from dynaphase.errors import ConfigError

__all__ = ["pfhub"]


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
        print_json(head | totals | columns | ({"cuts": cuts} if cuts else {}))
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
