"""From records to a surrogate that has been judged, and from the surrogate to the next batch."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition import Pool, acquisition_from_name
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.errors import FitError
from dynaphase.records import Record
from dynaphase.rounds import Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import DEFAULT_TARGETS, Comparison, Surrogate, compare, fit_surrogate, leave_one_out
from dynaphase.validation import agreement

__all__ = ["JUDGED", "Learned", "Table", "choose_batch", "learn"]

JUDGED: Final = ("stability_score", "ionic_conductivity_S_per_cm")
"""Targets that decide when a campaign is accurate enough, and what a new simulation is chosen for."""

MIN_RECORDS: Final = 4
"""Fewer successful simulations than this are no training set."""


@dataclass(frozen=True, slots=True)
class Table:
    """Successful records as arrays, one row a record; equal rows of `X` are replicates."""

    compositions: tuple[Composition, ...]
    X: npt.NDArray[np.float64]
    Y: npt.NDArray[np.float64]

    @property
    def n_compositions(self) -> int:
        """Number of different compositions."""
        return len(set(self.compositions))


@dataclass(frozen=True, slots=True)
class Learned:
    """A surrogate with what it was trained on and how it was judged."""

    surrogate: Surrogate
    training: Table
    held_out: Table
    comparisons: Mapping[str, Comparison]
    """Held-out predictions against simulations, by target."""
    left_out: Mapping[str, Comparison]
    """Leave-one-out predictions of the training set, by target."""
    assessment: Mapping[str, Any]
    """The same in numbers, as JSON types: what the journal keeps of every round."""


def learn(
    plans: Sequence[Plan], records: Mapping[str, Record], config: CampaignConfig, space: CompositionSpace
) -> Learned:
    """Fit the surrogate to everything but the held-out set, and judge it on that set.

    Raises
    ------
    FitError
        If fewer than `MIN_RECORDS` simulations succeeded, or no held-out one.
    """
    started = time.perf_counter()
    training = _table(plans, records, config, space, set(Role) - {Role.HELD_OUT})
    held_out = _table(plans, records, config, space, {Role.HELD_OUT})
    if len(training.X) < MIN_RECORDS or len(held_out.X) == 0:
        reasons = sorted({record.reason or "" for record in records.values() if not record.is_done})
        raise FitError(
            f"only {len(training.X)} simulations to learn from and {len(held_out.X)} to judge by have succeeded; "
            f"at least {MIN_RECORDS} and 1 are needed."
            + (f" Reasons of the failed ones: {'; '.join(reasons[:3])}" if reasons else "")
        )
    surrogate = fit_surrogate(training.X, training.Y, seed=config.seed)
    comparisons = compare(surrogate, held_out.X, held_out.Y)
    left_out = leave_one_out(surrogate)
    assessment = {
        "n_training": training.n_compositions,
        "n_simulations": len(records),
        "accuracy": {name: _judge(comparisons[name]) for name in JUDGED},
        "accuracy_further": {name: _judge(c) for name, c in comparisons.items() if name not in JUDGED},
        "leave_one_out": {name: _judge(c) for name, c in left_out.items()},
        "fit": {
            name: {"rung": report.rung.value, "message": report.message, "is_fallback": report.is_fallback}
            for name, report in surrogate.fit_reports.items()
        },
        "fit_seconds": time.perf_counter() - started,
    }
    return Learned(surrogate, training, held_out, comparisons, left_out, assessment)


def choose_batch(
    learned: Learned, config: CampaignConfig, space: CompositionSpace, number: int, known: Collection[Composition]
) -> list[Composition]:
    """The compositions of round `number`: what the configured acquisition picks from a fresh Sobol pool."""
    # A pool of its own for every round: the same one again would offer only what was not worth taking before.
    pool_stream, choice_stream = np.random.SeedSequence([config.seed, number]).spawn(2)
    offered = [c for c in space.sobol(config.rounds.n_pool, pool_stream) if c not in known]
    X = space.to_unit(offered)
    acquisition = acquisition_from_name(config.rounds.acquisition)
    posterior = None
    if acquisition.needs_posterior:
        posterior = learned.surrogate.posterior(X, JUDGED, n_replicates=config.design.n_replicates)
    chosen = acquisition.select(Pool(X, posterior), config.rounds.batch, np.random.default_rng(choice_stream))
    return [offered[index] for index in chosen]


def _table(
    plans: Sequence[Plan],
    records: Mapping[str, Record],
    config: CampaignConfig,
    space: CompositionSpace,
    roles: Collection[Role],
) -> Table:
    keys = {candidate.key for plan in plans for candidate, role in plan.candidates_with_roles(config) if role in roles}
    # Ordered by key, not by arrival: the fit must not depend on which worker was faster.
    rows = [record for key, record in sorted(records.items()) if key in keys and record.is_done]
    return Table(
        tuple(record.candidate.composition for record in rows),
        space.to_unit([record.candidate.composition for record in rows]),
        _targets(rows),
    )


def _targets(rows: Iterable[Record]) -> npt.NDArray[np.float64]:
    values = [[record.values[target.name] for target in DEFAULT_TARGETS] for record in rows]
    return np.array(values, dtype=float).reshape(-1, len(DEFAULT_TARGETS))


def _judge(comparison: Comparison) -> dict[str, Any]:
    """Accuracy in points (S) or decades (σ), coverage on the scale on which intervals are Gaussian."""
    observed, predicted = comparison.on_quoted_scale()
    found = agreement(observed, predicted, z_scores=comparison.z_scores)
    return asdict(found) | {"n_held_out": len(observed)}
