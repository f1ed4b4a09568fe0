"""The benchmark of decisions: its measures against closed forms, its loader, and a campaign played for real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from decisions import games, measures, mixtures, play, render, results, tables  # noqa: E402
from decisions.hypervolume import growing_hypervolume, hypervolume  # noqa: E402
from decisions.inputs import Inputs  # noqa: E402
from decisions.landscape import Landscape  # noqa: E402
from decisions.peers import OptunaTPE, ScikitLearn, missing_peers  # noqa: E402
from decisions.play import play_learning, play_search  # noqa: E402
from decisions.steered import Steered  # noqa: E402
from decisions.strategies import FixedOrder, RandomOrder, SobolOrder, Strategy  # noqa: E402
from dynaphase import pareto  # noqa: E402
from dynaphase.acquisition.boxes import Boxes  # noqa: E402
from dynaphase.errors import InputError  # noqa: E402


def test_hypervolume_of_boxes_worked_out_by_hand() -> None:
    assert hypervolume([[3.0]], [1.0]) == 2.0
    assert hypervolume([[2.0, 1.0], [1.0, 2.0]], [0.0, 0.0]) == 3.0
    assert hypervolume([[2.0, 1.0], [1.0, 2.0], [0.5, 0.5]], [0.0, 0.0]) == 3.0
    assert hypervolume([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]], [0.0] * 3) == 4.0
    assert hypervolume([[5.0, -1.0], [-np.inf, -np.inf]], [0.0, 0.0]) == 0.0


@pytest.mark.parametrize("n_objectives", [2, 3])
def test_hypervolume_agrees_with_botorch(n_objectives: int) -> None:
    torch = pytest.importorskip("torch")
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    values = np.random.default_rng(3).random((40, n_objectives))
    reference = np.full(n_objectives, 0.2)
    rows = torch.as_tensor(values)
    expected = Hypervolume(torch.as_tensor(reference)).compute(rows[is_non_dominated(rows)])
    assert hypervolume(values, reference) == pytest.approx(expected, rel=1e-12)
    grown = growing_hypervolume(values, range(40), reference)
    assert grown[-1] == pytest.approx(expected, rel=1e-12)
    boxes, ours = Boxes(reference), 0.0
    for row in values:
        ours += float(boxes.improvement(row[None, None])[0, 0])
        boxes.insert(row[None])
    assert ours == pytest.approx(expected, rel=1e-12)
    if n_objectives == 2:
        assert pareto.hypervolume(values, reference) == pytest.approx(expected, rel=1e-12)
    assert (np.diff(grown) >= 0).all()
    assert grown[9] == pytest.approx(hypervolume(values[:10], reference), rel=1e-12)


def one_peak(n: int = 200, n_good: int = 4) -> measures.Yardstick:
    """A pool with `n_good` candidates above 95 % of the best and all others far below."""
    scores = np.linspace(0, 0.5, n)[:, None]
    scores[-n_good:] = np.linspace(0.999, 1.0, n_good)[:, None]
    return measures.Yardstick(scores, n_permutations=4000)


def test_random_search_needs_what_the_closed_form_says() -> None:
    yardstick = one_peak()
    expected = measures.expected_random_needs(200, 4)
    error = yardstick.random_needs.std() / np.sqrt(len(yardstick.random_needs))
    assert abs(yardstick.random_needs.mean() - expected) < 4 * error


def test_a_strategy_that_knows_everything_accelerates_by_what_random_search_needs() -> None:
    yardstick = one_peak(n_good=1)
    perfect = measures.first_reaching(yardstick.curve([199]), measures.SHARE)
    found = measures.acceleration(yardstick.random_needs, np.array([float(perfect)] * 20))
    # One good candidate of 200: random search finds it at a uniformly random place, the median is 100.5.
    assert found["median"] == pytest.approx(100.5, abs=6)
    assert found["interval_90"][0] == found["interval_90"][1] == found["median"]


def test_the_oracle_takes_the_shortest_way() -> None:
    assert one_peak().oracle == (199,)
    scores = np.array([[0.0, 3.0], [2.0, 2.0], [3.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    # Boxes above the lowest in each objective: only (2, 2) beats (0, 0) in both, (½, ½) lies within it.
    assert measures.Yardstick(scores, percentile=0).oracle == (1,)


def test_random_search_does_not_accelerate_itself() -> None:
    yardstick = one_peak()
    inputs = Inputs(mixtures.mixture("kink3", 200, 20))
    orders = [play_search(inputs, RandomOrder(), seed, lambda order: False, budget=200) for seed in range(40)]
    needs = np.array([float(measures.first_reaching(yardstick.curve(order), measures.SHARE)) for order in orders])
    found = measures.acceleration(yardstick.random_needs, np.where(np.isfinite(needs), needs, 200))
    low, high = found["interval_90"]
    assert low <= 1 <= high
    assert found["median"] == pytest.approx(1, abs=0.5)


def test_a_search_that_never_arrives_accelerates_by_zero() -> None:
    found = measures.acceleration(np.full(100, 50.0), np.full(20, np.inf))
    assert (found["median"], found["reached"], found["n_needed"]) == (0.0, 0.0, None)


def test_the_best_share_of_the_pool_is_best_in_its_worse_objective() -> None:
    scores = np.array([[9.0, 0.0], [5.0, 5.0], [0.0, 9.0], [1.0, 1.0]])
    assert list(measures.Yardstick(scores, percentile=0).top(1)) == [1]


def test_the_first_checkpoint_below_an_error_is_interpolated_on_its_logarithm() -> None:
    assert measures.first_below([10, 20, 40], [1.0, 0.1, 0.01], 10**-1.5) == pytest.approx(30)
    assert measures.first_below([10, 20], [0.01, 0.001], 0.1) == 10
    assert measures.first_below([10, 20], [1.0, 0.5], 0.1) == np.inf


def test_coverage_of_predictions_drawn_from_themselves() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.standard_normal(20_000), rng.uniform(0.5, 2, 20_000)
    truth_variance = np.full(20_000, 0.3)
    z = mean + np.sqrt(std**2 + truth_variance) * rng.standard_normal(20_000)
    found = measures.errors_of(z, truth_variance, mean, std, lambda v: v)
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.01)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(std**2 + 0.3)), rel=0.03)


@pytest.mark.parametrize("name", mixtures.FUNCTIONS)
def test_mixtures_have_the_optima_that_are_stated(name: str) -> None:
    function, k = mixtures.FUNCTIONS[name]
    where_a, a, where_b, b = mixtures.OPTIMA[name]
    assert function(np.array([where_a]))[0, 0] == pytest.approx(a, abs=1e-12)
    assert function(np.array([where_b]))[0, 1] == pytest.approx(b, abs=1e-12)
    for where in (where_a, where_b):
        assert sum(where) == pytest.approx(1)
    rng = np.random.default_rng(7)
    near = [rng.dirichlet(1e-3 + 200 * np.array(where), size=20_000) for where in (where_a, where_b)]
    everywhere = function(np.vstack([rng.dirichlet(np.full(k, 0.5), size=20_000), *near]))
    assert (everywhere.max(axis=0) <= np.array([a, b]) + 1e-9).all()
    assert (everywhere.max(axis=0) > np.array([a, b]) - 0.1).all()


def small(noisy: bool = False) -> Landscape:
    landscape = mixtures.mixture("kink3", 120, 40)
    return landscape.with_noise() if noisy else landscape


STRATEGIES: tuple[Strategy, ...] = (
    Steered("ours", "hypervolume"),
    Steered("ours, variance", "integrated-variance"),
    ScikitLearn(),
    OptunaTPE(),
    SobolOrder(),
    RandomOrder(),
)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_every_strategy_asks_for_each_candidate_once_and_repeats_itself(strategy: Strategy) -> None:
    if strategy.name in missing_peers():
        pytest.skip(f"{missing_peers()[strategy.name]} is not installed")
    inputs = Inputs(small(noisy=True))
    fails = np.zeros(120, dtype=bool)
    fails[::3] = True
    inputs = inputs.on(inputs.landscape.where_fails(fails, {"fresh": np.zeros(40, dtype=bool)}))
    order = play_search(inputs, strategy, 0, lambda order: False, budget=8)
    assert len(order) == len(set(order)) == 8
    assert order == play_search(inputs, strategy, 0, lambda order: False, budget=8)
    assert order != play_search(inputs, strategy, 1, lambda order: False, budget=8)


def test_steered_search_beats_random_search() -> None:
    inputs = Inputs(small())
    yardstick = measures.Yardstick(inputs.landscape.scores)
    orders = [play_search(inputs, Steered("ours", "hypervolume"), seed, lambda o: False, 20) for seed in range(2)]
    needs = [float(measures.first_reaching(yardstick.curve(order), measures.SHARE)) for order in orders]
    assert max(needs) < np.quantile(yardstick.random_needs, 0.25)


def test_one_objective_is_searched_by_its_improvement() -> None:
    inputs = Inputs(small().only("b"))
    yardstick = measures.Yardstick(inputs.landscape.scores)
    order = play_search(inputs, Steered("ours", "hypervolume"), 0, lambda o: False, 12)
    assert measures.first_reaching(yardstick.curve(order), measures.SHARE) < np.inf


def test_learning_improves_and_is_judged_by_what_was_not_chosen() -> None:
    checkpoints = play_learning(Inputs(small()), Steered("ours", "max-variance"), 0, (10, 30))
    errors = [c["errors"]["fresh"]["b"]["rmse"] for c in checkpoints]
    assert errors[1] < 0.5 * errors[0]
    assert [c["n"] for c in checkpoints] == [10, 30]


def a_table(**changed: object) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    fractions = rng.dirichlet(np.ones(3), size=30).repeat(2, axis=0)
    table = pd.DataFrame(fractions * 100, columns=["Li", "Al", "Ge"])
    table["seed"] = [0, 1] * 30
    table["strength"] = fractions[:, 0] + rng.standard_normal(60) * 0.01
    table["price"] = 1 + fractions[:, 1]
    return table.assign(**changed)


def test_a_table_of_ones_own_becomes_a_landscape(tmp_path: Path) -> None:
    table = a_table()
    table.loc[:1, "strength"] = np.nan
    table.to_csv(tmp_path / "mine.csv", index=False)
    landscape = tables.from_csv(tmp_path / "mine.csv", {"strength": "max", "price": "min"})
    assert landscape.components == ("Li", "Al", "Ge")
    assert (landscape.n, len(landscape.judges["fresh"].fractions)) == (24, 6)
    assert landscape.z.shape == (24, 2, 2)
    failed = int((~landscape.is_done).sum()) + int((~landscape.judges["fresh"].is_done).sum())
    assert failed == 1
    first = np.flatnonzero(landscape.is_done)[0]
    row = table.iloc[::2].reset_index()
    same = np.abs(row[["Li", "Al", "Ge"]].to_numpy() / 100 - landscape.fractions[first]).sum(axis=1).argmin()
    assert landscape.scores[first, 1] == pytest.approx(-table["price"].iloc[2 * same])
    drawn = {float(landscape.with_noise().evaluate(first, np.random.default_rng(k))[0]) for k in range(20)}
    assert drawn == set(table["strength"].iloc[2 * same : 2 * same + 2])


DAMAGED = {
    "no column": (lambda t: t.drop(columns="strength"), "no column strength"),
    "not a number": (lambda t: t.assign(strength=["much", *t["strength"][1:]]), "row 2: strength is 'much'"),
    "infinite": (lambda t: t.assign(price=[np.inf, *t["price"][1:]]), "price is 'inf'"),
    "negative amount": (lambda t: t.assign(Li=[-1.0, *t["Li"][1:]]), "no composition"),
    "sums differ": (lambda t: t.assign(Li=t["Li"] * np.linspace(1, 3, 60)), "--components"),
    "twice": (lambda t: t.assign(seed=0), "there twice"),
    "role": (lambda t: t.assign(role="pond"), "unknown role pond"),
    "cut off": (lambda t: t.assign(role="fresh"), "no row with the role pool"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_tables_are_refused(damage: str, tmp_path: Path) -> None:
    change, message = DAMAGED[damage]
    change(a_table()).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(InputError, match=message):
        tables.from_csv(tmp_path / "mine.csv", {"strength": "max", "price": "min"})


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "neighbourhood.csv.xz").write_bytes(b"\xfd7zXZ\x00 not really")
    with pytest.raises(InputError, match="cannot be read as a table"):
        tables.simulated("neighbourhood", tmp_path)
    with pytest.raises(InputError, match="make_landscapes"):
        tables.simulated("simplex", tmp_path)


def test_results_of_a_small_run_and_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(games, "N_LEARNED", (10, 20))
    monkeypatch.setattr(games, "N_RANDOM", (10, 20))
    monkeypatch.setattr(play, "SEARCH", ((8, 1), (20, 6)))
    a_table(seed=range(60)).to_csv(tmp_path / "mine.csv", index=False)
    source = games.Source("mine", path=str(tmp_path / "mine.csv"), objectives=(("strength", "max"), ("price", "min")))
    chosen = [g for g in games.games_of([source], 2) if g.strategy in ("dynaphase", "sobol", "random, fractions")]
    journal = tmp_path / "journal"
    played = games.play_all(chosen, journal)
    with journal.open("a") as stream:
        stream.write('{"key": "cut o')
    monkeypatch.setattr(games, "play", lambda game: pytest.fail("played again"))
    again = games.play_all(chosen, journal)
    assert again == played
    document = json.loads(json.dumps(results.summarise([source], chosen, again), allow_nan=False))
    found = document["acceleration_factor"]["mine"]
    assert found["interval_90"][0] <= found["median"] <= found["interval_90"][1]
    assert document["simulations_to_accuracy"]["mine"]["random, fractions"]["strength"]["median"] <= 20
    assert len(document["search"]["mine"]["hypervolume"]["dynaphase"]["mean"]) == results.N_CURVE
    (tmp_path / "results.json").write_text(json.dumps(document | {"choosing": {}}))
    page = tmp_path / "decisions.md"
    page.write_text((BENCHMARKS.parent / "docs" / "decisions.md").read_text())
    render.render(tmp_path / "results.json", page)
    assert f"| {render.with_bounds(found)} |" in page.read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == {render.HYPERVOLUME_FIGURE, render.ACCURACY_FIGURE}


def test_fixed_orders_end_with_the_pool() -> None:
    player = FixedOrder([2, 0, 1])
    assert (player.ask(2), player.ask(5), player.ask(1)) == ([2, 0], [1], [])


def test_bad_requests_are_refused_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "decisions.py"), "--landscape", str(tmp_path / "none.csv")]
    done = subprocess.run([*command, "--objectives", "a:max"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no table" in done.stderr
    assert "Traceback" not in done.stderr
