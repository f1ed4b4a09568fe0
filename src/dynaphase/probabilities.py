r"""How sure a recommendation is, by the surrogate's own account: front, reference, draws of the whole response.

What is drawn is the *smooth* response f of all compositions jointly, so that what two predictions have in common
cancels.  The nugget, where it belongs to the mean response (misfit), is independent from composition to composition, so
that it is part of what is not known of the composition in question, and is added to it, as in its interval.  Where it
is compared with one other composition that one has its own too.  Rivals of a whole region have none: the largest of
hundreds of independent numbers would beat anything, and the more rivals are tried the more surely, so that the answer
would be one about their number.  A rival stands for its surroundings, over which misfit averages out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import JointPosterior
from dynaphase.surrogate.gaussian import symmetric_roots
from dynaphase.training import RECOMMENDED_FOR, Learned

__all__ = ["SEPARATION", "draw_responses", "probability_beats", "probability_pareto"]

FloatArray = npt.NDArray[np.float64]

SEPARATION: Final = 0.06
"""Least distance of two clearly different compositions, in units of the edges of the region."""

N_DRAWS: Final = 1000

N_RIVALS: Final = 256
"""Compositions of the region that a recommendation is held against."""


def draw_responses(
    learned: Learned, compositions: Sequence[Composition], names: Sequence[str], n: int, rng: np.random.Generator
) -> FloatArray:
    """`n` draws of the smooth responses from their joint posterior, on the scale z of each target.

    Targets that are modelled together are drawn together.

    Returns
    -------
    ndarray, shape (n, n_targets, n_compositions)
    """
    joint = learned.posterior(compositions, names)
    drawn = joint.draw(n, rng)
    for t, name in enumerate(names):
        fitted = learned.surrogate.fitted[name]
        drawn[:, t] = fitted.centre + fitted.scale * drawn[:, t]
    return drawn


def probability_pareto(
    learned: Learned,
    space: CompositionSpace,
    compositions: Sequence[Composition],
    names: Sequence[str] = RECOMMENDED_FOR,
    seed: int = 0,
) -> FloatArray:
    """Probability that nothing clearly different in the region is better in every target at once, shape (n,).

    The share of `N_DRAWS` joint draws in which no rival's smooth response dominates the composition's mean response,
    misfit included.  Rivals are `N_RIVALS` compositions
    of a Sobol sequence, without those that are expected to fail, and the other compositions, as far as they are
    `SEPARATION` away: against its closest neighbours, which a laboratory could not tell from it, no composition is ever
    on the front.  More is better in all targets.
    """
    rng = np.random.default_rng(seed)
    everything = [*compositions, *learned.promising(space.sobol(N_RIVALS, seed))]
    drawn = draw_responses(learned, everything, names, N_DRAWS, rng)
    fitted = [learned.surrogate.fitted[name] for name in names]
    X = learned.inputs(compositions)
    misfit = np.array([one.scale * one.recalibration.at(X) * np.sqrt(one.misfit) for one in fitted])
    own = drawn[:, :, : len(compositions)] + misfit * rng.standard_normal((N_DRAWS, len(names), len(compositions)))
    unit = space.to_unit(everything)
    found = np.empty(len(compositions))
    for i in range(len(compositions)):
        is_rival = np.linalg.norm(unit - unit[i], axis=1) >= SEPARATION
        is_better = np.all(drawn[:, :, is_rival] > own[:, :, i, None], axis=1)
        n_free = N_DRAWS - np.count_nonzero(np.any(is_better, axis=1))
        found[i] = (n_free + 0.5) / (N_DRAWS + 1)  # no number of draws makes certain
    return found


def probability_beats(
    learned: Learned,
    reference: Composition,
    compositions: Sequence[Composition],
    names: Sequence[str] = RECOMMENDED_FOR,
) -> list[dict[str, float]]:
    r"""Probability that the mean response of each composition beats the reference's, by target, and in all (``both``).

    .. math::

       P_t = \Phi(g_t), \qquad g_t = (\mu_1 - \mu_0)/\sqrt{v_1 + v_0 - 2 c_{10}},

    v the variances of both mean responses, c the covariance of what is smooth in them.  With targets that are
    independent given the records ``both`` is :math:`\prod_t P_t`; where they are modelled together it is
    :math:`\Phi_R(g)`, the distribution function of the standard normal with the correlation R of the differences
    (doi:10.1080/10618600.1992.10477010).  The reference against itself counts ½ in each target.
    """
    from scipy.special import ndtr

    everything = [reference, *compositions]
    predictions, joint = learned.predict(everything), learned.posterior(everything, names)
    to_reference = joint.between([0], np.arange(len(everything)))[:, 0]
    gains, spreads = np.zeros((2, len(names), len(compositions)))
    for t, name in enumerate(names):
        mean, variance = predictions[name].transformed_mean, predictions[name].transformed_std ** 2
        common = learned.surrogate.fitted[name].scale ** 2 * to_reference[t]
        gains[t] = mean[1:] - mean[0]
        spreads[t] = np.sqrt((variance[0] + variance[1:] - 2 * common[1:]).clip(0))
    scaled = gains / np.maximum(spreads, 1e-300)
    correlation = _correlation_of_differences(joint) if joint.is_correlated else None
    found = []
    for i, composition in enumerate(compositions):
        is_same = (composition == reference) | ((spreads[:, i] == 0) & (gains[:, i] == 0))
        each = np.where(is_same, 0.5, ndtr(scaled[:, i]))
        both = float(np.prod(each))
        if correlation is not None and not is_same.any():
            both = _all_positive(scaled[:, i], correlation[i])
        found.append(dict(zip(names, each.tolist(), strict=True)) | {"both": both})
    return found


def _correlation_of_differences(joint: JointPosterior) -> FloatArray:
    """Correlation (n, t, t) between the targets' differences of mean responses, candidates 1 … n against candidate 0.

    The misfit of each target is its own: it widens the differences and takes no part in their covariance.
    """
    assert joint.scales is not None
    each = joint.whole_at()
    with_first = joint.whole_between([0], np.arange(joint.n_candidates))[:, 0].transpose(2, 0, 1)  # n, t at 0, t at i
    covariance = each + each[0] - with_first - with_first.transpose(0, 2, 1)
    roots = symmetric_roots(covariance[1:])  # squared again: without what rounding took below zero
    covariance = roots @ roots + 2 * np.diag([scale.misfit for scale in joint.scales])
    spread = np.sqrt(np.einsum("ntt->nt", covariance).clip(1e-300))
    return np.asarray(covariance / (spread[:, :, None] * spread[:, None, :]))


def _all_positive(scaled: FloatArray, correlation: FloatArray) -> float:
    """Probability that scaled + ε > 0 in every place, ε standard normal (t,) with that correlation (t, t)."""
    from scipy.stats import multivariate_normal

    normal = multivariate_normal(np.zeros(len(scaled)), correlation, allow_singular=True, seed=0)
    return float(np.clip(normal.cdf(scaled.clip(-40, 40)), 0.0, 1.0))
