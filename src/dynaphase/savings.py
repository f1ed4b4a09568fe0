r"""What random search would have needed for what a campaign has found.

**Best compositions.**  The end is the hypervolume of S and log₁₀ σ of the ceramic over everything that was simulated.
The smooth responses of these compositions and of a pool of the region are drawn jointly from the final surrogate; in
each draw, random orders of the pool are followed until their hypervolume is as large.  A draw gives the median over the
orders, the draws give the interval: it holds what the surrogate does not know, not the luck of a single search.

**Accuracy.**  Surrogates are fitted to random subsets of the first random design and judged on the same held-out
compositions.  With the power law :math:`e = a\,n^{-b}` through their errors, random search has the final error at
:math:`n = (a/e)^{1/b}`.  The interval is a bootstrap over subsets and held-out compositions.

A composition counts as one where it is simulated at the level of fidelity that counts; at a lower level it counts by
its cost relative to that, as in the budget (`dynaphase.levels`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import fsum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.assessment import N_KNOWN, front_runners, reference_point, simulated_responses
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.levels import costs_of, level_value, measured_costs
from dynaphase.pareto import hypervolume
from dynaphase.probabilities import draw_responses
from dynaphase.rounds import Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import SurrogateOptions, compare, fit_surrogate
from dynaphase.training import RECOMMENDED_FOR, Learned, Table

__all__ = ["Saving", "random_search_length", "saved_for_accuracy", "saved_for_optimum"]

FloatArray = npt.NDArray[np.float64]

N_POOL: Final = 1000
"""Length at which a random search is given up, less what is expected to fail."""

N_DRAWS: Final = 40
N_ORDERS: Final = 15

SUBSET_SHARES: Final = (0.35, 0.5, 0.7, 1.0)
N_SUBSETS: Final = 4
N_BOOTSTRAP: Final = 400
FURTHEST: Final = 10.0
"""How far beyond the first design its learning curve is believed."""

LEAST_FIRST: Final = 12
"""Fewer random compositions than this carry no learning curve."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What a campaign took and what random search would have needed for the same, in compositions at the top level.

    `n_random`, `ratio` and their 90 % intervals are None where nothing can be said, and `note` tells why.  Where
    `is_bound`, the search was given up: more than that; where `has_open_end`, this holds for the upper end alone.
    """

    target: str
    """``optimum``, or the name of the target whose accuracy counts."""
    method: str
    n_campaign: float
    """Lower levels of fidelity count by their cost, so that it need not be whole; whole numbers are ``int``."""
    n_random: float | None = None
    n_random_interval_90: tuple[float, float] | None = None
    is_bound: bool = False
    has_open_end: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """n_random over n_campaign: above 1, the campaign saved."""
        return None if self.n_random is None else self.n_random / self.n_campaign

    @property
    def ratio_interval_90(self) -> tuple[float, float] | None:
        """Its interval."""
        if self.n_random_interval_90 is None:
            return None
        low, high = self.n_random_interval_90
        return low / self.n_campaign, high / self.n_campaign

    def to_json(self) -> dict[str, Any]:
        """As JSON types, both ratios included."""
        intervals = {"n_random_interval_90": self.n_random_interval_90, "ratio_interval_90": self.ratio_interval_90}
        lists = {name: None if value is None else list(value) for name, value in intervals.items()}
        return asdict(self) | {"ratio": self.ratio} | lists


def saved_for_optimum(
    learned: Learned,
    plans: Sequence[Plan],
    config: CampaignConfig,
    space: CompositionSpace,
    failed: Collection[Composition] = (),
) -> Saving:
    """Compositions that random search needs for the campaign's final hypervolume.

    Everything that the campaign asked for counts on its side, by its cost: held-out, reference, confirmation and failed
    ones.  A random search is followed at the top level among compositions that are expected to succeed, and charged the
    share of failures of the campaign's own random compositions: the held-out ones, and those of the first design unless
    closed forms chose half of it.

    Parameters
    ----------
    learned : Learned
        The final surrogate.
    plans : sequence of Plan
        All rounds.
    config : CampaignConfig
    space : CompositionSpace
    failed : collection of Composition
        Those all of whose simulations failed.
    """
    inside = [composition for composition in simulated_responses(learned)[0] if space.contains(composition)]
    known = front_runners(learned, inside, N_KNOWN)
    reference = reference_point(learned, plans)
    method = (
        "random orders on draws of the final surrogate, until the hypervolume of S and log₁₀ σ over "
        f"({reference[0]:.3g}, {reference[1]:.3g}), the medians of the first design, is as large"
    )
    costs = _costs(learned, plans, config, space)
    entries = {(entry.composition, entry.level) for plan in plans for entry in plan.entries}
    saving = Saving("optimum", method + _by_cost(config), _counted(costs[level] for _, level in entries))
    rng = np.random.default_rng(config.seed)
    pool = learned.promising(space.sobol(N_POOL, config.seed))
    drawn = draw_responses(learned, [*known, *pool], RECOMMENDED_FOR, N_DRAWS, rng)
    score = learned.surrogate.fitted[RECOMMENDED_FOR[0]].target.transform
    values = np.stack([score.inverse(drawn[:, 0]), drawn[:, 1]], axis=-1)
    lengths = np.array([_median_length(v[: len(known)], v[len(known) :], reference, rng) for v in values])
    if not np.isfinite(lengths).any():
        return replace(saving, note="no draw of the surrogate has anything beyond the first design's medians")
    lengths = lengths[np.isfinite(lengths)]
    random_roles = (Role.HELD_OUT,) if config.design.method == "estimates" else (Role.INITIAL, Role.HELD_OUT)
    random_ones = {c for plan in plans for c, role in plan.asked if role in random_roles}
    share_failed = min(0.95, sum(c in failed for c in random_ones) / max(len(random_ones), 1))
    low, middle, high = np.quantile(lengths, [0.05, 0.5, 0.95])
    return replace(
        saving,
        n_random=float(middle / (1 - share_failed)),
        n_random_interval_90=(float(low / (1 - share_failed)), float(high / (1 - share_failed))),
        is_bound=bool(middle >= len(pool)),
        has_open_end=bool(high >= len(pool)),
        note=f"{100 * share_failed:.0f} % of random compositions fail" if share_failed else "",
    )


def random_search_length(values: FloatArray, wanted: float, reference: FloatArray) -> int:
    """How many of the first rows of `values` (n, 2) have a hypervolume of at least `wanted`; n where none have.

    Found by bisection, since the hypervolume of the first k never falls with k.
    """
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        if hypervolume(values[:middle], reference) < wanted:
            low = middle
        else:
            high = middle
    return high


def _median_length(found: FloatArray, pool: FloatArray, reference: FloatArray, rng: np.random.Generator) -> float:
    """Median over random orders in one draw; NaN where the campaign's own hypervolume is zero."""
    wanted = hypervolume(found, reference)
    if wanted <= 0:
        return float("nan")
    if hypervolume(pool, reference) < wanted:
        return float(len(pool))
    return float(np.median([random_search_length(rng.permutation(pool), wanted, reference) for _ in range(N_ORDERS)]))


