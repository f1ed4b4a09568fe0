"""Many games → one JSON document; every figure with its interval over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from decisions.games import (
    ABLATIONS,
    FAILING_SHARE,
    N_RANDOM,
    PARETO,
    REFERENCE,
    Game,
    Source,
    goal_inputs,
    inputs_of,
    needs_of,
    yardstick_of,
)
from decisions.landscape import FloatArray, describe
from decisions.measures import (
    PERCENTILE,
    SHARE,
    acceleration,
    first_below,
    mean_with_interval,
    needed_with_interval,
    with_interval,
)
from decisions.play import MOST_SEARCHED

N_CURVE: Final = MOST_SEARCHED
"""Hypervolumes are shown up to so many evaluations."""
BUDGETS: Final = (10, 20)
"""Where strategies are compared at equal budget, and the best found is counted."""
OURS: Final = "dynaphase"

Played = Mapping[str, Mapping[str, Any]]


def summarise(sources: Sequence[Source], games: Sequence[Game], played: Played) -> dict[str, Any]:
    """The document, key by key; see `docs/decisions.md`."""
    document: dict[str, Any] = {
        "settings": {
            "share": SHARE,
            "percentile": PERCENTILE,
            "most_searched": MOST_SEARCHED,
            "n_seeds": 1 + max(game.seed for game in games if game.key in played),
        },
        "landscapes": {},
        "campaigns": {},
        "acceleration_factor": {},
        "search": {},
        "single_target": {},
        "accuracy": {},
        "simulations_to_accuracy": {},
        "refined": {},
        "failures": {},
    }
    for source in sources:
        mine = [game for game in games if game.source == source and game.key in played]
        if not mine:
            continue
        name = source.label
        document["landscapes"][name] = describe(inputs_of(source).landscape)
        if source.is_table:
            document["landscapes"][name]["truth_nrmse"] = truth_errors(source)
        document["campaigns"][name] = counted(mine)
        searched = search_results(source, mine, played)
        document["search"][name] = searched[PARETO]
        document["single_target"][name] = {goal: found for goal, found in searched.items() if goal != PARETO}
        if OURS in searched[PARETO]["acceleration"]:
            document["acceleration_factor"][name] = searched[PARETO]["acceleration"][OURS]
        spans = spans_of(source)
        found = {
            "accuracy": accuracy_results("learn", mine, played, spans),
            "simulations_to_accuracy": simulations_to_accuracy(mine, played),
            "refined": accuracy_results("refine", mine, played, spans),
            "failures": failure_results(mine, played),
        }
        for key, result in found.items():
            if result:
                document[key][name] = result
    return document


def counted(games: Sequence[Game]) -> dict[str, int]:
    """How many campaigns each figure rests on: kind of game → number of seeds, the least over strategies."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    for game in games:
        detail = " of parts" if game.strategy in ABLATIONS else "" if game.goal == PARETO else " for one target"
        each = found.setdefault(game.kind + detail, {})
        each[game.strategy, game.goal] = each.get((game.strategy, game.goal), 0) + 1
    return {kind: min(each.values()) for kind, each in found.items()}


def search_results(source: Source, games: Sequence[Game], played: Played) -> dict[str, Any]:
    """Goal → acceleration, enhancement, share of the best, curves, comparison at equal budget."""
    found = {}
    for goal in dict.fromkeys(game.goal for game in games if game.kind == "search"):
        yardstick = yardstick_of(source, goal)
        by_strategy: dict[str, list[list[int]]] = {}
        seeds: dict[str, list[int]] = {}
        for game in games:
            if game.kind == "search" and game.goal == goal:
                by_strategy.setdefault(game.strategy, []).append(list(played[game.key]["order"]))
                seeds.setdefault(game.strategy, []).append(game.seed)
        curves = {s: np.array([padded(yardstick.curve(o)) for o in orders]) for s, orders in by_strategy.items()}
        random = yardstick.random_curves[:, : min(N_CURVE, yardstick.random_curves.shape[1])]
        found[goal] = {
            "reference_percentile": yardstick.percentile_used,
            "n_random": float(np.median(yardstick.random_needs)),
            "n_oracle": len(yardstick.oracle),
            "acceleration_of_an_oracle": float(np.median(yardstick.random_needs)) / len(yardstick.oracle),
            "acceleration": {
                s: acceleration(yardstick.random_needs, needs_of(map(yardstick.curve, orders)))
                for s, orders in by_strategy.items()
            },
            "enhancement": {s: enhancement(c, random) for s, c in curves.items()},
            "top_found": {s: top_found(yardstick, orders) for s, orders in by_strategy.items()},
            "hypervolume": {"random": curve_of(random), **{s: curve_of(c) for s, c in curves.items()}},
            "ours_minus": {
                s: difference(curves[OURS], seeds[OURS], c, seeds[s])
                for s, c in curves.items()
                if s != OURS and OURS in curves
            },
        }
    return found


def difference(
    ours: FloatArray, our_seeds: Sequence[int], theirs: FloatArray, their_seeds: Sequence[int]
) -> dict[str, Any]:
    """Our share of the best hypervolume minus theirs at each budget, seed by seed where both have played."""
    both = [(our_seeds.index(seed), k) for k, seed in enumerate(their_seeds) if seed in our_seeds]
    mine, yours = (list(rows) for rows in zip(*both, strict=True))
    return {str(n): mean_with_interval(ours[mine, n - 1] - theirs[yours, n - 1]) for n in BUDGETS}


def padded(curve: FloatArray) -> FloatArray:
    """The first `N_CURVE` steps; a search that ended keeps what it had."""
    return np.append(curve[:N_CURVE], np.full(max(0, N_CURVE - len(curve)), curve[-1]))


