r"""Many evaluations of few compositions: microstructure seeds × draws of the uncertain parameters.

Every composition gets the same seeds and the same draws (common random numbers), so that composition i is compared
with j at equal ignorance: the probability that i beats j is the share of the (draw, seed) pairs in which it does,

.. math::

   p_{ij} = \frac{1}{n} \sum_{d,s} \left[ y_{ids} > y_{jds} \right] + \tfrac12 \left[ y_{ids} = y_{jds} \right],

with Wilson's interval (doi:10.1080/01621459.1927.10502953).  Pairs that share a draw or a seed are not independent:
the interval counts :math:`n_\mathrm{eff} = \min(n_d, p(1 - p)/V)` pairs, n_d the number of draws and
:math:`V = s_d^2/n_d + s_s^2/n_s` the variance of p by draws and by seeds (crossed effects,
doi:10.1214/07-AOAS122).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import CompositionLike
from dynaphase.errors import ConfigError, InputError, unknown_choice
from dynaphase.evaluation import evaluate_candidate, make_candidate
from dynaphase.executors import Workers, make_workers, run_all
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.records import Candidate, Record, RecordStatus

__all__ = [
    "COMPARED",
    "Comparison",
    "Ensemble",
    "Summary",
    "compare_all",
    "evaluate_all",
    "evaluate_ensemble",
    "wilson_interval",
]

FloatArray = npt.NDArray[np.float64]

COMPARED: Final = (
    "stability_score",
    "ionic_conductivity_S_per_cm",
    "ceramic_conductivity_S_per_cm",
    "critical_current_density_mA_per_cm2",
)
"""What compositions are compared in; of all of them more is better."""

LOGARITHMIC: Final = ("conductivity_S_per_cm", "current_density_mA_per_cm2", "resistance_ohm_cm2")
"""Endings of the names whose scatter is given in decades."""

Z_90: Final = 1.6448536269514722
"""Standard normal at 95 %: two-sided intervals of 90 %."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One quantity of one composition over its seeds and draws."""

    n: int
    median: float
    interval_90: tuple[float, float]
    """5 % and 95 % quantiles."""
    mean: float
    standard_error: float
    """Of the mean over seeds at one set of parameters; NaN with draws, where the band says more."""
    sd_seed: float
    """Scatter from microstructure to microstructure at the same parameters; NaN for one seed."""
    sd_draw: float
    """Scatter from draw to draw with the same microstructure seed; NaN without draws."""
    scale: str
    """Scale of both: ``linear``, in the unit of the quantity, or ``log10``, in decades."""

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who beats whom in one quantity."""

    quantity: str
    probabilities: FloatArray
    """(i, j): probability that i beats j; NaN on the diagonal and where no pair is complete."""
    intervals: FloatArray
    """(i, j, 2): 90 % interval."""
    best: FloatArray
    """Probability that i is the best of all."""
    best_intervals: FloatArray
    """(i, 2): 90 % interval."""
    n_pairs: int
    """(draw, seed) pairs in which every composition was evaluated; one that always fails does not count."""

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        arrays = {name: getattr(self, name).tolist() for name in self.__slots__[1:-1]}
        return arrays | {"n_pairs": self.n_pairs}


@dataclass(frozen=True)
class Ensemble:
    """Records of compositions × draws × seeds.

    Parameters
    ----------
    formulas : tuple of str
    seeds : tuple of int
    draws : tuple of int
        Numbers of the draws; ``(0,)`` are the medians.
    records : tuple of Record
        In the order composition, draw, seed; without fields.
    notes : tuple of tuple of str
        What had to be noted on reading each composition.
    wall_seconds : float
    """

    formulas: tuple[str, ...]
    seeds: tuple[int, ...]
    draws: tuple[int, ...]
    records: tuple[Record, ...]
    notes: tuple[tuple[str, ...], ...]
    wall_seconds: float = 0.0

    @property
    def n_draws(self) -> int:
        """Draws; 0 for the medians."""
        return 0 if self.draws == (0,) else len(self.draws)

    def of(self, i: int) -> tuple[Record, ...]:
        """Records of the i-th composition."""
        n = len(self.draws) * len(self.seeds)
        return self.records[i * n : (i + 1) * n]

    def failures(self, i: int) -> dict[str, int]:
        """Reason → number of failed evaluations of the i-th composition."""
        return dict(Counter(record.reason or "unknown" for record in self.of(i) if not record.is_done))

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Names of all values and descriptors, in the order of a record."""
        done = next((record for record in self.records if record.is_done), None)
        return () if done is None else (*done.values, *done.descriptors)

    def table(self, quantity: str) -> FloatArray:
        """One quantity of all evaluations, (composition, draw, seed); NaN where one failed.

        Raises
        ------
        ConfigError
            If no record has it.
        """
        if quantity not in self.quantities:
            raise unknown_choice("quantity", quantity, self.quantities)
        found = [{**r.values, **r.descriptors}.get(quantity, math.nan) for r in self.records]
        return np.array(found, dtype=np.float64).reshape(len(self.formulas), len(self.draws), len(self.seeds))

    def summary(self, i: int, quantity: str) -> Summary:
        """One quantity of the i-th composition."""
        return _summary(self.table(quantity)[i], quantity)

    def compare(self, quantity: str) -> Comparison:
        """Probabilities over paired evaluations, more being better.

        Raises
        ------
        InputError
            If there is only one composition.
        """
        if len(self.formulas) < 2:
            raise InputError("a comparison needs at least two compositions")
        return _compare(self.table(quantity), quantity)

    def to_json(self, i: int) -> dict[str, Any]:
        """The i-th composition under the names of ``dynaphase simulate --json``.

        The keys of a single run hold the medians; without draws the means over the seeds.
        """
        records, first = self.of(i), self.of(i)[0].candidate
        done = [record for record in records if record.is_done]
        found = {name: self.summary(i, name) for name in self.quantities} if done else {}
        central = {name: s.median if self.n_draws else s.mean for name, s in found.items()}
        descriptors = set(done[0].descriptors) if done else set()
        failures = self.failures(i)
        return {
            "formula": self.formulas[i],
            "composition": first.composition.fractions,
            "status": str(RecordStatus.DONE if done else RecordStatus.FAILED),
            "reason": None if done else "; ".join(failures),
            "seed": self.seeds[0],
            "system": first.system,
            "model": first.model,
            "settings": dict(first.settings) | ({"draw": 0} if self.n_draws else {}),
            **{name: value for name, value in central.items() if name not in descriptors},
            "descriptors": {name: value for name, value in central.items() if name in descriptors},
            "ensemble": {name: s.to_json() for name, s in found.items()},
            "n_draws": self.n_draws,
            "n_seeds": len(self.seeds),
            "n_failed": len(records) - len(done),
            "failures": failures,
            "notes": self.all_notes(i),
            "cpu_seconds": sum(record.cpu_seconds for record in records),
            "wall_seconds": self.wall_seconds,
        }

    def all_notes(self, i: int) -> list[str]:
        """Notes on reading the i-th composition and of its evaluations, each once, with how many say it."""
        records = self.of(i)
        counts = Counter(note for record in records for note in record.notes)
        share = {
            note: "" if n == len(records) else f" ({n} of {len(records)} evaluations)" for note, n in counts.items()
        }
        return [*self.notes[i], *(note + share[note] for note in counts)]


