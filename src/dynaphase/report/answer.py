"""The answer at the top: which of the recommended compositions heads the report, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dynaphase.probabilities import probability_beats
from dynaphase.recommend import Forecast
from dynaphase.report.evidence import CERAMIC, SCORE, Evidence
from dynaphase.training import RECOMMENDED_FOR

__all__ = ["Answer", "find_answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommended composition against the reference."""

    forecast: Forecast
    probabilities: Mapping[str, float]
    """Target, and ``both`` (S and σ of the ceramic) → probability that its mean response beats the reference's, see
    `dynaphase.probabilities.probability_beats`; empty where there is nothing to compare with."""

    @property
    def probability_of_both(self) -> float:
        """Probability of a gain in S and in σ of the ceramic; 0 where there is nothing to compare with."""
        return self.probabilities.get("both", 0.0)

    @property
    def trades(self) -> tuple[str, str] | None:
        """What it gains in and what it loses in against the reference, S or σ; None where it is not one each."""
        gains = {"S": self.probabilities[SCORE] > 0.5, "σ": self.probabilities[CERAMIC] > 0.5}
        names = tuple(sorted(gains, key=lambda name: not gains[name]))
        return (names[0], names[1]) if sum(gains.values()) == 1 else None


def find_answer(evidence: Evidence) -> Answer | None:
    """The recommended composition that most probably beats the reference in S and σ of the ceramic at once.

    None without a surrogate.  Probabilities within a percentage point are ties, decided by the gains in S and log₁₀ σ
    of the ceramic over their ranges on the predicted front.
    """
    learned = evidence.learned
    if learned is None or not evidence.recommended:
        return None
    if evidence.reference_forecast is None:
        return Answer(evidence.recommended[0], {})
    span = (evidence.front.max(axis=0) - evidence.front.min(axis=0)).clip(1e-9)
    reference, compositions = evidence.system.reference, [item.composition for item in evidence.recommended]
    found = [dict(one) for one in probability_beats(learned, reference, compositions)]
    for name in evidence.targets:
        if name not in RECOMMENDED_FOR:
            for known, one in zip(found, probability_beats(learned, reference, compositions, [name]), strict=True):
                known[name] = one[name]
    answers = [Answer(item, known) for item, known in zip(evidence.recommended, found, strict=True)]

    def rank(answer: Answer) -> tuple[float, float]:
        predicted = answer.forecast.predictions
        gain = predicted[SCORE]["mean"] / span[0] + predicted[CERAMIC]["log10_mean"] / span[1]
        return round(answer.probability_of_both, 2), gain

    return max(answers, key=rank)
