"""The figures that were wanted beforehand, what was measured, and whether it suffices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from decisions.games import REFINING, UNDER_FAILURES
from decisions.results import OURS

SIGMA: Final = "ionic_conductivity_S_per_cm"
S: Final = "stability_score"
NAMES: Final = {SIGMA: "log10 σ", S: "S"}
LEARNED: Final = "integrated-variance, phases"
"""Whose evaluations to an accuracy are quoted."""
LANDSCAPES: Final = ("neighbourhood", "simplex", "quaternary")

NRMSE: Final = {"neighbourhood": (0.03, 0.07), "simplex": (0.03, 0.09), "quaternary": (0.05, 0.10)}
"""Largest nRMSE of log10 σ and of S after 100 random and 60 chosen evaluations."""
LINE: Final = {"neighbourhood": (0.05, 0.7), "simplex": (0.15, 1.0)}
"""Largest rmse of log10 σ and of S on the stoichiometric line."""
LINE_BIAS: Final = 0.3
COVERAGE: Final = (0.87, 0.93)
COVERAGE_OF_A_STRATUM: Final = 0.80
NEEDED: Final = {(SIGMA, False): 30, (SIGMA, True): 30, (S, False): 25, (S, True): 60}
"""Most evaluations for the accuracy of 100 random ones with plain fractions: target, noisy → number."""
ACCELERATION: Final = {"neighbourhood": (20, 8), "simplex": (20, 8), "quaternary": (30, 20)}
"""Least acceleration without and with noise."""
FAILING_RATIO: Final = 1.1
RECOGNISED: Final = 0.9
CHOOSING: Final = (5.0, 1.5)
"""Most seconds and GB for a batch of 8 from 5,151."""

Document = Mapping[str, Any]


class Line(NamedTuple):
    """One figure."""

    what: str
    wanted: str
    measured: str
    is_reached: bool


def verdict(document: Document) -> list[Line]:
    """Every figure that this document can tell."""
    parts: tuple[Callable[[Document], Iterator[Line]], ...] = (
        _accuracy,
        _line,
        _coverage,
        _needed,
        _acceleration,
        _single_targets,
        _peers,
        _choosing,
        _failures,
    )
    return [line for part in parts for line in part(document)]


def _last(document: Document, name: str) -> Mapping[str, Any] | None:
    """Errors after all chosen evaluations, by stratum and target."""
    by_n = document["refined"].get(name, {}).get(REFINING)
    return None if not by_n else by_n[list(by_n)[-1]]


def _versions(names: tuple[str, ...] | Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for name in names:
        yield name, name, False
        yield name, f"{name}-noisy", True


def _accuracy(document: Document) -> Iterator[Line]:
    for name, label, _ in _versions(NRMSE):
        if (errors := _last(document, label)) is None:
            continue
        for target, bound in zip((SIGMA, S), NRMSE[name], strict=True):
            found = errors["fresh"][target]["nrmse"]
            what = f"{label}: nRMSE of {NAMES[target]} after 100 random + 60 chosen"
            yield Line(what, f"≤ {bound:g}", with_bounds(found, 3), found["median"] <= bound)


def _line(document: Document) -> Iterator[Line]:
    for name, label, _ in _versions(LINE):
        errors = (_last(document, label) or {}).get("line")
        if errors is None:
            continue
        for target, bound, unit in zip((SIGMA, S), LINE[name], (" decades", " points"), strict=True):
            found = errors[target]["rmse"]
            what = f"{label}: rmse of {NAMES[target]} on the stoichiometric line"
            yield Line(what, f"≤ {bound:g}{unit}", with_bounds(found), found["median"] <= bound)
        if name == "neighbourhood":
            found = errors[S]["bias"]
            yield Line(
                f"{label}: bias of S there",
                f"≤ {LINE_BIAS:g} points",
                with_bounds(found),
                abs(found["mean"]) <= LINE_BIAS,
            )


def _coverage(document: Document) -> Iterator[Line]:
    low, high = COVERAGE
    for _, label, _ in _versions(LANDSCAPES):
        if (errors := _last(document, label)) is None:
            continue
        for target in (SIGMA, S):
            found = errors["fresh"][target]["coverage_90"]
            what = f"{label}: coverage of the 90 % interval of {NAMES[target]}"
            yield Line(what, f"{low:g} … {high:g}", with_bounds(found, 3), low <= round(found["mean"], 3) <= high)
            worst = min((k for k in errors if k != "fresh"), key=lambda k: errors[k][target]["coverage_90"]["mean"])
            found = errors[worst][target]["coverage_90"]
            yield Line(
                f"{label}: the same in the worst stratum ({worst})",
                f"≥ {COVERAGE_OF_A_STRATUM:.2f}",
                with_bounds(found, 3),
                found["mean"] >= COVERAGE_OF_A_STRATUM,
            )


def _needed(document: Document) -> Iterator[Line]:
    for _, label, is_noisy in _versions(LANDSCAPES):
        found = document["simulations_to_accuracy"].get(label, {}).get(LEARNED)
        for target in (SIGMA, S) if found else ():
            entry, bound = found[target], NEEDED[target, is_noisy]
            reached = entry["median"] is not None and entry["median"] <= bound
            what = f"{label}: evaluations for the {NAMES[target]} of 100 random ones with plain fractions"
            yield Line(what, f"≤ {bound}", with_bounds(entry, 2), reached)


def _acceleration(document: Document) -> Iterator[Line]:
    for name, label, is_noisy in _versions(ACCELERATION):
        found = document["acceleration_factor"].get(label)
        if found is not None:
            bound = ACCELERATION[name][is_noisy]
            measured = f"{with_bounds(found)}; {found['reached']:.0%} of the campaigns arrive"
            yield Line(
                f"{label}: acceleration to 95 % of the best hypervolume",
                f"≥ {bound}",
                measured,
                found["median"] >= bound,
            )


def _single_targets(document: Document) -> Iterator[Line]:
    found = [
        (entry["acceleration"][OURS], f"{label}, {goal}")
        for label, goals in document["single_target"].items()
        for goal, entry in goals.items()
        if OURS in entry["acceleration"]
    ]
    if found:
        worst, where = min(found, key=lambda pair: pair[0]["median"])
        yield Line(
            f"acceleration for one target, the smallest of {len(found)} ({where})",
            "≥ 1",
            with_bounds(worst),
            worst["median"] >= 1,
        )


def _peers(document: Document) -> Iterator[Line]:
    for peer in ("optuna-tpe", "sklearn"):
        found = [
            (difference, f"{label} after {n}")
            for label, entry in document["search"].items()
            for n, difference in entry["ours_minus"].get(peer, {}).items()
        ]
        if found:
            worst, where = min(found, key=lambda pair: pair[0]["mean"])
            n_behind = sum(difference["interval_90"][1] < 0 for difference, _ in found)
            yield Line(
                f"share of the best hypervolume minus that of {peer}, the smallest of {len(found)} ({where})",
                "≥ 0",
                f"{with_bounds(worst)}; behind beyond its interval in {n_behind}",
                worst["mean"] >= 0,
            )


def _choosing(document: Document) -> Iterator[Line]:
    if document["choosing"]:
        seconds = max(entry["choose_cpu_seconds"] for entry in document["choosing"].values())
        memory = max(entry["peak_memory_GB"] for entry in document["choosing"].values())
        yield Line(
            "8 of 5,151 after 200 records, slowest acquisition",
            f"≤ {CHOOSING[0]:g} s and ≤ {CHOOSING[1]:g} GB",
            f"{seconds:.2g} s of CPU, {memory:.2g} GB",
            seconds <= CHOOSING[0] and memory <= CHOOSING[1],
        )


def _failures(document: Document) -> Iterator[Line]:
    for label, strategies in document["failures"].items():
        entry = strategies.get(UNDER_FAILURES)
        for target in entry["n_with"] if entry else ():
            pair = [entry[key][target]["median"] for key in ("n_with", "n_without")]
            what = f"{label}: {NAMES.get(target, target)} with 30 % failures, evaluations over those without"
            ratio = None if None in pair else pair[0] / pair[1]
            measured = "–" if ratio is None else f"{ratio:.2f} ({pair[0]:.0f} / {pair[1]:.0f})"
            yield Line(what, f"≤ {FAILING_RATIO:g}", measured, ratio is not None and ratio <= FAILING_RATIO)
        if entry:
            n, seen = list(entry["recognised"].items())[-1]
            yield Line(
                f"{label}: compositions whose failing is predicted rightly, after {n}",
                f"≥ {RECOGNISED:.0%}",
                with_bounds(seen, 3),
                seen["mean"] >= RECOGNISED,
            )


def number(value: float | None, digits: int = 2) -> str:
    """Three significant digits at most; what never happens is a dash."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 99.5 else f"{value:.{digits}g}"


def with_bounds(entry: Mapping[str, Any], digits: int = 2) -> str:
    """Value and its 90 % interval."""
    centre = entry["median"] if "median" in entry else entry["mean"]
    low, high = entry["interval_90"]
    return f"{number(centre, digits)} ({number(low, digits)} … {number(high, digits)})"
