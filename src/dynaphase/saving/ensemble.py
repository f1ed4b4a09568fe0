"""The records of an ensemble in a folder of their own: ``records.jsonl``, one evaluation a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dynaphase.records import Record
from dynaphase.saving.run import Written, prepare_run
from dynaphase.store import disk_errors

__all__ = ["save_records"]


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
    file = Path(directory) / "records.jsonl"
    unfinished = file.with_name(f"{file.name}.unfinished")
    with disk_errors(file.parent, is_campaign=False):
        text = "".join(json.dumps(record.to_json(), ensure_ascii=False) + "\n" for record in records)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    return Written(file, f"{len(records)} records, one a line", file.stat().st_size)
