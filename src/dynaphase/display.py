"""What the command line shows: tables, progress bars, messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from dynaphase.campaign import Campaign
    from dynaphase.materials.base import Material
    from dynaphase.recommend import Forecast
    from dynaphase.records import Record


_STATUS_STYLES = {"measured": "green", "derived": "blue", "quoted": "yellow", "closure": "red"}


_COLUMNS: dict[str, tuple[str, str, str]] = {
    "stability_score": ("S", ".1f", "S from 0 to 100"),
    "ionic_conductivity_S_per_cm": ("σ box", ".1e", "σ box: the simulated box, S/cm"),
    "ceramic_conductivity_S_per_cm": ("σ ceramic", ".1e", "σ ceramic: of {:g} µm grains, S/cm"),
    "critical_current_density_mA_per_cm2": ("CCD", ".2f", "CCD: critical current density, mA/cm²"),
}
"""Predicted quantities: column, format, meaning."""

_TRADED = ("stability_score", "ceramic_conductivity_S_per_cm")

STRATA: dict[str, str] = {
    "all": "all over the region",
    "line": "on the stoichiometric line",
    "off_line": "off the line",
    "edge": "at the edge",
    "noisy": "where replicates scatter most",
}
"""Parts of the held-out set in words."""

N_REASONS = 5
"""Most reasons of failures that are shown."""


def make_console() -> Console:
    """Where results go: standard output."""
    from rich.console import Console

    return Console(highlight=False)


def complain(message: str) -> None:
    """One error message on standard error."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]Error:[/] {plain(message)}")


def plain(text: str) -> str:
    """Text with nothing in it that rich would take for markup."""
    from rich.markup import escape

    return escape(text)


def print_record(record: Record, console: Console) -> None:
    """Results of one simulation."""
    from rich.table import Table

    if not record.is_done:
        console.print(f"[bold]{plain(record.formula)}[/]: failed. {plain(record.reason or '')}")
        return
    draw = record.candidate.settings.get("draw", 0)
    which = f"seed {record.candidate.seed}" + (f", draw {draw}" if draw else "")
    table = Table(title=f"{record.formula}  ({record.candidate.model} model, {which})")
    table.add_column("result")
    table.add_column("value", justify="right")
    for name, value in {**record.values, **record.descriptors}.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    for note in record.notes:
        console.print(f"note: {plain(note)}")
    console.print(f"{record.cpu_seconds:.2f} s CPU")


def print_material(found: Material, notes: Sequence[str], console: Console) -> None:
    """Phases and parameters; what a parameter rests on stands below it."""
    from rich.padding import Padding

    console.print(f"[bold]{plain(found.formula)}[/] at {found.temperature_K:g} K")
    console.print("\n[bold]phases[/] (volume fraction)")
    for phase, fraction in sorted(found.assemblage.volume_fractions.items(), key=lambda item: -item[1]):
        console.print(f"  {phase:12} {fraction:8.4f}")
    console.print("\n[bold]parameters[/]")
    for name, p in found.parameters.items():
        unit = "" if p.unit == "1" else f" {p.unit}"
        value = f"{p.value:.4g}{unit}" + ("" if str(p.spread) == "exact" else f"  {p.spread}")
        console.print(f"  {name:40} {value}  [{_STATUS_STYLES.get(p.status.value, 'default')}]{p.status.value}[/]")
        console.print(Padding(f"[dim]{plain(p.source)}[/]", (0, 0, 0, 6)))
    console.print()
    for note in notes:
        console.print(f"note: {plain(note)}")


def print_lines(lines: Sequence[str], console: Console, indent: int = 2) -> None:
    """Lines of text; on a terminal those that are too long go on below, `indent` deeper, and never within a word."""
    from textwrap import wrap

    for line in lines:
        begin = len(line) - len(line.lstrip())
        parts = [line]
        if console.is_terminal:  # whoever reads a file or a pipe wants the lines as they are
            parts = wrap(
                line,
                console.width,
                subsequent_indent=" " * (begin + indent),
                break_on_hyphens=False,
                break_long_words=False,
                drop_whitespace=True,
            )
        for part in parts or [""]:
            console.print(part, markup=False, soft_wrap=True)


