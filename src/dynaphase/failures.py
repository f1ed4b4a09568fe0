"""Failed simulations as data: where they lie, how well they are recognised, and what fails before any simulation.

A failed record says something of its place.  `feasibility_of` learns the probability that a simulation succeeds from
all compositions that were tried; `report_failures` says how far that can be believed, by leaving compositions out.

Where none of the host phase forms there is nothing to simulate.  The phase assemblage tells that for free, so such
compositions are *ruled out*: no round after the first design offers them, and every assessment counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.features import FeatureMap
from dynaphase.materials.base import MaterialSystem
from dynaphase.records import Record

if TYPE_CHECKING:
    from dynaphase.surrogate import Feasibility

__all__ = ["Prospects", "describe_failures", "feasibility_of", "is_ruled_out", "report_failures", "tried"]

_N_FOLDS: Final = 10
_N_SAMPLE: Final = 1000

FloatArray = npt.NDArray[np.float64]


def is_ruled_out(config: CampaignConfig, system: MaterialSystem, composition: Composition) -> bool:
    """Whether chemistry alone says that a simulation of the physical model must fail: none of the host forms."""
    return config.model == "physical" and not system.assemblage(composition).host_fraction > 0


def tried(records: Mapping[str, Record], features: FeatureMap) -> dict[Composition, bool]:
    """Compositions of the region that were simulated; whether at least half of the simulations did not fail."""
    counts: dict[Composition, list[int]] = {}
    for record in records.values():
        counts.setdefault(record.candidate.composition, []).append(1 if record.is_failed else -1)
    return {c: sum(votes) <= 0 for c, votes in counts.items() if features.space.contains(c)}


def feasibility_of(records: Mapping[str, Record], features: FeatureMap, seed: int) -> Feasibility | None:
    """Probability of success over what the surrogate sees of a composition; None while nothing has failed."""
    from dynaphase.surrogate import fit_feasibility

    outcomes = tried(records, features)
    if all(outcomes.values()):
        return None
    return fit_feasibility(features(list(outcomes)), list(outcomes.values()), seed)


@dataclass(frozen=True)
class Prospects:
    """Which compositions can be expected to succeed, by chemistry and by what failed so far."""

    records: Mapping[str, Record]
    config: CampaignConfig
    features: FeatureMap

    @cached_property
    def feasibility(self) -> Feasibility | None:
        """See `feasibility_of`; fitted once."""
        return feasibility_of(self.records, self.features, self.config.seed)

    def are_good(self, compositions: Sequence[Composition]) -> npt.NDArray[np.bool_]:
        """Mask (n,) of those that are not ruled out and more likely to succeed than to fail."""
        system = self.features.space.system
        good = np.array([not is_ruled_out(self.config, system, c) for c in compositions], dtype=bool)
        if self.feasibility is not None and good.any():
            rest = [compositions[index] for index in np.flatnonzero(good).tolist()]
            good[good] = self.feasibility.probability(self.features(rest)) > 0.5
        return good


def report_failures(records: Mapping[str, Record], config: CampaignConfig, features: FeatureMap) -> dict[str, Any]:
    """What an assessment says of failures, as JSON types.

    Returns
    -------
    dict
        ``n_compositions``, ``n_failed`` (compositions tried, and of these failed); ``ruled_out`` (share of the region
        without host); if some failed ``where`` (least and largest coordinate of the failed ones, by name); if some
        failed and some did not ``recognised``: of compositions left out of the fit, a tenth at a time, the share
        whose outcome is predicted (``accuracy``), and that among the failed and the others.
    """
    outcomes = tried(records, features)
    failed = [composition for composition, is_done in outcomes.items() if not is_done]
    found: dict[str, Any] = {
        "n_compositions": len(outcomes),
        "n_failed": len(failed),
        "ruled_out": _share_ruled_out(config, features),
    }
    if failed:
        coordinates = np.array([features.space.system.coordinates(composition) for composition in failed])
        found["where"] = {
            name: [float(column.min()), float(column.max())]
            for name, column in zip(("x", "delta"), coordinates.T, strict=True)
        }
    if 0 < len(failed) < len(outcomes):
        found["recognised"] = _recognised(features(list(outcomes)), list(outcomes.values()), config.seed)
    return found


def describe_failures(failing: Mapping[str, Any]) -> list[str]:
    """The same in words, as lines: how many fail, where, how well that is recognised, what is not even tried."""
    lines = []
    if failing.get("n_failed"):
        (x_low, x_high), (d_low, d_high) = failing["where"]["x"], failing["where"]["delta"]
        where = f"x {x_low:.2f} to {x_high:.2f}, δ {d_low:+.2f} to {d_high:+.2f}"
        lines.append(f"{failing['n_failed']} of {failing['n_compositions']} compositions failed: {where}")
    if "recognised" in failing:
        shares = failing["recognised"]
        lines.append(
            f"that a composition fails is recognised before it is simulated for {100 * shares['of_failed']:.0f} % of "
            f"those that failed, that it does not for {100 * shares['of_others']:.0f} % of the others (each left out "
            "of the fit)"
        )
    if ruled_out := failing.get("ruled_out"):
        share = f"{100 * ruled_out:.0f}" if ruled_out >= 0.01 else f"{100 * ruled_out:.1f}"
        lines.append(f"{share} % of the region forms no host phase: not chosen after the first design")
    return lines


def _share_ruled_out(config: CampaignConfig, features: FeatureMap) -> float:
    if config.model != "physical":
        return 0.0
    space = features.space
    sample = space.sobol(_N_SAMPLE, 0)
    return sum(is_ruled_out(config, space.system, composition) for composition in sample) / _N_SAMPLE


def _recognised(X: FloatArray, outcomes: Sequence[bool], seed: int) -> dict[str, float | None]:
    """Outcomes of a tenth at a time, predicted from the others: more than ½ counts as success."""
    from dynaphase.surrogate import fit_feasibility

    done = np.array(outcomes)
    predicted = np.empty(len(done), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(done))
    for fold in np.array_split(order, min(_N_FOLDS, len(done))):
        others = np.setdiff1d(order, fold)
        predicted[fold] = fit_feasibility(X[others], done[others], seed).probability(X[fold]) > 0.5
    right = predicted == done
    return {
        "accuracy": float(right.mean()),
        "of_failed": float(right[~done].mean()),
        "of_others": float(right[done].mean()),
    }
