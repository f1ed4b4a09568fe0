"""What a run rests on: parameters with their status, versions, citations."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from dynaphase.citations import COMMON_METHODS, LIBRARIES, METHODS_OF, Citation, citations
from dynaphase.materials.base import Material, Parameter
from dynaphase.records import MODEL_VERSION
from dynaphase.report.evidence import Evidence
from dynaphase.report.formats import plain
from dynaphase.settings import ModelSettings, PhysicalSettings

__all__ = ["Foundation", "find_foundation"]


@dataclass(frozen=True, slots=True)
class Foundation:
    """The ground under the numbers of one report."""

    formula: str
    """Composition whose parameters are listed."""
    model: str
    """Options of the model in words."""
    parameters: Sequence[Parameter]
    conductivity_status: str
    """What the conductivity of the host rests on."""
    n_by_status: Sequence[tuple[str, int]]
    """Number of parameters by status, best status first."""
    citations: Sequence[Citation]
    versions: Sequence[tuple[str, str]]
    seeds: Sequence[int]
    cpu_seconds: float


def find_foundation(evidence: Evidence) -> Foundation:
    """Parameters of the reference composition, and everything else that the run rests on."""
    settings = evidence.config.settings
    material = _reference_material(evidence, settings)
    parameters = sorted(material.parameters.values(), key=lambda parameter: parameter.name)
    return Foundation(
        formula=material.formula,
        model=_describe(settings),
        parameters=parameters,
        conductivity_status=material.parameters["measured_conductivity_S_per_m"].status.value,
        n_by_status=_count_statuses(parameters),
        citations=citations(
            (parameter.source for parameter in parameters),
            methods=_methods(settings),
            data=_uses_table(material),
        ),
        versions=_versions(),
        seeds=sorted({record.candidate.seed for record in evidence.records}),
        cpu_seconds=sum(record.cpu_seconds for record in evidence.records),
    )


def _reference_material(evidence: Evidence, settings: ModelSettings) -> Material:
    """The reference with the parameters that were simulated: the medians, or the configured draw."""
    from dynaphase.materials.draws import draws

    system, draw = evidence.system, None
    if isinstance(settings, PhysicalSettings) and settings.draw:
        draw = draws(system.draw_names, settings.draw, settings.draw_seed)[-1]
    return system.material(system.reference, settings.temperature_K, draw)


def _methods(settings: ModelSettings) -> list[str]:
    if isinstance(settings, PhysicalSettings):
        return [*COMMON_METHODS, *METHODS_OF["physical"]]
    stepping = ["fast-stepping"] if settings.stepping == "fast" else []
    return [*COMMON_METHODS, *stepping, *METHODS_OF["paper"]]


def _describe(settings: ModelSettings) -> str:
    box = f"a box of {plain(settings.box_nm)} nm"
    warmth = f"at {plain(settings.temperature_K, 5)} K"
    if not isinstance(settings, PhysicalSettings):
        cells, duration = f"{settings.n}² cells of {box}", plain(settings.duration_s)
        return f"{settings.stepping} stepping, {cells}, {duration} s {warmth}"
    parameters = f"draw {settings.draw} of the uncertain parameters" if settings.draw else "medians of all parameters"
    sweep = f"{plain(settings.sweep_mV)} mV in {plain(settings.sweep_duration_s)} s"
    chemistry = "" if settings.chemistry else ", without interphases"
    return (
        f"fidelity {settings.fidelity}, {box}, sweep of {sweep}, rest of {plain(settings.rest_duration_s)} s "
        f"{warmth}{chemistry}, {parameters}"
    )


def _count_statuses(parameters: Sequence[Parameter]) -> list[tuple[str, int]]:
    counts = Counter(parameter.status for parameter in parameters)
    return [(status.value, counts[status]) for status in type(parameters[0].status) if counts[status]]


def _uses_table(material: Material) -> bool:
    from dynaphase.materials.conductivity import load_measurements

    dois = {row.doi for row in load_measurements()}
    return any(doi in parameter.source for parameter in material.parameters.values() for doi in dois)


def _versions() -> list[tuple[str, str]]:
    found = [("DynaPhase", _version("dynaphase")), ("model version", MODEL_VERSION)]
    found += [("Python", platform.python_version())]
    return found + [(name, _version(name)) for name in LIBRARIES]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
