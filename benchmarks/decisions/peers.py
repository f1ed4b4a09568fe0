"""Others to be compared with, used as their users would: scikit-learn's Gaussian process and Optuna's TPE."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from decisions.inputs import Inputs
from decisions.landscape import FloatArray
from decisions.strategies import N_INITIAL, first_random, nearest_free


def missing_peers() -> dict[str, str]:
    """Peers that are not installed: name of the strategy → what to install."""
    needed = {"sklearn": "scikit-learn", "sklearn-variance": "scikit-learn", "optuna-tpe": "optuna"}
    modules = {"scikit-learn": "sklearn", "optuna": "optuna"}
    return {name: package for name, package in needed.items() if find_spec(modules[package]) is None}


@dataclass(frozen=True)
class ScikitLearn:
    """One Gaussian process a target (Matérn 5/2 with a length per fraction, white noise) on plain fractions.

    ``improvement``: expected improvement of a scalar: augmented Chebyshev with random weights at every step
    (ParEGO, doi:10.1109/TEVC.2005.851274), the one objective if there is one.  ``variance``: the sum of the predicted
    variances.  Failures are left out of the fit and never chosen again.
    """

    name: str = "sklearn"
    rule: str = "improvement"
    n_initial: int = N_INITIAL

    def start(self, inputs: Inputs, seed: int) -> ScikitLearnPlayer:
        return ScikitLearnPlayer(self, inputs, seed)


@dataclass
class ScikitLearnPlayer:
    """One campaign with scikit-learn."""

    strategy: ScikitLearn
    inputs: Inputs
    seed: int
    asked: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    z: list[FloatArray] = field(default_factory=list)

    def ask(self, n: int) -> list[int]:
        n = min(n, self.inputs.landscape.n - len(self.asked))
        if len(self.z) < 2 or len(self.asked) < self.strategy.n_initial:
            taken = set(self.asked)
            chosen = [i for i in first_random(self.inputs.landscape.n, self.seed) if i not in taken][:n]
        else:
            chosen = self._best(n)
        self.asked += chosen
        return chosen

    def tell(self, indices: Sequence[int], values: FloatArray) -> None:
        targets = [objective.target for objective in self.inputs.landscape.objectives]
        for index, row in zip(indices, values, strict=True):
            if np.isfinite(row).all():
                self.rows.append(index)
                self.z.append(np.array([t.transform.forward(v) for t, v in zip(targets, row, strict=True)]))

    def predict(self, place: str) -> tuple[FloatArray, FloatArray]:
        is_one_run = self.inputs.landscape.judges[place].is_one_run
        return self._moments(self._fits(), self.inputs.at(place, "fractions"), is_one_run)

    def _fits(self) -> list[tuple[Any, float, float]]:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        X, Z = self.inputs.at("pool", "fractions")[self.rows], np.array(self.z)
        fits = []
        for column in Z.T:
            centre, scale = float(column.mean()), float(column.std()) or 1.0
            covariance = ConstantKernel() * Matern(np.full(X.shape[1], 0.5), nu=2.5) + WhiteKernel(0.01, (1e-6, 1.0))
            model = GaussianProcessRegressor(covariance, n_restarts_optimizer=1, random_state=self.seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # optimiser and bounds: there is no other rung to fall back to
                model.fit(X, (column - centre) / scale)
            fits.append((model, centre, scale))
        return fits

    @staticmethod
    def _moments(
        fits: list[tuple[Any, float, float]], X: FloatArray, of_runs: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        means, stds = [], []
        for model, centre, scale in fits:
            mean, std = model.predict(X, return_std=True)
            means.append(centre + scale * mean)
            # The white noise is part of the predicted spread of a run; the mean response is known better by it.
            noise = 0.0 if of_runs else model.kernel_.k2.noise_level
            stds.append(scale * np.sqrt(np.clip(std**2 - noise, 1e-12, None)))
        return np.column_stack(means), np.column_stack(stds)

    def _best(self, n: int) -> list[int]:
        mean, std = self._moments(self._fits(), self.inputs.at("pool", "fractions"))
        free = np.ones(self.inputs.landscape.n, dtype=bool)
        free[self.asked] = False
        rng = np.random.default_rng([self.seed, len(self.asked)])
        chosen: list[int] = []
        for _ in range(n):
            if self.strategy.rule == "variance":
                score = ((std / np.std(np.array(self.z), axis=0)) ** 2).sum(axis=1)
            else:
                score = self._improvement(mean, std, rng)
            chosen.append(int(np.argmax(np.where(free, score, -np.inf))))
            free[chosen[-1]] = False
        return chosen

    def _improvement(self, mean: FloatArray, std: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Expected improvement of a randomly weighted Chebyshev scalar, by 32 draws; closed form for one objective."""
        from scipy.stats import norm

        signs = np.array([1.0 if o.is_maximised else -1.0 for o in self.inputs.landscape.objectives])
        known, scale = signs * np.array(self.z), np.std(np.array(self.z), axis=0) + 1e-12
        if len(signs) == 1:
            gap = (signs * mean)[:, 0] - known.max()
            u = gap / std[:, 0]
            return np.asarray(gap * norm.cdf(u) + std[:, 0] * norm.pdf(u))
        weights = rng.dirichlet(np.ones(len(signs)))
        low = known.min(axis=0)

        def scalar(z: FloatArray) -> FloatArray:
            share = (signs * z - low) / scale * weights
            return np.asarray(share.min(axis=-1) + 0.05 * share.sum(axis=-1))

        draws = mean + std * rng.standard_normal((32, 1, len(signs)))
        return np.asarray(np.maximum(scalar(draws) - scalar(np.array(self.z)).max(), 0).mean(axis=0))


