"""What a campaign is asked to do: one TOML file, checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dynaphase.acquisition import acquisition_from_name
from dynaphase.acquisition.goal import Goal
from dynaphase.errors import ConfigError, InputError, unknown_choice
from dynaphase.features import FeatureKind
from dynaphase.material_inputs import CERAMIC_GRAIN_SIZE_NM
from dynaphase.settings import MODELS, ModelSettings, PaperSettings, PhysicalSettings, Section, explain, explain_one

__all__ = [
    "PRESETS",
    "CampaignConfig",
    "PaperCampaignConfig",
    "PhysicalCampaignConfig",
    "load_config",
    "make_config",
    "with_defaults",
]


OPTIMISING: Final = ("hypervolume", "expected-improvement", "thompson")
"""Acquisitions that look for an optimum; the others want to know the response everywhere."""

STOPPABLE: Final = frozenset(
    f"max {name}" for name in ("stability_score", "ionic_conductivity_S_per_cm", "ceramic_conductivity_S_per_cm")
)
"""Objectives for which a run that is far behind in S and both σ cannot matter."""


class SpaceSection(Section):
    """Where compositions come from."""

    sampler: Literal["neighbourhood", "line", "simplex"] = Field(
        "neighbourhood",
        description="neighbourhood: x in 0…0.9, lithium excess δ within ±0.4; line: δ = 0; simplex: everything",
    )
    bounds: dict[str, list[float]] = Field(
        {}, description="least and largest fraction of elements where present, { Al = [0.05, 0.3] }; simplex: from 0.02"
    )
    constraints: list[str] = Field(
        [], description='linear rules on fractions of the varying elements, ["Al + Ge <= 0.5", "Li >= 2*Al"]'
    )
    max_elements: int = Field(0, ge=0, le=10, description="most elements present at a time; 0: all of them always")
    element_prices: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="your price of a kilogram of each varying element, { Li = …, Al = … }"
    )
    max_price: float = Field(
        0.0, ge=0, description="most that a kilogram of the varying elements may cost; 0: no limit"
    )


class DesignSection(Section):
    """Simulations made before learning starts."""

    n_initial: int = Field(100, ge=4, le=10000, description="compositions to learn from first")
    method: Literal["random", "sobol", "estimates"] = Field(
        "random",
        description="how they are drawn: random, sobol, or estimates (half of them what closed forms think best)",
    )
    n_held_out: int = Field(30, ge=5, le=2000, description="further random compositions, only for judging")
    n_replicates: int = Field(1, ge=1, le=64, description="microstructure seeds per composition")
    seeds: Literal["common", "independent"] = Field(
        "independent", description="independent: of their own for every composition; common: the same for all"
    )


class SurrogateSection(Section):
    """What is learned from the records."""

    features: FeatureKind = Field(
        "phases", description="what it sees of a composition: phases (and closed-form estimates), or coordinates alone"
    )
    trend: bool = Field(
        True, description="linear in the closed-form estimates of σ and S, and smooth beyond; of phases"
    )
    recalibrate: bool = Field(
        True, description="scale intervals so that compositions left out lie inside as often as they should"
    )
    joint: bool = Field(False, description="learn the targets together, where that foretells left-out ones better")


class RoundsSection(Section):
    """Active learning."""

    batch: int = Field(8, ge=1, le=500, description="compositions chosen per round")
    acquisition: str = Field(
        "max-variance",
        description="how they are chosen: max-variance, integrated-variance (to learn); hypervolume, "
        "expected-improvement, thompson (towards [goal]); random or sobol",
    )
    weigh_prices: bool = Field(
        False, description="divide what a composition promises by its price (space.element_prices): cheap ones first"
    )
    n_confirm: int = Field(5, ge=0, le=100, description="recommendations simulated in the end, to check them")
    n_pool: int = Field(2000, ge=50, le=20000, description="compositions to choose from")
    steering: Literal["batches", "asynchronous"] = Field(
        "batches", description="asynchronous: the next composition is chosen when a worker is free"
    )
    refit_every: int = Field(4, ge=1, le=500, description="asynchronous: results after which the surrogate is refitted")
    early_stop: bool = Field(
        False, description="end a simulation that can no longer come near the Pareto front; for acquisitions of optima"
    )

    @field_validator("acquisition")
    @classmethod
    def _acquisition_exists(cls, name: str) -> str:
        try:
            acquisition_from_name(name)
        except ConfigError as error:
            raise PydanticCustomError("acquisition", "{problem}", {"problem": str(error)}) from None
        return name

    @property
    def n_at_once(self) -> int:
        """Compositions that are chosen at a time."""
        return self.batch if self.steering == "batches" else 1

    @model_validator(mode="after")
    def _stops_early_for_an_optimum_only(self) -> RoundsSection:
        if self.early_stop and self.acquisition not in OPTIMISING:
            raise PydanticCustomError(
                "early_stop",
                "early_stop leaves values out that acquisition '{acquisition}' wants to learn: it needs one of "
                "{optimising}",
                {"acquisition": self.acquisition, "optimising": ", ".join(OPTIMISING)},
            )
        return self


class FidelitySection(Section):
    """Levels of fidelity that a campaign of the physical model chooses from."""

    levels: list[Literal["eikonal", "96", "128", "256", "3d"]] = Field(
        [], description="lowest first, the last one counts and is settings.fidelity; []: that one alone"
    )
    share: float = Field(0.25, gt=0, le=1, description="share of the initial compositions simulated at every level")
    costs: list[Annotated[float, Field(gt=0)]] = Field(
        [], description="CPU time of one simulation at each level, in any unit; []: measured in the first design"
    )

    @property
    def top(self) -> str | None:
        """The level that counts; None where there are no levels."""
        return self.levels[-1] if self.levels else None

    @model_validator(mode="after")
    def _levels_are_levels(self) -> FidelitySection:
        if len(self.levels) == 1 or len(set(self.levels)) < len(self.levels):
            raise PydanticCustomError("levels", "levels must be at least two different ones, lowest first, or none")
        if self.costs and len(self.costs) != len(self.levels):
            raise PydanticCustomError("costs", "costs must have one number for each of levels, or none at all")
        return self


class GoalSection(Section):
    """What hypervolume, expected-improvement and thompson look for."""

    objectives: list[str] = Field(
        ["max stability_score", "max ceramic_conductivity_S_per_cm"],
        min_length=1,
        max_length=3,
        description="max or min, and a target; expected-improvement takes one, hypervolume two or three",
    )
    constraints: list[str] = Field([], description='bounds on outcomes, such as "ionic_conductivity_S_per_cm >= 1e-5"')
    reference: list[float] = Field(
        [], description="an improvement counts beyond this point, one value an objective; empty: from the records"
    )

    @model_validator(mode="after")
    def _is_understood(self) -> GoalSection:
        try:
            self.goal()
        except InputError as error:
            raise PydanticCustomError("goal", "{problem}", {"problem": str(error)}) from None
        return self

    def goal(self) -> Goal:
        """The same as an object."""
        return Goal.parse(self.objectives, self.constraints, self.reference)


class StopSection(Section):
    """When it is enough."""

    goal: Literal["accuracy", "optimum"] = Field(
        "accuracy", description="accuracy: predictions can be trusted; optimum: nothing better is found or expected"
    )
    r: float = Field(0.95, gt=0, lt=1, description="wanted correlation on the held-out set, both targets")
    nrmse: float = Field(0.1, gt=0, description="wanted rms error on the held-out set over the range of its values")
    confidence: float = Field(
        0.9,
        ge=0.5,
        lt=1,
        description="with which both must hold beyond this held-out set, over all looks; 0.5: the figures themselves",
    )
    min_rounds: int = Field(0, ge=0, description="rounds of active learning before accuracy may stop it")
    budget: int = Field(300, ge=1, description="simulations in all, held-out, reference and final ones included")
    cpu_hours: float = Field(0.0, ge=0, description="processor hours in all; 0: no limit")
    patience: int = Field(4, ge=1, description="rounds without gain before it is given up")
    min_gain: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="gain: relative fall of the held-out error, or growth of the hypervolume (optimum)",
    )
    min_expected_gain: float = Field(
        0.01, ge=0, lt=1, description="optimum: what the next batch must be expected to add to the hypervolume"
    )


class ConcludeSection(Section):
    """What is said in the end."""

    n_draws: int = Field(
        0, ge=0, le=1000, description="draws of the uncertain parameters to compare with the reference under; 0: none"
    )
    n_compared: int = Field(5, ge=1, le=100, description="recommended compositions that are compared so")
    pareto_with_current: bool = Field(
        False,
        description="whether the critical current density counts for the Pareto front, beside S and σ; physical model",
    )


class CampaignConfig(Section):
    """A whole campaign; its model decides which of the two kinds below it is.

    `identity` is the part that must not change once there are records.
    """

    system: str = Field("lagp", min_length=1)
    """Name of a material system, or a table's file, relative to the campaign directory."""
    model: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    settings: ModelSettings
    space: SpaceSection = SpaceSection()
    design: DesignSection = DesignSection()
    surrogate: SurrogateSection = SurrogateSection()
    rounds: RoundsSection = RoundsSection()
    fidelity: FidelitySection = FidelitySection()
    goal: GoalSection = GoalSection()
    stop: StopSection = StopSection()
    conclude: ConcludeSection = ConcludeSection()

    @model_validator(mode="after")
    def _what_stops_early_cannot_matter(self) -> CampaignConfig:
        if not self.rounds.early_stop:
            return self
        if self.model != "physical":
            raise PydanticCustomError("early_stop", "rounds.early_stop is of the physical model: leave it out")
        if self.goal.constraints or not set(self.goal.objectives) <= STOPPABLE:
            raise PydanticCustomError(
                "early_stop",
                "rounds.early_stop compares S and both σ with the best found; it knows nothing of goal.constraints, "
                "nor of objectives other than {objectives}",
                {"objectives": ", ".join(sorted(STOPPABLE))},
            )
        return self

    @model_validator(mode="after")
    def _prices_are_given(self) -> CampaignConfig:
        if self.rounds.weigh_prices and not self.space.element_prices:
            raise PydanticCustomError("prices", "rounds.weigh_prices needs space.element_prices: write yours there")
        return self

    @model_validator(mode="after")
    def _levels_fit_the_settings(self) -> CampaignConfig:
        fidelity, settings = self.fidelity, self.settings
        if not fidelity.levels:
            return self
        if not isinstance(settings, PhysicalSettings):
            raise PydanticCustomError("levels", "fidelity.levels are those of the physical model: leave them out")
        if settings.fidelity != fidelity.top:
            raise PydanticCustomError(
                "levels",
                "the last of fidelity.levels is the one that counts: set settings.fidelity to '{top}' too",
                {"top": fidelity.top},
            )
        for level in fidelity.levels:  # some options need a diffuse front, some boxes a fine grid
            try:
                PhysicalSettings.model_validate(settings.model_dump() | {"fidelity": level})
            except ValidationError as error:
                problem = "; ".join(explain(error, PhysicalSettings))
                raise PydanticCustomError(
                    "levels", "at level '{level}' of fidelity.levels: {problem}", {"level": level, "problem": problem}
                ) from None
        return self

    @model_validator(mode="after")
    def _current_is_simulated(self) -> CampaignConfig:
        if self.conclude.pareto_with_current and self.model == "paper":
            raise PydanticCustomError(
                "current",
                "the paper model simulates no critical current density: set conclude.pareto_with_current to false, or "
                "take the physical model",
            )
        return self

    @model_validator(mode="after")
    def _budget_covers_the_design(self) -> CampaignConfig:
        design, n_confirm, conclude = self.design, self.rounds.n_confirm, self.conclude
        if conclude.n_draws and getattr(self.settings, "draw", 0):
            raise PydanticCustomError(
                "draws",
                "conclude.n_draws compares draws with the medians that are learned: with settings.draw it must be 0",
            )
        if conclude.n_draws and self.model == "paper":
            raise PydanticCustomError(
                "draws", "the paper model has no uncertain parameters: conclude.n_draws must be 0"
            )
        n_initial = ceil(self.fidelity.share * design.n_initial) if self.fidelity.levels else design.n_initial
        needed = (n_initial + design.n_held_out + 1 + n_confirm) * design.n_replicates
        needed += conclude.n_draws * (conclude.n_compared + 1)
        if self.stop.budget < needed:
            raise PydanticCustomError(
                "budget",
                "the first design alone needs {needed} simulations (initial, held-out, the reference and "
                "n_confirm recommendations, times n_replicates, and the draws of [conclude]): raise stop.budget or "
                "lower those",
                {"needed": needed},
            )
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which records are learned from; `stop` and `conclude` may change in a campaign's life."""
        return self.model_dump(exclude={"stop", "conclude"})

    @property
    def ceramic_grain_size_nm(self) -> float:
        """Grain size of the ceramic whose conductivity is learned."""
        return getattr(self.settings, "ceramic_grain_size_nm", CERAMIC_GRAIN_SIZE_NM)

    def to_toml(self, preset: str | None = None) -> str:
        """The file that reads back as this configuration, each option with its meaning."""
        head = "# A DynaPhase campaign. Start or resume it with: dynaphase run DIRECTORY\n"
        head += f"# Made from the preset '{preset}'.\n" if preset else ""
        lines = [head + "# Once there are records, only [stop] and [conclude] may change.", ""]
        content = self.model_dump()
        lines += [f"{name} = {_toml(content[name])}" for name in ("system", "model", "seed")]
        for name in ("settings", "space", "design", "surrogate", "rounds", "fidelity", "goal", "stop", "conclude"):
            section: type[BaseModel] = type(getattr(self, name))
            lines += ["", f"[{name}]  # {(section.__doc__ or '').strip().splitlines()[0].rstrip('.')}"]
            for option, value in content[name].items():
                meaning = section.model_fields[option].description
                lines.append(f"{option} = {_toml(value)}" + (f"  # {meaning}" if meaning else ""))
        return "\n".join(lines) + "\n"


