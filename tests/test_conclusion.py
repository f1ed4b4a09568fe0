"""Probabilities of recommendations, draws, savings: against closed forms and brute force on a known landscape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from dynaphase import assessment, probabilities, steering
from dynaphase import recommend as recommend_module
from dynaphase.assessment import (
    assess_further,
    expected_gain,
    front_runners,
    reference_point,
    simulated_responses,
    strata_of,
)
from dynaphase.campaign import Campaign
from dynaphase.config import PRESETS, CampaignConfig, make_config
from dynaphase.display import in_times
from dynaphase.errors import Interrupted
from dynaphase.features import FeatureMap
from dynaphase.journal import read_journal
from dynaphase.materials import get_system
from dynaphase.pareto import hypervolume, is_pareto_optimal
from dynaphase.probabilities import draw_responses, probability_beats, probability_pareto
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.robustness import draw_candidates, is_drawn, robustness_of
from dynaphase.rounds import Entry, Plan, Role
from dynaphase.samplers import make_sampler
from dynaphase.savings import random_search_length, saved_for_accuracy, saved_for_optimum
from dynaphase.space import CompositionSpace
from dynaphase.store import Store
from dynaphase.surrogate import DEFAULT_TARGETS, JointPosterior, SurrogateOptions, compare, fit_surrogate
from dynaphase.surrogate.calibration import Recalibration
from dynaphase.training import JUDGED, RECOMMENDED_FOR, Learned, Table
from tests.conftest import tiny, tiny_physical

LAGP = get_system("lagp")
SPACE = CompositionSpace(LAGP, make_sampler("neighbourhood"))
FEATURES = FeatureMap(SPACE, "coordinates")
CONFIG = make_config({"model": "paper", "design": {"n_initial": 24, "n_held_out": 12}, "surrogate": {"trend": False}})


def truth(compositions: list) -> np.ndarray:
    """S, σ of the box and of the ceramic on a smooth landscape that trades S for σ."""
    u, v = SPACE.to_unit(compositions).T
    score = 50 + 8 * np.cos(2 * u - 0.4) * np.cos(1.5 * (v - 0.6))
    log_sigma = -4 + 0.6 * np.sin(2 * u + 0.8) * np.cos(1.2 * (v - 0.4))
    return np.column_stack([score, 10 ** (log_sigma - 0.5), 10**log_sigma])


def table(compositions: list) -> Table:
    return Table(tuple(compositions), FEATURES(compositions), truth(compositions), (1.0,) * len(compositions))


@pytest.fixture(scope="module")
def known() -> tuple[Learned, list[Plan]]:
    """A surrogate of the landscape from 24 random compositions and 8 that a campaign might choose, 12 held out."""
    rng = np.random.default_rng(3)
    first, held_out = SPACE.sample(24, rng), SPACE.sample(12, rng)
    pool = SPACE.sample(400, rng)
    values = truth(pool)
    best = np.argsort(-(values[:, 0] / 5 + np.log10(values[:, 2]) / 0.2))[:8]
    chosen = [pool[index] for index in best]
    training = table([*first, *chosen])
    surrogate = fit_surrogate(training.X, training.Y, DEFAULT_TARGETS)
    held = table(held_out)
    comparisons = compare(surrogate, held.X, held.Y)
    assessment = {"accuracy": {name: {} for name in JUDGED}}
    plans = [
        Plan(0, tuple(Entry(c, Role.HELD_OUT) for c in held_out) + tuple(Entry(c, Role.INITIAL) for c in first)),
        Plan(1, tuple(Entry(c, Role.ACTIVE) for c in chosen)),
    ]
    return Learned(surrogate, FEATURES, training, held, comparisons, {}, assessment), plans


def both(compositions: list) -> np.ndarray:
    values = truth(compositions)
    return np.column_stack([values[:, 0], np.log10(values[:, 2])])


def test_draws_of_the_response_have_the_moments_of_the_predictions(known: tuple[Learned, list[Plan]]) -> None:
    learned, _ = known
    where = SPACE.sample(5, np.random.default_rng(1))
    drawn = draw_responses(learned, where, RECOMMENDED_FOR, 4000, np.random.default_rng(0))
    joint, fitted = learned.posterior(where, RECOMMENDED_FOR), learned.surrogate.fitted
    for t, name in enumerate(RECOMMENDED_FOR):
        spread = fitted[name].scale * np.sqrt(np.diag(joint.covariance[t]))
        mean = fitted[name].centre + fitted[name].scale * joint.mean[t]
        assert np.abs(drawn[:, t].mean(axis=0) - mean).max() < 5 * spread.max() / np.sqrt(4000)
        assert drawn[:, t].std(axis=0) == pytest.approx(spread, rel=0.1)


def test_beating_the_reference_is_the_gaussian_of_the_difference(known: tuple[Learned, list[Plan]]) -> None:
    learned, _ = known
    reference, *others = SPACE.sample(4, np.random.default_rng(2))
    found = probability_beats(learned, reference, [*others, reference])
    drawn = draw_responses(learned, [reference, *others], RECOMMENDED_FOR, 20_000, np.random.default_rng(0))
    for t, name in enumerate(RECOMMENDED_FOR):
        misfit = learned.surrogate.fitted[name].misfit * learned.surrogate.fitted[name].scale ** 2
        for i in range(len(others)):
            difference = drawn[:, t, i + 1] - drawn[:, t, 0]
            expected = norm.cdf(difference.mean() / np.sqrt(difference.var() + 2 * misfit))
            assert found[i][name] == pytest.approx(expected, abs=0.02)
            assert found[i]["both"] == pytest.approx(np.prod([found[i][other] for other in RECOMMENDED_FOR]))
    assert found[-1] == {**dict.fromkeys(RECOMMENDED_FOR, 0.5), "both": 0.25}


@pytest.fixture(scope="module")
def coupled() -> Learned:
    """From few noisy replicates of targets that go together: what is not known of one is not known of the others."""
    rng = np.random.default_rng(3)
    where = [c for c in SPACE.sample(12, rng) for _ in range(2)]
    log_sigma = np.log10(truth(where)[:, 2])
    noise = rng.standard_normal((24, 3))
    values = np.column_stack([50 - 20 * (log_sigma + 4) + 2 * noise[:, 0], *10 ** (log_sigma + 0.1 * noise[:, 1:].T)])
    common = np.repeat(rng.standard_normal(12), 2)  # of every composition, and no function of where it lies
    values = np.column_stack([values[:, 0] - 8 * common, *(values[:, 1:] * 10 ** (0.4 * common[:, None])).T])
    training = replace(table(where), Y=values)
    held = table(SPACE.sample(6, rng))
    surrogate = fit_surrogate(training.X, training.Y, DEFAULT_TARGETS, options=SurrogateOptions(joint=True))
    assert surrogate.fit_reports[RECOMMENDED_FOR[0]].outputs == "joint"
    return Learned(surrogate, FEATURES, training, held, {}, {}, {})


def test_beating_the_reference_in_both_is_the_joint_gaussian_of_the_differences(coupled: Learned) -> None:
    reference, *others = SPACE.sample(5, np.random.default_rng(2))
    found = probability_beats(coupled, reference, [*others, reference])
    rng, n = np.random.default_rng(0), 200_000
    joint = coupled.posterior([reference, *others], RECOMMENDED_FOR)
    dense = joint.whole_between(range(5), range(5)).reshape(10, 10)
    f = rng.multivariate_normal(joint.mean.ravel(), dense, n).reshape(n, 2, 5)
    fitted = [coupled.surrogate.fitted[name] for name in RECOMMENDED_FOR]
    f += np.sqrt([one.recalibration.factor**2 * one.misfit for one in fitted])[:, None] * rng.standard_normal(f.shape)
    wins = f[:, :, 1:] > f[:, :, :1]
    gap = 0.0
    for i in range(4):
        for t, name in enumerate(RECOMMENDED_FOR):
            assert found[i][name] == pytest.approx(wins[:, t, i].mean(), abs=0.005)
        assert found[i]["both"] == pytest.approx(wins[:, :, i].all(axis=1).mean(), abs=0.005)
        gap = max(gap, abs(found[i]["both"] - np.prod([found[i][name] for name in RECOMMENDED_FOR])))
    assert gap > 0.01, "a product would not do"
    assert found[-1] == {**dict.fromkeys(RECOMMENDED_FOR, 0.5), "both": 0.25}


@pytest.mark.parametrize(("rho", "expected"), [(1.0, 0.3), (-1.0, 0.1), (0.0, 0.24)])
def test_both_in_the_limits_of_correlation(rho: float, expected: float) -> None:
    """Of two events of probabilities 0.3 and 0.8: the rarer one, what must overlap, the product."""
    scaled = norm.ppf([0.3, 0.8])
    assert probabilities._all_positive(scaled, np.array([[1, rho], [rho, 1]])) == pytest.approx(expected, abs=1e-6)
    three = np.array([[1, rho, 0], [rho, 1, 0], [0, 0, 1]])
    found = probabilities._all_positive(np.append(scaled, 0.0), three)
    assert found == pytest.approx(expected / 2, abs=1e-3)


def test_the_front_is_where_nothing_clearly_different_is_better(known: tuple[Learned, list[Plan]]) -> None:
    learned, _ = known
    pool = SPACE.sample(300, np.random.default_rng(5))
    values = both(pool)
    top, low = pool[int(np.argmax(values[:, 0]))], pool[int(np.argmin(values.sum(axis=1)))]
    found = probability_pareto(learned, SPACE, [top, low])
    assert found[0] > 0.5
    assert found[1] < 0.01


@pytest.mark.parametrize("n_rivals", [16, 128])
def test_what_the_smooth_response_misses_counts_for_the_composition_and_for_no_rival(
    n_rivals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rivals are known to be better by 0.1 and 0.2; misfit of 0.3 and 0.5 then decides, however many they are."""
    monkeypatch.setattr(probabilities, "N_RIVALS", n_rivals)
    monkeypatch.setattr(probabilities, "N_DRAWS", 20_000)
    [composition] = SPACE.sample(1, np.random.default_rng(0))

    def posterior(compositions: list, names: object) -> JointPosterior:
        is_rival = np.array([c != composition for c in compositions], dtype=float)
        n = len(compositions)
        return JointPosterior(np.stack([0.05 * is_rival, 0.2 * is_rival]), np.zeros((2, n, n)), np.zeros((2, n)))

    one = SimpleNamespace(centre=5.0, scale=2.0, recalibration=Recalibration(1.5), misfit=0.01)
    other = SimpleNamespace(centre=0.0, scale=1.0, recalibration=Recalibration(), misfit=0.25)
    surrogate = SimpleNamespace(fitted=dict(zip(RECOMMENDED_FOR, (one, other), strict=True)))
    learned = SimpleNamespace(posterior=posterior, surrogate=surrogate, promising=list, inputs=SPACE.to_unit)
    [found] = probability_pareto(learned, SPACE, [composition])
    assert found == pytest.approx(1 - norm.cdf(0.1 / 0.3) * norm.cdf(0.2 / 0.5), abs=0.015)


