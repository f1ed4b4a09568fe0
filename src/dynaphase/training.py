"""From records to a surrogate that has been judged."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition import Constraint
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.errors import FitError
from dynaphase.failures import Prospects
from dynaphase.features import FeatureMap
from dynaphase.levels import level_value
from dynaphase.outcomes import CRITICAL_CURRENT, targets_of
from dynaphase.records import Record
from dynaphase.rounds import Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import (
    Comparison,
    JointPosterior,
    Prediction,
    Surrogate,
    SurrogateOptions,
    compare,
    fit_surrogate,
    leave_one_out,
)
from dynaphase.validation import agreement

__all__ = [
    "JUDGED",
    "RECOMMENDED_FOR",
    "Learned",
    "Table",
    "features_of",
    "learn",
    "traded",
    "value_of",
]

FloatArray = npt.NDArray[np.float64]

JUDGED: Final = ("stability_score", "ionic_conductivity_S_per_cm")
"""Targets that decide when a campaign is accurate enough, and what a new simulation is chosen for."""

RECOMMENDED_FOR: Final = ("stability_score", "ceramic_conductivity_S_per_cm")
"""Targets that a recommendation weighs: what gets made is a ceramic; its σ can fall where the box has its best."""

MIN_RECORDS: Final = 4
"""Fewer successful simulations than this are no training set."""


@dataclass(frozen=True, slots=True)
class Table:
    """Records with values as arrays, one row a record; equal rows of `X` are replicates."""

    compositions: tuple[Composition, ...]
    X: npt.NDArray[np.float64]
    """What the surrogate sees; with levels of fidelity the last column is the level, 1 at the top."""
    Y: npt.NDArray[np.float64]
    """NaN where a run was stopped before the value was known."""
    levels: tuple[float, ...]
    """Level of fidelity of every row, 1 at the top."""

    @property
    def at_top(self) -> set[Composition]:
        """Compositions with a record at the level that counts."""
        return {composition for composition, level in zip(self.compositions, self.levels, strict=True) if level == 1}

    @property
    def n_compositions(self) -> int:
        """Number of different compositions."""
        return len(set(self.compositions))


@dataclass(frozen=True, slots=True)
class Learned:
    """A surrogate with what it was trained on and how it was judged."""

    surrogate: Surrogate
    features: FeatureMap
    """What the surrogate sees of a composition."""
    training: Table
    held_out: Table
    comparisons: Mapping[str, Comparison]
    """Held-out predictions against simulations, by target."""
    left_out: Mapping[str, Comparison]
    """Leave-one-out predictions of the training set, by target."""
    assessment: Mapping[str, Any]
    """The same in numbers, as JSON types: what the journal keeps of every round."""
    prospects: Prospects | None = None
    """Where simulations succeed; None where nothing is known of failures."""

    def promising(self, compositions: Sequence[Composition]) -> list[Composition]:
        """Those that are expected to succeed and more likely than not within the goal's bounds; all if none are."""
        if self.prospects is None or not compositions:
            return list(compositions)
        good = self.prospects.are_good(compositions)
        if good.any() and (constraints := self.prospects.config.goal.goal().constraints):
            likely = self._probability_of(constraints, compositions) > 0.5
            good &= likely if (good & likely).any() else True
        return [c for c, is_good in zip(compositions, good, strict=True) if is_good or not good.any()]

    def _probability_of(self, constraints: Sequence[Constraint], compositions: Sequence[Composition]) -> FloatArray:
        """Probability (n,) that the mean response keeps all bounds, targets taken as independent."""
        from scipy.special import ndtr

        predictions, probability = self.predict(compositions), np.ones(len(compositions))
        for constraint in constraints:
            found = predictions[constraint.target]
            bound = float(found.target.transform.forward(constraint.bound))
            spread = np.maximum(found.transformed_std, 1e-12)
            probability = probability * ndtr(constraint.sign * (found.transformed_mean - bound) / spread)
        return np.asarray(probability)

    def predict(self, compositions: Sequence[Composition]) -> dict[str, Prediction]:
        """Predictions of compositions within the region at the level that counts, target name → `Prediction`."""
        return self.surrogate.predict(self.inputs(compositions))

    def inputs(self, compositions: Sequence[Composition], levels: Sequence[float] | None = None) -> FloatArray:
        """Rows of what the surrogate sees, each composition at its level (1, the top, by default)."""
        return _inputs(self.features, compositions, levels, self.has_levels)

    @property
    def has_levels(self) -> bool:
        """Whether there are levels of fidelity, and so a column of them."""
        return self.surrogate.n_dimensions > len(self.features.names)

    def posterior(
        self, compositions: Sequence[Composition], targets: Sequence[str] | None = None, n_replicates: int = 1
    ) -> JointPosterior:
        """Joint posterior of compositions within the region; see `Surrogate.posterior`."""
        return self.surrogate.posterior(self.inputs(compositions), targets, n_replicates)


