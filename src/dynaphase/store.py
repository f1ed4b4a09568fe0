"""The campaign's memory: an append-only journal in SQLite, and one field file per run.

A campaign directory is self-contained::

    campaign.toml      what was asked for
    records.sqlite     every record and every decision, in the order in which they were made
    fields/KEY.zarr    final fields of one run, readable with xarray
    report.html

Rows are only ever inserted (triggers refuse anything else), each in its own transaction, so a process that is killed
at any moment loses at most the evaluations that were still running.  A field file is written under a temporary name
and renamed before its record is inserted: a record that is there has its fields.
"""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaphase.errors import CampaignError
from dynaphase.records import MODEL_VERSION, Fields, Record

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "SCHEMA_VERSION",
    "Event",
    "Store",
    "as_dataset",
    "axes_nm",
    "described",
    "disk_errors",
    "load_checkpoint",
    "save_checkpoint",
    "save_table",
    "save_text",
]

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE records (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, content TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, content TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
"""
_APPEND_ONLY: Final = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;\n"
    for table in ("records", "events", "meta")
    for verb in ("UPDATE", "DELETE")
)


@dataclass(frozen=True, slots=True)
class Event:
    """One decision of the campaign: a planned round, an assessment, a stop."""

    number: int
    kind: str
    content: Mapping[str, Any]
    created: str


class Store:
    """Records, events and fields of one campaign directory.

    Parameters
    ----------
    directory : path
        An existing campaign directory; `create` makes the files.
    is_read_only : bool
        Open for looking only: works beside a running campaign and on read-only media.

    Raises
    ------
    CampaignError
        If there is no store, if it belongs to another model or schema version, or if the disk refuses.
    """

    def __init__(self, directory: str | Path, *, is_read_only: bool = False) -> None:
        self.directory = Path(directory)
        if not self._database.is_file():
            if (self.directory / "campaign.toml").is_file():
                raise CampaignError(f"nothing has been run in {self.directory} yet: 'dynaphase run {self.directory}'")
            raise CampaignError(
                f"{self.directory} is no campaign directory: it has no {self._database.name}. "
                "Make one with 'dynaphase new DIR'."
            )
        self._connection = self._connect(is_read_only=is_read_only)
        self._check_versions()

    @classmethod
    def create(cls, directory: str | Path, identity: Mapping[str, Any]) -> Store:
        """Make an empty store in `directory`; `identity` is what must never change while it is filled."""
        path = Path(directory)
        database = path / "records.sqlite"
        if database.exists():
            raise CampaignError(f"{path} already holds a campaign; run it with 'dynaphase run {path}'")
        if any((path / "fields").glob("*.zarr")):
            raise CampaignError(
                f"{path} holds fields of simulations, but {database.name} is missing: restore it from a copy, or start "
                "again in another directory"
            )
        with disk_errors(path):
            (path / "fields").mkdir(parents=True, exist_ok=True)
            fresh = path / "records.sqlite.new"
            fresh.unlink(missing_ok=True)
            connection = sqlite3.connect(fresh)
            try:
                # In one transaction: a disk that fills up leaves no half-made store.
                connection.executescript(_SCHEMA)
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)",
                    [
                        ("schema_version", str(SCHEMA_VERSION)),
                        ("model_version", MODEL_VERSION),
                        ("identity", json.dumps(identity, sort_keys=True)),
                    ],
                )
                connection.executescript(_APPEND_ONLY)
                connection.commit()
            finally:
                connection.close()
            fresh.rename(database)
        return cls(path)

    @classmethod
    def to_fill(cls, directory: str | Path, identity: Mapping[str, Any]) -> Store:
        """The store of `directory`, made where there is none.

        One in which nothing was asked for yet is made anew for `identity`: a configuration may be edited until then.
        """
        database = Path(directory) / "records.sqlite"
        if not database.is_file():
            return cls.create(directory, identity)
        store = cls(directory)
        if store.has_begun or store.identity == identity:
            return store
        store.close()
        with disk_errors(Path(directory)):
            database.unlink()
        return cls.create(directory, identity)

    @property
    def has_begun(self) -> bool:
        """Whether anything was asked for, so that the identity holds."""
        return bool(self.keys() or self.events("planned"))

    @property
    def identity(self) -> dict[str, Any]:
        """What the campaign was created for."""
        return dict(_decoded(self._meta().get("identity"), self._database))

    def add(self, record: Record) -> None:
        """Keep a record (and its fields).  A record whose key is already there is dropped: first come, first kept."""
        with disk_errors(self.directory):
            if record.fields is not None:
                self._write_fields(record.key, record.fields, record.formula)
            with self._connection:
                self._connection.execute(
                    "INSERT OR IGNORE INTO records (key, status, content) VALUES (?, ?, ?)",
                    (record.key, record.status.value, json.dumps(record.to_json())),
                )

    def log(self, kind: str, content: Mapping[str, Any]) -> None:
        """Append one event."""
        with disk_errors(self.directory), self._connection:
            self._connection.execute(
                "INSERT INTO events (kind, content) VALUES (?, ?)", (kind, json.dumps(dict(content)))
            )

    def records(self) -> dict[str, Record]:
        """All records by key, ordered by key: the order does not depend on who finished first."""
        rows = self._query("SELECT key, content FROM records ORDER BY key")
        try:
            return {key: Record.from_json(_decoded(content, self._database)) for key, content in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self._database, f"a record cannot be read: {error!r}") from None

    def keys(self) -> set[str]:
        """Keys of all records."""
        return {key for (key,) in self._query("SELECT key FROM records")}

    def arrivals(self) -> list[str]:
        """Keys of all records in the order in which they came."""
        return [key for (key,) in self._query("SELECT key FROM records ORDER BY rowid")]  # only ever inserted

    def events(self, kind: str | None = None) -> list[Event]:
        """All events in order, or those of one kind."""
        rows = self._query("SELECT number, kind, content, created FROM events ORDER BY number")
        events = [Event(n, k, _decoded(content, self._database), created) for n, k, content, created in rows]
        return [event for event in events if kind is None or event.kind == kind]

    def has_fields(self, key: str) -> bool:
        """Whether the fields of a run were kept."""
        return self._fields_path(key).is_dir()

    def fields(self, key: str) -> xr.Dataset:
        """Final fields of one run as an xarray data set with coordinates in nm."""
        import xarray as xr

        if not self.has_fields(key):
            raise CampaignError(f"{self.directory} holds no fields for the record {key}")
        try:
            fields: xr.Dataset = xr.open_zarr(self._fields_path(key), consolidated=False).load()
        except (OSError, KeyError, ValueError) as error:
            raise _damaged(self._fields_path(key), str(error)) from None
        return fields

    def close(self) -> None:
        """Close the database; the store cannot be used afterwards."""
        self._connection.close()

    # --- files -------------------------------------------------------------------------------------------

    @property
    def _database(self) -> Path:
        return self.directory / "records.sqlite"

    def _fields_path(self, key: str) -> Path:
        return self.directory / "fields" / f"{key}.zarr"

    def _write_fields(self, key: str, fields: Fields, title: str) -> None:
        target = self._fields_path(key)
        if target.exists():
            return
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            # One chunk a field: the arrays are small, and files, not bytes, are what a campaign has many of.
            as_dataset(fields, title).to_zarr(unfinished, mode="w", consolidated=False)
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    # --- database ----------------------------------------------------------------------------------------

    def _connect(self, *, is_read_only: bool) -> sqlite3.Connection:
        try:
            if not is_read_only:
                connection = sqlite3.connect(self._database, timeout=30.0)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("SELECT count(*) FROM meta")
                return connection
            uri = self._database.resolve().as_uri()
            try:
                connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30.0)
                connection.execute("SELECT count(*) FROM meta")
            except sqlite3.OperationalError:
                # A write-ahead log cannot be opened on read-only media; without a writer the file alone is whole.
                connection = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)
                connection.execute("SELECT count(*) FROM meta")
            return connection
        except sqlite3.Error as error:
            raise CampaignError(
                f"{self._database} cannot be opened ({error}). If it is no DynaPhase store, use another directory; "
                "if the disk is read-only, copy the campaign to one that is not."
            ) from None

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return list(self._connection.execute(sql))
        except sqlite3.Error as error:
            raise CampaignError(f"{self._database} cannot be read: {error}") from None

    def _meta(self) -> dict[str, str]:
        return dict(self._query("SELECT name, value FROM meta"))

    def _check_versions(self) -> None:
        meta = self._meta()
        found = (meta.get("schema_version"), meta.get("model_version"))
        if found != (str(SCHEMA_VERSION), MODEL_VERSION):
            self._connection.close()
            raise CampaignError(
                f"{self.directory} belongs to another version: store {found[0]}, model {found[1]}; this DynaPhase "
                f"has store {SCHEMA_VERSION}, model {MODEL_VERSION}. Results of different models do not mix: "
                "start a new campaign, or open this one with the version that made it."
            )


def _decoded(text: str | None, file: Path) -> Any:
    try:
        return json.loads(text or "")
    except json.JSONDecodeError as error:
        raise _damaged(file, str(error)) from None


def _damaged(file: Path, what: str) -> CampaignError:
    return CampaignError(f"{file} is damaged ({what}); restore it from a copy, or start a new campaign")


def save_table(file: str | Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write rows of equal keys as CSV.

    Raises
    ------
    CampaignError
        If the file cannot be written.
    """
    path = Path(file)
    with disk_errors(path.parent, is_campaign=False), path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def save_text(file: str | Path, text: str) -> None:
    """Write a new text file.

    Raises
    ------
    CampaignError
        If the file is there already, or cannot be written.
    """
    path = Path(file)
    if path.exists():
        raise CampaignError(f"{path} is there already; choose another name")
    if not path.parent.is_dir():
        raise CampaignError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    with disk_errors(path.parent, is_campaign=False):
        path.write_text(text, encoding="utf-8")


def save_checkpoint(file: str | Path, content: Mapping[str, Any]) -> None:
    """Keep arrays, numbers, texts and mappings of them as one file, in the place of an older one or not at all.

    Raises
    ------
    CampaignError
        If the file cannot be written.
    """
    import numpy as np

    path = Path(file)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with disk_errors(path.parent, is_campaign=False):
        try:
            with unfinished.open("wb") as stream:
                np.savez(stream, **dict(_flat(content)))
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def load_checkpoint(file: str | Path) -> dict[str, Any]:
    """What `save_checkpoint` has kept; numbers and texts come back as arrays without axes.

    Raises
    ------
    CampaignError
        If the file is damaged.
    """
    import zipfile

    import numpy as np

    content: dict[str, Any] = {}
    try:
        with np.load(file, allow_pickle=False) as kept:
            for name, array in kept.items():
                *groups, last = name.split("/")
                place = content
                for group in groups:
                    place = place.setdefault(group, {})
                place[last] = array
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile):
        raise CampaignError(
            f"{file} is no checkpoint or damaged: delete that file to start from the beginning"
        ) from None
    return content


