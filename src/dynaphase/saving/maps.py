"""Maps of a run: one plane of the box, the anode on the left, what is there in colours that all eyes tell apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.records import Fields
from dynaphase.report.formats import formula_mathtext
from dynaphase.report.gallery import VOID_COLOUR, microstructure_image, phase_colour

__all__ = ["INTERPHASE", "LITHIUM", "Plane", "phase_legend", "show"]

AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

LITHIUM: Final = "#0072B2"
INTERPHASE: Final = "#D55E00"


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane of the box that is drawn: all of a two-dimensional one, of a three-dimensional one z = const."""

    fields: Fields
    index: int | None

    @classmethod
    def deepest(cls, fields: Fields) -> Plane:
        """The plane in which lithium got deepest; without lithium, the middle one."""
        shape = next(iter(fields.arrays.values())).shape
        if len(shape) == 2:
            return cls(fields, None)
        lithium = fields.arrays.get("lithium")
        if lithium is None:
            return cls(fields, shape[2] // 2)
        rows = np.arange(shape[0])[:, None, None]
        depth = np.max(np.where(lithium >= 0.5, rows, 0), axis=(0, 1))
        return cls(fields, int(np.argmax(depth)))

    def of(self, array: AnyArray) -> AnyArray:
        """The part of a field that is drawn, (n, m)."""
        return array if self.index is None else array[:, :, self.index]

    def __getitem__(self, name: str) -> AnyArray:
        return self.of(self.fields.arrays[name])

    @property
    def where(self) -> str:
        """What to add to a title: nothing in two dimensions."""
        return "" if self.index is None else f", z = {(self.index + 0.5) * self.fields.spacing_nm:.0f} nm"

    @property
    def sides_nm(self) -> tuple[float, float]:
        """Lengths along x and y."""
        n, m = next(iter(self.fields.arrays.values())).shape[:2]
        return n * self.fields.spacing_nm, m * self.fields.spacing_nm

    @property
    def phase_names(self) -> dict[int, str]:
        """Second phases that are in the plane, by number."""
        text = self.fields.descriptions.get("phase_id", "")
        names = {int(number): name for number, name in re.findall(r"\b(\d+) (\w+)", text)}
        return {
            number: names.get(number, f"phase {number}") for number in np.unique(self["phase_id"]).tolist() if number
        }

    def microstructure(self, *, has_particles: bool = True) -> FloatArray:
        """RGB of grains, boundaries, voids and, where wanted, particles of second phases."""
        phases = self["phase_id"] if has_particles else np.zeros_like(self["phase_id"])
        return microstructure_image(self["grain_id"], self["boundary"], self._solid, phases)

    @property
    def _solid(self) -> FloatArray:
        """1 in the solid, 0 from the surface of a void (ρ = ½) inwards: the void that is counted is the void drawn."""
        return np.clip(2.0 * self["density"] - 1.0, 0.0, 1.0)

    def operation(self, ground: FloatArray, lithium: AnyArray, decomposed: AnyArray) -> FloatArray:
        """RGB of the pale `ground` with interphase, as strong as χ, and lithium on it."""
        image = _over(0.35 * ground + 0.65, INTERPHASE, np.clip(self.of(decomposed), 0, 1) * self._solid)
        image = _over(image, VOID_COLOUR, 1.0 - self._solid)
        return _over(image, LITHIUM, np.clip(self.of(lithium), 0, 1))


def show(axes: Any, plane: Plane, image: AnyArray, **options: Any) -> Any:
    """Draw an image or a field (n, m) with the anode on the left; returns what matplotlib made of it."""
    length, width = plane.sides_nm
    artist = axes.imshow(
        np.moveaxis(image, 0, 1), origin="lower", extent=(0, length, 0, width), interpolation="nearest", **options
    )
    axes.set(xlabel="depth x (nm)", ylabel="y (nm)")
    axes.grid(visible=False)
    return artist


def _over(image: FloatArray, colour: str, share: FloatArray) -> FloatArray:
    from matplotlib.colors import to_rgb

    return np.asarray(image * (1.0 - share[..., None]) + np.array(to_rgb(colour)) * share[..., None])


def phase_legend(mapping: Mapping[int, str]) -> list[Any]:
    """Handles for a legend: voids and every second phase."""
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=VOID_COLOUR, label="void"),
        *(Patch(facecolor=phase_colour(number), label=formula_mathtext(name)) for number, name in mapping.items()),
    ]
