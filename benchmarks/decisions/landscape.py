"""A landscape: compositions to choose from, what evaluating one gives, and what predictions are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.errors import InputError
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import Target

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Objective:
    """A target and which way is better."""

    target: Target
    is_maximised: bool = True

    @property
    def name(self) -> str:
        """Name of the target."""
        return self.target.name

    def score(self, z: FloatArray) -> FloatArray:
        """What hypervolumes are made of, larger is better: decades (conductivities) or the target's own unit."""
        quoted = z if self.target.transform.in_decades else self.target.transform.inverse(z)
        return quoted if self.is_maximised else -quoted


@dataclass(frozen=True, slots=True)
class Judge:
    """Compositions that nobody may choose, with what is true of them.

    Attributes
    ----------
    fractions : ndarray, shape (m, k)
    z : ndarray, shape (m, t)
        Mean over the seeds on the scale of each target's model; NaN where every seed failed.
    variance : ndarray, shape (m, t)
        Variance of that mean: the truth is known no better.
    is_one_run : bool
        Whether all that is known of each composition is one run, its noise included: then predictions are held against
        what a new run would give.
    strata : mapping
        Name → mask (m,): where to look separately.
    """

    fractions: FloatArray
    z: FloatArray
    variance: FloatArray
    strata: Mapping[str, BoolArray] = field(default_factory=dict)
    compositions: tuple[Composition, ...] = ()
    is_one_run: bool = False

    @property
    def is_done(self) -> BoolArray:
        """Where there is a truth, shape (m,)."""
        return np.asarray(np.isfinite(self.z).all(axis=1))


@dataclass(frozen=True, slots=True)
class Landscape:
    """What is played on.

    Attributes
    ----------
    fractions : ndarray, shape (n, k)
        The pool, rows sum to 1.
    z : ndarray, shape (n, r, t)
        Outcomes of r seeds on the scale of each target's model; NaN = that simulation failed.
    noise_std : ndarray, shape (n, t), optional
        Instead of tabulated seeds: standard deviation of one noisy evaluation.
    is_noisy : bool
        Whether an evaluation gives one seed's outcome or the mean over all of them.
    judges : mapping
        Name → `Judge`; ``fresh`` is what accuracy is quoted on.
    space : CompositionSpace, optional
        Where there is a material system behind the fractions: what features are made of.
    """

    name: str
    components: tuple[str, ...]
    objectives: tuple[Objective, ...]
    fractions: FloatArray
    z: FloatArray
    judges: Mapping[str, Judge]
    is_noisy: bool = False
    noise_std: FloatArray | None = None
    space: CompositionSpace | None = None
    compositions: tuple[Composition, ...] = ()

    def __post_init__(self) -> None:
        n, k, t = len(self.fractions), len(self.components), len(self.objectives)
        if self.fractions.shape != (n, k) or self.z.ndim != 3 or self.z.shape[::2] != (n, t):
            raise InputError(
                f"the landscape {self.name} needs fractions ({n}, {k}) and outcomes ({n}, seeds, {t}), "
                f"not {self.fractions.shape} and {self.z.shape}"
            )
        if not np.allclose(self.fractions.sum(axis=1), 1, atol=1e-6):
            raise InputError(f"the fractions of the landscape {self.name} do not sum to 1")
        if not self.is_done.any():
            raise InputError(f"every evaluation of the landscape {self.name} fails: there is nothing to find")

    @property
    def n(self) -> int:
        """Size of the pool."""
        return len(self.fractions)

    @property
    def truth(self) -> FloatArray:
        """Mean over the seeds that succeeded, shape (n, t), on the scale of the model; NaN where all failed."""
        counts = np.isfinite(self.z).sum(axis=1)
        sums = np.nansum(self.z, axis=1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    @property
    def is_done(self) -> BoolArray:
        """Which candidates have an outcome at all."""
        return np.asarray(np.isfinite(self.truth).all(axis=1))

    @property
    def scores(self) -> FloatArray:
        """True scores (n, t), larger is better; −∞ where all seeds failed, so that nothing is gained there."""
        truth = self.truth
        columns = [objective.score(truth[:, t]) for t, objective in enumerate(self.objectives)]
        return np.where(self.is_done[:, None], np.column_stack(columns), -np.inf)

    def evaluate(self, index: int, rng: np.random.Generator) -> FloatArray:
        """One evaluation in natural units, shape (t,); all NaN when it fails."""
        if self.noise_std is not None and self.is_noisy:
            z = self.z[index, 0] + self.noise_std[index] * rng.standard_normal(len(self.objectives))
        elif self.is_noisy:
            z = self.z[index, rng.integers(self.z.shape[1])]
        else:
            z = self.truth[index]
        if not np.isfinite(z).all():
            return np.full(len(self.objectives), np.nan)
        return np.array([o.target.transform.inverse(v) for o, v in zip(self.objectives, z, strict=True)])

    def runs(self, index: int) -> FloatArray:
        """The runs (r, t) whose mean one evaluation without noise is, in natural units; those that failed are left out.

        Who pays for both seeds of a composition also sees how far they lie apart.
        """
        z = self.z[index]
        done = z[np.isfinite(z).all(axis=1)]
        return np.column_stack([o.target.transform.inverse(done[:, t]) for t, o in enumerate(self.objectives)])

    def only(self, *names: str) -> Landscape:
        """The same landscape with some of its objectives."""
        there = [objective.name for objective in self.objectives]
        missing = [name for name in names if name not in there]
        if missing:
            raise InputError(f"the landscape {self.name} has no {', '.join(missing)}; it has {', '.join(there)}")
        kept = [there.index(name) for name in names]
        judges = {
            name: replace(judge, z=judge.z[:, kept], variance=judge.variance[:, kept])
            for name, judge in self.judges.items()
        }
        return replace(
            self,
            objectives=tuple(self.objectives[t] for t in kept),
            z=self.z[:, :, kept],
            judges=judges,
            noise_std=None if self.noise_std is None else self.noise_std[:, kept],
        )

    def with_noise(self) -> Landscape:
        """The same landscape where an evaluation gives one seed's outcome."""
        return replace(self, name=f"{self.name}-noisy", is_noisy=True)

    def where_fails(self, fails: BoolArray, judge_fails: Mapping[str, BoolArray]) -> Landscape:
        """The same landscape with failures: pool mask (n,), and a mask for each judge, which keeps its truth there."""
        judges = {
            name: replace(judge, strata={**judge.strata, "feasible": ~judge_fails[name]})
            for name, judge in self.judges.items()
        }
        z = np.where(fails[:, None, None], np.nan, self.z)
        return replace(self, name=f"{self.name}-failing", z=z, judges=judges)


def describe(landscape: Landscape) -> dict[str, Any]:
    """What a reader of the results needs to know of a landscape."""
    return {
        "components": list(landscape.components),
        "n_pool": landscape.n,
        "n_failing": int((~landscape.is_done).sum()),
        "objectives": {o.name: "max" if o.is_maximised else "min" for o in landscape.objectives},
        "is_noisy": landscape.is_noisy,
        "judges": {name: len(judge.fractions) for name, judge in landscape.judges.items()},
    }
