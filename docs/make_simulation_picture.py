"""Draw docs/simulation.png, the figure of `simulate --save`: ``python docs/make_simulation_picture.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import dynaphase as dp
from dynaphase.report.style import styled
from dynaphase.saving.overview import overview


def main(formula: str = "Li1.5Al0.5Ge1.5(PO4)3", fidelity: str = "128") -> None:
    """Simulate `formula` and draw it."""
    record = dp.evaluate(formula, "physical", settings={"fidelity": fidelity}, keep_history=True)
    assert record.history is not None
    figure = overview(record, record.history)
    with styled():
        figure.savefig(Path(__file__).with_name("simulation.png"), dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
