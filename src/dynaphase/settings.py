"""Options of the models: what may be chosen in a simulation, apart from the composition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from dynaphase.errors import ConfigError, unknown_choice

__all__ = [
    "MODELS",
    "ModelSettings",
    "PaperSettings",
    "PhysicalSettings",
    "Section",
    "explain",
    "explain_one",
    "make_settings",
]

MODELS: Final = ("physical", "paper")
"""Models that are built; the first is the default."""


class Section(BaseModel):
    """Frozen options; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)


class PaperSettings(Section):
    """Options of the `paper` model; the defaults are the founding paper's."""

    stepping: Literal["exact", "fast"] = Field(
        "fast", description="exact: explicit Euler at time_step_s, as printed; fast: adaptive, same equations"
    )
    n: int = Field(128, ge=32, le=1024, description="cells along each side of the box")
    length_nm: float = Field(100.0, ge=20, le=1000, description="side of the box")
    duration_s: float = Field(1000.0, gt=0)
    time_step_s: float = Field(0.001, gt=0, description="time step of exact stepping")
    reaction: Literal["logistic", "linear", "langmuir", "bistable"] = Field(
        "logistic", description="f(C) of the degradation reaction"
    )
    conservative: bool = Field(False, description="∇·(D∇C) instead of the printed D∇²C")
    temperature_K: float = Field(298.15, gt=100, lt=2000)

    @property
    def box_nm(self) -> float:
        """Side of the box (nm)."""
        return self.length_nm


COARSEST_NM: Final = 1.6
"""Largest cell of the physical model (nm).

Up to it σ and voids are 10–30 % above those of fine cells; at 2.9 nm σ is twice, at 4.2 nm ten times too large.
"""


SHARE_IN_SPACE: Final = 0.7
"""Side of the box in space over `length_nm`: 64 cells are then of 1.1 nm.

In wider cells boundaries are too wide to be held by particles of 2 nm (grains of 16 nm at 1.1 nm, of 24 nm at 1.4 nm).
"""


class PhysicalSettings(Section):
    """Options of the `physical` model."""

    fidelity: Literal["eikonal", "96", "128", "256", "3d"] = Field(
        "128",
        description="cells along the box; eikonal: 96, and the front in the sharp limit; 3d: 64 in space, sharp front",
    )
    length_nm: float = Field(100.0, ge=40, le=400, description="side of the box; 3d: of 0.7 of it")
    chemistry: bool = Field(True, description="interphases at the lithium and the cathode side")
    sweep_mV: float = Field(50.0, gt=0, le=150, description="rise of the potential in sweep_duration_s")
    sweep_duration_s: float = Field(1000.0, gt=0, description="time of that rise; a slower sweep gives a lower η₅₀")
    rest_duration_s: float = Field(1000.0, gt=0, description="when the width of the interphases is measured")
    until_short: bool = Field(False, description="sweep on until lithium is at the cathode: η_short")
    leakage: bool = Field(False, description="electrons leak and lay lithium ahead of the metal in the sweep")
    stripping: bool = Field(False, description="plate and strip once, in a fresh ceramic: what is left behind")
    cycle_mA_per_cm2: float = Field(0.8, gt=0, le=10, description="current density of that cycle")
    cycle_half_s: float = Field(60.0, gt=0, le=1e4, description="time of plating, and of stripping")
    temperature_K: float = Field(298.15, gt=150, lt=453, description="below 453 K: lithium melts at 454")
    ceramic_grain_size_nm: float = Field(
        1000.0, ge=100, le=1e6, description="grains of the ceramic that σ is bridged to"
    )
    draw: int = Field(0, ge=0, lt=2**32, description="0: medians of the uncertain parameters; k: their k-th draw")
    draw_seed: int = Field(0, ge=0, lt=2**32, description="seed of the draws, which are common to all compositions")

    @model_validator(mode="after")
    def _front_is_diffuse(self) -> PhysicalSettings:
        if self.fidelity in ("eikonal", "3d"):
            for name in ("leakage", "stripping"):
                if getattr(self, name):
                    raise PydanticCustomError(
                        "fidelity",
                        "{name} needs the diffuse front: set fidelity to '96', '128' or '256', not '{fidelity}'",
                        {"name": name, "fidelity": self.fidelity},
                    )
        return self

    @model_validator(mode="after")
    def _grid_is_fine_enough(self) -> PhysicalSettings:
        share = self.box_nm / self.length_nm
        if self.box_nm > COARSEST_NM * self.n_cells:
            raise PydanticCustomError(
                "grid",
                "length_nm = {length} at fidelity '{fidelity}' makes cells of {spacing} nm, too coarse for boundaries "
                "of 4 nm and powder grains of 13 nm: at most {longest} nm, or fidelity '256'",
                {
                    "length": f"{self.length_nm:g}",
                    "fidelity": self.fidelity,
                    "spacing": f"{self.box_nm / self.n_cells:.3g}",
                    "longest": int(COARSEST_NM * self.n_cells / share),
                },
            )
        return self

    @property
    def n_cells(self) -> int:
        """Cells along each side of the box."""
        return {"eikonal": 96, "3d": 64}.get(self.fidelity) or int(self.fidelity)

    @property
    def box_nm(self) -> float:
        """Side of the box (nm): `length_nm`, and `SHARE_IN_SPACE` of it in space."""
        return self.length_nm * (SHARE_IN_SPACE if self.fidelity == "3d" else 1.0)


