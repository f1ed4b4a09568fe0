"""DynaPhase's own way of deciding: surrogate, acquisition, and what failures teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np

from decisions.inputs import Inputs
from decisions.landscape import FloatArray
from decisions.strategies import N_INITIAL, first_random
from dynaphase.acquisition import Goal, Objective, Pool, acquisition_from_name
from dynaphase.first_design import promising
from dynaphase.surrogate import JointPosterior, Surrogate, SurrogateOptions, fit_surrogate
from dynaphase.surrogate.feasibility import Feasibility, fit_feasibility


@dataclass(frozen=True)
class Steered:
    """Surrogate on one kind of inputs, candidates by one acquisition.

    Parameters
    ----------
    acquisition : str
        As in a configuration; ``random`` gives the surrogate without the steering; ``hypervolume`` of one objective is
        ``expected-improvement``.
    inputs : str
        ``fractions``, ``coordinates`` or ``phases``; ``best`` is phases where there are any.
    n_initial : int
        Random evaluations before the first decision.
    has_trend : bool
        Whether the surrogate is linear in the closed-form estimates among the phases.
    begins : {"random", "estimates"}
        ``estimates``: half of the first design, rounded up, is what closed forms take for the best, if there are any.
    """

    name: str
    acquisition: str
    inputs: str = "best"
    n_initial: int = N_INITIAL
    has_trend: bool = True
    begins: Literal["random", "estimates"] = "random"

    def start(self, inputs: Inputs, seed: int) -> SteeredPlayer:
        kind = ("phases" if inputs.offers("phases") else "fractions") if self.inputs == "best" else self.inputs
        return SteeredPlayer(self, inputs, kind, seed)


@dataclass
class SteeredPlayer:
    """One campaign of ours."""

    strategy: Steered
    inputs: Inputs
    kind: str
    seed: int
    asked: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    runs: list[FloatArray] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    _fitted: tuple[int, Surrogate] | None = None

    def ask(self, n: int) -> list[int]:
        n = min(n, self.inputs.landscape.n - len(self.asked))
        is_blind = self.strategy.acquisition == "random"
        if is_blind or len(self.asked) < self.strategy.n_initial or len(self.rows) < 2:
            taken = set(self.asked)
            chosen = [i for i in self._first() if i not in taken][:n]
        else:
            acquisition = acquisition_from_name(self._acquisition())
            posterior = self._posterior() if acquisition.needs_posterior else None
            pool = Pool(
                self.inputs.at("pool", self.kind),
                posterior,
                simulated=self.rows,
                failed=self.failed,
                feasibility=self.feasibility().probability(self.inputs.at("pool", self.kind)) if self.failed else None,
                goal=self._goal(),
            )
            rng = np.random.default_rng([self.seed, len(self.asked)])
            chosen = [int(i) for i in acquisition.select(pool, n, rng)]
        self.asked += chosen
        return chosen

    def _first(self) -> list[int]:
        """What to begin with, in order."""
        blind = first_random(self.inputs.landscape.n, self.seed)
        if self.strategy.begins == "random" or not self.inputs.offers("phases"):
            return blind
        estimates = self.inputs.estimates("pool", self._goal())
        return [*promising(estimates, ceil(self.strategy.n_initial / 2)), *blind] if estimates.shape[1] else blind

    def tell(self, indices: Sequence[int], values: FloatArray) -> None:
        for index, row in zip(indices, values, strict=True):
            if np.isfinite(row).all():
                self.rows.append(index)
                # As in a campaign, the runs themselves become records: that is how their scatter is known.
                self.runs.append(row[None] if self.inputs.landscape.is_noisy else self.inputs.landscape.runs(index))
            else:
                self.failed.append(index)

    def predict(self, place: str) -> tuple[FloatArray, FloatArray]:
        predictions = self._surrogate().predict(self.inputs.at(place, self.kind))
        found = [predictions[objective.name] for objective in self.inputs.landscape.objectives]
        is_one_run = self.inputs.landscape.judges[place].is_one_run
        means = [p.transformed_mean for p in found]
        stds = [p.predictive_std if is_one_run else p.transformed_std for p in found]
        return np.column_stack(means), np.column_stack(stds)

    def feasibility(self) -> Feasibility:
        """Probability of success, from what succeeded and what failed."""
        X = self.inputs.at("pool", self.kind)[[*self.rows, *self.failed]]
        return fit_feasibility(X, np.arange(len(X)) < len(self.rows), seed=self.seed)

    def _acquisition(self) -> str:
        """One objective has no trade-off: its improvement is what is looked for."""
        has_one = len(self.inputs.landscape.objectives) == 1
        return (
            "expected-improvement"
            if has_one and self.strategy.acquisition == "hypervolume"
            else self.strategy.acquisition
        )

    def _surrogate(self) -> Surrogate:
        if self._fitted is None or self._fitted[0] != len(self.rows):
            X = self.inputs.at("pool", self.kind)[np.repeat(self.rows, [len(runs) for runs in self.runs])]
            targets = [objective.target for objective in self.inputs.landscape.objectives]
            options = SurrogateOptions(trend=self.inputs.trend(self.kind) if self.strategy.has_trend else ())
            self._fitted = (len(self.rows), fit_surrogate(X, np.vstack(self.runs), targets, self.seed, options))
        return self._fitted[1]

    def _posterior(self) -> JointPosterior:
        return self._surrogate().posterior(self.inputs.at("pool", self.kind))

    def _goal(self) -> Goal:
        return Goal(
            tuple(Objective(o.name, "max" if o.is_maximised else "min") for o in self.inputs.landscape.objectives)
        )