class PhysicalCampaignConfig(CampaignConfig):
    """A campaign of the `physical` model."""

    model: Literal["physical"] = "physical"
    settings: PhysicalSettings = PhysicalSettings()


class PaperCampaignConfig(CampaignConfig):
    """A campaign of the `paper` model."""

    model: Literal["paper"] = "paper"
    settings: PaperSettings = PaperSettings()


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case dict():
            pairs = [f"{name if name.isalnum() else _toml(name)} = {_toml(v)}" for name, v in value.items()]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case _:
            return repr(value)


_KINDS: Final[Mapping[str, type[CampaignConfig]]] = {
    "physical": PhysicalCampaignConfig,
    "paper": PaperCampaignConfig,
}

PRESETS: Final[dict[str, CampaignConfig]] = {
    "demo": PhysicalCampaignConfig(
        settings=PhysicalSettings(fidelity="eikonal"),
        design=DesignSection(n_initial=24, n_held_out=12, n_replicates=3),
        rounds=RoundsSection(batch=4, n_pool=1000),
        stop=StopSection(min_rounds=2, budget=160, confidence=0.5),  # twelve held-out compositions certify little
    ),
    "physical": PhysicalCampaignConfig(
        design=DesignSection(n_initial=60, n_held_out=30, n_replicates=3),
        stop=StopSection(min_rounds=2, budget=500),
        conclude=ConcludeSection(n_draws=8),
    ),
    "paper": PaperCampaignConfig(
        settings=PaperSettings(stepping="exact"),
        space=SpaceSection(sampler="simplex"),
        design=DesignSection(n_initial=100, n_held_out=30),
    ),
}
"""Ready-made campaigns by name."""


