"""What is kept of a run on its way: how much, when, and that looking changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dynaphase as dp
from dynaphase.history import Snapshots
from dynaphase.records import Record


@pytest.mark.parametrize("n_states", [1, 2, 7, 8, 9, 50, 333])
def test_snapshots_are_bounded_even_and_hold_both_ends(n_states: int) -> None:
    snapshots, n_made = Snapshots(8), []
    for k in range(n_states):
        snapshots.offer(float(k), {"k": 2.0 * k}, lambda k=k: n_made.append(k) or {"field": np.full((2, 3), float(k))})
    stage = snapshots.stage(0.5, {})
    assert min(n_states, 4) <= len(stage.times) <= 9
    assert (stage.times[0], stage.times[-1]) == (0.0, n_states - 1.0)
    gaps = np.diff(stage.times)
    assert np.all(gaps > 0)
    assert len(set(gaps[:-1])) <= 1
    assert np.all(gaps[-1:] <= gaps[:1])
    assert stage.arrays["field"].shape == (len(stage.times), 2, 3)
    np.testing.assert_array_equal(stage.arrays["field"][:, 0, 0], stage.times)
    np.testing.assert_array_equal(stage.numbers["k"], 2.0 * stage.times)
    assert len(n_made) <= 8 * (1 + np.log2(max(n_states, 1)))  # not every state is turned into arrays


def test_snapshots_are_compact() -> None:
    snapshots = Snapshots(4)
    snapshots.offer(0.0, {}, lambda: {"field": np.ones(5), "grain": np.arange(5), "many": np.array([40000])})
    kinds = {name: array.dtype for name, array in snapshots.stage(1.0, {}).arrays.items()}
    assert kinds == {"field": np.float32, "grain": np.int16, "many": np.int64}
    with pytest.raises(ValueError, match="without a single state"):
        Snapshots(4).stage(1.0, {})


def test_looking_changes_nothing(run: Record) -> None:
    settings = {"fidelity": run.candidate.settings["fidelity"]}
    unseen = dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", "physical", settings=settings)
    assert unseen.history is None
    assert (unseen.values, unseen.descriptors) == (run.values, run.descriptors)
    assert unseen.fields is not None
    assert run.fields is not None
    for name, array in unseen.fields.arrays.items():
        np.testing.assert_array_equal(array, run.fields.arrays[name])
    assert unseen.to_json().keys() == run.to_json().keys()
    assert "history" not in json.dumps(run.to_json())
    assert "history" not in repr(run)


def test_the_last_snapshots_are_the_fields_of_the_record(run: Record) -> None:
    assert run.history is not None
    assert run.fields is not None
    final, history = run.fields.arrays, run.history
    np.testing.assert_array_equal(history["sweep"].arrays["lithium"][-1], final["lithium"].astype(np.float32))
    np.testing.assert_array_equal(history["rest"].arrays["decomposed"][-1], final["decomposed"].astype(np.float32))
    np.testing.assert_array_equal(history["furnace"].arrays["density"][-1], final["density"].astype(np.float32))
    _, without_gaps = np.unique(history["furnace"].arrays["grain_id"][-1], return_inverse=True)
    np.testing.assert_array_equal(without_gaps.reshape(final["grain_id"].shape), final["grain_id"])


def test_stages_go_forward_in_time(run: Record) -> None:
    assert run.history is not None
    assert set(run.history) == {"furnace", "furnace_curve", "sweep", "sweep_curve", "rest"}
    for name in ("furnace", "sweep", "rest"):
        stage = run.history[name]
        assert stage.times[0] == 0.0
        assert np.all(np.diff(stage.times) > 0)
    assert run.history["furnace"].times[-1] == pytest.approx(500.0)
    assert run.history["rest"].times[-1] == 1000.0
    assert 20 <= len(run.history["sweep"].times) <= 41
    assert 4 <= len(run.history["furnace"].times) <= 9


def test_the_sweep_advances_and_its_potential_is_that_of_the_protocol(run: Record) -> None:
    assert run.history is not None
    sweep, curve = run.history["sweep"], run.history["sweep_curve"]
    lithium = sweep.arrays["lithium"]
    np.testing.assert_allclose(sweep.numbers["potential"], 0.05 * sweep.times)  # 50 mV in 1000 s
    assert np.all(np.diff(lithium, axis=0) >= -1e-6)  # rigid ceramic does not heal
    assert lithium[-1].mean() > 2 * lithium[0].mean()
    assert np.all(sweep.arrays["decomposed"][0] == 0)
    assert sweep.arrays["decomposed"][-1].mean() > 0.02
    # η_50 is where the depth of the curve is half of what lithium has before it
    deepest = np.maximum.accumulate(curve.numbers["depth"])
    depth = np.interp(run.descriptors["eta_50_mV"], curve.numbers["potential"], deepest)
    assert depth == pytest.approx(47.5, abs=0.01)


def test_lithium_goes_where_the_margin_is_positive(run: Record) -> None:
    """Of the cells that lithium takes between two snapshots, nearly all had φ > η_c + η_cap at the later potential."""
    assert run.history is not None
    arrays, rise = run.history["sweep"].arrays, np.diff(run.history["sweep"].numbers["potential"])
    ahead = arrays["margin"][:-1] + rise[:, None, None]  # of the ceramic still there: in lithium χ is 0
    taken = (arrays["lithium"][1:] >= 0.5) & (arrays["lithium"][:-1] < 0.5)
    assert taken.sum() > 500
    assert np.mean(ahead[taken] > 0) > 0.9
    assert np.mean(ahead[-1] > 0) < 0.7


def test_the_paper_model_keeps_its_degradation(printed: Record) -> None:
    assert printed.history is not None
    assert printed.fields is not None
    stage = printed.history["degradation"]
    np.testing.assert_array_equal(stage.arrays["C"][0], printed.fields.arrays["C_start"].astype(np.float32))
    np.testing.assert_array_equal(stage.arrays["C"][-1], printed.fields.arrays["C"].astype(np.float32))
    assert 20 <= len(stage.times) <= 41
    assert dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", "paper", settings={"n": 48}).values == printed.values
