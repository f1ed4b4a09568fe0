"""What ``--json`` prints: one document, with nothing in it that JSON lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from dynaphase.materials.base import Material
    from dynaphase.records import Record

__all__ = ["material_json", "print_json", "record_json"]


def record_json(record: Record) -> dict[str, Any]:
    """A record under the names of ``dynaphase simulate --json``."""
    candidate = record.candidate
    return {
        "formula": record.formula,
        "composition": candidate.composition.fractions,
        "status": record.status.value,
        "reason": record.reason,
        "seed": candidate.seed,
        "system": candidate.system,
        "model": candidate.model,
        "settings": dict(candidate.settings),
        **record.values,
        "descriptors": dict(record.descriptors),
        "notes": list(record.notes),
        "key": record.key,
        "cpu_seconds": record.cpu_seconds,
        "wall_seconds": record.wall_seconds,
    }


def material_json(found: Material, notes: Sequence[str]) -> dict[str, Any]:
    """A material under the names of ``dynaphase material --json``."""
    assemblage = found.assemblage
    return {
        "formula": found.formula,
        "system": found.system,
        "composition": found.composition.fractions,
        "temperature_K": found.temperature_K,
        "phases": dict(assemblage.volume_fractions),
        "phase_amounts": dict(assemblage.amounts),
        "host_coordinate": assemblage.host_coordinate,
        "charge_imbalance": assemblage.charge_imbalance,
        "parameters": {
            name: {
                "value": p.value,
                "unit": p.unit,
                "spread": str(p.spread),
                "status": p.status.value,
                "source": p.source,
            }
            for name, p in found.parameters.items()
        },
        "notes": list(notes),
    }


def print_json(content: object) -> None:
    """One document on standard output; NaN is no JSON, so an undefined number is null."""
    typer.echo(json.dumps(_finite(content), indent=2, ensure_ascii=False))


def _finite(content: Any) -> Any:
    match content:
        case float():
            return content if content - content == 0 else None
        case Mapping():
            return {key: _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case _:
            return content