def load_config(path: str | Path, defaults: Mapping[str, Any] | None = None) -> CampaignConfig:
    """Read and check a configuration file; `defaults` stand for options that it leaves out.

    Raises
    ------
    ConfigError
        If the file is missing, empty, no TOML, or holds an unknown key or a value out of bounds.  The message
        names the key, what is allowed, and the nearest known key.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {file}; make a campaign with 'dynaphase new DIR'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    if not text.strip():
        raise ConfigError(f"{file} is empty; 'dynaphase new DIR' writes one with every option and its meaning")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    return make_config(with_defaults(content, defaults or {}), origin=str(file))


def with_defaults(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`content`, and what it leaves out of `defaults`, section by section."""
    merged = dict(content)
    for name, value in defaults.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name, {}), Mapping):
            merged[name] = with_defaults(merged.get(name, {}), value)
        else:
            merged.setdefault(name, value)
    return merged


def make_config(content: Mapping[str, Any], origin: str = "configuration") -> CampaignConfig:
    """Check a configuration given as nested mappings; see `load_config` for the errors.

    Its `model` decides which options there are; without one it is the default model.
    """
    model = content.get("model", MODELS[0])
    if model not in MODELS:
        raise ConfigError(f"{origin}: {unknown_choice('model', model, MODELS)}")
    kind = _KINDS[model]
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        foreign = _of_another_model(content, model)
        known_elsewhere = {name for names in foreign.values() for name in names}
        problems = [p for p in map(dict, error.errors(include_url=False)) if not _is_one_of(p, known_elsewhere)]
        lines = [explain_one(problem, kind) for problem in problems]
        lines += [
            f'[settings] has options of the {other} model: {", ".join(names)}; take out, or write model = "{other}"'
            for other, names in foreign.items()
        ]
        raise ConfigError("\n".join(f"{origin}: {line}" for line in lines)) from None


def _of_another_model(content: Mapping[str, Any], model: str) -> dict[str, list[str]]:
    """Other model → options given that this one lacks and the other has."""
    settings = content.get("settings")
    given = set(settings) if isinstance(settings, Mapping) else set()
    unknown = given - set(_options(model))
    return {other: sorted(unknown & _options(other)) for other in MODELS if unknown & _options(other)}


def _is_one_of(problem: Mapping[str, Any], names: set[str]) -> bool:
    """Whether it is an unknown option of [settings] with one of these names."""
    place = problem["loc"]
    return problem["type"] == "extra_forbidden" and place[:1] == ("settings",) and place[-1] in names


def _options(model: str) -> set[str]:
    kind = _KINDS[model].model_fields["settings"].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Section)
    return set(kind.model_fields)