def describe_status(state: Mapping[str, Any], directory: Path | None = None) -> list[str]:
    """Where a campaign stands, in lines of text; `directory` is what the command to go on names."""
    from dynaphase.failures import describe_failures

    lines = [
        f"{state['n_records']} records ({state['n_failed']} failed) of {state['n_planned']} planned, "
        f"round {state['round']}",
        f"model {state['model']}, {_level(state)}",
        *_how_it_goes(state, directory),
    ]
    failures = list(state["failures"].items())
    lines += [f"failed {n} times: {why}" for why, n in failures[:N_REASONS]]
    lines += describe_failures(state.get("failing", {}))
    lines += [f"{n} simulations ended early, far behind the best" for n in [state.get("n_stopped_early", 0)] if n]
    n_others = sum(n for _, n in failures[N_REASONS:])
    lines += [f"failed {n_others} times for {len(failures) - N_REASONS} other reasons"] if n_others else []
    lines += [
        f"{symbol}: r = {a['r']:.3f}, nRMSE = {a['nrmse']:.3f} on {a['n_held_out']} held-out compositions"
        for symbol, a in zip("Sσ", state["accuracy"].values(), strict=False)
    ]
    lines += _low_coverage(state.get("coverage", {}))
    if state.get("n_drawn"):
        lines.append(f"{state['n_drawn']} further simulations under draws of the uncertain parameters")
    return lines + describe_savings(state.get("saved", []))


def _how_it_goes(state: Mapping[str, Any], directory: Path | None) -> list[str]:
    """Whether it runs or why it does not, what is open, and how to go on."""
    from shlex import quote

    reason, still_open = state["stopped_because"], _what_is_open(state)
    go_on = f"'dynaphase run {'DIR' if directory is None else quote(str(directory))}'"
    if state["is_running"]:
        return [f"running: {still_open}" if still_open else "running: all that was asked for is recorded; learning"]
    if reason and reason != "interrupted":
        again = [f"{still_open}: no result yet; {go_on} tries again"] if still_open else []
        return [why_stopped(reason, state.get("stopped_in_words")), *again]
    if not state["n_planned"]:
        return [f"not begun; start it with {go_on}"]
    return [
        why_stopped(reason, None) if reason else "not running and not finished: it was ended from outside",
        f"{still_open or 'all that was asked for is recorded'}; go on with {go_on}",
    ]


def _what_is_open(state: Mapping[str, Any]) -> str:
    """What was asked for and has no record; empty if nothing is."""
    n, n_compositions, n_draws = state["n_open"], state["n_open_compositions"], state["n_open_draws"]
    parts = [f"{_count(n, 'simulation')} of {_count(n_compositions, 'composition')}"] if n else []
    parts += [f"{_count(n_draws, 'simulation')} under draws of the uncertain parameters"] if n_draws else []
    return f"{' and '.join(parts)} open" if parts else ""


def _count(n: int, name: str) -> str:
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def why_stopped(reason: str, words: str | None) -> str:
    """One of the four reasons, and its figures in words."""
    return f"stopped because: {reason}" + (f": {words}" if words else "")


