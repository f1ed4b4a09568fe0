r"""When a campaign has enough, as pure functions of what the journal holds.

A surrogate that is too sure of itself would stop any rule that believes it, so none rests on its σ alone.

* **accuracy** is measured on held-out compositions, and holds with the wanted `confidence`: r ≥ r\ :sub:`wanted` and
  nRMSE ≤ nRMSE\ :sub:`wanted` for the one-sided bounds of a bootstrap over compositions (the figures themselves at
  confidence ½), while the 90 % intervals do not cover significantly too little.  A campaign that is judged after every
  round has many chances to pass by luck, so the error α = 1 − confidence is spent over the looks
  (doi:10.1093/biomet/70.3.659): the bounds of the k-th one hold with confidence

  .. math:: 1 - \alpha_k, \qquad \alpha_k = \frac{\alpha}{k(k+1)}, \qquad \sum_{k=1}^{\infty} \alpha_k = \alpha,

  so that the probability of ever stopping at an accuracy that is not there is at most α, however many looks there are
  and however they depend on each other (they share their held-out set).
* **no gain**: the held-out error, or with the goal ``optimum`` the hypervolume of what was simulated, has not moved for
  `patience` rounds; for the optimum the surrogate must besides expect less than `min_expected_gain` from the next
  batch, and its intervals must cover what they should.
* **budget**, of simulations and of processor hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import nan
from typing import Any, Final

from dynaphase.config import CampaignConfig
from dynaphase.validation.arrays import NO_INTERVAL
from dynaphase.validation.bootstrap import AccuracyIntervals, accuracy_intervals

__all__ = ["StopReason", "Verdict", "covers_too_little", "n_final", "verdict"]

NOMINAL: Final = 0.9
"""What the intervals of a prediction are meant to cover."""

SYMBOLS: Final = {
    "stability_score": "S",
    "ionic_conductivity_S_per_cm": "σ",
    "ceramic_conductivity_S_per_cm": "σ ceramic",
    "critical_current_density_mA_per_cm2": "CCD",
}

Assessment = Mapping[str, Any]
"""What was found after one round: ``accuracy`` by target; ``held_out`` pairs by target and ``hypervolume`` if known."""


class StopReason(StrEnum):
    """Why a campaign ended."""

    ACCURACY = "accuracy"
    BUDGET = "budget"
    NO_GAIN = "no_gain"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """That a campaign is finished, and why."""

    reason: StopReason
    words: str
    """The same with its figures, to follow "stopped because"."""


def verdict(
    config: CampaignConfig, assessments: Sequence[Assessment], n_planned: float, cpu_hours: float = 0.0
) -> Verdict | None:
    """Whether a campaign is finished after its latest assessment, and why.

    Parameters
    ----------
    config : CampaignConfig
    assessments : sequence of mapping
        After round 0, 1, …: ``accuracy`` {target: {``r``, ``nrmse``, ``coverage_90``, ``coverage_interval_95``}},
        ``held_out`` {target: {``observed``, ``predicted``}} on the quoted scale, ``hypervolume`` {``observed``,
        ``expected_gain``}.  Without pairs there is no bound, so no accuracy at a confidence above ½.
    n_planned : float
        Simulations asked for so far, all roles and seeds.
    cpu_hours : float
        Processor time that they took.
    """
    stop = config.stop
    n_rounds = len(assessments) - 1
    if n_rounds >= stop.min_rounds:
        look = n_rounds - stop.min_rounds + 1
        found = _accuracy(config, assessments[-1], look) if stop.goal == "accuracy" else None
        if found is None and n_rounds >= stop.patience:
            found = (_no_better_error if stop.goal == "accuracy" else _no_better_optimum)(config, assessments)
        if found is not None:
            return found
    return _budget(config, n_planned, cpu_hours)


def n_final(config: CampaignConfig) -> int:
    """Simulations that follow the last round: confirmation of the recommendations, and their draws."""
    n_drawn = config.conclude.n_draws * (config.conclude.n_compared + 1)
    return config.rounds.n_confirm * config.design.n_replicates + n_drawn


def covers_too_little(target: Mapping[str, Any]) -> bool:
    """Whether the 90 % intervals of one target cover significantly less: their share's 95 % interval ends below.

    Intervals that are too wide are no reason to go on.
    """
    high = target.get("coverage_interval_95", NO_INTERVAL)[1]
    return high is not None and high < NOMINAL


def _confidence_of(look: int, confidence: float) -> float:
    """Confidence 1 − α/(k(k + 1)) that the k-th look, counted from 1, must show for `confidence` 1 − α over all."""
    return 1 - (1 - confidence) / (look * (look + 1))


def _accuracy(config: CampaignConfig, assessment: Assessment, look: int) -> Verdict | None:
    """Whether the accuracy is shown at the `look`-th assessment after which it may stop the campaign."""
    stop = config.stop
    accuracy = assessment["accuracy"]
    if not all(a["r"] >= stop.r and a["nrmse"] <= stop.nrmse for a in accuracy.values()):
        return None
    if any(covers_too_little(a) for a in accuracy.values()):
        return None
    how = "by the figures themselves"
    if stop.confidence > 0.5:
        confidence = _confidence_of(look, stop.confidence)
        for name in accuracy:
            bounds = _intervals(assessment, name, 2 * confidence - 1)
            if not (bounds.r[0] >= stop.r and bounds.nrmse[1] <= stop.nrmse):
                return None
        how = (
            f"with {_percent(stop.confidence)} confidence, however often it is looked at "
            f"({100 * confidence:.4g} % at this look, number {look})"
        )
    words = f"r ≥ {stop.r:g} and nRMSE ≤ {stop.nrmse:g} hold {how}: {_describe(assessment)}"
    return Verdict(StopReason.ACCURACY, words)


def _no_better_error(config: CampaignConfig, assessments: Sequence[Assessment]) -> Verdict | None:
    """The worst target's nRMSE has not fallen by `min_gain` within the last `patience` rounds."""
    stop = config.stop
    worst = [max(a["nrmse"] for a in assessed["accuracy"].values()) for assessed in assessments]
    if min(worst[-stop.patience :]) > (1.0 - stop.min_gain) * min(worst[: -stop.patience]):
        words = (
            f"the held-out error has not fallen by {_percent(stop.min_gain)} in {_rounds(stop.patience)}: "
            f"{_describe(assessments[-1])}"
        )
        return Verdict(StopReason.NO_GAIN, words)
    return None