ModelSettings = PaperSettings | PhysicalSettings

_SETTINGS: Final[Mapping[str, type[PaperSettings] | type[PhysicalSettings]]] = {
    "paper": PaperSettings,
    "physical": PhysicalSettings,
}


def make_settings(model: str, options: Mapping[str, Any]) -> ModelSettings:
    """Checked options of a model by its name.

    Raises
    ------
    ConfigError
        If the model is not built, or an option is unknown or out of bounds.
    """
    if model not in MODELS:
        raise unknown_choice("model", model, MODELS)
    if not isinstance(options, Mapping):
        raise ConfigError(f"options of a model are a mapping of name to value, not {options!r}")
    try:
        return _SETTINGS[model].model_validate(options)
    except ValidationError as error:
        raise ConfigError("; ".join(explain(error, _SETTINGS[model]))) from None


def explain(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One line per problem: the key, what is wrong, what is allowed, the nearest known key."""
    return [explain_one(dict(problem), root) for problem in error.errors(include_url=False)]


def explain_one(problem: Mapping[str, Any], root: type[BaseModel]) -> str:
    """One line for one of a `ValidationError`'s problems."""
    place = [part for part in problem["loc"] if isinstance(part, str)]
    name, given = ".".join(place), problem.get("input")
    if problem["type"] == "extra_forbidden":
        known = list(_find(root, place[:-1]).model_fields)
        close = get_close_matches(place[-1], known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"unknown key '{name}'.{hint} Known here: {', '.join(known)}"
    if problem["type"] == "model_type":
        return f"'{name}' = {given!r} must be a section of its own: write [{name}] and its options below"
    message = _in_plain_words(problem)
    if not name:
        return message
    if len(place) == 1 and isinstance(given, Mapping):
        return f"[{name}]: {message}"  # a rule between options of a section: all of its content would hide it
    entries = "".join(f", entry {part + 1}" for part in problem["loc"] if isinstance(part, int))
    return f"'{name}'{entries} = {given!r}: {message}"


_PLAIN_WORDS: Final[Mapping[str, str]] = {
    "int_type": "write a whole number{unquoted}",
    "int_from_float": "write a whole number{unquoted}",
    "float_type": "write a number{unquoted}",
    "finite_number": "write a finite number",
    "bool_type": "write true or false{unquoted}",
    "string_type": "write text in quotes",
    "list_type": "write a list, in square brackets: [{entry}]",
    "dict_type": "write a table, in curly brackets: {{ NAME = … }}",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be below {lt:g}",
    "too_short": "too few entries, write at least {min_length}",
    "too_long": "too many entries, write at most {max_length}",
}
"""What to write instead, by pydantic's kind of problem; its own words speak of input and of what it should be."""


def _in_plain_words(problem: Mapping[str, Any]) -> str:
    kind, given, context = problem["type"], problem.get("input"), dict(problem.get("ctx") or {})
    if kind == "literal_error":
        known = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = get_close_matches(str(given), known, n=1)
        return f"there is: {', '.join(known)}." + (f" Did you mean '{close[0]}'?" if close else "")
    if kind in _PLAIN_WORDS:
        is_text = isinstance(given, str)
        context |= {"unquoted": " without quotes" if is_text else "", "entry": f'"{given}"' if is_text else "…"}
        return _PLAIN_WORDS[kind].format(**context)
    message = str(problem["msg"])  # pydantic begins a sentence; names of targets and elements have capitals further on
    return message if isinstance(given, Mapping) else message[:1].lower() + message[1:]


def _find(root: type[BaseModel], place: Iterable[str]) -> type[BaseModel]:
    section = root
    for part in place:
        annotation = section.model_fields[part].annotation
        assert isinstance(annotation, type)
        section = annotation
    return section
