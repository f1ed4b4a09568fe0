from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynaphase import records, store
from dynaphase.composition import Composition
from dynaphase.errors import CampaignError
from dynaphase.records import Candidate, Fields, Record, RecordStatus
from dynaphase.store import Store


def a_record(seed: int = 0, *, with_fields: bool = False) -> Record:
    candidate = Candidate(Composition.parse("Li3AlGe3"), seed, "lagp", "paper", {"n": 8, "stepping": "fast"})
    arrays = {"C": np.linspace(0, 1, 64).reshape(8, 8), "grains": np.arange(64, dtype=np.int32).reshape(8, 8)}
    fields = Fields(0.5, arrays, {"C": "intact fraction (1)"}) if with_fields else None
    return Record(
        candidate,
        RecordStatus.DONE,
        "Li1.5Al0.5Ge1.5(PO4)3",
        values={"stability_score": 61.25},
        descriptors={"grain_size_nm": 20.5},
        notes=("one",),
        cpu_seconds=0.5,
        fields=fields,
    )


def test_records_come_back_as_they_went_in_ordered_by_key(tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {"system": "lagp"})
    given = [a_record(seed) for seed in (3, 1, 2)]
    failed = replace(a_record(9), status=RecordStatus.FAILED, reason="diverged at 3 s", values={}, descriptors={})
    for record in [*given, failed]:
        kept.add(record)
    kept.close()
    again = Store(tmp_path, is_read_only=True)
    assert again.identity == {"system": "lagp"}
    assert again.records() == {record.key: record for record in [*given, failed]}
    assert list(again.records()) == sorted(again.records())


def test_a_key_depends_on_everything_that_decides_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_record().candidate
    others = [
        replace(one, seed=1),
        replace(one, composition=Composition.parse("Li3AlGe4")),
        replace(one, system="latp"),
        replace(one, model="physical"),
        replace(one, settings={"n": 9, "stepping": "fast"}),
    ]
    keys = {candidate.key for candidate in [one, *others]}
    assert len(keys) == 6
    assert replace(one, settings=dict(reversed(one.settings.items()))).key == one.key
    monkeypatch.setattr(records, "MODEL_VERSION", "another")
    assert one.key not in keys


def test_the_first_record_of_a_key_is_the_one_that_stays(tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {})
    kept.add(a_record())
    kept.add(replace(a_record(), values={"stability_score": 1.0}))
    assert kept.records()[a_record().key].values == {"stability_score": 61.25}


@pytest.mark.parametrize("table", ["records", "events", "meta"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET rowid = 99"])
def test_the_journal_is_append_only(table: str, statement: str, tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {})
    kept.add(a_record())
    kept.log("planned", {"round": 0})
    kept.close()
    with sqlite3.connect(tmp_path / "records.sqlite") as connection, pytest.raises(sqlite3.Error, match="append-only"):
        connection.execute(statement.format(table))


def test_fields_are_compressed_and_readable_with_xarray(tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {})
    record = a_record(with_fields=True)
    assert record.fields is not None
    kept.add(record)
    fields = kept.fields(record.key)
    np.testing.assert_allclose(fields["C"], record.fields.arrays["C"], atol=1e-7)
    np.testing.assert_array_equal(fields["grains"], record.fields.arrays["grains"])
    assert fields["x"].values[:2].tolist() == [0.25, 0.75]
    assert fields["x"].attrs["units"] == "nm"
    assert fields["C"].attrs["description"] == "intact fraction (1)"
    with pytest.raises(CampaignError, match="no fields"):
        kept.fields("unknown")


def test_an_unfinished_field_file_is_no_field_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store.create(tmp_path, {})
    record = a_record(with_fields=True)

    def no_space(*_: object, **__: object) -> None:
        (tmp_path / "fields" / f"{record.key}.unfinished").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xarray.Dataset.to_zarr", no_space)
    with pytest.raises(CampaignError, match="No space left on device"):
        kept.add(record)
    assert kept.records() == {}
    assert list((tmp_path / "fields").iterdir()) == []
    monkeypatch.undo()
    kept.add(record)
    assert kept.has_fields(record.key)


def test_events_keep_their_order(tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {})
    for number in range(3):
        kept.log("planned" if number % 2 else "assessed", {"number": number})
    assert [event.content["number"] for event in kept.events()] == [0, 1, 2]
    assert [event.content["number"] for event in kept.events("planned")] == [1]


def test_what_is_no_campaign_is_said(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="dynaphase new"):
        Store(tmp_path)
    (tmp_path / "records.sqlite").write_text("this is no database, only a text that is long enough to be read")
    with pytest.raises(CampaignError, match="cannot be opened"):
        Store(tmp_path)
    with pytest.raises(CampaignError, match="already holds a campaign"):
        Store.create(tmp_path, {})


def test_another_model_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.create(tmp_path, {}).close()
    monkeypatch.setattr(store, "MODEL_VERSION", "2099.1")
    with pytest.raises(CampaignError, match="another version"):
        Store(tmp_path)


def test_looking_works_beside_a_writer(tmp_path: Path) -> None:
    writer = Store.create(tmp_path, {})
    looker = Store(tmp_path, is_read_only=True)
    writer.add(a_record())
    assert len(looker.records()) == 1
    with pytest.raises(CampaignError, match="readonly"):
        looker.add(a_record(1))


def test_a_damaged_store_is_said_to_be_one(tmp_path: Path) -> None:
    kept = Store.create(tmp_path, {})
    kept.add(a_record(with_fields=True))
    key = a_record().key
    with kept._connection:
        kept._connection.execute("INSERT INTO records (key, status, content) VALUES ('x', 'done', '{broken')")
        kept._connection.execute("INSERT INTO events (kind, content) VALUES ('planned', '{broken')")
    for look in (kept.records, kept.events):
        with pytest.raises(CampaignError, match="damaged"):
            look()
    (tmp_path / "fields" / f"{key}.zarr" / "zarr.json").write_text("{broken")
    with pytest.raises(CampaignError, match="damaged"):
        kept.fields(key)


def test_fields_without_records_are_not_overwritten(tmp_path: Path) -> None:
    Store.create(tmp_path, {}).add(a_record(with_fields=True))
    (tmp_path / "records.sqlite").unlink()
    with pytest.raises(CampaignError, match=r"records\.sqlite is missing"):
        Store.create(tmp_path, {})
