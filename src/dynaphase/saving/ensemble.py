"""The records of an ensemble in a folder of their own: ``records.jsonl``, one evaluation a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dynaphase.errors import Interrupted
from dynaphase.records import Record
from dynaphase.saving.run import Written, prepare_run
from dynaphase.store import disk_errors

__all__ = ["kept_records", "save_records"]

NAME = "records.jsonl"


@contextmanager
def kept_records(directory: str | Path) -> Iterator[Callable[[Record], None]]:
    """Keep evaluations as they are finished, so that an interruption loses none; yields what keeps one.

    `save_records` puts them all, in their order, in the place of these.

    Raises
    ------
    Interrupted
        On Ctrl-C, saying what was kept.
    CampaignError
        If the folder cannot be written.
    """
    file = Path(directory) / NAME
    unfinished, n_kept = _unfinished(file), 0

    def keep(record: Record) -> None:
        nonlocal n_kept
        with disk_errors(file.parent, is_campaign=False), unfinished.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))
        n_kept += 1

    unfinished.unlink(missing_ok=True)
    try:
        yield keep
    except BaseException as error:
        if n_kept:
            unfinished.replace(file)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"interrupted; {n_kept} finished evaluations are kept in {file}") from None
        raise


def save_records(directory: str | Path, records: Sequence[Record]) -> Written:
    """Keep the evaluations of an ensemble, all of them or none; `Record.from_json` reads a line back.

    Parameters
    ----------
    directory : path
    records : sequence of Record
        Fields and histories are left out.

    Returns
    -------
    Written
        The file.

    Raises
    ------
    CampaignError
        If the folder holds a run already, or cannot be written.
    """
    prepare_run(directory)
    file = Path(directory) / NAME
    with disk_errors(file.parent, is_campaign=False):
        _unfinished(file).write_text("".join(map(_line, records)), encoding="utf-8")
        _unfinished(file).replace(file)
    return Written(file, f"{len(records)} records, one a line", file.stat().st_size)


def _unfinished(file: Path) -> Path:
    return file.with_name(f"{file.name}.unfinished")


def _line(record: Record) -> str:
    return json.dumps(record.to_json(), ensure_ascii=False) + "\n"