def evaluate_ensemble(
    compositions: Sequence[CompositionLike],
    model: str = "physical",
    *,
    n_draws: int = 0,
    n_seeds: int = 1,
    seed: int = 0,
    system: str | MaterialSystem = "lagp",
    settings: Mapping[str, Any] | None = None,
    workers: Workers | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> Ensemble:
    """Evaluate compositions at the same seeds and the same draws of the uncertain parameters.

    Parameters
    ----------
    compositions : sequence of str, mapping, Composition or pymatgen object
    model : {"paper", "physical"}
    n_draws : int
        Draws 1 … n of the parameters; 0 for their medians.  The `paper` model has none.
    n_seeds : int
        Seeds ``seed`` … ``seed + n_seeds − 1``.
    settings : mapping, optional
        Options of the model; ``draw_seed`` chooses other draws.
    workers : Workers, optional
        Default: one process for each core.
    on_progress : callable, optional
        Called with the finished fraction.
    on_record : callable, optional
        Called with each record as it is finished, to keep it.

    Raises
    ------
    CompositionError, ConfigError
        As `dynaphase.evaluate`; also for a model without draws, and a composition that is given twice.
    """
    import time

    start = time.perf_counter()
    options = dict(settings or {})
    if not compositions:
        raise InputError("an ensemble needs at least one composition")
    _check(model, n_draws, n_seeds, options)
    lookup = system if isinstance(system, MaterialSystem) else get_system(system)
    draws = tuple(range(1, n_draws + 1)) or (0,)
    seeds = tuple(range(seed, seed + n_seeds))
    candidates, notes = [], []
    for composition in compositions:
        for draw in draws:
            drawn = options | ({"draw": draw} if draw else {})
            made = [make_candidate(composition, model, s, lookup, drawn) for s in seeds]
            candidates += [candidate for candidate, _ in made]
        notes.append(made[0][1])
    if len({candidate.key for candidate in candidates}) < len(candidates):
        raise ConfigError("the same composition is given twice; give each once")
    records = evaluate_all(candidates, lookup, workers, on_progress, on_record)
    per_composition = len(draws) * len(seeds)
    formulas = tuple(record.formula for record in records[::per_composition])
    return Ensemble(formulas, seeds, draws, tuple(records), tuple(notes), time.perf_counter() - start)


def compare_all(ensemble: Ensemble) -> list[Comparison]:
    """Comparison in each quantity of `COMPARED` that the model has."""
    return [ensemble.compare(quantity) for quantity in COMPARED if quantity in ensemble.quantities]


def evaluate_all(
    candidates: Sequence[Candidate],
    system: MaterialSystem,
    workers: Workers | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Records of different candidates in their order, without fields; a failure is a failed record.

    Parameters
    ----------
    candidates : sequence of Candidate
    system : MaterialSystem
    workers : Workers, optional
        Default: one process for each core.
    on_progress : callable, optional
        Called with the finished fraction.
    on_record : callable, optional
        Called with each record as it is finished, to keep it.
    """

    def failed(candidate: Candidate, reason: str) -> Record:
        return Record(candidate, RecordStatus.FAILED, system.formula(candidate.composition), reason=reason)

    found: dict[str, Record] = {}
    function = partial(_evaluate_scalars, system=system)
    for record in run_all(workers or make_workers(), function, list(candidates), failed, failed):
        found[record.key] = record
        if on_record is not None:
            on_record(record)
        if on_progress is not None:
            on_progress(len(found) / len(candidates))
    return [found[candidate.key] for candidate in candidates]


def wilson_interval(p: float, n: float, z: float = Z_90) -> tuple[float, float]:
    """Wilson's interval of a share p seen in n independent cases (doi:10.1080/01621459.1927.10502953)."""
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _check(model: str, n_draws: int, n_seeds: int, options: Mapping[str, Any]) -> None:
    if n_draws < 0 or n_seeds < 1:
        raise ConfigError(f"at least one seed and no negative number of draws, not {n_seeds} and {n_draws}")
    if n_draws and model == "paper":
        raise ConfigError(
            "the paper model has no draws: its parameters are printed numbers without spread. "
            "Use the physical model for draws, or seeds alone for the scatter of microstructures"
        )
    if n_draws and "draw" in options:
        raise ConfigError("one draw and a number of draws exclude each other: leave the option 'draw' out")


def _evaluate_scalars(candidate: Candidate, system: MaterialSystem) -> Record:
    """In a worker: fields would cost more to send than the rest to compute with."""
    return replace(evaluate_candidate(candidate, system), fields=None)


def _summary(table: FloatArray, quantity: str) -> Summary:
    """Of a table (draw, seed)."""
    values = table[np.isfinite(table)]
    is_logarithmic = quantity.endswith(LOGARITHMIC) and bool(np.all(values > 0))
    scaled = np.log10(table) if is_logarithmic else table
    n, has_draws = len(values), table.shape[0] > 1
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95]) if n else (math.nan,) * 3
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 and not has_draws else math.nan
    return Summary(
        n=n,
        median=float(middle),
        interval_90=(float(low), float(high)),
        mean=float(np.mean(values)) if n else math.nan,
        standard_error=error,
        sd_seed=_pooled_sd(scaled),
        sd_draw=_pooled_sd(scaled.T),
        scale="log10" if is_logarithmic else "linear",
    )


