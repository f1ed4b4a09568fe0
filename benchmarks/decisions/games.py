"""Which campaigns are played, one after the other or side by side, and a journal from which to go on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from decisions.inputs import Inputs
from decisions.landscape import BoolArray, FloatArray, Landscape
from decisions.measures import SHARE, Yardstick, first_reaching
from decisions.mixtures import FUNCTIONS, mixture
from decisions.peers import OptunaTPE, ScikitLearn, missing_peers
from decisions.play import play_learning, play_search
from decisions.steered import Steered
from decisions.strategies import RandomOrder, SobolOrder, Strategy
from decisions.tables import SIMULATED, TABLES, from_csv, simulated
from dynaphase.errors import InputError

PARETO: Final = "trade-off"
"""The goal of a search for all objectives together; other goals are names of objectives."""

SEARCHING: Final[dict[str, Strategy]] = {
    s.name: s
    for s in (
        Steered("dynaphase", "hypervolume", begins="estimates"),
        Steered("dynaphase, random start", "hypervolume"),
        Steered("dynaphase, coordinates", "hypervolume", "coordinates"),
        ScikitLearn(),
        OptunaTPE(),
        SobolOrder(),
        RandomOrder(),
    )
}
"""Strategies that look for the best."""

ABLATIONS: Final = ("dynaphase, random start", "dynaphase, coordinates")
"""What parts of it are worth; played without noise only."""

LEARNING: Final[dict[str, Strategy]] = {
    s.name: s
    for s in (
        Steered("random, fractions", "random", "fractions"),
        Steered("integrated-variance, phases", "integrated-variance", "phases", begins="estimates"),
        Steered("max-variance, phases", "max-variance", "phases", begins="estimates"),
        Steered("integrated-variance, fractions", "integrated-variance", "fractions"),
        ScikitLearn("sklearn-variance", "variance"),
    )
}
"""Strategies that learn the whole landscape; ours on fractions where there are no phases."""

REFERENCE: Final = "random, fractions"
"""What accuracy is counted against: as many random evaluations, plain fractions."""

REFINING: Final = "max-variance, phases"
"""What chooses after 100 random evaluations: the paper's rule."""
UNDER_FAILURES: Final = "integrated-variance, phases"

N_LEARNED: Final = (5, 10, 15, 20, 25, 30, 40, 50, 60)
N_RANDOM: Final = (50, 100)
N_REFINED: Final = (100, 120, 140, 160)
"""100 random and then 60 chosen evaluations."""
N_FAILING: Final = (10, 20, 30, 40, 50, 60, 70, 80)
FAILING_SHARE: Final = 0.3


@dataclass(frozen=True)
class Source:
    """Where a landscape comes from: a built-in name, or a CSV."""

    name: str
    is_noisy: bool = False
    tables: str = str(TABLES)
    path: str = ""
    objectives: tuple[tuple[str, str], ...] = ()
    components: tuple[str, ...] = ()
    system: str | None = None

    @property
    def label(self) -> str:
        """Name in the results."""
        return f"{self.name}-noisy" if self.is_noisy else self.name

    @property
    def is_table(self) -> bool:
        """Whether it is read from a table, not computed in closed form."""
        return bool(self.path) or self.name in SIMULATED

    @property
    def is_simulated(self) -> bool:
        """Whether it is one of the landscapes of the physical model."""
        return not self.path and self.name in SIMULATED

    def landscape(self) -> Landscape:
        """The landscape itself."""
        if self.path:
            found = from_csv(Path(self.path), dict(self.objectives), self.components, self.system)
        elif self.is_simulated:
            found = simulated(self.name, Path(self.tables))
        else:
            found = mixture(self.name)
        return found.with_noise() if self.is_noisy else found

    @property
    def trade_off(self) -> tuple[str, ...]:
        """Objectives of the trade-off, which are also those whose accuracy is quoted."""
        names = tuple(objective.name for objective in self.landscape().objectives)
        return names[:2] if self.is_simulated else names


