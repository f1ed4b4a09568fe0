"""Stages of a run as xarray data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaphase.history import Stage
from dynaphase.store import axes_nm, described

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["stage_dataset"]


def stage_dataset(stage: Stage, title: str = "") -> xr.Dataset:
    """Dimensions time, x, y (, z); what rises with time, the potential of a sweep for instance, is a coordinate."""
    import xarray as xr

    text = stage.descriptions
    shape = next((array.shape[1:] for array in stage.arrays.values()), ())
    names = ("x", "y", "z")[: len(shape)]
    coordinates = {"time": ("time", stage.times, described(text["time"])), **axes_nm(shape, stage.spacing_nm)}
    if "potential" in stage.numbers:
        coordinates["potential"] = ("time", stage.numbers["potential"], described(text["potential"]))
    variables = {
        name: ("time", values, described(text[name])) for name, values in stage.numbers.items() if name != "potential"
    }
    fields = {name: (("time", *names), array, described(text[name])) for name, array in stage.arrays.items()}
    attributes = {"title": title, "spacing_nm": stage.spacing_nm}
    return xr.Dataset({**variables, **fields}, coords=coordinates, attrs=attributes)
