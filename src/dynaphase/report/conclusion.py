"""What the end of a campaign says of itself: why it stopped, how sure it is and where, what it saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dynaphase.assessment import strata_of
from dynaphase.failures import describe_failures
from dynaphase.report.evidence import Evidence
from dynaphase.report.illustration import NAME_OF
from dynaphase.validation.strata import LEAST_IN_STRATUM, Coverage, coverage_of

__all__ = [
    "STRATA",
    "SavingRow",
    "coverage_by_strata",
    "failing_sentences",
    "saving_rows",
    "stopped_sentence",
    "strata_that_are_too_small",
]

STRATA: Final = {
    "all": "all",
    "line": "on the line, |δ| ≤ 0.05",
    "off_line": "off the line",
    "edge": "edge, outermost quarter",
    "noisy": "noisiest quarter",
}
"""Parts of the held-out set, in the order of the table."""

_STOPPED: Final = {
    "accuracy": "It stopped because the accuracy that was asked for is reached",
    "budget": "It stopped because its budget is used up",
    "no_gain": "It stopped because further simulations no longer gained anything",
}


@dataclass(frozen=True, slots=True)
class SavingRow:
    """One answer to what random search would have needed."""

    question: str
    n_campaign: float
    times: str
    """The ratio in words."""
    interval: str
    counted: str
    """What the compositions of the campaign were."""
    method: str
    note: str


def stopped_sentence(status: Mapping[str, Any]) -> str:
    """Why the campaign ended, with the figures where the journal has them."""
    reason = status["stopped_because"]
    if reason == "interrupted":
        return "It was interrupted and can go on."
    if reason is None:
        return "It is not finished and can go on."
    words = status.get("stopped_in_words")
    return _STOPPED[reason] + (f": {words}.".replace(" %", "\u00a0%") if words else ".")


def failing_sentences(status: Mapping[str, Any]) -> str:
    """What fails, where, how well that is recognised, what is not tried, what was ended early; may be empty."""
    lines = describe_failures(status.get("failing", {}))
    if n := status.get("n_stopped_early", 0):
        lines.append(f"{n} simulations were ended early, far behind the best: of these only what was known is learned")
    return " ".join(f"{line[0].upper()}{line[1:]}." for line in lines)


def coverage_by_strata(evidence: Evidence) -> dict[str, dict[str, Coverage]]:
    """Coverage of the 90 % intervals by target and stratum; strata with too few compositions are left out."""
    if evidence.learned is None:
        return {}
    learned, space = evidence.learned, evidence.space
    return {
        name: coverage_of(comparison.z_scores, strata_of(learned, name, space))
        for name, comparison in learned.comparisons.items()
    }


def strata_that_are_too_small(coverage: Mapping[str, Mapping[str, Coverage]]) -> str:
    """Names of the strata that no target has enough compositions in; empty if there are none."""
    shown = {stratum for by_stratum in coverage.values() for stratum in by_stratum}
    missing = [name for stratum, name in STRATA.items() if stratum not in shown]
    return f"Fewer than {LEAST_IN_STRATUM} held-out compositions: {'; '.join(missing)}." if missing else ""


def saving_rows(evidence: Evidence) -> list[SavingRow]:
    """What random search would have needed, from the journal of a finished campaign."""
    return [_saving_row(saving) for saving in evidence.status.get("saved", [])]


def _saving_row(saving: Mapping[str, Any]) -> SavingRow:
    is_optimum, ratio = saving["target"] == "optimum", saving["ratio"]
    times, interval = "cannot be said", ""
    if ratio is not None:
        low, high = (f"{end:.1f}" for end in saving["ratio_interval_90"])
        times = f"more than ×{ratio:.1f}" if saving["is_bound"] else f"×{ratio:.1f}"
        interval = f"at least {low}" if saving["is_bound"] else f"{low} to {high}"
        interval += " or more" if saving["has_open_end"] and not saving["is_bound"] else ""
    return SavingRow(
        "compositions as good" if is_optimum else f"the accuracy of {NAME_OF[saving['target']]}",
        saving["n_campaign"],
        times,
        interval,
        "asked for" if is_optimum else "learned from",
        saving["method"],
        saving["note"],
    )