def _flat(content: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{group}{name}/")
        else:
            yield f"{group}{name}", value


def as_dataset(fields: Fields, title: str = "") -> xr.Dataset:
    """Fields as an xarray data set; dimensions x, y (, z) with cell-centre coordinates in nm, float32."""
    import xarray as xr

    shape = next(iter(fields.arrays.values())).shape
    names = ("x", "y", "z")[: len(shape)]
    variables = {
        name: (names, _compact(array), described(fields.descriptions.get(name, "")))
        for name, array in fields.arrays.items()
    }
    attributes = {"title": title, "spacing_nm": fields.spacing_nm}
    return xr.Dataset(variables, coords=axes_nm(shape, fields.spacing_nm), attrs=attributes)


def axes_nm(shape: Sequence[int], spacing_nm: float) -> dict[str, Any]:
    """Coordinates of the cell centres, by name of the axis."""
    import numpy as np

    return {
        name: (name, (np.arange(n) + 0.5) * spacing_nm, {"units": "nm"})
        for name, n in zip(("x", "y", "z"), shape, strict=False)
    }


def described(text: str) -> dict[str, str]:
    """Attributes of a variable from its description, which ends with the unit in parentheses."""
    what, separator, unit = text.removesuffix(")").rpartition(" (")
    has_unit = bool(separator) and text.endswith(")")
    return {"description": text} | ({"long_name": what, "units": unit} if has_unit else {"long_name": text})


def _compact(array: Any) -> Any:
    return array.astype("float32") if array.dtype.kind == "f" else array


@contextmanager
def disk_errors(directory: Path, *, is_campaign: bool = True) -> Iterator[None]:
    """Turn what a full or read-only disk throws into one clear message."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        kept = "Everything finished so far is kept: free" if is_campaign else "Free"
        again = ", then run it again" if is_campaign else ""
        raise CampaignError(
            f"{directory} cannot be written ({error}). {kept} some space or make the directory writable{again}."
        ) from error
