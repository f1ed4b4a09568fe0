"""The jit wrapper: correct arithmetic, and a cache that may help but never fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

from dynaphase.phasefield.compiled import FASTMATH, jit, jit_inner
from dynaphase.phasefield.conserved_loops import conserved_stages, conserved_steps
from dynaphase.phasefield.field_loops import ConservedLoops, RelaxationLoops
from dynaphase.phasefield.relaxation_loops import relaxation_stages, relaxation_steps

MODULE = """
from dynaphase.phasefield import compiled

{before}
@compiled.jit
def square_sum(values):
    total = 0.0
    for value in values:
        total += value * value
    return total

if __name__ == "__main__":
    import numpy
    {between}
    print(square_sum(numpy.arange(4.0)), sum(square_sum.stats.cache_hits.values()))
"""


def run(folder: Path, before: str = "", between: str = "", **environment: str) -> str:
    """Output of a fresh process that defines and calls a compiled function: its value and the cache hits."""
    script = folder / "loops_of_a_user.py"
    script.write_text(MODULE.format(before=before, between=between))
    variables = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    variables |= {"NUMBA_CACHE_DIR": str(folder / "cache")} | environment
    done = subprocess.run([sys.executable, str(script)], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def cache_files(folder: Path) -> list[Path]:
    return sorted(p for p in (folder / "cache").rglob("*.nb?") if p.is_file())


def test_second_process_reads_the_cache_and_a_changed_package_discards_it(tmp_path: Path) -> None:
    stamp = "import os; compiled._package_stamp = lambda: os.environ['STAMP']"
    assert run(tmp_path, before=stamp, STAMP="1") == "14.0 0"
    assert run(tmp_path, before=stamp, STAMP="1") == "14.0 1"
    assert run(tmp_path, before=stamp, STAMP="2") == "14.0 0"


@pytest.mark.parametrize(("kind", "kept"), [(".nbi", 0.0), (".nbc", 0.6)])
def test_truncated_cache_file_is_replaced(tmp_path: Path, kind: str, kept: float) -> None:
    assert run(tmp_path) == "14.0 0"
    damaged = [p for p in cache_files(tmp_path) if p.suffix == kind]
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert run(tmp_path) == "14.0 0"
    assert run(tmp_path) == "14.0 1"


def test_no_place_for_a_cache_at_all(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("not a directory")
    (tmp_path / "__pycache__").write_text("not a directory either")
    nowhere = str(obstacle / "below")
    assert run(tmp_path, NUMBA_CACHE_DIR=nowhere, HOME=nowhere, XDG_CACHE_HOME=nowhere) == "14.0 0"


@pytest.mark.parametrize("obstacle", ["open(place, 'w').close()", "os.symlink(place + 'gone', place)"])
def test_cache_directory_lost_after_decoration(tmp_path: Path, obstacle: str) -> None:
    """A file in its place fails at reading, a dangling link only at writing."""
    lose = f"import os, shutil; place = square_sum._cache.cache_path; shutil.rmtree(place); {obstacle}"
    assert run(tmp_path, between=lose) == "14.0 0"


def test_function_without_a_source_file() -> None:
    namespace: dict[str, object] = {}
    exec(compile("def twice(x):\n    return 2.0 * x\n", "<nowhere>", "exec"), namespace)
    assert jit(namespace["twice"])(3.0) == 6.0  # type: ignore[type-var, operator]


@jit
def plain_sum(values: np.ndarray) -> float:
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


def test_sums_are_not_reordered_and_nan_survives() -> None:
    values = np.random.default_rng(0).standard_normal(1001) * 10.0 ** np.arange(-500, 501).clip(-8, 8)
    assert plain_sum(values) == sum(values.tolist())
    assert np.isnan(plain_sum(np.array([1.0, np.nan])))


@jit
def iterate(x: float, n: int) -> float:
    for _ in range(n):
        x = 0.999 * x + 1.0  # each waits for the last: a nanosecond or more
    return x


def test_loops_run_without_the_lock_of_the_interpreter() -> None:
    """The interpreter goes on while another thread is inside a compiled loop."""
    iterate(0.0, 1)
    working = threading.Thread(target=iterate, args=(0.0, 300_000_000))
    working.start()
    n_turns = 0
    while working.is_alive():
        time.sleep(0.001)
        n_turns += 1
    assert n_turns > 30


@jit_inner
def last(values: tuple[float, ...]) -> float:
    if len(values) == 3:
        return values[2]  # of a pair this would not compile
    return values[1]


@jit
def last_doubled(values: tuple[float, ...]) -> float:
    return 2.0 * last(values)


def test_the_length_of_a_tuple_decides_before_the_compilation() -> None:
    assert last_doubled((1.0, 2.0)) == 4.0
    assert last_doubled((1.0, 2.0, 3.0)) == 6.0
    assert isinstance(last, FunctionType), "in Python it is the function that was written"


@pytest.mark.parametrize("name", ["relaxation_steps", "relaxation_stages", "conserved_steps", "conserved_stages"])
def test_loops_of_single_precision_fields_compute_in_it_and_in_vectors(name: str) -> None:
    """One literal of double precision or one index that may count from the end would halve the speed, or worse."""
    from numba import njit

    single, local, flat = np.dtype(np.float32), (0.1, -1.0, 0.0, 2.0), (True, True)
    loops = ConservedLoops((8, 40), flat, single) if "conserved" in name else RelaxationLoops((8, 40), flat, single)
    g, fields, weights = loops.geometry, [loops.new() for _ in range(4)], np.zeros((3, 5), single)
    coefficients = loops.scalars(local), loops.scalar(0.1)
    window = loops.window(local, 0.1, ()) if isinstance(loops, ConservedLoops) else None
    function, arguments = {
        "relaxation_steps": (relaxation_steps, (*fields[:2], 1, loops.chunk, g, *coefficients)),
        "relaxation_stages": (relaxation_stages, (*fields, weights, loops.chunk, g, *coefficients)),
        "conserved_steps": (conserved_steps, (*fields[:2], 1, window, g)),
        "conserved_stages": (conserved_stages, (*fields, weights, window, g)),
    }[name]
    fresh = njit(fastmath=set(FASTMATH), error_model="numpy")(function.py_func)  # type: ignore[attr-defined]
    fresh(*arguments)
    code = "".join(fresh.inspect_llvm().values())
    assert not re.findall(r"= f(?:add|sub|mul|div) [^\n]*double", code)
    assert re.search(r"= fmul [a-z ]*<\d+ x float>", code)
    assert "masked.gather" not in code, "neighbours are read as they lie, not one by one"
