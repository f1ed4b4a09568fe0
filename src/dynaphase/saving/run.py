"""The folder of one run, written file by file.

::

    record.json     values, descriptors, settings
    fields.zarr     final fields; one group for each stage
    paraview/       final.vti, and one collection (.pvd) for each stage
    overview.png    the run in one figure
    sweep.gif       lithium on its way (paper model: degradation.gif)
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaphase.errors import CampaignError
from dynaphase.history import History
from dynaphase.records import Record
from dynaphase.store import as_dataset, disk_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Written", "prepare_run", "save_run"]


@dataclass(frozen=True, slots=True)
class Written:
    """One file or folder that was written."""

    path: Path
    what: str
    n_bytes: int

    def __str__(self) -> str:
        size = f"{self.n_bytes / 1e6:.1f} MB" if self.n_bytes >= 1e5 else f"{self.n_bytes / 1e3:.1f} kB"
        return f"{self.path}: {self.what} ({size})"


def prepare_run(directory: str | Path) -> None:
    """Make sure that `save_run` will find a folder it can write to: before an hour of computing, not after it.

    Raises
    ------
    CampaignError
        If the folder holds a run already, or cannot be written.
    """
    path = Path(directory)
    if (path / "record.json").exists() or (path / "records.jsonl").exists():
        raise CampaignError(f"{path} already holds a run; choose another directory")
    with disk_errors(path, is_campaign=False):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".probe"
        probe.write_text("", encoding="utf-8")
        probe.unlink()


def save_run(directory: str | Path, record: Record) -> list[Written]:
    """Keep one evaluation outside a campaign; what there is no field or history for is left out.

    Parameters
    ----------
    directory : path
    record : Record
        From ``evaluate(…, keep_history=True)`` for stages, figure and film.

    Returns
    -------
    list of Written
        In the order in which they were written.

    Raises
    ------
    CampaignError
        If the folder holds a run already, or cannot be written.
    """
    prepare_run(directory)
    path = Path(directory)
    written = []
    with disk_errors(path, is_campaign=False):
        if record.fields is not None:
            written.append(_save_fields(path / "fields.zarr", record))
        text = json.dumps(record.to_json(), indent=2, ensure_ascii=False)
        (path / "record.json").write_text(text + "\n", encoding="utf-8")
        written.append(_measured(path / "record.json", "values and descriptors"))
        if record.fields is not None:
            written.append(_save_vtk(path / "paraview", record))
            if record.history is not None:
                written += _save_pictures(path, record, record.history)
    return written


def _save_fields(target: Path, record: Record) -> Written:
    from dynaphase.saving.datasets import stage_dataset

    assert record.fields is not None
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    stages = record.history or {}
    try:
        as_dataset(record.fields, record.formula).to_zarr(unfinished, mode="w", consolidated=False)
        for name, stage in stages.items():
            stage_dataset(stage, f"{record.formula}: {name}").to_zarr(
                unfinished, group=name, mode="a", consolidated=False
            )
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return _measured(target, f"final fields{_counted(stages)}, for xarray")


def _save_vtk(target: Path, record: Record) -> Written:
    from dynaphase.saving.vtk import write_collection, write_image

    assert record.fields is not None
    target.mkdir(exist_ok=True)
    write_image(target / "final.vti", record.fields.arrays, record.fields.spacing_nm)
    stages = {name: stage for name, stage in (record.history or {}).items() if stage.arrays}
    for name, stage in stages.items():
        write_collection(target / f"{name}.pvd", stage)
    return _measured(target, f"final.vti{', ' if stages else ''}{', '.join(f'{n}.pvd' for n in stages)}, for ParaView")


def _save_pictures(path: Path, record: Record, history: History) -> list[Written]:
    from dynaphase.report.style import styled
    from dynaphase.saving.film import FILMED, save_film
    from dynaphase.saving.overview import overview

    figure = overview(record, history)
    _save_figure(figure, path / "overview.png")
    written = [_measured(path / "overview.png", "the run in one figure")]
    stage = next((name for name in FILMED if name in history), None)
    if stage is not None:
        with styled():
            n_frames = save_film(path / f"{stage}.gif", record, history)
        written.append(_measured(path / f"{stage}.gif", f"{n_frames} pictures, animated"))
    return written


def _save_figure(figure: Figure, target: Path) -> None:
    from dynaphase.report.style import styled

    with styled():
        figure.savefig(target, dpi=200, metadata={"Software": None})


def _counted(stages: History) -> str:
    return "".join(f", {name} ({len(stage.times)} times)" for name, stage in stages.items() if stage.arrays)


def _measured(path: Path, what: str) -> Written:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return Written(path, what, sum(file.stat().st_size for file in files))
