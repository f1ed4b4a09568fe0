"""Fields as VTK images (.vti) and collections of them over time (.pvd): what ParaView and VisIt open.

Values belong to cells.  A two-dimensional field is an image one cell thick.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.history import Stage

__all__ = ["write_collection", "write_image"]

AnyArray = npt.NDArray[Any]


def write_image(
    file: Path, arrays: Mapping[str, AnyArray], spacing_nm: float, numbers: Mapping[str, float] | None = None
) -> None:
    """One image; `numbers` become field data, values without a place."""
    from pyevtk.vtk import VtkFile, VtkImageData

    cells = {name: _as_volume(array) for name, array in arrays.items()}
    end = next(iter(cells.values())).shape
    writer = VtkFile(str(file.with_suffix("")), VtkImageData)
    try:
        writer.openGrid(start=(0, 0, 0), end=end, origin=(0.0, 0.0, 0.0), spacing=(spacing_nm,) * 3)
        if numbers:
            _add_numbers(writer, numbers)
        writer.openPiece(start=(0, 0, 0), end=end)
        writer.openData("Cell", scalars=next(iter(cells)))
        for name, array in cells.items():
            writer.addData(name, array)
        writer.closeData("Cell")
        writer.closePiece()
        writer.closeGrid()
        for array in cells.values():
            writer.appendData(array)
        writer.save()
    finally:
        writer.xml.stream.close()


def write_collection(file: Path, stage: Stage) -> None:
    """``NAME.pvd`` and one image for each time, in the folder ``NAME`` beside it."""
    from pyevtk.vtk import VtkGroup

    folder = file.with_suffix("")
    folder.mkdir(exist_ok=True)
    group = VtkGroup(str(folder))
    try:
        for k, time in enumerate(stage.times.tolist()):
            image = folder / f"{file.stem}_{k:03d}.vti"
            arrays = {name: array[k] for name, array in stage.arrays.items()}
            numbers = {name: float(values[k]) for name, values in stage.numbers.items()}
            write_image(image, arrays, stage.spacing_nm, {"TimeValue": time, **numbers})
            group.addFile(str(image), time)
        group.save()
    finally:
        group.xml.stream.close()


def _add_numbers(writer: Any, numbers: Mapping[str, float]) -> None:
    # pyevtk puts field data into the piece and leaves out their length: VTK then reads none.
    writer.openElement("FieldData")
    for name, value in numbers.items():
        writer.openElement("DataArray")
        writer.xml.addAttributes(type="Float64", Name=name, NumberOfTuples=1, format="ascii")
        writer.xml.addText(repr(value))
        writer.closeElement("DataArray")
    writer.closeElement("FieldData")


def _as_volume(array: AnyArray) -> AnyArray:
    """Three axes, in single precision, contiguous."""
    kind = np.float32 if array.dtype.kind == "f" else array.dtype
    return np.ascontiguousarray(array.reshape(*array.shape, *(1,) * (3 - array.ndim)), dtype=kind)