def saved_for_accuracy(
    learned: Learned, plans: Sequence[Plan], config: CampaignConfig, names: Sequence[str]
) -> list[Saving]:
    """Compositions to learn from that random search needs for the campaign's held-out error, one a target.

    Both sides count the levels of fidelity of what they learn from by cost; random search has the first design's mix.
    """
    first = {composition for composition, role in plans[0].asked if role is Role.INITIAL}
    rows = np.array([composition in first for composition in learned.training.compositions])
    available = list(
        dict.fromkeys(c for c, is_first in zip(learned.training.compositions, rows, strict=True) if is_first)
    )
    method = "power law through the held-out errors of random subsets of the first design" + _by_cost(config)
    costs = {
        level_value(config, level): cost
        for level, cost in _costs(learned, plans, config, learned.features.space).items()
    }
    n_learned = _counted(_costs_of_rows(learned.training, np.ones(len(rows), dtype=bool), costs))
    savings = [Saving(name, method, n_learned) for name in names]
    if config.design.method != "random":
        return [replace(s, note="the first design is not random") for s in savings]
    if len(available) < LEAST_FIRST:
        note = f"the first design has {len(available)} compositions, and a learning curve needs {LEAST_FIRST}"
        return [replace(s, note=note) for s in savings]
    sizes, squares = _subset_errors(learned, available, config, names, costs)
    found = []
    for t, saving in enumerate(savings):
        comparison = learned.comparisons[saving.target]
        observed, predicted = comparison.on_quoted_scale()
        found.append(_from_curve(saving, sizes, squares[:, :, t], (observed - predicted) ** 2))
    return found