def test_the_expected_gain_falls_to_nothing_where_all_is_known(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = known
    reference = reference_point(learned, plans)
    gain = expected_gain(learned, SPACE, reference, 4)
    assert gain is not None
    assert 0 <= gain < 0.1
    assert gain >= expected_gain(learned, SPACE, reference, 1) > 0
    few = table(list(learned.training.compositions[:6]))
    ignorant = replace(learned, training=few, surrogate=fit_surrogate(few.X, few.Y, DEFAULT_TARGETS))
    unsure = expected_gain(ignorant, SPACE, reference, 4)
    assert unsure is not None
    assert unsure > gain


def test_many_simulated_compositions_do_not_make_a_large_covariance(
    known: tuple[Learned, list[Plan]], monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, plans = known
    reference = reference_point(learned, plans)
    n_drawn: list[int] = []

    def counted(learned: Learned, compositions: list, *rest: object) -> np.ndarray:
        n_drawn.append(len(compositions))
        return draw_responses(learned, compositions, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(assessment, "draw_responses", counted)
    whole = expected_gain(learned, SPACE, reference, 4)
    monkeypatch.setattr(assessment, "N_KNOWN", 15)
    few = expected_gain(learned, SPACE, reference, 4)
    assert n_drawn[0] - n_drawn[1] == 44 - 15
    assert n_drawn[1] <= 15 + assessment.N_POOL
    assert few == pytest.approx(whole, rel=0.1)

    simulated, values = simulated_responses(learned)
    kept = front_runners(learned, simulated, 15)
    assert len(kept) == 15
    assert kept == [c for c in simulated if c in set(kept)], "in their order"
    on_front = [c for c, is_best in zip(simulated, is_pareto_optimal(values), strict=True) if is_best]
    assert set(on_front) <= set(kept)
    assert front_runners(learned, simulated, 44) == simulated


def test_the_assessment_holds_what_stopping_reads(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = known
    found = assess_further(learned, plans, CONFIG, SPACE)
    assert set(found["held_out"]) == set(JUDGED)
    assert found["coverage"]["stability_score"]["all"]["n"] == 12
    assert found["hypervolume"]["observed"] == pytest.approx(
        hypervolume(both(simulated_responses(learned)[0]), found["hypervolume"]["reference"])
    )
    masks = strata_of(learned, "stability_score", SPACE)
    delta = np.array([abs(LAGP.coordinates(c)[1]) for c in learned.held_out.compositions])
    assert masks["line"].tolist() == (delta <= 0.05).tolist()
    assert (masks["line"] ^ masks["off_line"]).all()
    assert 0 < masks["edge"].sum() < 12
    with_absent = SimpleNamespace(system=LAGP, dimension=3, to_unit=lambda found: np.zeros((len(found), 3)))
    assert "edge" not in strata_of(learned, "stability_score", with_absent), "everything lies there"


def test_what_random_search_needs_agrees_with_brute_force(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = known
    saving = saved_for_optimum(learned, plans, CONFIG, SPACE)
    assert saving.n_campaign == 44
    wanted = hypervolume(both(simulated_responses(learned)[0]), reference_point(learned, plans))
    rng = np.random.default_rng(11)
    everything = both(SPACE.sample(3000, rng))
    lengths = []
    for _ in range(60):
        order, reference = rng.permutation(everything), reference_point(learned, plans)
        lengths.append(next((k for k in range(5, 3000, 5) if hypervolume(order[:k], reference) >= wanted), 3000))
    low, high = saving.n_random_interval_90 or (0, 0)
    assert low <= np.median(lengths) <= high
    assert saving.ratio == pytest.approx(saving.n_random / 44)


def test_a_search_ends_with_the_row_that_completes_it() -> None:
    values = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 3.0], [0.5, 0.5], [3.0, 3.0]])
    assert [random_search_length(values, wanted, np.zeros(2)) for wanted in (0.5, 2.0, 4.0, 9.0, 10.0)] == [
        1,
        2,
        3,
        5,
        5,
    ]


def test_only_failures_among_the_random_compositions_are_charged_to_random_search(
    known: tuple[Learned, list[Plan]],
) -> None:
    learned, plans = known
    asked = [c for plan in plans for c, _ in plan.asked]
    extra = SPACE.sample(30, np.random.default_rng(8))
    plans = [*plans, Plan(2, (*(Entry(c, Role.CONFIRMATION) for c in extra[1:]), Entry(extra[0], Role.REFERENCE)))]
    failed = {*asked[:9], *asked[-2:], *extra}  # of the first plan nine; chosen and confirming ones, the reference
    plain = saved_for_optimum(learned, plans, CONFIG, SPACE)
    charged = saved_for_optimum(learned, plans, CONFIG, SPACE, failed)
    assert charged.n_random == pytest.approx(plain.n_random / 0.75)
    assert "25 %" in charged.note
    assert charged.n_campaign == 74


LEVELS = {"levels": ["eikonal", "128"]}


class KnownRecords:
    """Prospects that turn nothing away, and the records they rest on."""

    config = PRESETS["demo"]

    def __init__(self, records: list[Record]) -> None:
        self.records = {record.key: record for record in records}

    def are_good(self, compositions: list) -> np.ndarray:
        return np.ones(len(compositions), dtype=bool)


def levelled(known: tuple[Learned, list[Plan]]) -> tuple[Learned, list[Plan]]:
    """24 compositions of the first design at the cheap level and 6 of them at the top; 8 chosen at the cheap level."""
    learned, plans = known
    held = [entry.composition for entry in plans[0].entries if entry.role is Role.HELD_OUT]
    first = [entry.composition for entry in plans[0].entries if entry.role is Role.INITIAL]
    chosen = [entry.composition for entry in plans[1].entries]
    entries = [Entry(c, Role.HELD_OUT, "128") for c in held] + [Entry(c, Role.INITIAL, "eikonal") for c in first]
    entries += [Entry(c, Role.INITIAL, "128") for c in first[:6]]
    rows = [*range(24), *range(6), *range(24, 32)]
    training = Table(
        tuple(learned.training.compositions[row] for row in rows),
        learned.training.X[rows],
        learned.training.Y[rows],
        (0.5,) * 24 + (1.0,) * 6 + (0.5,) * 8,
    )
    plans = [Plan(0, tuple(entries)), Plan(1, tuple(Entry(c, Role.ACTIVE, "eikonal") for c in chosen))]
    return replace(learned, training=training), plans


def test_a_low_level_counts_by_its_cost(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = levelled(known)
    assert learned.training.compositions[24:30] == tuple(e.composition for e in plans[0].entries[-6:])
    design = {"n_initial": 24, "n_held_out": 12}
    settings = {"settings": {"fidelity": "128"}, "design": design, "surrogate": {"trend": False}}
    for cost in (0.1, 1.0):
        quick = {"design": design | {"method": "sobol"}}  # no learning curve
        config = make_config(settings | quick | {"fidelity": LEVELS | {"costs": [10 * cost, 10.0]}})
        found = saved_for_optimum(learned, plans, config, SPACE)
        assert found.n_campaign == pytest.approx(12 + 6 + 32 * cost)
        assert "by their cost" in found.method
        for saving in saved_for_accuracy(learned, plans, config, JUDGED):
            assert saving.n_campaign == pytest.approx(6 + 32 * cost)
    # Every subset costs a tenth, and so what random search needs, and what the campaign took: the ratio stays.
    config = make_config(settings | {"fidelity": LEVELS | {"costs": [1.0, 10.0]}})
    cheap = replace(learned, training=replace(known[0].training, levels=(0.5,) * 32))
    dear = [saving.ratio for saving in saved_for_accuracy(known[0], known[1], config, JUDGED)]
    assert any(ratio is not None for ratio in dear)
    found = saved_for_accuracy(cheap, plans, config, JUDGED)
    assert [saving.n_campaign for saving in found] == [3.2, 3.2]
    assert [saving.ratio for saving in found] == [ratio and pytest.approx(ratio) for ratio in dear]


def test_costs_are_those_that_the_first_design_measured(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = levelled(known)
    config = make_config({"settings": {"fidelity": "128"}, "fidelity": LEVELS, "surrogate": {"trend": False}})
    records = [
        Record(candidate, RecordStatus.DONE, "", cpu_seconds=seconds * (1 if plan.number == 0 else 50))
        for plan in plans
        for entry in plan.entries
        for candidate in entry.candidates(config, "lagp")
        for seconds in [2.5 if entry.level == "eikonal" else 10.0]
    ]
    measured = replace(learned, prospects=KnownRecords(records))
    assert saved_for_optimum(measured, plans, config, SPACE).n_campaign == 12 + 6 + 32 * 0.25


def test_lower_levels_and_what_fails_count_for_nothing_found(known: tuple[Learned, list[Plan]]) -> None:
    learned, _ = known
    cheap = replace(learned, training=replace(learned.training, levels=(0.5,) * 24 + (1.0,) * 8))
    at_top = {*learned.training.compositions[24:], *learned.held_out.compositions}
    assert set(simulated_responses(cheap)[0]) == at_top

    class Half:
        """Everything with more than average lithium fails."""

        config = PRESETS["demo"]

        def are_good(self, compositions: list) -> np.ndarray:
            return np.array([LAGP.coordinates(c)[1] < 0 for c in compositions])

    failing = replace(learned, prospects=Half())
    pool = SPACE.sobol(50, 0)
    assert failing.promising(pool) == [c for c in pool if LAGP.coordinates(c)[1] < 0]
    answers = recommend_module.recommend(failing, LAGP, SPACE, 3)
    assert all(LAGP.coordinates(answer.composition)[1] < 0 for answer in answers)
    assert any(LAGP.coordinates(a.composition)[1] >= 0 for a in recommend_module.recommend(learned, LAGP, SPACE, 3))


def test_the_accuracy_is_compared_by_the_learning_curve_or_not_at_all(known: tuple[Learned, list[Plan]]) -> None:
    learned, plans = known
    found = saved_for_accuracy(learned, plans, CONFIG, JUDGED)
    assert [saving.target for saving in found] == list(JUDGED)
    for saving in found:
        assert (saving.ratio is None) == bool(saving.note)
        assert saving.n_campaign == 32
    assert any(saving.ratio is not None for saving in found)
    sobol = make_config({"model": "paper", "design": {"method": "sobol"}})
    assert all(saving.ratio is None for saving in saved_for_accuracy(learned, plans, sobol, JUDGED))


@pytest.mark.parametrize(
    ("is_bound", "has_open_end", "text"),
    [
        (False, False, "×4.2 (2.9–6.0)"),
        (False, True, "×4.2 (2.9–6.0 or more)"),
        (True, True, "more than ×4.2 (at least 2.9)"),
    ],
)
def test_a_ratio_in_words(is_bound: bool, has_open_end: bool, text: str) -> None:
    saving = {"ratio": 4.2, "ratio_interval_90": [2.9, 6.0], "is_bound": is_bound, "has_open_end": has_open_end}
    assert in_times(saving) == text


# --- draws --------------------------------------------------------------------------------------------------


def drawn_records(config: CampaignConfig, scores: dict, failed: tuple = ()) -> dict[str, Record]:
    found = {}
    for composition, values in scores.items():
        for candidate, (score, sigma) in zip(draw_candidates(config, "lagp", [composition], 4), values, strict=True):
            is_failed = (composition, candidate.settings["draw"]) in failed
            status = RecordStatus.FAILED if is_failed else RecordStatus.DONE
            record = Record(candidate, status, "", dict(zip(RECOMMENDED_FOR, (score, sigma), strict=True)))
            found[record.key] = record
    return found


def test_robustness_counts_the_draws() -> None:
    config = tiny_physical()
    one, reference = SPACE.sample(2, np.random.default_rng(0))
    scores = {one: [(2, 1), (2, 3), (2, 3), (1, 3)], reference: [(1, 2)] * 4}
    records = drawn_records(config, scores)
    found = robustness_of(one, reference, records, config, "lagp", 4)
    assert found is not None
    shares = [found[name]["probability"] for name in (*RECOMMENDED_FOR, "both")]
    assert shares == [0.875, 0.75, 0.625], "a tie counts half"
    assert all(is_drawn(record, config) for record in records.values())
    fewer = robustness_of(one, reference, drawn_records(config, scores, ((reference, 4),)), config, "lagp", 4)
    assert fewer is not None
    assert (fewer["n_draws"], fewer["both"]["probability"]) == (3, pytest.approx(2 / 3))
    assert robustness_of(one, reference, {}, config, "lagp", 4) is None


@pytest.mark.usefixtures("quick_learner")
@pytest.mark.parametrize("how", ["batches", "asynchronous"])
def test_the_draws_of_a_campaign_are_kept_apart_and_resumed(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the chain of the physical model replaced: what is tested is who is asked for, and what is learned from."""
    monkeypatch.setattr(recommend_module, "N_PER_AXIS", 13)
    calls: list[Candidate] = []

    def quick(candidate: Candidate, *, system: object) -> Record:
        calls.append(candidate)
        score, box, ceramic = truth([candidate.composition])[0]
        shift = 1 + 0.01 * candidate.settings["draw"]
        values = {
            "stability_score": score,
            "ionic_conductivity_S_per_cm": box,
            "ceramic_conductivity_S_per_cm": ceramic,
        }
        descriptors = {"critical_current_density_mA_per_cm2": 1.0 + score / 100}
        return Record(candidate, RecordStatus.DONE, "", {k: v * shift for k, v in values.items()}, descriptors)

    monkeypatch.setattr(steering, "evaluate_candidate", quick)
    design = {"n_initial": 12, "n_held_out": 6}
    stop, conclude = {"r": 0.9999, "budget": 29}, {"n_draws": 3, "n_compared": 2}
    rounds = {"batch": 2, "n_pool": 64, "n_confirm": 1, "steering": how, "refit_every": 2}
    config = tiny_physical(design=design, stop=stop, conclude=conclude, rounds=rounds)
    campaign = Campaign.create(tmp_path / "c", config=config)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steering, "saved_for_optimum", interrupted)
        with pytest.raises(Interrupted):
            campaign.run(executor="serial")
    n_before = len(calls)
    assert Campaign.open(tmp_path / "c").status()["stopped_because"] == "interrupted"
    Campaign.open(tmp_path / "c").run(executor="serial")
    assert len(calls) == n_before, "nothing is simulated twice"
    campaign = Campaign.open(tmp_path / "c")
    status = campaign.status()
    assert (status["n_drawn"], status["stopped_because"]) == (9, "budget")
    store = Store(tmp_path / "c", is_read_only=True)
    journal = read_journal(store, config)
    store.close()
    assert set(journal.drawn).isdisjoint(journal.records)
    assert set(journal.arrivals) == set(journal.records)
    assert status["n_records"] == status["n_planned"] == len(calls) - 9 <= 29 - 9
    assert len(campaign.records()) == status["n_records"]
    assert all(record.candidate.settings["draw"] == 0 for record in campaign.records())
    learned = campaign.learned()
    assert len(learned.training.Y) + len(learned.held_out.Y) == status["n_records"]
    n_confirming = int((campaign.frame()["role"] == "confirmation").sum())  # made after the decision to stop
    assert n_confirming == 1
    assert status["stopped_in_words"].startswith(f"{status['n_records'] - n_confirming} simulations are made")
    assert [saving["target"] for saving in status["saved"]] == ["optimum", *JUDGED]
    answers = [item.to_json() for item in campaign.suggest(2)]
    for answer in answers:
        assert answer["robust_to_draws"]["n_draws"] == 3
        assert set(answer["probability_beats_reference"]) == {*RECOMMENDED_FOR, "both"}
        assert 0 <= answer["probability_pareto"] <= 1


def test_without_draws_nothing_is_said_of_them(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommend_module, "N_PER_AXIS", 13)
    campaign = Campaign.open(finished)
    assert campaign.config == tiny()
    assert campaign.suggest(1)[0].to_json()["robust_to_draws"] is None
    assert "probability_pareto" not in campaign.predict("Li1.5Al0.5Ge1.5(PO4)3")[0].to_json()
