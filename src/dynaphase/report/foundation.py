"""What a run rests on: parameters with their status, versions, citations."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from dynaphase.citations import LIBRARIES, METHODS, Citation, citations
from dynaphase.materials.base import Material, Parameter
from dynaphase.records import MODEL_VERSION
from dynaphase.report.evidence import Evidence

__all__ = ["Foundation", "find_foundation"]


@dataclass(frozen=True, slots=True)
class Foundation:
    """The ground under the numbers of one report."""

    formula: str
    """Composition whose parameters are listed."""
    parameters: Sequence[Parameter]
    n_by_status: Sequence[tuple[str, int]]
    """Number of parameters by status, best status first."""
    citations: Sequence[Citation]
    versions: Sequence[tuple[str, str]]
    seeds: Sequence[int]
    cpu_seconds: float


def find_foundation(evidence: Evidence) -> Foundation:
    """Parameters of the reference composition, and everything else that the run rests on."""
    settings = evidence.config.settings
    material = evidence.system.material(evidence.system.reference, settings.temperature_K)
    parameters = sorted(material.parameters.values(), key=lambda parameter: parameter.name)
    return Foundation(
        formula=material.formula,
        parameters=parameters,
        n_by_status=_count_statuses(parameters),
        citations=citations(
            (parameter.source for parameter in parameters),
            methods=[name for name in METHODS if name != "fast-stepping" or settings.stepping == "fast"],
            data=_uses_table(material),
        ),
        versions=_versions(),
        seeds=sorted({record.candidate.seed for record in evidence.records}),
        cpu_seconds=sum(record.cpu_seconds for record in evidence.records),
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
