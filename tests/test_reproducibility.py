"""Results may only change together with MODEL_VERSION: this record stands for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dynaphase as dp
from dynaphase.records import MODEL_VERSION

GOLDEN = Path(__file__).with_name("golden_record.json")


def test_the_same_candidate_gives_the_record_of_this_model_version() -> None:
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert kept["model_version"] == MODEL_VERSION, "new MODEL_VERSION: write golden_record.json anew"
    for case in kept["cases"]:
        record = dp.evaluate(case["formula"], case["model"], seed=case["seed"], settings=case["settings"])
        message = "the result changed: if that is meant, give dynaphase.records a new MODEL_VERSION"
        # Other processors round differently; what changes a model changes more than this.
        assert record.values == pytest.approx(case["values"], rel=1e-5), message
        assert record.descriptors == pytest.approx(case["descriptors"], rel=1e-5), message


if __name__ == "__main__":  # python tests/test_reproducibility.py writes the file anew
    asked = [("paper", {"n": 48}, f) for f in ("Li1.5Al0.5Ge1.5(PO4)3", "Li1.1Al0.4Ge1.6P3O11.85", "LiAlGeP3")]
    asked += [
        ("physical", {"fidelity": "eikonal"}, "Li1.5Al0.5Ge1.5(PO4)3"),
        ("physical", {"fidelity": "96"}, "LiAlGeP3"),
    ]
    cases = []
    for model, settings, formula in asked:
        case = {"formula": formula, "model": model, "seed": 1, "settings": settings}
        record = dp.evaluate(formula, model, seed=1, settings=settings)
        cases.append(case | {"values": dict(record.values), "descriptors": dict(record.descriptors)})
    GOLDEN.write_text(json.dumps({"model_version": MODEL_VERSION, "cases": cases}, indent=1) + "\n", encoding="utf-8")
