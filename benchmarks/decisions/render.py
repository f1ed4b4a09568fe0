"""Results → figures and tables of ``docs/decisions.md``: no number of that page is typed by hand.

Whatever stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is replaced by what the results say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from decisions.verdict import number, verdict, with_bounds

PAGE: Final = Path(__file__).parents[2] / "docs" / "decisions.md"
HYPERVOLUME_FIGURE: Final = "decisions_hypervolume.png"
ACCURACY_FIGURE: Final = "decisions_accuracy.png"
COLOURS: Final = ("#000000", "#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7")
"""Okabe and Ito's, which the colour-blind can tell apart."""
BANDS: Final = ("random", "dynaphase")
"""Whose spread is drawn; those of all would hide each other."""
SHORT: Final = {
    "stability_score": "S",
    "ionic_conductivity_S_per_cm": "log10 σ",
    "critical_current_density_mA_per_cm2": "log10 CCD",
}

Document = Mapping[str, Any]


def render(results: Path, page: Path = PAGE) -> None:
    """Write the figures beside `page` and the tables into it."""
    document = json.loads(results.read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda m, make=make: m[1] + make(document) + m[2], text, flags=re.DOTALL)  # type: ignore[misc]
    page.write_text(text, encoding="utf-8")
    draw_hypervolumes(document, page.parent / HYPERVOLUME_FIGURE)
    draw_accuracies(document, page.parent / ACCURACY_FIGURE)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines) + "\n"


def factor(entry: Mapping[str, Any] | None, document: Document) -> str:
    """Acceleration; of campaigns that mostly did not arrive all that is known is that it is less than …"""
    if entry is None:
        return ""
    most = document["settings"]["most_searched"]
    return with_bounds(entry) if entry["n_needed"] is not None else f"< {number(entry['n_random'] / most)}"


def campaigns(document: Document) -> str:
    """Landscape × kind of game: number of seeds."""
    kinds = _union(document["campaigns"].values())
    rows = [[name, *(str(counts.get(kind, "")) for kind in kinds)] for name, counts in document["campaigns"].items()]
    return table(["landscape", *kinds], rows)


def verdicts(document: Document) -> str:
    """Figures wanted beforehand, measured, reached or not."""
    lines = verdict(document)
    rows = [[what, wanted, measured, "yes" if reached else "**no**"] for what, wanted, measured, reached in lines]
    return table(["what", "wanted", "measured", "reached?"], rows)


def accelerations(document: Document) -> str:
    """Landscape × strategy."""
    found = document["search"]
    strategies = _union(entry["acceleration"] for entry in found.values())
    rows = [
        [
            name,
            str(document["landscapes"][name]["n_pool"]),
            f"{entry['reference_percentile']:.0f}",
            number(entry["n_random"]),
            f"{number(entry['acceleration_of_an_oracle'])} (n = {entry['n_oracle']})",
            *(factor(entry["acceleration"].get(s), document) for s in strategies),
        ]
        for name, entry in found.items()
    ]
    return table(["landscape", "pool", "percentile", "random needs", "oracle", *strategies], rows)


def single_targets(document: Document) -> str:
    """Landscape and objective × strategy."""
    found = [(n, goal, e) for n, goals in document["single_target"].items() for goal, e in goals.items()]
    strategies = _union(entry["acceleration"] for _, _, entry in found)
    rows = [
        [
            name,
            SHORT.get(goal, goal),
            number(entry["n_random"]),
            number(entry["acceleration_of_an_oracle"]),
            *(factor(entry["acceleration"].get(s), document) for s in strategies),
        ]
        for name, goal, entry in found
    ]
    return table(["landscape", "target", "random needs", "oracle", *strategies], rows)


def equal_budgets(document: Document) -> str:
    """Our share of the best hypervolume minus a peer's, after equally many evaluations."""
    rows = []
    for name, found in document["search"].items():
        for peer, entry in found["ours_minus"].items():
            rows.append([name, peer, *(with_bounds(difference) for difference in entry.values())])
    budgets = _union(e for found in document["search"].values() for e in found["ours_minus"].values())
    return table(["landscape", "against", *(f"after {n}" for n in budgets)], rows)


def best_found(document: Document) -> str:
    """Enhancement factor and share of the best few after equally many evaluations, ours."""
    rows = []
    for name, entry in document["search"].items():
        for n, shares in entry["top_found"].get("dynaphase", {}).items():
            factor = entry["enhancement"]["dynaphase"].get(n)
            rows.append([name, n, with_bounds(factor) if factor else "–", *(with_bounds(s) for s in shares.values())])
    return table(["landscape", "evaluations", "enhancement factor", "of the best 1 %", "of the best 5 %"], rows)


def needed_for_accuracy(document: Document) -> str:
    """Landscape and target × strategy."""
    strategies = _union(entry for entry in document["simulations_to_accuracy"].values())
    rows = []
    for name, entry in document["simulations_to_accuracy"].items():
        for target in _union(entry.values()):
            cells = [with_bounds(entry[s][target]) if s in entry else "" for s in strategies]
            rows.append([name, SHORT.get(target, target), *cells])
    return table(["landscape", "target", *strategies], rows)


