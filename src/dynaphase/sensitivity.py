r"""Which uncertain parameters matter: elementary effects, and first-order indices from an ensemble.

*Elementary effects* (Morris, doi:10.1080/00401706.1991.10484804).  A trajectory visits one point more than there are
parameters and moves one of them at a time.  Parameters live on four levels q between their 5 % and 95 % quantiles,
q counted from 0 to 1 in that band; an effect is the change of an output over one step, scaled to the whole band,

.. math::

   d_k = \frac{y(\dots, q_k + \Delta, \dots) - y(\dots, q_k, \dots)}{\Delta}, \qquad \Delta = \pm\tfrac23 .

μ* is the mean of \|d\| over the trajectories (doi:10.1016/j.envsoft.2006.10.004), μ that of d, σ its standard
deviation: a σ as large as μ* tells of interactions or of a bent dependence.  Every trajectory has a microstructure
seed of its own, which stays the same along it.

Steps that change nothing that the evaluation reads are not computed again: their effect is exactly zero.

*First-order indices* S₁ (RBD-FAST with the bias corrected, doi:10.1016/j.ress.2012.06.010) are the share of the
variance of an output over the draws that one parameter explains alone, from an ensemble that is there already.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import CompositionLike
from dynaphase.ensemble import Ensemble, evaluate_ensemble
from dynaphase.errors import ComputationError, ConfigError
from dynaphase.evaluation import evaluate_candidate, make_candidate
from dynaphase.executors import Workers, make_workers, run_all
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.drawn import Watched
from dynaphase.materials.draws import draws
from dynaphase.records import Candidate, Record

__all__ = [
    "OUTPUTS",
    "Effect",
    "FirstOrder",
    "Index",
    "Sensitivity",
    "elementary_effects",
    "first_order_indices",
    "first_order_sensitivity",
    "sensitivity",
]

FloatArray = npt.NDArray[np.float64]

BAND: Final = (0.05, 0.95)
"""Quantiles between which a parameter moves."""

N_LEVELS: Final = 4

N_HARMONICS: Final = 4
"""Harmonics that RBD-FAST reads: enough for a dependence that is monotone or has one bend."""

LEAST_DRAWS: Final = 8 * N_HARMONICS

N_DUMMIES: Final = 2000
"""Shuffled parameters that show how large an index is by chance."""


def _logit(score: float) -> float:
    return math.log(score / (100.0 - score))


OUTPUTS: Final[Mapping[str, tuple[str, Callable[[float], float]]]] = {
    "ln critical current density": ("critical_current_density_mA_per_cm2", math.log),
    "eta_50_mV": ("eta_50_mV", float),
    "logit stability score": ("stability_score", _logit),
    "log10 box conductivity": ("ionic_conductivity_S_per_cm", math.log10),
    "log10 ceramic conductivity": ("ceramic_conductivity_S_per_cm", math.log10),
}
"""Output → name in a record and its scale."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Elementary effects of one parameter on one output, over the 90 % band of the parameter."""

    parameter: str
    mu_star: float
    mu_star_margin_90: float
    """Half of the 90 % interval of μ* over trajectories (bootstrap)."""
    mu: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Elementary effects of all parameters on all outputs."""

    formula: str
    candidate: Candidate
    effects: Mapping[str, tuple[Effect, ...]]
    """Output → effects, largest μ* first; without the inert parameters."""
    inert: tuple[str, ...]
    """Parameters that changed nothing that was read: their effects are zero."""
    n_trajectories: int
    n_failed: int
    """Trajectories with a failed evaluation, which are left out."""
    n_evaluations: int
    wall_seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "formula": self.formula,
            "composition": self.candidate.composition.fractions,
            "model": self.candidate.model,
            "system": self.candidate.system,
            "settings": dict(self.candidate.settings),
            "seed": self.candidate.seed,
            "effects": {
                output: [{name: getattr(e, name) for name in Effect.__slots__} for e in found]
                for output, found in self.effects.items()
            },
            "inert": list(self.inert),
            "n_trajectories": self.n_trajectories,
            "n_failed": self.n_failed,
            "n_evaluations": self.n_evaluations,
            "notes": list(self.notes),
            "wall_seconds": self.wall_seconds,
        }


@dataclass(frozen=True, slots=True)
class Index:
    """Share of the variance that one parameter explains alone."""

    parameter: str
    first_order: float
    is_significant: bool
    """Larger than `FirstOrder.noise`."""


@dataclass(frozen=True, slots=True)
class FirstOrder:
    """First-order indices of one output."""

    indices: tuple[Index, ...]
    """Largest first."""
    noise: float
    """What the largest index of as many meaningless parameters exceeds in one case of twenty."""
    n_draws: int

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        indices = [{name: getattr(index, name) for name in Index.__slots__} for index in self.indices]
        return {"indices": indices, "noise": self.noise, "n_draws": self.n_draws}


# ------------------------------------------------------------------------------------------- elementary effects


def sensitivity(
    composition: CompositionLike,
    model: str = "physical",
    *,
    n_trajectories: int = 8,
    seed: int = 0,
    system: str | MaterialSystem = "lagp",
    settings: Mapping[str, Any] | None = None,
    workers: Workers | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Sensitivity:
    """Elementary effects of every uncertain parameter of a composition.

    Parameters
    ----------
    composition : str, mapping, Composition or pymatgen object
    model : {"paper", "physical"}
    n_trajectories : int
        At least 2; 8 order the parameters, 20 give figures.
    seed : int
        Of the trajectories; the i-th has the microstructure ``seed + i``.
    settings : mapping, optional
        Options of the model.
    on_progress : callable, optional
        Called with the finished fraction.

    Raises
    ------
    CompositionError, ConfigError
        As `dynaphase.evaluate`; also for fewer than two trajectories.
    ComputationError
        If fewer than two trajectories come through.
    """
    if n_trajectories < 2:
        raise ConfigError(f"elementary effects need at least 2 trajectories, not {n_trajectories}")
    if (settings or {}).get("draw"):
        raise ConfigError("a sensitivity chooses the draws itself: leave the option 'draw' out")
    start = time.perf_counter()
    lookup = system if isinstance(system, MaterialSystem) else get_system(system)
    candidate, notes = make_candidate(composition, model, seed, lookup, settings or {})
    names = lookup.draw_names
    walks = _trajectories(names, n_trajectories, seed)
    tasks = [(i, replace(candidate, seed=seed + i), walk) for i, walk in enumerate(walks)]
    found: dict[int, _Walk] = {}

    def failed(task: tuple[int, Candidate, FloatArray], reason: str) -> _Walk:
        return _Walk(task[0], None, frozenset(), 0, reason)

    for walk in run_all(workers or make_workers(), partial(_walk, system=lookup, names=names), tasks, failed, failed):
        found[walk.number] = walk
        if on_progress is not None:
            on_progress(len(found) / len(tasks))
    done = [found[i] for i in range(len(tasks)) if found[i].outputs is not None]
    reasons = sorted({walk.reason for walk in found.values() if walk.reason})
    if len(done) < 2:
        raise ComputationError(f"{len(done)} of {len(tasks)} trajectories came through: {'; '.join(reasons)}")
    moving = frozenset[str]().union(*(walk.moving for walk in done))
    points = np.stack([walks[walk.number] for walk in done])
    outputs = np.stack([walk.outputs for walk in done if walk.outputs is not None])
    effects = {
        output: tuple(
            e for e in elementary_effects(names, points, outputs[:, :, k], seed=seed) if e.parameter in moving
        )
        for k, output in enumerate(OUTPUTS)
        if np.isfinite(outputs[:, :, k]).all()
    }
    return Sensitivity(
        formula=lookup.formula(candidate.composition),
        candidate=candidate,
        effects=effects,
        inert=tuple(name for name in names if name not in moving),
        n_trajectories=len(done),
        n_failed=len(tasks) - len(done),
        n_evaluations=sum(walk.n_evaluations for walk in found.values()),
        wall_seconds=time.perf_counter() - start,
        notes=(*notes, *(f"a trajectory failed: {reason}" for reason in reasons)),
    )


def elementary_effects(
    names: Sequence[str], points: FloatArray, outputs: FloatArray, *, seed: int = 0
) -> tuple[Effect, ...]:
    """μ*, μ and σ of every parameter, largest μ* first.

    Parameters
    ----------
    names : sequence of str
    points : array, (trajectories, k + 1, k)
        Quantiles of the k parameters.
    outputs : array, (trajectories, k + 1)
    seed : int
        Of the bootstrap behind the margin of μ*.
    """
    from SALib.analyze.morris import analyze

    flat = points.reshape(-1, len(names))
    found = analyze(_problem(names), flat, outputs.ravel(), conf_level=0.9, num_levels=N_LEVELS, seed=seed)
    rows = zip(names, found["mu_star"], found["mu_star_conf"], found["mu"], found["sigma"], strict=True)
    return tuple(sorted((Effect(n, *map(float, row)) for n, *row in rows), key=lambda e: -e.mu_star))


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [list(BAND)] * len(names)}


def _trajectories(names: Sequence[str], n: int, seed: int) -> FloatArray:
    """Quantiles, (n, k + 1, k)."""
    from SALib.sample.morris.morris import sample

    points = sample(_problem(names), n, num_levels=N_LEVELS, seed=seed)
    return np.asarray(points, dtype=np.float64).reshape(n, len(names) + 1, len(names))


@dataclass(frozen=True, slots=True)
class _Walk:
    """One trajectory that was evaluated."""

    number: int
    outputs: FloatArray | None
    """(k + 1, outputs); None if an evaluation failed."""
    moving: frozenset[str]
    n_evaluations: int
    reason: str = ""


def _walk(task: tuple[int, Candidate, FloatArray], system: MaterialSystem, names: tuple[str, ...]) -> _Walk:
    """Evaluate a trajectory, each point only if something that the point before has read is different."""
    from scipy.special import ndtri

    number, candidate, points = task
    outputs, moving, n_evaluations = np.empty((len(points), len(OUTPUTS))), set[str](), 0
    watched: Watched | None = None
    for i, point in enumerate(points):
        draw = dict(zip(names, ndtri(point).tolist(), strict=True))
        if watched is not None and watched.would_be_equal(candidate.composition, draw):
            outputs[i] = outputs[i - 1]
            continue
        watched = Watched(system, draw)
        record = evaluate_candidate(candidate, watched)
        n_evaluations += 1
        if not record.is_done:
            return _Walk(number, None, frozenset(), n_evaluations, record.reason or "unknown")
        outputs[i] = _read(record)
        if i > 0:
            moving.add(names[int(np.flatnonzero(point != points[i - 1])[0])])
    return _Walk(number, outputs, frozenset(moving), n_evaluations)


def _read(record: Record) -> list[float]:
    """Outputs of a record; NaN for one that its model has not."""
    found = {**record.values, **record.descriptors}
    return [scale(found[name]) if name in found else math.nan for name, scale in OUTPUTS.values()]


# ------------------------------------------------------------------------------------------- first-order indices


def first_order_sensitivity(
    composition: CompositionLike,
    model: str = "physical",
    *,
    n_draws: int = 128,
    seed: int = 0,
    system: str | MaterialSystem = "lagp",
    settings: Mapping[str, Any] | None = None,
    workers: Workers | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[str, dict[str, FirstOrder]]:
    """Formula, and first-order indices of every output from an ensemble made for the purpose.

    Raises
    ------
    CompositionError, ConfigError
        As `dynaphase.ensemble.evaluate_ensemble` and `first_order_indices`.
    """
    if n_draws < LEAST_DRAWS:
        raise ConfigError(f"first-order indices need at least {LEAST_DRAWS} draws, not {n_draws}")
    lookup = system if isinstance(system, MaterialSystem) else get_system(system)
    found = evaluate_ensemble(
        [composition], model, n_draws=n_draws, seed=seed, system=lookup, settings=settings, workers=workers,
        on_progress=on_progress,
    )  # fmt: skip
    return found.formulas[0], first_order_indices(found, lookup, seed=seed)


def first_order_indices(
    ensemble: Ensemble, system: MaterialSystem, i: int = 0, *, seed: int = 0
) -> dict[str, FirstOrder]:
    """First-order indices of every output for the i-th composition of an ensemble over draws.

    Seeds are averaged first.  Draws in which an evaluation failed are left out.

    Parameters
    ----------
    ensemble : Ensemble
    system : MaterialSystem
        That of the ensemble.
    seed : int
        Of the shuffles behind the level of noise.

    Raises
    ------
    ConfigError
        If there are fewer than 32 draws to learn from.
    ComputationError
        If none came through.
    """
    if not ensemble.quantities:
        reasons = "; ".join(ensemble.failures(i)) or "there are no evaluations"
        raise ComputationError(f"no draw came through: {reasons}")
    names = system.draw_names
    draw_seed = int(ensemble.of(i)[0].candidate.settings.get("draw_seed", 0))
    drawn = draws(names, max(ensemble.draws), draw_seed)
    inputs = np.array([[drawn[k - 1][name] for name in names] for k in ensemble.draws if k])
    found = {}
    for output, (quantity, scale) in OUTPUTS.items():
        if quantity not in ensemble.quantities:
            continue
        table = ensemble.table(quantity)[i]
        scaled = np.array([[scale(value) if math.isfinite(value) else math.nan for value in row] for row in table])
        means = scaled.mean(axis=1)
        is_there = np.isfinite(means)
        n = int(is_there.sum()) if ensemble.n_draws else 0
        if n < LEAST_DRAWS:
            raise ConfigError(f"first-order indices need at least {LEAST_DRAWS} draws that came through, not {n}")
        found[output] = _first_order(names, inputs[is_there], means[is_there], seed)
    return found


def _first_order(names: Sequence[str], inputs: FloatArray, outputs: FloatArray, seed: int) -> FirstOrder:
    rng = np.random.default_rng(seed)
    dummies = np.stack([rng.permutation(len(outputs)) for _ in range(N_DUMMIES)], axis=1)
    values = _rbd_fast(inputs, outputs)
    noise = float(np.quantile(_rbd_fast(dummies, outputs), 1.0 - 0.05 / len(names)))
    indices = [Index(name, float(s), bool(s > noise)) for name, s in zip(names, values, strict=True)]
    return FirstOrder(tuple(sorted(indices, key=lambda index: -index.first_order)), noise, len(outputs))


def _rbd_fast(inputs: npt.NDArray[Any], outputs: FloatArray) -> FloatArray:
    from SALib.analyze.rbd_fast import analyze

    problem = {"num_vars": inputs.shape[1], "names": [str(k) for k in range(inputs.shape[1])]}
    found = analyze(problem, inputs, outputs, M=N_HARMONICS, num_resamples=2, seed=0)
    return np.asarray(found["S1"], dtype=np.float64)
