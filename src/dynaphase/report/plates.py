"""The gallery: fields of the best, the reference and the worst compositions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.evidence import SCORE, Evidence, Point
from dynaphase.report.illustration import Illustration
from dynaphase.report.style import as_png

__all__ = ["Plate", "plates"]

_PANELS: Final[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
    "paper": {"C": ("intact fraction C, end",)},
    "physical": {
        "lithium": ("lithium ξ, end of sweep", "magma"),
        "decomposed": ("decomposed χ, after rest", "cividis"),
        "threshold": ("threshold η_c (mV)", "viridis", None),
    },
}
"""Fields that each model shows: title, colours and their upper end."""

N_PLATES: Final = 3
"""Best and worst compositions in the gallery, of each."""


@dataclass(frozen=True, slots=True)
class Plate:
    """One composition of the gallery."""

    rank: str
    point: Point
    image: Illustration
    descriptors: Mapping[str, float]
    phases: Sequence[tuple[str, str, float]]
    """Particles of second phases in the image: name, colour, share of the area."""


def plates(evidence: Evidence) -> tuple[list[Plate], int]:
    """Plates of the best compositions by S and the reference, then of the worst; and for how many fields are missing.

    The reference takes the place of the last of the best, unless it is among them.
    """
    ranked = sorted(evidence.points, key=lambda point: -point.values[SCORE])
    best, reference = ranked[:N_PLATES], evidence.reference
    worst = [point for point in ranked[-N_PLATES:] if point not in best and point is not reference]
    chosen = [(f"{_ordinal(i)} highest S" + ", reference" * (p is reference), p) for i, p in enumerate(best)]
    if reference is not None and reference not in best:
        chosen = [*chosen[:-1], ("reference", reference)]
    chosen += [(f"{_ordinal(len(worst) - 1 - i)} lowest S", point) for i, point in enumerate(worst)]
    found = [_plate(evidence, rank, point) for rank, point in chosen]
    return [plate for plate in found if plate is not None], sum(plate is None for plate in found)


def _ordinal(index: int) -> str:
    return ("", "second", "third")[index].strip() if index < 3 else f"{index + 1}th"


def _plate(evidence: Evidence, rank: str, point: Point) -> Plate | None:
    from dynaphase.report.gallery import Panel, fields_figure, microstructure_image

    record = min(point.records, key=lambda record: record.candidate.seed)
    fields = _fields(evidence, record.key)
    if fields is None:
        return None
    arrays, names = fields
    image = microstructure_image(*(arrays[name] for name in ("grain_id", "boundary", "density", "phase_id")))
    length = float(evidence.config.settings.box_nm)
    panels = [Panel(arrays[name], *look) for name, look in _PANELS[evidence.config.model].items()]
    return Plate(
        rank.strip(),
        point,
        Illustration(
            as_png(fields_figure(image, panels, length)),
            f"{', '.join(['microstructure', *(panel.title for panel in panels)])} of {point.formula}.",
        ),
        record.descriptors,
        _particles(arrays["phase_id"], names),
    )


def _plane(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The field, or its middle plane where it has three axes."""
    return array if array.ndim == 2 else array[..., array.shape[-1] // 2]


def _particles(phase_ids: npt.NDArray[Any], names: Mapping[int, str]) -> list[tuple[str, str, float]]:
    from dynaphase.report.gallery import phase_colour

    shares = [(number, float(np.mean(phase_ids == number))) for number in np.unique(phase_ids[phase_ids > 0])]
    found = [(names.get(int(i), f"phase {i}"), phase_colour(int(i)), share) for i, share in shares]
    return sorted(found, key=lambda item: -item[2])


def _fields(evidence: Evidence, key: str) -> tuple[dict[str, Any], dict[int, str]] | None:
    """Arrays of one run and the names of its phases; None where they were not kept or cannot be read."""
    wanted = ("grain_id", "boundary", "density", "phase_id", *_PANELS[evidence.config.model])
    try:
        dataset = evidence.campaign.fields(key)
        names = re.findall(r"\b(\d+) (\w+)", str(dataset["phase_id"].attrs.get("description", "")))
        arrays = {name: _plane(dataset[name].to_numpy()) for name in wanted}
        return arrays, {int(number): name for number, name in names}
    except Exception:  # whatever a damaged file makes its readers raise, the rest of the report does not need it
        return None
