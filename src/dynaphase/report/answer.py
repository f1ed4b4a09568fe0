"""The answer at the top: which of the recommended compositions heads the report, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from dynaphase.recommend import Forecast
from dynaphase.report.evidence import BOX, CERAMIC, SCORE, Evidence
from dynaphase.training import Learned

__all__ = ["Answer", "find_answer", "probability_of_gain"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommended composition against the reference."""

    forecast: Forecast
    probabilities: Mapping[str, float]
    """Target → probability that it beats the reference when both are simulated anew; see `probability_of_gain`."""

    @property
    def probability_of_all(self) -> float:
        """Probability of a gain in S and in both σ.

        The surrogate takes the errors of S and σ as independent; both σ rise and fall together, so the less probable
        gain counts for them.  0 where there is nothing to compare with.
        """
        if not self.probabilities:
            return 0.0
        return self.probabilities[SCORE] * min(self.probabilities[BOX], self.probabilities[CERAMIC])

    @property
    def trades(self) -> tuple[str, str] | None:
        """What it gains in and what it loses in against the reference, S or σ; None where it is not one each."""
        gains = {"S": self.probabilities[SCORE] > 0.5, "σ": self.probabilities[CERAMIC] > 0.5}
        names = tuple(sorted(gains, key=lambda name: not gains[name]))
        return (names[0], names[1]) if sum(gains.values()) == 1 else None


def find_answer(evidence: Evidence) -> Answer | None:
    """The recommended composition that most probably beats the reference in S and both σ; None without a surrogate.

    Probabilities within a percentage point are ties, decided by the gains in S and log₁₀ σ of the ceramic over their
    ranges on the predicted front.
    """
    learned, reference = evidence.learned, evidence.reference_forecast
    if learned is None or not evidence.recommended:
        return None
    if reference is None:
        return Answer(evidence.recommended[0], {})
    span = (evidence.front.max(axis=0) - evidence.front.min(axis=0)).clip(1e-9)
    answers = [Answer(item, probability_of_gain(learned, evidence, item)) for item in evidence.recommended]

    def rank(answer: Answer) -> tuple[float, float]:
        predicted = answer.forecast.predictions
        gain = predicted[SCORE]["mean"] / span[0] + predicted[CERAMIC]["log10_mean"] / span[1]
        return round(answer.probability_of_all, 2), gain

    return max(answers, key=rank)


def probability_of_gain(learned: Learned, evidence: Evidence, item: Forecast) -> dict[str, float]:
    """Probability that `item` beats the reference when both are simulated with the campaign's replicates, by target.

    With the joint posterior of both responses and the variances n of their simulations,

        P = Φ[(μ₁ − μ₀)/√(c₁₁ + c₀₀ − 2c₁₀ + n₁ + n₀)]

    What the two predictions have in common cancels.  What common microstructure seeds (`design.seeds`) cancel in n is
    not counted, so P is then nearer to one half than it need be.
    """
    from scipy.special import ndtr

    targets = evidence.targets
    pair = [evidence.system.reference, item.composition]
    joint = learned.posterior(pair, targets, n_replicates=evidence.config.design.n_replicates)
    found = {}
    for name, mean, c, noise in zip(targets, joint.mean, joint.covariance, joint.noise, strict=True):
        gain = float(mean[1] - mean[0])
        spread = sqrt(max(float(c[0, 0] + c[1, 1] - 2 * c[0, 1] + noise.sum()), 0.0))
        found[name] = float(ndtr(gain / spread)) if spread > 0 else 0.5 * (1 + (gain > 0) - (gain < 0))
    return found