@dataclass(frozen=True)
class Game:
    """One campaign to be played: ``search`` for a goal, or ``learn``, ``refine``, ``fail``, ``whole``."""

    kind: str
    source: Source
    strategy: str
    seed: int
    goal: str = PARETO

    @property
    def key(self) -> str:
        """What it is called in the journal."""
        return "|".join((self.kind, self.source.label, self.goal, self.strategy, str(self.seed)))


@lru_cache(maxsize=32)
def inputs_of(source: Source) -> Inputs:
    """Inputs of a landscape; features are computed once in a process."""
    return Inputs(source.landscape())


@lru_cache(maxsize=64)
def goal_inputs(source: Source, goal: str) -> Inputs:
    """Inputs with the objectives of one goal."""
    inputs = inputs_of(source)
    names = source.trade_off if goal == PARETO else (goal,)
    return inputs.on(inputs.landscape.only(*names))


@lru_cache(maxsize=64)
def yardstick_of(source: Source, goal: str) -> Yardstick:
    """What there is to find for one goal; noise does not change it."""
    return Yardstick(goal_inputs(source, goal).landscape.scores)


def failing(inputs: Inputs, fails: bool) -> Inputs:
    """The landscape with 30 % of the pool failing beyond a bent front, or the same landscape whole, judged alike."""
    landscape = inputs.landscape
    kind = "coordinates" if inputs.offers("coordinates") else "fractions"

    def depth(place: str) -> FloatArray:
        u = inputs.at(place, kind)
        return np.asarray(u[:, 0] + 0.2 * np.sin(2 * np.pi * u[:, 1]))

    front = np.quantile(depth("pool"), 1 - FAILING_SHARE)
    masks: dict[str, BoolArray] = {place: depth(place) > front for place in landscape.judges}
    pool = depth("pool") > front if fails else np.zeros(landscape.n, dtype=bool)
    return inputs.on(landscape.where_fails(pool, masks))


def play(game: Game) -> dict[str, Any]:
    """What one game gives, as JSON types."""
    started = time.process_time()
    inputs = goal_inputs(game.source, game.goal)
    found: dict[str, Any] = {"key": game.key}
    if game.kind == "search":
        yardstick = yardstick_of(game.source, game.goal)
        found["order"] = play_search(
            inputs, SEARCHING[game.strategy], game.seed, lambda order: bool(yardstick.curve(order)[-1] >= SHARE)
        )
    elif game.kind == "refine":
        strategy = LEARNING[game.strategy]
        assert isinstance(strategy, Steered)
        begun = replace(strategy, n_initial=N_REFINED[0], begins="random")
        found["checkpoints"] = play_learning(inputs, begun, game.seed, N_REFINED)
    elif game.kind == "learn":
        n = N_RANDOM if game.strategy.startswith("random") else N_LEARNED
        found["checkpoints"] = play_learning(inputs, LEARNING[game.strategy], game.seed, n)
    else:
        there = failing(inputs, fails=game.kind == "fail")
        found["checkpoints"] = play_learning(there, LEARNING[game.strategy], game.seed, N_FAILING)
    return found | {"cpu_seconds": round(time.process_time() - started, 2)}


def sources_of(names: Iterable[str], tables: Path = TABLES) -> list[Source]:
    """Built-in landscapes, smooth and noisy; those whose tables are not there are left out with a message."""
    found = []
    for name in names:
        if name not in (*SIMULATED, *FUNCTIONS):
            raise InputError(f"no landscape {name}; there are {', '.join((*SIMULATED, *FUNCTIONS))}")
        if name in SIMULATED and not (tables / f"{name}.csv.xz").exists():
            print(f"{name} is left out: {tables / name}.csv.xz has not been made", file=sys.stderr)
            continue
        found += [Source(name, is_noisy, str(tables)) for is_noisy in (False, True)]
    return found