def _pooled_sd(rows: FloatArray) -> float:
    """Standard deviation within rows, pooled over them; what is not finite is left out."""
    groups = [row[np.isfinite(row)] for row in rows]
    freedom = sum(len(group) - 1 for group in groups if len(group) > 1)
    if freedom < 1:
        return math.nan
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups if len(group) > 1)
    return math.sqrt(squares / freedom)


def _compare(table: FloatArray, quantity: str) -> Comparison:
    n = len(table)
    probabilities, intervals = np.full((n, n), np.nan), np.full((n, n, 2), np.nan)
    for i in range(n):
        for j in range(n):
            if i != j:
                wins = np.where(table[i] == table[j], 0.5, table[i] > table[j])
                wins[~(np.isfinite(table[i]) & np.isfinite(table[j]))] = np.nan
                probabilities[i, j], intervals[i, j] = _share(wins)
    has_any = np.isfinite(table).any(axis=(1, 2))  # what always fails must not spoil the others' pairs
    is_complete = np.isfinite(table[has_any]).all(axis=0) & has_any.any()
    is_top = table == np.where(is_complete, np.max(np.where(np.isfinite(table), table, -np.inf), axis=0), np.nan)
    shares = np.where(is_complete, is_top / np.maximum(is_top.sum(axis=0), 1), np.nan)
    shares[~has_any] = np.nan
    best = [_share(share) for share in shares]
    return Comparison(
        quantity,
        probabilities,
        intervals,
        np.array([p for p, _ in best]),
        np.array([interval for _, interval in best]),
        int(is_complete.sum()),
    )


def _share(wins: FloatArray) -> tuple[float, tuple[float, float]]:
    """Mean of a table (draw, seed) of wins, and its interval."""
    is_there = np.isfinite(wins)
    if not is_there.any():
        return math.nan, (math.nan, math.nan)
    p = float(wins[is_there].mean())
    n_draws, n_seeds = int(is_there.any(axis=1).sum()), int(is_there.any(axis=0).sum())
    effective = float(n_draws if n_draws > 1 else n_seeds)
    variance = _variance_of_mean(wins, is_there) + _variance_of_mean(wins.T, is_there.T)
    if variance > 0:
        effective = max(1.0, min(effective, p * (1 - p) / variance))
    return p, wilson_interval(p, effective)


def _variance_of_mean(rows: FloatArray, is_there: npt.NDArray[np.bool_]) -> float:
    """Variance that the scatter between rows gives to the mean over all."""
    means = [float(row[there].mean()) for row, there in zip(rows, is_there, strict=True) if there.any()]
    return float(np.var(means, ddof=1)) / len(means) if len(means) > 1 else 0.0
