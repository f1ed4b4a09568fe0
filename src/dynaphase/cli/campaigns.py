"""Commands of campaigns: make, run and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dynaphase.cli.application import app
from dynaphase.cli.arguments import Directory, Json
from dynaphase.cli.json_output import print_json
from dynaphase.display import (
    describe_status,
    make_console,
    print_conclusion,
    print_forecasts,
    print_lines,
    print_recommendations,
)

__all__ = ["new", "predict", "report", "run", "status", "suggest"]


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
        print_json(state)
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
        print_json([forecast.to_json() for forecast in forecasts])
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
        print_json([recommendation.to_json() for recommendation in recommendations])
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