def _no_better_optimum(config: CampaignConfig, assessments: Sequence[Assessment]) -> Verdict | None:
    """Nothing better was found, and nothing is expected by a surrogate that covers what it should."""
    stop, latest = config.stop, assessments[-1]
    sizes = [a.get("hypervolume", {}).get("observed", nan) for a in assessments[-1 - stop.patience :]]
    expected = latest.get("hypervolume", {}).get("expected_gain")
    has_gained = not max(sizes[1:]) <= (1.0 + stop.min_gain) * sizes[0]
    if has_gained or expected is None or not expected < stop.min_expected_gain:
        return None
    judged = {**latest["accuracy"], **latest.get("accuracy_further", {})}
    if any(covers_too_little(a) for a in judged.values()):
        return None
    words = (
        f"the hypervolume of S and σ has not grown by {_percent(stop.min_gain)} in {_rounds(stop.patience)}, and the "
        f"next batch is expected to add at most {_percent(expected)}, by a surrogate that covers "
        f"{_coverage(judged.values())} held-out values"
    )
    return Verdict(StopReason.NO_GAIN, words)


def _budget(config: CampaignConfig, n_planned: float, cpu_hours: float) -> Verdict | None:
    stop = config.stop
    n_next = config.rounds.n_at_once * config.design.n_replicates + n_final(config)
    if n_planned + n_next > stop.budget:
        words = f"{n_planned:g} simulations are made, and {n_next} more would exceed the budget of {stop.budget}"
        return Verdict(StopReason.BUDGET, words)
    expected = cpu_hours * (1 + n_next / max(n_planned, 1))
    if stop.cpu_hours and expected > stop.cpu_hours:
        words = (
            f"{cpu_hours:.3g} processor hours are used, and what follows would take them to {expected:.3g}, over the "
            f"{stop.cpu_hours:g} allowed"
        )
        return Verdict(StopReason.BUDGET, words)
    return None


def _intervals(assessment: Assessment, name: str, level: float) -> AccuracyIntervals:
    pairs = assessment.get("held_out", {}).get(name)
    if pairs is None:
        return AccuracyIntervals(NO_INTERVAL, NO_INTERVAL)
    return accuracy_intervals(pairs["observed"], pairs["predicted"], level)


def _describe(assessment: Assessment) -> str:
    """Figures of every judged target with their 90 % intervals."""
    parts = []
    for name, a in assessment["accuracy"].items():
        bounds = _intervals(assessment, name, 0.9)
        parts.append(
            f"{SYMBOLS.get(name, name)} nRMSE {a['nrmse']:.3f}{_range(bounds.nrmse)}, "
            f"r {_merit(a['r'])}{_range(bounds.r)}"
            + (f", coverage {_coverage([a])}" if a.get("coverage_90") is not None else "")
        )
    n = next(iter(assessment["accuracy"].values())).get("n_held_out")
    counted = f"; {n} held-out compositions" if n else ""
    return "; ".join(parts) + f" (in brackets: 90 %{counted})"


def _coverage(targets: Any) -> str:
    """The smallest share of several targets."""
    return _percent(min((a["coverage_90"] for a in targets if a.get("coverage_90") is not None), default=nan))


def _range(interval: tuple[float, float]) -> str:
    return "" if interval[0] != interval[0] else f" ({_merit(interval[0])}–{_merit(interval[1])})"


def _merit(value: float) -> str:
    """Three decimals, a correlation never rounded to certainty."""
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def _rounds(n: int) -> str:
    return f"{n} rounds" if n > 1 else "one round"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
