from __future__ import annotations

import pytest

import dynaphase as dp
from dynaphase.records import Record

LAGP = "Li1.5Al0.5Ge1.5(PO4)3"


def watched(model: str = "physical", **settings: object) -> Record:
    record = dp.evaluate(LAGP, model, settings=settings, keep_history=True)
    assert record.is_done, record.reason
    return record


@pytest.fixture(scope="session")
def sharp() -> Record:
    return watched(fidelity="eikonal")


@pytest.fixture(scope="session")
def diffuse() -> Record:
    return watched(fidelity="96")


@pytest.fixture(scope="session")
def printed() -> Record:
    return watched("paper", n=48)


@pytest.fixture(params=["eikonal", "96"])
def run(request: pytest.FixtureRequest, sharp: Record, diffuse: Record) -> Record:
    return sharp if request.param == "eikonal" else diffuse