def _low_coverage(coverage: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Where 90 % intervals hold significantly less."""
    return [
        f"{_COLUMNS[name][0]}: the 90 % intervals hold {100 * c['share']:.0f} % of {c['n']} held-out values, "
        f"{STRATA[stratum]}: too few"
        for name, by_stratum in coverage.items()
        for stratum, c in by_stratum.items()
        if c["interval_95"][1] < 0.9 and name in _COLUMNS
    ]


def describe_savings(savings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What random search would have needed, one line a question below a heading."""
    lines = ["random search would have needed, in compositions"] if savings else []
    for s in savings:
        is_optimum = s["target"] == "optimum"
        what = "  for compositions as good" if is_optimum else f"  for the accuracy of {_COLUMNS[s['target']][0]}"
        if s["ratio"] is None:
            lines.append(f"{what}: cannot be said: {s['note']}")
            continue
        counted = "asked for" if is_optimum else "learned from"
        lines.append(f"{what}: {in_times(s)} the {s['n_campaign']} {counted}")
    return lines


def in_times(saving: Mapping[str, Any]) -> str:
    """A ratio with its 90 % interval, as ×4.2 (2.9–6.0)."""
    low, high = saving["ratio_interval_90"]
    if saving["is_bound"]:
        return f"more than ×{saving['ratio']:.1f} (at least {low:.1f})"
    return f"×{saving['ratio']:.1f} ({low:.1f}–{high:.1f}{' or more' if saving['has_open_end'] else ''})"


def _level(state: Mapping[str, Any]) -> str:
    return f"fidelity {state['fidelity']}" if "fidelity" in state else f"{state['stepping']} stepping"


def print_forecasts(
    forecasts: Sequence[Forecast],
    console: Console,
    title: str,
    grain_size_nm: float = 1000.0,
    *,
    with_current: bool = False,
) -> None:
    """A table of predictions that fits 80 columns, and below it why each composition is there.

    `with_current` says that the critical current density counts for the Pareto front.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("composition", overflow="fold")  # a long formula gives way, numbers do not
    shown = [name for name in _COLUMNS if any(name in item.predictions for item in forecasts)]
    for name in shown:
        table.add_column(_COLUMNS[name][0], justify="right", no_wrap=True)
    for number, item in enumerate(forecasts, start=1):
        table.add_row(str(number), item.formula, *(_with_interval(item.predictions[name], name) for name in shown))
    console.print(table)
    meanings = "; ".join(_COLUMNS[name][2].format(grain_size_nm / 1000) for name in shown)
    print_lines([f"{meanings}. Intervals: 90 %."], console, indent=0)
    for number, item in enumerate(forecasts, start=1):
        parts = [item.reason] if item.reason else []
        if item.simulated:
            known = [name for name in shown if name in item.simulated]  # not all of them of a run that was stopped
            values = (f"{_COLUMNS[name][0]} {item.simulated[name]:{_COLUMNS[name][1]}}" for name in known)
            parts.append(f"simulated: {', '.join(values)}")
        if parts:
            print_lines([f"{number}: {'; '.join(parts)}"], console, indent=3)
    _print_probabilities(forecasts, console, with_current=with_current)


def _print_probabilities(forecasts: Sequence[Forecast], console: Console, *, with_current: bool) -> None:
    """How sure the recommendations are, in a table of its own."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if all(item.probability_pareto is None for item in forecasts):
        return
    table = Table(title="\nHow sure", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    has_draws = any(item.robust_to_draws for item in forecasts)
    heads = ["on the front", "better in S", "in σ ceramic", "in both", *(["in both, draws"] if has_draws else [])]
    table.add_column("", justify="right", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for number, item in enumerate(forecasts, start=1):
        beats = item.probability_beats_reference or {}
        cells = [item.probability_pareto, *(beats.get(name) for name in (*_TRADED, "both"))]
        drawn = item.robust_to_draws["both"] if item.robust_to_draws else None
        shares = [_probability(p) for p in cells]
        if has_draws:
            shares.append(_probability(drawn["probability"], drawn["interval_90"]) if drawn else "–")
        table.add_row(str(number), *shares)
    console.print(table)
    front = "S, σ ceramic and CCD" if with_current else "S and σ ceramic"
    lines = [
        f"Probabilities, by the surrogate: that nothing clearly different is better in {front}; that it is better than "
        "the reference composition."
    ]
    if has_draws:
        n = next(item.robust_to_draws["n_draws"] for item in forecasts if item.robust_to_draws)
        lines.append(f"Draws: share of {n} draws of the uncertain parameters, simulated (90 % interval).")
    print_lines(lines, console, indent=0)


def _probability(p: float | None, interval: Sequence[float] | None = None) -> str:
    if p is None:
        return "–"
    text = "<1 %" if p < 0.01 else ">99 %" if p > 0.99 else f"{100 * p:.0f} %"
    return text if interval is None else f"{100 * p:.0f} % ({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"


def _with_interval(prediction: Mapping[str, Any], name: str) -> str:
    """Centre, and below it half the width of the 90 % interval, or the factor up and down to its ends."""
    (low, high), centre = prediction["interval_90"], f"{prediction['mean']:{_COLUMNS[name][1]}}"
    if "log10_mean" in prediction:
        return f"{centre}\n×/÷{(high / low) ** 0.5:.2f}"
    return f"{centre}\n± {(high - low) / 2:.1f}"


def print_conclusion(campaign: Campaign, console: Console) -> None:
    """What a finished campaign ends with."""
    print_lines(describe_status(campaign.status(), campaign.directory), console)
    console.print()
    print_recommendations(campaign, campaign.suggest(5), console)


def print_recommendations(campaign: Campaign, recommendations: Sequence[Forecast], console: Console) -> None:
    """What a campaign recommends, in the words of its configuration."""
    config = campaign.config
    print_forecasts(
        recommendations,
        console,
        "Recommended compositions",
        config.ceramic_grain_size_nm,
        with_current=config.conclude.pareto_with_current,
    )


@contextmanager
def progress_bar(text: str, *, is_shown: bool) -> Iterator[Any]:
    """A progress bar on standard error for one long computation; yields ``advance(fraction)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as progress:
        task = progress.add_task(text, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)
