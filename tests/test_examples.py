from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("name", "arguments", "shows"),
    [
        ("screen_the_line.py", ["32"], "Li1.9Al0.9Ge1.1(PO4)3"),
        ("own_campaign.py", ["DIRECTORY", "32"], "report: "),
        ("own_mechanism.py", [], "t =   200   mean c = 0.48"),
    ],
)
def test_an_example_runs(name: str, arguments: list[str], shows: str, tmp_path: Path) -> None:
    given = [str(tmp_path / "campaign") if argument == "DIRECTORY" else argument for argument in arguments]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *given], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert shows in done.stdout


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "screen_the_line.py",
        "own_campaign.py",
        "own_mechanism.py",
    }