def refined(document: Document) -> str:
    """After 100 random evaluations, and after 60 chosen ones more by stratum: errors and coverage."""
    rows = []
    for name, strategies in document["refined"].items():
        for strategy, by_n in strategies.items():
            (n_random, whole), (n_all, strata) = (list(by_n.items())[k] for k in (0, -1))
            places = [(n_random, "fresh", whole["fresh"]), *((n_all, place, e) for place, e in strata.items())]
            for n, place, targets in places:
                for target, e in targets.items():
                    figures = [with_bounds(e[key]) for key in ("nrmse", "rmse", "bias", "coverage_90")]
                    rows.append([name, strategy, n, place, SHORT.get(target, target), *figures])
    return table(["landscape", "chosen by", "n", "where", "target", "nRMSE", "rmse", "bias", "coverage"], rows)


def truths(document: Document) -> str:
    """How well the truth is known, as an nRMSE, beside what predictions reach."""
    rows = []
    for name, landscape in document["landscapes"].items():
        by_n = next(iter(document["refined"].get(name, {}).values()), None)
        for stratum in ("fresh", "noisy") if by_n else ():
            for target, error in landscape["truth_nrmse"].get(stratum, {}).items():
                reached = list(by_n.values())[-1][stratum][target]["nrmse"]
                rows.append([name, stratum, SHORT.get(target, target), number(error), with_bounds(reached)])
    return table(["landscape", "where", "target", "standard error of the truth", "nRMSE after 100 + 60"], rows)


def failures(document: Document) -> str:
    """Evaluations with and without failures, and what is recognised."""
    rows = []
    for name, strategies in document["failures"].items():
        for strategy, entry in strategies.items():
            n, seen = list(entry["recognised"].items())[-1]
            part = entry["failing_recognised"][n]
            for target in entry["n_with"]:
                needed = [with_bounds(entry[key][target]) for key in ("n_without", "n_with")]
                rows.append(
                    [name, strategy, SHORT.get(target, target), *needed, n, with_bounds(seen), with_bounds(part)]
                )
    header = ["landscape", "strategy", "target", "without failures", "with", "after", "recognised", "of the failing"]
    return table(header, rows)


def choosing(document: Document) -> str:
    """Time and memory of one batch."""
    rows = [
        [
            name,
            *(number(e[key], 3) for key in ("fit_seconds", "choose_seconds", "choose_cpu_seconds", "peak_memory_GB")),
        ]
        for name, e in document["choosing"].items()
    ]
    return table(["acquisition", "fit, s", "choose 8, s", "of CPU, s", "peak memory, GB"], rows)


TABLES: Final[dict[str, Callable[[Document], str]]] = {
    "campaigns": campaigns,
    "verdict": verdicts,
    "acceleration": accelerations,
    "single targets": single_targets,
    "equal budgets": equal_budgets,
    "best found": best_found,
    "accuracy": needed_for_accuracy,
    "refined": refined,
    "truth": truths,
    "failures": failures,
    "choosing": choosing,
}
"""Mark in the page → what makes its table."""


def draw_hypervolumes(document: Document, path: Path) -> None:
    """Share of the best hypervolume against evaluations: mean over seeds; ours and random with their central 90 %."""
    panels = {name: found["hypervolume"] for name, found in document["search"].items()}
    figure, axes = _panels(len(panels), 3 if len(panels) % 3 == 0 else 4)
    colours = _colours(_union(panels.values()))
    for axis, (name, curves) in zip(axes, panels.items(), strict=False):
        for strategy, curve in curves.items():
            n = range(1, len(curve["mean"]) + 1)
            axis.plot(n, curve["mean"], color=colours[strategy], label=strategy)
            if strategy in BANDS:
                axis.fill_between(n, curve["low"], curve["high"], color=colours[strategy], alpha=0.15, linewidth=0)
        axis.axhline(document["settings"]["share"], color="grey", linewidth=0.6, linestyle=":")
        axis.set(title=name, xlabel="evaluations", xscale="log", ylim=(0, 1.02))
        axis.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
        axis.minorticks_off()
    figure.supylabel("share of the best hypervolume")
    _finish(figure, axes, colours, path)


def draw_accuracies(document: Document, path: Path) -> None:
    """Rmse over the range of the fresh compositions against evaluations: median over seeds and its 90 % interval."""
    panels = [(name, target) for name, s in document["accuracy"].items() for target in _targets(s)]
    figure, axes = _panels(len(panels))
    colours = _colours(_union(document["accuracy"].values()))
    for axis, (name, target) in zip(axes, panels, strict=False):
        for strategy, by_n in document["accuracy"][name].items():
            n = [int(k) for k in by_n]
            entries = [e["fresh"][target]["nrmse"] for e in by_n.values()]
            axis.plot(n, [e["median"] for e in entries], ".-", color=colours[strategy], label=strategy)
            bounds = zip(*(e["interval_90"] for e in entries), strict=True)
            axis.fill_between(n, *bounds, color=colours[strategy], alpha=0.15, linewidth=0)
        axis.set(title=f"{name}: {SHORT.get(target, target)}", xlabel="evaluations", ylabel="nRMSE", yscale="log")
    _finish(figure, axes, colours, path)


def _targets(strategies: Mapping[str, Any]) -> list[str]:
    return list(next(iter(next(iter(strategies.values())).values()))["fresh"])


def _union(mappings: Any) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _colours(names: Sequence[str]) -> dict[str, str]:
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def _panels(n: int, most: int = 4) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    n_columns = min(most, max(n, 1))
    n_rows = max(1, -(-n // n_columns))
    figure = Figure(figsize=(3.4 * n_columns, 2.7 * n_rows + 0.5), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False).ravel()


def _finish(figure: Any, axes: Any, colours: Mapping[str, str], path: Path) -> None:
    from matplotlib.lines import Line2D

    for axis in axes:
        if not axis.has_data():
            axis.set_axis_off()
    lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)
