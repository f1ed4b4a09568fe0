"""What a report shows, read from a campaign once and then only looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.campaign import Campaign
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.errors import CampaignError, FitError
from dynaphase.levels import is_top
from dynaphase.materials.base import MaterialSystem
from dynaphase.outcomes import standard_targets
from dynaphase.pareto import is_pareto_optimal
from dynaphase.recommend import Forecast, forecast
from dynaphase.records import Record
from dynaphase.rounds import Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import Prediction
from dynaphase.training import Learned, value_of

__all__ = ["BOX", "CERAMIC", "CURRENT", "SCORE", "Evidence", "Map", "Point", "gather"]

SCORE: Final = "stability_score"
BOX: Final = "ionic_conductivity_S_per_cm"
CERAMIC: Final = "ceramic_conductivity_S_per_cm"
CURRENT: Final = "critical_current_density_mA_per_cm2"

N_RECOMMENDED: Final = 5
N_PER_AXIS: Final = 51
N_ALONG_LINE: Final = 181


@dataclass(frozen=True, slots=True)
class Point:
    """One simulated composition: its replicates averaged (all but S on their logarithm)."""

    composition: Composition
    formula: str
    role: str
    round: int
    shares: tuple[float, ...]
    """Atomic fractions in the order of the system's elements."""
    x: float
    delta: float
    values: Mapping[str, float]
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """Predictions on a regular set of compositions."""

    shares: npt.NDArray[np.float64]
    """Atomic fractions, shape (n, n_elements)."""
    coordinates: npt.NDArray[np.float64]
    """Host coordinates x and δ, shape (n, 2)."""
    predictions: Mapping[str, Prediction]


@dataclass(frozen=True)
class Evidence:
    """All that is known of a campaign.  Where nothing could be learned, `learned` is None and `obstacle` says why."""

    name: str
    config: CampaignConfig
    system: MaterialSystem
    space: CompositionSpace
    status: Mapping[str, Any]
    plans: Sequence[Plan]
    assessments: Sequence[Mapping[str, Any]]
    records: Sequence[Record]
    campaign: Campaign
    learned: Learned | None
    obstacle: str

    @cached_property
    def points(self) -> list[Point]:
        """Compositions with at least one successful simulation, in the order in which they were asked for."""
        done: dict[Composition, list[Record]] = {}
        for record in self.records:
            if record.is_done and is_top(self.config, record.candidate.settings):
                done.setdefault(record.candidate.composition, []).append(record)
        return [
            self._point(composition, role, plan.number, done[composition])
            for plan in self.plans
            for composition, role in plan.asked
            if composition in done
        ]

    def _point(self, composition: Composition, role: Role, number: int, records: list[Record]) -> Point:
        x, delta = self.system.coordinates(composition)
        return Point(
            composition,
            records[0].formula,
            role.value,
            number,
            self.shares(composition),
            x,
            delta,
            {name: _average(name, records) for name in self.targets},
            tuple(records),
        )

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Names of what every campaign of this model learns: the maps and tables show these."""
        return tuple(target.name for target in standard_targets(self.config.model))

    @cached_property
    def reference(self) -> Point | None:
        """The literature's best known composition as simulated here; None if that failed or is still open."""
        return next((point for point in self.points if point.role == Role.REFERENCE), None)

    @property
    def n_active_rounds(self) -> int:
        """Rounds in which the acquisition chose what to simulate."""
        return sum(any(role == Role.ACTIVE for _, role in plan.asked) for plan in self.plans)

    def simulated_at(self, composition: Composition) -> Point | None:
        """What was simulated of one composition, if anything."""
        return next((point for point in self.points if point.composition == composition), None)

    @cached_property
    def reference_formula(self) -> str:
        """Formula of the reference."""
        return self.system.formula(self.system.reference)

    @cached_property
    def failures(self) -> list[tuple[str, int]]:
        """Reasons of failed simulations and how often each occurred, the most frequent first."""
        return Counter(r.reason or "no reason was kept" for r in self.records if r.is_failed).most_common()

    @cached_property
    def recommended(self) -> list[Forecast]:
        """Compositions to make next, the highest conductivity first; empty where nothing was learned."""
        return [] if self.learned is None else self.campaign.suggest(N_RECOMMENDED)

    @cached_property
    def reference_forecast(self) -> Forecast | None:
        """What the surrogate says of the reference."""
        if self.learned is None or not self.space.contains(self.system.reference):
            return None
        return forecast(self.learned, self.system, self.space, [self.system.reference])[0]

    @cached_property
    def front(self) -> npt.NDArray[np.float64]:
        """Predicted Pareto front without what is expected to fail: S and log₁₀ σ (S/cm) of the ceramic, (n, 2)."""
        if self.learned is None:
            return np.empty((0, 2))
        grid = self.space.grid(N_PER_AXIS if self.space.dimension > 1 else N_ALONG_LINE)
        predictions = self.learned.predict(self.learned.promising(grid))
        values = np.column_stack([predictions[SCORE].mean, predictions[CERAMIC].transformed_mean])
        front = values[is_pareto_optimal(values)]
        return front[np.argsort(front[:, 0])]

    @cached_property
    def map(self) -> Map | None:
        """Predictions over the whole region."""
        return self._map(self.space.grid(N_PER_AXIS if self.space.dimension > 1 else N_ALONG_LINE))

    @cached_property
    def cut(self) -> Map | None:
        """Predictions along the stoichiometric line δ = 0, where the region holds it at fixed steps of x."""
        if self.space.sampler.name not in ("neighbourhood", "line"):
            return None
        low, high = self.space.sampler.x  # type: ignore[attr-defined]
        return self._map([self.system.from_coordinates(float(x)) for x in np.linspace(low, high, N_ALONG_LINE)])

    def shares(self, composition: Composition) -> tuple[float, ...]:
        """Atomic fractions in the order of the system's elements."""
        return tuple(composition[element] for element in self.system.elements)

    def _map(self, compositions: list[Composition]) -> Map | None:
        if self.learned is None:
            return None
        return Map(
            np.array([self.shares(c) for c in compositions]),
            np.array([self.system.coordinates(c) for c in compositions]),
            self.learned.predict(compositions),
        )


def gather(campaign: Campaign) -> Evidence:
    """Read a campaign.

    Raises
    ------
    CampaignError
        If nothing was simulated yet, or the directory cannot be read.
    """
    advice = f"nothing was simulated in {campaign.directory} yet: run it with 'dynaphase run {campaign.directory}'"
    if not (campaign.directory / "records.sqlite").is_file():
        raise CampaignError(advice)
    records, plans = campaign.records(), campaign.plans()
    if not records:
        raise CampaignError(advice)
    learned, obstacle = None, ""
    try:
        learned = campaign.learned()
    except FitError as error:
        obstacle = str(error)
    return Evidence(
        name=campaign.directory.resolve().name,
        config=campaign.config,
        system=campaign.system,
        space=campaign.space,
        status=campaign.status(),
        plans=plans,
        assessments=campaign.assessments(),
        records=records,
        campaign=campaign,
        learned=learned,
        obstacle=obstacle,
    )


def _average(name: str, records: Sequence[Record]) -> float:
    values = np.array([value_of(record, name) for record in records])
    return float(values.mean() if name == SCORE else np.exp(np.log(values).mean()))
