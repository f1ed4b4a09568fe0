r"""How sure a recommendation is, by the surrogate's own account: front, reference, draws of the whole response.

What is drawn is the *smooth* response f of all compositions jointly, so that what two predictions have in common
cancels.  The nugget, where it belongs to the mean response, is independent from composition to composition: it is added
where two compositions are compared, and left out where one is held against many, because the largest of hundreds of
independent numbers would beat anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.space import CompositionSpace
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

    Returns
    -------
    ndarray, shape (n, n_targets, n_compositions)
    """
    joint = learned.posterior(compositions, names)
    covariances = joint.covariance
    found = np.empty((n, len(names), len(compositions)))
    for t, name in enumerate(names):
        fitted = learned.surrogate.fitted[name]
        standard = rng.standard_normal((n, len(compositions)))
        drawn = joint.mean[t] + standard @ _root(covariances[t]).T
        found[:, t] = fitted.centre + fitted.scale * drawn
    return found


def probability_pareto(
    learned: Learned,
    space: CompositionSpace,
    compositions: Sequence[Composition],
    names: Sequence[str] = RECOMMENDED_FOR,
    seed: int = 0,
) -> FloatArray:
    """Probability that nothing clearly different in the region is better in every target at once, shape (n,).

    The share of `N_DRAWS` joint draws in which no rival dominates the composition.  Rivals are `N_RIVALS` compositions
    of a Sobol sequence, without those that are expected to fail, and the other compositions, as far as they are
    `SEPARATION` away: against its closest neighbours, which a laboratory could not tell from it, no composition is ever
    on the front.  More is better in all targets.
    """
    rng = np.random.default_rng(seed)
    everything = [*compositions, *learned.promising(space.sobol(N_RIVALS, seed))]
    drawn = draw_responses(learned, everything, names, N_DRAWS, rng)
    unit = space.to_unit(everything)
    found = np.empty(len(compositions))
    for i in range(len(compositions)):
        is_rival = np.linalg.norm(unit - unit[i], axis=1) >= SEPARATION
        is_better = np.all(drawn[:, :, is_rival] > drawn[:, :, i, None], axis=1)
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

       P = \Phi\left[(\mu_1 - \mu_0)/\sqrt{v_1 + v_0 - 2 c_{10}}\right],

    v the variances of both mean responses, c the covariance of what is smooth in them.  Targets are independent given
    the records.  The reference against itself counts ½.
    """
    from scipy.special import ndtr

    everything = [reference, *compositions]
    predictions, joint = learned.predict(everything), learned.posterior(everything, names)
    covariances = joint.covariance
    found: list[dict[str, float]] = [{} for _ in compositions]
    for t, name in enumerate(names):
        mean, variance = predictions[name].transformed_mean, predictions[name].transformed_std ** 2
        common = learned.surrogate.fitted[name].scale ** 2 * covariances[t, 0]
        for i, composition in enumerate(compositions, start=1):
            spread = float(np.sqrt(max(variance[0] + variance[i] - 2 * common[i], 0.0)))
            gain = float(mean[i] - mean[0])
            is_same = composition == reference or (spread == 0 and gain == 0)
            found[i - 1][name] = 0.5 if is_same else float(ndtr(gain / max(spread, 1e-300)))
    return [one | {"both": float(np.prod(list(one.values())))} for one in found]


def _root(covariance: FloatArray) -> FloatArray:
    """Lower triangular root; as little is added to the diagonal as makes it possible."""
    size = max(float(np.diag(covariance).mean()), 1e-12)
    for jitter in 10.0 ** np.arange(-10, 0):
        try:
            return np.linalg.cholesky(covariance + jitter * size * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            continue
    return np.diag(np.sqrt(np.diag(covariance).clip(0)))
