"""VTK files, read back by hand: header as XML, values from the raw bytes behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import pytest

from dynaphase.history import Stage
from dynaphase.saving.vtk import write_collection, write_image

KINDS = {"Float32": "<f4", "Int16": "<i2", "Int32": "<i4", "UInt8": "<u1"}


def read_image(file: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, float], ET.Element]:
    content = file.read_bytes()
    head, raw = content.split(b'<AppendedData encoding="raw">', 1)
    raw = raw[raw.index(b"_") + 1 :]
    root = ET.fromstring(head + b"</VTKFile>")
    image = root.find("ImageData")
    assert root.attrib["type"] == "ImageData"
    assert root.attrib["header_type"] == "UInt64"
    assert image is not None
    low, high = np.array(image.attrib["WholeExtent"].split(), int).reshape(3, 2).T
    assert image.find("Piece").attrib["Extent"] == image.attrib["WholeExtent"]  # type: ignore[union-attr]
    arrays = {}
    for entry in image.findall("Piece/CellData/DataArray"):
        start, kind = int(entry.attrib["offset"]), np.dtype(KINDS[entry.attrib["type"]])
        n_bytes = int.from_bytes(raw[start : start + 8], "little")
        flat = np.frombuffer(raw[start + 8 : start + 8 + n_bytes], kind)
        arrays[entry.attrib["Name"]] = flat.reshape(high - low, order="F")  # x runs fastest
    numbers = {e.attrib["Name"]: float(e.text or "") for e in image.findall("FieldData/DataArray")}
    return arrays, numbers, image


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4)])
def test_an_image_comes_back(shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = {
        "lithium": rng.random(shape),
        "grain_id": rng.integers(0, 99, shape).astype(np.int32),
        "phase_id": rng.integers(0, 3, shape).astype(np.uint8)[::-1],
    }
    write_image(tmp_path / "a.vti", given, 0.78125, {"TimeValue": 12.5, "potential": 1 / 3})
    arrays, numbers, image = read_image(tmp_path / "a.vti")
    assert list(arrays) == list(given)
    for name, array in given.items():
        expected = array.astype(np.float32) if name == "lithium" else array
        np.testing.assert_array_equal(arrays[name].reshape(shape), expected)
    assert numbers == {"TimeValue": 12.5, "potential": 1 / 3}
    assert [float(side) for side in image.attrib["Spacing"].split()] == [0.78125] * 3
    assert image.attrib["WholeExtent"] == f"0 3 0 5 0 {shape[2] if len(shape) == 3 else 1}"


def test_a_collection_lists_its_times_and_images(tmp_path: Path) -> None:
    times = np.array([0.0, 20.0, 45.5])
    fields = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    stage = Stage(0.5, times, {"potential": 0.05 * times}, {"lithium": fields}, {})
    write_collection(tmp_path / "sweep.pvd", stage)
    entries = ET.parse(tmp_path / "sweep.pvd").getroot().findall("Collection/DataSet")
    assert [float(entry.attrib["timestep"]) for entry in entries] == times.tolist()
    for k, entry in enumerate(entries):
        assert not Path(entry.attrib["file"]).is_absolute()  # the folder may be moved
        arrays, numbers, _ = read_image(tmp_path / entry.attrib["file"])
        np.testing.assert_array_equal(arrays["lithium"][:, :, 0], fields[k])
        assert numbers == pytest.approx({"TimeValue": times[k], "potential": 0.05 * times[k]})