def _costs(
    learned: Learned, plans: Sequence[Plan], config: CampaignConfig, space: CompositionSpace
) -> dict[str | None, float]:
    """Cost of a simulation at each level relative to the top: as stated, or as the first design measured it."""
    records = {} if learned.prospects is None else learned.prospects.records
    first = {candidate.key for candidate in plans[0].candidates(config, space.system.name)}
    measured = measured_costs(config, [record for key, record in records.items() if key in first])
    return costs_of(config, [{"costs": measured}])


def _costs_of_rows(table: Table, rows: npt.NDArray[np.bool_], costs: Mapping[float, float]) -> list[float]:
    """Cost of each composition at each level among some rows of a table."""
    chosen = {(table.compositions[row], table.levels[row]) for row in np.flatnonzero(rows)}
    return [costs[level] for _, level in chosen]


def _counted(costs: Iterable[float]) -> float:
    """Sum of costs to a tenth; an integer where it is whole."""
    total = round(fsum(costs), 1)
    return int(total) if total.is_integer() else total


def _by_cost(config: CampaignConfig) -> str:
    return "; lower levels of fidelity count by their cost" if config.fidelity.levels else ""


def _subset_errors(
    learned: Learned,
    available: Sequence[Composition],
    config: CampaignConfig,
    names: Sequence[str],
    costs: Mapping[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Mean cost (k,) and squared held-out errors (k, subsets, targets, held-out) of k sizes, on the quoted scale."""
    rng = np.random.default_rng(config.seed)
    targets = list(learned.surrogate.targets)
    columns = [[target.name for target in targets].index(name) for name in names]
    chosen = [targets[column] for column in columns]
    options = SurrogateOptions(
        trend=learned.features.trend if config.surrogate.trend else (),
        recalibrate=False,
        level_column=len(learned.features.names) if learned.has_levels else None,
    )
    sizes = sorted({max(6, round(share * len(available))) for share in SUBSET_SHARES})
    compositions = learned.training.compositions
    squares, taken = [], []
    for size in sizes:
        of_size, spent = [], []
        for _ in range(N_SUBSETS if size < len(available) else 1):
            subset = {available[index] for index in rng.permutation(len(available))[:size]}
            rows = np.array([composition in subset for composition in compositions])
            spent.append(fsum(_costs_of_rows(learned.training, rows, costs)))
            surrogate = fit_surrogate(
                learned.training.X[rows], learned.training.Y[rows][:, columns], chosen, config.seed, options
            )
            found = compare(surrogate, learned.held_out.X, learned.held_out.Y[:, columns])
            of_size.append([np.subtract(*found[name].on_quoted_scale()) ** 2 for name in names])
        of_size += of_size[:1] * (N_SUBSETS - len(of_size))
        squares.append(of_size)
        taken.append(float(np.mean(spent)))
    return np.array(taken), np.array(squares)


def _from_curve(saving: Saving, sizes: FloatArray, squares: FloatArray, final: FloatArray) -> Saving:
    """Where the curve of the subsets' errors (k, subsets, held-out) reaches that of `final` (held-out,).

    The last of the `sizes` (k,) is that of the whole first design.
    """
    rng = np.random.default_rng(0)
    n_subsets, n_held_out = squares.shape[1:]
    if len(final) != n_held_out:
        return replace(saving, note="some held-out compositions have no usable value")
    found, slopes, furthest = [], [], FURTHEST * sizes[-1]
    for b in range(N_BOOTSTRAP + 1):
        rows = rng.integers(n_held_out, size=n_held_out) if b else np.arange(n_held_out)
        picked = np.array([rng.integers(n_subsets, size=n_subsets) if b else np.arange(n_subsets) for _ in sizes])
        errors = np.array([np.log(squares[k][picked[k]][:, rows].mean(axis=1)).mean() / 2 for k in range(len(sizes))])
        slope, start = np.polyfit(np.log(sizes), errors, 1)
        wanted = np.log(final[rows].mean()) / 2
        slopes.append(-slope)
        found.append(min(np.exp(min((start - wanted) / -slope, 50.0)), furthest) if slope < 0 else furthest)
    low, high = np.quantile(found[1:], [0.05, 0.95])
    if np.quantile(slopes[1:], 0.05) <= 0:
        return replace(saving, note="the error of the random subsets does not clearly fall with their size")
    return replace(
        saving,
        n_random=float(found[0]),
        n_random_interval_90=(float(low), float(high)),
        is_bound=bool(found[0] >= furthest),
        has_open_end=bool(high >= furthest),
    )
