"""One run kept in a folder of its own: the record, fields over time for xarray and ParaView, a figure, a film.

What is written, and how to open it: docs/seeing.md.
"""

from dynaphase.saving.run import Written, prepare_run, save_run

__all__ = ["Written", "prepare_run", "save_run"]
