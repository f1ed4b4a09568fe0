"""The folder of a run: written once, whole, readable with the tools that its readers have."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from tests.saving.conftest import LAGP

from dynaphase.cli import main
from dynaphase.errors import CampaignError
from dynaphase.records import Record, RecordStatus
from dynaphase.saving import run as writing
from dynaphase.saving import save_run
from dynaphase.store import Store


@pytest.fixture(scope="module")
def folder(diffuse: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "run"
    written = save_run(path, diffuse)
    assert {item.path for item in written} == set(path.iterdir())
    return path


def test_xarray_reads_every_stage_without_a_warning(folder: Path, diffuse: Record) -> None:
    assert diffuse.history is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        final = xr.open_zarr(folder / "fields.zarr", consolidated=False)
        stages = {
            name: xr.open_zarr(folder / "fields.zarr", group=name, consolidated=False) for name in diffuse.history
        }
    assert diffuse.fields is not None
    np.testing.assert_array_equal(final["lithium"], diffuse.fields.arrays["lithium"].astype(np.float32))
    assert final["lithium"].attrs["units"] == "1"
    assert final["threshold"].attrs["units"] == "mV"
    for name, stage in diffuse.history.items():
        data = stages[name]
        assert data.sizes["time"] == len(stage.times)
        np.testing.assert_array_equal(data["time"], stage.times)  # numbers, not durations
        for field, array in stage.arrays.items():
            assert data[field].dims == ("time", "x", "y")
            assert data[field].dtype.itemsize <= 4
            np.testing.assert_array_equal(data[field], array)
            assert data[field].attrs["description"]
    sweep = stages["sweep"]
    assert sweep["time"].attrs["units"] == "s"
    assert stages["furnace"]["time"].attrs["units"] == "nm²"
    assert sweep["margin"].attrs["units"] == sweep["potential"].attrs["units"] == "mV"
    assert set(sweep.coords) == {"time", "potential", "x", "y"}
    np.testing.assert_allclose(sweep["x"], (np.arange(96) + 0.5) * 100 / 96)
    assert sweep["x"].attrs["units"] == "nm"
    at = sweep.swap_dims(time="potential").sel(potential=15.0, method="nearest")
    assert abs(float(at["potential"]) - 15.0) < 1.0


def test_a_data_tree_holds_all_of_it(folder: Path, diffuse: Record) -> None:
    assert diffuse.history is not None
    tree = xr.open_datatree(folder / "fields.zarr", engine="zarr", consolidated=False)
    assert set(tree.children) == set(diffuse.history)
    assert tree["sweep/lithium"].sizes["time"] > 10


def test_paraview_files_belong_to_the_record(folder: Path, diffuse: Record) -> None:
    from tests.saving.test_vtk_files import read_image

    assert diffuse.history is not None
    sweep = diffuse.history["sweep"]
    names = sorted(path.name for path in (folder / "paraview").iterdir())
    stages = ("furnace", "rest", "sweep")
    assert names == sorted(["final.vti", *stages, *(f"{name}.pvd" for name in stages)])
    arrays, numbers, _ = read_image(sorted((folder / "paraview" / "sweep").iterdir())[-1])
    np.testing.assert_array_equal(arrays["lithium"][:, :, 0], sweep.arrays["lithium"][-1])
    assert numbers["potential"] == pytest.approx(sweep.numbers["potential"][-1])


def test_pictures_are_pictures(folder: Path) -> None:
    with Image.open(folder / "overview.png") as overview:
        assert min(overview.size) > 800
        darkest, lightest = overview.convert("L").getextrema()
        assert darkest < 40
        assert lightest == 255
    with Image.open(folder / "sweep.gif") as film:
        assert film.n_frames > 10
        assert (folder / "sweep.gif").stat().st_size < 2e6


def test_all_of_it_is_small(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 10e6


def test_the_command_names_what_it_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["simulate", LAGP, "--fidelity", "eikonal", "--save", str(tmp_path / "run")]
    assert main(arguments) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrote ")]
    paths = [Path(line.removeprefix("wrote ").split(": ")[0]) for line in lines]
    assert [path.name for path in paths] == ["fields.zarr", "record.json", "paraview", "overview.png", "sweep.gif"]
    assert set(paths) == set((tmp_path / "run").iterdir())
    assert main(arguments) == 2
    assert "already holds a run" in capsys.readouterr().err
    arguments = ["simulate", LAGP, "--model", "paper", "--set", "n=48", "--json", "--save", str(tmp_path / "paper")]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["model"] == "paper"
    assert "degradation.gif" in shown.err


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["simulate", LAGP, "--save", str(tmp_path / "file" / "run")]) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert "Traceback" not in error


def test_a_full_disk_gives_a_message_and_leaves_no_half_store(
    sharp: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    write = xr.Dataset.to_zarr

    def full_after_the_first(dataset: xr.Dataset, *where: object, group: str | None = None, **how: object) -> object:
        return full() if group is not None else write(dataset, *where, **how)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_zarr", full_after_the_first)
        with pytest.raises(CampaignError, match="No space left"):
            save_run(tmp_path / "a", sharp)
    assert list((tmp_path / "a").iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(writing, "_save_figure", full)
        with pytest.raises(CampaignError, match="No space left"):
            save_run(tmp_path / "a", sharp)
    assert (tmp_path / "a" / "record.json").exists()  # the result is kept even if its pictures are not


def test_what_is_missing_is_left_out(sharp: Record, tmp_path: Path) -> None:
    failed = replace(sharp, status=RecordStatus.FAILED, reason="why", values={}, fields=None, history=None)
    assert [item.path.name for item in save_run(tmp_path / "failed", failed)] == ["record.json"]
    unseen = replace(sharp, history=None)
    names = [item.path.name for item in save_run(tmp_path / "unseen", unseen)]
    assert names == ["fields.zarr", "record.json", "paraview"]


def test_a_campaign_keeps_no_history(sharp: Record, tmp_path: Path) -> None:
    store = Store.create(tmp_path, {"system": "lagp"})
    store.add(sharp)
    store.close()
    again = Store(tmp_path, is_read_only=True)
    assert again.records()[sharp.key].history is None
    assert not [path for path in (tmp_path / "fields").rglob("*") if path.name in {"sweep", "furnace", "rest"}]
    assert again.fields(sharp.key)["lithium"].dims == ("x", "y")
