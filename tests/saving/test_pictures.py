"""What the figure and the film show: the right things, in the right place, with units."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from tests.saving.conftest import watched

from dynaphase.records import Fields, Record
from dynaphase.saving.film import save_film
from dynaphase.saving.maps import INTERPHASE, LITHIUM, Plane, show
from dynaphase.saving.overview import overview


def in_space(record: Record) -> Record:
    """The same run as a box of which every plane z is alike but for lithium: only plane 2 of 4 is as in the record."""
    assert record.fields is not None
    assert record.history is not None

    def pile(array: np.ndarray, name: str) -> np.ndarray:
        planes = [array * 0 if name == "lithium" and z != 2 else array for z in range(4)]
        return np.stack(planes, axis=-1)

    fields = {name: pile(array, name) for name, array in record.fields.arrays.items()}
    history = {
        stage_name: replace(stage, arrays={name: pile(array, name) for name, array in stage.arrays.items()})
        for stage_name, stage in record.history.items()
    }
    return replace(record, fields=Fields(record.fields.spacing_nm, fields, record.fields.descriptions), history=history)


def axis_labels(figure: Figure) -> list[str]:
    axes = [*figure.axes, *(child for panel in figure.axes for child in panel.child_axes)]
    return [label for a in axes if a.axison for label in (a.get_xlabel(), a.get_ylabel()) if label]


def figure_of(record: Record) -> Figure:
    assert record.history is not None
    return overview(record, record.history)


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_title_says_which_draw(sharp: Record) -> None:
    candidate = sharp.candidate
    assert ", draw" not in words(figure_of(sharp))
    drawn = replace(sharp, candidate=replace(candidate, settings={**candidate.settings, "draw": 7}))
    assert "seed 0, draw 7" in words(figure_of(drawn))


def test_every_axis_says_its_unit(run: Record) -> None:
    labels = axis_labels(figure_of(run))
    assert len(labels) >= 11
    without = [label for label in labels if not re.search(r"\((nm|mV)\)$", label)]
    assert set(without) == {"decomposition χ", "mean decomposition χ"}  # numbers between 0 and 1


def test_the_figure_says_what_was_found(run: Record) -> None:
    text = words(figure_of(run))
    for name in ("eta_onset_mV", "eta_50_mV", "eta_perc_mV"):
        assert text.count(f"{run.descriptors[name]:.1f} mV") >= 2  # at the curve and in the list
    assert "Li$_{1.5}$Al$_{0.5}$Ge$_{1.5}$(PO$_{4}$)$_{3}$" in text
    assert "$_{50}$)" in text  # the map is at η_50


def test_a_bound_is_shown_as_a_bound() -> None:
    record = watched(fidelity="eikonal", sweep_duration_s=1.0)
    assert "lower bounds" in " ".join(record.notes)
    text = words(figure_of(record))
    assert " > 150.0 mV" in text
    assert "$_{50}$)" not in text


def test_without_chemistry_there_is_still_a_figure(tmp_path: Path) -> None:
    record = watched(fidelity="eikonal", chemistry=False)
    assert record.history is not None
    assert "rest" not in record.history
    assert "no chemistry" in words(figure_of(record))
    assert save_film(tmp_path / "a.gif", record, record.history) > 10


def test_lithium_voids_and_interphase_have_their_colours(diffuse: Record) -> None:
    assert diffuse.fields is not None
    plane = Plane.deepest(diffuse.fields)
    shape = diffuse.fields.arrays["density"].shape
    lithium, decomposed = np.zeros(shape), np.zeros(shape)
    lithium[:10], decomposed[10:20] = 1.0, 1.0
    image = plane.operation(plane.microstructure(has_particles=False), lithium, decomposed)
    solid, void = plane["density"] > 0.999, plane["density"] < 0.5
    np.testing.assert_allclose(image[:10], np.broadcast_to(to_rgb(LITHIUM), image[:10].shape))
    assert solid[10:20].any()
    assert np.max(np.abs(image[10:20][solid[10:20]] - to_rgb(INTERPHASE))) < 0.01
    assert np.all(image[20:][void[20:]] < 0.1)
    assert void[20:].any()
    assert np.all(image[20:][solid[20:]] > 0.5)


def test_the_anode_is_on_the_left(diffuse: Record) -> None:
    assert diffuse.fields is not None
    plane = Plane.deepest(diffuse.fields)
    axes = Figure().subplots()
    shown = show(axes, plane, np.broadcast_to(np.arange(96.0)[:, None], (96, 96)))
    assert np.all(np.diff(np.asarray(shown.get_array()), axis=1) == 1)
    assert tuple(shown.get_extent()) == (0, 100, 0, 100)
    assert shown.origin == "lower"


def test_of_a_box_the_plane_of_the_deepest_lithium_is_drawn(sharp: Record, tmp_path: Path) -> None:
    box = in_space(sharp)
    assert box.fields is not None
    assert box.history is not None
    plane = Plane.deepest(box.fields)
    assert plane.index == 2
    assert f"z = {2.5 * 100 / 96:.0f} nm" in words(figure_of(box))
    assert save_film(tmp_path / "box.gif", box, box.history) > 10


@pytest.mark.parametrize("name", ["sharp", "diffuse", "printed"])
def test_a_film_moves(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    record: Record = request.getfixturevalue(name)
    assert record.history is not None
    n_pictures = save_film(tmp_path / "film.gif", record, record.history)
    pictures = []
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == n_pictures > 10
        for k in range(film.n_frames):
            film.seek(k)
            pictures.append(np.asarray(film.convert("RGB"), dtype=float) / 255.0)
    assert all(np.any(a != b) for a, b in pairwise(pictures))
    if name != "printed":
        half = [picture[:, : picture.shape[1] // 2] for picture in pictures]  # the map, without the curve beside it
        blue = [np.mean(np.abs(picture - to_rgb(LITHIUM)).max(axis=-1) < 0.1) for picture in half]
        assert blue[-1] > 2 * blue[0] > 0
        assert np.all(np.diff(blue) > -0.01)