def curve_of(curves: FloatArray) -> dict[str, Any]:
    """Mean over seeds after each evaluation, and the central 90 % of the seeds."""
    low, high = np.quantile(curves, [0.05, 0.95], axis=0)
    rounded = {"mean": curves.mean(axis=0), "low": low, "high": high}
    return {key: [round(float(v), 4) for v in values] for key, values in rounded.items()}


def enhancement(curves: FloatArray, random: FloatArray) -> dict[str, Any]:
    """Hypervolume over that of random search, at each budget."""
    return {
        str(n): mean_with_interval(curves[:, n - 1] / float(random[:, n - 1].mean()))
        for n in BUDGETS
        if n <= random.shape[1] and random[:, n - 1].mean() > 0
    }


def top_found(yardstick: Any, orders: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Share of the best 1 % and 5 % of the pool among the first evaluations."""
    return {
        str(n): {
            f"top_{percent}": mean_with_interval(
                [float(np.isin(yardstick.top(percent), order[:n]).mean()) for order in orders]
            )
            for percent in (1, 5)
        }
        for n in BUDGETS
    }


def spans_of(source: Source) -> dict[str, float]:
    """Range of the truth at the fresh compositions, by target: what an rmse is divided by."""
    landscape = goal_inputs(source, PARETO).landscape
    judge = landscape.judges["fresh"]
    truth = judge.z[judge.is_done]
    return {o.name: float(np.ptp(o.score(truth[:, t]))) for t, o in enumerate(landscape.objectives)}


def truth_errors(source: Source) -> dict[str, dict[str, float]]:
    """Judge or stratum → target → standard error of the truth over its range: no prediction can be measured below."""
    landscape, spans = goal_inputs(source, PARETO).landscape, spans_of(source)
    found = {}
    for place, judge in landscape.judges.items():
        for name, mask in {place: judge.is_done, **judge.strata}.items():
            variance = judge.variance[mask & judge.is_done]
            found[name] = {
                o.name: float(np.sqrt(variance[:, t].mean())) / spans[o.name]
                for t, o in enumerate(landscape.objectives)
                if o.target.transform.in_decades and len(variance)
            }
    return {name: errors for name, errors in found.items() if errors}


def accuracy_results(kind: str, games: Sequence[Game], played: Played, spans: Mapping[str, float]) -> dict[str, Any]:
    """Strategy → number of evaluations → judge or stratum → target → errors, each with its interval."""
    found: dict[str, Any] = {}
    for strategy, runs in _runs(kind, games, played).items():
        for k, n in enumerate(checkpoint["n"] for checkpoint in runs[0]):
            errors = [run[k]["errors"] for run in runs]
            found.setdefault(strategy, {})[str(n)] = {
                place: {target: _errors(errors, place, target, span) for target, span in spans.items()}
                for place in errors[0]
            }
    return found


def _errors(errors: Sequence[Mapping[str, Any]], place: str, target: str, span: float) -> dict[str, Any]:
    columns = {name: np.array([e[place][target][name] for e in errors]) for name in ("rmse", "bias", "coverage_90")}
    return {
        "nrmse": with_interval(columns["rmse"] / span),
        "rmse": with_interval(columns["rmse"]),
        "bias": mean_with_interval(columns["bias"]),
        "coverage_90": mean_with_interval(columns["coverage_90"]),
    }


def simulations_to_accuracy(games: Sequence[Game], played: Played) -> dict[str, Any]:
    """Strategy → target → evaluations until the median error of 100 random ones with plain fractions."""
    runs = _runs("learn", games, played)
    if REFERENCE not in runs:
        return {}
    wanted = {
        target: float(np.median([run[-1]["errors"]["fresh"][target]["rmse"] for run in runs[REFERENCE]]))
        for target in runs[REFERENCE][0][-1]["errors"]["fresh"]
    }
    found: dict[str, Any] = {}
    for strategy, played_runs in runs.items():
        for target, error in wanted.items():
            needed = [
                first_below([c["n"] for c in run], [c["errors"]["fresh"][target]["rmse"] for c in run], error)
                for run in played_runs
            ]
            found.setdefault(strategy, {})[target] = needed_with_interval(needed) | {
                "rmse": error,
                "n_random": N_RANDOM[-1],
            }
    return found


def failure_results(games: Sequence[Game], played: Played) -> dict[str, Any]:
    """Evaluations with 30 % failures over those without, for the accuracy that the latter have after 60."""
    found: dict[str, Any] = {}
    failing, whole = _runs("fail", games, played), _runs("whole", games, played)
    for strategy, runs in failing.items():
        k = [checkpoint["n"] for checkpoint in whole[strategy][0]].index(60)
        targets = whole[strategy][0][k]["errors"]["feasible"]
        found[strategy] = {"share_failing": FAILING_SHARE, "n_without": {}, "n_with": {}}
        for target in targets:
            error = float(np.median([r[k]["errors"]["feasible"][target]["rmse"] for r in whole[strategy]]))
            for key, played_runs in (("n_without", whole[strategy]), ("n_with", runs)):
                needed = [
                    first_below([c["n"] for c in r], [c["errors"]["feasible"][target]["rmse"] for c in r], error)
                    for r in played_runs
                ]
                found[strategy][key][target] = needed_with_interval(needed)
        for key in ("recognised", "failing_recognised"):
            found[strategy][key] = {
                str(c["n"]): mean_with_interval([r[i].get(key, 0.0) for r in runs]) for i, c in enumerate(runs[0])
            }
    return found


def _runs(kind: str, games: Sequence[Game], played: Played) -> dict[str, list[list[dict[str, Any]]]]:
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for game in games:
        if game.kind == kind:
            found.setdefault(game.strategy, []).append(played[game.key]["checkpoints"])
    return found