@dataclass(frozen=True)
class OptunaTPE:
    """Optuna's TPE, multi-objective; fractions as its FAQ advises: −log of uniform numbers, normalised.

    A suggestion becomes the nearest candidate that is left; a failure is told as a failed trial.
    """

    name: str = "optuna-tpe"
    n_initial: int = N_INITIAL

    def start(self, inputs: Inputs, seed: int) -> OptunaPlayer:
        return OptunaPlayer(self, inputs, seed)


class OptunaPlayer:
    """One campaign with Optuna."""

    def __init__(self, strategy: OptunaTPE, inputs: Inputs, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.inputs = inputs
        objectives = inputs.landscape.objectives
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # multivariate is marked experimental
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=strategy.n_initial, multivariate=True)
        self.study = optuna.create_study(
            directions=["maximize" if o.is_maximised else "minimize" for o in objectives], sampler=sampler
        )
        self.free = np.ones(inputs.landscape.n, dtype=bool)
        self.low = inputs.landscape.fractions.min(axis=0)
        self.first = first_random(inputs.landscape.n, seed)[: strategy.n_initial]
        self.trials: dict[int, Any] = {}

    def ask(self, n: int) -> list[int]:
        chosen = []
        for _ in range(min(n, int(self.free.sum()))):
            if self.first:
                self.study.enqueue_trial(self._parameters(self.first[0]))
            trial = self.study.ask()
            k = self.inputs.landscape.fractions.shape[1]
            amounts = -np.log([trial.suggest_float(f"u{i}", 1e-6, 1 - 1e-6) for i in range(k)])
            wanted = self.low + (1 - self.low.sum()) * amounts / amounts.sum()
            index = (
                self.first.pop(0) if self.first else nearest_free(self.inputs.landscape.fractions, wanted, self.free)
            )
            self.free[index] = False
            self.trials[index] = trial
            chosen.append(index)
        return chosen

    def tell(self, indices: Sequence[int], values: FloatArray) -> None:
        import optuna

        scores = [o.target.transform for o in self.inputs.landscape.objectives]
        for index, row in zip(indices, values, strict=True):
            trial = self.trials.pop(index)
            if np.isfinite(row).all():
                self.study.tell(trial, [float(t.forward(v)) for t, v in zip(scores, row, strict=True)])
            else:
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _parameters(self, index: int) -> dict[str, float]:
        """Numbers u that become the fractions of a candidate: one of many, that with Σ −log u = k."""
        shares = self.inputs.landscape.fractions[index] - self.low
        amounts = len(shares) * shares / max(shares.sum(), 1e-12)
        return {f"u{i}": float(np.clip(np.exp(-a), 1e-6, 1 - 1e-6)) for i, a in enumerate(amounts)}