def traded(config: CampaignConfig) -> tuple[str, ...]:
    """Targets of the Pareto front: S and σ of the ceramic, and if it is wanted the critical current density."""
    has_current = config.conclude.pareto_with_current and config.model == "physical"
    return (*RECOMMENDED_FOR, CRITICAL_CURRENT.name) if has_current else RECOMMENDED_FOR


def value_of(record: Record, name: str) -> float:
    """What a record says of one target; NaN if it was stopped before that was known."""
    return record.values.get(name, record.descriptors.get(name, float("nan")))


def features_of(config: CampaignConfig, space: CompositionSpace) -> FeatureMap:
    """What the surrogate of a campaign sees of a composition."""
    n_axes = 3 if getattr(config.settings, "fidelity", "") == "3d" else 2
    return FeatureMap(space, config.surrogate.features, config.ceramic_grain_size_nm, n_axes)


def learn(
    plans: Sequence[Plan], records: Mapping[str, Record], config: CampaignConfig, features: FeatureMap
) -> Learned:
    """Fit the surrogate to everything but the held-out set, and judge it on that set.

    Raises
    ------
    FitError
        If fewer than `MIN_RECORDS` simulations succeeded, or no held-out one.
    """
    started = time.perf_counter()
    training = _table(plans, records, config, features, set(Role) - {Role.HELD_OUT})
    held_out = _table(plans, records, config, features, {Role.HELD_OUT})
    if len(training.X) < MIN_RECORDS or len(held_out.X) == 0:
        reasons = sorted({record.reason or "" for record in records.values() if record.is_failed})
        raise FitError(
            f"only {len(training.X)} simulations to learn from and {len(held_out.X)} to judge by have succeeded; "
            f"at least {MIN_RECORDS} and 1 are needed."
            + (f" Reasons of the failed ones: {'; '.join(reasons[:3])}" if reasons else "")
        )
    chosen = config.surrogate
    options = SurrogateOptions(
        trend=features.trend if chosen.trend else (),
        recalibrate=chosen.recalibrate,
        joint=chosen.joint,
        level_column=len(features.names) if config.fidelity.levels else None,
    )
    surrogate = fit_surrogate(training.X, training.Y, targets_of(config), config.seed, options)
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
    prospects = Prospects(records, config, features)
    return Learned(surrogate, features, training, held_out, comparisons, left_out, assessment, prospects)


def _table(
    plans: Sequence[Plan],
    records: Mapping[str, Record],
    config: CampaignConfig,
    features: FeatureMap,
    roles: Collection[Role],
) -> Table:
    space = features.space
    asked = [
        (candidate.key, level_value(config, entry.level))
        for plan in plans
        for entry in plan.entries
        if entry.role in roles
        for candidate in entry.candidates(config, space.system.name)
    ]
    levels = dict(asked)
    # Ordered by key, not by arrival: the fit must not depend on which worker was faster.
    rows = [
        record
        for key, record in sorted(records.items())
        if key in levels and not record.is_failed and space.contains(record.candidate.composition)
    ]
    compositions = [record.candidate.composition for record in rows]
    at_levels = [levels[record.key] for record in rows]
    return Table(
        tuple(compositions),
        _inputs(features, compositions, at_levels, bool(config.fidelity.levels)),
        _values(rows, [target.name for target in targets_of(config)]),
        tuple(at_levels),
    )


def _inputs(
    features: FeatureMap, compositions: Sequence[Composition], levels: Sequence[float] | None, has_levels: bool
) -> FloatArray:
    X = features(compositions)
    if not has_levels:
        return X
    column = np.ones(len(X)) if levels is None else np.array(levels, dtype=float)
    return np.column_stack([X, column])


def _values(rows: Iterable[Record], names: Sequence[str]) -> npt.NDArray[np.float64]:
    values = [[value_of(record, name) for name in names] for record in rows]
    return np.array(values, dtype=float).reshape(-1, len(names))


def _judge(comparison: Comparison) -> dict[str, Any]:
    """Accuracy in points (S) or decades (σ), coverage on the scale on which intervals are Gaussian."""
    observed, predicted = comparison.on_quoted_scale()
    found = agreement(observed, predicted, z_scores=comparison.z_scores)
    return asdict(found) | {"n_held_out": len(observed)}