def games_of(sources: Iterable[Source], n_seeds: int) -> list[Game]:
    """All games of some landscapes; what a landscape or this machine cannot play is not among them."""
    for name, package in missing_peers().items():
        print(f"{name} is left out: install {package} (pip install 'dynaphase[benchmarks]')", file=sys.stderr)
    sources = list(sources)
    mine = {source: played_on(source) for source in sources}
    # What matters most first, and seed by seed: a run that is cut short has something of everything.
    return [
        Game(kind, source, s, seed, goal)
        for is_detail in (False, True)
        for seed in range(n_seeds)
        for source in sources
        for kind, s, goal, belongs in mine[source]
        if belongs is is_detail
    ]


def played_on(source: Source) -> list[tuple[str, str, str, bool]]:
    """Kind, strategy and goal of every game of one seed on one landscape, and whether it is a detail."""
    inputs = inputs_of(source)
    searching, learning = playable(inputs)
    if source.is_noisy:
        searching = [s for s in searching if s not in ABLATIONS]
    mine = [("search", s, PARETO, s in ABLATIONS or not source.is_table) for s in searching]
    if not source.is_table:
        return mine
    if not source.is_noisy:
        mine += [("search", "dynaphase", goal, True) for goal in single_goals(source)]
    mine += [("learn", s, PARETO, s.startswith("sklearn")) for s in learning]
    if source.is_simulated:
        mine += [("refine", s, PARETO, False) for s in learning if s == REFINING]
    if source.is_simulated and not source.is_noisy and inputs.landscape.is_done.all():
        mine += [(kind, UNDER_FAILURES, PARETO, False) for kind in ("fail", "whole")]
    return mine


def playable(inputs: Inputs) -> tuple[list[str], list[str]]:
    """Names of the strategies that search and that learn here."""
    missing, has_phases = missing_peers(), inputs.offers("phases")
    searching = [s for s in SEARCHING if s not in missing and s != "random"]
    not_here = "integrated-variance, fractions" if has_phases else "phases"
    learning = [s for s in LEARNING if s not in missing and not_here not in s]
    if not has_phases:
        searching = [s for s in searching if s not in ABLATIONS]
    return searching, learning


def single_goals(source: Source) -> list[str]:
    """Objectives that random search needs at least 50 evaluations for: where a wrong turn can be seen."""
    names = [objective.name for objective in source.landscape().objectives]
    if len(names) == 1:
        return []
    return [name for name in names if np.median(yardstick_of(source, name).random_needs) >= 50]


def play_all(games: list[Game], journal: Path | None, n_workers: int = 1) -> dict[str, dict[str, Any]]:
    """Every game, those in the journal not again; key → what it gave."""
    wanted = {game.key for game in games}
    found = {k: v for k, v in read_journal(journal).items() if k in wanted}
    missing = [game for game in games if game.key not in found]
    print(f"{len(found)} of {len(games)} games are in the journal", file=sys.stderr)
    started = time.perf_counter()
    for n, result in enumerate(_results(missing, n_workers), 1):
        found[result["key"]] = result
        if journal is not None:
            with journal.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(result) + "\n")
        if n % 20 == 0 or n == len(missing):
            left = (time.perf_counter() - started) / n * (len(missing) - n)
            print(
                f"{n} of {len(missing)}, about {left / 60:.0f} min left: {result['key']}", file=sys.stderr, flush=True
            )
    return found


def _results(games: list[Game], n_workers: int) -> Iterable[dict[str, Any]]:
    if n_workers == 1:
        yield from map(play, games)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as workers:
        yield from workers.map(play, games)


def read_journal(journal: Path | None) -> dict[str, dict[str, Any]]:
    """Finished games; a last line that was cut off by a kill is dropped, from the file as well."""
    if journal is None or not journal.exists():
        return {}
    rows, whole = {}, []
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows[row["key"]] = row
        whole.append(line)
    journal.write_text("".join(line + "\n" for line in whole), encoding="utf-8")
    return rows


def needs_of(curves: Iterable[FloatArray]) -> FloatArray:
    """Evaluations until 95 %, one a curve."""
    return np.array([float(first_reaching(curve, SHARE)) for curve in curves])
